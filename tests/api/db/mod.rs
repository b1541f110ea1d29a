//! The database layer, on both engines.

mod changes;
mod migrations;
mod values;

use vestibule::db::{Database, Statement};

/// The number that the one row of `statement` answers in its column `n`.
async fn number(database: &Database, statement: Statement) -> i64 {
    database.list(statement).await.unwrap()[0].int("n").unwrap()
}
