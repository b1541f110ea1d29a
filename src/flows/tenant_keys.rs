//! Tenant keys come and go: two of a purpose at a time, so that one can take the other's place (R046).

use serde_json::json;

use crate::clock::Timestamp;
use crate::db::{Change, Database, DbError};
use crate::error::Error;
use crate::events::{self, Event, EventName};
use crate::ids::TenantKeyId;
use crate::tenants::{self, ListedTenantKey, MAX_VALID_KEYS, NewTenantKey, TenantKeyRequest, TenantName};

use super::Author;
use super::get_tenant::{find_standing_tenant, find_tenant, is_deleted};

/// Makes a key. Its secret is told here and never again: only its digest is stored (R043).
pub async fn create_tenant_key(
    db: &Database,
    author: Author<'_>,
    tenant: &TenantName,
    request: &TenantKeyRequest,
    now: Timestamp,
) -> Result<NewTenantKey, Error> {
    let key = request.check("", now).map_err(Error::Validation)?;
    let tenant = find_standing_tenant(db, tenant).await?;
    let event = Event {
        details: json!({
            "keyId": key.id, "purpose": key.purpose.as_str(), "name": key.name,
            "expiresAt": key.expires_at.map(|end| end.to_string()), "broughtAlong": request.tenant_key.is_some(),
        }),
        ..author.event(EventName::TenantKeyCreated)
    };
    let change = Change::new()
        .with(tenants::store::hold(&tenant.id, now))
        .with(tenants::keys::store::demand_room(&tenant.id, key.purpose, now))
        .with(tenants::keys::store::insert(&tenant.id, &key, now))
        .with(events::store::insert(&tenant.id, &event, now));
    match db.apply(change).await {
        Ok(_) => Ok(key),
        Err(DbError::Refused("tenant")) => Err(is_deleted()),
        Err(DbError::Refused("room")) => {
            let purpose = key.purpose.as_str();
            let problem = format!("{purpose} has {MAX_VALID_KEYS} valid keys already; revoke one first");
            Err(Error::conflict("purpose", problem))
        }
        Err(DbError::Refused("tenant key")) => {
            Err(Error::conflict("tenantKey", "is another key's; take another"))
        }
        Err(error) => Err(error.into()),
    }
}

/// All the tenant's keys without their secrets, newest first; those that no longer count too.
pub async fn list_tenant_keys(db: &Database, tenant: &TenantName) -> Result<Vec<ListedTenantKey>, Error> {
    let tenant = find_tenant(db, tenant).await?;
    let rows = db.list(tenants::keys::store::list(&tenant.id)).await?;
    Ok(rows.iter().map(ListedTenantKey::from_row).collect::<Result<_, _>>()?)
}

/// Revokes a key: it opens nothing from the next request on. One that is revoked stays as it is. Sessions that it opened
/// live on.
pub async fn revoke_tenant_key(
    db: &Database,
    author: Author<'_>,
    tenant: &TenantName,
    key: &TenantKeyId,
    now: Timestamp,
) -> Result<ListedTenantKey, Error> {
    let tenant = find_tenant(db, tenant).await?;
    let event = Event { details: json!({ "keyId": key }), ..author.event(EventName::TenantKeyRevoked) };
    let change = Change::new()
        .with(tenants::keys::store::revoke(&tenant.id, key, now))
        .with(events::store::insert(&tenant.id, &event, now));
    match db.apply(change).await {
        Ok(_) | Err(DbError::Refused("key")) => (),
        Err(error) => return Err(error.into()),
    }
    let rows = db.fetch(tenants::keys::store::find(&tenant.id, key)).await?;
    rows.first().map(ListedTenantKey::from_row).transpose()?.ok_or(Error::NotFound)
}
