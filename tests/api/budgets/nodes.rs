//! Locks of real server processes: counted together, and there after a kill.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Barrier;
use vestibule::db::{Database, Statement};
use vestibule::secrets::MasterKeys;
use vestibule::server::public_router;
use vestibule::tenants::Family;

use super::{INDIVIDUAL, is_locked, start, stranger};
use crate::commands::init::Installation;
use crate::support::app::{NIL, TestApp, Wanted, prefix};
use crate::support::holding::hold_table;
use crate::support::login::{beside, until};
use crate::support::on_postgres;
use crate::support::program::Server;

/// One process on a file of `SQLite`'s, two on PostgreSQL.
fn nodes(made: &Installation) -> Vec<Server> {
    (0..if on_postgres() { 2 } else { 1 }).map(|_| made.folder.serve(&[])).collect()
}

/// Sends the administrator's login from some device, and what came back of it.
async fn login(http: reqwest::Client, base: String, body: Value) -> (u16, String) {
    let url = format!("{base}{}/users/{NIL}/sessions", prefix(Family::Admin, NIL));
    let request = http.post(url).header("x-tenant-id", "acme").header("deviceid", "notebook").json(&body);
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    (status, body["message"].as_str().unwrap().to_owned())
}

/// The same, again and again while it cannot be hashed in time.
async fn in_time(http: &reqwest::Client, server: &Server, body: &Value) -> (u16, String) {
    loop {
        let answer = login(http.clone(), server.public.clone(), body.clone()).await;
        if answer.0 != 503 {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().timeout(Duration::from_mins(1)).build().unwrap()
}

async fn reasons(made: &Installation) -> Vec<String> {
    let database = made.database.open_again().await;
    let sql = "select reason from events where name = 'authn_login_fail'";
    let rows = database.list(Statement::new(sql)).await.unwrap();
    let reasons = rows.iter().map(|row| row.text("reason").unwrap()).collect();
    database.close().await;
    reasons
}

#[tokio::test(flavor = "multi_thread")]
async fn R017_R027_of_two_hundred_attempts_on_all_nodes_five_are_compared_and_a_kill_forgets_nothing() {
    let made = Installation::new().await;
    let mut servers = nodes(&made);
    let right = made.login();
    let mut wrong = right.clone();
    wrong["password"] = "wrong".into();
    let (http, barrier) = (http(), Arc::new(Barrier::new(200)));
    let calls: Vec<_> = (0..200)
        .map(|index| {
            let (http, base) = (http.clone(), servers[index % servers.len()].public.clone());
            let (barrier, wrong) = (Arc::clone(&barrier), wrong.clone());
            tokio::spawn(async move {
                barrier.wait().await;
                login(http, base, wrong).await
            })
        })
        .collect();
    let mut refused = 0;
    for call in calls {
        let (status, message) = call.await.unwrap();
        // What cannot be hashed in time is asked to come again; nothing was compared then.
        assert!(status == 503 || status == 401, "{status} {message}");
        refused += usize::from(message == "Account locked");
    }
    let told = reasons(&made).await;
    let compared = told.iter().filter(|reason| *reason == "wrong_password").count();
    assert!((1..=5).contains(&compared), "{compared} were compared with the stored hash");
    let mut left = 5 - compared;
    while left > 0 {
        // The burst was too much for these two cores: the rest of the five, one by one.
        let (status, message) = in_time(&http, &servers[0], &wrong).await;
        assert_eq!((status, &*message), (401, "Authentication failed"));
        left -= 1;
    }
    assert!(refused > 0 || compared < 5, "some came after the fifth");
    for server in &servers {
        let (status, message) = in_time(&http, server, &right).await;
        assert_eq!((status, &*message), (401, "Account locked"), "the right password, after the fifth");
    }
    servers.iter_mut().for_each(Server::kill);
    for server in nodes(&made) {
        let (status, message) = in_time(&http, &server, &right).await;
        assert_eq!((status, &*message), (401, "Account locked"), "after kill -9 and a new start");
    }
    let told = reasons(&made).await;
    assert_eq!(told.iter().filter(|reason| *reason == "wrong_password").count(), 5);
}

#[tokio::test]
async fn R017_a_right_password_in_a_burst_after_the_fifth_slot_is_refused() {
    let (app, tenant) = start().await;
    for id in ["one", "two", "three", "four", "five"] {
        app.attempt_in_flight(&tenant, tenant.person(INDIVIDUAL), id, 0).await;
    }
    let waiting: Vec<_> = (0..10).map(|_| app.send_apart(&stranger(&tenant))).collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!((app.app.passwords.evaluations(), app.number_of("attempts").await), (0, 5), "they wait");
    // The five have failed.
    app.clock.advance(61_000);
    for answer in waiting {
        assert!(is_locked(&answer.await.unwrap()));
    }
    assert_eq!(app.number_of("sessions").await, 0);
}

#[tokio::test]
async fn R029_while_the_throttles_cannot_be_written_nobody_gets_in_whatever_they_prove() {
    let key = MasterKeys::generate().to_string();
    let wanted = Wanted { master_key: Some(key.clone()), ..Wanted::default() };
    let app = TestApp::start_with(wanted).await;
    let tenant = app.tenant("acme").await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    let mut options = app.database.options.clone();
    options.wait_within = Duration::from_millis(200);
    options.write_within = Duration::from_millis(200);
    let hasty = beside(&app, &key, Database::open(&options).await.unwrap());
    let router = public_router(&hasty);
    let release = hold_table(&app, "throttles").await;
    let call = tenant.login(INDIVIDUAL);
    let proven = super::proven(call.clone(), &opened.refresh);
    for call in [call.clone(), super::wrong(&call), call.clone().named("nobody@x.test"), proven] {
        let answer = app.send_to(&router, call.request()).await.expect(503);
        assert!(answer.headers.contains_key("retry-after"));
    }
    assert_eq!(hasty.passwords.evaluations(), 0, "nothing was compared");
    assert_eq!(app.number_of("sessions").await, 1);
    release();
    until("the throttles are back", async || app.send(call.request()).await.status == 200).await;
}
