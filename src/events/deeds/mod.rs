//! The deeds among the events: what a restored older copy of the database knows nothing of, and somebody has to do again.

pub mod store;

use crate::clock::Timestamp;
use crate::db::{DbError, Row};

/// What somebody did, and not what merely happened.
#[derive(Clone, Debug)]
pub struct Deed {
    pub at: Timestamp,
    /// The event's name.
    pub name: String,
    pub reason: Option<String>,
    /// The user it was done to, or the customer.
    pub whom: Option<String>,
    /// What else the event says, a JSON object; nothing personal.
    pub details: String,
}

impl Deed {
    /// Reads a row of [`store::find`].
    pub fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            at: row.instant("occurred_at")?,
            name: row.text("name")?,
            reason: row.maybe_text("reason")?,
            whom: row.maybe_text("whom")?,
            details: row.text("details")?,
        })
    }
}
