//! The sealer: gives each tenant's events their numbers, soon after they were written.
//!
//! Any number of nodes do it at once. A tenant's head says up to where its events are numbered; a change moves it
//! from where it was read, together with the rows, or not at all. Logins only insert events and never wait for it.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use crate::clock::Timestamp;
use crate::db::{Change, Database, DbError, Row};
use crate::events::sealing;
use crate::ids::{EventId, TenantId};

/// Events that are looked up together. On SQLite everybody who writes waits while they are numbered: milliseconds.
const SLICE: u16 = 250;
/// Changes under way at a time: there are connections left for others.
const AT_ONCE: usize = 4;

/// What one round did.
#[derive(Default, Debug)]
pub struct Numbered {
    /// Events that have their numbers now.
    pub events: usize,
    /// Whether another node was numbering some of them: they have to be looked at again.
    pub contended: bool,
    /// Why a tenant's events could not be numbered. It kept nobody else's from it.
    pub failure: Option<DbError>,
}

/// One tenant's part of a slice.
struct Part {
    tenant: TenantId,
    /// The position of its newest numbered event.
    head: i64,
    first: EventId,
    last: EventId,
}

/// Goes once over the events without a number that were made after `since` (`None`: over all of them) and numbers
/// them, in slices, so that no tenant waits for another's crowd.
pub async fn number_events(
    db: &Database,
    since: Option<Timestamp>,
    now: Timestamp,
) -> Result<Numbered, DbError> {
    let mut round = Numbered::default();
    let mut after = EventId::before(since.unwrap_or(Timestamp::from_millis(0)));
    loop {
        let rows = db.list(sealing::store::find_unnumbered(&after, SLICE.into())).await?;
        let parts = parts(&rows)?;
        for parts in parts.chunks(AT_ONCE) {
            for numbered in join_all(parts.iter().map(|part| number(db, part, now))).await {
                match numbered {
                    Ok(events) => round.events += events,
                    Err(DbError::Refused("head" | "event")) => round.contended = true,
                    Err(error @ (DbError::Unavailable(_) | DbError::UnknownOutcome(_))) => return Err(error),
                    Err(error) => round.failure = round.failure.or(Some(error)),
                }
            }
        }
        match rows.last() {
            Some(row) if rows.len() >= SLICE.into() => after = EventId::from_stored(row.text("event_id")?),
            _ => return Ok(round),
        }
    }
}

/// The slice, tenant by tenant.
fn parts(rows: &[Row]) -> Result<Vec<Part>, DbError> {
    let mut parts: BTreeMap<TenantId, Part> = BTreeMap::new();
    for row in rows {
        let tenant = TenantId::from_stored(row.text("tenant_id")?);
        let (event, head) = (EventId::from_stored(row.text("event_id")?), row.int("head")?);
        let part = parts.entry(tenant.clone());
        part.and_modify(|part| part.last = event.clone()).or_insert(Part {
            tenant,
            head,
            first: event.clone(),
            last: event,
        });
    }
    Ok(parts.into_values().collect())
}

/// How many there were.
async fn number(db: &Database, part: &Part, now: Timestamp) -> Result<usize, DbError> {
    let Part { tenant, head, first, last } = part;
    let statements = sealing::store::number(tenant, *head, first, last, now);
    Ok(db.apply(Change::new().with_all(statements)).await?.rows(1).len())
}
