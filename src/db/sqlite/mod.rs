//! SQLite: one writer thread, readers beside it, one file.

mod checkpoint;
mod connection;
pub(super) mod file;
mod migrate;
mod readers;
mod statistics;
mod writer;

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::change::{Applied, Change, DbError, Statement};
use super::migrate::Migration;
use super::options::{Access, DatabaseOptions};
use super::value::Row;
use connection::{Connection, Purpose, explain};
use readers::Readers;
use writer::{Job, Waiting, Writer};

/// How long a checkpoint may hold the write lock while it waits for readers.
const CHECKPOINT_BUSY: Duration = Duration::from_millis(100);

/// After a checkpoint the log's file is cut to this.
const LOG_BYTES_KEPT: i64 = 16 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Sqlite {
    path: PathBuf,
    wait_within: Duration,
    jobs: SyncSender<Job>,
    readers: Readers,
}

impl Sqlite {
    pub(super) async fn open(path: &str, options: &DatabaseOptions) -> Result<Self, DbError> {
        let (path, options) = (path_of(path)?, options.clone());
        blocking(move || Self::open_now(path, &options)).await
    }

    fn open_now(path: PathBuf, options: &DatabaseOptions) -> Result<Self, DbError> {
        let purpose = match options.access {
            Access::Create => create(&path).map(|()| Purpose::Write)?,
            Access::Existing => find(&path).map(|()| Purpose::Write)?,
            Access::Look => find(&path).map(|()| Purpose::Read)?,
        };
        let busy = options.wait_within;
        let connection = Connection::open(&path, purpose, busy)?;
        if purpose == Purpose::Write {
            use_log(&connection).map_err(|error| explain(&error))?;
        }
        connection.warm_up()?;
        let checkpoints = Connection::open(&path, purpose, CHECKPOINT_BUSY)?;
        checkpoints.warm_up()?;

        let (wake, wanted) = sync_channel(1);
        let checkpointing = Arc::new(Mutex::new(()));
        let working = Arc::clone(&checkpointing);
        let checkpointer = start("db-checkpoint", move || checkpoint::run(&checkpoints, &wanted, &working))?;
        let (jobs, queue) = sync_channel(options.queue);
        let readers = Readers::new(path.clone(), options);
        let writer = Writer {
            connection,
            jobs: queue,
            log: log_of(&path),
            busy,
            reading: readers.stacks(),
            checkpoint: wake,
            checkpointer,
            checkpointing,
            batch: options.batch,
            batch_within: options.batch_within,
            rows_per_change: options.rows_per_change,
            give_way: options.give_way,
            before: options.before,
            written: 0,
        };
        start("db-writer", move || writer.run())?;
        Ok(Self { path, wait_within: busy, jobs, readers })
    }

    pub(super) async fn apply(
        &self,
        change: Change,
        permit: OwnedSemaphorePermit,
    ) -> Result<Applied, DbError> {
        let (answer, answered) = oneshot::channel();
        self.ask(Job::Change(Waiting { change, since: Instant::now(), answer, permit }))?;
        answered.await.unwrap_or_else(|_| Err(DbError::UnknownOutcome("the writer broke off".into())))
    }

    pub(super) fn fetch(&self, statement: &Statement) -> Result<Vec<Row>, DbError> {
        self.readers.fetch(statement)
    }

    pub(super) async fn list(&self, statement: Statement) -> Result<Vec<Row>, DbError> {
        self.readers.list(statement).await
    }

    /// A copy of all that is durable now, of one moment.
    pub(super) async fn copy_into(&self, to: &Path) -> Result<(), DbError> {
        let (from, to, busy) = (self.path.clone(), to.to_owned(), self.wait_within);
        blocking(move || file::copy(&from, &to, busy)).await
    }

    pub(super) async fn migrate(&self, migrations: &'static [Migration]) -> Result<(), DbError> {
        let path = self.path.clone();
        // Another process may be migrating: it is waited for, unlike in a request.
        let busy = self.wait_within.max(Duration::from_mins(1));
        blocking(move || migrate::run(&path, busy, migrations)).await
    }

