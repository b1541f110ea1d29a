//! How many sessions a user has at a time, and what a login beyond that does (R066).

mod many_at_once;

use serde_json::{Value, json};
use vestibule::tenants::{Family, SessionLimitAction, Settings};

use crate::support::app::{Answer, TestApp, TestTenant};
use crate::support::calls::{Opened, session_call};
use crate::support::login::SLOW_HASH;

const INDIVIDUAL: Family = Family::Individual;

fn limited(most: i64, action: SessionLimitAction) -> Settings {
    Settings { max_sessions: most, session_limit_action: action, ..Settings::default() }
}

fn one_a_device() -> Settings {
    Settings { replace_device_session: true, ..Settings::default() }
}

/// A login that succeeds, a second after the one before, on a device.
async fn open_on(app: &TestApp, tenant: &TestTenant, family: Family, device: &str) -> Opened {
    app.clock.advance(1_000);
    let answer = app.send(tenant.login(family).header("deviceid", device).request()).await.expect(200);
    opened(family, &answer)
}

fn opened(family: Family, answer: &Answer) -> Opened {
    let field = |name: &str| answer.field(name).to_owned();
    Opened {
        family,
        session: field("sessionId"),
        token: field("token"),
        refresh: field("refreshToken"),
        data: answer.data().clone(),
    }
}

/// How a session is seen by its own token: alive (`None`), or why it ended.
async fn ending(app: &TestApp, tenant: &TestTenant, of: &Opened) -> Option<String> {
    let answer = app.view(tenant, of).await;
    if answer.status == 200 {
        return None;
    }
    assert_eq!(answer.expect(401).error_type(), "SESSION_ENDED");
    Some(app.view(tenant, of).await.field("endReason").to_owned())
}

async fn endings(app: &TestApp, tenant: &TestTenant, all: &[Opened]) -> Vec<Option<String>> {
    let mut endings = Vec::new();
    for one in all {
        endings.push(ending(app, tenant, one).await);
    }
    endings
}

fn so_many<T: Clone>(value: T, number: usize) -> Vec<T> {
    vec![value; number]
}

#[tokio::test]
async fn R066_one_login_more_ends_the_oldest_session_which_says_so() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme", limited(3, SessionLimitAction::EndOldest)).await;
    let mut all = Vec::new();
    for number in 0..5 {
        all.push(open_on(&app, &tenant, INDIVIDUAL, &format!("device-{number}")).await);
    }
    let limit = Some("limit".to_owned());
    assert_eq!(endings(&app, &tenant, &all).await, [limit.clone(), limit, None, None, None]);
    let events = app.events_named(tenant.id.as_str(), "session_expired").await;
    let text = |row: &vestibule::db::Row, column: &str| row.maybe_text(column).unwrap();
    let sessions: Vec<_> = events.iter().map(|row| text(row, "session_id").unwrap()).collect();
    assert_eq!(sessions, [all[0].session.clone(), all[1].session.clone()], "one each, and of no other");
    let user = tenant.person(INDIVIDUAL).id.to_string();
    for row in &events {
        assert_eq!(text(row, "reason").unwrap(), "limit");
        assert_eq!(
            (text(row, "actor_kind").unwrap().as_str(), text(row, "actor_id")),
            ("user", Some(user.clone()))
        );
        let details: Value = serde_json::from_str(&text(row, "details").unwrap()).unwrap();
        assert_eq!(details, json!({ "family": "individual", "rule": "maxSessions=3" }));
        let personal: Value = serde_json::from_str(&text(row, "personal").unwrap()).unwrap();
        assert_eq!(personal["userAgent"], "test-agent/1");
    }
    let told = "events where name = 'session_expired' and ends = 'session' and user_id is not null \
                and customer_id is not null";
    assert_eq!(app.number_of(told).await, 2);
}

