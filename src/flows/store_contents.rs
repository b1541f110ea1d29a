//! How much a database holds: for whoever makes a copy of it.

use crate::clock::Timestamp;
use crate::db::{Database, Statement};
use crate::error::Error;

/// What a database holds, roughly.
#[derive(Clone, Copy, Debug)]
pub struct StoreContents {
    pub tenants: i64,
    pub users: i64,
    pub open_sessions: i64,
    /// `None`: there is no event.
    pub newest_event: Option<Timestamp>,
}

/// Counts everything: it takes as long as the database is large.
pub async fn store_contents(db: &Database) -> Result<StoreContents, Error> {
    let counted = Statement::new(
        "select (select count(*) from tenants where slug <> 'system' and status <> 'deleted') as tenants, \
         (select count(*) from users) as users, \
         (select count(*) from sessions where ended_at is null) as open_sessions, \
         (select max(occurred_at) from events) as newest_event",
    );
    let rows = db.list(counted).await?;
    let row = rows.first().ok_or(Error::NotFound)?;
    Ok(StoreContents {
        tenants: row.int("tenants")?,
        users: row.int("users")?,
        open_sessions: row.int("open_sessions")?,
        newest_event: row.maybe_instant("newest_event")?,
    })
}
