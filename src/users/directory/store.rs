//! The directory's SQL on users.

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::{CustomerId, TenantId, UserId};
use crate::spelling::search_pattern;
use crate::users::UserStatus;

use super::{UserFilters, UserRecord};

/// A page of a list looks at so many rows at most.
pub const MAX_ROWS_LOOKED_AT: i64 = 20_000;

/// The columns [`UserRecord::from_row`] reads, of `users u`.
macro_rules! user_record_columns {
    () => {
        "u.id as id, u.customer_id as customer_id, u.kind as kind, u.status as status, u.revision as revision, \
         u.username as username, u.email as email, u.first_name as first_name, u.last_name as last_name, \
         u.full_name as full_name, u.gender as gender, u.phones as phones, u.roles as roles, u.profile as profile, \
         u.metadata as metadata, u.password_hash is not null as has_password, u.last_login_at as last_login_at, \
         u.created_at as created_at, u.updated_at as updated_at, u.erased_at as erased_at"
    };
}

pub(crate) use user_record_columns;

/// One user, whatever the status.
#[must_use]
pub fn find(tenant: &TenantId, user: &UserId) -> Statement {
    Statement::new(concat!(
        "select ",
        user_record_columns!(),
        " from users u where u.tenant_id = $1 and u.id = $2"
    ))
    .bind(tenant)
    .bind(user)
}

/// Writes what may be changed of a user. Refused ("user revision") when somebody has changed the row meanwhile.
#[must_use]
pub fn update(tenant: &TenantId, user: &UserRecord, now: Timestamp) -> Statement {
    Statement::new(
        "update users set username = $4, email = $5, first_name = $6, last_name = $7, full_name = $8, gender = $9, \
         phones = $10, roles = $11, profile = $12, metadata = $13, search = $14, updated_at = $15, \
         revision = revision + 1 \
         where tenant_id = $1 and id = $2 and revision = $3 and erased_at is null returning id",
    )
    .bind(tenant)
    .bind(&user.id)
    .bind(user.revision)
    .bind(user.username.as_deref())
    .bind(user.email.as_deref())
    .bind(user.first_name.as_deref())
    .bind(user.last_name.as_deref())
    .bind(user.full_name.as_deref())
    .bind(user.gender.as_deref())
    .bind(serde_json::to_string(&user.phones).expect("a list of plain data"))
    .bind(serde_json::to_string(&user.roles).expect("a list of texts"))
    .bind(serde_json::to_string(&user.details).expect("plain data"))
    .bind(user.metadata.to_string())
    .bind(user.search())
    .bind(now)
    .must_change("user revision")
}

/// The username they log in by, canonical; of rows from before `users.username` it is all that is known.
#[must_use]
pub fn find_username(tenant: &TenantId, user: &UserId) -> Statement {
    Statement::new("select name from login_names where tenant_id = $1 and user_id = $2 and kind = 'username'")
        .bind(tenant)
        .bind(user)
}

/// Takes a user's names to log in with away: others may have them in the same change.
#[must_use]
pub fn delete_names(tenant: &TenantId, user: &UserId) -> Statement {
    Statement::new("delete from login_names where tenant_id = $1 and user_id = $2").bind(tenant).bind(user)
}

/// Takes the numbers away by which a user is found.
#[must_use]
pub fn delete_phones(tenant: &TenantId, user: &UserId) -> Statement {
    Statement::new("delete from user_phones where tenant_id = $1 and user_id = $2").bind(tenant).bind(user)
}

/// Moves a user to another status. Refused ("user revision") as [`update`]. One that lets nobody in ends all sessions
/// with the next request, and moving on does not revive them (R064). What had ended them before stays; an instant
/// never goes back, whatever a node's clock says.
#[must_use]
pub fn set_status(
    tenant: &TenantId,
    user: &UserId,
    revision: i64,
    status: UserStatus,
    now: Timestamp,
) -> Statement {
    let ends = (status != UserStatus::Active).then_some(now);
    Statement::new(
        "update users set status = $4, updated_at = $5, revision = revision + 1, session_kept = null, \
         sessions_end_reason = case when cast($6 as bigint) is null or sessions_not_before is not null \
             and (status <> 'active' or sessions_not_before > $6) then sessions_end_reason \
             else 'user_disabled' end, \
         sessions_not_before = case when cast($6 as bigint) is null or sessions_not_before is not null \
             and (status <> 'active' or sessions_not_before > $6) then sessions_not_before else $6 end \
         where tenant_id = $1 and id = $2 and revision = $3 returning id",
    )
    .bind(tenant)
    .bind(user)
    .bind(revision)
    .bind(status.as_str())
    .bind(now)
    .bind(ends)
    .must_change("user revision")
}

/// Takes out of a closed user's row what may tell who it was; older rows of other tables are still to be erased.
/// Refused ("user revision") when somebody was faster.
#[must_use]
pub fn erase(tenant: &TenantId, user: &UserId, now: Timestamp) -> Statement {
    Statement::new(
        "update users set password_hash = null, password_changed_at = null, \
         password_version = password_version + 1, password_imported = $3, \
         username = null, email = null, first_name = null, last_name = null, full_name = null, gender = null, \
         phones = '[]', profile = '{}', metadata = '{}', search = '', erased_at = $4, erasing = $5, \
         revision = revision + 1 \
         where tenant_id = $1 and id = $2 and status = 'closed' and erased_at is null returning id",
    )
    .bind(tenant)
    .bind(user)
    .bind(false)
    .bind(now)
    .bind(true)
    .must_change("user revision")
}

