//! The SQL that empties a deleted tenant. It stands in one place, and not with each table's other SQL, so that no table
//! is forgotten: a test holds this list against the schema.

use crate::db::Statement;
use crate::ids::{EventId, TenantId};

use super::SLICE;

/// Deletes a slice of one table by the columns that tell its rows apart within the tenant.
macro_rules! slice {
    ($table:literal, $key:literal) => {
        (
            $table,
            concat!(
                "delete from ",
                $table,
                " where tenant_id = $1 and (",
                $key,
                ") in (select ",
                $key,
                " from ",
                $table,
                " where tenant_id = $1 limit $2) returning tenant_id"
            ),
        )
    };
}

/// The tables in the order in which they can be emptied: what refers to others before what it refers to.
pub const TABLES: [(&str, &str); 16] = [
    slice!("source_attempts", "source, id"),
    slice!("login_sources", "source"),
    slice!("attempts", "subject, id"),
    slice!("throttles", "subject"),
    slice!("sessions", "id"),
    slice!("session_operations", "id"),
    slice!("devices", "user_id, device_id"),
    slice!("login_names", "name"),
    slice!("user_phones", "number, user_id"),
    slice!("password_resets", "secret_digest"),
    slice!("users", "id"),
    slice!("customers", "id"),
    slice!("tenant_keys", "id"),
    slice!("signing_keys", "kid"),
    slice!("tenant_origins", "origin"),
    slice!("imports", "file_digest"),
];

/// Takes a slice out of the table of this place in [`TABLES`]; `None` beyond the last.
#[must_use]
pub fn delete_slice(tenant: &TenantId, table: usize) -> Option<Statement> {
    let (_, sql) = TABLES.get(table)?;
    Some(Statement::new(sql).bind(tenant).bind(SLICE))
}

/// The next events that have a personal part, after this one.
#[must_use]
pub fn find_events(tenant: &TenantId, after: Option<&EventId>) -> Statement {
    Statement::new(
        "select id, personal, personal_digest, salt from events \
         where tenant_id = $1 and id > $2 and personal is not null order by id limit $3",
    )
    .bind(tenant)
    .bind(after.map_or("", EventId::as_str))
    .bind(SLICE)
}

/// Empties an event's personal part and its salt; the digest of both stays.
#[must_use]
pub fn empty_event(tenant: &TenantId, event: &EventId, digest: Option<Vec<u8>>) -> Statement {
    Statement::new(
        "update events set personal = null, salt = $3, personal_digest = $4 where tenant_id = $1 and id = $2",
    )
    .bind(tenant)
    .bind(event)
    .bind(Vec::new())
    .bind(digest)
}
