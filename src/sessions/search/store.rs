//! The SQL that finds sessions, in the order of their ids, by the index that fits what is searched by.
//!
//! First come the ids of the next so many by that index alone, then what is asked of each. Both engines see by it that
//! the rest is about a few rows: neither reads all that a tenant has, whatever it believes of what is in the tables.
//!
//! In all texts `$1` is the tenant, `$2` and `$3` are the ids between which they are, `$4` is what the index is asked
//! for, `$5` how many are looked at.

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::{ChangeId, CustomerId, SessionId, TenantId, UserId};
use crate::sessions::EndReason;
use crate::sessions::store::{session_columns, session_lives};
use crate::tenants::Family;
use crate::users::store::user_columns;

use super::{SessionFilter, SessionState};

/// What an index is asked for.
macro_rules! all {
    () => {
        "cast($4 as text) is null"
    };
}
macro_rules! of_user {
    () => {
        "k.user_id = $4"
    };
}
macro_rules! open_of_user {
    () => {
        "k.user_id = $4 and k.ended_at is null"
    };
}
macro_rules! of_customer {
    () => {
        "k.customer_id = $4"
    };
}
macro_rules! on_device {
    () => {
        "k.device_id = $4"
    };
}
macro_rules! from_address {
    () => {
        "k.client_ip = $4"
    };
}

/// Backwards for whoever reads: from `$2` on and before `$3`.
macro_rules! backwards {
    ($source:ident) => {
        concat!(
            "select k.tenant_id, k.id from sessions k where k.tenant_id = $1 and k.id >= $2 and k.id < $3 and ",
            $source!(),
            " order by k.id desc limit "
        )
    };
}
/// Forwards for what goes through them: after `$2` and up to `$3`.
macro_rules! forwards {
    ($source:ident) => {
        concat!(
            "select k.tenant_id, k.id from sessions k where k.tenant_id = $1 and k.id > $2 and k.id <= $3 and ",
            $source!(),
            " order by k.id limit "
        )
    };
}

/// What a session's life depends on.
macro_rules! all_above {
    () => {
        "users u cross join customers c cross join tenants t \
         where u.tenant_id = s.tenant_id and u.id = s.user_id and c.tenant_id = u.tenant_id and c.id = u.customer_id \
         and t.id = s.tenant_id"
    };
}

/// Those of the ids that fit in everything that is searched by, whatever the index had of it. SQLite takes a cross join
/// to say in which order it is to look.
macro_rules! that_fit {
    ($order:ident, $source:ident) => {
        concat!(
            "(",
            $order!($source),
            "$5) ids cross join sessions s cross join ",
            all_above!(),
            " and s.tenant_id = ids.tenant_id and s.id = ids.id \
             and (cast($6 as text) is null or s.user_id = $6) \
             and (cast($7 as text) is null or s.customer_id = $7) \
             and (cast($8 as text) is null or s.device_id = $8) \
             and (cast($9 as text) is null or s.platform = $9) \
             and (cast($10 as text) is null or s.client_ip = $10) \
             and (cast($11 as text) is null or s.family = $11) \
             and (cast($12 as text) is null or s.ended_at is null or s.end_reason = $12) \
             and (cast($13 as text) is null or $13 <> 'live' or s.ended_at is null) \
             and case when cast($13 as text) is null then true when $13 = 'live' then ",
            session_lives!("$14"),
            " else (",
            session_lives!("$14"),
            ") is not true end"
        )
    };
}

macro_rules! page {
    ($source:ident) => {
        concat!(
            "select ",
            session_columns!(),
            ", ",
            user_columns!(),
            " from ",
            that_fit!(backwards, $source),
            " order by s.id desc"
        )
    };
}
macro_rules! end_of_page {
    ($source:ident) => {
        concat!(backwards!($source), "1 offset $5")
    };
}
macro_rules! slice {
    ($source:ident) => {
        concat!(
            "select s.id as id, s.user_id as user_id from ",
            that_fit!(forwards, $source),
            " order by s.id limit $15"
        )
    };
}
macro_rules! end_of_slice {
    ($source:ident) => {
        concat!(forwards!($source), "1 offset $5")
    };
}
macro_rules! count {
    ($source:ident) => {
        concat!("select count(*) as matched from ", that_fit!(forwards, $source))
    };
}

