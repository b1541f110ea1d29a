//! A user's devices, listed, looked at, and named.

use crate::clock::Timestamp;
use crate::db::{Database, DbError};
use crate::devices::{self, Device};
use crate::error::Error;
use crate::ids::{DeviceId, TenantId, UserId};

use super::list_users::{Page, page};

/// The user's devices behind a position, `size` at most, the one that was used last first.
pub async fn list_devices(
    db: &Database,
    tenant: &TenantId,
    user: &UserId,
    after: Option<&str>,
    size: u32,
    now: Timestamp,
) -> Result<Page<Device>, Error> {
    let after = after.map(position).transpose()?;
    let list = |_: Option<&str>, limit| devices::store::list(tenant, user, after, limit, now);
    page(db, None, size, list, Device::from_row).await
}

/// A row's `id`, as [`devices::store::list`] makes it.
fn position(text: &str) -> Result<(Timestamp, &str), Error> {
    let parts =
        text.split_once(':').and_then(|(at, id)| Some((Timestamp::from_millis(at.parse().ok()?), id)));
    // A cursor holds nothing but what was made here.
    parts.ok_or_else(|| Error::Internal(anyhow::anyhow!("no position in a list of devices: {text}")))
}

/// One of the user's devices; another's is absent.
pub async fn get_device(
    db: &Database,
    tenant: &TenantId,
    user: &UserId,
    device: &DeviceId,
    now: Timestamp,
) -> Result<Device, Error> {
    let rows = db.fetch(devices::store::find(tenant, user, device, now)).await?;
    Ok(Device::from_row(rows.first().ok_or(Error::NotFound)?)?)
}

/// Gives one of the user's devices a name, or takes it away.
pub async fn rename_device(
    db: &Database,
    tenant: &TenantId,
    user: &UserId,
    device: &DeviceId,
    name: Option<&str>,
) -> Result<(), Error> {
    match db.apply(devices::store::rename(tenant, user, device, name)).await {
        Ok(_) => Ok(()),
        Err(DbError::Refused("device")) => Err(Error::NotFound),
        Err(error) => Err(error.into()),
    }
}
