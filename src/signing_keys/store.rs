//! The signing keys' SQL.

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::TenantId;

use super::NewSigningKey;

/// A key's row. It counts only once the tenant's row lists its kid.
#[must_use]
pub fn insert(tenant: &TenantId, key: &NewSigningKey, now: Timestamp) -> Statement {
    Statement::new(
        "insert into signing_keys (tenant_id, kid, algorithm, private_key, public_jwk, created_at) \
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(tenant)
    .bind(key.kid.as_str())
    .bind(key.algorithm.as_str())
    .bind(key.sealed.as_str())
    .bind(key.jwk.as_str())
    .bind(now)
}

/// One key with its private half, sealed.
#[must_use]
pub fn find(tenant: &TenantId, kid: &str) -> Statement {
    Statement::new("select algorithm, private_key from signing_keys where tenant_id = $1 and kid = $2")
        .bind(tenant)
        .bind(kid)
}

/// Of each master key that sealed any, one private key: `v1.<master key's id>.…`.
#[must_use]
pub fn find_one_for_each_master_key() -> Statement {
    Statement::new(
        "select tenant_id, kid, private_key from signing_keys where private_key in ( \
           select min(private_key) from signing_keys \
           group by substr(private_key, 1, length(private_key) - length(ltrim(substr(private_key, 4), \
             'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'))))",
    )
}

/// The public halves of all the tenant's keys, oldest first.
#[must_use]
pub fn find_public(tenant: &TenantId) -> Statement {
    Statement::new(
        "select kid, algorithm, public_jwk from signing_keys where tenant_id = $1 order by created_at",
    )
    .bind(tenant)
}
