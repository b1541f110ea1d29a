//! A tenant's events in their order, from a position on.

use crate::db::{Database, DbError};
use crate::events::{self, EventFilter, FeedPlace, History, Recorded};
use crate::ids::TenantId;

/// Positions that one page looks through at most: what is rare in a long history is found page by page.
pub const LOOKED_THROUGH: i64 = 10_000;

/// One page of events.
#[derive(Debug)]
pub struct EventPage {
    pub events: Vec<Recorded>,
    /// Where the next page begins.
    pub next: FeedPlace,
    /// Whether there are events after it already.
    pub more: bool,
}

/// Events of this filter from a place on, or from the beginning, `limit` at most. `None`: the place is of a history that
/// is no more, or ahead of the tenant's newest event, which it is between a restore and its being told.
///
/// All that is up to the head is seen: what gets its number later gets a higher one.
pub async fn read_events(
    db: &Database,
    tenant: &TenantId,
    filter: &EventFilter,
    place: Option<FeedPlace>,
    limit: u32,
) -> Result<Option<EventPage>, DbError> {
    let after = place.map_or(0, |place| place.position);
    let until = after.saturating_add(LOOKED_THROUGH);
    let rows = db.list(events::store::find_numbered(tenant, filter, after, until, limit)).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let (head, history) = (first.int("head")?, History::from_row(first)?);
    if after > head || place.is_some_and(|place| place.history != history) {
        return Ok(None);
    }
    let events =
        rows.iter().filter_map(|row| Recorded::from_row(row).transpose()).collect::<Result<Vec<_>, _>>()?;
    let full = events.len() >= limit as usize;
    let next = events.last().filter(|_| full).map_or(until.min(head), |event| event.position);
    Ok(Some(EventPage { events, next: FeedPlace { position: next, history }, more: next < head }))
}
