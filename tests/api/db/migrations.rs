//! Migrations: in order, once, by however many nodes, and never silently different.

use futures_util::future::join_all;
use vestibule::db::{Database, DbError, MIGRATIONS, Migration, Statement};

use super::number;
use crate::support;

const FIRST: Migration = Migration {
    version: 1,
    name: "first",
    sql: "create table one (id text primary key, at bigint not null, ok boolean not null default false, x bytea) \
          /*table*/;\ncreate table busy (id bigint primary key) /*busy table*/;\ninsert into one (id, at) values ('a', 1);",
};
const SECOND: Migration = Migration {
    version: 2,
    name: "second",
    sql: "alter table one add column more bigint not null default 7;",
};

static ONE: &[Migration] = &[FIRST];
static BOTH: &[Migration] = &[FIRST, SECOND];

async fn failure(database: &Database, migrations: &'static [Migration]) -> String {
    match database.migrate_with(migrations).await.unwrap_err() {
        DbError::Failed(text) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let database = support::database().await;
    for migrations in [ONE, ONE, BOTH, BOTH] {
        database.migrate_with(migrations).await.unwrap();
    }
    let rows = database.fetch(Statement::new("select id, at, ok, more from one")).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].int("more").unwrap(), 7);
    assert!(!rows[0].bool("ok").unwrap());
    assert_eq!(number(&database, Statement::new("select count(*) as n from vestibule_migrations")).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_nodes_may_migrate_at_once() {
    let database = support::database().await;
    let handles = join_all((0..4).map(|_| database.open_again())).await;
    let results = join_all(handles.iter().map(|handle| handle.migrate_with(BOTH))).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(number(&database, Statement::new("select count(*) as n from one")).await, 1);
}

#[tokio::test]
async fn a_migration_that_was_changed_is_named() {
    static CHANGED: &[Migration] = &[Migration { sql: "create table other (id text) /*table*/;", ..FIRST }];
    let database = support::database().await;
    database.migrate_with(ONE).await.unwrap();
    let text = failure(&database, CHANGED).await;
    assert!(text.contains("migration 1 (first) was changed"), "{text}");
}

#[tokio::test]
async fn a_database_newer_than_the_binary_is_told() {
    let database = support::database().await;
    database.migrate_with(BOTH).await.unwrap();
    let text = failure(&database, ONE).await;
    assert!(text.contains("migration 2 (second)") && text.contains("newer than this binary"), "{text}");
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_of_itself() {
    static BAD: &[Migration] = &[
        FIRST,
        Migration {
            version: 2,
            name: "bad",
            sql: "create table half (id text) /*table*/; insert into one (id, at) values ('a', 2);",
        },
    ];
    let database = support::database().await;
    let text = failure(&database, BAD).await;
    assert!(text.contains("migration 2 (bad)"), "{text}");
    assert!(database.fetch(Statement::new("select id from half")).await.is_err());
    database.migrate_with(BOTH).await.unwrap();
}

#[tokio::test]
async fn migrations_out_of_order_or_without_marks_touch_nothing() {
    static GAP: &[Migration] = &[FIRST, Migration { version: 3, ..SECOND }];
    static UNMARKED: &[Migration] = &[Migration { sql: "create table a (id text);", ..FIRST }];
    let database = support::database().await;
    assert!(failure(&database, GAP).await.contains("where 2 should"));
    assert!(failure(&database, UNMARKED).await.contains("/*table*/"));
    assert!(database.fetch(Statement::new("select * from one")).await.is_err());
}

#[tokio::test]
async fn a_plan_made_before_a_migration_does_not_fail_after_it() {
    let database = support::database().await;
    database.migrate_with(ONE).await.unwrap();
    let everything = || Statement::new("select * from one");
    let touch = || Statement::new("update one set at = at + 1 returning *");
    assert!(database.fetch(everything()).await.unwrap()[0].int("more").is_err());
    database.apply(touch()).await.unwrap();
    database.open_again().await.migrate_with(BOTH).await.unwrap();
    for _ in 0..4 {
        assert_eq!(database.fetch(everything()).await.unwrap()[0].int("more").unwrap(), 7);
        assert_eq!(database.list(everything()).await.unwrap()[0].int("more").unwrap(), 7);
        assert_eq!(database.apply(touch()).await.unwrap().rows(0)[0].int("more").unwrap(), 7);
    }
}

#[tokio::test]
async fn a_plan_made_before_a_migration_knows_other_columns_also_where_there_are_as_many() {
    static REPLACED: &[Migration] = &[
        FIRST,
        Migration {
            version: 2,
            name: "replaced",
            sql: "alter table one drop column x; alter table one add column more bigint not null default 7;",
        },
    ];
    let database = support::database().await;
    database.migrate_with(ONE).await.unwrap();
    let everything = || Statement::new("select * from one");
    let touch = || Statement::new("update one set at = at + 1 returning *");
    assert!(database.fetch(everything()).await.unwrap()[0].is_null("x").unwrap());
    database.apply(touch()).await.unwrap();
    database.open_again().await.migrate_with(REPLACED).await.unwrap();
    for _ in 0..4 {
        assert_eq!(database.fetch(everything()).await.unwrap()[0].int("more").unwrap(), 7);
        assert_eq!(database.apply(touch()).await.unwrap().rows(0)[0].int("more").unwrap(), 7);
    }
}

#[tokio::test]
async fn a_migrated_database_is_current() {
    let database = support::migrated_database().await;
    assert!(database.migrations_current().await.unwrap());
    let empty = support::database().await;
    assert_eq!(empty.migrations_current().await.unwrap(), MIGRATIONS.is_empty());
    empty.migrate().await.unwrap();
    assert!(empty.migrations_current().await.unwrap());
}
