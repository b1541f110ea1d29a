//! What a login has made durable, and when: its reservation with its conclusion, its conclusion with those of others.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use futures_util::future::join_all;
use vestibule::db::Database;
use vestibule::secrets::MasterKeys;
use vestibule::server::public_router;
use vestibule::tenants::Family;

use crate::support::app::{TestApp, TestTenant, Wanted};
use crate::support::login::{SLOW_HASH, answer, beside, until};

const INDIVIDUAL: Family = Family::Individual;

/// As long as a conclusion may wait for others.
const SHARED_WITHIN: Duration = Duration::from_millis(10);

/// The first statement of a success.
const CONCLUSION: &str = "update users set last_login_at";

/// What the writer did, and when.
static DONE: Mutex<Vec<(&str, Instant)>> = Mutex::new(Vec::new());

fn note(text: &str) {
    let what = ["commit", CONCLUSION].into_iter().find(|what| text.starts_with(what));
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    done.extend(what.map(|what| (what, Instant::now())));
}

/// What was done since the last time.
fn done() -> Vec<(&'static str, Instant)> {
    std::mem::take(&mut DONE.lock().unwrap_or_else(PoisonError::into_inner))
}

/// How many commits there were.
fn commits(done: &[(&str, Instant)]) -> usize {
    done.iter().filter(|(what, _)| *what == "commit").count()
}

/// From the first conclusion to the commit that it is in.
fn waited(done: &[(&str, Instant)]) -> Duration {
    let mut from_conclusion = done.iter().skip_while(|(what, _)| *what != CONCLUSION);
    let (_, concluded) = from_conclusion.next().expect("a conclusion");
    let (_, committed) = from_conclusion.find(|(what, _)| *what == "commit").expect("its commit");
    committed.duration_since(*concluded)
}

/// An instance whose writer is watched; `None` on PostgreSQL, whose commits are its own.
async fn watched() -> Option<(TestApp, TestTenant, Router)> {
    let key = MasterKeys::generate().to_string();
    let app = TestApp::start_with(Wanted { master_key: Some(key.clone()), ..Wanted::default() }).await;
    let tenant = app.tenant("acme").await;
    let mut options = app.database.options.clone();
    options.before = note;
    let is_sqlite = app.database.is_sqlite();
    let router = public_router(&beside(&app, &key, Database::open(&options).await.unwrap()));
    is_sqlite.then_some((app, tenant, router))
}

#[tokio::test]
async fn a_login_has_one_commit_alone_waits_for_nobody_and_waits_for_others_while_hashes_wait() {
    let Some((app, tenant, router)) = watched().await else { return };
    let login = tenant.login(INDIVIDUAL);
    let mut alone = Vec::new();
    for _ in 0..20 {
        done();
        answer(router.clone(), login.request()).await.expect(200);
        alone.push(done());
    }
    // Now and then the machine is too slow for it.
    let fewest = alone.iter().map(|one| commits(one)).min();
    assert_eq!(fewest, Some(1), "each reservation had a commit of its own");
    let shortest = alone.iter().map(|one| waited(one)).min().unwrap();
    assert!(shortest < SHARED_WITHIN, "alone it waited for {shortest:?}");

    // Two threads, and more logins: when the first of them are hashed, others wait.
    app.set_hash(tenant.person(INDIVIDUAL), &SLOW_HASH).await;
    done();
    let logins = (0..5).map(|_| tokio::spawn(answer(router.clone(), login.request())));
    for answer in join_all(logins.collect::<Vec<_>>()).await {
        answer.unwrap().expect(200);
    }
    let waited = waited(&done());
    assert!(waited >= SHARED_WITHIN, "it waited for {waited:?} only");
}

#[tokio::test]
async fn R017_a_wrong_password_whose_reservation_is_gone_is_503_like_a_right_one() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let person = tenant.person(INDIVIDUAL);
    app.set_hash(person, &SLOW_HASH).await;
    let wrong = app.send_apart(&tenant.login(INDIVIDUAL).set("password", "wrong"));
    app.begun(1).await;
    until("it is reserved", async || app.number_of("attempts").await == 1).await;
    app.script("delete from attempts").await;
    let answer = wrong.await.unwrap().expect(503);
    assert_eq!(answer.error_type(), "UNAVAILABLE", "{}", answer.text);
    assert_eq!(app.failures(person).await, 0, "nothing was learned, and nothing is counted");
    assert_eq!(app.event_names(&tenant).await, [""; 0]);
}
