//! The count by source holds however many come at once and to however many servers; honest people all get in.

use futures_util::future::join_all;
use vestibule::secrets::MasterKeys;
use vestibule::server::public_router;
use vestibule::tenants::Settings;

use super::{INDIVIDUAL, fail_from, from, limiting, one, stranger, told};
use crate::support::app::{Answer, TestApp, Wanted};
use crate::support::login::{answer, beside};

const HERE: &str = "203.0.113.9";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R021_R027_of_sixty_failures_at_once_on_two_servers_ten_are_hashed() {
    let key = MasterKeys::generate().to_string();
    let app = TestApp::start_with(Wanted { master_key: Some(key.clone()), ..limiting() }).await;
    let there = beside(&app, &key, app.database.open_again().await);
    let routers = [app.router.clone(), public_router(&there)];
    let tenant = app.tenant("acme").await;
    let logins = (0..60).map(|number| {
        let request = from(HERE, stranger(&tenant, number).request());
        tokio::spawn(answer(routers[number % 2].clone(), request))
    });
    let answers: Vec<Answer> = join_all(logins).await.into_iter().map(Result::unwrap).collect();
    let with = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((with(401), with(429)), (10, 50));
    let hashes = app.app.passwords.evaluations() + there.passwords.evaluations();
    assert_eq!(hashes, 10, "one for each failure, and none for a 429");
    assert_eq!(app.number_of("source_attempts").await, 10);
    // Those that were refused are no failures of the names that they were for.
    assert_eq!(app.number_of("attempts").await, 0);
    assert_eq!(app.number_of("throttles where failures > 0").await, 10);
    let late = answer(public_router(&there), from(HERE, tenant.login(INDIVIDUAL).request())).await;
    told(&late, "login-minute");
    assert!(app.app.source_gates.is_empty() && there.source_gates.is_empty(), "nobody is left waiting");
    assert!(app.app.early_gates.is_empty() && there.early_gates.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R021_of_sixty_failures_at_once_on_two_servers_no_more_are_hashed_than_an_hour_may_have() {
    let key = MasterKeys::generate().to_string();
    let app = TestApp::start_with(Wanted { master_key: Some(key.clone()), ..limiting() }).await;
    let there = beside(&app, &key, app.database.open_again().await);
    let routers = [app.router.clone(), public_router(&there)];
    let settings = Settings {
        source_failures_per_minute: 100,
        source_failures_per_hour: 12,
        spray_pairs: 0,
        ..Settings::default()
    };
    let tenant = app.tenant_with("acme", settings).await;
    let logins = (0..60).map(|number| {
        let request = from(HERE, stranger(&tenant, number).request());
        tokio::spawn(answer(routers[number % 2].clone(), request))
    });
    let answers: Vec<Answer> = join_all(logins).await.into_iter().map(Result::unwrap).collect();
    let with = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((with(401), with(429)), (12, 48));
    assert_eq!(app.app.passwords.evaluations() + there.passwords.evaluations(), 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R021_fifty_honest_logins_at_once_from_one_address_all_get_in() {
    let (app, tenant) = one().await;
    // There is room for three failures.
    fail_from(&app, &tenant, HERE, 0..7).await;
    let mut people = Vec::new();
    for number in 0..50 {
        people.push(app.add_person(&tenant, INDIVIDUAL, &format!("person-{number}@x.test")).await);
    }
    let logins = people.iter().map(|person| {
        let request = from(HERE, tenant.login(INDIVIDUAL).named(&person.email).request());
        tokio::spawn(answer(app.router.clone(), request))
    });
    for login in join_all(logins).await {
        login.unwrap().expect(200);
    }
    assert_eq!(app.number_of("source_attempts").await, 7);
}
