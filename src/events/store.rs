//! The events' SQL.

use serde_json::Value;
use vestibule_audit::SALT_BYTES;

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::{ChangeId, CustomerId, EventId, SessionId, TenantId, UserId};
use crate::secrets::random;
use crate::source_limits::ban_end;

use super::{Ends, Event, EventFilter, personal_digest};

/// The columns that [`bind_event`] binds, in its order.
macro_rules! insert_into_events {
    () => {
        "insert into events (tenant_id, id, name, outcome, occurred_at, actor_kind, actor_id, user_id, customer_id, \
         session_id, reason, request_id, details, personal, personal_digest, salt, ends, ends_until, ends_not) "
    };
}

macro_rules! event_parameters {
    () => {
        event_parameters!("$11", "$13")
    };
    ($reason:literal, $details:literal) => {
        concat!(
            "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, ",
            $reason,
            ", $12, ",
            $details,
            ", $14, $15, $16, $17, $18, $19"
        )
    };
}
pub(super) use {event_parameters, insert_into_events};

/// Writes an event.
#[must_use]
pub fn insert(tenant: &TenantId, event: &Event<'_>, now: Timestamp) -> Statement {
    bind_event(
        Statement::new(concat!(insert_into_events!(), "values (", event_parameters!(), ")")),
        tenant,
        event,
        now,
    )
}

/// Writes an event unless its session has one of its name and reason since an instant: whoever tries again and again
/// fills no audit log.
#[must_use]
pub fn insert_unless_told_since(
    tenant: &TenantId,
    event: &Event<'_>,
    since: Timestamp,
    now: Timestamp,
) -> Statement {
    bind_event(
        Statement::new(concat!(
            insert_into_events!(),
            "select ",
            event_parameters!(),
            " from tenants t where t.id = $1 and not exists (select 1 from events e where e.session_id = $10 \
             and e.tenant_id = $1 and e.name = $3 and e.reason = $11 and e.occurred_at > $20)",
        )),
        tenant,
        event,
        now,
    )
    .bind(since)
}

/// Writes an event if the same change has just shut this source out.
#[must_use]
pub fn insert_if_banned(
    tenant: &TenantId,
    event: &Event<'_>,
    source: &str,
    change: &ChangeId,
    now: Timestamp,
) -> Statement {
    bind_event(
        Statement::new(concat!(
            insert_into_events!(),
            "select ",
            event_parameters!(),
            " from login_sources s where s.tenant_id = $1 and s.source = $20 and s.change_id = $21 \
             and s.banned_until = $22",
        )),
        tenant,
        event,
        now,
    )
    .bind(source)
    .bind(change)
    .bind(ban_end(now))
}

/// Writes an event if the same change has seen this device for the first time. It has the event's details where
/// the user had logged in from no other before, and `others` where they had.
#[must_use]
pub fn insert_if_device_is_new(
    tenant: &TenantId,
    event: &Event<'_>,
    others: &Value,
    device: &str,
    change: &ChangeId,
    now: Timestamp,
) -> Statement {
    bind_event(
        Statement::new(concat!(
            insert_into_events!(),
            "select ",
            event_parameters!(
                "$11",
                "case when exists (select 1 from devices o where o.tenant_id = $1 and o.user_id = $8 \
                 and o.device_id <> d.device_id) then $20 else $13 end"
            ),
            " from devices d where d.tenant_id = $1 and d.user_id = $8 and d.device_id = $21 and d.change_id = $22",
        )),
        tenant,
        event,
        now,
    )
    .bind(others.to_string())
    .bind(device)
    .bind(change)
}

/// Writes an event for each session of which what follows is true. It is of that session, user and customer where it is
/// of none itself; its id is theirs but for a number behind it: the oldest session's first. (In the order of the ids
/// alone SQLite would go through all sessions of the user, in which they are found in that order.)
macro_rules! insert_for_each_session {
    () => {
        concat!(
            insert_into_events!(),
            "select $1, $2 || '-' || row_number() over (order by s.created_at, s.id), $3, $4, $5, $6, $7, \
             coalesce($8, s.user_id), coalesce($9, s.customer_id), coalesce($10, s.id), $11, $12, $13, $14, $15, $16, \
             $17, $18, $19 from sessions s where s.tenant_id = $1 and "
        )
    };
}

