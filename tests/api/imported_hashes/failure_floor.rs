//! While a tenant has imported hashes, none of its failed logins is answered sooner than another (R004).

use std::time::{Duration, Instant};

use vestibule::clock::Timestamp;
use vestibule::db::Statement;
use vestibule::flows::lower_failure_floors;
use vestibule::tenants::Family;
use vestibule::tenants::store::{clear_failure_floor, raise_failure_floor};

use super::{all_kinds, quick};
use crate::support::app::{LoginCall, TestApp, TestTenant, Wanted};
use crate::support::login::until;

const INDIVIDUAL: Family = Family::Individual;
const FLOOR: Duration = Duration::from_millis(400);
/// A floor that no test outlives.
const HOUR: Duration = Duration::from_hours(1);

async fn raise(app: &TestApp, tenant: &TestTenant, floor: Duration) {
    app.database.apply(raise_failure_floor(&tenant.id, floor, app.clock.now())).await.unwrap();
}

async fn updated_at(app: &TestApp, tenant: &TestTenant) -> Timestamp {
    let sql = "select updated_at from tenants where id = $1";
    let rows = app.database.fetch(Statement::new(sql).bind(&tenant.id)).await.unwrap();
    rows[0].instant("updated_at").unwrap()
}

async fn floor_of(app: &TestApp, tenant: &TestTenant) -> i64 {
    let floors = ["0", "400", "3600000"];
    for floor in floors {
        let at = format!("tenants where id = '{}' and failure_floor_ms = {floor}", tenant.id);
        if app.number_of(&at).await == 1 {
            return floor.parse().unwrap();
        }
    }
    panic!("a floor that no test set");
}

/// Answers within a time that is far below an hour.
async fn soon<T>(answer: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), answer).await.expect("it does not wait for the floor")
}

