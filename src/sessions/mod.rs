//! Sessions: who is logged in, on which device, until when, and why it ended.

pub mod store;

use crate::clock::Timestamp;
use crate::customers::CustomerStatus;
use crate::db::{DbError, Row};
use crate::ids::{CustomerId, SessionId, TenantId, TenantKeyId, UserId};
use crate::secrets::{MasterKeys, random};
use crate::tenants::{Family, Lifetimes, Tenant};
use crate::users::User;

/// Why a session ended: one closed list, in the database, the API and the events alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndReason {
    Logout,
    ExpiredIdle,
    ExpiredAbsolute,
    TenantSuspended,
    UserDisabled,
    CustomerSuspended,
    CustomerClosed,
    PasswordChanged,
}

impl EndReason {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::ExpiredIdle => "expired_idle",
            Self::ExpiredAbsolute => "expired_absolute",
            Self::TenantSuspended => "tenant_suspended",
            Self::UserDisabled => "user_disabled",
            Self::CustomerSuspended => "customer_suspended",
            Self::CustomerClosed => "customer_closed",
            Self::PasswordChanged => "password_changed",
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
    pub created_at: Timestamp,
    pub refreshed_at: Option<Timestamp>,
    pub idle_expires_at: Timestamp,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub end_reason: Option<String>,
}

impl Session {
    /// Reads the columns that `session_columns!` names.
    pub fn from_row(row: &Row) -> Result<Self, DbError> {
        let family = row.text("session_family")?;
        Ok(Self {
            id: SessionId::from_stored(row.text("session_id")?),
            user_id: UserId::from_stored(row.text("session_user_id")?),
            customer_id: CustomerId::from_stored(row.text("session_customer_id")?),
            family: Family::parse(&family)
                .ok_or_else(|| DbError::Failed(format!("sessions.family: unknown word {family}")))?,
            device_id: row.maybe_text("session_device_id")?,
            platform: row.maybe_text("session_platform")?,
            user_agent: row.maybe_text("session_user_agent")?,
            client_ip: row.text("session_client_ip")?,
            created_at: row.instant("session_created_at")?,
            refreshed_at: row.maybe_instant("session_refreshed_at")?,
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
        let ended_with_user =
            user.sessions_ended.as_ref().filter(|_| user.session_kept.as_ref() != Some(&self.id));
        let ended_with_all = [&tenant.sessions_ended, &user.customer_sessions_ended]
            .map(Option::as_ref)
            .into_iter()
            .chain([ended_with_user])
            .flatten()
            .filter(|ended| self.created_at <= ended.at)
            .map(|ended| (ended.at, ended.reason.clone()));
        // Several can hold at once; the earliest is the session's ending, and stays it.
        let first = ended_with_all.chain(self.expiry(now)).min_by_key(|(at, _)| *at);
        first.or_else(|| standing_in_the_way(tenant, user).map(|reason| (now, reason.as_str().to_owned())))
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
}

impl NewSession {
    /// Opens a session at `now`, the instant at which the truth was read that lets it open: whatever ends
    /// sessions after that instant ends this one too.
    #[must_use]
    pub fn open(
        tenant: &Tenant,
        user: &User,
        tenant_key: Option<TenantKeyId>,
        signing_kid: &str,
        master: &MasterKeys,
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
            refresh_key_id: master.current().id().to_owned(),
        }
    }
}

/// `client_id` in tokens: the tenant key's id, or the tenant's where no key was needed.
#[must_use]
pub fn client_id(tenant: &TenantId, key: Option<&TenantKeyId>) -> String {
    key.map_or_else(|| tenant.to_string(), ToString::to_string)
}
