//! A refresh's statement sent to PostgreSQL by a client that does nothing else: pipelined, prepared, as many connections
//! as Vestibule has for changes of one statement.

use std::sync::Arc;

use anyhow::{Result, ensure};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, NoTls};
use vestibule::db::Value;

use crate::limits::{Commit, Work};

/// As `DatabaseOptions::write_connections`.
const CONNECTIONS: usize = 8;

/// One worker for each commit, over the shared connections.
pub async fn workers(url: &str, commits: Vec<Commit>) -> Result<Vec<Bare>> {
    let mut connections: Vec<(Arc<Client>, tokio_postgres::Statement)> = Vec::new();
    let Some(mut first) = commits.first().cloned() else { return Ok(Vec::new()) };
    let first = first.next();
    // As Vestibule does it, and not as the server would guess: `$3 - 1` is no 4-byte integer.
    let types: Vec<_> = first.parameters().iter().map(kind).collect();
    for _ in 0..CONNECTIONS {
        let mut config: Config = url.parse()?;
        // As Vestibule's connections have it: else the server would plan the statement anew each time.
        config.options("-c plan_cache_mode=force_generic_plan");
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        let statement = client.prepare_typed(first.text(), &types).await?;
        connections.push((Arc::new(client), statement));
    }
    let with = |(number, commit): (usize, Commit)| {
        let (client, statement) = &connections[number % CONNECTIONS];
        Bare { client: client.clone(), statement: statement.clone(), commit }
    };
    Ok(commits.into_iter().enumerate().map(with).collect())
}

/// Sends it again and again.
pub struct Bare {
    client: Arc<Client>,
    statement: tokio_postgres::Statement,
    commit: Commit,
}

impl Work for Bare {
    async fn once(&mut self) -> Result<()> {
        let next = self.commit.next();
        let values: Vec<Box<dyn ToSql + Sync + Send>> = next.parameters().iter().map(parameter).collect();
        let borrowed: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| &**value as _).collect();
        let rows = self.client.query(&self.statement, &borrowed).await?;
        ensure!(rows.len() == 1, "the session was not moved on");
        Ok(())
    }
}

const fn kind(value: &Value) -> Type {
    match value {
        Value::Null | Value::Text(_) => Type::TEXT,
        Value::Int(_) => Type::INT8,
        Value::Bool(_) => Type::BOOL,
        Value::Bytes(_) => Type::BYTEA,
    }
}

fn parameter(value: &Value) -> Box<dyn ToSql + Sync + Send> {
    match value {
        // The one column of a refresh that may be null is a text.
        Value::Null => Box::new(None::<String>),
        Value::Text(text) => Box::new(text.clone()),
        Value::Int(number) => Box::new(*number),
        Value::Bool(truth) => Box::new(*truth),
        Value::Bytes(bytes) => Box::new(bytes.clone()),
    }
}
