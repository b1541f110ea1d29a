//! Users: who logs in for a customer, and the names they do it with.

pub mod directory;
mod metadata;
pub mod moved;
mod name;
mod password;
pub mod peppers;
mod phone;
mod profile;
mod roles;
pub mod store;

pub use metadata::{MAX_METADATA_BYTES, Metadata, is_metadata_key};
pub use name::{LoginName, MAX_NAME_BYTES, is_unfit};
pub use password::StoredPassword;
pub use phone::{MAX_PHONES, PHONE_TYPES, Phone, e164};
pub use profile::UserProfile;
pub use roles::{MAX_ROLES, StaffRole, check_customer_roles, check_staff_roles};

use serde::{Deserialize, Serialize};

use crate::customers::{CustomerKind, CustomerStatus};
use crate::db::{DbError, Row};
use crate::ids::{CustomerId, SessionId, UserId};
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

/// Who a user is, with their customer, and all that decides what they may. It is read with every request of theirs; what
/// else is known of them is a [`UserProfile`] and a [`StoredPassword`].
#[derive(Clone, Debug)]
pub struct User {
    pub id: UserId,
    pub kind: UserKind,
    pub active: bool,
    pub roles: Vec<String>,
    /// When and why all sessions of this user ended.
    pub sessions_ended: Option<SessionsEnded>,
    /// The one session that this spares: the one in which the user changed the password.
    pub session_kept: Option<SessionId>,
    pub customer_id: CustomerId,
    pub customer_kind: CustomerKind,
    pub customer_status: CustomerStatus,
    /// When and why all sessions of the customer's users ended.
    pub customer_sessions_ended: Option<SessionsEnded>,
}

impl User {
    /// Reads the columns that `user_columns!` names; `None` where the join found nobody.
    pub fn from_row(row: &Row) -> Result<Option<Self>, DbError> {
        let Some(id) = row.maybe_text("user_id")? else { return Ok(None) };
        let broken = |column: &str| DbError::Failed(format!("{column}: not what it should hold"));
        Ok(Some(Self {
            id: UserId::from_stored(id),
            kind: if row.text("user_kind")? == "staff" { UserKind::Staff } else { UserKind::Customer },
            active: row.text("user_status")? == "active",
            roles: serde_json::from_str(&row.text("user_roles")?).map_err(|_| broken("users.roles"))?,
            sessions_ended: SessionsEnded::from_row(
                row,
                "user_sessions_not_before",
                "user_sessions_end_reason",
            )?,
            session_kept: row.maybe_text("user_session_kept")?.map(SessionId::from_stored),
            customer_id: CustomerId::from_stored(row.text("customer_id")?),
            customer_kind: CustomerKind::parse(&row.text("customer_kind")?)
                .ok_or_else(|| broken("customers.kind"))?,
            customer_status: CustomerStatus::parse(&row.text("customer_status")?)
                .ok_or_else(|| broken("customers.status"))?,
            customer_sessions_ended: SessionsEnded::from_row(
                row,
                "customer_sessions_not_before",
                "customer_sessions_end_reason",
            )?,
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
