//! The SQL of the locks' events.

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::error::MAX_ATTEMPTS;
use crate::events::Event;
use crate::events::store::{bind_event, event_parameters, insert_into_events};
use crate::ids::{ChangeId, TenantId, UserId};
use crate::throttles::{MAX_IN_ALL, Subject, WARN_FROM, dead_before};

/// The reason of a lock: the event's, or another one where the budget is shut for good.
macro_rules! lock_reason {
    () => {
        event_parameters!("case when t.total >= $20 then $21 else $11 end", "$13")
    };
}

/// Writes an event if the same change has just locked this subject; with the reason `for_good` if it was the last
/// failure of all.
#[must_use]
pub fn insert_if_locked(
    tenant: &TenantId,
    event: &Event<'_>,
    for_good: &'static str,
    subject: &Subject,
    change: &ChangeId,
    now: Timestamp,
) -> Statement {
    bind_event(
        Statement::new(concat!(
            insert_into_events!(),
            "select ",
            lock_reason!(),
            " from throttles t where t.tenant_id = $1 and t.subject = $22 and t.change_id = $23 \
             and (t.locked_until is not null or t.total >= $20)",
        )),
        tenant,
        event,
        now,
    )
    .bind(MAX_IN_ALL)
    .bind(for_good)
    .bind(subject.as_str())
    .bind(change)
}

/// Writes an event if the same change has just brought this subject near the last failure of all.
#[must_use]
pub fn insert_if_near_the_last(
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
            " from throttles t where t.tenant_id = $1 and t.subject = $20 and t.change_id = $21 \
             and t.total >= $22 and t.total < $23",
        )),
        tenant,
        event,
        now,
    )
    .bind(subject.as_str())
    .bind(change)
    .bind(WARN_FROM)
    .bind(MAX_IN_ALL)
}

/// Writes an event if the same change has just locked this subject by counting dead attempts, which are
/// still there; with the reason `for_good` if they were the last failures of all.
#[must_use]
pub fn insert_if_dead_attempts_locked(
    tenant: &TenantId,
    event: &Event<'_>,
    for_good: &'static str,
    subject: &Subject,
    change: &ChangeId,
    now: Timestamp,
) -> Statement {
    bind_event(
        Statement::new(concat!(
            insert_into_events!(),
            "select ",
            lock_reason!(),
            " from throttles t cross join (select count(*) as number from attempts \
             where tenant_id = $1 and subject = $22 and reserved_at < $24) as dead \
             where t.tenant_id = $1 and t.subject = $22 and t.change_id = $23 \
             and ((t.locked_until is not null and t.failures - dead.number < $25) \
             or (t.total >= $20 and t.total - dead.number < $20))",
        )),
        tenant,
        event,
        now,
    )
    .bind(MAX_IN_ALL)
    .bind(for_good)
    .bind(subject.as_str())
    .bind(change)
    .bind(dead_before(now))
    .bind(MAX_ATTEMPTS)
}

macro_rules! failures_of_user {
    ($which:literal) => {
        concat!(
            "select name, occurred_at, reason, details, personal from events where user_id = $2 and tenant_id = $1 \
             and name in ('authn_login_fail', 'authn_password_change_fail', 'authn_login_lock') and ",
            $which,
            " order by id desc limit $3"
        )
    };
}

/// The latest of a user's failures that were compared, and the locks that they led to, the newest first: no more than
/// the budgets let through.
#[must_use]
pub fn find_compared_of_user(tenant: &TenantId, user: &UserId, limit: i64) -> Statement {
    let statement = Statement::new(failures_of_user!("coalesce(reason, '') <> 'locked'"));
    statement.bind(tenant).bind(user).bind(limit)
}

/// The latest attempts at a user that were refused for a lock, the newest first: anybody can make any number of them.
#[must_use]
pub fn find_refused_of_user(tenant: &TenantId, user: &UserId, limit: i64) -> Statement {
    Statement::new(failures_of_user!("reason = 'locked'")).bind(tenant).bind(user).bind(limit)
}
