//! What this database is: a demo, or the real thing.

pub mod store;

use crate::db::{Database, DbError};

/// Whether the database belongs to the demo, whose secrets everybody knows.
pub async fn is_demo(db: &Database) -> Result<bool, DbError> {
    Ok(!db.fetch(store::find_demo()).await?.is_empty())
}
