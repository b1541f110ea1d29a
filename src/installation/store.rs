//! The installation's SQL.

use crate::clock::Timestamp;
use crate::db::Statement;

/// Marks the database as a demo's, for good.
#[must_use]
pub fn mark_demo() -> Statement {
    Statement::new("insert into installation (name, value) values ('kind', 'demo') on conflict do nothing")
}

/// A row if the database is a demo's.
#[must_use]
pub fn find_demo() -> Statement {
    Statement::new("select name from installation where name = 'kind' and value = 'demo'")
}

/// A row if there is any tenant beside the system's own.
#[must_use]
pub fn find_any_tenant() -> Statement {
    Statement::new("select id from tenants where slug <> 'system' limit 1")
}

/// Remembers that sessions may have been opened under this master key.
#[must_use]
pub fn remember_refresh_key(id: &str, now: Timestamp) -> Statement {
    Statement::new("insert into installation (name, value) values ($1, $2) on conflict do nothing")
        .bind(format!("refresh_key/{id}"))
        .bind(now.to_string())
}

/// The ids of all master keys that were ever remembered.
#[must_use]
pub fn find_refresh_keys() -> Statement {
    Statement::new(
        "select substr(name, 13) as id from installation where name like 'refresh_key/%' order by name",
    )
}

/// Remembers that passwords may be stored under this line of the pepper file.
#[must_use]
pub fn remember_pepper(id: &str, now: Timestamp) -> Statement {
    Statement::new("insert into installation (name, value) values ($1, $2) on conflict do nothing")
        .bind(format!("pepper/{id}"))
        .bind(now.to_string())
}

/// The ids of all lines of the pepper file that were ever remembered.
#[must_use]
pub fn find_peppers() -> Statement {
    Statement::new("select substr(name, 8) as id from installation where name like 'pepper/%' order by name")
}

/// The key for names, sealed.
#[must_use]
pub fn find_name_key() -> Statement {
    Statement::new("select value from installation where name = 'name_key'")
}

/// Keeps a key for names, unless there is one.
#[must_use]
pub fn keep_name_key(sealed: &str) -> Statement {
    Statement::new("insert into installation (name, value) values ('name_key', $1) on conflict do nothing")
        .bind(sealed)
}

/// Secrets of the database's own that are sealed under another line than the one whose columns begin so.
#[must_use]
pub fn find_sealed_otherwise(prefix: &str, after: &str) -> Statement {
    Statement::new(
        "select '' as tenant_id, name, value as sealed from installation where name = 'name_key' \
         and substr(value, 1, length(cast($1 as text))) <> $1 and name > $2",
    )
    .bind(prefix)
    .bind(after)
}

/// How many of them are sealed under the line whose columns begin so.
#[must_use]
pub fn count_sealed(prefix: &str) -> Statement {
    Statement::new(
        "select count(*) as number from installation where name = 'name_key' \
         and substr(value, 1, length(cast($1 as text))) = $1",
    )
    .bind(prefix)
}

/// Seals a secret anew, unless it has become another one.
#[must_use]
pub fn reseal(name: &str, old: &str, new: &str) -> Statement {
    Statement::new("update installation set value = $3 where name = $1 and value = $2 returning name")
        .bind(name)
        .bind(old)
        .bind(new)
}
