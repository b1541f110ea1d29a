//! Users who move in from elsewhere or move out: with their dates, their status and the hash of their password.

pub mod store;

use crate::clock::Timestamp;
use crate::customers::moved::DepartingCustomer;
use crate::db::{DbError, Row};
use crate::ids::UserId;

use super::store::NewUser;
use super::{Metadata, PersonDetails, Phone, UserKind, UserStatus};

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
    pub id: UserId,
    pub customer: DepartingCustomer,
    pub kind: UserKind,
    pub status: UserStatus,
    pub username: Option<String>,
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub full_name: Option<String>,
    pub gender: Option<String>,
    pub phones: Vec<Phone>,
    pub roles: Vec<String>,
    pub details: PersonDetails,
    pub metadata: Metadata,
    /// As stored: a damaged one leaves as it is.
    pub password_hash: Option<String>,
    pub password_changed_at: Option<Timestamp>,
    pub last_login_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl DepartingUser {
    /// Reads a row of [`store::list`].
    pub fn from_row(row: &Row) -> Result<Self, DbError> {
        let broken = |column: &str| DbError::Failed(format!("{column}: not what it should hold"));
        Ok(Self {
            id: UserId::from_stored(row.text("id")?),
            customer: DepartingCustomer::from_row(row)?,
            kind: UserKind::parse(&row.text("kind")?).ok_or_else(|| broken("users.kind"))?,
            status: UserStatus::parse(&row.text("status")?).ok_or_else(|| broken("users.status"))?,
            username: row.maybe_text("username")?,
            email: row.maybe_text("email")?,
            first_name: row.maybe_text("first_name")?,
            last_name: row.maybe_text("last_name")?,
            full_name: row.maybe_text("full_name")?,
            gender: row.maybe_text("gender")?,
            phones: serde_json::from_str(&row.text("phones")?).map_err(|_| broken("users.phones"))?,
            roles: serde_json::from_str(&row.text("roles")?).map_err(|_| broken("users.roles"))?,
            details: serde_json::from_str(&row.text("profile")?).map_err(|_| broken("users.profile"))?,
            metadata: Metadata::from_stored(&row.text("metadata")?).map_err(|_| broken("users.metadata"))?,
            password_hash: row.maybe_text("password_hash")?,
            password_changed_at: row.maybe_instant("password_changed_at")?,
            last_login_at: row.maybe_instant("last_login_at")?,
            created_at: row.instant("created_at")?,
            updated_at: row.instant("updated_at")?,
        })
    }
}
