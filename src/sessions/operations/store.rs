//! The operations' SQL.

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::{ChangeId, SessionOperationId, TenantId};
use crate::sessions::EndReason;
use crate::sessions::search::SessionFilter;

use super::{SessionOperation, settled_before};

/// Begins an operation of an actor's, told by the words that events have: kind and id.
#[must_use]
pub fn insert(
    tenant: &TenantId,
    id: &SessionOperationId,
    filter: &SessionFilter,
    end_reason: EndReason,
    (actor_kind, actor_id): (&str, Option<&str>),
    reason: Option<&str>,
    now: Timestamp,
) -> Statement {
    let (from, _) = filter.range();
    Statement::new(
        "insert into session_operations (tenant_id, id, filter, end_reason, actor_kind, actor_id, reason, after_id, \
         ended, started_at, updated_at, change_id) values ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $9, $10)",
    )
    .bind(tenant)
    .bind(id)
    .bind(filter.to_stored())
    .bind(end_reason.as_str())
    .bind(actor_kind)
    .bind(actor_id)
    .bind(reason)
    .bind(from)
    .bind(now)
    .bind(&ChangeId::random())
}

/// One operation.
#[must_use]
pub fn find(tenant: &TenantId, id: &SessionOperationId) -> Statement {
    Statement::new(
        "select id, filter, end_reason, actor_kind, actor_id, reason, after_id, ended, started_at, updated_at, \
         passed_at, finished_at, change_id from session_operations where tenant_id = $1 and id = $2",
    )
    .bind(tenant)
    .bind(id)
}

/// The operations of all tenants that have something to do and that nobody has moved since `idle_since`, after the id
/// `after`, `most` at most.
#[must_use]
pub fn find_due(idle_since: Timestamp, now: Timestamp, after: &str, most: i64) -> Statement {
    Statement::new(
        "select tenant_id, id from session_operations where finished_at is null and id > $1 and updated_at <= $2 \
         and (passed_at is null or started_at <= $3) order by id limit $4",
    )
    .bind(after)
    .bind(idle_since)
    .bind(settled_before(now))
    .bind(most)
}

/// Moves an operation on to the id of the last session that was looked at. Refused ("session operation") when somebody
/// else has moved it since it was read.
#[must_use]
pub fn move_on(
    tenant: &TenantId,
    operation: &SessionOperation,
    last: &str,
    change: &ChangeId,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "update session_operations set after_id = $4, change_id = $5, updated_at = $6 \
         where tenant_id = $1 and id = $2 and change_id = $3 and finished_at is null returning id",
    )
    .bind(tenant)
    .bind(&operation.id)
    .bind(&operation.change)
    .bind(last)
    .bind(change)
    .bind(now)
    .must_change("session operation")
}

/// Counts the sessions after the id `after` up to the id `last` that the same change has ended.
#[must_use]
pub fn count_ended(
    tenant: &TenantId,
    id: &SessionOperationId,
    (after, last): (&str, &str),
    change: &ChangeId,
) -> Statement {
    Statement::new(
        "update session_operations set ended = ended + (select count(*) from sessions s where s.tenant_id = $1 \
         and s.id > $2 and s.id <= $3 and s.change_id = $4) where tenant_id = $1 and id = $5",
    )
    .bind(tenant)
    .bind(after)
    .bind(last)
    .bind(change)
    .bind(id)
}

/// Notes that all that were there have been looked at, and goes back to the logins that may have been under way. Refused
/// as [`move_on`].
#[must_use]
pub fn note_passed(tenant: &TenantId, operation: &SessionOperation, now: Timestamp) -> Statement {
    Statement::new(
        "update session_operations set after_id = $4, change_id = $5, updated_at = $6, passed_at = $6 \
         where tenant_id = $1 and id = $2 and change_id = $3 and finished_at is null returning id",
    )
    .bind(tenant)
    .bind(&operation.id)
    .bind(&operation.change)
    .bind(operation.stragglers())
    .bind(&ChangeId::random())
    .bind(now)
    .must_change("session operation")
}

/// Notes that an operation is over; what it searched for goes. Refused as [`move_on`].
#[must_use]
pub fn finish(tenant: &TenantId, operation: &SessionOperation, now: Timestamp) -> Statement {
    Statement::new(
        "update session_operations set filter = '{}', change_id = $4, updated_at = $5, finished_at = $5 \
         where tenant_id = $1 and id = $2 and change_id = $3 and finished_at is null returning id",
    )
    .bind(tenant)
    .bind(&operation.id)
    .bind(&operation.change)
    .bind(&ChangeId::random())
    .bind(now)
    .must_change("session operation")
}
