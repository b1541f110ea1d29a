//! The throttles' SQL. The throttle's row comes first in every change that counts a failure or an attempt, so that changes
//! on one subject wait for each other. A success with nothing to clear does not touch it.

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::{AttemptId, ChangeId, TenantId, UserId};

use crate::error::MAX_ATTEMPTS;

use super::{
    CLEAR_ROW_MILLIS, LOCKED_NAME_ROW_MILLIS, MAX_IN_ALL, NAME_ROW_MILLIS, Subject, dead_before, lock_end,
};

/// Reserves an attempt if one is free. [`super::Reservation::from_applied`] reads the answer, which is
/// not a refusal even where nothing is free: what was learned of dead attempts must stay. `lock_event`
/// writes an event if dead attempts lock the subject; it runs while they are still there. Whether a lock is over is
/// judged by `cautious`, [`crate::clock::Clock::cautious`] (R159).
#[must_use]
pub fn reserve(
    tenant: &TenantId,
    subject: &Subject,
    attempt: &AttemptId,
    change: &ChangeId,
    (now, cautious): (Timestamp, Timestamp),
    lock_event: Statement,
) -> [Statement; 5] {
    let stale = dead_before(now);
    [
        // Whose it is follows from the subject and stays: set anew, it would have its index written for those who exist.
        // A lock that is over takes its failures with it (R016). So does a week without an attempt, for users as for names
        // that nobody has, whose rows are gone then: what is left tells nobody which of the two it is (R018).
        Statement::new(
            "insert into throttles (tenant_id, subject, user_id, failures, total, created_at, updated_at, change_id) \
             values ($1, $2, $3, 0, 0, $4, $4, $5) on conflict (tenant_id, subject) do update set \
             failures = case when throttles.locked_until <= $6 then 0 \
                        when throttles.locked_until is null and throttles.updated_at < $7 then 0 \
                        else throttles.failures end, \
             locked_until = case when throttles.locked_until <= $6 then null else throttles.locked_until end, \
             updated_at = excluded.updated_at, change_id = excluded.change_id",
        )
        .bind(tenant)
        .bind(subject.as_str())
        .bind(subject.user_id())
        .bind(now)
        .bind(change)
        .bind(cautious)
        .bind(cautious.plus_millis(-NAME_ROW_MILLIS)),
        Statement::new(
            "update throttles set failures = failures + stale.number, total = total + stale.number, \
             locked_until = case when locked_until is null and failures + stale.number >= $5 then $4 \
                            else locked_until end \
             from (select count(*) as number from attempts \
                   where tenant_id = $1 and subject = $2 and reserved_at < $3) as stale \
             where tenant_id = $1 and subject = $2 returning failures, total, locked_until",
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
             select $1, $2, $3, $4 from throttles t cross join (select count(*) as number from attempts \
             where tenant_id = $1 and subject = $2) as flying \
             where t.tenant_id = $1 and t.subject = $2 and t.locked_until is null \
             and t.failures + flying.number < $5 and t.total + flying.number < $6 returning id",
        )
        .bind(tenant)
        .bind(subject.as_str())
        .bind(attempt)
        .bind(now)
        .bind(MAX_ATTEMPTS)
        .bind(MAX_IN_ALL),
    ]
}

/// Takes the attempt back unconcluded: nothing was compared.
#[must_use]
pub fn give_back(tenant: &TenantId, subject: &Subject, attempt: &AttemptId) -> Statement {
    delete_attempt(tenant, subject, attempt)
}

/// Counts a failure, and locks at the fifth. Answers `failures`.
#[must_use]
pub fn count_failure(tenant: &TenantId, subject: &Subject, change: &ChangeId, now: Timestamp) -> Statement {
    Statement::new(
        "update throttles set failures = failures + 1, total = total + 1, updated_at = $3, change_id = $4, \
         locked_until = case when failures + 1 >= $6 then $5 else locked_until end \
         where tenant_id = $1 and subject = $2 returning failures",
    )
    .bind(tenant)
    .bind(subject.as_str())
    .bind(now)
    .bind(change)
    .bind(lock_end(now))
    .bind(MAX_ATTEMPTS)
}

