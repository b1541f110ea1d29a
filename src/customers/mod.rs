//! Customers: individuals and organizations. A tenant's staff belong to its one house organization.

mod details;
pub mod moved;
mod record;
pub mod store;

pub use details::{Category, CustomerDetails, Organization};
pub use record::{CustomerFilters, CustomerMove, CustomerRecord};

/// What a customer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CustomerKind {
    Individual,
    Organization,
}

impl CustomerKind {
    pub const ALL: [Self; 2] = [Self::Individual, Self::Organization];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Individual => "individual",
            Self::Organization => "organization",
        }
    }

    /// The word of the documentation (`customerType`).
    #[must_use]
    pub const fn documented(self) -> &'static str {
        match self {
            Self::Individual => "CT_PERSON",
            Self::Organization => "CT_ORGANIZATION",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Where a customer stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CustomerStatus {
    Active,
    PendingActivation,
    PendingVerification,
    RegistrationCompleted,
    Suspended,
    Closed,
}

impl CustomerStatus {
    pub const ALL: [Self; 6] = [
        Self::Active,
        Self::PendingActivation,
        Self::PendingVerification,
        Self::RegistrationCompleted,
        Self::Suspended,
        Self::Closed,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::PendingActivation => "pending_activation",
            Self::PendingVerification => "pending_verification",
            Self::RegistrationCompleted => "registration_completed",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// The word of the documentation (`customerStatus`, docs/contract-notes.md).
    #[must_use]
    pub const fn documented(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::PendingActivation => "PENDING_ACTIVATION",
            Self::PendingVerification => "PENDING_VERIFICATION",
            Self::RegistrationCompleted => "CS_REGISTRATION_COMPLETED",
            Self::Suspended => "SUSPENDED",
            Self::Closed => "CLOSED",
        }
    }

    /// Why sessions end when a customer comes into this status; `None` if they do not.
    #[must_use]
    pub const fn ends_sessions_as(self) -> Option<&'static str> {
        match self {
            Self::Suspended => Some("customer_suspended"),
            Self::Closed => Some("customer_closed"),
            _ => None,
        }
    }

    /// Whether its users may log in: also before activation, as the documented order has it.
    #[must_use]
    pub const fn admits(self) -> bool {
        self.ends_sessions_as().is_none()
    }
}