#[tokio::test]
async fn R066_where_the_tenant_refuses_one_more_it_is_409_and_nothing_of_it_counts() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme", limited(2, SessionLimitAction::Refuse)).await;
    let person = tenant.person(INDIVIDUAL);
    // Failures stay as they are: a right password that is refused neither adds to them nor takes them away.
    let first = open_on(&app, &tenant, INDIVIDUAL, "device-1").await;
    let second = open_on(&app, &tenant, INDIVIDUAL, "device-2").await;
    app.fail(&tenant.login(INDIVIDUAL), 2).await;
    let before = app.number_of("users where last_login_at is not null").await;
    for _ in 0..6 {
        app.clock.advance(1_000);
        let refused = app.login(&tenant, INDIVIDUAL).await.expect(409);
        assert_eq!(refused.error_type(), "SESSION_LIMIT");
        assert!(refused.text.contains("2 sessions"), "{}", refused.text);
        let event = app.event_of(&tenant, &refused).await;
        assert_eq!(
            (event.name.as_str(), event.reason.as_deref()),
            ("authn_login_fail", Some("session_limit"))
        );
    }
    assert_eq!(app.failures(person).await, 2);
    assert_eq!(app.number_of("attempts").await, 0);
    assert_eq!(app.number_of("sessions").await, 2);
    assert_eq!(app.number_of("devices").await, 2, "nor is its device noted");
    assert_eq!(app.number_of("users where last_login_at is not null").await, before);
    assert_eq!(endings(&app, &tenant, &[first.clone(), second.clone()]).await, [None, None]);
    // A wrong password learns nothing of the limit.
    let wrong = app.send(tenant.login(INDIVIDUAL).set("password", "wrong").request()).await.expect(401);
    assert_eq!(wrong.json["message"], "Authentication failed");
    app.end(&tenant, &first).await.expect(200);
    open_on(&app, &tenant, INDIVIDUAL, "device-3").await;
    app.login(&tenant, INDIVIDUAL).await.expect(409);
}

#[tokio::test]
async fn R017_one_more_whose_reservation_is_gone_is_503_and_learns_nothing_of_the_limit() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme", limited(1, SessionLimitAction::Refuse)).await;
    open_on(&app, &tenant, INDIVIDUAL, "a").await;
    app.set_hash(tenant.person(INDIVIDUAL), &SLOW_HASH).await;
    let hashed = app.app.passwords.evaluations();
    let second = app.send_apart(&tenant.login(INDIVIDUAL));
    app.begun(hashed + 1).await;
    app.script("delete from attempts").await;
    let answer = second.await.unwrap().expect(503);
    assert_eq!(answer.error_type(), "UNAVAILABLE", "{}", answer.text);
    assert_eq!(app.event_names(&tenant).await, ["authn_login_success"], "the first alone");
}

#[tokio::test]
async fn R066_what_has_ended_in_whatever_way_does_not_count() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme", limited(2, SessionLimitAction::Refuse)).await;
    let person = tenant.person(INDIVIDUAL);
    for way in ["logout", "idle", "user", "customer", "tenant"] {
        for device in ["a", "b"] {
            open_on(&app, &tenant, INDIVIDUAL, device).await;
        }
        app.login(&tenant, INDIVIDUAL).await.expect(409);
        let now = app.clock.now().as_millis();
        let not_before = format!("sessions_not_before = {now}, sessions_end_reason = 'user_disabled'");
        match way {
            "logout" => {
                app.script(&format!("update sessions set ended_at = {now}, end_reason = 'logout'")).await;
            }
            "idle" => app.clock.advance(31 * 60_000),
            "user" => app.update_user(person, &not_before).await,
            "customer" => app.update_customer(person, &not_before).await,
            _ => app.script(&format!("update tenants set {not_before} where slug = 'acme'")).await,
        }
    }
    app.clock.advance(1_000);
    // Another user's are not counted.
    let other = app.add_person(&tenant, INDIVIDUAL, "other@example.test").await;
    for person in [person, &other, &other, person] {
        app.send(tenant.login(INDIVIDUAL).named(&person.email).request()).await.expect(200);
    }
    app.login(&tenant, INDIVIDUAL).await.expect(409);
}

