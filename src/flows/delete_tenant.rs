//! A tenant is deleted: refused everywhere at once, emptied in slices, and never to be made again (R055).

use serde_json::json;

use crate::clock::Timestamp;
use crate::db::{Change, Database, DbError};
use crate::error::Error;
use crate::events::{self, Ends, Event, EventName};
use crate::ids::{EventId, TenantId};
use crate::tenants::deletion::{self, Deletion};
use crate::tenants::{self, TenantDetails, TenantName, TenantStatus};

use super::{Author, get_tenant};

/// How long after its deletion what was under way in a tenant may still write something, in seconds: a login waits
/// for its hash a second or so.
const STRAGGLERS_SECONDS: i64 = 60;

/// Marks a tenant as deleted: it is refused everywhere from the next request on. `confirmed` repeats its slug. Its rows
/// go by [`delete_tenant_slice`]. One that is deleted stays as it is.
pub async fn delete_tenant(
    db: &Database,
    author: Author<'_>,
    name: &TenantName,
    confirmed: &str,
    now: Timestamp,
) -> Result<TenantDetails, Error> {
    let before = get_tenant(db, name).await?.tenant;
    if confirmed != before.slug {
        let problem = "must repeat the tenant's slug: what is deleted does not come back";
        return Err(Error::invalid("slug", problem));
    }
    let event = Event {
        details: json!({ "to": TenantStatus::Deleted.as_str(), "slug": before.slug }),
        ends: Some(Ends::Tenant { until: now }),
        ..author.event(EventName::TenantStatusChanged)
    };
    let change = Change::new()
        .with(tenants::store::delete(&before.id, now))
        .with(events::store::insert(&before.id, &event, now));
    match db.apply(change).await {
        Ok(_) | Err(DbError::Refused("tenant")) => get_tenant(db, name).await,
        Err(error) => Err(error.into()),
    }
}

/// Takes the next slice of a deleted tenant's rows away: how many there were. 0: nothing is left, and it is noted so
/// once nothing can come any more.
///
/// What a person was known by goes from the events as well; their fixed part stays, and the digest of the rest.
pub async fn delete_tenant_slice(
    db: &Database,
    deletion: &mut Deletion,
    now: Timestamp,
) -> Result<usize, Error> {
    while let Some(statement) = deletion::store::delete_slice(&deletion.tenant, deletion.table) {
        let gone = db.apply(statement).await?.rows(0).len();
        if gone > 0 {
            return Ok(gone);
        }
        deletion.table += 1;
    }
    let rows = db.list(deletion::store::find_events(&deletion.tenant, deletion.event.as_ref())).await?;
    if let Some(last) = rows.last() {
        let emptied = deletion::empty_events(&deletion.tenant, &rows)?;
        db.apply(Change::new().with_all(emptied)).await?;
        deletion.event = Some(EventId::from_stored(last.text("id")?));
        return Ok(rows.len());
    }
    let before = now.plus_seconds(-STRAGGLERS_SECONDS);
    db.apply(tenants::store::note_emptied(&deletion.tenant, before, now)).await?;
    Ok(0)
}

/// Goes on with the deletions that are not at their end, whoever began them. What fails keeps no other tenant's from
/// it; the error is the first one's.
pub async fn go_on_deleting_tenants(db: &Database, now: Timestamp) -> Result<(), Error> {
    let mut outcome = Ok(());
    for row in db.list(tenants::store::find_deleted()).await? {
        let tenant = TenantId::from_stored(row.text("id")?);
        outcome = outcome.and(go_on_deleting(db, tenant, now).await);
    }
    outcome
}

async fn go_on_deleting(db: &Database, tenant: TenantId, now: Timestamp) -> Result<(), Error> {
    let mut deletion = Deletion::of(tenant);
    while delete_tenant_slice(db, &mut deletion, now).await? > 0 {}
    Ok(())
}
