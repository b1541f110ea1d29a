//! Five failures in a row lock a name for thirty minutes, whether or not anybody has it.

use serde_json::json;
use vestibule::tenants::{Family, Settings};

use crate::support::app::{Answer, LoginCall, TestApp, TestTenant};

const INDIVIDUAL: Family = Family::Individual;
const MINUTE: i64 = 60_000;

async fn one() -> (TestApp, TestTenant, LoginCall) {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let call = tenant.login(INDIVIDUAL);
    (app, tenant, call)
}

fn is_locked(answer: &Answer) -> bool {
    answer.status == 401 && answer.json["message"] == "Account locked"
}

#[tokio::test]
async fn R015_five_wrong_passwords_and_a_right_one_are_refused_and_the_lock_is_told() {
    let (app, _, call) = one().await;
    app.fail(&call, 5).await;
    let answer = app.send(call.request()).await.expect(401);
    insta::assert_snapshot!(answer.without_request_id(), @r#"{"code":401,"data":{"attempts":null,"errorType":"AUTHENTICATION","lockoutDuration":"30 minutes","lockoutTime":"2026-03-16T20:19:32.000Z","maxAttempts":5,"message":"Invalid username or password","requestId":"(id)","success":false},"message":"Account locked"}"#);
    assert_eq!(app.number_of("sessions").await, 0);
}

#[tokio::test]
async fn R015_four_wrong_passwords_do_not_lock_and_a_success_resets_the_count() {
    let (app, tenant, call) = one().await;
    for _ in 0..3 {
        app.fail(&call, 4).await;
        app.send(call.request()).await.expect(200);
        assert_eq!(app.failures(tenant.person(INDIVIDUAL)).await, 0);
    }
    app.fail(&call, 5).await;
    assert!(is_locked(&app.send(call.request()).await));
}

#[tokio::test]
async fn R015_names_that_do_not_exist_are_counted_and_locked_byte_for_byte_alike() {
    let (app, _, call) = one().await;
    let nobody = call.clone().named("nobody@x.test");
    for round in 0..8 {
        let mut known = app.send(call.clone().set("password", "wrong").request()).await.fingerprint();
        let unknown = app.send(nobody.request()).await.fingerprint();
        assert_eq!(known, unknown, "round {round}");
        assert_eq!(known.contains("Account locked"), round >= 5);
        known.clear();
        app.clock.advance(1_000);
    }
}

#[tokio::test]
async fn R015_names_that_do_not_exist_are_counted_each_for_itself() {
    let (app, _, call) = one().await;
    app.fail(&call.clone().named("nobody@x.test"), 4).await;
    app.fail(&call.clone().named("nobody.else@x.test"), 4).await;
    assert_eq!(app.number_of("throttles where failures = 4").await, 2);
    app.send(call.request()).await.expect(200);
}

#[tokio::test]
async fn R016_the_lock_ends_by_itself_after_thirty_minutes_and_not_a_millisecond_before() {
    let (app, _, call) = one().await;
    let nobody = call.clone().named("nobody@x.test");
    app.fail(&call, 5).await;
    app.fail(&nobody, 5).await;
    app.clock.advance(30 * MINUTE - 1_000);
    assert!(is_locked(&app.send(call.request()).await), "29:59");
    assert!(is_locked(&app.send(nobody.request()).await), "29:59");
    app.clock.advance(999);
    assert!(is_locked(&app.send(call.request()).await), "29:59.999");
    app.clock.advance(1);
    // The failures went with the lock: five more are there.
    app.fail(&call, 4).await;
    app.fail(&nobody, 5).await;
    assert!(is_locked(&app.send(nobody.request()).await));
    app.send(call.request()).await.expect(200);
}

#[tokio::test]
async fn R016_R136_attempts_during_a_lock_do_not_prolong_it_and_leave_an_event_each() {
    let (app, tenant, call) = one().await;
    app.fail(&call, 5).await;
    let events = app.login_events(&tenant).await.len();
    for _ in 0..3 {
        app.clock.advance(9 * MINUTE);
        let answer = app.send(call.clone().set("password", "wrong").request()).await;
        assert_eq!(answer.field("lockoutTime"), "2026-03-16T20:19:32.000Z");
    }
    let after = app.login_events(&tenant).await;
    assert_eq!(after.len(), events + 3);
    assert_eq!(after.iter().filter(|event| event.reason.as_deref() == Some("locked")).count(), 3);
    app.clock.advance(3 * MINUTE);
    app.send(call.request()).await.expect(200);
}

#[tokio::test]
async fn R005_all_spellings_of_a_name_share_one_count() {
    let (app, _, call) = one().await;
    for names in [
        [
            "individual@example.test",
            "INDIVIDUAL@example.test",
            "ｉｎｄｉｖｉｄｕａｌ@example.test",
            "ⁱndividual@example.test",
            "Individual@EXAMPLE.test",
        ],
        ["nobody@x.test", "NOBODY@x.test", "ｎobody@x.test", "ⁿobody@x.test", "Nobody@X.test"],
    ] {
        for name in names {
            app.fail(&call.clone().named(name), 1).await;
        }
        for name in names {
            assert!(is_locked(&app.send(call.clone().named(name).request()).await), "{name}");
        }
    }
    assert_eq!(app.number_of("throttles").await, 2);
}

#[tokio::test]
async fn R005_a_users_name_and_e_mail_share_one_count() {
    let (app, tenant, call) = one().await;
    let person = tenant.person(INDIVIDUAL);
    app.script(&format!(
        "insert into login_names (tenant_id, name, user_id, kind) values ('{}', 'ada', '{}', 'username')",
        tenant.id, person.id
    ))
    .await;
    let by_name = call.clone().named("Ada");
    app.send(by_name.request()).await.expect(200);
    app.fail(&call, 3).await;
    app.fail(&by_name, 2).await;
    assert!(is_locked(&app.send(call.request()).await));
    assert!(is_locked(&app.send(by_name.request()).await));
}

#[tokio::test]
async fn a_failure_on_any_family_counts_for_the_one_user() {
    let (app, tenant, call) = one().await;
    for family in
        [Family::Individual, Family::Organization, Family::Admin, Family::Organization, Family::Admin]
    {
        let mut elsewhere = call.clone();
        elsewhere.path = tenant.login(family).path;
        app.fail(&elsewhere, 1).await;
    }
    assert!(is_locked(&app.send(call.request()).await));
}

#[tokio::test]
async fn a_tenant_may_hide_the_lock_which_then_answers_as_a_wrong_password() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme", Settings { hide_lock: true, ..Settings::default() }).await;
    let call = tenant.login(INDIVIDUAL);
    let wrong = app.send(call.clone().set("password", "wrong").request()).await.expect(401).fingerprint();
    app.fail(&call, 4).await;
    for call in [call.clone(), call.set("password", "wrong")] {
        let (answer, hashes) = app.hashes_of(&call).await;
        assert_eq!((answer.expect(401).fingerprint(), hashes), (wrong.clone(), 1));
    }
    assert_eq!(app.number_of("sessions").await, 0);
}

