//! What is known of a user beside who it is.

use crate::clock::Timestamp;
use crate::db::{DbError, Row};

use super::{Metadata, Phone};

/// What answers with tokens show of a user, and claims take from their metadata: it decides nothing of what they may.
#[derive(Clone, Debug)]
pub struct UserProfile {
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub full_name: Option<String>,
    pub gender: Option<String>,
    pub phones: Vec<Phone>,
    pub metadata: Metadata,
    pub last_login_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl UserProfile {
    /// Reads the columns that `user_profile_columns!` names, of a user who is there.
    pub fn from_row(row: &Row) -> Result<Self, DbError> {
        let broken = |column: &str| DbError::Failed(format!("{column}: not what it should hold"));
        Ok(Self {
            email: row.maybe_text("user_email")?,
            first_name: row.maybe_text("user_first_name")?,
            last_name: row.maybe_text("user_last_name")?,
            full_name: row.maybe_text("user_full_name")?,
            gender: row.maybe_text("user_gender")?,
            phones: serde_json::from_str(&row.text("user_phones")?).map_err(|_| broken("users.phones"))?,
            metadata: Metadata::from_stored(&row.text("user_metadata")?)
                .map_err(|_| broken("users.metadata"))?,
            last_login_at: row.maybe_instant("user_last_login_at")?,
            created_at: row.instant("user_created_at")?,
            updated_at: row.instant("user_updated_at")?,
        })
    }

    /// The stored full name, or first and last joined.
    #[must_use]
    pub fn display_name(&self) -> Option<String> {
        self.full_name.clone().or_else(|| {
            let parts: Vec<&str> =
                [&self.first_name, &self.last_name].into_iter().flatten().map(String::as_str).collect();
            (!parts.is_empty()).then(|| parts.join(" "))
        })
    }
}
