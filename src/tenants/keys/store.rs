//! The tenant keys' SQL.

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::{TenantId, TenantKeyId};

use super::{KeyPurpose, MAX_VALID_KEYS, NewTenantKey, secret_digest};

/// The columns [`super::TenantKey::from_row`] reads, of `tenant_keys k`.
macro_rules! tenant_key_columns {
    () => {
        "k.id as key_id, k.purpose as key_purpose, k.secret_digest as key_secret_digest, \
         k.expires_at as key_expires_at, k.revoked_at as key_revoked_at"
    };
}
pub(crate) use tenant_key_columns;

macro_rules! listed_key_columns {
    () => {
        "k.id as key_id, k.tenant_key as key_tenant_key, k.purpose as key_purpose, k.name as key_name, \
         k.created_at as key_created_at, k.expires_at as key_expires_at, k.revoked_at as key_revoked_at"
    };
}

/// A new tenant key. Refused ("tenant key") when another key, anywhere, is spelled the same.
#[must_use]
pub fn insert(tenant: &TenantId, key: &NewTenantKey, now: Timestamp) -> Statement {
    Statement::new(
        "insert into tenant_keys (tenant_id, id, tenant_key, secret_digest, purpose, name, created_at, expires_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing returning id",
    )
    .bind(tenant)
    .bind(&key.id)
    .bind(key.tenant_key.as_str())
    .bind(secret_digest(&key.tenant_secret).as_slice())
    .bind(key.purpose.as_str())
    .bind(key.name.as_deref())
    .bind(now)
    .bind(key.expires_at)
    .must_change("tenant key")
}

/// Demands room for one more valid key of this purpose; [`crate::tenants::store::hold`] stands before it. Refused ("room") otherwise.
#[must_use]
pub fn demand_room(tenant: &TenantId, purpose: KeyPurpose, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set updated_at = $2 where id = $1 and $3 > \
         (select count(*) from tenant_keys k where k.tenant_id = $1 and k.purpose = $4 \
          and k.revoked_at is null and (k.expires_at is null or k.expires_at > $2)) returning id",
    )
    .bind(tenant)
    .bind(now)
    .bind(MAX_VALID_KEYS)
    .bind(purpose.as_str())
    .must_change("room")
}

/// All the tenant's keys without their secrets, newest first; those that no longer count too.
#[must_use]
pub fn list(tenant: &TenantId) -> Statement {
    Statement::new(concat!(
        "select ",
        listed_key_columns!(),
        " from tenant_keys k where k.tenant_id = $1 order by k.created_at desc, k.id"
    ))
    .bind(tenant)
}

/// One of the tenant's keys without its secret.
#[must_use]
pub fn find(tenant: &TenantId, key: &TenantKeyId) -> Statement {
    Statement::new(concat!(
        "select ",
        listed_key_columns!(),
        " from tenant_keys k where k.tenant_id = $1 and k.id = $2"
    ))
    .bind(tenant)
    .bind(key)
}

/// Revokes a key: it is dead on the next request. Refused ("key") when it is revoked already, or not there.
#[must_use]
pub fn revoke(tenant: &TenantId, key: &TenantKeyId, now: Timestamp) -> Statement {
    Statement::new(
        "update tenant_keys set revoked_at = $3 \
         where tenant_id = $1 and id = $2 and revoked_at is null returning id",
    )
    .bind(tenant)
    .bind(key)
    .bind(now)
    .must_change("key")
}
