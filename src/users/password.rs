//! A user's password, as whoever checks it needs it.

use crate::db::{DbError, Row};
use crate::ids::UserId;
use crate::passwords::PasswordHash;

/// The password that is in force, if there is one.
#[derive(Clone, Debug)]
pub struct StoredPassword {
    pub hash: Option<PasswordHash>,
    /// Which of the user's passwords it is.
    pub version: i64,
}

impl StoredPassword {
    /// Reads the columns that `user_password_columns!` names, of this user's row.
    pub fn from_row(row: &Row, user: &UserId) -> Result<Self, DbError> {
        // A damaged hash is nobody's password. It must not tell the name from others by another answer.
        let hash = row.maybe_text("user_password_hash")?.and_then(|text| {
            PasswordHash::parse(&text)
                .inspect_err(
                    |problem| tracing::error!(user = user.as_str(), %problem, "a stored password hash cannot be used"),
                )
                .ok()
        });
        Ok(Self { hash, version: row.int("user_password_version")? })
    }
}