/// Writes an event for each of a user's sessions that the same change has ended, at the event's instant.
#[must_use]
pub fn insert_for_ended_sessions(
    tenant: &TenantId,
    event: &Event<'_>,
    user: &UserId,
    change: &ChangeId,
    now: Timestamp,
) -> Statement {
    bind_event(
        Statement::new(concat!(
            insert_for_each_session!(),
            "s.user_id = $20 and s.ended_at = $5 and s.change_id = $21",
        )),
        tenant,
        event,
        now,
    )
    .bind(user)
    .bind(change)
}

/// The same for the sessions, of whatever users, after the id `after` up to the id `last`.
#[must_use]
pub fn insert_for_ended_slice(
    tenant: &TenantId,
    event: &Event<'_>,
    (after, last): (&str, &str),
    change: &ChangeId,
    now: Timestamp,
) -> Statement {
    bind_event(
        Statement::new(concat!(
            insert_for_each_session!(),
            "s.id > $20 and s.id <= $21 and s.change_id = $22",
        )),
        tenant,
        event,
        now,
    )
    .bind(after)
    .bind(last)
    .bind(change)
}

/// What the timeline of a session reads of its events.
macro_rules! step_columns {
    () => {
        "select id, name, outcome, occurred_at, actor_kind, actor_id, reason, details, personal from events "
    };
}

/// A session's events after an instant and an id, oldest first: by the instant, which an id has only about.
#[must_use]
pub fn find_of_session(
    tenant: &TenantId,
    session: &SessionId,
    (at, id): (Timestamp, &str),
    limit: i64,
) -> Statement {
    Statement::new(concat!(
        step_columns!(),
        "where session_id = $2 and tenant_id = $1 and (occurred_at > $3 or (occurred_at = $3 and id > $4)) \
         order by occurred_at, id limit $5"
    ))
    .bind(tenant)
    .bind(session)
    .bind(at)
    .bind(id)
    .bind(limit)
}

/// Whether one of the session's events tells how it ended.
#[must_use]
pub fn find_ending_of_session(tenant: &TenantId, session: &SessionId) -> Statement {
    Statement::new(
        "select id from events where session_id = $2 and tenant_id = $1 \
         and (ends = 'session' or name = 'session_expired') limit 1",
    )
    .bind(tenant)
    .bind(session)
}

/// The event that ended all sessions of the user, the customer or the tenant at this instant.
#[must_use]
pub fn find_ending_of_all(
    tenant: &TenantId,
    customer: &CustomerId,
    user: &UserId,
    at: Timestamp,
) -> Statement {
    Statement::new(concat!(
        step_columns!(),
        "where tenant_id = $1 and ends is not null and occurred_at = $2 and ends_until >= $2 \
         and (ends = 'tenant' or (ends = 'customer' and customer_id = $3) or (ends = 'user' and user_id = $4)) \
         order by id limit 1"
    ))
    .bind(tenant)
    .bind(at)
    .bind(customer)
    .bind(user)
}

/// Events with a personal part that are a user's: done to them, or done by them as staff.
#[must_use]
pub fn find_personal(tenant: &TenantId, user: &UserId, limit: i64) -> Statement {
    Statement::new(
        "select e.id, e.personal, e.salt from (select id, personal, salt from events \
         where tenant_id = $1 and user_id = $2 and personal is not null order by id limit $3) e \
         union all select e.id, e.personal, e.salt from (select id, personal, salt from events \
         where tenant_id = $1 and actor_id = $2 and actor_kind = 'staff' and personal is not null \
         order by id limit $3) e",
    )
    .bind(tenant)
    .bind(user)
    .bind(limit)
}

