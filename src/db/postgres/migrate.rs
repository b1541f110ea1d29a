//! Migrations on PostgreSQL: one node at a time, each migration in a transaction.

use super::super::change::{DbError, Statement};
use super::super::migrate::{
    APPLIED, Migration, RECORD, Recorded, VERSIONS_TABLE, for_postgres, outstanding,
};
use super::super::value::Value;
use super::connection::Connection;
use super::errors::describe;
use crate::clock::Clock;

/// The advisory lock that migrating holds: an arbitrary number, the same for ever.
const LOCK: &str = "select pg_advisory_lock(7305230964203614825)";

/// Applies what is outstanding. The lock goes with `connection`, which is not used afterwards.
pub(super) async fn run(connection: &Connection, migrations: &[Migration]) -> Result<(), DbError> {
    script(connection, LOCK).await?;
    script(connection, VERSIONS_TABLE).await?;
    let recorded = recorded(connection).await?;
    for migration in outstanding(migrations, &recorded)? {
        let Migration { version, name, sql } = migration;
        let result = async {
            script(connection, &format!("begin; {}", for_postgres(sql))).await?;
            read(connection, &record(migration)).await?;
            script(connection, "commit").await
        };
        result.await.map_err(|error| match error {
            DbError::Failed(what) => DbError::Failed(format!("migration {version} ({name}): {what}")),
            other => other,
        })?;
        tracing::info!(version, name, "migration applied");
    }
    Ok(())
}

/// Runs a script; a connection that breaks during a script makes its outcome unknown to us, but a
/// migration can simply be run again.
pub(super) async fn script(connection: &Connection, sql: &str) -> Result<(), DbError> {
    connection.client.batch_execute(sql).await.map_err(|error| explain(&error))
}

async fn recorded(connection: &Connection) -> Result<Vec<Recorded>, DbError> {
    let rows = read(connection, &Statement::new(APPLIED)).await?;
    let recorded = |row: &super::Row| {
        Ok(Recorded {
            version: row.int("version")?,
            name: row.text("name")?,
            checksum: row.text("checksum")?,
        })
    };
    rows.iter().map(recorded).collect()
}

fn record(migration: &Migration) -> Statement {
    Statement::new(RECORD)
        .bind(migration.version)
        .bind(migration.name)
        .bind(migration.checksum())
        .bind(Value::from(Clock::system().now()))
}

async fn read(connection: &Connection, statement: &Statement) -> Result<Vec<super::Row>, DbError> {
    let prepared = connection.prepare(statement, 0).await.map_err(|error| explain(&error))?;
    connection.run(&prepared, &statement.params).await.map_err(|error| explain(&error))
}

fn explain(error: &tokio_postgres::Error) -> DbError {
    match error.as_db_error() {
        Some(_) => DbError::Failed(describe(error)),
        None => DbError::Unavailable(describe(error)),
    }
}
