//! The throttles' SQL. The throttle's row comes first in every change that counts, so that changes on
//! one subject wait for each other.

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::{AttemptId, ChangeId, TenantId};

use crate::error::MAX_ATTEMPTS;

use super::{Subject, dead_before, lock_end};

/// Reserves an attempt if one is free. [`super::Reservation::from_applied`] reads the answer, which is
/// not a refusal even where nothing is free: what was learned of dead attempts must stay. `lock_event`
/// writes an event if dead attempts lock the subject; it runs while they are still there.
#[must_use]
pub fn reserve(
    tenant: &TenantId,
    subject: &Subject,
    attempt: &AttemptId,
    change: &ChangeId,
    now: Timestamp,
    lock_event: Statement,
) -> [Statement; 5] {
    let stale = dead_before(now);
    [
        // A lock that is over takes its failures with it (R016).
        Statement::new(
            "insert into throttles (tenant_id, subject, failures, updated_at, change_id) \
             values ($1, $2, 0, $3, $4) on conflict (tenant_id, subject) do update set \
             failures = case when throttles.locked_until <= excluded.updated_at then 0 else throttles.failures end, \
             locked_until = case when throttles.locked_until <= excluded.updated_at then null \
                            else throttles.locked_until end, \
             updated_at = excluded.updated_at, change_id = excluded.change_id",
        )
        .bind(tenant)
        .bind(subject.as_str())
        .bind(now)
        .bind(change),
        Statement::new(
            "update throttles set failures = failures + stale.number, \
             locked_until = case when locked_until is null and failures + stale.number >= $5 then $4 \
                            else locked_until end \
             from (select count(*) as number from attempts \
                   where tenant_id = $1 and subject = $2 and reserved_at < $3) as stale \
             where tenant_id = $1 and subject = $2 returning failures, locked_until",
        )
        .bind(tenant)
        .bind(subject.as_str())
        .bind(stale)
        .bind(lock_end(now))
        .bind(MAX_ATTEMPTS),
        lock_event,
        Statement::new("delete from attempts where tenant_id = $1 and subject = $2 and reserved_at < $3")
            .bind(tenant)
            .bind(subject.as_str())
            .bind(stale),
        Statement::new(
            "insert into attempts (tenant_id, subject, id, reserved_at) \
             select $1, $2, $3, $4 from throttles t \
             where t.tenant_id = $1 and t.subject = $2 and t.locked_until is null and t.failures + \
             (select count(*) from attempts a where a.tenant_id = $1 and a.subject = $2) < $5 returning id",
        )
        .bind(tenant)
        .bind(subject.as_str())
        .bind(attempt)
        .bind(now)
        .bind(MAX_ATTEMPTS),
    ]
}

/// Takes the attempt back unconcluded: nothing was compared.
#[must_use]
pub fn give_back(tenant: &TenantId, subject: &Subject, attempt: &AttemptId) -> Statement {
    delete_attempt(tenant, subject, attempt)
}

/// Counts a failure, and locks at the fifth. Answers `failures` and `locked_until`.
#[must_use]
pub fn count_failure(tenant: &TenantId, subject: &Subject, change: &ChangeId, now: Timestamp) -> Statement {
    Statement::new(
        "update throttles set failures = failures + 1, updated_at = $3, change_id = $4, \
         locked_until = case when failures + 1 >= $6 then $5 else locked_until end \
         where tenant_id = $1 and subject = $2 returning failures, locked_until",
    )
    .bind(tenant)
    .bind(subject.as_str())
    .bind(now)
    .bind(change)
    .bind(lock_end(now))
    .bind(MAX_ATTEMPTS)
}

/// Clears the failures after a success (the documented counter: docs/contract-notes.md).
#[must_use]
pub fn clear(tenant: &TenantId, subject: &Subject, change: &ChangeId, now: Timestamp) -> Statement {
    Statement::new(
        "update throttles set failures = 0, locked_until = null, updated_at = $3, change_id = $4 \
         where tenant_id = $1 and subject = $2",
    )
    .bind(tenant)
    .bind(subject.as_str())
    .bind(now)
    .bind(change)
}

/// Concludes an attempt. Refused ("attempt") when it is gone: it took so long that it was counted as failed.
#[must_use]
pub fn conclude(tenant: &TenantId, subject: &Subject, attempt: &AttemptId) -> Statement {
    delete_attempt(tenant, subject, attempt).must_change("attempt")
}

fn delete_attempt(tenant: &TenantId, subject: &Subject, attempt: &AttemptId) -> Statement {
    Statement::new("delete from attempts where tenant_id = $1 and subject = $2 and id = $3 returning id")
        .bind(tenant)
        .bind(subject.as_str())
        .bind(attempt)
}