/// Events with a personal part that are an erased customer's, whichever of its users they are also of: what was done
/// to it says from where, which may well be from the person's own device.
#[must_use]
pub fn find_personal_of_customer(tenant: &TenantId, customer: &CustomerId, limit: i64) -> Statement {
    Statement::new(
        "select id, personal, salt from events \
         where tenant_id = $1 and customer_id = $2 and personal is not null order by id limit $3",
    )
    .bind(tenant)
    .bind(customer)
    .bind(limit)
}

/// Empties an event's personal part. Its digest stays, so that what is sealed of it can still be verified; an older
/// row's is written now.
#[must_use]
pub fn erase_personal(tenant: &TenantId, event: &EventId, digest: &[u8]) -> Statement {
    Statement::new(
        "update events set personal = null, salt = $3, personal_digest = coalesce(personal_digest, $4) \
         where tenant_id = $1 and id = $2",
    )
    .bind(tenant)
    .bind(event)
    .bind([].as_slice())
    .bind(digest)
}

pub(super) fn bind_event(
    statement: Statement,
    tenant: &TenantId,
    event: &Event<'_>,
    now: Timestamp,
) -> Statement {
    debug_assert_eq!(
        event.name.undescribed(&event.details),
        None,
        "{:?}: describe it in catalogue.rs",
        event.name
    );
    let personal = event.personal();
    let salt = random::<SALT_BYTES>();
    let digest = personal.as_ref().map(|personal| personal_digest(&salt, personal));
    statement
        .bind(tenant)
        .bind(&EventId::at(now))
        .bind(event.name.as_str())
        .bind(event.name.outcome())
        .bind(now)
        .bind(event.actor.kind())
        .bind(event.actor.id())
        .bind(event.user)
        .bind(event.customer)
        .bind(event.session)
        .bind(event.reason)
        .bind(event.client.map(|client| client.request_id.as_str()))
        .bind(event.details.to_string())
        .bind(personal)
        .bind(digest.as_ref().map(<[u8; 32]>::as_slice))
        .bind(salt.as_slice())
        .bind(event.ends.map(Ends::as_str))
        .bind(event.ends.and_then(Ends::until))
        .bind(event.ends.and_then(Ends::but))
}

/// A tenant's events with positions after `after` up to `until`, `most` at most, in their order; those of the filter.
/// Each row, and there is one at least, has the `head` and the history's `restored_at`.
#[must_use]
pub fn find_numbered(
    tenant: &TenantId,
    filter: &EventFilter,
    after: i64,
    until: i64,
    most: u32,
) -> Statement {
    // ",one,another,", in which a name is looked for with its commas; the portable SQL has no arrays.
    let names = filter.types.iter().fold(String::new(), |names, name| format!("{names},{},", name.as_str()));
    Statement::new(
        "select t.restored_at, coalesce(h.position, 0) as head, e.* \
         from tenants t left join event_heads h on h.tenant_id = t.id left join \
         (select position, id, name, outcome, occurred_at, actor_kind, actor_id, user_id, customer_id, session_id, \
          reason, request_id, details, personal from events \
          where tenant_id = $1 and position > $2 and position <= $3 \
          and ($4 = '' or replace($4, ',' || name || ',', '') <> $4) and ($5 = '' or user_id = $5) \
          and ($6 = '' or session_id = $6) and occurred_at >= $7 and occurred_at < $8 order by position limit $9) as e \
         on true where t.id = $1 order by e.position",
    )
    .bind(tenant)
    .bind(after)
    .bind(until)
    .bind(names)
    .bind(filter.user.as_ref().map_or("", UserId::as_str))
    .bind(filter.session.as_ref().map_or("", SessionId::as_str))
    .bind(filter.since.map_or(i64::MIN, Timestamp::as_millis))
    .bind(filter.before.map_or(i64::MAX, Timestamp::as_millis))
    .bind(i64::from(most))
}
