//! The sessions' SQL.

use crate::client::Client;
use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::{ChangeId, CustomerId, SessionId, TenantId, UserId};

use super::{EndReason, NewSession, Session};

/// The columns [`super::Session::from_row`] reads, of `sessions s`.
macro_rules! session_columns {
    () => {
        "s.id as session_id, s.user_id as session_user_id, s.customer_id as session_customer_id, \
         s.family as session_family, s.device_id as session_device_id, s.platform as session_platform, \
         s.user_agent as session_user_agent, s.client_ip as session_client_ip, \
         s.last_client_ip as session_last_client_ip, s.tenant_key_id as session_tenant_key_id, \
         s.created_at as session_created_at, s.refreshed_at as session_refreshed_at, \
         s.generation as session_generation, \
         s.idle_expires_at as session_idle_expires_at, s.expires_at as session_expires_at, \
         s.ended_at as session_ended_at, s.end_reason as session_end_reason"
    };
}
pub(crate) use session_columns;

/// That a session of `sessions s` lives at an instant, given as its parameter, as [`super::Session::ending`] decides it;
/// with its `users u`, `customers c` and `tenants t`.
macro_rules! session_lives {
    ($now:literal) => {
        concat!(
            "s.ended_at is null and s.idle_expires_at > ",
            $now,
            " and s.expires_at > ",
            $now,
            " and (u.sessions_not_before is null or s.created_at > u.sessions_not_before or s.id = u.session_kept) \
             and (c.sessions_not_before is null or s.created_at > c.sessions_not_before) \
             and (t.sessions_not_before is null or s.created_at > t.sessions_not_before) \
             and u.status = 'active' and c.status not in ('suspended', 'closed') and t.status = 'active'"
        )
    };
}
pub(crate) use session_lives;

/// `sessions s` with what [`session_lives!`] judges them by.
macro_rules! sessions_and_owners {
    () => {
        "sessions s join users u on u.tenant_id = s.tenant_id and u.id = s.user_id \
         join customers c on c.tenant_id = u.tenant_id and c.id = u.customer_id \
         join tenants t on t.id = s.tenant_id"
    };
}
pub(crate) use sessions_and_owners;

#[must_use]
pub fn insert(tenant: &TenantId, session: &NewSession, client: &Client, change: &ChangeId) -> Statement {
    Statement::new(
        "insert into sessions (tenant_id, id, user_id, customer_id, family, device_id, platform, user_agent, \
         client_ip, client_ip_reason, forwarded_for, source, tenant_key_id, signing_kid, amr, created_at, \
         idle_expires_at, expires_at, generation, salt, refresh_key_id, change_id, previous_login_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, '[\"pwd\"]', $15, $16, $17, 1, \
         $18, $19, $20, $21)",
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
    .bind(session.previous_login_at)
}

/// A session as a refresh is to leave it.
#[derive(Clone, Copy, Debug)]
pub struct Refreshing<'a> {
    /// One generation further than its row.
    pub session: &'a Session,
    /// As JSON.
    pub networks: &'a str,
    pub change: &'a ChangeId,
    pub now: Timestamp,
}

