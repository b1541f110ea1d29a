//! A node's clock that jumps by an hour and comes back.

use serde_json::json;
use vestibule::db::Statement;
use vestibule::flows::{Author, Begin, number_events, rotate_signing_key};
use vestibule::tenants::{Family, Settings};

use crate::support::app::{Answer, NIL, TestApp, TestTenant, Wanted};
use crate::support::calls::{Call, Opened, session_path};
use crate::support::login::until;

const HOUR: i64 = 3_600_000;
const INDIVIDUAL: Family = Family::Individual;

/// As it is shipped: with all limits.
async fn start() -> TestApp {
    TestApp::start_with(Wanted { source_limits: true, request_limits: true, ..Wanted::default() }).await
}

async fn refresh(app: &TestApp, tenant: &TestTenant, of: &Opened) -> Answer {
    let path = session_path(of.family, NIL, NIL, &of.session);
    let call = Call::new("PUT", path).tenant(&tenant.slug).and("deviceid", "device-1");
    app.call(call.json(&json!({ "refreshToken": of.refresh }))).await
}

async fn is_locked(app: &TestApp, tenant: &TestTenant) -> bool {
    let answer = app.login(tenant, INDIVIDUAL).await;
    answer.status == 401 && answer.json["message"] == "Account locked"
}

#[tokio::test]
async fn R159_a_clock_set_back_by_an_hour_ends_no_lock_and_forgets_none_when_it_comes_back() {
    let app = start().await;
    let tenant = app.tenant("acme").await;
    app.fail(&tenant.login(INDIVIDUAL), 5).await;
    assert!(is_locked(&app, &tenant).await);
    for jump in [-HOUR, HOUR] {
        app.clock.advance(jump);
        assert!(is_locked(&app, &tenant).await, "after a jump by {jump} ms");
    }
    app.clock.advance(29 * 60_000);
    assert!(is_locked(&app, &tenant).await, "it lasts for half an hour");
    app.clock.advance(2 * 60_000);
    app.login(&tenant, INDIVIDUAL).await.expect(200);
}

#[tokio::test]
async fn R159_R076_a_clock_set_back_signs_nobody_out_and_revives_nothing_that_had_ended() {
    let app = start().await;
    let tenant = app.tenant("acme").await;
    let (open, over) = (app.open(&tenant, INDIVIDUAL).await, app.open(&tenant, Family::Admin).await);
    app.end(&tenant, &over).await.expect(200);
    app.clock.advance(-HOUR);
    // An access token from the future opens nothing; a refresh brings one of this clock.
    app.view(&tenant, &open).await.expect(401);
    let of_this_clock = Opened::of(INDIVIDUAL, &refresh(&app, &tenant, &open).await.expect(200));
    app.view(&tenant, &of_this_clock).await.expect(200);
    refresh(&app, &tenant, &over).await.expect(401);
    app.view(&tenant, &over).await.expect(401);
    // What ends all of a tenant's sessions now ends those that were opened in the future, too.
    let name = vestibule::tenants::TenantName::Id(tenant.id.clone());
    let staff = app.open(&tenant, Family::Organization).await;
    let author = vestibule::flows::Author::TERMINAL;
    vestibule::flows::end_tenant_sessions(&app.database, author, &name, None, app.clock.now()).await.unwrap();
    app.clock.advance(1);
    for back in [false, true] {
        if back {
            app.clock.advance(HOUR);
        }
        for ended in [&of_this_clock, &staff, &over] {
            refresh(&app, &tenant, ended).await.expect(401);
            app.view(&tenant, ended).await.expect(401);
        }
        let anew = app.open(&tenant, INDIVIDUAL).await;
        app.view(&tenant, &anew).await.expect(200);
    }
}

