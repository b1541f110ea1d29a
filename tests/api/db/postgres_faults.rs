//! What is told when PostgreSQL, or the wire to it, fails. Always on PostgreSQL.

use std::time::{Duration, Instant};

use vestibule::db::{Change, Database, DatabaseOptions, DbError, Statement};

use super::number;
use crate::support::cluster::Cluster;
use crate::support::proxy::Proxy;
use crate::support::{self, TestDatabase};

async fn notes(database: &Database) {
    database.execute_script("create table notes (id text not null) /*table*/").await.unwrap();
}

fn note(id: &str) -> Statement {
    Statement::new("insert into notes (id) values ($1) returning id").bind(id).must_change("a note")
}

fn count(id: &str) -> Statement {
    Statement::new("select count(*) as n from notes where id = $1").bind(id)
}

/// A database, and another handle on it whose wire is the proxy's.
async fn proxied(change: impl FnOnce(&mut DatabaseOptions)) -> (TestDatabase, Proxy, Database) {
    let database = support::postgres().await;
    notes(&database).await;
    let mut url = url::Url::parse(&database.url).unwrap();
    let proxy = Proxy::to(url.port().unwrap_or(5432));
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(proxy.port())).unwrap();
    let mut options = support::patient(url.as_str());
    change(&mut options);
    let through = Database::open(&options).await.unwrap();
    (database, proxy, through)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_an_unknown_outcome_and_nothing_is_sent_again() {
    let (database, proxy, through) = proxied(|_| ()).await;
    for (name, change) in [
        ("single", Change::from(note("single"))),
        ("transaction", Change::new().with(note("transaction")).with(count("transaction"))),
    ] {
        // Once in peace, so that everything is prepared and the next request is the change itself.
        through.apply(change.clone()).await.unwrap();
        proxy.lose_answers();
        let error = through.apply(change.clone()).await.unwrap_err();
        proxy.forward();
        assert!(matches!(error, DbError::UnknownOutcome(_)), "{name}: {error:?}");
        // It was sent once more, and not twice: this one happens to have arrived.
        let arrived = Instant::now() + Duration::from_secs(10);
        while number(&database, count(name)).await < 2 && Instant::now() < arrived {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(number(&database, count(name)).await, 2, "{name}");
        through.apply(change).await.unwrap();
        assert_eq!(number(&database, count(name)).await, 3, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_whose_answer_is_lost_is_tried_once_more() {
    let (_database, proxy, through) = proxied(|options| options.read_connections = 1).await;
    through.fetch(count("x")).await.unwrap();
    proxy.lose_answers();
    let error = through.fetch(count("x")).await.unwrap_err();
    assert!(matches!(error, DbError::Unavailable(_)), "{error:?}");
    // One on the connection that was there; the second died while it was connecting.
    assert_eq!(proxy.lost(), 2);
    proxy.forward();
    let recovered = Instant::now() + Duration::from_secs(5);
    while through.fetch(count("x")).await.is_err() {
        assert!(Instant::now() < recovered);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn R160_a_server_that_says_nothing_is_given_up_in_time() {
    let (database, proxy, through) = proxied(|options| {
        let defaults = DatabaseOptions::new("");
        options.read_within = defaults.read_within;
        options.wait_within = defaults.wait_within;
        options.write_within = Duration::from_millis(900);
    })
    .await;
    through.apply(note("before")).await.unwrap();
    through.fetch(count("before")).await.unwrap();
    proxy.stall();
    let asked = Instant::now();
    let (read, write) = tokio::join!(through.fetch(count("before")), through.apply(note("stalled")));
    assert!(asked.elapsed() < Duration::from_millis(1500), "{:?}", asked.elapsed());
    assert!(matches!(read.unwrap_err(), DbError::Unavailable(_)));
    assert!(matches!(write.unwrap_err(), DbError::UnknownOutcome(_)));
    proxy.forward();
    let recovered = Instant::now() + Duration::from_secs(5);
    while through.apply(note("after")).await.is_err() || through.fetch(count("after")).await.is_err() {
        assert!(Instant::now() < recovered);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(number(&database, count("stalled")).await <= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_is_unavailable_at_once_and_recovers_without_us() {
    let cluster = Cluster::start(&[]);
    let database = support::postgres_on(&cluster).await;
    notes(&database).await;
    database.apply(note("a")).await.unwrap();
    database.apply(Change::new().with(note("a")).with(note("a"))).await.unwrap();
    database.fetch(count("a")).await.unwrap();
    cluster.stop();
    for _ in 0..3 {
        let asked = Instant::now();
        let errors = [
            database.apply(note("b")).await.map(drop).unwrap_err(),
            database.apply(Change::new().with(note("b")).with(note("b"))).await.map(drop).unwrap_err(),
            database.fetch(count("b")).await.map(drop).unwrap_err(),
            database.list(count("b")).await.map(drop).unwrap_err(),
            database.ping().await.unwrap_err(),
        ];
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
        assert!(errors.iter().all(|error| matches!(error, DbError::Unavailable(_))), "{errors:?}");
    }
    cluster.resume();
    let recovered = Instant::now() + Duration::from_secs(5);
    while database.apply(note("b")).await.is_err() || database.ping().await.is_err() {
        assert!(Instant::now() < recovered);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(number(&database, count("a")).await, 3);
    assert_eq!(number(&database, count("b")).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_gave_up_on_its_standby_is_not_acknowledged() {
    let cluster = Cluster::start(&[]);
    let database = support::postgres_on(&cluster).await;
    notes(&database).await;
    let pair = |id| Change::new().with(note(id)).with(count(id));
    for change in [Change::from(note("a")), pair("a")] {
        database.apply(change).await.unwrap();
    }
    // No such standby: every commit waits, until somebody cancels it. Then PostgreSQL reports a
    // success, with a warning that it did not wait.
    database.execute_script("alter system set synchronous_standby_names = 'nobody'").await.unwrap();
    database.execute_script("select pg_reload_conf()").await.unwrap();
    let cancel = || {
        Statement::new(
            "select pg_cancel_backend(pid) as cancelled from pg_stat_activity where wait_event = 'SyncRep'",
        )
    };
    let settled = Instant::now() + Duration::from_secs(10);
    let is_waiting = Statement::new("select current_setting('synchronous_standby_names') as names");
    while database.list(is_waiting.clone()).await.unwrap()[0].text("names").unwrap() != "nobody" {
        assert!(Instant::now() < settled);
    }
    for change in [Change::from(note("b")), pair("b")] {
        let begin = || {
            let (handle, change) = ((*database).clone(), change.clone());
            tokio::spawn(async move { handle.apply(change).await })
        };
        let mut waiting = begin();
        while database.list(cancel()).await.unwrap().is_empty() {
            assert!(Instant::now() < settled);
            tokio::time::sleep(Duration::from_millis(5)).await;
            if waiting.is_finished() {
                // The setting is known, but not yet to the process that puts it into force.
                waiting = begin();
            }
        }
        let error = waiting.await.unwrap().unwrap_err();
        assert!(matches!(error, DbError::UnknownOutcome(_)), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_commit_durably_is_refused() {
    let cluster = Cluster::start(&["synchronous_commit = off"]);
    let error = Database::open(&support::patient(&cluster.url())).await.unwrap_err();
    assert!(error.to_string().contains("synchronous_commit is off"), "{error}");
}

#[tokio::test]
async fn waiting_for_a_lock_ends_with_nothing_done() {
    let database = support::postgres().await;
    database
        .execute_script("create table locked (id bigint primary key, n bigint not null) /*table*/")
        .await
        .unwrap();
    database.apply(Statement::new("insert into locked (id, n) values (1, 0)")).await.unwrap();
    let mut options = support::patient(&database.url);
    options.write_within = Duration::from_millis(600);
    let hasty = Database::open(&options).await.unwrap();
    // A script holds the lock for as long as its one round trip lasts.
    let holder = (*database).clone();
    let holding = tokio::spawn(async move {
        holder
            .execute_script("begin; update locked set n = n + 1 where id = 1; select pg_sleep(1); commit")
            .await
    });
    let locked =
        Statement::new("select count(*) as n from pg_locks where locktype = 'transactionid' and granted");
    while number(&database, locked.clone()).await == 0 {}
    let more = Statement::new("update locked set n = n + 10 where id = 1");
    for change in [Change::from(more.clone()), Change::new().with(more.clone()).with(more.clone())] {
        let error = hasty.apply(change).await.unwrap_err();
        assert!(matches!(error, DbError::Unavailable(_)), "{error:?}");
    }
    holding.await.unwrap().unwrap();
    assert_eq!(number(&database, Statement::new("select n from locked where id = 1")).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_is_undone_and_tried_again() {
    let database = support::postgres().await;
    database
        .execute_script("create table locked (id bigint primary key, n bigint not null) /*table*/")
        .await
        .unwrap();
    for id in [1, 2] {
        database.apply(Statement::new("insert into locked (id, n) values ($1, 0)").bind(id)).await.unwrap();
    }
    // The sleep makes sure that each holds its first lock when it asks for its second.
    let more = |id: i64| Statement::new("update locked set n = n + 1 where id = $1 returning n").bind(id);
    let rest = || Statement::new("select pg_sleep(0.2) is null as rested");
    let both =
        |first, second| database.apply(Change::new().with(more(first)).with(rest()).with(more(second)));
    let (one, two) = tokio::join!(both(1, 2), both(2, 1));
    one.unwrap();
    two.unwrap();
    assert_eq!(number(&database, Statement::new("select n from locked where id = 1")).await, 2);
}

#[tokio::test]
async fn a_kind_that_is_not_ours_is_named() {
    let database = support::postgres().await;
    let error = database.fetch(Statement::new("select 1.5 as price")).await.unwrap_err();
    assert!(matches!(&error, DbError::Failed(text) if text.contains("numeric")), "{error:?}");
}
