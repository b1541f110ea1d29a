//! The SQL on users who move, many rows a statement.

use std::sync::LazyLock;

use crate::db::{ROWS_AT_ONCE, Statement, in_chunks, many_rows};
use crate::ids::{CustomerId, TenantId, UserId};
use crate::passwords::PasswordHash;
use crate::users::LoginName;
use crate::users::directory::store::user_record_columns;

use super::MovedUser;

/// The texts for one row and for many.
type Texts = LazyLock<[String; 2]>;

fn texts(head: &str, columns: usize, tail: &str) -> [String; 2] {
    [1, ROWS_AT_ONCE].map(|rows| many_rows(head, columns, rows, tail))
}

fn text(texts: &'static Texts, rows: usize) -> &'static str {
    &texts[usize::from(rows > 1)]
}

static USERS: Texts = LazyLock::new(|| {
    texts(
        "insert into users (tenant_id, id, customer_id, kind, status, password_hash, password_imported, \
         password_changed_at, roles, username, email, first_name, last_name, full_name, gender, phones, profile, \
         metadata, search, last_login_at, created_at, updated_at)",
        22,
        "on conflict do nothing returning id",
    )
});

static NAMES: Texts = LazyLock::new(|| {
    texts(
        "insert into login_names (tenant_id, name, user_id, kind)",
        4,
        "on conflict do nothing returning name",
    )
});

static PHONES: Texts = LazyLock::new(|| {
    texts("insert into user_phones (tenant_id, number, user_id)", 3, "on conflict do nothing")
});

/// Lets users in. Refused ("user id") when an id of theirs has ever been used in this tenant.
#[must_use]
pub fn insert(tenant: &TenantId, users: &[MovedUser<'_>]) -> Vec<Statement> {
    in_chunks(users)
        .map(|chunk| {
            let statement = Statement::new(text(&USERS, chunk.len())).bind(tenant);
            chunk.iter().fold(statement, bind_user).must_change_all("user id", chunk.len())
        })
        .collect()
}

fn bind_user(statement: Statement, moved: &MovedUser<'_>) -> Statement {
    let user = &moved.user;
    let statement = statement
        .bind(user.id)
        .bind(user.customer_id)
        .bind(user.kind.as_str())
        .bind(moved.status.as_str())
        .bind(user.password_hash.map(PasswordHash::as_str))
        .bind(moved.password_imported)
        .bind(moved.password_changed_at);
    user.bind_person(statement).bind(moved.last_login_at).bind(moved.created_at).bind(moved.updated_at)
}

/// A name to log in with, whose it is to be, and of which kind it is: `username` or `email`.
pub type NewName<'a> = (&'a LoginName, &'a UserId, &'static str);

/// Gives users their names. Refused ("login name") when somebody in the tenant has one. In the names' order, so that two who
/// want the same do not wait for each other.
#[must_use]
pub fn insert_names(tenant: &TenantId, mut names: Vec<NewName<'_>>) -> Vec<Statement> {
    names.sort_by_key(|(name, ..)| name.as_str());
    in_chunks(&names)
        .map(|chunk| {
            let bind = |statement: Statement, (name, user, kind): &NewName<'_>| {
                statement.bind(name.as_str()).bind(*user).bind(*kind)
            };
            let statement = Statement::new(text(&NAMES, chunk.len())).bind(tenant);
            chunk.iter().fold(statement, bind).must_change_all("login name", chunk.len())
        })
        .collect()
}

/// Lets users be found by their numbers.
#[must_use]
pub fn insert_phones(tenant: &TenantId, phones: &[(&str, &UserId)]) -> Vec<Statement> {
    in_chunks(phones)
        .map(|chunk| {
            let bind =
                |statement: Statement, (number, user): &(&str, &UserId)| statement.bind(*number).bind(*user);
            chunk.iter().fold(Statement::new(text(&PHONES, chunk.len())).bind(tenant), bind)
        })
        .collect()
}

/// What stands in an import's way: whether the id and the names are somebody's, and how the customer of an id stands
/// and whether it has a user, or had one who was erased.
#[must_use]
pub fn look(
    tenant: &TenantId,
    user: &UserId,
    username: Option<&LoginName>,
    email: Option<&LoginName>,
    customer: Option<&CustomerId>,
) -> Statement {
    Statement::new(
        "select exists (select 1 from users u where u.tenant_id = t.id and u.id = $2) as id_taken, \
         exists (select 1 from login_names n where n.tenant_id = t.id and n.name = $3) as username_taken, \
         exists (select 1 from login_names n where n.tenant_id = t.id and n.name = $4) as email_taken, \
         (select c.kind from customers c where c.tenant_id = t.id and c.id = $5) as customer_kind, \
         (select c.status from customers c where c.tenant_id = t.id and c.id = $5) as customer_status, \
         exists (select 1 from customers c where c.tenant_id = t.id and c.id = $5 and c.erased_at is not null) \
         as customer_erased, \
         exists (select 1 from users u where u.tenant_id = t.id and u.customer_id = $5) as customer_used \
         from tenants t where t.id = $1",
    )
    .bind(tenant)
    .bind(user)
    .bind(username.map(LoginName::as_str))
    .bind(email.map(LoginName::as_str))
    .bind(customer)
}

/// So many users stand on a page of [`list`].
pub const PAGE: usize = 500;

/// Users after an id, with their customers, in the order of ids; those who were erased are not there any more.
#[must_use]
pub fn list(tenant: &TenantId, after: &str) -> Statement {
    Statement::new(concat!(
        "select ",
        user_record_columns!(),
        ", u.password_hash as password_hash, u.password_changed_at as password_changed_at, \
         c.kind as customer_kind, c.house as customer_house, c.status as customer_status, c.status_before as customer_status_before, \
         c.name as customer_name, c.details as customer_details, c.created_at as customer_created_at, \
         c.updated_at as customer_updated_at \
         from users u join customers c on c.tenant_id = u.tenant_id and c.id = u.customer_id \
         where u.tenant_id = $1 and u.id > $2 and u.erased_at is null order by u.id limit $3",
    ))
    .bind(tenant)
    .bind(after)
    .bind(i64::try_from(PAGE).unwrap_or(i64::MAX))
}

/// How many users there are, but for those who were erased.
#[must_use]
pub fn count(tenant: &TenantId) -> Statement {
    Statement::new("select count(*) as users from users u where u.tenant_id = $1 and u.erased_at is null")
        .bind(tenant)
}
