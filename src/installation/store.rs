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
