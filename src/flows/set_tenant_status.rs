//! A tenant is suspended, and resumed: each takes effect on the next request, on any node (R054).

use serde_json::json;

use crate::clock::Timestamp;
use crate::db::{Change, Database, DbError, Statement};
use crate::error::Error;
use crate::events::{self, Ends, Event, EventName};
use crate::sessions::EndReason;
use crate::tenants::{self, TenantDetails, TenantName, TenantStatus};

use super::end_sessions::end_newer_sessions_of_all;
use super::get_tenant::is_deleted;
use super::{Author, get_tenant};

/// The longest reason, in bytes.
const MAX_REASON_BYTES: usize = 500;

/// Suspends a tenant: nobody logs in, its keys open nothing, and its sessions have ended for good. One that is
/// suspended stays as it is.
pub async fn suspend_tenant(
    db: &Database,
    author: Author<'_>,
    name: &TenantName,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<TenantDetails, Error> {
    set(db, author, name, TenantStatus::Suspended, reason, now).await
}

/// Lets a suspended tenant in again; sessions that ended stay ended. One that is active stays as it is.
pub async fn resume_tenant(
    db: &Database,
    author: Author<'_>,
    name: &TenantName,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<TenantDetails, Error> {
    set(db, author, name, TenantStatus::Active, reason, now).await
}

async fn set(
    db: &Database,
    author: Author<'_>,
    name: &TenantName,
    to: TenantStatus,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<TenantDetails, Error> {
    check_reason(reason)?;
    let before = get_tenant(db, name).await?.tenant;
    if before.deleted {
        return Err(is_deleted());
    }
    let set: fn(&_, _) -> Statement =
        if to == TenantStatus::Suspended { tenants::store::suspend } else { tenants::store::resume };
    let event = Event {
        details: json!({ "to": to.as_str(), "note": reason }),
        ends: (to == TenantStatus::Suspended).then_some(Ends::Tenant { until: now }),
        ..author.event(EventName::TenantStatusChanged)
    };
    let reason = EndReason::TenantSuspended.as_str();
    let newer = event.ends.map(|_| end_newer_sessions_of_all(&before.id, &event, reason, now));
    let change = Change::new()
        .with(set(&before.id, now))
        .with_all(newer.into_iter().flatten())
        .with(events::store::insert(&before.id, &event, now));
    match db.apply(change).await {
        Ok(_) | Err(DbError::Refused("tenant")) => (),
        Err(error) => return Err(error.into()),
    }
    // Whoever was refused finds it as asked for, or deleted meanwhile.
    let after = get_tenant(db, name).await?;
    if after.tenant.deleted { Err(is_deleted()) } else { Ok(after) }
}

pub(super) fn check_reason(reason: Option<&str>) -> Result<(), Error> {
    let fits = |reason: &str| {
        (1..=MAX_REASON_BYTES).contains(&reason.len()) && !reason.chars().any(char::is_control)
    };
    if reason.is_none_or(fits) {
        return Ok(());
    }
    let problem = format!(
        "must have 1 to {MAX_REASON_BYTES} bytes, without control characters; it is kept with the event"
    );
    Err(Error::invalid("reason", problem))
}
