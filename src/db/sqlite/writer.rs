//! The one thread that writes: every change that waits is committed with the others, by one fsync.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use metrics::histogram;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::super::change::{Applied, Change, DbError, Statement};
use super::super::value::Value;
use super::super::waited;
use super::connection::{Connection, Problem, explain};
use super::readers::Stack;

/// After so many statements, or as many pages of parameters, the log is copied into the database,
/// off this thread.
const CHECKPOINT_EVERY: usize = 1000;

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Job {
    Change(Waiting),
    Script { sql: String, answer: oneshot::Sender<Result<(), DbError>> },
    Close(oneshot::Sender<()>),
}

/// A change whose caller waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) change: Change,
    pub(super) since: Instant,
    pub(super) answer: Answer,
    /// Held until the change has been answered: closing waits for it.
    pub(super) permit: OwnedSemaphorePermit,
}

type Answer = oneshot::Sender<Result<Applied, DbError>>;

/// A change that ran in the transaction that is still open: not to be answered before COMMIT, unless it is asynchronous.
struct Ran {
    result: Result<Applied, DbError>,
    answer: Answer,
    _permit: OwnedSemaphorePermit,
}

/// The transaction that is open.
struct Batch {
    since: Instant,
    /// Until when it stays open for changes still to come: as long as all in it have patience.
    until: Instant,
    /// The changes in it, those included that are answered.
    changes: usize,
    /// Who waits for its commit.
    waiting: Vec<Ran>,
}

impl Batch {
    fn begin(within: Duration) -> Self {
        let since = Instant::now();
        Self { since, until: since + within, changes: 0, waiting: Vec::new() }
    }

    /// Takes in a change that has run. One that is asynchronous is answered.
    fn take(&mut self, change: &Change, ran: Ran) {
        self.changes += 1;
        self.until = self.until.min(Instant::now() + change.patience);
        if change.is_asynchronous {
            let _ = ran.answer.send(ran.result);
        } else {
            self.waiting.push(ran);
        }
    }

    /// Answers all who wait that it came to nothing, or perhaps not. Who was answered already finds out by what comes next;
    /// the log says why.
    fn refuse(self, error: &DbError) {
        let answered = self.changes.saturating_sub(self.waiting.len());
        if answered > 0 {
            tracing::error!(changes = answered, cause = %error, "asynchronous changes were undone");
        }
        refuse_all(self.waiting, error);
    }
}

/// A log that has become so long (48 MiB) is begun anew, while everyone waits for it.
const LONG_LOG: u64 = 48 * 1024 * 1024;

/// Once nothing was written for so long, the connections give back what they keep of the database's pages: what comes next
/// finds them in the kernel's memory.
const IDLE: Duration = Duration::from_secs(5);

/// How long that may wait for readers.
const RESTART_BUSY: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) jobs: Receiver<Job>,
    pub(super) log: PathBuf,
    pub(super) busy: Duration,
    /// The readers who are idle.
    pub(super) reading: [Arc<Stack>; 2],
    pub(super) checkpoint: SyncSender<()>,
    /// Ends with `checkpoint`.
    pub(super) checkpointer: JoinHandle<()>,
    pub(super) checkpointing: Arc<Mutex<()>>,
    pub(super) batch: usize,
    pub(super) batch_within: Duration,
    pub(super) rows_per_change: usize,
    pub(super) give_way: bool,
    pub(super) before: fn(&str),
    /// What has been written since the last checkpoint, roughly in pages.
    pub(super) written: usize,
}

