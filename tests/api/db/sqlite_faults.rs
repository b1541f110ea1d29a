//! SQLite in need: a full disk, another process, a log that grows. Always on SQLite.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use vestibule::db::{Change, Database, DbError, Statement};

use super::number;
use crate::support::{self, TestDatabase};

async fn blobs() -> TestDatabase {
    let database = support::sqlite().await;
    let script = "create table blobs (id text primary key, data bytea not null) /*table*/;";
    database.execute_script(script).await.unwrap();
    database
}

fn blob(id: impl Into<String>, size: usize) -> Statement {
    Statement::new("insert into blobs (id, data) values ($1, $2)").bind(id.into()).bind(vec![7; size])
}

async fn count(database: &Database) -> i64 {
    number(database, Statement::new("select count(*) as n from blobs")).await
}

/// The write lock of the file, as another process would hold it.
fn lock(database: &TestDatabase) -> rusqlite::Connection {
    let other = rusqlite::Connection::open(database.file()).unwrap();
    other.execute_batch("begin immediate").unwrap();
    other
}

/// Hands over `changes` while the lock is held, so that they wait together and make one batch.
async fn in_one_batch(database: &TestDatabase, changes: Vec<Change>) -> Vec<Result<(), DbError>> {
    let other = lock(database);
    let mut waiting = Vec::new();
    for change in changes {
        let handle = (**database).clone();
        waiting.push(tokio::spawn(async move { handle.apply(change).await.map(drop) }));
        // The task runs until it waits, which puts its change into the queue.
        tokio::task::yield_now().await;
    }
    other.execute_batch("rollback").unwrap();
    join_all(waiting).await.into_iter().map(|result| result.unwrap()).collect()
}

#[tokio::test]
async fn R156_a_full_disk_in_the_middle_of_a_batch_acknowledges_nothing_of_it() {
    let database = blobs().await;
    let pages = number(&database, Statement::new("select page_count as n from pragma_page_count()")).await;
    database.execute_script(&format!("pragma max_page_count = {}", pages + 10)).await.unwrap();
    let small = |index| Change::from(blob(format!("small {index}"), 10));
    let mut changes: Vec<_> = (0..5).map(small).collect();
    changes.push(Change::from(blob("does not fit", 100_000)));
    changes.extend((5..10).map(small));
    let results = in_one_batch(&database, changes).await;

    // SQLite may undo the statement alone, or everything: those it undid are not acknowledged.
    let acknowledged = results.iter().filter(|result| result.is_ok()).count();
    assert!(matches!(results[5], Err(DbError::Unavailable(_))), "{results:?}");
    assert!(results[..5].iter().all(|result| matches!(result, Err(DbError::Unavailable(_)))), "{results:?}");
    assert_eq!(count(&database).await, i64::try_from(acknowledged).unwrap());

    database.execute_script("pragma max_page_count = 1000000").await.unwrap();
    database.apply(blob("fits now", 100_000)).await.unwrap();
    assert_eq!(count(&database).await, i64::try_from(acknowledged).unwrap() + 1);
}

#[tokio::test]
async fn changes_that_wait_together_are_committed_together() {
    let database = blobs().await;
    let commits = || number(&database, Statement::new("select data_version as n from pragma_data_version()"));
    let changes = (0..100).map(|index| Change::from(blob(format!("{index}"), 10))).collect();
    assert!(in_one_batch(&database, changes).await.iter().all(Result::is_ok));
    assert_eq!(count(&database).await, 100);
    assert!(commits().await > 0);
}