    pub(super) async fn script(&self, sql: String) -> Result<(), DbError> {
        let (answer, answered) = oneshot::channel();
        self.ask(Job::Script { sql, answer })?;
        answered.await.unwrap_or_else(|_| Err(DbError::UnknownOutcome("the writer is gone".into())))
    }

    pub(super) async fn close(&self) {
        // First, so that the writer's connection is the last.
        self.readers.close();
        let (answer, closed) = oneshot::channel();
        let jobs = self.jobs.clone();
        // No change is under way any more, but the queue may hold a script.
        let asked = tokio::task::spawn_blocking(move || jobs.send(Job::Close(answer))).await;
        if matches!(asked, Ok(Ok(()))) {
            let _ = closed.await;
        }
    }

    fn ask(&self, job: Job) -> Result<(), DbError> {
        self.jobs.try_send(job).map_err(|refused| {
            DbError::Unavailable(match refused {
                TrySendError::Full(_) => "too many changes are waiting".into(),
                TrySendError::Disconnected(_) => "the database is closed".into(),
            })
        })
    }
}

/// Runs what waits for the disk off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DbError> + Send + 'static,
) -> Result<T, DbError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(DbError::Failed(error.to_string())),
    }
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, DbError> {
    let started = std::thread::Builder::new().name(name.into()).spawn(work);
    started.map_err(|error| DbError::Unavailable(format!("cannot start a thread: {error}")))
}

/// The log is what lets readers go on beside the writer; not every file system can have one.
fn use_log(connection: &Connection) -> rusqlite::Result<()> {
    let mode: String = connection.raw.query_row("pragma journal_mode = wal", [], |row| row.get(0))?;
    if mode != "wal" {
        tracing::warn!(
            mode,
            "SQLite does not keep a write-ahead log here; reads and writes block each other"
        );
    }
    connection.raw.query_row(&format!("pragma journal_size_limit = {LOG_BYTES_KEPT}"), [], |_| Ok(()))
}

/// The write-ahead log that belongs to the file.
fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    PathBuf::from(log)
}

pub(super) fn path_of(path: &str) -> Result<PathBuf, DbError> {
    // SQLite would take these for memory, a temporary file, or a URI with options of its own.
    if path.is_empty() || path.starts_with([':', '?']) || path.starts_with("file:") {
        return Err(DbError::Failed(
            "the database URL names no file: write sqlite:PATH, for example sqlite:vestibule.db".into(),
        ));
    }
    // `sqlite:///var/x` and `sqlite:/var/x` are the same file to those who know URLs.
    Ok(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
}

/// Creates the file for its owner's eyes only; SQLite gives the log and its index the same mode.
fn create(path: &Path) -> Result<(), DbError> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match created {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => find(path),
        Err(error) => {
            Err(DbError::Unavailable(format!("cannot create the database {}: {error}", path.display())))
        }
    }
}

/// That the file is there. The path is told in full: a relative one may start at the wrong folder.
fn find(path: &Path) -> Result<(), DbError> {
    let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match path.metadata() {
        Ok(file) => {
            if file.permissions().mode() & 0o077 != 0 {
                tracing::warn!(path = %path.display(), "other users may read the database; chmod it to 600");
            }
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err(DbError::Unavailable(format!(
            "there is no database at {}; check database_url, or begin with `vestibule init`",
            full.display()
        ))),
        Err(error) => {
            Err(DbError::Unavailable(format!("cannot look at the database {}: {error}", full.display())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_file() {
        assert_eq!(path_of("a/b.db").expect("relative"), Path::new("a/b.db"));
        assert_eq!(path_of("/a/b.db").expect("absolute"), Path::new("/a/b.db"));
        assert_eq!(path_of("///a/b.db").expect("with slashes"), Path::new("/a/b.db"));
        for nothing in ["", ":memory:", "?mode=ro", "file:a.db"] {
            assert!(path_of(nothing).is_err(), "{nothing}");
        }
    }
}