impl Writer {
    /// Works until it is told to close, or until nobody is left who could ask for anything. It is everybody's, so no
    /// panic ends it: one in a change is that change's failure, and one between changes breaks off their batch.
    pub(super) fn run(mut self) {
        let mut left_over = None;
        let closed = loop {
            let Some(job) = left_over.take().or_else(|| self.wait()) else { break None };
            match job {
                Job::Change(first) => {
                    let round = catch_unwind(AssertUnwindSafe(|| self.commit_together(first)));
                    left_over = round.unwrap_or_else(|_| self.break_off());
                }
                Job::Script { sql, answer } => {
                    let result = self.connection.raw.execute_batch(&sql).map_err(|error| explain(&error));
                    let _ = answer.send(result);
                }
                Job::Close(closed) => break Some(closed),
            }
        };
        // One after the other, and this one last: SQLite removes the log with the last connection, and where two are closed at
        // the same time neither is the last.
        drop(self.checkpoint);
        let _ = self.checkpointer.join();
        // Best effort: what is in the log is durable as it is.
        let _ = self.connection.raw.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()));
        drop((self.connection, self.jobs));
        if let Some(closed) = closed {
            let _ = closed.send(());
        }
    }

    /// The next job, however long it takes to come; nothing once nobody is left who could ask. If it takes long, memory is
    /// given back meanwhile.
    fn wait(&self) -> Option<Job> {
        match self.jobs.recv_timeout(IDLE) {
            Err(RecvTimeoutError::Timeout) => {
                self.connection.give_memory_back();
                self.reading.iter().for_each(|stack| stack.give_memory_back());
                self.jobs.recv().ok()
            }
            job => job.ok(),
        }
    }

    /// Runs `first` and every change that waits, commits them, and answers them. A job of another
    /// kind that was met ends the batch and is handed back.
    fn commit_together(&mut self, first: Waiting) -> Option<Job> {
        if let Err(error) = self.connection.steer("begin immediate") {
            return self.refuse_late(first, &error);
        }
        let mut batch = Batch::begin(self.batch_within);
        let mut next = first;
        let left_over = loop {
            waited("change", next.since.elapsed());
            let Waiting { change, answer, permit, .. } = next;
            let result = self.run_one(&change);
            let ran = Ran { result, answer, _permit: permit };
            // A full disk, for one, rolls back everything and not the statement alone.
            if self.connection.raw.is_autocommit() {
                batch.waiting.push(ran);
                batch.refuse(&lost("the transaction was rolled back"));
                return None;
            }
            batch.take(&change, ran);
            if batch.changes >= self.batch || batch.since.elapsed() > self.batch_within {
                break None;
            }
            match self.next(batch.until) {
                Some(Job::Change(waiting)) => next = waiting,
                left_over => break left_over,
            }
        };
        let began = batch.since;
        self.commit(batch);
        if self.give_way {
            std::thread::sleep(began.elapsed() / 2);
        }
        left_over
    }

    /// The next job, if one comes in time.
    fn next(&self, until: Instant) -> Option<Job> {
        let waiting = self.jobs.try_recv().ok();
        let within = until.saturating_duration_since(Instant::now());
        if within.is_zero() { waiting } else { waiting.or_else(|| self.jobs.recv_timeout(within).ok()) }
    }

    /// After a panic, whose place the panic hook has told: undoes what was not committed. Those who were being answered
    /// know no outcome.
    fn break_off(&self) -> Option<Job> {
        tracing::error!("the database's writer panicked; it goes on with the next change");
        if !self.connection.raw.is_autocommit() {
            let _ = self.connection.raw.execute_batch("rollback");
        }
        None
    }

    /// Nothing can be written now, for another process holds the lock: refuses `first`, and with it
    /// all who have waited as long, so that nobody waits for each one's turn to wait.
    fn refuse_late(&self, first: Waiting, error: &rusqlite::Error) -> Option<Job> {
        let _ = first.answer.send(Err(explain(error)));
        while let Ok(job) = self.jobs.try_recv() {
            match job {
                Job::Change(waiting) if waiting.since.elapsed() >= self.busy => {
                    let _ = waiting.answer.send(Err(explain(error)));
                }
                other => return Some(other),
            }
        }
        None
    }

    fn commit(&mut self, batch: Batch) {
        (self.before)("commit");
        match self.connection.steer("commit") {
            Ok(()) => {
                histogram!("vestibule_db_batch_size")
                    .record(u32::try_from(batch.changes).unwrap_or(u32::MAX));
                for Ran { result, answer, _permit } in batch.waiting {
                    let _ = answer.send(result);
                }
                self.bound_log();
            }
            Err(error) if self.bury() => batch.refuse(&explain_commit(&error)),
            Err(error) => batch.refuse(&DbError::UnknownOutcome(error.to_string())),
        }
    }

    /// Keeps the log from growing for ever, mostly by asking for a checkpoint.
    fn bound_log(&mut self) {
        if self.written < CHECKPOINT_EVERY {
            return;
        }
        let _ = self.checkpoint.try_send(());
        let long = std::fs::metadata(&self.log).is_ok_and(|log| log.len() > LONG_LOG);
        if !long || self.restart_log() {
            self.written = 0;
        }
        // Where it could not be done, every batch tries again, and waits a little each time: writers
        // are slowed down to what the disk and the readers allow.
    }

    /// Copies all of the log into the database and begins it anew; whether that could be done.
    fn restart_log(&self) -> bool {
        // Changes that come faster than checkpoints can copy them would never let the log end. Its
        // file is cut when it begins anew, so its length tells.
        let _one_at_a_time = self.checkpointing.lock().unwrap_or_else(PoisonError::into_inner);
        let raw = &self.connection.raw;
        let _ = raw.busy_timeout(RESTART_BUSY);
        let blocked = raw.query_row("pragma wal_checkpoint(restart)", [], |row| row.get::<_, i64>(0));
        let _ = raw.busy_timeout(self.busy);
        blocked.is_ok_and(|blocked| blocked == 0)
    }

    /// After a failed COMMIT: makes sure that what it wrote never comes back.
    ///
    /// If fsync failed, the frames of the transaction stand in the log, complete with their commit
    /// mark. No connection sees them, but whoever recovers the log after a crash would. The next
    /// commit is written over them, and its checksum breaks the chain for what is left of them. So
    /// nothing happened for certain only once a later commit has succeeded.
    fn bury(&mut self) -> bool {
        let raw = &self.connection.raw;
        if !raw.is_autocommit() && raw.execute_batch("rollback").is_err() {
            return false;
        }
        let version = raw.query_row("pragma user_version", [], |row| row.get::<_, i32>(0));
        version.is_ok_and(|version| {
            raw.execute_batch(&format!("pragma user_version = {}", version.wrapping_add(1))).is_ok()
        })
    }

    /// Runs one change inside the open transaction; if it fails nothing of it stays.
    fn run_one(&mut self, change: &Change) -> Result<Applied, DbError> {
        self.written += weight(change);
        self.connection.steer("savepoint one").map_err(|error| explain(&error))?;
        // It is undone like a failure, so what the unwinding left behind in the savepoint is nobody's.
        let result = catch_unwind(AssertUnwindSafe(|| self.run_statements(change)))
            .unwrap_or_else(|_| Err(DbError::Failed("the writer panicked".into())));
        let ended = match &result {
            Ok(_) => self.connection.steer("release one"),
            Err(_) => self.connection.raw.execute_batch("rollback to one; release one"),
        };
        if let Err(error) = ended {
            // The change can neither stay nor go alone: all of the transaction goes, and the
            // caller of this function sees that it is gone.
            let _ = self.connection.raw.execute_batch("rollback");
            return Err(explain(&error));
        }
        result
    }

    fn run_statements(&mut self, change: &Change) -> Result<Applied, DbError> {
        let too_many = |limit| DbError::Failed(format!("the change touches more than {limit} rows"));
        let before = self.connection.raw.total_changes();
        let mut answers = Vec::with_capacity(change.statements.len());
        for statement in &change.statements {
            (self.before)(statement.sql);
            let rows = self
                .connection
                .run(statement, self.rows_per_change)
                .map_err(|problem: Problem| problem.explain())?;
            if let Some(demand) = statement.demand
                && rows.len() < demand.rows
            {
                return Err(DbError::Refused(demand.what));
            }
            let touched = self.connection.raw.total_changes() - before;
            if usize::try_from(touched).is_ok_and(|touched| touched > self.rows_per_change) {
                return Err(too_many(self.rows_per_change));
            }
            answers.push(rows);
        }
        Ok(Applied(answers))
    }
}

