//! Driving a change to its end on PostgreSQL.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::Error;

use super::super::change::{Applied, Change, DbError, Demand, Statement};
use super::super::value::Row;
use super::super::waited;
use super::connection::{Connection, Prepared};
use super::errors::{Meaning, describe, meaning};
use super::pool::{Lease, Pool};

/// How often a change is tried that the server has undone for reasons of its own.
const ATTEMPTS: u32 = 4;

/// Begins a transaction whose commit waits for no disk. Its log is written before that of any later commit.
const BEGIN_ASYNCHRONOUS: &str = "begin read write; set local synchronous_commit = off";

/// Where changes run.
#[derive(Clone, Debug)]
pub(super) struct Writers {
    pub(super) singles: Pool,
    pub(super) transactions: Pool,
    /// Places among the transactions for asynchronous ones, which are only the beginning of something: however many
    /// there are, the ends of what was begun do not wait behind them. Yet where those hang, nothing more is begun.
    pub(super) asynchronous: Arc<Semaphore>,
    pub(super) wait_within: Duration,
    pub(super) write_within: Duration,
}

/// How one attempt ended.
enum Attempt {
    Over(Result<Applied, DbError>),
    /// Nothing happened, and trying again is worth it.
    Again(String),
}

impl Writers {
    /// Applies `change`; nothing is sent twice unless the server said that it undid it.
    pub(super) async fn apply(&self, change: &Change) -> Result<Applied, DbError> {
        let mut reason = String::new();
        for attempt in 0..ATTEMPTS {
            match self.attempt(change).await {
                Attempt::Over(result) => return result,
                Attempt::Again(text) => reason = text,
            }
            // Those who deadlocked with each other should not meet again at once.
            tokio::time::sleep(Duration::from_millis(5 << attempt)).await;
        }
        Err(DbError::Unavailable(reason))
    }

    /// A connection for a change, and the place that an asynchronous one keeps as long.
    async fn lease(&self, change: &Change) -> Result<(Lease, Option<OwnedSemaphorePermit>), DbError> {
        if is_single(change) {
            return Ok((self.singles.lease().await?, None));
        }
        let place = if change.is_asynchronous { Some(self.place().await?) } else { None };
        Ok((self.transactions.lease().await?, place))
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, DbError> {
        let places = Arc::clone(&self.asynchronous).acquire_owned();
        let place = tokio::time::timeout(self.wait_within, places).await.ok().and_then(Result::ok);
        place
            .ok_or_else(|| DbError::Unavailable("every connection for asynchronous changes is in use".into()))
    }

    async fn attempt(&self, change: &Change) -> Attempt {
        let asked = Instant::now();
        let (lease, _place) = match self.lease(change).await {
            Ok(leased) => leased,
            Err(error) => return Attempt::Over(Err(error)),
        };
        waited("change", asked.elapsed());
        let prepare = tokio::time::timeout(self.write_within, prepare(&lease.connection, change));
        let prepared = match prepare.await {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(error)) => return not_sent(lease, &error),
            Err(_) => return Attempt::Over(Err(DbError::Unavailable("the server does not answer".into()))),
        };
        for (prepared, statement) in prepared.iter().zip(&change.statements) {
            if let Err(error) = prepared.check(statement) {
                lease.give_back();
                return Attempt::Over(Err(error));
            }
        }
        lease.connection.trust();
        // Dropping the lease closes the connection: its answers will be nobody else's.
        let work = run(lease, &prepared, change);
        tokio::time::timeout(self.write_within, work).await.unwrap_or_else(|_| {
            Attempt::Over(Err(DbError::UnknownOutcome("the server did not answer in time".into())))
        })
    }
}

/// A statement that commits itself.
fn is_single(change: &Change) -> bool {
    change.statements.len() == 1 && !change.is_asynchronous
}

async fn prepare(connection: &Connection, change: &Change) -> Result<Vec<Arc<Prepared>>, Error> {
    let mut prepared = Vec::with_capacity(change.statements.len());
    for statement in &change.statements {
        prepared.push(connection.prepare(statement, demanded_of_server(statement, is_single(change))).await?);
    }
    Ok(prepared)
}

/// How many rows the server is to demand. None of a statement alone that must answer one: an `update`, `insert` or
/// `delete` answers what it has changed, so one without an answer has changed nothing, and committing that is no harm.
/// (Nothing else writes by the way: there are no triggers, and SQLite takes no text with more than one of these.)
fn demanded_of_server(statement: &Statement, is_alone: bool) -> usize {
    match statement.demand {
        Some(Demand { rows: 1, .. }) if is_alone => 0,
        demand => demand.map_or(0, |demand| demand.rows),
    }
}

/// The change has not been sent: whatever went wrong, nothing happened.
fn not_sent(lease: Lease, error: &Error) -> Attempt {
    match meaning(error) {
        // The connection had died unnoticed, or waits for nothing good: another one may do.
        Meaning::Lost(text)
        | Meaning::TryAgain(text)
        | Meaning::StalePlan(text)
        | Meaning::ReadOnly(text) => Attempt::Again(text),
        Meaning::Undone(error) => {
            lease.give_back();
            Attempt::Over(Err(error))
        }
        Meaning::NothingTouched => Attempt::Over(Err(DbError::Failed(describe(error)))),
    }
}

async fn run(lease: Lease, prepared: &[Arc<Prepared>], change: &Change) -> Attempt {
    match (prepared, &*change.statements) {
        ([prepared], [statement]) if is_single(change) => run_single(lease, prepared, statement).await,
        _ => run_transaction(lease, prepared, change).await,
    }
}

