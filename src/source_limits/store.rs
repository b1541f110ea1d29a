//! The SQL of limits by source. A source's row comes first among what counts it, so that changes on one source wait for
//! each other.

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::{AttemptId, ChangeId, TenantId};

use super::{HOUR, MINUTE, Rules, SPRAY, Source, ban_end, bind_failures};

/// The columns of [`super::Failures`], of a source of the tenant `t`; the parameters are the source, and the instants a
/// minute and an hour ago.
macro_rules! failure_columns {
    ($source:literal, $minute:literal, $hour:literal) => {
        concat!(
            "(select s.banned_until from login_sources s where s.tenant_id = t.id and s.source = ",
            $source,
            ") as source_banned_until, \
             (select count(*) from source_attempts a where a.tenant_id = t.id and a.source = ",
            $source,
            " and a.reserved_at > ",
            $minute,
            " and a.pair is not null) as source_last_minute, \
             (select count(*) from source_attempts a where a.tenant_id = t.id and a.source = ",
            $source,
            " and a.reserved_at > ",
            $hour,
            " and (a.pair is not null or a.reserved_at <= ",
            $minute,
            ")) as source_last_hour"
        )
    };
}
pub(crate) use failure_columns;

/// What has failed from the source.
#[must_use]
pub fn find_failures(tenant: &TenantId, source: &Source, now: Timestamp) -> Statement {
    let statement = Statement::new(concat!(
        "select ",
        failure_columns!("$2", "$3", "$4"),
        " from tenants t where t.id = $1"
    ));
    bind_failures(statement.bind(tenant), source, now)
}

/// When the failure began that is the `place`th, counted from the newest.
#[must_use]
pub fn find_failure(tenant: &TenantId, source: &Source, place: i64, now: Timestamp) -> Statement {
    Statement::new(
        "select reserved_at from source_attempts where tenant_id = $1 and source = $2 \
         and (pair is not null or reserved_at <= $3) order by reserved_at desc limit 1 offset $4",
    )
    .bind(tenant)
    .bind(source.as_str())
    .bind(now.plus_seconds(-MINUTE))
    .bind(place - 1)
}

/// Leaves an attempt's mark if there is room for one; the second statement answers a row if there was.
#[must_use]
pub fn reserve(
    tenant: &TenantId,
    source: &Source,
    rules: &Rules,
    attempt: &AttemptId,
    change: &ChangeId,
    now: Timestamp,
) -> [Statement; 2] {
    [
        Statement::new(
            "insert into login_sources (tenant_id, source, updated_at, change_id, due_at) \
             values ($1, $2, $3, $4, $5) \
             on conflict (tenant_id, source) do update set updated_at = excluded.updated_at, \
             change_id = excluded.change_id",
        )
        .bind(tenant)
        .bind(source.as_str())
        .bind(now)
        .bind(change)
        .bind(now.plus_seconds(SPRAY)),
        Statement::new(
            "insert into source_attempts (tenant_id, source, id, reserved_at) \
             select $1, $2, $3, $4 from login_sources s where s.tenant_id = $1 and s.source = $2 \
             and (s.banned_until is null or s.banned_until <= $5) \
             and (select count(*) from source_attempts a \
                  where a.tenant_id = $1 and a.source = $2 and a.reserved_at > $6) < $7 \
             and (select count(*) from source_attempts a \
                  where a.tenant_id = $1 and a.source = $2 and a.reserved_at > $8) < $9 returning id",
        )
        .bind(tenant)
        .bind(source.as_str())
        .bind(attempt)
        .bind(now)
        // A ban of rules that are switched off is none.
        .bind(if rules.spray_pairs.is_some() { now.as_millis() } else { i64::MAX })
        .bind(now.plus_seconds(-MINUTE))
        .bind(rules.per_minute)
        .bind(now.plus_seconds(-HOUR))
        .bind(rules.per_hour),
    ]
}

/// Takes an attempt's mark away: it succeeded, or nothing was compared.
#[must_use]
pub fn give_back(tenant: &TenantId, source: &Source, attempt: &AttemptId) -> Statement {
    Statement::new("delete from source_attempts where tenant_id = $1 and source = $2 and id = $3")
        .bind(tenant)
        .bind(source.as_str())
        .bind(attempt)
}

/// Makes an attempt's mark a failure's, with the digest of what was tried, and shuts the source out if that is one
/// guess too many.
#[must_use]
pub fn count_failure(
    tenant: &TenantId,
    source: &Source,
    rules: &Rules,
    (attempt, pair): (&AttemptId, &[u8]),
    change: &ChangeId,
    now: Timestamp,
) -> [Statement; 3] {
    [
        Statement::new(
            "update login_sources set updated_at = $3, change_id = $4 where tenant_id = $1 and source = $2",
        )
        .bind(tenant)
        .bind(source.as_str())
        .bind(now)
        .bind(change),
        Statement::new(
            "update source_attempts set pair = $4 where tenant_id = $1 and source = $2 and id = $3",
        )
        .bind(tenant)
        .bind(source.as_str())
        .bind(attempt)
        .bind(pair),
        Statement::new(
            "update login_sources set banned_until = $4, due_at = $4 where tenant_id = $1 and source = $2 \
             and (banned_until is null or banned_until <= $3) \
             and (select count(distinct a.pair) from source_attempts a \
                  where a.tenant_id = $1 and a.source = $2 and a.reserved_at > $5) >= $6",
        )
        .bind(tenant)
        .bind(source.as_str())
        .bind(now)
        .bind(ban_end(now))
        .bind(now.plus_seconds(-SPRAY))
        .bind(rules.spray_pairs.unwrap_or(i64::MAX)),
    ]
}

/// Deletes a slice of the marks that nobody counts any more, whose ever they are; answers one row for each. Its sum is
/// the index's.
#[must_use]
pub fn delete_attempts_that_are_over(now: Timestamp, slice: i64) -> Statement {
    Statement::new(
        "delete from source_attempts where (tenant_id, source, id) in \
         (select a.tenant_id, a.source, a.id from source_attempts a where a.reserved_at + 0 < $1 limit $2) \
         returning tenant_id",
    )
    .bind(now.plus_seconds(-SPRAY))
    .bind(slice)
}

/// Deletes a slice of the sources that have no mark and are not shut out, likewise.
#[must_use]
pub fn delete_sources_that_are_over(now: Timestamp, slice: i64) -> Statement {
    Statement::new(
        "delete from login_sources where (tenant_id, source) in \
         (select s.tenant_id, s.source from login_sources s where s.due_at < $2 and s.updated_at < $1 \
          and (s.banned_until is null or s.banned_until < $2) and not exists \
          (select 1 from source_attempts a where a.tenant_id = s.tenant_id and a.source = s.source) limit $3) \
         and updated_at < $1 returning tenant_id",
    )
    .bind(now.plus_seconds(-SPRAY))
    .bind(now)
    .bind(slice)
}
