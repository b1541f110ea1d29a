//! Users: who logs in for a customer, and the names they do it with.

pub mod directory;
mod metadata;
pub mod moved;
mod name;
pub mod peppers;
mod phone;
mod roles;
pub mod store;

pub use metadata::{MAX_METADATA_BYTES, Metadata, is_metadata_key};
pub use name::{LoginName, MAX_NAME_BYTES, is_unfit};
pub use phone::{MAX_PHONES, PHONE_TYPES, Phone, e164};
pub use roles::{MAX_ROLES, StaffRole, check_customer_roles, check_staff_roles};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::customers::{CustomerKind, CustomerStatus};
use crate::db::{DbError, Row};
use crate::ids::{CustomerId, SessionId, UserId};
use crate::passwords::PasswordHash;
use crate::tenants::{Family, SessionsEnded};

/// Whose user it is: a customer's, or the tenant's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UserKind {
    Customer,
    Staff,
}

impl UserKind {
    pub const ALL: [Self; 2] = [Self::Customer, Self::Staff];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Staff => "staff",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Whether a user may log in, as far as it is the user's own doing or the tenant's with them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UserStatus {
    Active,
    Suspended,
    /// For good.
    Closed,
}

impl UserStatus {
    pub const ALL: [Self; 3] = [Self::Active, Self::Suspended, Self::Closed];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// The word in answers and filters, spelled as the customers' are.
    #[must_use]
    pub const fn documented(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::Closed => "CLOSED",
        }
    }
}

/// What else the registration asks of a person; free text, but for the day.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PersonDetails {
    /// `1990-12-31`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_of_birth: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nationality: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place_of_birth: Option<String>,
    /// The postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pincode: Option<String>,
}

/// A user with their customer, as a login or a session's caller needs them.
#[derive(Clone, Debug)]
pub struct User {
    pub id: UserId,
    pub customer_id: CustomerId,
    pub customer_kind: CustomerKind,
    pub customer_status: CustomerStatus,
    pub kind: UserKind,
    pub active: bool,
    pub password_hash: Option<PasswordHash>,
    /// Which of the user's passwords the hash is of.
    pub password_version: i64,
    pub roles: Vec<String>,
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub full_name: Option<String>,
    pub gender: Option<String>,
    pub phones: Vec<Phone>,
    pub metadata: Metadata,
    pub last_login_at: Option<Timestamp>,
    /// When and why all sessions of this user ended.
    pub sessions_ended: Option<SessionsEnded>,
    /// The one session that this spares: the one in which the user changed the password.
    pub session_kept: Option<SessionId>,
    /// When and why all sessions of the customer's users ended.
    pub customer_sessions_ended: Option<SessionsEnded>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl User {
    /// Reads the columns that `user_columns!` names; `None` where the join found nobody.
    pub fn from_row(row: &Row) -> Result<Option<Self>, DbError> {
        let Some(id) = row.maybe_text("user_id")? else { return Ok(None) };
        let broken = |column: &str| DbError::Failed(format!("{column}: not what it should hold"));
        // A damaged hash is nobody's password. It must not tell the name from others by another answer.
        let password_hash = row.maybe_text("user_password_hash")?.and_then(|text| {
            PasswordHash::parse(&text)
                .inspect_err(
                    |problem| tracing::error!(user = id, %problem, "a stored password hash cannot be used"),
                )
                .ok()
        });
        Ok(Some(Self {
            id: UserId::from_stored(id),
            customer_id: CustomerId::from_stored(row.text("customer_id")?),
            customer_kind: CustomerKind::parse(&row.text("customer_kind")?)
                .ok_or_else(|| broken("customers.kind"))?,
            customer_status: CustomerStatus::parse(&row.text("customer_status")?)
                .ok_or_else(|| broken("customers.status"))?,
            kind: if row.text("user_kind")? == "staff" { UserKind::Staff } else { UserKind::Customer },
            active: row.text("user_status")? == "active",
            password_hash,
            password_version: row.int("user_password_version")?,
            roles: serde_json::from_str(&row.text("user_roles")?).map_err(|_| broken("users.roles"))?,
            email: row.maybe_text("user_email")?,
            first_name: row.maybe_text("user_first_name")?,
            last_name: row.maybe_text("user_last_name")?,
            full_name: row.maybe_text("user_full_name")?,
            gender: row.maybe_text("user_gender")?,
            phones: serde_json::from_str(&row.text("user_phones")?).map_err(|_| broken("users.phones"))?,
            metadata: Metadata::from_stored(&row.text("user_metadata")?)
                .map_err(|_| broken("users.metadata"))?,
            last_login_at: row.maybe_instant("user_last_login_at")?,
            sessions_ended: SessionsEnded::from_row(
                row,
                "user_sessions_not_before",
                "user_sessions_end_reason",
            )?,
            session_kept: row.maybe_text("user_session_kept")?.map(SessionId::from_stored),
            customer_sessions_ended: SessionsEnded::from_row(
                row,
                "customer_sessions_not_before",
                "customer_sessions_end_reason",
            )?,
            created_at: row.instant("user_created_at")?,
            updated_at: row.instant("user_updated_at")?,
        }))
    }

    /// Whether this user may log in at all: also before the customer's activation.
    #[must_use]
    pub fn may_log_in(&self) -> bool {
        self.active && self.customer_status.admits()
    }

    /// Whether the user is staff *and* has this role: kind alone permits nothing, nor does a customer's word.
    #[must_use]
    pub fn has_staff_role(&self, role: StaffRole) -> bool {
        self.kind == UserKind::Staff && self.roles.iter().any(|own| own == role.as_str())
    }

    /// The one family whose routes this user logs in by.
    #[must_use]
    pub fn family(&self) -> Family {
        match (self.kind, self.customer_kind) {
            (UserKind::Staff, _) => Family::Admin,
            (UserKind::Customer, CustomerKind::Individual) => Family::Individual,
            (UserKind::Customer, CustomerKind::Organization) => Family::Organization,
        }
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

    /// The highest of the roles: ADMIN before USER, others as given.
    #[must_use]
    pub fn highest_role(&self) -> Option<&str> {
        ["ADMIN", "USER"]
            .into_iter()
            .find(|role| self.roles.iter().any(|own| own == role))
            .or_else(|| self.roles.first().map(String::as_str))
    }

    /// `userType` in tokens: ADMIN for staff, CONSUMER for all others. Permission never comes from it.
    #[must_use]
    pub const fn user_type(&self) -> &'static str {
        match self.kind {
            UserKind::Staff => "ADMIN",
            UserKind::Customer => "CONSUMER",
        }
    }
}
