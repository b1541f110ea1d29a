//! What stands in a path.

use crate::error::Error;
use crate::flows::PathId;
use crate::ids::{CustomerId, DeviceId, NIL, SessionId, UserId};
use crate::tenants::Family;

/// Where a family's routes begin; `owner` is the name of the first id in it.
#[must_use]
pub const fn family_prefix(family: Family) -> &'static str {
    match family {
        Family::Individual => "/api/v2.1/customer/individual/{customerId}",
        Family::Organization => "/api/v2.1/customer/organization/{organizationId}",
        Family::Admin => "/api/v2.1/admin/organization/{organizationId}",
    }
}

/// The name of a family's first path id.
#[must_use]
pub const fn owner_name(family: Family) -> &'static str {
    match family {
        Family::Individual => "customerId",
        Family::Organization | Family::Admin => "organizationId",
    }
}

const SHAPE: &str = "must be 1 to 64 letters, digits, - or _, or the nil UUID";

/// The first id of a family's path.
pub fn owner(family: Family, text: &str) -> Result<PathId<CustomerId>, Error> {
    read(text, CustomerId::parse).ok_or_else(|| Error::invalid(owner_name(family), SHAPE))
}

/// The user's id.
pub fn user(text: &str) -> Result<PathId<UserId>, Error> {
    read(text, UserId::parse).ok_or_else(|| Error::invalid("userId", SHAPE))
}

/// The session's id: there is no nil session.
pub fn session(text: &str) -> Result<SessionId, Error> {
    SessionId::parse(text)
        .ok_or_else(|| Error::invalid("sessionId", "must be 1 to 64 letters, digits, - or _"))
}

/// A device's id, from the list of devices.
pub fn device(text: &str) -> Result<DeviceId, Error> {
    DeviceId::parse(text).ok_or_else(|| {
        Error::invalid("device", "must be 1 to 64 letters, digits, - or _: the id of a device")
    })
}

fn read<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<PathId<T>> {
    if text == NIL { Some(PathId::Nil) } else { parse(text).map(PathId::Id) }
}
