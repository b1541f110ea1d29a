//! What the answers show: exactly the documented fields, absent values as null, never left out.

use serde::Serialize;
use utoipa::ToSchema;

use crate::access_tokens::Claims;
use crate::callers::UserCaller;
use crate::clock::Timestamp;
use crate::flows::{Ended, LoggedIn, Refreshed};
use crate::ids::SessionId;
use crate::sessions::Session;
use crate::tenants::Family;
use crate::users::{Phone, User, UserProfile};

/// `data` of a login, and of a refresh.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionStarted {
    #[schema(example = true)]
    success: bool,
    #[schema(example = "Session created successfully")]
    message: &'static str,
    #[schema(example = "NONE")]
    error_type: &'static str,
    /// The access token: a signed JWT.
    token: String,
    /// The same access token.
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Opaque, for a refresh.
    refresh_token: String,
    /// A UUID.
    session_id: String,
    /// When the access token ends.
    #[schema(format = DateTime)]
    expires_at: String,
    /// Whole seconds until then.
    #[schema(example = 3600)]
    expires_in: i64,
    /// When the session ends at the latest.
    #[schema(format = DateTime)]
    session_expires_at: String,
    /// When the session ends if it is not refreshed.
    #[schema(format = DateTime)]
    session_idle_expires_at: String,
    user_id: String,
    /// The organization on the organization and admin families.
    customer_id: String,
    /// The tenant's id, never its slug.
    tenant_id: String,
    roles: Vec<String>,
    session_metadata: SessionMetadata,
    user: UserView,
}

/// From where a session was opened.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionMetadata {
    /// The decided address: the connection's other end, unless a trusted proxy or backend says otherwise.
    client_ip: String,
    #[schema(required)]
    client_platform: Option<String>,
    #[schema(required)]
    user_agent: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
}

impl SessionMetadata {
    #[must_use]
    pub(crate) fn of(session: &Session) -> Self {
        Self {
            client_ip: session.client_ip.clone(),
            client_platform: session.platform.clone(),
            user_agent: session.user_agent.clone(),
            created_at: session.created_at.to_string(),
        }
    }
}

/// The user's profile.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserView {
    id: String,
    customer_id: String,
    /// `ACTIVE`, `PENDING_ACTIVATION`, `PENDING_VERIFICATION`, `CS_REGISTRATION_COMPLETED`, `SUSPENDED` or
    /// `CLOSED`.
    customer_status: &'static str,
    #[schema(required)]
    email: Option<String>,
    /// As stored, or first and last name joined.
    #[schema(required)]
    full_name: Option<String>,
    #[schema(required)]
    first_name: Option<String>,
    #[schema(required)]
    last_name: Option<String>,
    /// The organization; null for individuals.
    #[schema(required)]
    organization_id: Option<String>,
    /// The highest of the roles: ADMIN before USER, others as given.
    #[schema(required)]
    role: Option<String>,
    /// The first of `phones`.
    #[schema(required)]
    phone_number: Option<String>,
    /// Whether this user may log in.
    is_active: bool,
    /// The login before this one; null at the first.
    #[schema(required, format = DateTime)]
    last_login: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    tenant_id: String,
    #[schema(required)]
    gender: Option<String>,
    phones: Vec<Phone>,
}

/// What an answer with tokens tells of its session, beside the user.
struct OfSession {
    id: SessionId,
    expires_at: Timestamp,
    idle_expires_at: Timestamp,
    metadata: SessionMetadata,
}

impl SessionStarted {
    fn new(
        message: &'static str,
        (access_token, claims, refresh_token): (String, &Claims, String),
        session: OfSession,
        (user, profile): (User, UserProfile),
        tenant_id: String,
    ) -> Self {
        Self {
            success: true,
            message,
            error_type: "NONE",
            token: access_token.clone(),
            access_token,
            token_type: "Bearer",
            refresh_token,
            session_id: session.id.to_string(),
            expires_at: Timestamp::from_millis(claims.exp * 1000).to_string(),
            expires_in: claims.exp - claims.iat,
            session_expires_at: session.expires_at.to_string(),
            session_idle_expires_at: session.idle_expires_at.to_string(),
            user_id: user.id.to_string(),
            customer_id: user.customer_id.to_string(),
            tenant_id: tenant_id.clone(),
            roles: user.roles.clone(),
            session_metadata: session.metadata,
            user: UserView::new(&user, profile, tenant_id),
        }
    }
}

impl From<LoggedIn> for SessionStarted {
    fn from(logged_in: LoggedIn) -> Self {
        let LoggedIn { access_token, refresh_token, claims, tenant, user, profile, session, client } =
            logged_in;
        let session = OfSession {
            id: session.id,
            expires_at: session.expires_at,
            idle_expires_at: session.idle_expires_at,
            metadata: SessionMetadata {
                client_ip: client.address.ip.to_string(),
                client_platform: client.platform,
                user_agent: client.user_agent,
                created_at: session.created_at.to_string(),
            },
        };
        let tokens = (access_token, &claims, refresh_token);
        Self::new("Session created successfully", tokens, session, (user, profile), tenant.id.to_string())
    }
}