#[tokio::test]
async fn R066_a_kept_session_counts_and_what_a_lower_limit_leaves_over_ends_at_the_next_login() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme", limited(4, SessionLimitAction::EndOldest)).await;
    let mut all = Vec::new();
    for number in 0..4 {
        all.push(open_on(&app, &tenant, INDIVIDUAL, &format!("device-{number}")).await);
    }
    app.script("update tenants set settings = '{\"version\":1,\"maxSessions\":2}' where slug = 'acme'").await;
    assert_eq!(endings(&app, &tenant, &all).await, so_many(None, 4), "not before");
    all.push(open_on(&app, &tenant, INDIVIDUAL, "device-4").await);
    let limit = Some("limit".to_owned());
    let [_, _, _, kept, _] = &all[..] else { panic!("five") };
    assert_eq!(endings(&app, &tenant, &all).await, [limit.clone(), limit.clone(), limit.clone(), None, None]);
    // What spares a session from an ending of all lets it count.
    let now = app.clock.now().as_millis();
    let person = tenant.person(INDIVIDUAL);
    let set = format!(
        "sessions_not_before = {now}, sessions_end_reason = 'logout', session_kept = '{}'",
        kept.session
    );
    app.update_user(person, &set).await;
    let next = [open_on(&app, &tenant, INDIVIDUAL, "x").await, open_on(&app, &tenant, INDIVIDUAL, "y").await];
    assert_eq!(ending(&app, &tenant, kept).await, limit);
    assert_eq!(endings(&app, &tenant, &next).await, [None, None]);
}

#[tokio::test]
async fn R066_a_login_takes_the_place_of_its_devices_sessions_where_the_tenant_wants_it_but_never_of_staffs()
{
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme", one_a_device()).await;
    for family in [Family::Individual, Family::Organization] {
        let name = format!("other-{}@example.test", family.as_str());
        app.another(&tenant, family, &name).await;
        let others = app.open_as(&tenant, family, &name).await;
        let first = open_on(&app, &tenant, family, "device-1").await;
        let beside = open_on(&app, &tenant, family, "device-2").await;
        let second = open_on(&app, &tenant, family, "device-1").await;
        let third = open_on(&app, &tenant, family, "device-1").await;
        let seen = endings(&app, &tenant, &[first.clone(), beside, second, third, others]).await;
        let replaced = Some("replaced".to_owned());
        assert_eq!(seen, [replaced.clone(), None, replaced, None, None], "{family:?}");
        let shown =
            app.call(session_call("DELETE", &tenant, family, &first.session, &first.token)).await.expect(200);
        assert_eq!(shown.field("endReason"), "replaced");
    }
    let details = app.details_of(&tenant, "session_expired").await;
    assert_eq!(details.len(), 4);
    assert!(details.iter().all(|details| details["rule"] == "replaceDeviceSession=true"), "{details:?}");
    let staff = [
        open_on(&app, &tenant, Family::Admin, "one").await,
        open_on(&app, &tenant, Family::Admin, "one").await,
    ];
    assert_eq!(endings(&app, &tenant, &staff).await, [None, None]);

    let tenant = app.tenant("globex").await;
    let both =
        [open_on(&app, &tenant, INDIVIDUAL, "one").await, open_on(&app, &tenant, INDIVIDUAL, "one").await];
    assert_eq!(endings(&app, &tenant, &both).await, [None, None], "only where the tenant wants it");
}

#[tokio::test]
async fn R066_a_replaced_session_makes_room_before_the_count() {
    let app = TestApp::start().await;
    let settings = Settings { replace_device_session: true, ..limited(2, SessionLimitAction::Refuse) };
    let tenant = app.tenant_with("acme", settings).await;
    let first = open_on(&app, &tenant, INDIVIDUAL, "device-1").await;
    let beside = open_on(&app, &tenant, INDIVIDUAL, "device-2").await;
    let again = open_on(&app, &tenant, INDIVIDUAL, "device-1").await;
    let seen = endings(&app, &tenant, &[first, beside, again.clone()]).await;
    assert_eq!(seen, [Some("replaced".to_owned()), None, None]);
    // What is refused replaces nothing either.
    app.send(tenant.login(INDIVIDUAL).header("deviceid", "device-3").request()).await.expect(409);
    assert_eq!(ending(&app, &tenant, &again).await, None);
}
