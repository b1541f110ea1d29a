//! Events that are older than their tenant keeps them go (R141). What is sealed of them stays, and a signed event says up to
//! where they may be missing, so that the log is verified as before. Called by upkeep, on every node.

use anyhow::Context;
use serde_json::json;

use crate::clock::Timestamp;
use crate::db::{Change, Database, DbError, Row};
use crate::error::Error;
use crate::events::sealing::{self, AuditKey, store};
use crate::events::{self, Actor, Event, EventName};
use crate::ids::TenantId;
use crate::secrets::MasterKeys;
use crate::tenants::Settings;

/// Tenants that are read at a time.
const PAGE: usize = 500;
/// Positions that one look for what is not old goes through.
const WINDOW: i64 = 10_000;
/// Such looks in a run: a million events; the next run goes on.
const WINDOWS: usize = 100;
/// Events that one change deletes at most.
const SLICE: i64 = 500;

const DAY_SECONDS: i64 = 24 * 3_600;

/// Deletes the old events of every tenant, from the oldest on. What fails keeps no other tenant from it; the error is the
/// first one's.
pub async fn delete_old_events(db: &Database, master: &MasterKeys, now: Timestamp) -> Result<(), Error> {
    let (mut outcome, mut after) = (Ok(()), None);
    loop {
        let rows = db.list(store::find_ages(after.as_ref(), 500)).await?;
        for row in &rows {
            let tenant = TenantId::from_stored(row.text("tenant_id")?);
            if let Some(since) = kept_since(row, now)? {
                outcome = outcome.and(delete(db, master, &tenant, row, since, now).await);
            }
            after = Some(tenant);
        }
        if rows.len() < PAGE {
            return outcome;
        }
    }
}

/// Since when the tenant keeps its events; `None` where there are none that are older. One whose settings cannot be read
/// keeps all.
fn kept_since(row: &Row, now: Timestamp) -> Result<Option<Timestamp>, DbError> {
    let Ok(settings) = Settings::from_stored(&row.text("settings")?) else { return Ok(None) };
    let days = settings.audit_retention_days;
    let since = now.plus_seconds(-days * DAY_SECONDS);
    let old = row.maybe_instant("oldest")?.is_some_and(|oldest| oldest < since);
    Ok((days > 0 && old).then_some(since))
}

async fn delete(
    db: &Database,
    master: &MasterKeys,
    tenant: &TenantId,
    row: &Row,
    since: Timestamp,
    now: Timestamp,
) -> Result<(), Error> {
    let (mut from, sealed) = (row.int("deleted_until")?, row.int("sealed")?);
    let until = old_until(db, tenant, from, sealed, since).await?;
    if until == from {
        return Ok(());
    }
    let key = AuditKey::find(db, master).await?.context("events are sealed, and there is no audit key")?;
    let said = sealing::deleted_until(db, Some(&key), tenant).await?;
    let mut event = None;
    if until.unsigned_abs() > said {
        let note = sealing::deletion_note(&key, tenant, until.unsigned_abs())?;
        let details = json!({ "until": until, "before": since.to_string(), "note": note });
        event = Some(Event { details, ..Event::new(EventName::AuditEventsDeleted, Actor::System) });
    }
    while from < until {
        let to = (from + SLICE).min(until);
        let said = event.take().map(|event| events::store::insert(tenant, &event, now));
        let change = Change::new().with_all(store::delete_events(tenant, from, to)).with_all(said);
        match db.apply(change).await {
            Ok(_) => from = to,
            // Another node is at it.
            Err(DbError::Refused("deleted")) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The last position up to which all events are old.
async fn old_until(
    db: &Database,
    tenant: &TenantId,
    after: i64,
    sealed: i64,
    since: Timestamp,
) -> Result<i64, DbError> {
    let mut until = after;
    for _ in 0..WINDOWS {
        let end = (until + WINDOW).min(sealed);
        let rows = db.list(store::find_first_since(tenant, until, end, since)).await?;
        if let Some(first) = rows.first().map(|row| row.maybe_int("position")).transpose()?.flatten() {
            return Ok(first - 1);
        }
        until = end;
        if until == sealed {
            break;
        }
    }
    Ok(until)
}
