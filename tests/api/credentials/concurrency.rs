//! Many at once: one password wins, and what was read must still be true.

use futures_util::future::join_all;
use vestibule::passwords::Cost;
use vestibule::tenants::Family;

use super::{NEW, change, message, redeem, set};
use crate::support::app::{PASSWORD, TestApp, Wanted};
use crate::support::login::{SLOW_HASH, answer, two_instances};

const FAMILY: Family = Family::Individual;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R041_of_many_redemptions_at_once_on_two_instances_exactly_one_wins() {
    let (app, beside) = two_instances().await;
    let tenant = app.tenant("acme").await;
    let secret = app.secret(&tenant, FAMILY).await;
    let passwords: Vec<_> = (0..30).map(|n| format!("{n} green bottles hanging")).collect();
    let calls = passwords.iter().enumerate().map(|(n, password)| {
        let router = if n % 2 == 0 { app.router.clone() } else { beside.clone() };
        tokio::spawn(answer(router, redeem(&tenant, &secret, password).request()))
    });
    let answers: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    let won: Vec<_> = (0..30).filter(|n| answers[*n].status.as_u16() == 200).collect();
    assert_eq!(won.len(), 1);
    for answer in answers.iter().filter(|answer| answer.status.as_u16() != 200) {
        assert_eq!((answer.status.as_u16(), answer.complaints()), (400, vec!["resetSecret"]));
    }
    for (n, password) in passwords.iter().enumerate() {
        app.script("delete from throttles").await;
        let login = app.login_with(&tenant, FAMILY, password).await;
        assert_eq!(login.status.as_u16(), if n == won[0] { 200 } else { 401 });
    }
    assert_eq!(app.events_named(tenant.id.as_str(), "authn_password_change").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R041_of_many_secrets_asked_for_at_once_one_is_good() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let calls = (0..20).map(|_| {
        let call = super::start(&tenant, &tenant.person(FAMILY).email);
        tokio::spawn(answer(app.router.clone(), call.request()))
    });
    let answers: Vec<_> =
        join_all(calls).await.into_iter().map(|answer| answer.unwrap().expect(200)).collect();
    let mut good = 0;
    for answer in &answers {
        let redeemed = app.call(redeem(&tenant, answer.field("resetSecret"), NEW)).await;
        good += u32::from(redeemed.status.as_u16() == 200);
    }
    assert_eq!(good, 1);
    assert_eq!(app.number_of("password_resets").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R091_a_login_that_read_the_old_password_fails_when_another_is_set_meanwhile() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let person = tenant.person(FAMILY);
    app.set_hash(person, &SLOW_HASH).await;
    let login = app.send_apart(&tenant.login(FAMILY));
    app.begun(1).await;
    app.call(set(&person.id, NEW).backend(&tenant)).await.expect(200);
    let refused = login.await.unwrap().expect(401);
    assert_eq!(message(&refused), "Authentication failed");
    assert_eq!(app.event_of(&tenant, &refused).await.reason.as_deref(), Some("changed_meanwhile"));
    assert_eq!(app.number_of("sessions").await, 0);
    app.login_with(&tenant, FAMILY, NEW).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R042_of_many_changes_at_once_one_wins_and_only_its_session_lives() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let mut sessions = Vec::new();
    for _ in 0..4 {
        sessions.push(app.open(&tenant, FAMILY).await);
    }
    app.clock.advance(1);
    let calls = sessions.iter().enumerate().map(|(n, opened)| {
        let call = change(&tenant, opened, PASSWORD, &format!("{n} green bottles hanging"));
        tokio::spawn(answer(app.router.clone(), call.request()))
    });
    let answers: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    let won: Vec<_> = (0..4).filter(|n| answers[*n].status.as_u16() == 200).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    for (n, opened) in sessions.iter().enumerate() {
        let seen = app.view(&tenant, opened).await;
        assert_eq!(seen.status.as_u16(), if n == won[0] { 200 } else { 401 });
    }
    app.script("delete from throttles").await;
    app.login_with(&tenant, FAMILY, &format!("{} green bottles hanging", won[0])).await.expect(200);
    assert_eq!(app.number_of("attempts").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R042_of_many_changes_in_one_session_one_wins_even_within_a_millisecond_of_the_last() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let opened = app.open(&tenant, FAMILY).await;
    app.call(change(&tenant, &opened, PASSWORD, NEW)).await.expect(200);
    let calls = (0..4).map(|n| {
        let call = change(&tenant, &opened, NEW, &format!("{n} green bottles hanging"));
        tokio::spawn(answer(app.router.clone(), call.request()))
    });
    let answers: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| answer.status.as_u16() == 200).count(), 1, "{answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R091_who_is_suspended_while_the_new_password_is_hashed_gets_none() {
    let mut wanted = Wanted::default();
    wanted.passwords.cost = Cost { memory_kib: 65_536, passes: 4, lanes: 1 };
    let app = TestApp::start_with(wanted).await;
    let tenant = app.tenant("acme").await;
    let secret = app.secret(&tenant, FAMILY).await;
    let before = app.passwords_now().await;
    let redeeming = tokio::spawn(answer(app.router.clone(), redeem(&tenant, &secret, NEW).request()));
    app.begun(1).await;
    app.update_user(tenant.person(FAMILY), "status = 'suspended'").await;
    assert_eq!(redeeming.await.unwrap().expect(400).complaints(), ["resetSecret"]);
    assert_eq!(app.passwords_now().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R014_R017_of_many_wrong_changes_and_logins_at_once_five_are_compared() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let opened = app.open(&tenant, FAMILY).await;
    let calls = (0..40).map(|n| {
        let request = if n % 2 == 0 {
            change(&tenant, &opened, "wrong", NEW).request()
        } else {
            let login = tenant.login(FAMILY).header("x-device-proof", &opened.refresh);
            login.set("password", "wrong").request()
        };
        tokio::spawn(answer(app.router.clone(), request))
    });
    let answers: Vec<_> =
        join_all(calls).await.into_iter().map(|answer| answer.unwrap().expect(401)).collect();
    let failed = answers.iter().filter(|answer| message(answer) == "Authentication failed").count();
    let locked = answers.iter().filter(|answer| message(answer) == "Account locked").count();
    assert_eq!((failed, locked), (5, 35));
    assert_eq!(app.failures(tenant.person(FAMILY)).await, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_client_goes_before_its_hash_gives_the_attempt_back() {
    let app = TestApp::start_with(crate::support::login::one_thread()).await;
    let tenant = app.tenant("acme").await;
    let other = tenant.person(Family::Organization);
    app.set_hash(other, &SLOW_HASH).await;
    let opened = app.open(&tenant, FAMILY).await;
    let before = app.app.passwords.evaluations();
    let busy = app.send_apart(&tenant.login(Family::Organization));
    app.begun(before + 1).await;
    let request = change(&tenant, &opened, "wrong", NEW).request();
    let leaving = tokio::spawn(answer(app.router.clone(), request));
    crate::support::login::until("the attempt is reserved", async || app.number_of("attempts").await == 2)
        .await;
    leaving.abort();
    crate::support::login::until("it is given back", async || app.number_of("attempts").await < 2).await;
    busy.await.unwrap().expect(200);
    assert_eq!(app.failures(tenant.person(FAMILY)).await, 0);
}
