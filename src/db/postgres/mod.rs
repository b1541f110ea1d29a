//! PostgreSQL: changes in one round trip, reads pipelined over a few shared connections.

mod changes;
mod connection;
mod connector;
mod errors;
mod migrate;
mod pool;
mod tls;
mod url;
mod values;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout_at;

use super::change::{Applied, Change, DbError, Statement};
use super::migrate::Migration;
use super::options::DatabaseOptions;
use super::value::Row;
use super::waited;
use changes::Writers;
use connection::{Connection, Purpose};
use connector::Connector;
use errors::{Meaning, describe, meaning};
use pool::{Pool, Shared};

/// The answer to a change that waits for a lock comes so long before its outcome is called unknown.
const LOCK_MARGIN: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Postgres {
    connector: Arc<Connector>,
    writers: Writers,
    readers: Vec<Shared>,
    next_reader: AtomicUsize,
    read_within: Duration,
    lists: Pool,
    list_within: Duration,
}

/// How one attempt to read ended.
enum Read {
    Over(Result<Vec<Row>, DbError>),
    /// The connection failed; the read changes nothing and may be tried on another.
    Again(String),
}

impl Postgres {
    pub(super) async fn open(url: &str, options: &DatabaseOptions) -> Result<Self, DbError> {
        let connector = Arc::new(Connector::new(url, options)?);
        let lock = options.write_within.saturating_sub(LOCK_MARGIN).max(options.write_within / 2);
        let pool = |purpose, size| Pool::new(&connector, purpose, size, options.wait_within);
        let reader = || Shared::new(&connector, Purpose::Read(options.read_within));
        let postgres = Self {
            writers: Writers {
                singles: pool(Purpose::Single { lock }, options.write_connections),
                transactions: pool(Purpose::Transaction { lock }, options.write_connections),
                asynchronous: Arc::new(Semaphore::new(options.write_connections.div_ceil(2))),
                wait_within: options.wait_within,
                write_within: options.write_within,
            },
            readers: (0..options.read_connections.max(1)).map(|_| reader()).collect(),
            next_reader: AtomicUsize::new(0),
            read_within: options.read_within,
            lists: pool(Purpose::List(options.list_within), options.list_connections),
            list_within: options.list_within,
            connector: Arc::clone(&connector),
        };
        postgres.warn_of_risks().await?;
        Ok(postgres)
    }

    /// Connects for the first time, which checks what must hold, and names what had better hold.
    async fn warn_of_risks(&self) -> Result<(), DbError> {
        let sql = "select current_setting('fsync') as fsync, current_setting('full_page_writes') as pages";
        for row in self.list(&Statement::new(sql)).await? {
            if row.text("fsync")? == "off" || row.text("pages")? == "off" {
                tracing::warn!(
                    "PostgreSQL runs with fsync or full_page_writes off: a power cut can lose everything"
                );
            }
        }
        Ok(())
    }

    pub(super) async fn apply(
        &self,
        change: Change,
        permit: OwnedSemaphorePermit,
    ) -> Result<Applied, DbError> {
        let writers = self.writers.clone();
        // In a task of its own: a caller that is dropped takes nothing with it.
        let driven = tokio::spawn(async move {
            let _permit = permit;
            writers.apply(&change).await
        });
        driven.await.unwrap_or_else(|error| Err(DbError::UnknownOutcome(error.to_string())))
    }

    pub(super) async fn fetch(&self, statement: &Statement) -> Result<Vec<Row>, DbError> {
        let reader = &self.readers[self.next_reader.fetch_add(1, Ordering::Relaxed) % self.readers.len()];
        let deadline = Instant::now() + self.read_within;
        twice(|| fetch_once(reader, statement, deadline)).await
    }

    pub(super) async fn list(&self, statement: &Statement) -> Result<Vec<Row>, DbError> {
        let within = self.list_within + self.connector.patience();
        let late = || Err(DbError::Unavailable("the list took too long".into()));
        let attempts = twice(|| list_once(&self.lists, statement));
        tokio::time::timeout(within, attempts).await.unwrap_or_else(|_| late())
    }

    pub(super) async fn migrate(&self, migrations: &[Migration]) -> Result<(), DbError> {
        migrate::run(&self.connector.connect(Purpose::Schema).await?, migrations).await
    }

    pub(super) async fn script(&self, sql: &str) -> Result<(), DbError> {
        migrate::script(&self.connector.connect(Purpose::Schema).await?, sql).await
    }

    pub(super) async fn close(&self) {
        self.writers.singles.close().await;
        self.writers.transactions.close().await;
        self.lists.close().await;
        self.readers.iter().for_each(Shared::close);
    }
}

async fn twice<F: Future<Output = Read>>(attempt: impl Fn() -> F) -> Result<Vec<Row>, DbError> {
    if let Read::Over(result) = attempt().await {
        return result;
    }
    match attempt().await {
        Read::Over(result) => result,
        Read::Again(text) => Err(DbError::Unavailable(text)),
    }
}

async fn fetch_once(reader: &Shared, statement: &Statement, deadline: Instant) -> Read {
    let asked = Instant::now();
    let late = || Read::Over(Err(DbError::Unavailable("the server did not answer in time".into())));
    let connection = match timeout_at(deadline.into(), reader.get()).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return Read::Over(Err(error)),
        Err(_) => return late(),
    };
    waited("read", asked.elapsed());
    let answer = timeout_at(deadline.into(), read(&connection, statement)).await;
    if !matches!(answer, Ok(Read::Over(_))) {
        // Whatever holds it up holds up every read behind this one.
        reader.retire(&connection);
    }
    answer.unwrap_or_else(|_| late())
}

async fn list_once(lists: &Pool, statement: &Statement) -> Read {
    let asked = Instant::now();
    let lease = match lists.lease().await {
        Ok(lease) => lease,
        Err(error) => return Read::Over(Err(error)),
    };
    waited("list", asked.elapsed());
    let answer = read(&lease.connection, statement).await;
    if matches!(answer, Read::Over(_)) {
        lease.give_back();
    }
    answer
}

async fn read(connection: &Connection, statement: &Statement) -> Read {
    let answer = async {
        let prepared = connection.prepare(statement, 0).await?;
        Ok(match prepared.check(statement) {
            Ok(()) => Ok(connection.run(&prepared, &statement.params).await?),
            Err(error) => Err(error),
        })
    };
    match answer.await {
        Ok(result) => Read::Over(result),
        Err(error) => match meaning(&error) {
            Meaning::Lost(text) | Meaning::TryAgain(text) | Meaning::StalePlan(text) => Read::Again(text),
            Meaning::ReadOnly(text) => Read::Over(Err(DbError::Failed(text))),
            Meaning::NothingTouched => Read::Over(Err(DbError::Failed(describe(&error)))),
            Meaning::Undone(error) => Read::Over(Err(error)),
        },
    }
}
