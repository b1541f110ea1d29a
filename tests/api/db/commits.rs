//! When a change is durable: before its answer, with others, or with the next that must be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use vestibule::db::{Change, Database, DbError, Statement};

use super::number;
use crate::support::{self, TestDatabase, login::until};

async fn marks() -> TestDatabase {
    let database = support::database().await;
    database.execute_script("create table marks (id text primary key) /*table*/;").await.unwrap();
    database
}

fn mark(id: &str) -> Statement {
    Statement::new("insert into marks (id) values ($1) on conflict do nothing returning id").bind(id)
}

/// Refused where the mark is not there.
fn take(id: &str) -> Statement {
    Statement::new("delete from marks where id = $1 returning id").bind(id).must_change("mark")
}

async fn count(database: &Database) -> i64 {
    number(database, Statement::new("select count(*) as n from marks")).await
}

#[tokio::test]
async fn an_asynchronous_change_is_seen_by_every_change_after_it_and_soon_by_every_read() {
    let database = marks().await;
    for index in 0..50 {
        let id = format!("mark {index}");
        let applied = database.apply(Change::from(mark(&id)).asynchronous()).await.unwrap();
        assert_eq!(applied.rows(0).len(), 1, "it answers its rows");
        assert!(database.apply(mark(&id)).await.unwrap().rows(0).is_empty(), "it is there");
        assert_eq!(count(&database).await, index + 1, "and durable with what came after it");
    }
    database.apply(Change::from(mark("alone")).asynchronous()).await.unwrap();
    until("it is read", async || count(&database).await == 51).await;
    let refused = database.apply(Change::from(take("nothing")).asynchronous()).await;
    assert!(matches!(refused, Err(DbError::Refused("mark"))), "{refused:?}");
}

#[tokio::test]
async fn only_the_transaction_of_an_asynchronous_change_does_not_wait_for_the_disk() {
    let database = marks().await;
    if database.is_sqlite() {
        return;
    }
    let setting = || Statement::new("select current_setting('synchronous_commit') as setting");
    for (asynchronous, wanted) in [(false, "on"), (true, "off"), (false, "on")] {
        let change = Change::new().with(mark("a")).with(setting());
        let change = if asynchronous { change.asynchronous() } else { change };
        let applied = database.apply(change).await.unwrap();
        assert_eq!(applied.rows(1)[0].text("setting").unwrap(), wanted);
    }
    let alone = database.apply(Change::from(setting()).asynchronous()).await.unwrap();
    assert_eq!(alone.rows(0)[0].text("setting").unwrap(), "off");
}

static COMMITS: AtomicUsize = AtomicUsize::new(0);

fn count_commits(text: &str) {
    if text == "commit" {
        COMMITS.fetch_add(1, Ordering::SeqCst);
    }
}

/// A database on SQLite whose commits are counted, by this test alone.
async fn counted() -> (TestDatabase, Database) {
    let database = support::sqlite().await;
    database.execute_script("create table marks (id text primary key) /*table*/;").await.unwrap();
    let mut options = database.options.clone();
    options.before = count_commits;
    let counting = Database::open(&options).await.unwrap();
    (database, counting)
}

#[tokio::test]
async fn changes_share_a_commit_as_long_as_all_in_it_have_patience() {
    let (_kept, database) = counted().await;
    let commits = || COMMITS.swap(0, Ordering::SeqCst);
    let long = Duration::from_millis(400);

    // An asynchronous one is committed with what needs it.
    database.apply(Change::from(mark("a")).asynchronous()).await.unwrap();
    assert_eq!(commits(), 0, "it is answered first");
    database.apply(take("a")).await.unwrap();
    assert_eq!(commits(), 1);

    // Alone it does not wait for ever.
    database.apply(Change::from(mark("b")).asynchronous()).await.unwrap();
    until("it is committed", async || COMMITS.load(Ordering::SeqCst) == 1).await;
    commits();

    // Patient ones wait for one that is not.
    let began = Instant::now();
    let database = Arc::new(database);
    let patient = (0..5).map(|index| {
        let database = Arc::clone(&database);
        tokio::spawn(async move {
            database.apply(Change::from(mark(&format!("patient {index}"))).patient(long)).await.unwrap()
        })
    });
    let patient: Vec<_> = patient.collect();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(commits(), 0, "they wait");
    database.apply(mark("impatient")).await.unwrap();
    join_all(patient).await.into_iter().for_each(|one| drop(one.unwrap()));
    assert_eq!(commits(), 1, "all of them are in one");
    assert!(began.elapsed() < long, "and wait no longer");

    // No patience holds a batch open for longer than a batch may take.
    let began = Instant::now();
    database.apply(Change::from(mark("last")).patient(Duration::from_mins(1))).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(count(&database).await, 8);
}

#[tokio::test]
async fn R156_what_needs_an_asynchronous_change_is_refused_where_that_was_undone() {
    let database = support::sqlite().await;
    let script =
        "create table marks (id text primary key) /*table*/; create table blobs (data bytea) /*table*/;";
    database.execute_script(script).await.unwrap();
    let pages = number(&database, Statement::new("select page_count as n from pragma_page_count()")).await;
    database.execute_script(&format!("pragma max_page_count = {}", pages + 10)).await.unwrap();
    database.apply(Change::from(mark("a")).asynchronous()).await.unwrap();
    let blob = Statement::new("insert into blobs (data) values ($1)").bind(vec![7; 1_000_000]);
    let full = database.apply(blob).await;
    assert!(matches!(full, Err(DbError::Unavailable(_))), "{full:?}");
    // The disk is full for all of the transaction, or for the one statement.
    let is_there = count(&database).await == 1;
    let taken = database.apply(take("a")).await;
    assert_eq!(taken.is_ok(), is_there, "{taken:?}");
    assert!(is_there || matches!(taken, Err(DbError::Refused("mark"))), "{taken:?}");
}
