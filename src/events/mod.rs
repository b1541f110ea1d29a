//! Events: who did what to whom, why, when and from where, written in the same change as the deed.
//!
//! An event has a fixed part and a personal part. The personal part goes when a person is erased; what
//! will be sealed of it is only its salted digest, so that what remains stays verifiable.

pub mod store;

use serde_json::{Value, json};

use crate::client::Client;
use crate::ids::{SessionId, UserId};
use crate::users::{User, UserKind};

/// What happened, in the words of the OWASP logging vocabulary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventName {
    /// A session was opened.
    AuthnLoginSuccess,
    /// A login failed, for whatever reason after its tenant was authenticated.
    AuthnLoginFail,
    /// A name was locked; the failures have events of their own.
    AuthnLoginLock,
    /// A session's end; the reason says which.
    SessionExpired,
    UserCreated,
    TenantCreated,
    /// What was refused before any tenant was known, counted by the minute.
    RefusalsSummary,
}

impl EventName {
    /// The word in the `name` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthnLoginSuccess => "authn_login_success",
            Self::AuthnLoginFail => "authn_login_fail",
            Self::AuthnLoginLock => "authn_login_lock",
            Self::SessionExpired => "session_expired",
            Self::UserCreated => "user_created",
            Self::TenantCreated => "tenant_created",
            Self::RefusalsSummary => "input_refusals_summary",
        }
    }

    const fn outcome(self) -> &'static str {
        match self {
            Self::AuthnLoginFail | Self::AuthnLoginLock | Self::RefusalsSummary => "failure",
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
    /// Whoever runs a command.
    Operator,
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
    const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Staff(_) => "staff",
            Self::Operator => "operator",
            Self::System => "system",
            Self::Unknown => "unknown",
        }
    }

    fn id(&self) -> Option<&str> {
        match self {
            Self::User(id) | Self::Staff(id) => Some(id.as_str()),
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
    /// With which session; `None` where there is none.
    pub session: Option<&'a SessionId>,
    /// A word from a closed list: why.
    pub reason: Option<&'a str>,
    /// From where; `None` for what no request did.
    pub client: Option<&'a Client>,
    /// What else belongs to this kind of event; nothing personal, nothing secret.
    pub details: Value,
}

impl<'a> Event<'a> {
    /// An event with no more to it; what else is known is set field by field.
    #[must_use]
    pub fn new(name: EventName, actor: Actor<'a>) -> Self {
        Self { name, actor, user: None, session: None, reason: None, client: None, details: json!({}) }
    }

    /// The personal part: address, agent, device.
    fn personal(&self) -> Option<Value> {
        self.client.map(|client| {
            json!({
                "clientIp": client.address.ip,
                "clientIpReason": client.address.reason,
                "peer": client.peer,
                "forwardedFor": client.forwarded_for,
                "source": client.source,
                "platform": client.platform,
                "deviceId": client.device_id,
                "userAgent": client.user_agent,
                "correlationId": client.correlation_id,
            })
        })
    }
}
