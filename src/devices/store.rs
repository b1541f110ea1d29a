//! The devices' SQL.

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::{ChangeId, TenantId, UserId};

/// Notes that a user logged in on a device, for the first time or again. The row keeps the change that saw it
/// first: what stands behind this in the same change tells by it whether the device is new.
#[must_use]
pub fn note_login(
    tenant: &TenantId,
    user: &UserId,
    device: &str,
    platform: Option<&str>,
    change: &ChangeId,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "insert into devices (tenant_id, user_id, device_id, platform, change_id, first_seen_at, last_seen_at) \
         values ($1, $2, $3, $4, $5, $6, $6) on conflict (tenant_id, user_id, device_id) \
         do update set platform = excluded.platform, last_seen_at = excluded.last_seen_at",
    )
    .bind(tenant)
    .bind(user)
    .bind(device)
    .bind(platform)
    .bind(change)
    .bind(now)
}

/// Forgets where a user has logged in from.
#[must_use]
pub fn delete_all(tenant: &TenantId, user: &UserId) -> Statement {
    Statement::new("delete from devices where tenant_id = $1 and user_id = $2").bind(tenant).bind(user)
}
