//! The database layer, on both engines.

mod cancellation;
mod changes;
mod commits;
mod crashes;
mod migrations;
mod postgres_faults;
mod postgres_plans;
mod postgres_tls;
mod sqlite_disk;
mod sqlite_faults;
mod values;

use vestibule::db::{Database, Statement};

/// The number that the one row of `statement` answers in its column `n`.
async fn number(database: &Database, statement: Statement) -> i64 {
    database.list(statement).await.unwrap()[0].int("n").unwrap()
}