#[tokio::test]
async fn R159_a_clock_that_was_an_hour_ahead_has_not_signed_out_whoever_may_be_idle_for_longer() {
    let app = start().await;
    let settings = Settings { idle_seconds: Some(7_200), ..Settings::default() };
    let tenant = app.tenant_with("acme", settings).await;
    let open = app.open(&tenant, INDIVIDUAL).await;
    app.clock.advance(HOUR);
    app.view(&tenant, &open).await.expect(401);
    let ahead = Opened::of(INDIVIDUAL, &refresh(&app, &tenant, &open).await.expect(200));
    app.clock.advance(-HOUR);
    app.view(&tenant, &ahead).await.expect(401);
    let back = Opened::of(INDIVIDUAL, &refresh(&app, &tenant, &ahead).await.expect(200));
    app.view(&tenant, &back).await.expect(200);
}

#[tokio::test]
async fn R159_ids_stay_unique_and_the_sealer_numbers_every_event_on_whichever_side_of_a_jump() {
    let app = start().await;
    let tenant = app.tenant("acme").await;
    let mut sessions = std::collections::BTreeSet::new();
    for jump in [0, HOUR, -HOUR, -HOUR, HOUR] {
        app.clock.advance(jump);
        for _ in 0..3 {
            assert!(sessions.insert(app.open(&tenant, INDIVIDUAL).await.session), "an id came twice");
        }
        // As the sealer looks most of the time: a minute back, by the clock as it is.
        let now = app.clock.now();
        number_events(&app.database, Some(now.plus_millis(-60_000)), now).await.unwrap();
    }
    until("every event has its number", async || {
        number_events(&app.database, None, app.clock.now()).await.unwrap();
        app.number_of("events where position is null").await == 0
    })
    .await;
    let (most, number) = {
        let sql = "select max(position) as most, count(distinct position) as number from events where tenant_id = $1";
        let rows = app.database.fetch(Statement::new(sql).bind(&tenant.id)).await.unwrap();
        (rows[0].int("most").unwrap(), rows[0].int("number").unwrap())
    };
    assert_eq!(most, number, "no gap");
}

#[tokio::test]
async fn R159_a_clock_set_back_while_limits_are_used_up_is_an_outage_for_nobody() {
    let app = start().await;
    let settings = Settings { requests_per_second: 5, ..Settings::default() };
    let tenant = app.tenant_with("acme", settings).await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    let backend = Call::get("/api/v2.1/events").backend(&tenant);
    for _ in 0..5 {
        app.view(&tenant, &opened).await.expect(200);
        app.login(&tenant, INDIVIDUAL).await;
    }
    app.view(&tenant, &opened).await.expect(429);
    app.login(&tenant, INDIVIDUAL).await.expect(429);
    app.clock.jump(-HOUR);
    app.login(&tenant, INDIVIDUAL).await.expect(200);
    app.call(backend).await.expect(200);
    // An access token from the future opens nothing, and a refresh brings one of this clock.
    refresh(&app, &tenant, &opened).await.expect(200);
}

const MINUTE: i64 = 60_000;

#[tokio::test]
async fn R159_R016_a_clock_set_forward_by_an_hour_ends_no_lock_early_and_a_new_one_lasts_as_long() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for back_again in [true, false] {
        app.fail(&tenant.login(INDIVIDUAL), 5).await;
        assert!(is_locked(&app, &tenant).await);
        app.clock.jump(HOUR);
        for _ in 0..2 {
            assert!(is_locked(&app, &tenant).await, "the clock is an hour ahead");
            app.clock.advance(10 * MINUTE);
        }
        if back_again {
            app.clock.jump(-HOUR);
            assert!(is_locked(&app, &tenant).await, "it has come back");
        }
        app.clock.advance(9 * MINUTE);
        assert!(is_locked(&app, &tenant).await, "29 minutes have passed");
        app.clock.advance(2 * MINUTE);
        app.login(&tenant, INDIVIDUAL).await.expect(200);
    }
    // Locked while the clock is ahead: until half an hour has passed, whichever clock counts it.
    app.clock.jump(HOUR);
    app.fail(&tenant.login(INDIVIDUAL), 5).await;
    for _ in 0..29 {
        assert!(is_locked(&app, &tenant).await);
        app.clock.advance(MINUTE);
    }
    assert!(is_locked(&app, &tenant).await, "29 minutes have passed");
    app.clock.advance(2 * MINUTE);
    app.login(&tenant, INDIVIDUAL).await.expect(200);
}