/// The text of the index that fits, with its key: the one that leaves the fewest rows as a rule.
macro_rules! by_index {
    ($text:ident, $filter:expr) => {
        match $filter {
            SessionFilter { user: Some(user), state: Some(SessionState::Live), .. } => {
                ($text!(open_of_user), Some(user.as_str()))
            }
            SessionFilter { user: Some(user), .. } => ($text!(of_user), Some(user.as_str())),
            SessionFilter { device: Some(device), .. } => ($text!(on_device), Some(device.as_str())),
            SessionFilter { customer: Some(customer), .. } => ($text!(of_customer), Some(customer.as_str())),
            SessionFilter { address: Some(address), .. } => ($text!(from_address), Some(address.as_str())),
            _ => ($text!(all), None),
        }
    };
}

/// Binds `$1` to `$5`.
fn within(
    (sql, key): (&'static str, Option<&str>),
    tenant: &TenantId,
    (first, last): (&str, &str),
    number: i64,
) -> Statement {
    Statement::new(sql).bind(tenant).bind(first).bind(last).bind(key).bind(number)
}

/// Binds `$6` to `$14`.
fn that_fit(statement: Statement, filter: &SessionFilter, now: Timestamp) -> Statement {
    statement
        .bind(filter.user.as_ref().map(UserId::as_str))
        .bind(filter.customer.as_ref().map(CustomerId::as_str))
        .bind(filter.device.as_deref())
        .bind(filter.platform.as_deref())
        .bind(filter.address.as_deref())
        .bind(filter.family.map(Family::as_str))
        .bind(filter.end_reason.map(EndReason::as_str))
        .bind(filter.state.map(SessionState::as_str))
        .bind(now)
}

/// Of the first `number` sessions from the id `from` on and before the id `before`, the newest first, those who fit, with
/// their users. Of those whose end no row has yet, all fit whatever `end_reason` says.
#[must_use]
pub fn list(
    tenant: &TenantId,
    filter: &SessionFilter,
    between: (&str, &str),
    number: i64,
    now: Timestamp,
) -> Statement {
    that_fit(within(by_index!(page, filter), tenant, between, number), filter, now)
}

/// The `id` of the last of so many; none where there are fewer.
#[must_use]
pub fn find_end_of_page(
    tenant: &TenantId,
    filter: &SessionFilter,
    between: (&str, &str),
    number: i64,
) -> Statement {
    within(by_index!(end_of_page, filter), tenant, between, number - 1)
}

/// Of the first `number` sessions after the id `after` and up to the id `last`, the oldest first, those that fit, `most`
/// at most: their ids and users.
#[must_use]
pub fn find_some(
    tenant: &TenantId,
    filter: &SessionFilter,
    between: (&str, &str),
    (number, most): (i64, i64),
    now: Timestamp,
) -> Statement {
    that_fit(within(by_index!(slice, filter), tenant, between, number), filter, now).bind(most)
}

/// The `id` of the last of so many; none where there are fewer.
#[must_use]
pub fn find_end_of_slice(
    tenant: &TenantId,
    filter: &SessionFilter,
    between: (&str, &str),
    number: i64,
) -> Statement {
    within(by_index!(end_of_slice, filter), tenant, between, number - 1)
}

/// How many fit of the first `number` after the id `after` and up to the id `last`.
#[must_use]
pub fn count(
    tenant: &TenantId,
    filter: &SessionFilter,
    between: (&str, &str),
    number: i64,
    now: Timestamp,
) -> Statement {
    that_fit(within(by_index!(count, filter), tenant, between, number), filter, now)
}

/// One session of a user's, whatever its family, with the user.
#[must_use]
pub fn find(tenant: &TenantId, user: &UserId, session: &SessionId) -> Statement {
    Statement::new(concat!(
        "select ",
        session_columns!(),
        ", ",
        user_columns!(),
        " from sessions s cross join ",
        all_above!(),
        " and s.tenant_id = $1 and s.user_id = $2 and s.id = $3"
    ))
    .bind(tenant)
    .bind(user)
    .bind(session)
}

/// Ends a session that lives; one that does not stays as it is. It bears the change's id then.
#[must_use]
pub fn end_if_it_lives(
    tenant: &TenantId,
    session: &SessionId,
    reason: EndReason,
    change: &ChangeId,
    now: Timestamp,
) -> Statement {
    Statement::new(concat!(
        "update sessions set ended_at = $3, end_reason = $4, change_id = $5 \
         where tenant_id = $1 and id = $2 and ended_at is null and exists (select 1 from sessions s cross join ",
        all_above!(),
        " and s.tenant_id = $1 and s.id = $2 and ",
        session_lives!("$3"),
        ")"
    ))
    .bind(tenant)
    .bind(session)
    .bind(now)
    .bind(reason.as_str())
    .bind(change)
}