/// One statement: it commits itself, or nothing happened.
async fn run_single(lease: Lease, prepared: &Prepared, statement: &Statement) -> Attempt {
    match lease.connection.run(prepared, &statement.params).await {
        Ok(rows) => match statement.demand {
            Some(demand) if rows.len() < demand.rows => {
                lease.give_back();
                Attempt::Over(Err(DbError::Refused(demand.what)))
            }
            _ => committed(lease, vec![rows]),
        },
        Err(error) => match meaning(&error) {
            // A last word from the server may have come after its commit.
            Meaning::Lost(text) => Attempt::Over(Err(DbError::UnknownOutcome(text))),
            undone => after_undone(lease, undone, statement),
        },
    }
}

/// Several statements: BEGIN, they, and COMMIT are sent at once.
async fn run_transaction(lease: Lease, prepared: &[Arc<Prepared>], change: &Change) -> Attempt {
    let (connection, statements) = (&lease.connection, &*change.statements);
    let mut steps: Vec<Step<'_>> = Vec::with_capacity(statements.len() + 2);
    let begin = if change.is_asynchronous { BEGIN_ASYNCHRONOUS } else { "begin read write" };
    steps.push(Box::pin(plain(connection, begin)));
    for (prepared, statement) in prepared.iter().zip(statements) {
        steps.push(Box::pin(connection.run(prepared, &statement.params)));
    }
    steps.push(Box::pin(plain(connection, "commit")));
    let (answers, all_sent) = send_in_order(steps).await;

    // COMMIT of an aborted transaction is answered by ROLLBACK, without an error, and the library
    // does not show the word. But a transaction is only aborted by an error, which is seen here: it
    // has committed where every single answer was good.
    let mut rows = Vec::with_capacity(answers.len());
    let last = answers.len() - 1;
    for (index, answer) in answers.into_iter().enumerate() {
        let error = match answer {
            Ok(answer) => {
                rows.push(answer);
                continue;
            }
            Err(error) => error,
        };
        let commit = all_sent && index == last;
        let statement = index.checked_sub(1).and_then(|index| statements.get(index));
        return match (meaning(&error), statement) {
            // An error the server answers before it gets to COMMIT undoes the transaction, even if
            // it ends the session.
            (Meaning::Lost(text), _) if !all_sent || (!commit && error.as_db_error().is_some()) => {
                Attempt::Over(Err(DbError::Unavailable(text)))
            }
            (Meaning::Lost(text), _) => Attempt::Over(Err(DbError::UnknownOutcome(text))),
            (undone, Some(statement)) if all_sent => after_undone(lease, undone, statement),
            (Meaning::Undone(error), _) => Attempt::Over(Err(error)),
            // BEGIN itself failed, or COMMIT did: the connection is left behind.
            _ => Attempt::Again(describe(&error)),
        };
    }
    if !all_sent {
        return Attempt::Over(Err(DbError::Unavailable("the change could not be sent".into())));
    }
    rows.remove(0);
    rows.truncate(statements.len());
    committed(lease, rows)
}

/// All answers were good, but the server may have said by the way that it did not wait for standbys.
fn committed(lease: Lease, rows: Vec<Vec<Row>>) -> Attempt {
    if lease.connection.is_in_doubt() {
        let text = "the server stopped waiting for its standbys".into();
        return Attempt::Over(Err(DbError::UnknownOutcome(text)));
    }
    lease.give_back();
    Attempt::Over(Ok(Applied(rows)))
}

/// `statement` failed and the server has undone the change.
fn after_undone(lease: Lease, what: Meaning, statement: &Statement) -> Attempt {
    let error = match what {
        // The lease is dropped: another connection has no old plans, and finds the primary.
        Meaning::StalePlan(text) | Meaning::ReadOnly(text) => return Attempt::Again(text),
        Meaning::Lost(text) => return Attempt::Over(Err(DbError::UnknownOutcome(text))),
        Meaning::TryAgain(text) => {
            lease.give_back();
            return Attempt::Again(text);
        }
        Meaning::Undone(error) => error,
        Meaning::NothingTouched => match statement.demand {
            Some(demand) => DbError::Refused(demand.what),
            None => DbError::Failed("a division by zero".into()),
        },
    };
    lease.give_back();
    Attempt::Over(Err(error))
}

async fn plain(connection: &Connection, sql: &str) -> Result<Vec<Row>, Error> {
    connection.client.batch_execute(sql).await.map(|()| Vec::new())
}

type Step<'a> = Pin<Box<dyn Future<Output = Result<Vec<Row>, Error>> + Send + 'a>>;

/// Sends all steps at once, in their order, and collects their answers; whether all were sent.
///
/// A step is sent when it is first polled. If one fails there and then, those behind it are not
/// sent: COMMIT must not follow where a statement was left out.
async fn send_in_order(mut steps: Vec<Step<'_>>) -> (Vec<Result<Vec<Row>, Error>>, bool) {
    let mut answers: Vec<Option<Result<Vec<Row>, Error>>> = steps.iter().map(|_| None).collect();
    let mut all_sent = false;
    poll_fn(|context| {
        for (step, answer) in steps.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let Poll::Ready(ready) = step.as_mut().poll(context)
            {
                let failed = ready.is_err();
                *answer = Some(ready);
                if failed && !all_sent {
                    return Poll::Ready(());
                }
            }
        }
        all_sent = true;
        if answers.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    (answers.into_iter().flatten().collect(), all_sent)
}