/// About how many pages the change writes.
fn weight(change: &Change) -> usize {
    let bytes = |value: &Value| match value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Null | Value::Int(_) | Value::Bool(_) => 0,
    };
    let of = |statement: &Statement| 1 + statement.params.iter().map(bytes).sum::<usize>() / 4096;
    change.statements.iter().map(of).sum()
}

fn lost(what: &str) -> DbError {
    DbError::Unavailable(what.to_owned())
}

fn explain_commit(error: &rusqlite::Error) -> DbError {
    match explain(error) {
        // A constraint that is checked at COMMIT would be one change's mistake and fail them all.
        DbError::Failed(what) => DbError::Unavailable(what),
        other => other,
    }
}

/// Answers a batch of which nothing happened, or perhaps all. Even a refusal is not passed on: it
/// may rest on what a neighbour did in the transaction that is no more.
fn refuse_all(ran: Vec<Ran>, error: &DbError) {
    for Ran { result, answer, _permit } in ran {
        let verdict = match (error, result) {
            (DbError::UnknownOutcome(what), Ok(_)) => DbError::UnknownOutcome(what.clone()),
            (DbError::UnknownOutcome(what) | DbError::Unavailable(what), _) => lost(what),
            (other, _) => lost(&other.to_string()),
        };
        let _ = answer.send(Err(verdict));
    }
}
