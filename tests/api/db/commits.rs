//! When a change is durable: before its answer, with others, or with the next that must be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

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

#[tokio::test]
async fn on_postgres_a_change_waits_behind_no_asynchronous_ones() {
    let database = Arc::new(marks().await);
    if database.is_sqlite() {
        return; // there all changes wait for the one writer
    }
    // Held by the connection, until that is closed.
    let holder = database.open_again().await;
    holder.apply(Statement::new("select pg_advisory_lock(7) is null as held")).await.unwrap();
    let asynchronous =
        || Change::from(Statement::new("select pg_advisory_xact_lock(7) is null as begun")).asynchronous();
    // As many as there are connections for all changes of several statements together.
    let under_way = (0..8).map(|_| {
        let (database, change) = (Arc::clone(&database), asynchronous());
        tokio::spawn(async move { database.apply(change).await })
    });
    let under_way: Vec<_> = under_way.collect();
    until("some of them wait for the lock", async || {
        let waiting = "select count(*) as n from pg_locks where locktype = 'advisory' and not granted \
                       and database = (select oid from pg_database where datname = current_database())";
        number(&database, Statement::new(waiting)).await == 4
    })
    .await;
    database.apply(Change::new().with(mark("a")).with(take("a"))).await.unwrap();
    assert!(under_way.iter().all(|one| !one.is_finished()), "it is through before them");
    holder.close().await;
    assert!(join_all(under_way).await.into_iter().all(|one| one.unwrap().is_ok()));
}

static COMMITS: AtomicUsize = AtomicUsize::new(0);

fn count_commits(text: &str) {
    if text == "commit" {
        COMMITS.fetch_add(1, Ordering::SeqCst);
    }
}

/// Another handle on a new database on SQLite, whose batches end by the patience of what is in them and by nothing else.
async fn with_hook(before: fn(&str)) -> (TestDatabase, Arc<Database>) {
    let database = support::sqlite().await;
    database.execute_script("create table marks (id text primary key) /*table*/;").await.unwrap();
    let mut options = database.options.clone();
    options.before = before;
    options.batch_within = LONG;
    let hooked = Arc::new(Database::open(&options).await.unwrap());
    (database, hooked)
}

/// Longer than any test may take.
const LONG: Duration = Duration::from_mins(10);

#[tokio::test]
async fn changes_share_a_commit_as_long_as_all_in_it_have_patience() {
    let (_kept, database) = with_hook(count_commits).await;
    let commits = || COMMITS.swap(0, Ordering::SeqCst);

    // An asynchronous one is committed with what needs it; now and then the machine is too slow for that.
    let mut shared = 0;
    for index in 0..20 {
        let id = format!("{index}");
        database.apply(Change::from(mark(&id)).asynchronous()).await.unwrap();
        database.apply(take(&id)).await.unwrap();
        shared += usize::from(commits() == 1);
    }
    assert!(shared > 0, "each had a commit of its own");

    // Alone it does not wait for ever.
    database.apply(Change::from(mark("alone")).asynchronous()).await.unwrap();
    until("it is committed", async || COMMITS.load(Ordering::SeqCst) == 1).await;
    commits();

    // Patient ones wait for one that is not, which waits for nobody.
    let patient = (0..5).map(|index| {
        let database = Arc::clone(&database);
        let change = Change::from(mark(&format!("patient {index}"))).patient(LONG);
        tokio::spawn(async move { database.apply(change).await.unwrap() })
    });
    let patient: Vec<_> = patient.collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(commits(), 0, "they wait");
    assert!(patient.iter().all(|one| !one.is_finished()));
    database.apply(mark("impatient")).await.unwrap();
    join_all(patient).await.into_iter().for_each(|one| drop(one.unwrap()));
    assert_eq!(commits(), 1, "all of them are in one");

    // One that nobody joins waits no longer than it said.
    let last = {
        let database = Arc::clone(&database);
        tokio::spawn(async move {
            database.apply(Change::from(mark("last")).patient(Duration::from_millis(300))).await
        })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(commits(), 0);
    last.await.unwrap().unwrap();
    assert_eq!((commits(), count(&database).await), (1, 8));
}

static COMMITS_FAIL: AtomicBool = AtomicBool::new(false);

fn fail_commits(text: &str) {
    assert!(text != "commit" || !COMMITS_FAIL.load(Ordering::SeqCst), "the commit is made to fail");
}

#[tokio::test]
async fn R156_what_needs_an_asynchronous_change_is_refused_where_that_was_undone() {
    let (_kept, database) = with_hook(fail_commits).await;
    COMMITS_FAIL.store(true, Ordering::SeqCst);
    database.apply(Change::from(mark("a")).asynchronous()).await.unwrap();
    // It shares the transaction, or comes after it has failed.
    let beside = database.apply(mark("b")).await;
    assert!(matches!(beside, Err(DbError::UnknownOutcome(_))), "{beside:?}");
    COMMITS_FAIL.store(false, Ordering::SeqCst);
    assert_eq!(count(&database).await, 0, "nothing of it is left");
    let taken = database.apply(take("a")).await;
    assert!(matches!(taken, Err(DbError::Refused("mark"))), "{taken:?}");
    database.apply(mark("c")).await.unwrap();
    assert_eq!(count(&database).await, 1, "and the writer goes on");
}
