//! The devices' SQL.

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::{ChangeId, DeviceId, TenantId, UserId};
use crate::sessions::store::{session_lives, sessions_and_owners};

/// Devices with what [`super::Device::from_row`] reads: of the tenant `$1`, the user `$2`, at `$3`. `id` is where a page
/// that ends with the row goes on.
macro_rules! devices {
    ($and:literal) => {
        concat!(
            "select d.last_seen_at || ':' || d.change_id as id, d.change_id as change_id, \
             o.customer_id as customer_id, d.device_id as device_id, d.name as name, d.platform as platform, \
             d.first_seen_at as first_seen_at, d.last_seen_at as last_seen_at, \
             coalesce(live.sessions, 0) as sessions \
             from devices d join users o on o.tenant_id = d.tenant_id and o.id = d.user_id \
             left join (select s.device_id as device_id, count(*) as sessions from ",
            sessions_and_owners!(),
            " where s.tenant_id = $1 and s.user_id = $2 and ",
            session_lives!("$3"),
            " group by s.device_id) live on live.device_id = d.device_id \
             where d.tenant_id = $1 and d.user_id = $2 and ",
            $and
        )
    };
}

/// Notes that a user logged in on a device, for the first time or again. The row keeps the change that saw it
/// first: what stands behind this in the same change tells by it whether the device is new. `networks` are those that
/// were read and those that are to be there; if another login has added one meanwhile, that one's stay.
#[must_use]
pub fn note_login(
    tenant: &TenantId,
    user: &UserId,
    device: &str,
    platform: Option<&str>,
    (read, networks): (&str, String),
    change: &ChangeId,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "insert into devices (tenant_id, user_id, device_id, platform, change_id, first_seen_at, last_seen_at, networks) \
         values ($1, $2, $3, $4, $5, $6, $6, $7) on conflict (tenant_id, user_id, device_id) \
         do update set platform = excluded.platform, last_seen_at = excluded.last_seen_at, \
         networks = case when devices.networks = $8 then excluded.networks else devices.networks end",
    )
    .bind(tenant)
    .bind(user)
    .bind(device)
    .bind(platform)
    .bind(change)
    .bind(now)
    .bind(networks)
    .bind(read)
}

/// The id in paths of the device that an app calls so, if the user has it.
#[must_use]
pub fn find_id(tenant: &TenantId, user: &UserId, device: &str) -> Statement {
    Statement::new(
        "select change_id from devices where tenant_id = $1 and user_id = $2 and device_id = $3 \
         and change_id is not null",
    )
    .bind(tenant)
    .bind(user)
    .bind(device)
}

/// Forgets where a user has logged in from.
#[must_use]
pub fn delete_all(tenant: &TenantId, user: &UserId) -> Statement {
    Statement::new("delete from devices where tenant_id = $1 and user_id = $2").bind(tenant).bind(user)
}

/// A user's devices, the one that was used last first; after a position, which is a row's `id`.
#[must_use]
pub fn list(
    tenant: &TenantId,
    user: &UserId,
    after: Option<(Timestamp, &str)>,
    limit: i64,
    now: Timestamp,
) -> Statement {
    Statement::new(devices!(
        "d.change_id is not null and (cast($4 as bigint) is null or d.last_seen_at < $4 \
         or (d.last_seen_at = $4 and d.change_id > $5)) \
         order by d.last_seen_at desc, d.change_id limit $6"
    ))
    .bind(tenant)
    .bind(user)
    .bind(now)
    .bind(after.map(|(at, _)| at))
    .bind(after.map_or("", |(_, id)| id))
    .bind(limit)
}

/// One of a user's devices.
#[must_use]
pub fn find(tenant: &TenantId, user: &UserId, device: &DeviceId, now: Timestamp) -> Statement {
    Statement::new(devices!("d.change_id = $4")).bind(tenant).bind(user).bind(now).bind(device)
}

/// Gives a device a name, or takes it away. Refused ("device") when the user has no such device.
#[must_use]
pub fn rename(tenant: &TenantId, user: &UserId, device: &DeviceId, name: Option<&str>) -> Statement {
    Statement::new(
        "update devices set name = $4 where tenant_id = $1 and user_id = $2 and change_id = $3 \
         returning device_id",
    )
    .bind(tenant)
    .bind(user)
    .bind(device)
    .bind(name)
    .must_change("device")
}

/// Forgets a device. Refused ("device") when it is not there any more.
#[must_use]
pub fn delete(tenant: &TenantId, user: &UserId, device: &DeviceId) -> Statement {
    Statement::new(
        "delete from devices where tenant_id = $1 and user_id = $2 and change_id = $3 returning device_id",
    )
    .bind(tenant)
    .bind(user)
    .bind(device)
    .must_change("device")
}
