//! What a deleted tenant leaves, and how it goes (R055): in slices, children before parents, so that each can be
//! interrupted and begun anew. What stays is the tenant's row, which keeps slug and id taken, and the fixed part of its
//! events.

pub mod store;

use crate::db::{DbError, Row, Statement};
use crate::ids::{EventId, TenantId};
use crate::secrets::sha256;

/// The most rows that one change takes away.
pub const SLICE: i64 = 1_000;

/// How far the deletion of one tenant has come.
#[derive(Debug)]
pub struct Deletion {
    pub tenant: TenantId,
    /// Which of the tables is being emptied.
    pub table: usize,
    /// The newest event that has been emptied; `None` before the first.
    pub event: Option<EventId>,
}

impl Deletion {
    /// From the beginning; what has gone already costs a look into each table.
    #[must_use]
    pub const fn of(tenant: TenantId) -> Self {
        Self { tenant, table: 0, event: None }
    }
}

/// Empties the personal part of these events, of [`store::find_events`]. One that was written without the digest of its
/// personal part gets it now, so that what is sealed of it stays verifiable.
pub fn empty_events(tenant: &TenantId, rows: &[Row]) -> Result<Vec<Statement>, DbError> {
    let mut statements = Vec::new();
    for row in rows {
        let id = EventId::from_stored(row.text("id")?);
        let digest = match (row.maybe_bytes("personal_digest")?, row.maybe_text("personal")?) {
            (None, Some(personal)) => {
                Some(sha256(&[&row.bytes("salt")?, personal.as_bytes()].concat()).to_vec())
            }
            (digest, _) => digest,
        };
        statements.push(store::empty_event(tenant, &id, digest));
    }
    Ok(statements)
}
