//! A change becomes true as a whole, or not at all, whatever goes on beside it.

use futures_util::future::join_all;
use vestibule::db::{Change, Database, DbError, Statement};

use super::number;
use crate::support::{self, TestDatabase};

async fn things() -> TestDatabase {
    let database = support::database().await;
    let script = "create table things (id text primary key, n bigint not null check (n >= 0)) /*table*/;\
                  create table parts (thing text not null references things (id), part text not null) /*table*/;";
    database.execute_script(script).await.unwrap();
    database
}

fn add(id: &str, n: i64) -> Statement {
    Statement::new("insert into things (id, n) values ($1, $2)").bind(id).bind(n)
}

fn take_one(id: &str) -> Statement {
    Statement::new("update things set n = n - 1 where id = $1 and n > 0 returning n").bind(id)
}

async fn count(database: &Database) -> i64 {
    number(database, Statement::new("select count(*) as n from things")).await
}

#[tokio::test]
async fn a_change_is_seen_by_every_read_as_soon_as_it_is_acknowledged() {
    let database = things().await;
    let other = database.open_again().await;
    for index in 0..100 {
        let id = format!("thing {index}");
        database.apply(add(&id, index)).await.unwrap();
        let by_id = Statement::new("select n from things where id = $1").bind(&*id);
        for reader in [&*database, &other] {
            assert_eq!(reader.fetch(by_id.clone()).await.unwrap()[0].int("n").unwrap(), index);
            assert_eq!(reader.list(by_id.clone()).await.unwrap()[0].int("n").unwrap(), index);
        }
    }
}

#[tokio::test]
async fn a_change_answers_the_rows_of_each_of_its_statements() {
    let database = things().await;
    let change = Change::new()
        .with(add("a", 1))
        .with(add("b", 2))
        .with(Statement::new("update things set n = n + 10 returning id, n").must_change("things"))
        .with(take_one("missing"))
        .with(take_one("b"));
    let applied = database.apply(change).await.unwrap();
    assert!(applied.rows(0).is_empty());
    let mut updated: Vec<_> = applied.rows(2).iter().map(|row| row.int("n").unwrap()).collect();
    updated.sort_unstable();
    assert_eq!(updated, [11, 12]);
    assert!(applied.rows(3).is_empty());
    assert_eq!(applied.rows(4)[0].int("n").unwrap(), 11);
    assert!(applied.rows(99).is_empty());
    let answer = applied.rows(2)[0].text("vestibule_ok");
    assert!(answer.is_err(), "the column that demands is not shown: {answer:?}");
}

#[tokio::test]
async fn a_statement_later_in_a_change_sees_what_an_earlier_one_did() {
    let database = things().await;
    let change = Change::new().with(add("a", 1)).with(
        Statement::new("insert into parts (thing, part) select id, 'wheel' from things where n = $1").bind(1),
    );
    database.apply(change).await.unwrap();
    assert_eq!(number(&database, Statement::new("select count(*) as n from parts")).await, 1);
}

#[tokio::test]
async fn an_empty_change_is_true_at_once() {
    let database = things().await;
    assert!(database.apply(Change::new()).await.is_ok());
}

#[tokio::test]
async fn a_refused_statement_undoes_the_whole_change_and_is_named() {
    let database = things().await;
    database.apply(add("full", 0)).await.unwrap();
    for alone in [true, false] {
        let mut change = Change::new();
        if !alone {
            change = change.with(add("before", 1)).with(take_one("before").must_change("the first"));
        }
        change = change.with(take_one("full").must_change("a place that is free"));
        if !alone {
            change = change.with(add("after", 1));
        }
        let error = database.apply(change).await.unwrap_err();
        assert!(matches!(error, DbError::Refused("a place that is free")), "{error:?}");
        assert_eq!(count(&database).await, 1);
    }
}

#[tokio::test]
async fn a_demand_on_a_statement_that_answers_nothing_changes_nothing() {
    let database = things().await;
    database.apply(add("a", 1)).await.unwrap();
    for alone in [true, false] {
        let silent = Statement::new("update things set n = 5 where id = $1").bind("a").must_change("a thing");
        let before = if alone { Change::new() } else { Change::new().with(add("b", 1)) };
        database.apply(before.with(silent)).await.unwrap_err();
        let n = "select cast(sum(n) as bigint) as n from things";
        assert_eq!(number(&database, Statement::new(n)).await, 1);
    }
}

#[tokio::test]
async fn a_statement_that_must_write_several_rows_writes_all_of_them_or_the_change_is_undone() {
    let database = things().await;
    let two = |first: &str, second: &str| {
        Statement::new(
            "insert into things (id, n) values ($1, 1), ($2, 1) on conflict do nothing returning id as id",
        )
        .bind(first)
        .bind(second)
        .must_change_all("both", 2)
    };
    let applied = database.apply(two("a", "b")).await.unwrap();
    assert_eq!(applied.rows(0).len(), 2);
    for (first, second) in [("c", "a"), ("a", "c"), ("a", "b")] {
        for alone in [true, false] {
            let after = if alone { Change::new() } else { Change::new().with(add("d", 1)) };
            let error = database.apply(after.with(two(first, second))).await.unwrap_err();
            assert!(matches!(error, DbError::Refused("both")), "{error:?}");
        }
    }
    assert_eq!(count(&database).await, 2);
}

