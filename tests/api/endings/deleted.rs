//! Sessions that ended long ago are deleted.

use serde_json::json;
use vestibule::db::Database;
use vestibule::flows::delete_old_sessions;
use vestibule::ids::SessionId;
use vestibule::sessions::store;
use vestibule::tenants::{Family, Settings};

use super::{INDIVIDUAL, MINUTE, in_row, write_down_all};
use crate::staff_sessions::plans::fill;
use crate::support::app::{Answer, NIL, START, TestApp, TestTenant};
use crate::support::calls::{Call, Opened, session_path};
use crate::support::directory::USERS;

const DAY: i64 = 24 * 60 * MINUTE;

fn keeping(days: i64) -> Settings {
    Settings { audit_retention_days: days, max_sessions: 1_000, ..Settings::default() }
}

impl TestApp {
    async fn delete_old_sessions(&self) {
        delete_old_sessions(&self.database, self.clock.now(), 0).await.unwrap();
    }

    async fn sessions_of(&self, tenant: &TestTenant) -> i64 {
        self.number_of(&format!("sessions where tenant_id = '{}'", tenant.id)).await
    }

    async fn is_there(&self, of: &Opened) -> bool {
        self.number_of(&format!("sessions where id = '{}'", of.session)).await == 1
    }

    /// What a tenant's backend is shown of a session's user.
    async fn shown(&self, tenant: &TestTenant, of: &Opened, rest: &str) -> Answer {
        let user = of.data["userId"].as_str().unwrap();
        self.call(Call::get(format!("{USERS}/{user}/sessions{rest}")).backend(tenant)).await
    }

    async fn refresh_with(&self, tenant: &TestTenant, of: &Opened, token: &str) -> Answer {
        let call = Call::new("PUT", session_path(of.family, NIL, NIL, &of.session)).tenant(&tenant.slug);
        self.call(call.and("deviceid", "device-1").json(&json!({ "refreshToken": token }))).await
    }
}

#[tokio::test]
async fn a_session_is_kept_after_its_end_for_as_long_as_its_tenant_keeps_events_and_not_longer() {
    let app = TestApp::start().await;
    for (slug, kept) in [("year", 365), ("default", 400), ("longer", 1_000)] {
        let tenant = app.tenant_with(slug, keeping(kept)).await;
        let for_ever = app.tenant_with(&format!("{slug}-for-ever"), keeping(0)).await;
        let [first, second] = [app.open(&tenant, INDIVIDUAL).await, app.open(&tenant, INDIVIDUAL).await];
        app.open(&for_ever, INDIVIDUAL).await;
        // By a logout, and by time: half an hour after the login.
        app.clock.advance(29 * MINUTE);
        app.end(&tenant, &first).await.expect(200);
        let lasting = app.open(&tenant, INDIVIDUAL).await;
        app.clock.advance(10 * MINUTE);
        assert_eq!(write_down_all(&app, &app.database, 1_000).await, 2);
        // Of whatever age: it has not ended.
        app.script(&format!(
            "update sessions set idle_expires_at = {far}, expires_at = {far} where id = '{}'",
            lasting.session,
            far = START.plus_millis(9_999 * DAY).as_millis()
        ))
        .await;
        for (millis, left) in
            [(kept * DAY - 10 * MINUTE, 3), (1, 2), (MINUTE - 1, 2), (1, 1), (2_000 * DAY, 1)]
        {
            app.clock.advance(millis);
            app.delete_old_sessions().await;
            assert_eq!(app.sessions_of(&tenant).await, left, "{slug}, {millis} ms later");
            assert!(left == 3 || !app.is_there(&first).await);
            assert!(left == 1 || app.is_there(&second).await);
        }
        assert!(app.is_there(&lasting).await);
        assert_eq!(app.sessions_of(&for_ever).await, 1);
    }
}

