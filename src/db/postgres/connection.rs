//! One connection to PostgreSQL, its session's settings, and its prepared statements.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::TryStreamExt;
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::{AsyncMessage, Client, Column, Error, SimpleQueryMessage};

use super::super::change::{DbError, Statement};
use super::super::text::{self, TextKey};
use super::super::value::{Row, Value, columns};
use super::errors::describe;
use super::values::{Parameter, fits};

/// The oldest server whose behaviour the tests have seen.
const OLDEST: u32 = 150_000;

/// What a connection is for; it decides the session's settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// Reads by key, each limited to so long.
    Read(Duration),
    /// Lists and searches, each limited to so long.
    List(Duration),
    /// Changes of one statement, each committing itself.
    Single { lock: Duration },
    /// Changes of several statements.
    Transaction { lock: Duration },
    /// Migrations and scripts: as patient as it takes.
    Schema,
}

/// How reads by key and changes are planned: by indexes, which each of them is made for. A table that is all but empty is
/// otherwise read as a whole, and one whose rows come and go (`attempts`) is full of dead ones until it is vacuumed: a login
/// cost more with each one before it. What has no index is read as a whole all the same, and is not compiled for the price
/// that it seems to have then. Lists are planned as the server likes: what is best for them depends on how much they ask for.
const BY_INDEX: &str = "set enable_seqscan = off; set jit = off";

impl Purpose {
    fn settings(self) -> String {
        let millis = |limit: Duration| limit.as_millis().max(1);
        match self {
            // Once, for any parameters: a plan for each key would be the same.
            Self::Read(limit) => {
                format!(
                    "{}; {BY_INDEX}; set plan_cache_mode = force_generic_plan",
                    Self::List(limit).settings()
                )
            }
            Self::List(limit) => {
                format!("set statement_timeout = {}; set default_transaction_read_only = on", millis(limit))
            }
            // No statement_timeout on a connection that writes: a timeout that strikes while COMMIT
            // waits for a standby makes the server report success without the standby.
            Self::Single { lock } => {
                format!("set statement_timeout = 0; set lock_timeout = {}; {BY_INDEX}", millis(lock))
            }
            // Read only but for BEGIN READ WRITE: if BEGIN fails, the statements pipelined behind
            // it must not commit one by one.
            Self::Transaction { lock } => format!(
                "set statement_timeout = 0; set lock_timeout = {}; set default_transaction_read_only = on; \
                 set idle_in_transaction_session_timeout = 10000; {BY_INDEX}",
                millis(lock)
            ),
            Self::Schema => "set statement_timeout = 0; set lock_timeout = 0".into(),
        }
    }
}

/// A session on the server.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) client: Client,
    prepared: Mutex<HashMap<(TextKey, usize), Arc<Prepared>>>,
    doubt: Arc<AtomicBool>,
}

/// A statement the server knows, and the names of its answer's columns.
#[derive(Debug)]
pub(super) struct Prepared {
    statement: tokio_postgres::Statement,
    columns: Arc<[Box<str>]>,
}