#[tokio::test]
async fn a_mistake_undoes_the_whole_change_and_harms_nobody_else() {
    let database = things().await;
    database.apply(add("taken", 1)).await.unwrap();
    let mistakes = [
        add("taken", 1),
        add("negative", -1),
        Statement::new("insert into parts (thing, part) values ('nobody', 'x')"),
        Statement::new("insert into no_such_table (id) values ($1)").bind("x"),
        Statement::new("this is not SQL"),
        Statement::new("insert into things (id, n) values ($1, $2)").bind("too few"),
        Statement::new("insert into things (id, n) values ($1, $2)").bind("wrong kind").bind("text"),
    ];
    let changes = (0..140).map(|index| {
        let change = Change::new().with(add(&format!("thing {index}"), index));
        if index % 2 == 0 {
            change
        } else {
            change.with(mistakes[usize::try_from(index / 2 % 7).unwrap()].clone())
        }
    });
    let results = join_all(changes.map(|change| database.apply(change))).await;
    for (index, result) in results.into_iter().enumerate() {
        match result {
            Ok(_) => assert_eq!(index % 2, 0),
            Err(DbError::Failed(_)) => assert_eq!(index % 2, 1),
            Err(other) => panic!("{index}: {other:?}"),
        }
    }
    assert_eq!(count(&database).await, 71);
}

#[tokio::test]
async fn an_error_tells_no_values() {
    let database = things().await;
    database.apply(add("hunter2", 1)).await.unwrap();
    let mistakes = [
        add("hunter2", 1),
        Statement::new("insert into parts (thing, part) values ($1, $1)").bind("hunter2 again"),
        Statement::new("insert into things (id, n) values ('x', $1)").bind("hunter2"),
        Statement::new("insert into things (id, n) values ($1, -1)").bind("hunter2 negative"),
        Statement::new("insert into things (id, n) values ('y', cast(cast($1 as text) as bigint) - 1)")
            .bind("hunter2"),
        add("hunter2\0", 1),
    ];
    for mistake in mistakes {
        assert!(!format!("{mistake:?}").contains("hunter2"));
        let error = database.apply(mistake).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_few_places_exactly_as_many_succeed() {
    let database = things().await;
    let other = database.open_again().await;
    database.apply(add("places", 10)).await.unwrap();
    let attempts = (0..200).map(|index| {
        let database = if index % 2 == 0 { (*database).clone() } else { other.clone() };
        tokio::spawn(async move {
            let taken = take_one("places").must_change("a place");
            let change = match index % 4 {
                0 | 1 => Change::from(taken),
                _ => Change::new().with(taken).with(add(&format!("guest {index}"), 1)),
            };
            match database.apply(change).await {
                Ok(applied) => Some(applied.rows(0)[0].int("n").unwrap()),
                Err(DbError::Refused("a place")) => None,
                Err(other) => panic!("{other:?}"),
            }
        })
    });
    let mut left: Vec<_> = join_all(attempts).await.into_iter().filter_map(|place| place.unwrap()).collect();
    left.sort_unstable();
    assert_eq!(left, (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_read_cannot_write() {
    let database = things().await;
    let write = || Statement::new("insert into things (id, n) values ('sly', 1) returning id");
    assert!(matches!(database.fetch(write()).await, Err(DbError::Failed(_) | DbError::Unavailable(_))));
    assert!(matches!(database.list(write()).await, Err(DbError::Failed(_) | DbError::Unavailable(_))));
    assert_eq!(count(&database).await, 0);
}

#[tokio::test]
async fn a_closed_database_has_finished_what_it_began_and_refuses_the_rest() {
    let database = things().await;
    let handle = (*database).clone();
    let before =
        tokio::spawn(async move { join_all((0..50).map(|n| handle.apply(add(&format!("{n}"), n)))).await });
    // Whether a change came before the end or after it, its answer is true.
    tokio::task::yield_now().await;
    database.close().await;
    let acknowledged = before.await.unwrap().iter().filter(|result| result.is_ok()).count();
    let error = database.apply(add("late", 1)).await.unwrap_err();
    assert!(matches!(error, DbError::Unavailable(_)), "{error:?}");
    let again = database.open_again().await;
    assert_eq!(count(&again).await, i64::try_from(acknowledged).unwrap());
}

#[tokio::test]
async fn on_sqlite_what_was_erased_is_not_in_the_file_either() {
    let database = support::sqlite().await;
    let script = "create table notes (id text primary key, note text) /*table*/;";
    database.execute_script(script).await.unwrap();
    let note = |note: Option<&str>| {
        Statement::new(
            "insert into notes (id, note) values ('n', $1) on conflict (id) do update set note = excluded.note",
        )
        .bind(note)
    };
    database.apply(note(Some("canary in a coal mine"))).await.unwrap();
    database.apply(note(None)).await.unwrap();
    database.close().await;
    let file = String::from_utf8_lossy(&std::fs::read(database.file()).unwrap()).into_owned();
    assert!(file.contains("create table notes") || file.contains("CREATE TABLE notes"), "the log is in it");
    assert!(!file.contains("canary in a coal mine"));
}

#[tokio::test]
async fn ping_answers() {
    support::database().await.ping().await.unwrap();
}
