//! Sessions: who is logged in, on which device, until when, and why it ended.

mod document;
pub mod keys;
pub mod operations;
pub mod search;
pub mod store;

use crate::clock::Timestamp;
use crate::customers::CustomerStatus;
use crate::db::{DbError, Row};
use crate::ids::{CustomerId, SessionId, TenantId, TenantKeyId, UserId};
use crate::secrets::{MasterKey, random};
use crate::tenants::{Family, Lifetimes, Tenant};
use crate::users::User;

pub use document::sessions_document;

/// Why a session ended: one closed list, in the database, the API and the events alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndReason {
    /// The user logged out: of this session, of the others, or everywhere.
    Logout,
    /// It was not refreshed for as long as the tenant lets sessions idle.
    ExpiredIdle,
    /// It was as old as the tenant lets sessions become.
    ExpiredAbsolute,
    /// The user logged in again on the same device, and the tenant has one session a device.
    Replaced,
    /// The user logged in once more than the tenant allows at a time, and this was the oldest.
    Limit,
    /// A refresh token that was used up came again: somebody else may have it.
    RefreshReuse,
    /// The user's password was changed, reset or taken away.
    PasswordChanged,
    /// Its device was forgotten.
    DeviceForgotten,
    /// The user was suspended, closed or erased.
    UserDisabled,
    /// The user's customer was suspended.
    CustomerSuspended,
    /// The user's customer was closed.
    CustomerClosed,
    /// The tenant key that opened it was revoked or has expired.
    TenantKeyRevoked,
    /// The tenant was suspended.
    TenantSuspended,
    /// One of the tenant's staff ended it.
    EndedByStaff,
    /// A backend of the tenant's ended it.
    EndedByBackend,
    /// An operator of Vestibule ended it.
    EndedByOperator,
    /// The database was replaced by an older copy of itself, which cannot know what has ended since.
    StoreRestored,
}

impl EndReason {
    /// All of them, in the order of their docs.
    pub const ALL: [Self; 17] = [
        Self::Logout,
        Self::ExpiredIdle,
        Self::ExpiredAbsolute,
        Self::Replaced,
        Self::Limit,
        Self::RefreshReuse,
        Self::PasswordChanged,
        Self::DeviceForgotten,
        Self::UserDisabled,
        Self::CustomerSuspended,
        Self::CustomerClosed,
        Self::TenantKeyRevoked,
        Self::TenantSuspended,
        Self::EndedByStaff,
        Self::EndedByBackend,
        Self::EndedByOperator,
        Self::StoreRestored,
    ];

    /// The reason of this code.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }

    /// The stable code in answers, events and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::ExpiredIdle => "expired_idle",
            Self::ExpiredAbsolute => "expired_absolute",
            Self::Replaced => "replaced",
            Self::Limit => "limit",
            Self::RefreshReuse => "refresh_reuse",
            Self::PasswordChanged => "password_changed",
            Self::DeviceForgotten => "device_forgotten",
            Self::UserDisabled => "user_disabled",
            Self::CustomerSuspended => "customer_suspended",
            Self::CustomerClosed => "customer_closed",
            Self::TenantKeyRevoked => "tenant_key_revoked",
            Self::TenantSuspended => "tenant_suspended",
            Self::EndedByStaff => "ended_by_staff",
            Self::EndedByBackend => "ended_by_backend",
            Self::EndedByOperator => "ended_by_operator",
            Self::StoreRestored => "store_restored",
        }
    }

    /// What it means.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Logout => "The user logged out: of this session, of the others, or everywhere.",
            Self::ExpiredIdle => "It was not refreshed for as long as the tenant lets sessions idle.",
            Self::ExpiredAbsolute => "It was as old as the tenant lets sessions become.",
            Self::Replaced => {
                "The user logged in again on the same device, and the tenant has one session a device."
            }
            Self::Limit => {
                "The user logged in once more than the tenant allows at a time, and this was the oldest."
            }
            Self::RefreshReuse => "A refresh token that was used up came again: somebody else may have it.",
            Self::PasswordChanged => "The user's password was changed, reset or taken away.",
            Self::DeviceForgotten => "Its device was forgotten.",
            Self::UserDisabled => "The user was suspended, closed or erased.",
            Self::CustomerSuspended => "The user's customer was suspended.",
            Self::CustomerClosed => "The user's customer was closed.",
            Self::TenantKeyRevoked => "The tenant key that opened it was revoked or has expired.",
            Self::TenantSuspended => "The tenant was suspended.",
            Self::EndedByStaff => "One of the tenant's staff ended it.",
            Self::EndedByBackend => "A backend of the tenant's ended it.",
            Self::EndedByOperator => "An operator of Vestibule ended it.",
            Self::StoreRestored => {
                "The database was replaced by an older copy of itself, which cannot know what has ended since."
            }
        }
    }
}

/// A session's row.
#[derive(Clone, Debug)]
pub struct Session {
    pub id: SessionId,
    pub user_id: UserId,
    pub customer_id: CustomerId,
    pub family: Family,
    pub device_id: Option<String>,
    pub platform: Option<String>,
    pub user_agent: Option<String>,
    pub client_ip: String,
    /// The latest refresh's address, where it was another one.
    pub last_client_ip: Option<String>,
    /// The tenant key that opened it; `None` where none was needed.
    pub tenant_key_id: Option<TenantKeyId>,
    pub created_at: Timestamp,
    pub refreshed_at: Option<Timestamp>,
    /// Counts the login and the refreshes: which refresh token is the current one.
    pub generation: i64,
    pub idle_expires_at: Timestamp,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub end_reason: Option<String>,
}

