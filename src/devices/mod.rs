//! Devices: where a user has logged in from.

pub mod store;

use crate::clock::Timestamp;
use crate::db::{DbError, Row};
use crate::ids::{CustomerId, DeviceId};

/// The longest name, in characters.
pub const MAX_NAME: usize = 100;

/// A device of a user's, with what is true of it now.
#[derive(Clone, Debug)]
pub struct Device {
    pub id: DeviceId,
    /// The user's.
    pub customer_id: CustomerId,
    /// What the app says it is: free text, which anybody can copy.
    pub device_id: String,
    /// What the user calls it.
    pub name: Option<String>,
    /// Of the latest login.
    pub platform: Option<String>,
    pub first_seen_at: Timestamp,
    /// The latest login; a refresh moves nothing here.
    pub last_seen_at: Timestamp,
    /// How many of the user's live sessions were opened on it.
    pub sessions: i64,
}

impl Device {
    /// Reads a row of [`store::list`] or [`store::find`].
    pub fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: DeviceId::from_stored(row.text("change_id")?),
            customer_id: CustomerId::from_stored(row.text("customer_id")?),
            device_id: row.text("device_id")?,
            name: row.maybe_text("name")?,
            platform: row.maybe_text("platform")?,
            first_seen_at: row.instant("first_seen_at")?,
            last_seen_at: row.instant("last_seen_at")?,
            sessions: row.int("sessions")?,
        })
    }
}
