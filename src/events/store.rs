//! The events' SQL.

use serde_json::Value;

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::error::MAX_ATTEMPTS;
use crate::ids::{ChangeId, EventId, TenantId};
use crate::secrets::{random, sha256};
use crate::throttles::{Subject, dead_before};

use super::Event;

/// The columns that [`bind_event`] binds, in its order.
macro_rules! insert_into_events {
    () => {
        "insert into events (tenant_id, id, name, outcome, occurred_at, actor_kind, actor_id, user_id, customer_id, \
         session_id, reason, request_id, details, personal, personal_digest, salt) "
    };
}

macro_rules! event_parameters {
    () => {
        event_parameters!("$13")
    };
    ($details:literal) => {
        concat!("$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, ", $details, ", $14, $15, $16")
    };
}

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

/// Writes an event if the same change has just locked this subject.
#[must_use]
pub fn insert_if_locked(
    tenant: &TenantId,
    event: &Event<'_>,
    subject: &str,
    change: &ChangeId,
    now: Timestamp,
) -> Statement {
    bind_event(
        Statement::new(concat!(
            insert_into_events!(),
            "select ",
            event_parameters!(),
            " from throttles where tenant_id = $1 and subject = $17 and change_id = $18 and locked_until is not null",
        )),
        tenant,
        event,
        now,
    )
    .bind(subject)
    .bind(change)
}

/// Writes an event if the same change has just locked this subject by counting dead attempts, which are
/// still there.
#[must_use]
pub fn insert_if_dead_attempts_locked(
    tenant: &TenantId,
    event: &Event<'_>,
    subject: &Subject,
    change: &ChangeId,
    now: Timestamp,
) -> Statement {
    bind_event(
        Statement::new(concat!(
            insert_into_events!(),
            "select ",
            event_parameters!(),
            " from throttles t where t.tenant_id = $1 and t.subject = $17 and t.change_id = $18 \
             and t.locked_until is not null and t.failures - \
             (select count(*) from attempts a where a.tenant_id = $1 and a.subject = $17 and a.reserved_at < $19) \
             < $20",
        )),
        tenant,
        event,
        now,
    )
    .bind(subject.as_str())
    .bind(change)
    .bind(dead_before(now))
    .bind(MAX_ATTEMPTS)
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
                "case when exists (select 1 from devices o where o.tenant_id = $1 and o.user_id = $8 \
                 and o.device_id <> d.device_id) then $17 else $13 end"
            ),
            " from devices d where d.tenant_id = $1 and d.user_id = $8 and d.device_id = $18 and d.change_id = $19",
        )),
        tenant,
        event,
        now,
    )
    .bind(others.to_string())
    .bind(device)
    .bind(change)
}

fn bind_event(statement: Statement, tenant: &TenantId, event: &Event<'_>, now: Timestamp) -> Statement {
    let personal = event.personal().map(|personal| personal.to_string());
    let salt = random::<16>();
    // What is sealed of the personal part; it stays when a person is erased, and the salt goes.
    let digest = personal.as_ref().map(|personal| sha256(&[&salt, personal.as_bytes()].concat()));
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
}
