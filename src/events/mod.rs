//! Events: who did what to whom, why, when and from where, written in the same change as the deed.
//!
//! An event has a fixed part and a personal part. The personal part goes when a person is erased; what
//! will be sealed of it is only its salted digest, so that what remains stays verifiable.

mod catalogue;
pub mod deeds;
pub mod locks;
mod personal;
mod place;
mod recorded;
pub mod revocations;
pub mod sealing;
pub mod store;

use serde_json::{Value, json};

use crate::client::Client;
use crate::clock::Timestamp;
use crate::ids::{CustomerId, OperatorId, SessionId, TenantKeyId, UserId};
use crate::users::{User, UserKind};

pub use catalogue::events_document;
pub use personal::personal_digest;
pub use place::{FeedPlace, History, OF_ANOTHER_HISTORY};
pub use recorded::{EventFilter, Recorded};

/// What happened, in the words of the OWASP logging vocabulary. [`EventName::meaning`] says what each means, and
/// [`EventName::details`] what belongs to it: whoever writes a detail describes it there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventName {
    AuthnLoginSuccess,
    AuthnLoginFail,
    AuthnLoginFailMax,
    AuthnLoginLock,
    AuthnLoginUnlock,
    AuthnLoginNewDevice,
    AuthnTokenReuse,
    AuthnRefreshFail,
    AuthnPasswordChange,
    AuthnPasswordChangeFail,
    AuthnPasswordResetRequest,
    AuthzFail,
    ExcessRateLimitExceeded,
    SessionExpired,
    SessionsEnded,
    SessionNetworkChanged,
    DeviceForgotten,
    CustomerCreated,
    CustomerUpdated,
    CustomerStatusChanged,
    CustomerErased,
    UserCreated,
    UserUpdated,
    UserStatusChanged,
    UserErased,
    UsersImported,
    UsersExported,
    PrivilegePermissionsChanged,
    TenantCreated,
    TenantUpdated,
    TenantStatusChanged,
    TenantKeyCreated,
    TenantKeyRevoked,
    SigningKeyCreated,
    SigningKeyRetired,
    OperatorCreated,
    OperatorRevoked,
    MasterKeyAdded,
    MasterKeyRetired,
    StoreRolledBack,
    AuditEventsDeleted,
    StoreRestored,
    RefusalsSummary,
}

impl EventName {
    /// All of them, in the order of their docs.
    pub const ALL: [Self; 43] = [
        Self::AuthnLoginSuccess,
        Self::AuthnLoginFail,
        Self::AuthnLoginFailMax,
        Self::AuthnLoginLock,
        Self::AuthnLoginUnlock,
        Self::AuthnLoginNewDevice,
        Self::AuthnTokenReuse,
        Self::AuthnRefreshFail,
        Self::AuthnPasswordChange,
        Self::AuthnPasswordChangeFail,
        Self::AuthnPasswordResetRequest,
        Self::AuthzFail,
        Self::ExcessRateLimitExceeded,
        Self::SessionExpired,
        Self::SessionsEnded,
        Self::SessionNetworkChanged,
        Self::DeviceForgotten,
        Self::CustomerCreated,
        Self::CustomerUpdated,
        Self::CustomerStatusChanged,
        Self::CustomerErased,
        Self::UserCreated,
        Self::UserUpdated,
        Self::UserStatusChanged,
        Self::UserErased,
        Self::UsersImported,
        Self::UsersExported,
        Self::PrivilegePermissionsChanged,
        Self::TenantCreated,
        Self::TenantUpdated,
        Self::TenantStatusChanged,
        Self::TenantKeyCreated,
        Self::TenantKeyRevoked,
        Self::SigningKeyCreated,
        Self::SigningKeyRetired,
        Self::OperatorCreated,
        Self::OperatorRevoked,
        Self::MasterKeyAdded,
        Self::MasterKeyRetired,
        Self::StoreRolledBack,
        Self::AuditEventsDeleted,
        Self::StoreRestored,
        Self::RefusalsSummary,
    ];

