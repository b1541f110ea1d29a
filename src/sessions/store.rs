//! The sessions' SQL.

use crate::client::Client;
use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::{ChangeId, SessionId, TenantId};

use super::NewSession;

/// The columns [`super::Session::from_row`] reads, of `sessions s`.
macro_rules! session_columns {
    () => {
        "s.id as session_id, s.user_id as session_user_id, s.customer_id as session_customer_id, \
         s.family as session_family, s.device_id as session_device_id, s.platform as session_platform, \
         s.user_agent as session_user_agent, s.client_ip as session_client_ip, \
         s.created_at as session_created_at, s.refreshed_at as session_refreshed_at, \
         s.idle_expires_at as session_idle_expires_at, s.expires_at as session_expires_at, \
         s.ended_at as session_ended_at, s.end_reason as session_end_reason"
    };
}
pub(crate) use session_columns;

#[must_use]
pub fn insert(tenant: &TenantId, session: &NewSession, client: &Client, change: &ChangeId) -> Statement {
    Statement::new(
        "insert into sessions (tenant_id, id, user_id, customer_id, family, device_id, platform, user_agent, \
         client_ip, client_ip_reason, forwarded_for, source, tenant_key_id, signing_kid, amr, created_at, \
         idle_expires_at, expires_at, generation, salt, refresh_key_id, change_id) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, '[\"pwd\"]', $15, $16, $17, 1, \
         $18, $19, $20)",
    )
    .bind(tenant)
    .bind(&session.id)
    .bind(&session.user_id)
    .bind(&session.customer_id)
    .bind(session.family.as_str())
    .bind(client.device_id.as_deref())
    .bind(client.platform.as_deref())
    .bind(client.user_agent.as_deref())
    .bind(client.address.ip.to_string())
    .bind(client.address.reason.as_str())
    .bind(client.forwarded_for.as_deref())
    .bind(client.source.as_deref())
    .bind(session.tenant_key_id.as_ref())
    .bind(session.signing_kid.as_str())
    .bind(session.created_at)
    .bind(session.idle_expires_at)
    .bind(session.expires_at)
    .bind(session.salt.as_slice())
    .bind(session.refresh_key_id.as_str())
    .bind(change)
}

/// Ends a session that has not ended. Refused ("session") when it has: the first ending stays.
#[must_use]
pub fn end(
    tenant: &TenantId,
    session: &SessionId,
    at: Timestamp,
    reason: &str,
    change: &ChangeId,
) -> Statement {
    Statement::new(
        "update sessions set ended_at = $3, end_reason = $4, change_id = $5 \
         where tenant_id = $1 and id = $2 and ended_at is null returning id",
    )
    .bind(tenant)
    .bind(session)
    .bind(at)
    .bind(reason)
    .bind(change)
    .must_change("session")
}
