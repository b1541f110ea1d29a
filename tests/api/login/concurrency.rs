//! Many at once: the count holds, honest people all get in, and what was read must still be true.

use std::time::Duration;

use futures_util::future::join_all;
use vestibule::tenants::Family;

use crate::support::app::{Answer, TestApp, TestTenant, Wanted};
use crate::support::login::{SLOW_HASH, answer, two_instances, until};

const INDIVIDUAL: Family = Family::Individual;

/// Of these answers to wrong passwords only five were compared with the stored hash.
async fn assert_five_compared(app: &TestApp, tenant: &TestTenant, answers: &[Answer]) {
    let with = |message: &str| answers.iter().filter(|answer| answer.json["message"] == message).count();
    assert_eq!(with("Authentication failed"), 5);
    assert_eq!(with("Account locked"), answers.len() - 5);
    let events = app.login_events(tenant).await;
    let because = |reason| events.iter().filter(|event| event.reason.as_deref() == Some(reason)).count();
    assert_eq!(because("wrong_password"), 5);
    assert_eq!(because("locked"), answers.len() - 5);
    assert_eq!(because("too_many_failures"), 1);
    assert_eq!(events.len(), answers.len() + 1);
    assert_eq!(app.failures(tenant.person(INDIVIDUAL)).await, 5);
    assert_eq!(app.number_of("attempts").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R017_of_two_hundred_wrong_passwords_at_once_five_are_compared_and_the_name_is_locked() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let call = tenant.login(INDIVIDUAL);
    let wrong = call.clone().set("password", "wrong");
    let answers = join_all((0..200).map(|_| app.send_apart(&wrong))).await;
    let answers: Vec<Answer> = answers.into_iter().map(Result::unwrap).collect();
    assert_five_compared(&app, &tenant, &answers).await;
    assert_eq!(app.app.passwords.evaluations(), 200, "one hash each, of nobody's password when locked");
    let right = app.send(call.request()).await.expect(401);
    assert_eq!(right.json["message"], "Account locked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R017_two_instances_on_one_database_count_together() {
    let (app, beside) = two_instances().await;
    let tenant = app.tenant("acme").await;
    let wrong = tenant.login(INDIVIDUAL).set("password", "wrong");
    let both = (0..60).map(|number| {
        if number % 2 == 0 {
            app.send_apart(&wrong)
        } else {
            tokio::spawn(answer(beside.clone(), wrong.request()))
        }
    });
    let answers: Vec<Answer> = join_all(both).await.into_iter().map(Result::unwrap).collect();
    assert_five_compared(&app, &tenant, &answers).await;
    let call = tenant.login(INDIVIDUAL);
    let there = answer(beside, call.request()).await.expect(401);
    assert_eq!(there.json["message"], "Account locked");
}

#[tokio::test]
async fn R017_attempts_in_flight_count_like_failures() {
    let mut wanted = Wanted::default();
    wanted.passwords.deadline = Duration::from_millis(60);
    let app = TestApp::start_with(wanted).await;
    let tenant = app.tenant("acme").await;
    let call = tenant.login(INDIVIDUAL);
    let person = tenant.person(INDIVIDUAL);
    app.script("delete from attempts").await;
    for id in ["one", "two", "three", "four", "five"] {
        app.attempt_in_flight(&tenant, person, id, 0).await;
    }
    let (answer, hashes) = app.hashes_of(&call).await;
    assert_eq!((answer.status.as_u16(), hashes), (503, 0), "{}", answer.text);
    assert_eq!(answer.error_type(), "OVERLOADED");
    assert_eq!(app.number_of("attempts").await, 5);
    app.script("delete from attempts where id = 'one'").await;
    until("a slot is enough", async || app.send(call.request()).await.status == 200).await;
}

#[tokio::test]
async fn a_login_waits_for_a_slot_for_as_long_as_its_place_in_the_hash_queue_is_good() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for id in ["one", "two", "three", "four", "five"] {
        app.attempt_in_flight(&tenant, tenant.person(INDIVIDUAL), id, 0).await;
    }
    let waiting = app.send_apart(&tenant.login(INDIVIDUAL));
    // More than a second: the deadline of these tests is twenty.
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    assert!(!waiting.is_finished());
    app.script("delete from attempts").await;
    waiting.await.unwrap().expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_honest_logins_of_one_user_at_once_all_pass() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let call = tenant.login(INDIVIDUAL);
    for answer in join_all((0..50).map(|_| app.send_apart(&call))).await {
        answer.unwrap().expect(200);
    }
    assert_eq!(app.number_of("sessions").await, 50);
    assert_eq!(app.number_of("attempts").await, 0);
    assert_eq!(app.failures(tenant.person(INDIVIDUAL)).await, 0);
    assert_eq!(app.event_names(&tenant).await, vec!["authn_login_success"; 50]);
}

/// What becomes true while the hash runs, and must keep the session from being opened.
async fn meanwhile(
    change: impl AsyncFn(&TestApp, &TestTenant),
    status: u16,
) -> (TestApp, TestTenant, Answer) {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.set_hash(tenant.person(INDIVIDUAL), &SLOW_HASH).await;
    let login = app.send_apart(&tenant.login(INDIVIDUAL));
    app.begun(1).await;
    change(&app, &tenant).await;
    let answer = login.await.unwrap().expect(status);
    assert_eq!(app.number_of("sessions").await, 0);
    assert_eq!(app.number_of("users where last_login_at is not null").await, 0);
    (app, tenant, answer)
}

#[tokio::test]
async fn R091_who_or_what_is_suspended_while_the_password_is_hashed_does_not_get_in() {
    let wrong = {
        let app = TestApp::start().await;
        let tenant = app.tenant("acme").await;
        app.send(tenant.login(INDIVIDUAL).set("password", "wrong").request()).await.fingerprint()
    };
    for sql in [
        "update users set status = 'suspended'",
        "update customers set status = 'suspended'",
        "update customers set status = 'closed'",
        "update tenants set status = 'suspended' where slug = 'acme'",
        "update users set password_version = 2, password_hash = '$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$\
         bWFkZSB1cCwgYW5kIG5vYm9keSdzIHBhc3N3b3JkLi4'",
        "update users set password_hash = null",
    ] {
        let (app, tenant, answer) = meanwhile(async |app, _| app.script(sql).await, 401).await;
        assert_eq!(answer.fingerprint(), wrong, "{sql}");
        assert_eq!(app.event_names(&tenant).await, ["authn_login_fail"], "{sql}");
        assert_eq!(app.failures(tenant.person(INDIVIDUAL)).await, 1, "{sql}");
        assert_eq!(app.app.passwords.evaluations(), 1, "{sql}");
    }
}

#[tokio::test]
async fn an_attempt_that_is_gone_when_it_should_be_concluded_is_503_and_opens_nothing() {
    let gone = async |app: &TestApp, _: &TestTenant| app.script("delete from attempts").await;
    let (app, tenant, answer) = meanwhile(gone, 503).await;
    assert_eq!(answer.error_type(), "UNAVAILABLE");
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(app.event_names(&tenant).await, [""; 0]);
    assert_eq!(app.failures(tenant.person(INDIVIDUAL)).await, 0);
}

#[tokio::test]
async fn an_attempt_that_was_counted_as_dead_meanwhile_is_not_counted_again() {
    // Another login of the user, more than a minute later, finds the mark of the one that still hashes.
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let person = tenant.person(INDIVIDUAL);
    app.set_hash(person, &SLOW_HASH).await;
    let first = app.send_apart(&tenant.login(INDIVIDUAL).set("password", "wrong"));
    app.begun(1).await;
    app.clock.advance(60_001);
    let second = app.send(tenant.login(INDIVIDUAL).set("password", "wrong").request()).await;
    assert_eq!(second.expect(401).json["message"], "Authentication failed");
    assert_eq!(first.await.unwrap().expect(503).error_type(), "UNAVAILABLE");
    assert_eq!(app.failures(person).await, 2, "the dead one, and the other");
    assert_eq!(app.event_names(&tenant).await, ["authn_login_fail"]);
}

#[tokio::test]
async fn R035_a_hash_of_another_cost_is_replaced_after_the_next_right_login_and_only_then() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let person = tenant.person(INDIVIDUAL);
    app.set_hash(person, &SLOW_HASH).await;
    let stored = format!("users where id = '{}' and password_hash = '{}'", person.id, SLOW_HASH.as_str());
    app.fail(&tenant.login(INDIVIDUAL), 1).await;
    assert_eq!(app.number_of(&stored).await, 1, "a wrong password changes nothing");
    app.send(tenant.login(INDIVIDUAL).request()).await.expect(200);
    until("the hash is replaced", async || app.number_of(&stored).await == 0).await;
    let hashes = app.app.passwords.evaluations();
    app.send(tenant.login(INDIVIDUAL).request()).await.expect(200);
    assert_eq!(app.app.passwords.evaluations(), hashes + 1, "the new one stays");
    app.fail(&tenant.login(INDIVIDUAL), 1).await;
}

#[tokio::test]
async fn a_fault_of_ours_is_no_failure_of_the_user() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let kid = |kid: &str| format!("update tenants set signing_kid = '{kid}' where id = '{}'", tenant.id);
    let own = app
        .app
        .db
        .fetch(vestibule::tenants::store::find(&vestibule::tenants::TenantName::parse("acme").unwrap()));
    let own = own.await.unwrap()[0].text("tenant_signing_kid").unwrap();
    app.script(&kid("gone")).await;
    for _ in 0..7 {
        app.send(tenant.login(INDIVIDUAL).request()).await.expect(500);
    }
    app.clock.advance(120_000);
    app.script(&kid(&own)).await;
    app.send(tenant.login(INDIVIDUAL).request()).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R035_logins_at_once_with_a_hash_of_another_cost_all_pass_while_it_is_replaced() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let person = tenant.person(INDIVIDUAL);
    app.set_hash(person, &SLOW_HASH).await;
    let call = tenant.login(INDIVIDUAL);
    for answer in join_all((0..16).map(|_| app.send_apart(&call))).await {
        answer.unwrap().expect(200);
    }
    assert_eq!(app.failures(person).await, 0);
    assert_eq!(app.event_names(&tenant).await, vec!["authn_login_success"; 16]);
}