#[tokio::test]
async fn another_process_that_writes_is_waited_for_and_not_for_ever() {
    let database = blobs().await;
    let mut options = database.options.clone();
    options.wait_within = Duration::from_millis(300);
    let hasty = Database::open(&options).await.unwrap();
    let other = lock(&database);
    let asked = Instant::now();
    let results = join_all((0..20).map(|index| hasty.apply(blob(format!("{index}"), 1)))).await;
    assert!(results.iter().all(|result| matches!(result, Err(DbError::Unavailable(_)))), "{results:?}");
    assert!(asked.elapsed() < Duration::from_secs(2), "they waited for each other: {:?}", asked.elapsed());
    // Readers do not wait for writers.
    assert_eq!(count(&hasty).await, 0);
    other.execute_batch("commit").unwrap();
    hasty.apply(blob("a", 1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_may_write_to_one_file() {
    let database = blobs().await;
    let other = database.open_again().await;
    let write = |handle: Database, name: &'static str| async move {
        for index in 0..100 {
            handle.apply(blob(format!("{name} {index}"), 10)).await.unwrap();
        }
    };
    let mine = tokio::spawn(write((*database).clone(), "mine"));
    let theirs = tokio::spawn(write(other, "theirs"));
    mine.await.unwrap();
    theirs.await.unwrap();
    assert_eq!(count(&database).await, 200);
}

#[tokio::test]
async fn the_files_are_for_their_owner_only() {
    let database = blobs().await;
    database.apply(blob("a", 1)).await.unwrap();
    for ending in ["", "-wal", "-shm"] {
        let mut file = database.file().into_os_string();
        file.push(ending);
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_stays_bounded_under_load() {
    let database = blobs().await;
    let mut longest = 0;
    for round in 0..50 {
        let blobs = (0..8).map(|index| database.apply(blob(format!("{round} {index}"), 256 * 1024)));
        assert!(join_all(blobs).await.iter().all(Result::is_ok));
        let log = database.file().with_extension("db-wal");
        longest = longest.max(std::fs::metadata(log).unwrap().len());
    }
    assert!(longest < 70 << 20, "100 MiB were written, and the log grew to {longest} bytes");
}

#[tokio::test]
async fn a_change_of_too_many_rows_is_undone() {
    let database = blobs().await;
    let mut options = database.options.clone();
    options.rows_per_change = 50;
    let small = Database::open(&options).await.unwrap();
    let many = "insert into blobs (id, data) with recursive c (n) as (select 1 union all select n + 1 from c \
                where n < $1) select 'row ' || n, x'00' from c";
    let error = small.apply(Statement::new(many).bind(51)).await.unwrap_err();
    assert!(error.to_string().contains("more than 50 rows"), "{error}");
    assert_eq!(count(&database).await, 0);
    small.apply(Statement::new(many).bind(50)).await.unwrap();
    assert_eq!(count(&database).await, 50);
}

#[tokio::test]
async fn more_changes_than_the_queue_holds_are_refused_at_once() {
    let database = blobs().await;
    let mut options = database.options.clone();
    options.queue = 10;
    let narrow = Database::open(&options).await.unwrap();
    let other = lock(&database);
    let mut waiting = Vec::new();
    for index in 0..30 {
        let handle = narrow.clone();
        waiting.push(tokio::spawn(async move { handle.apply(blob(format!("{index}"), 1)).await.map(drop) }));
        tokio::task::yield_now().await;
    }
    other.execute_batch("rollback").unwrap();
    let results: Vec<_> = join_all(waiting).await.into_iter().map(|result| result.unwrap()).collect();
    let refused = results.iter().filter(|result| matches!(result, Err(DbError::Unavailable(_)))).count();
    assert!((19..=20).contains(&refused), "{results:?}");
    assert_eq!(count(&database).await, i64::try_from(30 - refused).unwrap());
}

#[tokio::test]
async fn a_list_that_takes_too_long_is_interrupted() {
    let database = blobs().await;
    let mut options = database.options.clone();
    options.list_within = Duration::from_millis(100);
    options.list_connections = 1;
    let hasty = Database::open(&options).await.unwrap();
    let endless =
        "with recursive c (n) as (select 1 union all select n + 1 from c) select count(*) as n from c";
    for _ in 0..3 {
        let error = hasty.list(Statement::new(endless)).await.unwrap_err();
        assert!(matches!(error, DbError::Unavailable(_)), "{error:?}");
    }
    // The connection and its thread are free again.
    assert_eq!(count(&hasty).await, 0);
}

#[tokio::test]
async fn a_file_that_is_no_database_and_a_url_that_is_none_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("text");
    std::fs::write(&file, "this is not a database, but it is long enough to be looked at".repeat(20))
        .unwrap();
    for (url, words) in [
        (format!("sqlite:{}", file.display()), "not a database"),
        (format!("sqlite:{}/no/such/place", directory.path().display()), "cannot create"),
        ("sqlite:".to_owned(), "names no file"),
        ("mysql://root@localhost/x".to_owned(), "must begin with sqlite: or postgres://"),
    ] {
        let error = Database::open(&support::patient(&url)).await.unwrap_err().to_string();
        assert!(error.contains(words), "{url}: {error}");
    }
}