    /// The event of this word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == text)
    }

    /// The word in the `name` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthnLoginSuccess => "authn_login_success",
            Self::AuthnLoginFail => "authn_login_fail",
            Self::AuthnLoginFailMax => "authn_login_fail_max",
            Self::AuthnLoginLock => "authn_login_lock",
            Self::AuthnLoginUnlock => "authn_login_unlock",
            Self::AuthnLoginNewDevice => "authn_login_new_device",
            Self::AuthnTokenReuse => "authn_token_reuse",
            Self::AuthnRefreshFail => "authn_refresh_fail",
            Self::AuthnPasswordChange => "authn_password_change",
            Self::AuthnPasswordChangeFail => "authn_password_change_fail",
            Self::AuthnPasswordResetRequest => "authn_password_reset_request",
            Self::AuthzFail => "authz_fail",
            Self::ExcessRateLimitExceeded => "excess_rate_limit_exceeded",
            Self::SessionExpired => "session_expired",
            Self::SessionsEnded => "sessions_ended",
            Self::SessionNetworkChanged => "session_network_changed",
            Self::DeviceForgotten => "device_forgotten",
            Self::CustomerCreated => "customer_created",
            Self::CustomerUpdated => "customer_updated",
            Self::CustomerStatusChanged => "customer_status_changed",
            Self::CustomerErased => "customer_erased",
            Self::UserCreated => "user_created",
            Self::UserUpdated => "user_updated",
            Self::UserStatusChanged => "user_status_changed",
            Self::UserErased => "user_erased",
            Self::UsersImported => "users_imported",
            Self::UsersExported => "users_exported",
            Self::PrivilegePermissionsChanged => "privilege_permissions_changed",
            Self::TenantCreated => "tenant_created",
            Self::TenantUpdated => "tenant_updated",
            Self::TenantStatusChanged => "tenant_status_changed",
            Self::TenantKeyCreated => "tenant_key_created",
            Self::TenantKeyRevoked => "tenant_key_revoked",
            Self::SigningKeyCreated => "signing_key_created",
            Self::SigningKeyRetired => "signing_key_retired",
            Self::OperatorCreated => "operator_created",
            Self::OperatorRevoked => "operator_revoked",
            Self::MasterKeyAdded => "master_key_added",
            Self::MasterKeyRetired => "master_key_retired",
            Self::StoreRolledBack => "store_rolled_back",
            Self::AuditEventsDeleted => "audit_events_deleted",
            Self::StoreRestored => "store_restored",
            Self::RefusalsSummary => "input_refusals_summary",
        }
    }

    const fn outcome(self) -> &'static str {
        match self {
            Self::AuthnLoginFail
            | Self::AuthnLoginFailMax
            | Self::AuthnLoginLock
            | Self::AuthnPasswordChangeFail
            | Self::AuthnTokenReuse
            | Self::AuthnRefreshFail
            | Self::AuthzFail
            | Self::ExcessRateLimitExceeded
            | Self::StoreRolledBack
            | Self::RefusalsSummary => "failure",
            _ => "success",
        }
    }
}

/// Who did it.
#[derive(Clone, Copy, Debug)]
pub enum Actor<'a> {
    /// A customer's user.
    User(&'a UserId),
    /// A tenant's own user.
    Staff(&'a UserId),
    /// A tenant's server, by its backend key.
    Backend(&'a TenantKeyId),
    /// Who runs Vestibule: by token, or `None` at the command line.
    Operator(Option<&'a OperatorId>),
    /// Vestibule by itself, as time passes.
    System,
    /// Nobody we know: a failed login's caller.
    Unknown,
}

impl<'a> Actor<'a> {
    /// A user acting for themselves.
    #[must_use]
    pub const fn of(user: &'a User) -> Self {
        match user.kind {
            UserKind::Staff => Self::Staff(&user.id),
            UserKind::Customer => Self::User(&user.id),
        }
    }

    /// The word in the `actor_kind` columns.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Staff(_) => "staff",
            Self::Backend(_) => "backend",
            Self::Operator(_) => "operator",
            Self::System => "system",
            Self::Unknown => "unknown",
        }
    }

    /// The id in the `actor_id` columns.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::User(id) | Self::Staff(id) => Some(id.as_str()),
            Self::Backend(key) => Some(key.as_str()),
            Self::Operator(id) => id.map(OperatorId::as_str),
            _ => None,
        }
    }
}

/// One event, before it is written.
#[derive(Debug)]
pub struct Event<'a> {
    pub name: EventName,
    pub actor: Actor<'a>,
    /// To whom it was done; `None` where no user is known.
    pub user: Option<&'a UserId>,
    /// To which customer; `None` where the event is not about one.
    pub customer: Option<&'a CustomerId>,
    /// With which session; `None` where there is none.
    pub session: Option<&'a SessionId>,
    /// A word, ours or the caller's, that names nobody: why.
    pub reason: Option<&'a str>,
    /// Why, in free text of the caller's. It may name somebody, so it stands in the personal part.
    pub note: Option<&'a str>,
    /// From where; `None` for what no request did.
    pub client: Option<&'a Client>,
    /// What else belongs to this kind of event; nothing personal, nothing secret.
    pub details: Value,
    /// Which sessions that lived it has ended: whoever verifies access tokens by themselves is told. `None` where it
    /// ended none, and where they had ended before.
    pub ends: Option<Ends<'a>>,
}

/// What an event has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ends<'a> {
    /// The event's session.
    Session,
    /// All of the event's user that were opened at or before `until`, but for one.
    User { until: Timestamp, but: Option<&'a SessionId> },
    /// All of the users of the event's customer that were opened at or before `until`.
    Customer { until: Timestamp },
    /// All of the tenant that were opened at or before `until`.
    Tenant { until: Timestamp },
}

impl<'a> Ends<'a> {
    /// The word in the `ends` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::User { .. } => "user",
            Self::Customer { .. } => "customer",
            Self::Tenant { .. } => "tenant",
        }
    }

    const fn until(self) -> Option<Timestamp> {
        match self {
            Self::Session => None,
            Self::User { until, .. } | Self::Customer { until } | Self::Tenant { until } => Some(until),
        }
    }

    const fn but(self) -> Option<&'a SessionId> {
        match self {
            Self::User { but, .. } => but,
            _ => None,
        }
    }
}

impl<'a> Event<'a> {
    /// An event with no more to it; what else is known is set field by field.
    #[must_use]
    pub fn new(name: EventName, actor: Actor<'a>) -> Self {
        let details = json!({});
        Self {
            name,
            actor,
            user: None,
            customer: None,
            session: None,
            reason: None,
            note: None,
            client: None,
            details,
            ends: None,
        }
    }
}