impl Session {
    /// Reads the columns that `session_columns!` names.
    pub fn from_row(row: &Row) -> Result<Self, DbError> {
        let family = |text: &str| {
            Family::parse(text)
                .ok_or_else(|| DbError::Failed(format!("sessions.family: unknown word {text}")))
        };
        Ok(Self {
            id: SessionId::from_stored(row.text("session_id")?),
            user_id: UserId::from_stored(row.text("session_user_id")?),
            customer_id: CustomerId::from_stored(row.text("session_customer_id")?),
            family: family(&row.text("session_family")?)?,
            device_id: row.maybe_text("session_device_id")?,
            platform: row.maybe_text("session_platform")?,
            user_agent: row.maybe_text("session_user_agent")?,
            client_ip: row.text("session_client_ip")?,
            last_client_ip: row.maybe_text("session_last_client_ip")?,
            tenant_key_id: row.maybe_text("session_tenant_key_id")?.map(TenantKeyId::from_stored),
            created_at: row.instant("session_created_at")?,
            refreshed_at: row.maybe_instant("session_refreshed_at")?,
            generation: row.int("session_generation")?,
            idle_expires_at: row.instant("session_idle_expires_at")?,
            expires_at: row.instant("session_expires_at")?,
            ended_at: row.maybe_instant("session_ended_at")?,
            end_reason: row.maybe_text("session_end_reason")?,
        })
    }

    /// When and why the session has ended, or `None` while it lives. Decided at use, from the truth of
    /// this moment; no sweeper is waited for (R060–R062).
    #[must_use]
    pub fn ending(&self, tenant: &Tenant, user: &User, now: Timestamp) -> Option<(Timestamp, String)> {
        if let (Some(at), Some(reason)) = (self.ended_at, &self.end_reason) {
            return Some((at, reason.clone()));
        }
        // Several can hold at once; the earliest is the session's ending, and stays it. In one and the same millisecond
        // time was faster: nobody has to do anything for that.
        let first = self
            .expiry(now)
            .into_iter()
            .chain(self.ended_with_others(tenant, user))
            .min_by_key(|(at, _)| *at);
        first.or_else(|| standing_in_the_way(tenant, user).map(|reason| (now, reason.as_str().to_owned())))
    }

    /// When and why it ended together with others of its tenant, customer or user, by a row above it: the first of these
    /// endings. Time may have ended it before.
    #[must_use]
    pub fn ended_with_others(&self, tenant: &Tenant, user: &User) -> Option<(Timestamp, String)> {
        let with_user = user.sessions_ended.as_ref().filter(|_| user.session_kept.as_ref() != Some(&self.id));
        [tenant.sessions_ended.as_ref(), user.customer_sessions_ended.as_ref(), with_user]
            .into_iter()
            .flatten()
            .filter(|ended| self.created_at <= ended.at)
            .map(|ended| (ended.at, ended.reason.clone()))
            .min_by_key(|(at, _)| *at)
    }

    /// The limit that is over, if one is.
    fn expiry(&self, now: Timestamp) -> Option<(Timestamp, String)> {
        let (limit, reason) = if self.expires_at <= self.idle_expires_at {
            (self.expires_at, EndReason::ExpiredAbsolute)
        } else {
            (self.idle_expires_at, EndReason::ExpiredIdle)
        };
        (limit <= now).then(|| (limit, reason.as_str().to_owned()))
    }
}

/// A status that admits nobody, though nothing says since when: whoever set it did not end the sessions.
fn standing_in_the_way(tenant: &Tenant, user: &User) -> Option<EndReason> {
    if !tenant.active {
        return Some(EndReason::TenantSuspended);
    }
    if !user.active {
        return Some(EndReason::UserDisabled);
    }
    match user.customer_status {
        CustomerStatus::Suspended => Some(EndReason::CustomerSuspended),
        CustomerStatus::Closed => Some(EndReason::CustomerClosed),
        _ => None,
    }
}

/// A session that is being opened: everything its row holds.
#[derive(Clone, Debug)]
pub struct NewSession {
    pub id: SessionId,
    pub user_id: UserId,
    pub customer_id: CustomerId,
    pub family: Family,
    pub tenant_key_id: Option<TenantKeyId>,
    pub signing_kid: String,
    pub created_at: Timestamp,
    pub idle_expires_at: Timestamp,
    pub expires_at: Timestamp,
    pub salt: [u8; 16],
    pub refresh_key_id: String,
    /// The user's login before.
    pub previous_login_at: Option<Timestamp>,
}

impl NewSession {
    /// Opens a session at `now`, the instant at which the truth was read that lets it open: whatever ends
    /// sessions after that instant ends this one too.
    #[must_use]
    pub fn open(
        tenant: &Tenant,
        user: &User,
        previous_login_at: Option<Timestamp>,
        tenant_key: Option<TenantKeyId>,
        signing_kid: &str,
        master: &MasterKey,
        now: Timestamp,
    ) -> Self {
        let Lifetimes { idle_seconds, absolute_seconds, .. } = tenant.settings.lifetimes();
        let expires_at = now.plus_seconds(absolute_seconds);
        Self {
            id: SessionId::at(now),
            user_id: user.id.clone(),
            customer_id: user.customer_id.clone(),
            family: user.family(),
            tenant_key_id: tenant_key,
            signing_kid: signing_kid.to_owned(),
            created_at: now,
            idle_expires_at: now.plus_seconds(idle_seconds).min(expires_at),
            expires_at,
            salt: random(),
            refresh_key_id: master.id().to_owned(),
            previous_login_at,
        }
    }
}

/// `client_id` in tokens: the tenant key's id, or the tenant's where no key was needed.
#[must_use]
pub fn client_id(tenant: &TenantId, key: Option<&TenantKeyId>) -> String {
    key.map_or_else(|| tenant.to_string(), ToString::to_string)
}
