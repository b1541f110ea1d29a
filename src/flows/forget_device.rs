//! A device is forgotten, and its sessions end: what was on it has to log in again, and is told as a new device then.

use serde_json::json;

use crate::clock::Timestamp;
use crate::db::{Change, Database, DbError};
use crate::error::Error;
use crate::events::{self, Ends, Event, EventName};
use crate::ids::{ChangeId, DeviceId, UserId};
use crate::sessions::EndReason;
use crate::{devices, sessions, users};

use super::{Deed, get_device};

/// Forgets one of a user's devices. How many live sessions have ended with it.
pub async fn forget_device(
    db: &Database,
    deed: &Deed<'_>,
    user: &UserId,
    id: &DeviceId,
    now: Timestamp,
) -> Result<usize, Error> {
    let device = get_device(db, deed.tenant, user, id, now).await?;
    let (tenant, change, reason) = (deed.tenant, ChangeId::random(), EndReason::DeviceForgotten);
    let forgotten = Event {
        details: json!({ "device": id.as_str() }),
        ..deed.user_event(EventName::DeviceForgotten, user, &device.customer_id)
    };
    let ended = Event {
        reason: Some(reason.as_str()),
        ends: Some(Ends::Session),
        ..deed.user_event(EventName::SessionExpired, user, &device.customer_id)
    };
    let change = Change::new()
        // The user's row first: a login on the device comes before all of this, or after it.
        .with(users::store::lock(tenant, user))
        .with(sessions::store::end_on_device(tenant, user, &device.device_id, reason, &change, now))
        .with(devices::store::delete(tenant, user, id))
        .with(events::store::insert(tenant, &forgotten, now))
        .with(events::store::insert_for_ended_sessions(tenant, &ended, user, &change, now));
    match db.apply(change).await {
        Ok(applied) => Ok(applied.rows(1).len()),
        Err(DbError::Refused("device")) => Err(Error::NotFound),
        Err(error) => Err(error.into()),
    }
}
