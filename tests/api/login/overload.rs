//! More logins than can be hashed in time.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use futures_util::future::join_all;
use secrecy::SecretString;
use vestibule::passwords::{Cost, hash_blocking};
use vestibule::tenants::Family;

use crate::support::app::{Answer, LoginCall, PASSWORD, TestApp, TestTenant, Wanted};
use crate::support::login::one_thread;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R037_what_cannot_be_hashed_in_time_is_503_and_leaves_nothing_reserved() {
    let mut wanted = one_thread();
    wanted.passwords.cost = Cost { memory_kib: 8_192, passes: 6, lanes: 1 };
    wanted.passwords.deadline = Duration::from_millis(700);
    // Stored at the configured cost, so that no login leaves another hash to do (R035).
    let hash = hash_blocking(&wanted.passwords, &SecretString::from(PASSWORD)).unwrap();
    let app = TestApp::start_with(wanted).await;
    let tenant = app.tenant("acme").await;
    for person in &tenant.people {
        app.set_hash(person, &hash).await;
    }
    let calls = (0..120).map(|number| {
        let call = tenant.login(Family::ALL[number % 3]);
        // Some of nobody, each of a name of its own, so that no lock is in the way.
        if number % 2 == 0 { call } else { call.named(&format!("nobody.{number}@x.test")) }
    });
    let logins: Vec<_> = calls.map(|call| app.send_apart(&call)).collect();
    let health = app.send(Request::get("/healthz").body(Body::empty()).unwrap()).await;
    assert_eq!(health.status, 200, "health is answered meanwhile");
    let (mut opened, mut failed, mut refused) = (0, 0, 0);
    for answer in join_all(logins).await {
        let answer = answer.unwrap();
        match answer.status.as_u16() {
            200 => opened += 1,
            401 => failed += 1,
            503 => {
                assert_eq!(answer.error_type(), "OVERLOADED", "{}", answer.text);
                let seconds: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
                assert!((1..=60).contains(&seconds));
                refused += 1;
            }
            other => panic!("{other}: {}", answer.text),
        }
    }
    assert!(refused > 0 && opened + failed > 0, "{opened} opened, {failed} failed, {refused} refused");
    assert_eq!(app.number_of("attempts").await, 0, "nothing stays reserved");
    assert_eq!(app.number_of("sessions").await, opened);
    assert_eq!(app.number_of("events where name = 'authn_login_fail'").await, failed);
    assert_eq!(i64::try_from(app.app.passwords.evaluations()).unwrap(), opened + failed);
    for family in Family::ALL {
        assert_eq!(app.failures(tenant.person(family)).await, 0, "a refusal is no failure");
    }
}

/// All places in the hash queue that a tenant may have.
fn fill(app: &TestApp, tenant: &TestTenant) -> Vec<vestibule::passwords::Ticket> {
    let mut places = Vec::new();
    while let Ok(place) = app.app.passwords.ticket(tenant.id.as_str()) {
        places.push(place);
    }
    places
}

/// How often the database was asked for a login that is refused for want of a place.
async fn calls_of_refused(app: &TestApp, login: &LoginCall) -> u64 {
    let before = app.database.work().calls;
    let answer = app.send(login.request()).await;
    assert_eq!((answer.status.as_u16(), answer.error_type()), (503, "OVERLOADED"), "{}", answer.text);
    assert!(answer.headers.contains_key("retry-after"));
    app.database.work().calls - before
}

#[tokio::test]
async fn R037_a_login_that_has_no_place_in_the_queue_is_refused_before_anything_is_read() {
    let app = TestApp::start_with(one_thread()).await;
    let (tenant, other) = (app.tenant("acme").await, app.tenant("other").await);
    let login = tenant.login(Family::Individual);
    let places = fill(&app, &tenant);
    assert!(calls_of_refused(&app, &login).await > 0, "a door that nobody has passed is looked at");
    drop(places);
    assert_eq!(app.send(login.request()).await.status, 200);
    let places = fill(&app, &tenant);
    for login in
        [login.clone(), login.clone().named("nobody"), login.clone().set("password", "wrong password")]
    {
        assert_eq!(calls_of_refused(&app, &login).await, 0, "by whatever name and password");
    }
    assert_eq!(app.failures(tenant.person(Family::Individual)).await, 0, "and nothing is counted");
    assert_eq!(app.send(other.login(Family::Individual).request()).await.status, 200, "no other tenant's");
    // Who may have a hash of another system has another queue, and is looked at.
    app.script("update tenants set failure_floor_ms = 300").await;
    drop(places);
    assert_eq!(app.send(login.request()).await.status, 200);
    let _places = fill(&app, &tenant);
    assert!(calls_of_refused(&app, &login).await > 0);
}