impl Connection {
    /// Takes over a fresh connection; `stream` is what moves its bytes.
    pub(super) async fn begin<S, T>(
        client: Client,
        stream: tokio_postgres::Connection<S, T>,
        purpose: Purpose,
    ) -> Result<Self, DbError>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
        T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let doubt = Arc::new(AtomicBool::new(false));
        tokio::spawn(drive(stream, Arc::clone(&doubt)));
        let connection = Self { client, prepared: Mutex::default(), doubt };
        connection.settle(purpose).await?;
        Ok(connection)
    }

    /// Sets up the session, and refuses a server that would not keep our promises.
    async fn settle(&self, purpose: Purpose) -> Result<(), DbError> {
        let sql = format!(
            "{}; select current_setting('server_version_num'), current_setting('synchronous_commit'), \
             current_setting('server_version')",
            purpose.settings()
        );
        let answers = self.client.simple_query(&sql).await;
        let answers = answers.map_err(|error| DbError::Unavailable(describe(&error)))?;
        let row = answers.iter().find_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let setting = |index| row.and_then(|row| row.get(index)).unwrap_or_default();
        if setting(0).parse::<u32>().unwrap_or_default() < OLDEST {
            return Err(DbError::Failed(format!(
                "PostgreSQL 15 or newer is needed; this server is {}",
                setting(2)
            )));
        }
        if setting(1) == "off" {
            return Err(DbError::Failed(
                "synchronous_commit is off on this server, for this database or for this user: acknowledged \
                 changes could be lost; set it to on (ALTER ROLE … SET synchronous_commit = on)"
                    .into(),
            ));
        }
        Ok(())
    }

    /// The statement as the server knows it; the first time it costs a round trip. The server makes it fail where it
    /// answers fewer rows than `demanded`.
    pub(super) async fn prepare(
        &self,
        statement: &Statement,
        demanded: usize,
    ) -> Result<Arc<Prepared>, Error> {
        let key = (text::key(statement.sql), demanded);
        if let Some(known) = self.known().get(&key) {
            return Ok(Arc::clone(known));
        }
        let prepared = if demanded > 0 {
            self.client.prepare(&demanding_text(statement.sql, demanded)).await?
        } else {
            self.client.prepare(statement.sql).await?
        };
        let shown = prepared.columns().len() - usize::from(demanded > 0);
        let columns = columns(prepared.columns()[..shown].iter().map(Column::name));
        let prepared = Arc::new(Prepared { statement: prepared, columns });
        self.known().insert(key, Arc::clone(&prepared));
        Ok(prepared)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<(TextKey, usize), Arc<Prepared>>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a prepared statement to the end of the server's answer.
    pub(super) async fn run(&self, prepared: &Prepared, params: &[Value]) -> Result<Vec<Row>, Error> {
        let params = params.iter().map(Parameter);
        let mut stream = pin!(self.client.query_raw(&prepared.statement, params).await?);
        let mut rows = Vec::new();
        // Outside of BEGIN … COMMIT the commit comes after the last row: only the stream's end says
        // that it went well.
        while let Some(row) = stream.try_next().await? {
            let values =
                (0..prepared.columns.len()).map(|index| row.try_get(index)).collect::<Result<_, _>>()?;
            rows.push(Row::new(Arc::clone(&prepared.columns), values));
        }
        Ok(rows)
    }

    /// Begins to doubt nothing again: what follows is another change.
    pub(super) fn trust(&self) {
        self.doubt.store(false, Ordering::Release);
    }

    /// Whether the server said, since [`Connection::trust`], that a commit may not have reached the
    /// standbys it was to wait for.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.doubt.load(Ordering::Acquire)
    }
}

impl Prepared {
    /// Refuses parameters that could not be encoded, and a demand on what answers nothing, before anything is sent.
    pub(super) fn check(&self, statement: &Statement) -> Result<(), DbError> {
        let (params, expected) = (&statement.params, self.statement.params());
        if statement.demand.is_some() && self.columns.is_empty() {
            return Err(DbError::Failed("a demand on a statement that returns no rows".into()));
        }
        if expected.len() != params.len() {
            return Err(DbError::Failed(format!(
                "{} parameters where the statement has {}",
                params.len(),
                expected.len()
            )));
        }
        let misfit = params.iter().zip(expected).position(|(value, ty)| !fits(value, ty));
        misfit.map_or(Ok(()), |index| {
            Err(DbError::Failed(format!(
                "parameter {} does not fit: the statement expects {}",
                index + 1,
                expected[index]
            )))
        })
    }
}

/// The statement, made to fail with a division by zero where it answers fewer rows.
fn demanding_text(sql: &str, rows: usize) -> String {
    format!(
        "with s as ({sql}) select s.*, m.vestibule_ok \
         from (select 1 / (count(*) / {rows}) as vestibule_ok from s) m left join s on true"
    )
}

/// Moves the connection's bytes until it ends, and listens to what the server says by the way.
async fn drive<S, T>(mut stream: tokio_postgres::Connection<S, T>, doubt: Arc<AtomicBool>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    while let Some(message) = poll_fn(|context| stream.poll_message(context)).await {
        match message {
            Ok(AsyncMessage::Notice(notice)) => {
                // "canceling wait for synchronous replication": committed here, perhaps nowhere else,
                // and reported as a success. Its text is translated, so its code has to do.
                let warns = notice.parsed_severity() == Some(Severity::Warning);
                if warns && [SqlState::WARNING, SqlState::ADMIN_SHUTDOWN].contains(notice.code()) {
                    doubt.store(true, Ordering::Release);
                }
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(error = %describe(&error), "a connection to PostgreSQL ended");
                return;
            }
        }
    }
}
