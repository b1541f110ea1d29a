//! A tenant's events in their order, from a position on.

use crate::db::{Database, DbError};
use crate::events::{self, EventFilter, Recorded};
use crate::ids::TenantId;

/// Positions that one page looks through at most: what is rare in a long history is found page by page.
pub const LOOKED_THROUGH: i64 = 10_000;

/// One page of events.
#[derive(Debug)]
pub struct EventPage {
    pub events: Vec<Recorded>,
    /// The next page begins after this position.
    pub next: i64,
    /// Whether there are events after it already.
    pub more: bool,
}

/// Events of this filter after a position, `limit` at most. `None`: the position is ahead of the
/// tenant's newest event, so it is of a state of the database that is no more.
///
/// All that is up to the head is seen: what gets its number later gets a higher one.
pub async fn read_events(
    db: &Database,
    tenant: &TenantId,
    filter: &EventFilter,
    after: i64,
    limit: u32,
) -> Result<Option<EventPage>, DbError> {
    let until = after.saturating_add(LOOKED_THROUGH);
    let rows = db.list(events::store::find_numbered(tenant, filter, after, until, limit)).await?;
    let head = rows.first().map_or(Ok(0), |row| row.int("head"))?;
    if after > head {
        return Ok(None);
    }
    let events =
        rows.iter().filter_map(|row| Recorded::from_row(row).transpose()).collect::<Result<Vec<_>, _>>()?;
    let full = events.len() >= limit as usize;
    let next = events.last().filter(|_| full).map_or(until.min(head), |event| event.position);
    Ok(Some(EventPage { events, next, more: next < head }))
}
