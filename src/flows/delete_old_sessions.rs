//! Sessions that ended longer ago than their tenant keeps its events go, with what these tell of them.
//! Called by upkeep, on every node.
//!
//! Ids bear the time at which a session opened, so the primary key finds them: what lies before an instant in a tenant
//! opened before it, and has ended before it but for what was open then.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::clock::Timestamp;
use crate::db::{Database, DbError, Row};
use crate::error::Error;
use crate::ids::{SessionId, TenantId};
use crate::sessions::store;
use crate::tenants::Settings;

/// Tenants that are read at a time.
const PAGE: i64 = 500;
/// Sessions that are looked at together, and that one change deletes at most. On SQLite all that is written meanwhile waits
/// for it, and a session lies in pages of its own in most of the indexes: each is 20 KB of the log.
const SLICE: i64 = 10;

/// However slow the database is, some twenty sessions go in a second.
const LONGEST_REST: Duration = Duration::from_millis(500);

/// Deletes the old sessions of every tenant, the oldest first, and rests after each slice `rest` times as long as it
/// took, `LONGEST_REST` at most. `now` is the cautious clock's. What fails keeps no other tenant's from going; the error
/// is the first one's.
pub async fn delete_old_sessions(db: &Database, now: Timestamp, rest: u32) -> Result<(), Error> {
    let (mut outcome, mut after) = (Ok(()), None);
    loop {
        let rows = db.list(store::find_oldest(after.as_ref(), PAGE)).await?;
        for row in &rows {
            let tenant = TenantId::from_stored(row.text("tenant_id")?);
            if let Some(since) = kept_since(row, now)? {
                outcome = outcome.and(delete(db, &tenant, since, rest).await);
            }
            after = Some(tenant);
        }
        if i64::try_from(rows.len()).is_ok_and(|read| read < PAGE) {
            return outcome;
        }
    }
}

/// Since when the tenant keeps sessions that have ended; `None` where none can have ended before. One whose settings
/// cannot be read keeps all.
fn kept_since(row: &Row, now: Timestamp) -> Result<Option<Timestamp>, DbError> {
    let settings = Settings::from_stored(&row.text("settings")?).ok();
    let since = settings.and_then(|settings| settings.kept_since(now));
    let oldest = row.maybe_text("oldest")?;
    Ok(since.filter(|since| oldest.is_some_and(|oldest| *oldest < *SessionId::before(*since).as_str())))
}

async fn delete(db: &Database, tenant: &TenantId, since: Timestamp, rest: u32) -> Result<(), Error> {
    let (before, mut after) = (SessionId::before(since), String::new());
    loop {
        let slice = db.list(store::find_between(tenant, &after, &before, SLICE)).await?;
        let (Some(first), Some(last)) = (slice.first(), slice.last()) else { return Ok(()) };
        let (first, last) = (first.text("id")?, last.text("id")?);
        let ends = slice.iter().map(|row| row.maybe_instant("ended_at")).collect::<Result<Vec<_>, _>>()?;
        if ends.iter().flatten().any(|ended| *ended < since) {
            let began = Instant::now();
            db.apply(store::delete_ended(tenant, (&first, &last), since)).await?;
            sleep((began.elapsed() * rest).min(LONGEST_REST)).await;
        }
        after = last;
    }
}