#[tokio::test]
async fn R159_what_was_idle_by_a_clock_that_was_an_hour_ahead_lives_when_it_comes_back() {
    let app = TestApp::start().await;
    let settings = Settings { idle_seconds: Some(1_800), ..Settings::default() };
    let tenant = app.tenant_with("acme", settings).await;
    let open = app.open(&tenant, INDIVIDUAL).await;
    upkeep(&app).await;
    app.clock.jump(HOUR);
    // By the clock as it is, which signs nothing for whoever may be idle.
    app.view(&tenant, &open).await.expect(401);
    assert_eq!(refresh(&app, &tenant, &open).await.expect(401).error_type(), "SESSION_ENDED");
    for _ in 0..2 {
        upkeep(&app).await;
        app.clock.advance(10 * MINUTE);
    }
    assert_eq!(app.number_of("sessions where ended_at is null").await, 1);
    assert_eq!(app.number_of("events where name = 'session_expired'").await, 0);
    app.clock.jump(-HOUR);
    upkeep(&app).await;
    let back = Opened::of(INDIVIDUAL, &refresh(&app, &tenant, &open).await.expect(200));
    app.view(&tenant, &back).await.expect(200);
    // A clock that stays there is right: time has passed.
    app.clock.jump(HOUR);
    upkeep(&app).await;
    app.clock.advance(31 * MINUTE);
    upkeep(&app).await;
    assert_eq!(app.number_of("sessions where end_reason = 'expired_idle'").await, 1);
}

/// What upkeep does of what time ends for good.
async fn upkeep(app: &TestApp) {
    vestibule::upkeep::write_down_all_endings(&app.app).await.unwrap();
    vestibule::upkeep::retire_signing_keys(&app.app).await.unwrap();
    vestibule::upkeep::delete_aged_events(&app.app).await.unwrap();
    vestibule::upkeep::delete_aged_sessions(&app.app).await.unwrap();
    vestibule::flows::delete_idle_throttles(&app.app).await.unwrap();
    vestibule::flows::delete_expired_resets(&app.app).await.unwrap();
}

#[tokio::test]
async fn R159_upkeep_deletes_nothing_by_a_clock_that_was_ahead_for_a_while() {
    let app = TestApp::start().await;
    let settings = Settings { audit_retention_days: 365, ..Settings::default() };
    let tenant = app.tenant_with("acme", settings).await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    app.end(&tenant, &opened).await.expect(200);
    // The owner's name, and nobody's, whose failure stays for a week; a key that is replaced, and counts for an hour; a reset secret.
    app.fail(&tenant.login(INDIVIDUAL).named("nobody@example.test"), 1).await;
    let name = vestibule::tenants::TenantName::Id(tenant.id.clone());
    let (db, master, now) = (&app.app.db, &app.app.master, app.clock.now());
    rotate_signing_key(db, master, Author::TERMINAL, &name, Begin::Now, now).await.unwrap();
    let reset = json!({ "username": tenant.person(INDIVIDUAL).email });
    app.call(Call::new("POST", "/api/v2.1/password-resets").backend(&tenant).json(&reset)).await.expect(200);
    app.seal_events().await;
    let counts = async || {
        let mut counts = Vec::new();
        for rows in
            ["events", "throttles", "signing_keys where retired_at is null", "password_resets", "sessions"]
        {
            counts.push(app.number_of(rows).await);
        }
        counts
    };
    let before = counts().await;
    assert_eq!(before[1..], [2, 2, 1, 1]);
    upkeep(&app).await;
    app.clock.jump(400 * 24 * HOUR);
    for _ in 0..3 {
        upkeep(&app).await;
        assert_eq!(counts().await, before);
        app.clock.advance(9 * MINUTE);
    }
    // It stays there: so much time has passed.
    app.clock.advance(4 * MINUTE);
    upkeep(&app).await;
    let after = counts().await;
    assert_eq!(after[1..], [0, 1, 0, 0]);
    assert!(after[0] < before[0], "{after:?}, of {before:?}");
}