/// Clears a budget's failures after a success (the documented counter: docs/contract-notes.md), or where somebody
/// unlocks it. A budget that has none is left as it is: most logins are right the first time.
#[must_use]
pub fn clear(tenant: &TenantId, subject: &Subject, change: &ChangeId, now: Timestamp) -> Statement {
    Statement::new(
        "update throttles set failures = 0, total = 0, locked_until = null, updated_at = $3, change_id = $4 \
         where tenant_id = $1 and subject = $2 and (failures + total > 0 or locked_until is not null)",
    )
    .bind(tenant)
    .bind(subject.as_str())
    .bind(now)
    .bind(change)
}

/// Clears the failures of all of a user's budgets: the password is another one, or somebody unlocks them.
#[must_use]
pub fn clear_all(tenant: &TenantId, user: &UserId, change: &ChangeId, now: Timestamp) -> Statement {
    Statement::new(
        // A node of the version before names no user in the row.
        "update throttles set failures = 0, total = 0, locked_until = null, updated_at = $4, change_id = $5 \
         where tenant_id = $1 and (user_id = $2 or subject = $3)",
    )
    .bind(tenant)
    .bind(user)
    .bind(Subject::unproven(user).as_str())
    .bind(now)
    .bind(change)
}

/// Clears the failures of one of a user's budgets. Refused ("lock") where it has none.
#[must_use]
pub fn unlock(tenant: &TenantId, subject: &Subject, change: &ChangeId, now: Timestamp) -> Statement {
    Statement::new(
        "update throttles set failures = 0, total = 0, locked_until = null, updated_at = $3, change_id = $4 \
         where tenant_id = $1 and subject = $2 and failures + total > 0 returning subject",
    )
    .bind(tenant)
    .bind(subject.as_str())
    .bind(now)
    .bind(change)
    .must_change("lock")
}

/// A user's budgets that have failures, the fullest first, with what [`super::Lock::from_row`] reads.
#[must_use]
pub fn find_of_user(tenant: &TenantId, user: &UserId, limit: i64) -> Statement {
    Statement::new(
        "select t.subject as subject, t.failures as failures, t.total as total, t.locked_until as locked_until, \
         d.device_id as device_id, d.name as device_name from throttles t \
         left join devices d on d.tenant_id = $1 and d.user_id = $2 \
         and t.subject in ($3 || '/half:' || d.change_id, $3 || '/full:' || d.change_id) \
         where t.tenant_id = $1 and (t.user_id = $2 or t.subject = $3) and t.failures + t.total > 0 \
         order by t.total desc, t.subject limit $4",
    )
    .bind(tenant)
    .bind(user)
    .bind(Subject::unproven(user).as_str())
    .bind(limit)
}

/// Deletes a slice of the rows that nobody misses, whose ever they are; answers one row for each. What locks now, what
/// is in flight, and what a user has failed stay.
#[must_use]
pub fn delete_idle(now: Timestamp, slice: i64) -> Statement {
    Statement::new(
        "delete from throttles where updated_at < $1 and (tenant_id, subject) in \
         (select t.tenant_id, t.subject from throttles t where t.created_at < $1 and t.updated_at < $1 \
         and (t.locked_until is null or t.locked_until <= $2) and (t.failures + t.total = 0 \
         or (substr(t.subject, 1, 5) = 'name:' and (t.updated_at < $3 or (t.total < $4 and t.updated_at < $5)))) \
         and not exists (select 1 from attempts a where a.tenant_id = t.tenant_id and a.subject = t.subject) \
         limit $6) returning tenant_id",
    )
    .bind(now.plus_millis(-CLEAR_ROW_MILLIS))
    .bind(now)
    .bind(now.plus_millis(-LOCKED_NAME_ROW_MILLIS))
    .bind(MAX_ATTEMPTS)
    .bind(now.plus_millis(-NAME_ROW_MILLIS))
    .bind(slice)
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
