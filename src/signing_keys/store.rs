//! The signing keys' SQL.

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::TenantId;

use super::NewSigningKey;

/// A key's row. It counts only once the tenant's row lists its kid.
#[must_use]
pub fn insert(tenant: &TenantId, key: &NewSigningKey, signs_from: Timestamp, now: Timestamp) -> Statement {
    Statement::new(
        "insert into signing_keys (tenant_id, kid, algorithm, private_key, public_jwk, created_at, signs_from) \
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(tenant)
    .bind(key.kid.as_str())
    .bind(key.algorithm.as_str())
    .bind(key.sealed.as_str())
    .bind(key.jwk.as_str())
    .bind(now)
    .bind(signs_from)
}

/// One key with its private half, sealed; a retired one has none any more: nothing is sealed in its place.
#[must_use]
pub fn find(tenant: &TenantId, kid: &str) -> Statement {
    Statement::new(
        "select algorithm, private_key from signing_keys \
         where tenant_id = $1 and kid = $2 and retired_at is null",
    )
    .bind(tenant)
    .bind(kid)
}

/// All the tenant's keys, newest first; nothing of their private halves.
#[must_use]
pub fn list(tenant: &TenantId) -> Statement {
    Statement::new(
        "select kid, algorithm, created_at, signs_from, replaced_at, retired_at from signing_keys \
         where tenant_id = $1 order by created_at desc, kid",
    )
    .bind(tenant)
}

/// Notes when another key takes this one's place; `None`: none does after all.
#[must_use]
pub fn set_replaced(tenant: &TenantId, kid: &str, at: Option<Timestamp>) -> Statement {
    Statement::new("update signing_keys set replaced_at = $3 where tenant_id = $1 and kid = $2")
        .bind(tenant)
        .bind(kid)
        .bind(at)
}

/// Notes that a key signs sooner than it was to.
#[must_use]
pub fn set_signs_from(tenant: &TenantId, kid: &str, at: Timestamp) -> Statement {
    Statement::new("update signing_keys set signs_from = $3 where tenant_id = $1 and kid = $2")
        .bind(tenant)
        .bind(kid)
        .bind(at)
}

/// Notes that a key counts no more, and destroys its private half: nobody signs with it again, and the master key that
/// sealed it may go. In its place stands [`super::nothing_sealed`], which the version before this one opens when it
/// starts.
#[must_use]
pub fn retire(tenant: &TenantId, kid: &str, nothing: &str, now: Timestamp) -> Statement {
    Statement::new(
        "update signing_keys set retired_at = $3, private_key = $4 \
         where tenant_id = $1 and kid = $2 and retired_at is null",
    )
    .bind(tenant)
    .bind(kid)
    .bind(now)
    .bind(nothing)
}

/// Keys that another replaced before this instant, and that still count.
#[must_use]
pub fn find_replaced(before: Timestamp) -> Statement {
    Statement::new(
        "select tenant_id, kid from signing_keys where replaced_at <= $1 and retired_at is null \
         order by replaced_at limit 100",
    )
    .bind(before)
}

/// Of each master key that sealed any that counts, one private key: `v1.<master key's id>.…`.
#[must_use]
pub fn find_one_for_each_master_key() -> Statement {
    Statement::new(
        "select tenant_id, kid, private_key from signing_keys where private_key in ( \
           select min(private_key) from signing_keys where retired_at is null \
           group by substr(private_key, 1, length(private_key) - length(ltrim(substr(private_key, 4), \
             'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'))))",
    )
}

/// The next private halves, of all tenants, that are sealed under another line of the master key file than the one whose
/// columns begin so.
#[must_use]
pub fn find_sealed_otherwise(prefix: &str, after_tenant: &str, after_kid: &str) -> Statement {
    Statement::new(
        "select tenant_id, kid as name, private_key as sealed from signing_keys \
         where substr(private_key, 1, length(cast($1 as text))) <> $1 \
         and (tenant_id > $2 or (tenant_id = $2 and kid > $3)) order by tenant_id, kid limit 100",
    )
    .bind(prefix)
    .bind(after_tenant)
    .bind(after_kid)
}

/// How many private halves, of all tenants, are sealed under the line whose columns begin so.
#[must_use]
pub fn count_sealed(prefix: &str) -> Statement {
    Statement::new(
        "select count(*) as number from signing_keys where substr(private_key, 1, length(cast($1 as text))) = $1",
    )
    .bind(prefix)
}

/// Seals a private half anew, unless it was retired meanwhile.
#[must_use]
pub fn reseal(tenant: &TenantId, kid: &str, old: &str, new: &str) -> Statement {
    Statement::new(
        "update signing_keys set private_key = $4 where tenant_id = $1 and kid = $2 and private_key = $3 \
         returning kid",
    )
    .bind(tenant)
    .bind(kid)
    .bind(old)
    .bind(new)
}

/// The public halves of all the tenant's keys, oldest first.
#[must_use]
pub fn find_public(tenant: &TenantId) -> Statement {
    Statement::new(
        "select kid, algorithm, public_jwk from signing_keys where tenant_id = $1 order by created_at",
    )
    .bind(tenant)
}
