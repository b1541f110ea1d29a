//! Operators: who runs Vestibule, each by a token of their own.

pub mod store;

use secrecy::{ExposeSecret, SecretString};

use crate::clock::Timestamp;
use crate::db::{DbError, Row};
use crate::ids::OperatorId;
use crate::secrets::{random_text, sha256};

/// What an operator token begins with, so that people and scanners know one when they see it.
const PREFIX: &str = "vop1.";

/// An operator as stored: never the token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operator {
    pub id: OperatorId,
    pub name: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl Operator {
    /// Reads the columns that the store's queries name.
    pub fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: OperatorId::from_stored(row.text("operator_id")?),
            name: row.text("operator_name")?,
            created_at: row.instant("operator_created_at")?,
            expires_at: row.maybe_instant("operator_expires_at")?,
            revoked_at: row.maybe_instant("operator_revoked_at")?,
        })
    }

    /// Whether the token counts now.
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

impl Operator {
    /// `valid`, `expired` or `revoked`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> &'static str {
        match self.revoked_at {
            Some(_) => "revoked",
            None if self.is_good(now) => "valid",
            None => "expired",
        }
    }
}

/// An operator's name: 1 to 200 bytes, no control characters.
pub fn name(text: &str) -> Result<&str, &'static str> {
    let fits =
        (1..=200).contains(&text.len()) && !text.chars().any(char::is_control) && !text.trim().is_empty();
    fits.then_some(text).ok_or("must have 1 to 200 bytes, without control characters: whose token is it?")
}

/// A new operator token: 256 random bits, shown once.
#[must_use]
pub fn new_token() -> SecretString {
    SecretString::from(format!("{PREFIX}{}", random_text()))
}

/// What is stored of a token. It has 256 random bits, so a plain digest hides it.
#[must_use]
pub fn token_digest(token: &SecretString) -> [u8; 32] {
    sha256(token.expose_secret().as_bytes())
}