#[tokio::test]
async fn R037_a_login_has_its_place_before_it_reads_so_that_whoever_comes_too_many_reads_nothing() {
    let app = TestApp::start_with(one_thread()).await;
    let tenant = app.tenant("acme").await;
    let login = tenant.login(Family::Individual);
    assert_eq!(app.send(login.request()).await.status, 200);
    let before = app.database.work().calls;
    assert_eq!(app.send(login.request()).await.status, 200);
    let calls_of_one = app.database.work().calls - before;
    let mut places = fill(&app, &tenant);
    places.pop();
    let before = app.database.work().calls;
    let (first, second) = tokio::join!(app.send(login.request()), app.send(login.request()));
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (200, 503));
    assert_eq!(app.database.work().calls - before, calls_of_one);
}

/// Of twelve places that a tenant has left, how many there are while these logins are on their way; and their answers.
async fn left_of_twelve(app: &TestApp, tenant: &TestTenant, logins: usize) -> (usize, Vec<Answer>) {
    let login = tenant.login(Family::Individual);
    let mut places = fill(app, tenant);
    places.truncate(places.len() - 12);
    // All of them have come and none has been answered when the places that are left are counted.
    let many = join_all((0..logins).map(|_| app.send(login.request())));
    let (answers, left) = tokio::join!(many, async { fill(app, tenant).len() });
    (left, answers)
}

#[tokio::test]
async fn R023_before_it_is_let_in_a_source_takes_no_more_than_ten_places_and_none_once_it_was_refused() {
    let app = TestApp::start_with(Wanted { source_limits: true, ..one_thread() }).await;
    if app.database.is_sqlite() {
        return; // there a login reads without being interrupted: no other sees its early place
    }
    let tenant = app.tenant("acme").await;
    let login = tenant.login(Family::Individual);
    assert_eq!(app.send(login.request()).await.status, 200);
    let (left, answers) = left_of_twelve(&app, &tenant, 15).await;
    assert_eq!(left, 2);
    assert!(answers.iter().filter(|answer| answer.status == 200).count() >= 10);
    for number in 0..10 {
        let wrong = login.clone().named(&format!("nobody.{number}@x.test"));
        assert_eq!(app.send(wrong.request()).await.status, 401);
    }
    assert_eq!(app.send(login.request()).await.status, 429);
    let (left, answers) = left_of_twelve(&app, &tenant, 15).await;
    assert_eq!(left, 12);
    assert!(answers.iter().all(|answer| answer.status == 429));
    assert!(app.app.early_gates.is_empty());
}

#[tokio::test]
async fn R045_a_full_queue_tells_nobody_of_a_tenant_who_has_not_passed_its_door() {
    let app = TestApp::start_with(one_thread()).await;
    let tenant = app.tenant("acme").await;
    let login = tenant.login(Family::Individual);
    assert_eq!(app.send(login.request()).await.status, 200);
    let _places = fill(&app, &tenant);
    assert_eq!(calls_of_refused(&app, &login).await, 0, "the queue is full");
    let unknown = app.send(login.clone().header("x-tenant-id", "nobodys").request()).await;
    assert_eq!(unknown.status, 403);
    let strangers = [
        login.clone().set("tenantSecret", "s3Cr3tOfSomebodyElse"),
        login.clone().set("tenantKey", "k3yOfSomebodyElse"),
        login.clone().set("tenantKey", serde_json::Value::Null).set("tenantSecret", serde_json::Value::Null),
        login.clone().set("tenantId", "11111111-2222-4333-8444-555555555556"),
    ];
    for stranger in strangers {
        let answer = app.send(stranger.request()).await;
        assert_eq!(
            (answer.status, answer.error_type()),
            (unknown.status, unknown.error_type()),
            "{}",
            answer.text
        );
    }
    // A browser may read its 503 where the tenant lists its origin.
    app.script("insert into tenant_origins (tenant_id, origin) select id, 'https://shop.test' from tenants")
        .await;
    let browser = login.clone().header("origin", "https://shop.test");
    let answer = app.send(browser.request()).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["access-control-allow-origin"], "https://shop.test");
}
