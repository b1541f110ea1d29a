//! The installation's SQL.

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