/// Moves a session to its next generation, in one statement that changes no column of an index. Refused ("session")
/// unless the row is still of the generation before, the session lives by all that stands above it, and the key that
/// opened it is good: what was read before must hold now (R087, R091, R094).
#[must_use]
pub fn refresh(tenant: &TenantId, refreshing: &Refreshing<'_>) -> Statement {
    let Refreshing { session, networks, change, now } = refreshing;
    Statement::new(concat!(
        "update sessions as s set generation = $3, refreshed_at = $4, idle_expires_at = $5, expires_at = $6, \
         last_client_ip = $7, networks = $8, change_id = $9 \
         where s.tenant_id = $1 and s.id = $2 and s.generation = $3 - 1 \
         and exists (select 1 from users u \
         join customers c on c.tenant_id = u.tenant_id and c.id = u.customer_id join tenants t on t.id = u.tenant_id \
         where u.tenant_id = s.tenant_id and u.id = s.user_id and u.customer_id = s.customer_id and ",
        session_lives!("$4"),
        ") and not exists (select 1 from tenant_keys k where k.tenant_id = s.tenant_id and k.id = s.tenant_key_id \
         and (k.revoked_at is not null or k.expires_at <= $4)) returning id"
    ))
    .bind(tenant)
    .bind(&session.id)
    .bind(session.generation)
    .bind(*now)
    .bind(session.idle_expires_at)
    .bind(session.expires_at)
    .bind(session.last_client_ip.as_deref())
    .bind(*networks)
    .bind(*change)
    .must_change("session")
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

/// Writes down how a session has ended that its row does not say yet. Refused ("session") when the row says it by now, or
/// a refresh was faster.
#[must_use]
pub fn write_down(
    tenant: &TenantId,
    session: &Session,
    (at, reason): (Timestamp, &str),
    change: &ChangeId,
) -> Statement {
    Statement::new(
        "update sessions set ended_at = $3, end_reason = $4, change_id = $5 \
         where tenant_id = $1 and id = $2 and ended_at is null and idle_expires_at = $6 returning id",
    )
    .bind(tenant)
    .bind(&session.id)
    .bind(at)
    .bind(reason)
    .bind(change)
    .bind(session.idle_expires_at)
    .must_change("session")
}

/// Writes down which of a user's sessions the user's row has ended so far: before the row gets another instant and
/// another reason. What had ended before in another way is left as it is: that way stays.
#[must_use]
pub fn write_down_with_user(tenant: &TenantId, user: &UserId, change: &ChangeId) -> Statement {
    Statement::new(concat!(
        "update sessions set ended_at = e.at, end_reason = e.reason, change_id = $3 from \
         (select s.id as id, u.sessions_not_before as at, u.sessions_end_reason as reason from ",
        sessions_and_owners!(),
        " where s.tenant_id = $1 and s.user_id = $2 and s.ended_at is null \
         and s.created_at <= u.sessions_not_before and (u.session_kept is null or s.id <> u.session_kept) \
         and s.idle_expires_at > u.sessions_not_before and s.expires_at > u.sessions_not_before \
         and (c.sessions_not_before is null or c.sessions_not_before < s.created_at \
              or c.sessions_not_before > u.sessions_not_before) \
         and (t.sessions_not_before is null or t.sessions_not_before < s.created_at \
              or t.sessions_not_before > u.sessions_not_before)) as e \
         where sessions.tenant_id = $1 and sessions.id = e.id and sessions.ended_at is null"
    ))
    .bind(tenant)
    .bind(user)
    .bind(change)
}

/// The id of the last of the next so many sessions of all tenants that their rows do not say to have ended; none where
/// there are fewer.
#[must_use]
pub fn find_end_of_slice(after: &str, most: i64) -> Statement {
    Statement::new("select id from sessions where ended_at is null and id > $1 order by id limit 1 offset $2")
        .bind(after)
        .bind(most - 1)
}

/// Ends the sessions of a user that a node with a faster clock opened, which `sessions_not_before` does not reach: a
/// later instant there would end what is opened after it too. Not the one that is kept. They bear the change's id.
#[must_use]
pub fn end_newer(
    tenant: &TenantId,
    user: &UserId,
    kept: Option<&SessionId>,
    reason: EndReason,
    change: &ChangeId,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "update sessions set ended_at = $3, end_reason = $4, change_id = $6 \
         where tenant_id = $1 and user_id = $2 and created_at > $3 and ended_at is null and id <> $5",
    )
    .bind(tenant)
    .bind(user)
    .bind(now)
    .bind(reason.as_str())
    .bind(kept.map_or("", SessionId::as_str))
    .bind(change)
}

/// The same of all the tenant's users, or of one customer's. Ids bear the instant at which a session opened.
#[must_use]
pub fn end_newer_of_all(
    tenant: &TenantId,
    customer: Option<&CustomerId>,
    reason: &str,
    change: &ChangeId,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "update sessions set ended_at = $2, end_reason = $3, change_id = $4 where tenant_id = $1 and id > $5 \
         and created_at > $2 and ended_at is null and (cast($6 as text) is null or customer_id = $6)",
    )
    .bind(tenant)
    .bind(now)
    .bind(reason)
    .bind(change)
    .bind(&SessionId::before(now))
    .bind(customer)
}

/// Ends a user's live sessions on one device. They bear the change's id.
#[must_use]
pub fn end_on_device(
    tenant: &TenantId,
    user: &UserId,
    device: &str,
    reason: EndReason,
    change: &ChangeId,
    now: Timestamp,
) -> Statement {
    Statement::new(concat!(
        "update sessions set ended_at = $4, end_reason = $5, change_id = $6 \
         where tenant_id = $1 and user_id = $2 and ended_at is null and id in (select s.id from ",
        sessions_and_owners!(),
        " where s.tenant_id = $1 and s.user_id = $2 and s.device_id = $3 and ",
        session_lives!("$4"),
        ") returning id"
    ))
    .bind(tenant)
    .bind(user)
    .bind(device)
    .bind(now)
    .bind(reason.as_str())
    .bind(change)
}

