//! The database: changes as values, one SQL text, two engines.
//!
//! Nothing above this module knows which engine runs. A store function returns a [`Statement`]; a
//! flow hands [`Database::apply`] a [`Change`] and learns that all of it is durable (unless it is
//! [asynchronous](Change::asynchronous)), or that
//! nothing of it happened. Reads are [`Database::fetch`] (by key) and [`Database::list`].

mod change;
mod file;
mod migrate;
mod options;
mod postgres;
mod rows;
mod sqlite;
mod text;
mod value;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::{counter, histogram};
use secrecy::ExposeSecret;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

pub use change::{Applied, Change, DbError, Statement};
pub use file::{file_companions, file_is_in_use, file_of, fold_file, prove_file};
pub use migrate::{MIGRATIONS, Migration};
pub use options::{Access, DatabaseOptions};
pub use rows::{ROWS_AT_ONCE, in_chunks, many_rows};
pub use value::{Row, Value};

use postgres::Postgres;
use sqlite::Sqlite;

/// A handle on the database; clones share it.
#[derive(Clone, Debug)]
pub struct Database(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    engine: Engine,
    /// A permit for each change that has not ended, whether or not anyone waits for it still.
    changes: Arc<Semaphore>,
    most_changes: u32,
    calls: AtomicU64,
    statements: AtomicU64,
}

/// What a handle was asked to do so far, for tests.
#[doc(hidden)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Work {
    /// Changes and reads: each is one round trip on PostgreSQL, however many statements it has.
    pub calls: u64,
    pub statements: u64,
}

#[derive(Debug)]
enum Engine {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Database {
    /// Opens the database at the options' URL; a missing SQLite file is created, if the options allow
    /// it, readable by its owner only. PostgreSQL must be reachable, at least version 15, and commit durably.
    pub async fn open(options: &DatabaseOptions) -> Result<Self, DbError> {
        let url = options.url.expose_secret();
        let engine = match url.split_once(':') {
            Some(("sqlite", path)) => Engine::Sqlite(Sqlite::open(path, options).await?),
            Some(("postgres" | "postgresql", _)) => Engine::Postgres(Postgres::open(url, options).await?),
            _ => {
                return Err(DbError::Failed(
                    "the database URL must begin with sqlite: or postgres://, \
                     for example sqlite:/var/lib/vestibule/vestibule.db"
                        .into(),
                ));
            }
        };
        let most_changes = u32::try_from(options.queue).unwrap_or(u32::MAX);
        let changes = Arc::new(Semaphore::new(most_changes as usize));
        let (calls, statements) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(Self(Arc::new(Inner { engine, changes, most_changes, calls, statements })))
    }

    /// Makes a change true: when this answers `Ok`, all of it is durable and seen by every read; soon, where it is
    /// [asynchronous](Change::asynchronous).
    ///
    /// The change is driven to its end by the database layer: whoever drops this future learns
    /// nothing, and leaves nothing half done.
    pub async fn apply(&self, change: impl Into<Change>) -> Result<Applied, DbError> {
        let change = change.into();
        change.statements.iter().try_for_each(refuse_nul)?;
        if change.statements.is_empty() {
            return Ok(Applied(Vec::new()));
        }
        self.note(change.statements.len());
        counted(match (self.begin(), &self.0.engine) {
            (Ok(permit), Engine::Sqlite(sqlite)) => sqlite.apply(change, permit).await,
            (Ok(permit), Engine::Postgres(postgres)) => postgres.apply(change, permit).await,
            (Err(error), _) => Err(error),
        })
    }

    /// Reads a few rows by key. It runs beside all other reads, so it must be short.
    pub async fn fetch(&self, statement: Statement) -> Result<Vec<Row>, DbError> {
        refuse_nul(&statement)?;
        self.note(1);
        counted(match &self.0.engine {
            Engine::Sqlite(sqlite) => sqlite.fetch(&statement),
            Engine::Postgres(postgres) => postgres.fetch(&statement).await,
        })
    }

    /// Lists or searches: reads that may take a while, apart from the reads by key.
    pub async fn list(&self, statement: Statement) -> Result<Vec<Row>, DbError> {
        refuse_nul(&statement)?;
        self.note(1);
        counted(match &self.0.engine {
            Engine::Sqlite(sqlite) => sqlite.list(statement).await,
            Engine::Postgres(postgres) => postgres.list(&statement).await,
        })
    }

    /// Brings the schema up to this binary's; what is there already stays as it is.
    pub async fn migrate(&self) -> Result<(), DbError> {
        self.migrate_with(MIGRATIONS).await
    }

    /// Whether all of this binary's migrations are there. A newer binary's may be there as well:
    /// two adjacent versions run side by side.
    pub async fn migrations_current(&self) -> Result<bool, DbError> {
        migrate::current(self, MIGRATIONS).await
    }

