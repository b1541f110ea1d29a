//! The database is an older copy of itself: what had ended after the copy was made must not live again (R163).

use serde_json::json;

use crate::clock::Timestamp;
use crate::db::{Change, Database, DbError};
use crate::error::Error;
use crate::events::deeds::{self, Deed};
use crate::events::{self, Ends, Event, EventName};
use crate::ids::{EventId, TenantId, system_tenant};
use crate::sessions::EndReason;
use crate::tenants::Tenant;
use crate::tenants::store::TenantFilter;
use crate::{password_resets, tenants};

use super::end_sessions::end_newer_sessions_of_all;
use super::{Author, list_tenants};

/// Tenants that are read at a time.
const PAGE: u32 = 500;
/// Reset secrets of one tenant that are made void in one change.
const SLICE: i64 = 1_000;

/// What was done about a restored database.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct StoreRestored {
    /// Tenants whose sessions have ended.
    pub tenants: usize,
    /// Reset secrets that open nothing any more.
    pub resets: usize,
}

/// Ends every session of every tenant that was opened until `now`, makes all reset secrets void, and begins another history
/// of the events: which sessions had ended since the copy was made, nobody can know. Each tenant is one change, with its event; who is interrupted does it
/// again.
///
/// # Errors
/// The database's. Tenants before the failure are done.
pub async fn store_restored(
    db: &Database,
    author: Author<'_>,
    now: Timestamp,
) -> Result<StoreRestored, Error> {
    let mut done = StoreRestored::default();
    each_tenant(db, async |tenant| {
        loop {
            let void = db.apply(password_resets::store::delete_slice_of_all(tenant, SLICE)).await?;
            let number = void.rows(0).len();
            done.resets += number;
            if number == 0 {
                break;
            }
        }
        done.tenants += usize::from(end_all(db, author, tenant, now).await?);
        Ok(())
    })
    .await?;
    let told = Event {
        details: json!({ "tenants": done.tenants, "resets": done.resets }),
        ..author.event(EventName::StoreRestored)
    };
    db.apply(events::store::insert(&system_tenant(), &told, now)).await?;
    Ok(done)
}

/// Whether there was a tenant to end the sessions of: one may be deleted meanwhile.
async fn end_all(
    db: &Database,
    author: Author<'_>,
    tenant: &TenantId,
    now: Timestamp,
) -> Result<bool, DbError> {
    let reason = EndReason::StoreRestored.as_str();
    let event = Event {
        reason: Some(reason),
        ends: Some(Ends::Tenant { until: now }),
        ..author.event(EventName::StoreRestored)
    };
    let change = Change::new()
        .with(tenants::store::end_sessions(tenant, reason, now))
        .with(tenants::store::begin_history(tenant, now))
        .with_all(end_newer_sessions_of_all(tenant, &event, reason, now))
        .with(events::store::insert(tenant, &event, now));
    match db.apply(change).await {
        Ok(_) => Ok(true),
        Err(DbError::Refused("tenant")) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The deeds since an instant, tenant by tenant (by slug) and in their order: what a restore of an older copy undoes, and
/// an operator or the tenant has to do again.
///
/// # Errors
/// The database's, or `then`'s.
pub async fn deeds_since<E: From<Error>>(
    db: &Database,
    since: Timestamp,
    mut then: impl FnMut(&str, Deed) -> Result<(), E>,
) -> Result<(), E> {
    let mut tenants = vec![(system_tenant(), "system".to_owned())];
    each_details(db, |tenant| tenants.push((tenant.id.clone(), tenant.slug.clone()))).await?;
    for (tenant, slug) in tenants {
        let mut after = EventId::before(since);
        loop {
            let found =
                db.list(deeds::store::find(&tenant, &after, PAGE.into())).await.map_err(Error::from)?;
            let Some(last) = found.last() else { break };
            after = EventId::from_stored(last.text("id").map_err(Error::from)?);
            for row in &found {
                then(&slug, Deed::from_row(row).map_err(Error::from)?)?;
            }
        }
    }
    Ok(())
}

async fn each_tenant(
    db: &Database,
    mut then: impl AsyncFnMut(&TenantId) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut ids = Vec::new();
    each_details(db, |tenant| ids.extend((!tenant.deleted).then(|| tenant.id.clone()))).await?;
    for id in &ids {
        then(id).await?;
    }
    Ok(())
}

async fn each_details(db: &Database, mut then: impl FnMut(&Tenant)) -> Result<(), Error> {
    let mut after: Option<String> = None;
    loop {
        let page = list_tenants(db, &TenantFilter::default(), after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.tenant.slug.clone());
        for details in &page {
            then(&details.tenant);
        }
    }
}
