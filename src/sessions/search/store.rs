//! The SQL that finds sessions, in the order of their ids, by the index that fits what is searched by.
//!
//! In all texts `$1` is the tenant, `$2` and `$3` are the ids between which they are, `$4` is what the index is asked
//! for.

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::{ChangeId, CustomerId, SessionId, TenantId, UserId};
use crate::sessions::EndReason;
use crate::sessions::store::{session_columns, session_lives};
use crate::tenants::Family;
use crate::users::store::user_columns;

use super::{SessionFilter, SessionState};

/// From `$2` on and before `$3` for whoever reads `backwards`; after `$2` and up to `$3` for what goes `forwards`.
macro_rules! between {
    ($table:literal, backwards) => {
        concat!($table, ".tenant_id = $1 and ", $table, ".id >= $2 and ", $table, ".id < $3")
    };
    ($table:literal, forwards) => {
        concat!($table, ".tenant_id = $1 and ", $table, ".id > $2 and ", $table, ".id <= $3")
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

/// Where sessions are taken from: their `rows` with what their life depends on, their ids alone, or the `id` by which
/// they are in order.
///
/// SQLite takes a cross join to say in which order it is to look: it has found the sessions in the order of their ids
/// before all else.
macro_rules! all {
    (rows, $order:ident) => {
        concat!(
            "sessions s cross join ",
            all_above!(),
            " and cast($4 as text) is null and ",
            between!("s", $order)
        )
    };
    (ids, $order:ident) => {
        concat!("sessions s where cast($4 as text) is null and ", between!("s", $order))
    };
    (id) => {
        "s.id"
    };
}
/// By an index with a key. Of `k` nothing is asked that the index does not have: so SQLite, which knows nothing of what
/// is in its tables, takes it and not the primary key, by which it would read all that a tenant has.
macro_rules! keyed {
    (rows, $order:ident, $key:literal) => {
        concat!(
            "sessions k cross join sessions s cross join ",
            all_above!(),
            " and s.tenant_id = k.tenant_id and s.id = k.id and ",
            $key,
            " and ",
            between!("k", $order)
        )
    };
    (ids, $order:ident, $key:literal) => {
        concat!("sessions k where ", $key, " and ", between!("k", $order))
    };
    (id, $key:literal) => {
        "k.id"
    };
}
macro_rules! of_user {
    ($($what:ident),+) => { keyed!($($what),+, "k.user_id = $4") };
}
macro_rules! open_of_user {
    ($($what:ident),+) => { keyed!($($what),+, "k.user_id = $4 and k.ended_at is null") };
}
macro_rules! of_customer {
    ($($what:ident),+) => { keyed!($($what),+, "k.customer_id = $4") };
}
macro_rules! on_device {
    ($($what:ident),+) => { keyed!($($what),+, "k.device_id = $4") };
}
macro_rules! from_address {
    ($($what:ident),+) => { keyed!($($what),+, "k.client_ip = $4") };
}

/// Everything that is searched by, whatever the index had of it.
macro_rules! that_fit {
    () => {
        concat!(
            " and (cast($5 as text) is null or s.user_id = $5) \
             and (cast($6 as text) is null or s.customer_id = $6) \
             and (cast($7 as text) is null or s.device_id = $7) \
             and (cast($8 as text) is null or s.platform = $8) \
             and (cast($9 as text) is null or s.client_ip = $9) \
             and (cast($10 as text) is null or s.family = $10) \
             and (cast($11 as text) is null or s.ended_at is null or s.end_reason = $11) \
             and (cast($12 as text) is null or $12 <> 'live' or s.ended_at is null) \
             and case when cast($12 as text) is null then true when $12 = 'live' then ",
            session_lives!("$13"),
            " else (",
            session_lives!("$13"),
            ") is not true end"
        )
    };
}

macro_rules! page {
    ($source:ident) => {
        concat!(
            "select s.id as id, ",
            session_columns!(),
            ", ",
            user_columns!(),
            " from ",
            $source!(rows, backwards),
            that_fit!(),
            " order by ",
            $source!(id),
            " desc limit $14"
        )
    };
}
macro_rules! end_of_page {
    ($source:ident) => {
        concat!(
            "select ",
            $source!(id),
            " as id from ",
            $source!(ids, backwards),
            " order by ",
            $source!(id),
            " desc limit 1 offset 4999"
        )
    };
}
macro_rules! slice {
    ($source:ident) => {
        concat!(
            "select s.id as id, s.user_id as user_id from ",
            $source!(rows, forwards),
            that_fit!(),
            " order by ",
            $source!(id),
            " limit $14"
        )
    };
}
macro_rules! end_of_slice {
    ($source:ident) => {
        concat!(
            "select ",
            $source!(id),
            " as id from ",
            $source!(ids, forwards),
            " order by ",
            $source!(id),
            " limit 1 offset 4999"
        )
    };
}
macro_rules! count {
    ($source:ident) => {
        concat!("select count(*) as matched from ", $source!(rows, forwards), that_fit!())
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

/// Binds `$1` to `$4`.
fn within(
    (sql, key): (&'static str, Option<&str>),
    tenant: &TenantId,
    (first, last): (&str, &str),
) -> Statement {
    Statement::new(sql).bind(tenant).bind(first).bind(last).bind(key)
}

/// Binds `$5` to `$13`.
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

/// Sessions with their users, the newest first, of those who fit from the id `from` on and before the id `before`. Of
/// those whose end no row has yet, all fit whatever `end_reason` says.
#[must_use]
pub fn list(
    tenant: &TenantId,
    filter: &SessionFilter,
    (from, before): (&str, &str),
    limit: i64,
    now: Timestamp,
) -> Statement {
    let statement = within(by_index!(page, filter), tenant, (from, before));
    that_fit(statement, filter, now).bind(limit)
}

/// The id of the last row that a page may look at ([`super::LOOKED_AT`]); none where the list ends before.
#[must_use]
pub fn find_end_of_page(tenant: &TenantId, filter: &SessionFilter, between: (&str, &str)) -> Statement {
    within(by_index!(end_of_page, filter), tenant, between)
}

/// Sessions that fit, the oldest first, after the id `after` and up to the id `last`: their ids and users.
#[must_use]
pub fn find_some(
    tenant: &TenantId,
    filter: &SessionFilter,
    (after, last): (&str, &str),
    limit: i64,
    now: Timestamp,
) -> Statement {
    let statement = within(by_index!(slice, filter), tenant, (after, last));
    that_fit(statement, filter, now).bind(limit)
}

/// The id of the last row that a slice may look at ([`super::LOOKED_AT`]); none where there are no more.
#[must_use]
pub fn find_end_of_slice(tenant: &TenantId, filter: &SessionFilter, between: (&str, &str)) -> Statement {
    within(by_index!(end_of_slice, filter), tenant, between)
}

/// How many fit after the id `after` and up to the id `last`.
#[must_use]
pub fn count(
    tenant: &TenantId,
    filter: &SessionFilter,
    (after, last): (&str, &str),
    now: Timestamp,
) -> Statement {
    that_fit(within(by_index!(count, filter), tenant, (after, last)), filter, now)
}

/// One session of a user's, whatever its family, with the user.
#[must_use]
pub fn find(tenant: &TenantId, user: &UserId, session: &SessionId) -> Statement {
    Statement::new(concat!(
        "select s.id as id, ",
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