    /// Copies the whole database, as it is at one moment, into a file that is there and empty; changes go on meanwhile.
    /// Only where the database is a file.
    pub async fn copy_into(&self, to: &Path) -> Result<(), DbError> {
        match &self.0.engine {
            Engine::Sqlite(sqlite) => sqlite.copy_into(to).await,
            Engine::Postgres(_) => {
                Err(DbError::Failed("a database on a server is copied by the server".into()))
            }
        }
    }

    /// Whether it has a schema of ours, of whichever version.
    pub async fn has_schema(&self) -> Result<bool, DbError> {
        migrate::present(self).await
    }

    /// Answers when the database does.
    pub async fn ping(&self) -> Result<(), DbError> {
        self.fetch(Statement::new("select 1 as one")).await.map(drop)
    }

    /// Finishes the changes that have begun, also those nobody waits for, refuses what comes, and
    /// closes the connections.
    pub async fn close(&self) {
        let all = self.0.changes.acquire_many(self.0.most_changes).await;
        self.0.changes.close();
        drop(all);
        match &self.0.engine {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            Engine::Postgres(postgres) => postgres.close().await,
        }
    }

    fn note(&self, statements: usize) {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        self.0.statements.fetch_add(statements as u64, Ordering::Relaxed);
    }

    /// What this handle and its clones were asked to do so far, for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn work(&self) -> Work {
        Work {
            calls: self.0.calls.load(Ordering::Relaxed),
            statements: self.0.statements.load(Ordering::Relaxed),
        }
    }

    fn begin(&self) -> Result<OwnedSemaphorePermit, DbError> {
        Arc::clone(&self.0.changes).try_acquire_owned().map_err(|refused| {
            DbError::Unavailable(match refused {
                TryAcquireError::NoPermits => "too many changes are waiting".into(),
                TryAcquireError::Closed => "the database is closed".into(),
            })
        })
    }

    /// [`Database::migrate`] with migrations of the caller's, for tests.
    #[doc(hidden)]
    pub async fn migrate_with(&self, migrations: &'static [Migration]) -> Result<(), DbError> {
        migrate::refuse_disorder(migrations)?;
        match &self.0.engine {
            Engine::Sqlite(sqlite) => sqlite.migrate(migrations).await,
            Engine::Postgres(postgres) => postgres.migrate(migrations).await,
        }
    }

    /// Runs a script in the migrations' portable SQL, as it is and outside of any transaction: on
    /// SQLite on the writer's own connection. For tests.
    #[doc(hidden)]
    pub async fn execute_script(&self, script: &str) -> Result<(), DbError> {
        match &self.0.engine {
            Engine::Sqlite(sqlite) => sqlite.script(migrate::for_sqlite(script)).await,
            Engine::Postgres(postgres) => postgres.script(&migrate::for_postgres(script)).await,
        }
    }

    /// How the engine would read a statement's rows, in its own words, for tests.
    #[doc(hidden)]
    pub async fn plan(&self, statement: Statement) -> Result<String, DbError> {
        let (words, column) =
            if self.is_sqlite() { ("explain query plan", "detail") } else { ("explain", "QUERY PLAN") };
        let sql = &*format!("{words} {}", statement.sql).leak();
        let rows = self.list(Statement { sql, ..statement }).await?;
        let lines = rows.iter().map(|row| row.text(column)).collect::<Result<Vec<_>, _>>()?;
        Ok(lines.join("\n"))
    }

    /// Whether this is SQLite, for tests that read an engine's own catalogue.
    #[doc(hidden)]
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        matches!(&self.0.engine, Engine::Sqlite(_))
    }
}

/// PostgreSQL's text cannot hold NUL, so neither engine is given one.
fn refuse_nul(statement: &Statement) -> Result<(), DbError> {
    let with_nul = |value: &Value| matches!(value, Value::Text(text) if text.contains('\0'));
    match statement.params.iter().position(with_nul) {
        Some(index) => Err(DbError::Failed(format!("parameter {} holds a NUL character", index + 1))),
        None => Ok(()),
    }
}

fn counted<T>(result: Result<T, DbError>) -> Result<T, DbError> {
    if let Err(error) = &result {
        let kind = match error {
            DbError::Refused(_) => return result,
            DbError::Unavailable(_) => "unavailable",
            DbError::UnknownOutcome(_) => "unknown_outcome",
            DbError::Failed(_) => "failed",
        };
        counter!("vestibule_db_errors_total", "kind" => kind).increment(1);
    }
    result
}

/// Notes how long something waited before it was executed.
fn waited(kind: &'static str, time: Duration) {
    histogram!("vestibule_db_wait_seconds", "kind" => kind).record(time.as_secs_f64());
}