/// Ends a user's live sessions but for the newest so many. They bear the change's id. Exact behind an update of the
/// user's row, which every login begins with. The user is named twice: PostgreSQL would otherwise look for the sessions among
/// all of the tenant's that are open.
#[must_use]
pub fn end_oldest(
    tenant: &TenantId,
    user: &UserId,
    but: i64,
    change: &ChangeId,
    now: Timestamp,
) -> Statement {
    Statement::new(concat!(
        "update sessions set ended_at = $3, end_reason = 'limit', change_id = $5 \
         where tenant_id = $1 and user_id = $2 and ended_at is null and id in (select s.id from ",
        sessions_and_owners!(),
        " where s.tenant_id = $1 and s.user_id = $2 and ",
        session_lives!("$3"),
        // SQLite has no offset without a limit.
        " order by s.created_at desc, s.id desc limit 1000000 offset $4)"
    ))
    .bind(tenant)
    .bind(user)
    .bind(now)
    .bind(but)
    .bind(change)
}

/// Refused ("session limit") unless the user has fewer live sessions than this. Exact as [`end_oldest`].
#[must_use]
pub fn have_fewer(tenant: &TenantId, user: &UserId, than: i64, now: Timestamp) -> Statement {
    Statement::new(concat!(
        "select count(*) as live from ",
        sessions_and_owners!(),
        " where s.tenant_id = $1 and s.user_id = $2 and ",
        session_lives!("$3"),
        " having count(*) < $4"
    ))
    .bind(tenant)
    .bind(user)
    .bind(now)
    .bind(than)
    .must_change("session limit")
}

/// Takes out of some of an erased user's sessions from where they were, and writes their endings down, so that no
/// logout has to. Answers the ids of those that had something to take out.
#[must_use]
pub fn erase_some(tenant: &TenantId, user: &UserId, now: Timestamp, limit: i64) -> Statement {
    Statement::new(
        "update sessions set device_id = null, platform = null, user_agent = null, client_ip = '', \
         forwarded_for = null, source = null, last_client_ip = null, networks = '[]', \
         end_reason = case when ended_at is not null then end_reason \
             when expires_at <= idle_expires_at and expires_at <= $3 then 'expired_absolute' \
             when idle_expires_at <= $3 then 'expired_idle' else 'user_disabled' end, \
         ended_at = case when ended_at is not null then ended_at \
             when expires_at <= idle_expires_at and expires_at <= $3 then expires_at \
             when idle_expires_at <= $3 then idle_expires_at else $3 end \
         where tenant_id = $1 and id in (select s.id from sessions s where s.tenant_id = $1 and s.user_id = $2 \
         and s.client_ip <> '' order by s.id limit $4) returning id",
    )
    .bind(tenant)
    .bind(user)
    .bind(now)
    .bind(limit)
}

/// A row if any live session is refreshed under this master key. Looks through all sessions: for keys that are missing
/// only.
#[must_use]
pub fn find_any_under(master_key_id: &str, now: Timestamp) -> Statement {
    Statement::new(concat!(
        "select s.id from ",
        sessions_and_owners!(),
        " where s.refresh_key_id = $1 and ",
        session_lives!("$2"),
        " limit 1"
    ))
    .bind(master_key_id)
    .bind(now)
}

/// How many live sessions are refreshed under this master key, and when the last of them ends at the latest. Looks through
/// all sessions: for an operator who asks.
#[must_use]
pub fn count_under(master_key_id: &str, now: Timestamp) -> Statement {
    Statement::new(concat!(
        "select count(*) as number, max(s.expires_at) as until from ",
        sessions_and_owners!(),
        " where s.refresh_key_id = $1 and ",
        session_lives!("$2")
    ))
    .bind(master_key_id)
    .bind(now)
}

/// The tenants after this one, `most` at most, with their settings, and the `oldest` of their sessions.
#[must_use]
pub fn find_oldest(after: Option<&TenantId>, most: i64) -> Statement {
    Statement::new(
        "select t.id as tenant_id, t.settings as settings, \
         (select s.id from sessions s where s.tenant_id = t.id order by s.id limit 1) as oldest \
         from tenants t where t.id > $1 order by t.id limit $2",
    )
    .bind(after.map_or("", TenantId::as_str))
    .bind(most)
}

/// The next sessions of a tenant between two ids, `most` at most, and when they ended.
#[must_use]
pub fn find_between(tenant: &TenantId, after: &str, before: &SessionId, most: i64) -> Statement {
    Statement::new(
        "select id, ended_at from sessions where tenant_id = $1 and id > $2 and id < $3 order by id limit $4",
    )
    .bind(tenant)
    .bind(after)
    .bind(before)
    .bind(most)
}

/// Deletes a tenant's sessions from the id `first` to the id `last` that ended before an instant. Few ids are to lie between
/// the two: or PostgreSQL takes the index of those that have ended, and goes through all of it.
#[must_use]
pub fn delete_ended(tenant: &TenantId, (first, last): (&str, &str), before: Timestamp) -> Statement {
    Statement::new("delete from sessions where tenant_id = $1 and id >= $2 and id <= $3 and ended_at < $4")
        .bind(tenant)
        .bind(first)
        .bind(last)
        .bind(before)
}