#[tokio::test]
async fn R097_what_was_deleted_is_answered_like_what_never_was_and_all_else_as_before() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let old = app.open(&tenant, INDIVIDUAL).await;
    app.end(&tenant, &old).await.expect(200);
    app.clock.advance(MINUTE);
    let later = app.open(&tenant, INDIVIDUAL).await;
    app.end(&tenant, &later).await.expect(200);
    app.clock.advance(400 * DAY);
    let open = app.open(&tenant, INDIVIDUAL).await;
    app.seal_events().await;
    let steps = |session: &str| format!("/{session}/events");
    let before = app.feed(&tenant, "").await.expect(200);
    let timeline = app.shown(&tenant, &later, &steps(&later.session)).await.expect(200);
    app.shown(&tenant, &old, &steps(&old.session)).await.expect(200);
    let ended = app.refresh_with(&tenant, &old, &old.refresh).await.expect(401);
    assert_eq!(ended.error_type(), "SESSION_ENDED");
    app.delete_old_sessions().await;

    assert_eq!(app.sessions_of(&tenant).await, 2);
    let list = app.shown(&tenant, &open, "").await.expect(200);
    let listed: Vec<_> = list.data()["items"].as_array().unwrap().iter().map(|it| &it["sessionId"]).collect();
    assert_eq!(listed, [&open.session, &later.session]);
    for rest in [format!("/{}", old.session), steps(&old.session), format!("/{}/evidence", old.session)] {
        app.shown(&tenant, &old, &rest).await.expect(404);
    }
    let forged = format!("{}AAAA", &open.refresh[..open.refresh.len() - 4]);
    let unknown = app.refresh_with(&tenant, &open, &forged).await.expect(401);
    let gone = app.refresh_with(&tenant, &old, &old.refresh).await;
    assert_eq!(gone.fingerprint(), unknown.fingerprint());
    app.end(&tenant, &old).await.expect(401);
    // Its events are the log's, which goes by its own deletion.
    assert_eq!(app.feed(&tenant, "").await.expect(200).data(), before.data());
    assert_eq!(app.shown(&tenant, &later, &steps(&later.session)).await.data(), timeline.data());
    let ended = app.refresh_with(&tenant, &later, &later.refresh).await.expect(401);
    assert_eq!(ended.error_type(), "SESSION_ENDED");
    app.view(&tenant, &open).await.expect(200);
    app.refresh_with(&tenant, &open, &open.refresh).await.expect(200);
    let user = open.data["userId"].as_str().unwrap();
    let devices = app.look(&tenant, &format!("{USERS}/{user}/devices")).await.expect(200);
    assert_eq!(devices.data()["items"][0]["sessions"], 1);
}

#[tokio::test]
async fn settings_that_cannot_be_read_keep_all_and_none_keeps_less_than_a_year() {
    for (days, goes_after) in [("1", Some(365)), ("-9", None), ("\"400\"", None)] {
        let app = TestApp::start().await;
        let tenant = app.tenant("acme").await;
        let old = app.open(&tenant, INDIVIDUAL).await;
        app.end(&tenant, &old).await.expect(200);
        app.script(&format!("update tenants set settings = '{{\"auditRetentionDays\":{days}}}'")).await;
        for (day, advanced) in [(364, 364), (366, 2), (5_000, 4_634)] {
            app.clock.advance(advanced * DAY);
            app.delete_old_sessions().await;
            let gone = goes_after.is_some_and(|after| day > after);
            assert_eq!(app.sessions_of(&tenant).await, i64::from(!gone), "{days}, after {day} days");
        }
    }
}

/// Tenants with so many sessions each, half of which have ended long ago; the clock is where the next millisecond
/// makes all of these old.
async fn with_many(app: &TestApp, number: i64) -> [TestTenant; 2] {
    let tenants = [app.tenant("acme").await, app.tenant("globex").await];
    for tenant in &tenants {
        app.open(tenant, INDIVIDUAL).await;
        fill(app, tenant, number).await;
    }
    app.clock.advance(400 * DAY);
    tenants
}

#[tokio::test]
async fn two_nodes_at_once_delete_what_is_old_slice_by_slice_and_nothing_else() {
    let app = TestApp::start().await;
    let tenants = with_many(&app, 730).await;
    let beside = app.database.open_again().await;
    let now = app.clock.now();
    let delete = |database: &Database| {
        let database = database.clone();
        async move { delete_old_sessions(&database, now, 0).await.unwrap() }
    };
    tokio::join!(delete(&app.database), delete(&beside));
    for tenant in &tenants {
        assert_eq!(app.sessions_of(tenant).await, 1 + 365);
    }
    assert_eq!(app.number_of("sessions where ended_at is not null").await, 0);
    // What is left is read, ten at a time and until there are none, and nothing is written.
    let before = app.database.work();
    app.delete_old_sessions().await;
    let reads = 1 + tenants.len() * ((1 + 365_usize).div_ceil(10) + 1);
    assert_eq!(app.database.work().calls - before.calls, reads as u64);
}