impl From<Refreshed> for SessionStarted {
    fn from(refreshed: Refreshed) -> Self {
        let Refreshed { access_token, refresh_token, claims, tenant, user, profile, session } = refreshed;
        let session = OfSession {
            metadata: SessionMetadata::of(&session),
            id: session.id,
            expires_at: session.expires_at,
            idle_expires_at: session.idle_expires_at,
        };
        let tokens = (access_token, &claims, refresh_token);
        Self::new("Session refreshed successfully", tokens, session, (user, profile), tenant.id.to_string())
    }
}

impl UserView {
    fn new(user: &User, profile: UserProfile, tenant_id: String) -> Self {
        let customer_id = user.customer_id.to_string();
        Self {
            id: user.id.to_string(),
            customer_status: user.customer_status.documented(),
            full_name: profile.display_name(),
            organization_id: (user.family() != Family::Individual).then(|| customer_id.clone()),
            customer_id,
            role: user.highest_role().map(str::to_owned),
            phone_number: profile.phones.first().map(|phone| phone.number.clone()),
            is_active: user.may_log_in(),
            last_login: profile.last_login_at.map(|at| at.to_string()),
            created_at: profile.created_at.to_string(),
            updated_at: profile.updated_at.to_string(),
            tenant_id,
            email: profile.email,
            first_name: profile.first_name,
            last_name: profile.last_name,
            gender: profile.gender,
            phones: profile.phones,
        }
    }
}

/// `data` of one session: no token, no profile.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    #[schema(example = true)]
    success: bool,
    #[schema(example = "Session found")]
    message: &'static str,
    #[schema(example = "NONE")]
    error_type: &'static str,
    session_id: String,
    user_id: String,
    customer_id: String,
    tenant_id: String,
    roles: Vec<String>,
    #[schema(required)]
    device_id: Option<String>,
    session_metadata: SessionMetadata,
    /// The decided address of the latest refresh; null while none came from another one than the login.
    #[schema(required)]
    last_client_ip: Option<String>,
    #[schema(required, format = DateTime)]
    last_refreshed_at: Option<String>,
    #[schema(format = DateTime)]
    session_idle_expires_at: String,
    #[schema(format = DateTime)]
    session_expires_at: String,
    /// When it ended; null while it lives.
    #[schema(required, format = DateTime)]
    ended_at: Option<String>,
    /// Why it ended: `logout`, `expired_idle`, `expired_absolute`, `user_disabled`, …
    #[schema(required)]
    end_reason: Option<String>,
    /// Whether it is the session of the token that asks.
    current: bool,
}

impl SessionView {
    #[must_use]
    pub fn new(caller: &UserCaller, session: &Session, now: Timestamp) -> Self {
        let (ended_at, end_reason) = session.ending(&caller.tenant, &caller.user, now).unzip();
        Self {
            success: true,
            message: "Session found",
            error_type: "NONE",
            session_id: session.id.to_string(),
            user_id: session.user_id.to_string(),
            customer_id: session.customer_id.to_string(),
            tenant_id: caller.tenant.id.to_string(),
            roles: caller.user.roles.clone(),
            device_id: session.device_id.clone(),
            session_metadata: SessionMetadata::of(session),
            last_client_ip: session.last_client_ip.clone(),
            last_refreshed_at: session.refreshed_at.map(|at| at.to_string()),
            session_idle_expires_at: session.idle_expires_at.to_string(),
            session_expires_at: session.expires_at.to_string(),
            ended_at: ended_at.map(|at| at.to_string()),
            end_reason,
            current: session.id == caller.session.id,
        }
    }
}

/// `data` of a logout: the first ending, always.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionEnded {
    #[schema(example = true)]
    success: bool,
    #[schema(example = "Session ended")]
    message: &'static str,
    #[schema(example = "NONE")]
    error_type: &'static str,
    session_id: String,
    #[schema(format = DateTime)]
    ended_at: String,
    #[schema(example = "logout")]
    end_reason: String,
}

impl SessionEnded {
    #[must_use]
    pub fn new(session: &SessionId, ended: &Ended) -> Self {
        Self {
            success: true,
            message: "Session ended",
            error_type: "NONE",
            session_id: session.to_string(),
            ended_at: ended.at.to_string(),
            end_reason: ended.reason.clone(),
        }
    }
}

/// `data` of the end of all of a user's sessions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionsEnded {
    #[schema(example = true)]
    success: bool,
    #[schema(example = "Sessions ended")]
    message: &'static str,
    #[schema(example = "NONE")]
    error_type: &'static str,
    #[schema(format = DateTime)]
    ended_at: String,
}

impl SessionsEnded {
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self { success: true, message: "Sessions ended", error_type: "NONE", ended_at: at.to_string() }
    }
}