/// Notes that nothing of an erased user is left. What was under way when they were erased has ended by `before`.
#[must_use]
pub fn finish_erasing(tenant: &TenantId, user: &UserId, before: Timestamp) -> Statement {
    Statement::new("update users set erasing = $3 where tenant_id = $1 and id = $2 and erased_at < $4")
        .bind(tenant)
        .bind(user)
        .bind(false)
        .bind(before)
}

/// A page of the users who are not active, after an id.
#[must_use]
pub fn find_shut(tenant: &TenantId, after: &str, limit: i64) -> Statement {
    Statement::new(concat!(
        "select ",
        user_record_columns!(),
        " from users u where u.tenant_id = $1 and u.id > $2 and u.status <> 'active' order by u.id limit $3"
    ))
    .bind(tenant)
    .bind(after)
    .bind(limit)
}

/// Some of a customer's users who are not erased.
#[must_use]
pub fn find_unerased(tenant: &TenantId, customer: &CustomerId, limit: i64) -> Statement {
    Statement::new(concat!(
        "select ",
        user_record_columns!(),
        " from users u where u.tenant_id = $1 and u.customer_id = $2 and u.erased_at is null \
         order by u.id limit $3"
    ))
    .bind(tenant)
    .bind(customer)
    .bind(limit)
}

/// Refused ("another ADMIN") unless the tenant has another active ADMIN than this user. Exact where the house is held
/// (`customers::store::hold_house`) by every change that asks.
#[must_use]
pub fn find_another_admin(tenant: &TenantId, than: &UserId) -> Statement {
    Statement::new(
        "select u.id from customers c join users u on u.customer_id = c.id and u.tenant_id = c.tenant_id \
         where c.tenant_id = $1 and c.house and u.id <> $2 and u.kind = 'staff' and u.status = 'active' \
         and u.roles like '%\"ADMIN\"%' limit 1",
    )
    .bind(tenant)
    .bind(than)
    .must_change("another ADMIN")
}

/// Where a list takes its rows from, in the order of users' ids: `$1` the tenant, `$2` the id to begin after, `$3` what
/// the index is asked for.
macro_rules! all {
    () => {
        "users u where u.tenant_id = $1 and u.id > $2 and cast($3 as text) is null"
    };
}
macro_rules! of_customer {
    () => {
        "users u where u.tenant_id = $1 and u.id > $2 and u.customer_id = $3"
    };
}
macro_rules! with_phone {
    () => {
        "user_phones p join users u on u.tenant_id = p.tenant_id and u.id = p.user_id \
         where p.tenant_id = $1 and p.user_id > $2 and p.number = $3"
    };
}
macro_rules! with_name {
    () => {
        "login_names n join users u on u.tenant_id = n.tenant_id and u.id = n.user_id \
         where n.tenant_id = $1 and n.user_id > $2 and n.name = $3"
    };
}

macro_rules! page_of {
    ($source:ident) => {
        Statement::new(concat!(
            "select ",
            user_record_columns!(),
            " from (select u.* from ",
            $source!(),
            " order by u.id limit 20000) u where (cast($4 as text) is null or u.id <= $4) \
             and (cast($5 as text) is null or u.status = $5) and (cast($6 as text) is null or u.kind = $6) \
             and (cast($7 as text) is null or u.customer_id = $7) and (cast($8 as text) is null \
                 or exists (select 1 from user_phones p where p.tenant_id = u.tenant_id \
                            and p.number = $8 and p.user_id = u.id)) \
             and (cast($9 as text) is null or u.search like $9 escape '\\') order by u.id limit $10"
        ))
    };
}

macro_rules! end_of {
    ($source:ident) => {
        Statement::new(concat!("select u.id as id from ", $source!(), " order by u.id limit 1 offset 19999"))
    };
}

/// Users after an id, of those who fit. Only rows up to `until` are looked at.
#[must_use]
pub fn list(
    tenant: &TenantId,
    filters: &UserFilters,
    after: &str,
    until: Option<&str>,
    limit: i64,
) -> Statement {
    let (statement, key) = match filters {
        UserFilters { email: Some(email), .. } => (page_of!(with_name), Some(email.as_str())),
        UserFilters { phone: Some(phone), .. } => (page_of!(with_phone), Some(phone.as_str())),
        UserFilters { customer: Some(customer), .. } => (page_of!(of_customer), Some(customer.as_str())),
        _ => (page_of!(all), None),
    };
    statement
        .bind(tenant)
        .bind(after)
        .bind(key)
        .bind(until)
        .bind(filters.status.map(UserStatus::as_str))
        .bind(filters.kind.map(crate::users::UserKind::as_str))
        .bind(filters.customer.as_ref().map(CustomerId::as_str))
        .bind(filters.phone.as_deref())
        .bind(filters.text.as_deref().map(search_pattern))
        .bind(limit)
}

/// The id of the last row that a page of this list may look at ([`MAX_ROWS_LOOKED_AT`]); none where the list ends
/// before.
#[must_use]
pub fn find_end_of_page(tenant: &TenantId, filters: &UserFilters, after: &str) -> Statement {
    let (statement, key) = match filters {
        UserFilters { email: Some(email), .. } => (end_of!(with_name), Some(email.as_str())),
        UserFilters { phone: Some(phone), .. } => (end_of!(with_phone), Some(phone.as_str())),
        UserFilters { customer: Some(customer), .. } => (end_of!(of_customer), Some(customer.as_str())),
        _ => (end_of!(all), None),
    };
    statement.bind(tenant).bind(after).bind(key)
}