#[tokio::test]
async fn a_deletion_that_was_cut_short_goes_on_and_keeps_no_other_tenants_sessions() {
    let app = TestApp::start().await;
    let tenants = with_many(&app, 600).await;
    let [first, last] = if tenants[0].id.as_str() < tenants[1].id.as_str() { [0, 1] } else { [1, 0] };
    let (first, last) = (&tenants[first], &tenants[last]);
    // The ids of those that were made in numbers end in theirs.
    let condition = format!("old.tenant_id = '{}' and substr(old.id, 33) > '0100'", first.id);
    let script = if app.database.is_sqlite() {
        format!(
            "create trigger stuck before delete on sessions when {condition} begin select raise(abort, 'stuck'); end"
        )
    } else {
        format!(
            "create function stuck() returns trigger as $$ begin if {condition} then raise 'stuck'; end if; \
             return old; end $$ language plpgsql; \
             create trigger stuck before delete on sessions for each row execute function stuck()"
        )
    };
    app.script(&script).await;
    delete_old_sessions(&app.database, app.clock.now(), 0).await.unwrap_err();
    assert_eq!(app.sessions_of(last).await, 1 + 300, "the others'");
    let left = app.sessions_of(first).await;
    assert!((1 + 600 - 128..601).contains(&left), "{left}: whole slices went before it failed");
    app.script(if app.database.is_sqlite() {
        "drop trigger stuck"
    } else {
        "drop trigger stuck on sessions"
    })
    .await;
    app.delete_old_sessions().await;
    assert_eq!(app.sessions_of(first).await, 1 + 300);
}

#[tokio::test]
async fn R159_an_hour_that_the_clock_was_ahead_deletes_no_session() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let old = app.open(&tenant, INDIVIDUAL).await;
    app.end(&tenant, &old).await.expect(200);
    let ended = in_row(&app, &tenant, &old).await;
    app.clock.advance(400 * DAY - 30 * MINUTE);
    let upkeep = async || vestibule::upkeep::delete_aged_sessions(&app.app).await.unwrap();
    upkeep().await;
    app.clock.jump(60 * MINUTE);
    for _ in 0..2 {
        upkeep().await;
        assert_eq!(in_row(&app, &tenant, &old).await, ended, "the clock is an hour ahead");
        app.clock.advance(10 * MINUTE);
    }
    app.clock.jump(-60 * MINUTE);
    upkeep().await;
    assert_eq!(in_row(&app, &tenant, &old).await, ended, "it has come back");
    app.clock.advance(10 * MINUTE + 1);
    upkeep().await;
    assert_eq!(app.sessions_of(&tenant).await, 0);
}

#[tokio::test]
async fn whatever_is_old_is_found_by_the_primary_key_and_where_nothing_is_no_session_is_read() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    app.open(&acme, Family::Individual).await;
    fill(&app, &acme, 60_000).await;
    let padded = if app.database.is_sqlite() { "printf('%012d', n)" } else { "lpad(n::text, 12, '0')" };
    app.script(&format!(
        "insert into tenants (id, slug, name, status, settings, valid_kids, created_at, updated_at) \
         select 'ffffffff-0000-4000-8000-' || {padded}, 'many-' || n, 'Many', 'active', '{{}}', '[]', 0, 0 \
         from (with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < 1200) \
         select n from numbers) numbers"
    ))
    .await;
    let before = app.database.work();
    app.delete_old_sessions().await;
    assert_eq!(app.database.work().calls - before.calls, 3, "pages of tenants");
    if app.database.is_sqlite() {
        reads_by_the_primary_key(&app, &acme).await;
    }
    app.script("analyze").await;
    reads_by_the_primary_key(&app, &acme).await;
}

async fn reads_by_the_primary_key(app: &TestApp, acme: &TestTenant) {
    let primary = if app.database.is_sqlite() { "sqlite_autoindex_sessions_1" } else { "sessions_pkey" };
    let (first, middle) = (START.plus_millis(29_900), START.plus_millis(30_000));
    let ids = [first, middle].map(SessionId::before);
    let far = SessionId::before(START.plus_millis(9_999 * DAY));
    for (what, statement) in [
        ("oldest", store::find_oldest(None, 500)),
        ("next", store::find_between(&acme.id, "", &far, 100)),
        ("next of few", store::find_between(&acme.id, ids[0].as_str(), &ids[1], 100)),
        ("delete", store::delete_ended(&acme.id, (ids[0].as_str(), ids[1].as_str()), app.clock.now())),
        // Few ended so early: the index of those that have ended might seem to find them.
        ("delete few", store::delete_ended(&acme.id, (ids[0].as_str(), ids[1].as_str()), START)),
    ] {
        let plan = app.database.plan(statement).await.unwrap();
        assert!(plan.contains(primary), "{what}: {plan}");
        let scans = ["Seq Scan on sessions", "SCAN s", "SCAN sessions"];
        assert!(!scans.iter().any(|scan| plan.contains(scan)), "{what}: {plan}");
    }
}