#[tokio::test]
async fn a_tenant_may_show_the_failed_attempts_of_names_that_exist_and_of_those_that_do_not() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme", Settings { show_attempts: true, ..Settings::default() }).await;
    let call = tenant.login(INDIVIDUAL).set("password", "wrong");
    for attempts in 1..=5 {
        let known = app.send(call.request()).await.expect(401);
        assert_eq!(known.data()["attempts"], attempts);
        assert_eq!(known.data()["maxAttempts"], 5);
        let unknown = app.send(call.clone().named("nobody@x.test").request()).await.expect(401);
        assert_eq!(known.fingerprint(), unknown.fingerprint());
    }
    let locked = app.send(call.request()).await;
    assert!(is_locked(&locked));
    assert_eq!(locked.data()["attempts"], json!(null));
}

#[tokio::test]
async fn an_attempt_that_died_more_than_a_minute_ago_is_a_failure() {
    let (app, tenant, call) = one().await;
    let person = tenant.person(INDIVIDUAL);
    app.fail(&call, 3).await;
    app.attempt_in_flight(&tenant, person, "dead", MINUTE + 1).await;
    app.fail(&call, 1).await;
    assert_eq!(app.failures(person).await, 5);
    assert_eq!(app.number_of("attempts").await, 0);
    assert!(is_locked(&app.send(call.request()).await));
}

#[tokio::test]
async fn R136_a_dead_attempt_that_is_the_fifth_failure_locks_and_the_lock_is_an_event() {
    let (app, tenant, call) = one().await;
    app.fail(&call, 4).await;
    app.attempt_in_flight(&tenant, tenant.person(INDIVIDUAL), "dead", MINUTE + 1).await;
    let (answer, hashes) = app.hashes_of(&call).await;
    assert!(is_locked(&answer), "{}", answer.text);
    assert_eq!(answer.field("lockoutTime"), "2026-03-16T20:19:32.000Z");
    assert_eq!(hashes, 1);
    assert!(is_locked(&app.send(call.request()).await));
    assert_eq!(app.number_of("sessions").await, 0);
    let mut expected = vec!["authn_login_fail"; 4];
    // Two more while it was locked.
    expected.extend(["authn_login_fail", "authn_login_fail", "authn_login_lock"]);
    assert_eq!(app.event_names(&tenant).await, expected);
}

#[tokio::test]
async fn an_attempt_of_a_minute_is_still_in_flight() {
    let (app, tenant, call) = one().await;
    let person = tenant.person(INDIVIDUAL);
    app.fail(&call, 3).await;
    app.attempt_in_flight(&tenant, person, "old", MINUTE).await;
    app.send(call.request()).await.expect(200);
    assert_eq!(app.failures(person).await, 0);
    assert_eq!(app.number_of("attempts").await, 1);
}
