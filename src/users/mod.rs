//! Users: who logs in for a customer, and the names they do it with.

mod name;
pub mod store;

pub use name::{LoginName, MAX_NAME_BYTES, is_unfit};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::customers::{CustomerKind, CustomerStatus};
use crate::db::{DbError, Row};
use crate::ids::{CustomerId, UserId};
use crate::passwords::PasswordHash;
use crate::tenants::{Family, SessionsEnded};

/// Whose user it is: a customer's, or the tenant's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UserKind {
    Customer,
    Staff,
}

impl UserKind {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Staff => "staff",
        }
    }
}

/// One telephone number.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Phone {
    /// `MOBILE`, `HOME` or `WORK`.
    #[schema(example = "MOBILE")]
    pub phone_type: String,
    /// `E164`.
    #[schema(example = "E164")]
    pub encoding: String,
    /// The number in E.164.
    #[schema(example = "+37060000000")]
    pub number: String,
}

/// What a role lets staff do. Other roles of staff are free words, as customers' are, and permit nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StaffRole {
    /// Manages customers, users and their credentials, and all that the others may.
    Admin,
    /// Manages users' sessions, and reads.
    Operator,
    /// Reads.
    Viewer,
}

impl StaffRole {
    /// The word in `roles`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "ADMIN",
            Self::Operator => "OPERATOR",
            Self::Viewer => "VIEWER",
        }
    }
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
    pub last_login_at: Option<Timestamp>,
    /// When and why all sessions of this user ended.
    pub sessions_ended: Option<SessionsEnded>,
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
            last_login_at: row.maybe_instant("user_last_login_at")?,
            sessions_ended: SessionsEnded::from_row(
                row,
                "user_sessions_not_before",
                "user_sessions_end_reason",
            )?,
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
