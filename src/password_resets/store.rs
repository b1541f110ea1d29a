//! The password resets' SQL.

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::{CustomerId, TenantId, UserId};

/// Keeps the digest of a secret; an older secret of the same user is no more. No user: nobody has the name, or
/// they may not log in, and the secret opens nothing.
#[must_use]
pub fn insert(
    tenant: &TenantId,
    digest: &[u8],
    user: Option<&UserId>,
    expires_at: Timestamp,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "insert into password_resets (tenant_id, secret_digest, user_id, created_at, expires_at) \
         values ($1, $2, $3, $4, $5) on conflict (user_id, tenant_id) do update set \
         secret_digest = excluded.secret_digest, created_at = excluded.created_at, \
         expires_at = excluded.expires_at, used_at = null",
    )
    .bind(tenant)
    .bind(digest)
    .bind(user)
    .bind(now)
    .bind(expires_at)
}

/// Spends a user's secret. Refused ("reset secret") when it is used, over, or another has taken its place.
#[must_use]
pub fn spend(tenant: &TenantId, digest: &[u8], user: &UserId, now: Timestamp) -> Statement {
    Statement::new(
        "update password_resets set used_at = $4 \
         where tenant_id = $1 and secret_digest = $2 and user_id = $3 and used_at is null and expires_at > $4 \
         returning user_id",
    )
    .bind(tenant)
    .bind(digest)
    .bind(user)
    .bind(now)
    .must_change("reset secret")
}

/// What a new password, other names or a status that lets nobody in make void.
#[must_use]
pub fn delete_of(tenant: &TenantId, user: &UserId) -> Statement {
    Statement::new("delete from password_resets where tenant_id = $1 and user_id = $2")
        .bind(tenant)
        .bind(user)
}

/// The same for all users of a customer that lets nobody in.
#[must_use]
pub fn delete_of_customer(tenant: &TenantId, customer: &CustomerId) -> Statement {
    Statement::new(
        "delete from password_resets where tenant_id = $1 and user_id in \
         (select u.id from users u where u.tenant_id = $1 and u.customer_id = $2)",
    )
    .bind(tenant)
    .bind(customer)
}

/// A slice of those of a whole tenant; answers one row for each.
#[must_use]
pub fn delete_slice_of_all(tenant: &TenantId, slice: i64) -> Statement {
    Statement::new(
        "delete from password_resets where tenant_id = $1 and secret_digest in \
         (select r.secret_digest from password_resets r where r.tenant_id = $1 limit $2) returning tenant_id",
    )
    .bind(tenant)
    .bind(slice)
}

/// Deletes a slice of what is over, whose ever it is; answers one row for each. Its sum is the index's.
#[must_use]
pub fn delete_expired(now: Timestamp, slice: i64) -> Statement {
    Statement::new(
        "delete from password_resets where (tenant_id, secret_digest) in \
         (select r.tenant_id, r.secret_digest from password_resets r where r.expires_at + 0 < $1 limit $2) \
         returning tenant_id",
    )
    .bind(now)
    .bind(slice)
}
