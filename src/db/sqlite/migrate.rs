//! Migrations on SQLite: each in a transaction that holds the write lock from its first look.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection as Raw;

use super::super::change::DbError;
use super::super::migrate::{APPLIED, Migration, RECORD, Recorded, VERSIONS_TABLE, for_sqlite, outstanding};
use super::super::text;
use super::connection::{Connection, Purpose, explain};
use super::statistics;
use crate::clock::Clock;

/// Applies what is outstanding on a connection of its own, however many processes try at once.
pub(super) fn run(path: &Path, busy: Duration, migrations: &[Migration]) -> Result<(), DbError> {
    let connection = Connection::open(path, Purpose::Write, busy)?;
    while step(&connection.raw, migrations)? {}
    statistics::write(&connection.raw).map_err(|error| explain(&error))
}

/// Applies the first that is outstanding; whether there was one.
fn step(raw: &Raw, migrations: &[Migration]) -> Result<bool, DbError> {
    raw.execute_batch("begin immediate").map_err(|error| explain(&error))?;
    let result = look_and_apply(raw, migrations);
    let end = if result.is_ok() { "commit" } else { "rollback" };
    let ended = raw.execute_batch(end).map_err(|error| explain(&error));
    let more = result?;
    ended.map(|()| more)
}

fn look_and_apply(raw: &Raw, migrations: &[Migration]) -> Result<bool, DbError> {
    raw.execute_batch(&for_sqlite(VERSIONS_TABLE)).map_err(|error| explain(&error))?;
    let recorded = recorded(raw).map_err(|error| explain(&error))?;
    let Some(next) = outstanding(migrations, &recorded)?.first() else { return Ok(false) };
    let Migration { version, name, sql } = next;
    raw.execute_batch(&for_sqlite(sql)).map_err(|error| match explain(&error) {
        DbError::Failed(what) => DbError::Failed(format!("migration {version} ({name}): {what}")),
        other => other,
    })?;
    raw.execute(&text::numbered(RECORD), (version, name, next.checksum(), Clock::system().now().as_millis()))
        .map_err(|error| explain(&error))?;
    tracing::info!(version, name, "migration applied");
    Ok(true)
}

fn recorded(raw: &Raw) -> rusqlite::Result<Vec<Recorded>> {
    let mut statement = raw.prepare(APPLIED)?;
    let found = statement.query_map([], |row| {
        Ok(Recorded { version: row.get(0)?, name: row.get(1)?, checksum: row.get(2)? })
    })?;
    found.collect()
}
