//! The tenants' SQL.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::TenantId;

use super::{NewTenantKey, Settings, TenantName, secret_digest};

/// The columns [`super::Tenant::from_row`] reads, of `tenants t`.
macro_rules! tenant_columns {
    () => {
        "t.id as tenant_id, t.slug as tenant_slug, t.status as tenant_status, t.settings as tenant_settings, \
         t.signing_kid as tenant_signing_kid, t.valid_kids as tenant_valid_kids, \
         t.sessions_not_before as tenant_sessions_not_before, t.sessions_end_reason as tenant_sessions_end_reason, \
         t.failure_floor_ms as tenant_failure_floor_ms"
    };
}

/// The columns [`super::TenantKey::from_row`] reads, of `tenant_keys k`.
macro_rules! tenant_key_columns {
    () => {
        "k.id as key_id, k.purpose as key_purpose, k.secret_digest as key_secret_digest, \
         k.expires_at as key_expires_at, k.revoked_at as key_revoked_at"
    };
}

pub(crate) use {tenant_columns, tenant_key_columns};

/// The tenant of this name, whatever its state; never the system tenant.
#[must_use]
pub fn find(name: &TenantName) -> Statement {
    match name {
        TenantName::Slug(slug) => Statement::new(concat!(
            "select ",
            tenant_columns!(),
            " from tenants t where t.slug = $1 and t.slug <> 'system'"
        ))
        .bind(slug.as_str()),
        TenantName::Id(id) => Statement::new(concat!(
            "select ",
            tenant_columns!(),
            " from tenants t where t.id = $1 and t.slug <> 'system'"
        ))
        .bind(id),
    }
}

/// A new tenant, still without a signing key. Refused ("slug") when its id or slug has ever been used.
#[must_use]
pub fn insert(id: &TenantId, slug: &str, name: &str, settings: &Settings, now: Timestamp) -> Statement {
    Statement::new(
        "insert into tenants (id, slug, name, status, settings, valid_kids, created_at, updated_at) \
         values ($1, $2, $3, 'active', $4, '[]', $5, $5) on conflict do nothing returning id",
    )
    .bind(id)
    .bind(slug)
    .bind(name)
    .bind(serde_json::to_string(settings).expect("settings are plain data"))
    .bind(now)
    .must_change("slug")
}

/// Makes this key the one that signs, and the only one that counts.
#[must_use]
pub fn set_first_signing_key(tenant: &TenantId, kid: &str, now: Timestamp) -> Statement {
    Statement::new("update tenants set signing_kid = $2, valid_kids = $3, updated_at = $4 where id = $1")
        .bind(tenant)
        .bind(kid)
        .bind(serde_json::to_string(&[kid]).expect("a list of one text"))
        .bind(now)
}

/// A new tenant key. Refused ("tenant key") when another key, anywhere, is spelled the same.
#[must_use]
pub fn insert_key(tenant: &TenantId, key: &NewTenantKey, now: Timestamp) -> Statement {
    Statement::new(
        "insert into tenant_keys (tenant_id, id, tenant_key, secret_digest, purpose, created_at) \
         values ($1, $2, $3, $4, $5, $6) on conflict do nothing returning id",
    )
    .bind(tenant)
    .bind(&key.id)
    .bind(key.tenant_key.as_str())
    .bind(secret_digest(&key.tenant_secret).as_slice())
    .bind(key.purpose.as_str())
    .bind(now)
    .must_change("tenant key")
}

/// Lets a browser origin call (CORS).
#[must_use]
pub fn insert_origin(tenant: &TenantId, origin: &str) -> Statement {
    Statement::new("insert into tenant_origins (tenant_id, origin) values ($1, $2) on conflict do nothing")
        .bind(tenant)
        .bind(origin)
}

/// A row if any active tenant lets this origin call: all a preflight can ask, since it names no tenant.
#[must_use]
pub fn find_origin(origin: &str) -> Statement {
    Statement::new(
        "select o.origin from tenant_origins o join tenants t on t.id = o.tenant_id \
         where o.origin = $1 and t.status = 'active' limit 1",
    )
    .bind(origin)
}

/// Lets no failed login of the tenant be answered sooner than this, if it is not so already (R004). It goes first into
/// every change that stores imported hashes: it takes the tenant's row, whatever it changes there, so that
/// [`clear_failure_floor`] can tell that it came.
#[must_use]
pub fn raise_failure_floor(tenant: &TenantId, floor: Duration, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set \
         failure_floor_ms = case when failure_floor_ms < $2 then $2 else failure_floor_ms end, \
         updated_at = case when updated_at < $3 then $3 else updated_at + 1 end \
         where id = $1 and slug <> 'system' returning id",
    )
    .bind(tenant)
    .bind(i64::try_from(floor.as_millis()).unwrap_or(i64::MAX))
    .bind(now)
    .must_change("tenant")
}

/// Takes the floor away from a tenant without an imported hash, unless it changed since `seen`, its `updated_at`.
#[must_use]
pub fn clear_failure_floor(tenant: &TenantId, seen: Timestamp) -> Statement {
    Statement::new(
        "update tenants set failure_floor_ms = 0 where id = $1 and updated_at = $2 \
         and not exists (select 1 from users u where u.tenant_id = tenants.id and u.password_imported) \
         returning id",
    )
    .bind(tenant)
    .bind(seen)
}

/// Suspends a tenant: its sessions have ended with the next request, and resuming does not revive them.
#[must_use]
pub fn suspend(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set status = 'suspended', updated_at = $2, \
         sessions_end_reason = case when sessions_not_before is not null \
             and (status = 'suspended' or sessions_not_before > $2) then sessions_end_reason \
             else 'tenant_suspended' end, \
         sessions_not_before = case when sessions_not_before is not null \
             and (status = 'suspended' or sessions_not_before > $2) then sessions_not_before else $2 end \
         where id = $1 and slug <> 'system' returning id",
    )
    .bind(tenant)
    .bind(now)
    .must_change("tenant")
}
