//! Users who move in from elsewhere or move out: with their dates, their status and the hash of their password.

pub mod store;

use crate::clock::Timestamp;
use crate::customers::moved::DepartingCustomer;
use crate::db::{DbError, Row};

use super::UserStatus;
use super::directory::UserRecord;
use super::store::NewUser;

/// A user as they were elsewhere.
#[derive(Clone, Debug)]
pub struct MovedUser<'a> {
    pub user: NewUser<'a>,
    pub status: UserStatus,
    /// Whether verifying the password's hash takes another time than one of ours (R004).
    pub password_imported: bool,
    /// `None` where nobody knows.
    pub password_changed_at: Option<Timestamp>,
    pub last_login_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// All that moves out with a user, and with whose user they are.
#[derive(Debug)]
pub struct DepartingUser {
    pub record: UserRecord,
    pub customer: DepartingCustomer,
    /// As stored: a damaged one leaves as it is.
    pub password_hash: Option<String>,
    pub password_changed_at: Option<Timestamp>,
}

impl DepartingUser {
    /// Reads a row of [`store::list`].
    pub fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            record: UserRecord::from_row(row)?,
            customer: DepartingCustomer::from_row(row)?,
            password_hash: row.maybe_text("password_hash")?,
            password_changed_at: row.maybe_instant("password_changed_at")?,
        })
    }
}