#[tokio::test]
async fn R004_every_failure_of_a_tenant_with_imported_hashes_waits_for_the_floor() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    raise(&app, &tenant, FLOOR).await;
    let mut calls = vec![
        ("ours", tenant.login(INDIVIDUAL).set("password", "wrong")),
        ("nobody's", tenant.login(INDIVIDUAL).named("nobody@x.test")),
        ("another family's", tenant.login(Family::Organization).named("individual@example.test")),
    ];
    for (number, hash) in all_kinds().into_iter().enumerate() {
        let email = format!("user.{number}@x.test");
        app.add_person_with(&tenant, INDIVIDUAL, &email, &hash).await;
        let call = tenant.login(INDIVIDUAL).named(&email).set("password", "wrong");
        calls.push((hash.scheme_name(), call));
    }
    let timed = async |call: LoginCall| {
        let begun = Instant::now();
        (app.send(call.request()).await, begun.elapsed())
    };
    for (what, call) in &calls {
        let (answer, took) = timed(call.clone()).await;
        answer.expect(401);
        assert!(took >= FLOOR, "{what} took {took:?}");
    }
    // And what is locked: one that was imported, one of ours, one that nobody has.
    for (what, call) in [&calls[0], &calls[1], &calls[3]] {
        for _ in 0..4 {
            app.send(call.request()).await.expect(401);
        }
        let (answer, took) = timed(call.clone()).await;
        assert_eq!(answer.expect(401).json["message"], "Account locked", "{what}");
        assert!(took >= FLOOR, "{what}, locked, took {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R004_what_waits_for_the_floor_was_concluded_before_and_holds_nothing_up() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let person = app.add_person_with(&tenant, INDIVIDUAL, "user@x.test", &quick()).await;
    raise(&app, &tenant, HOUR).await;
    let call = tenant.login(INDIVIDUAL).named("user@x.test");
    let waiting: Vec<_> = (0..4).map(|_| app.send_apart(&call.clone().set("password", "wrong"))).collect();
    until("the failures are counted", async || app.failures(&person).await == 4).await;
    assert_eq!(app.number_of("attempts").await, 0);
    assert_eq!(app.event_names(&tenant).await, ["authn_login_fail"; 4]);
    assert!(waiting.iter().all(|answer| !answer.is_finished()));

    // Neither a success waits nor what is no failure of a user.
    soon(app.send(call.request())).await.expect(200);
    soon(app.send(call.clone().set("tenantSecret", "wrong").request())).await.expect(403);
    soon(app.send(call.clone().set("password", "x".repeat(1025)).request())).await.expect(400);
    assert!(waiting.iter().all(|answer| !answer.is_finished()));
    waiting.iter().for_each(tokio::task::JoinHandle::abort);

    // Another tenant's floor is its own.
    assert_eq!(floor_of(&app, &app.tenant("other").await).await, 0);
}

#[tokio::test]
async fn R004_the_floor_only_rises_and_goes_with_the_last_imported_hash() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let other = app.tenant("other").await;
    let person = app.add_person_with(&tenant, INDIVIDUAL, "user@x.test", &quick()).await;
    for (floor, then) in [(FLOOR, 400), (HOUR, 3_600_000), (FLOOR, 3_600_000)] {
        raise(&app, &tenant, floor).await;
        assert_eq!(floor_of(&app, &tenant).await, then);
    }
    raise(&app, &other, FLOOR).await;
    lower_failure_floors(&app.database).await.unwrap();
    assert_eq!(floor_of(&app, &tenant).await, 3_600_000, "an imported hash is there");
    // Also where it came after the look for tenants without one.
    let seen = updated_at(&app, &tenant).await;
    app.database.apply(clear_failure_floor(&tenant.id, seen)).await.unwrap();
    assert_eq!(floor_of(&app, &tenant).await, 3_600_000);
    assert_eq!(floor_of(&app, &other).await, 0, "none of its own is there");

    app.send(tenant.login(INDIVIDUAL).named("user@x.test").request()).await.expect(200);
    let imported = format!("users where id = '{}' and password_imported", person.id);
    until("the hash is replaced", async || app.number_of(&imported).await == 0).await;
    lower_failure_floors(&app.database).await.unwrap();
    assert_eq!(floor_of(&app, &tenant).await, 0);
    app.fail(&tenant.login(INDIVIDUAL), 1).await;
}

#[tokio::test]
async fn R004_an_import_that_began_meanwhile_keeps_its_floor() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    raise(&app, &tenant, FLOOR).await;
    let find = || vestibule::tenants::store::find(&vestibule::tenants::TenantName::Id(tenant.id.clone()));
    assert_eq!(app.database.fetch(find()).await.unwrap()[0].int("tenant_failure_floor_ms").unwrap(), 400);
    let seen = updated_at(&app, &tenant).await;
    // Its users are not there yet for whoever looks; the clock stands still.
    raise(&app, &tenant, FLOOR).await;
    app.database.apply(clear_failure_floor(&tenant.id, seen)).await.unwrap();
    assert_eq!(floor_of(&app, &tenant).await, 400);
    app.database.apply(clear_failure_floor(&tenant.id, updated_at(&app, &tenant).await)).await.unwrap();
    assert_eq!(floor_of(&app, &tenant).await, 0);
}

#[tokio::test]
async fn R004_a_refusal_for_want_of_room_waits_for_the_floor_too() {
    let mut wanted = Wanted::default();
    wanted.passwords.deadline = Duration::from_millis(60);
    let app = TestApp::start_with(wanted).await;
    let tenant = app.tenant("acme").await;
    raise(&app, &tenant, FLOOR).await;
    for id in ["one", "two", "three", "four", "five"] {
        app.attempt_in_flight(&tenant, tenant.person(INDIVIDUAL), id, 0).await;
    }
    let begun = Instant::now();
    let answer = app.send(tenant.login(INDIVIDUAL).request()).await.expect(503);
    assert_eq!(answer.error_type(), "OVERLOADED");
    assert!(begun.elapsed() >= FLOOR, "{:?}", begun.elapsed());
}
