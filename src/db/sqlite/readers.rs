//! Readers: connections that cannot write, for reads by key and for lists.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::InterruptHandle;
use tokio::sync::Semaphore;

use super::super::change::{DbError, Statement};
use super::super::options::DatabaseOptions;
use super::super::value::Row;
use super::super::waited;
use super::connection::{Connection, Purpose};

#[derive(Debug)]
pub(super) struct Readers {
    by_key: Arc<Stack>,
    lists: Arc<Stack>,
    permits: Arc<Semaphore>,
    wait_within: Duration,
    list_within: Duration,
}

/// Connections that nobody uses just now.
#[derive(Debug)]
pub(super) struct Stack {
    path: PathBuf,
    busy: Duration,
    /// Nothing once the database is closed.
    idle: Mutex<Option<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(path: PathBuf, options: &DatabaseOptions) -> Self {
        let stack =
            |path| Arc::new(Stack { path, busy: options.wait_within, idle: Mutex::new(Some(Vec::new())) });
        Self {
            by_key: stack(path.clone()),
            lists: stack(path),
            permits: Arc::new(Semaphore::new(options.list_connections)),
            wait_within: options.wait_within,
            list_within: options.list_within,
        }
    }

    /// Reads on the caller's own thread: it takes microseconds, less than handing it over would.
    pub(super) fn fetch(&self, statement: &Statement) -> Result<Vec<Row>, DbError> {
        let asked = Instant::now();
        let mut connection = self.by_key.take()?;
        waited("read", asked.elapsed());
        let rows = connection.run(statement, usize::MAX).map_err(|problem| problem.explain());
        self.by_key.put(connection);
        rows
    }

    /// Reads on a thread that may block, and interrupts what takes too long or whose caller has gone.
    pub(super) async fn list(&self, statement: Statement) -> Result<Vec<Row>, DbError> {
        let asked = Instant::now();
        let permit = tokio::time::timeout(self.wait_within, Arc::clone(&self.permits).acquire_owned());
        let Ok(Ok(permit)) = permit.await else {
            return Err(DbError::Unavailable("too many lists are being read".into()));
        };
        let stack = Arc::clone(&self.lists);
        let leash = Leash::default();
        let watched = leash.0.clone();
        let work = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let mut connection = stack.take()?;
            waited("list", asked.elapsed());
            if !watched.begin(connection.raw.get_interrupt_handle()) {
                return Err(DbError::Unavailable("the list was given up".into()));
            }
            let rows = connection.run(&statement, usize::MAX).map_err(|problem| problem.explain());
            watched.end();
            stack.put(connection);
            rows
        });
        match tokio::time::timeout(self.list_within, work).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(DbError::Failed(error.to_string())),
            Err(_) => Err(DbError::Unavailable("the list took too long".into())),
        }
    }

    pub(super) fn stacks(&self) -> [Arc<Stack>; 2] {
        [Arc::clone(&self.by_key), Arc::clone(&self.lists)]
    }

    pub(super) fn close(&self) {
        *self.by_key.idle() = None;
        *self.lists.idle() = None;
    }
}

impl Stack {
    fn idle(&self) -> MutexGuard<'_, Option<Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Result<Connection, DbError> {
        let idle = match &mut *self.idle() {
            Some(connections) => connections.pop(),
            None => return Err(DbError::Unavailable("the database is closed".into())),
        };
        match idle {
            Some(connection) => Ok(connection),
            None => Connection::open(&self.path, Purpose::Read, self.busy),
        }
    }

    /// Has the connections that nobody uses just now give back their memory.
    pub(super) fn give_memory_back(&self) {
        for connection in self.idle().iter().flatten() {
            connection.give_memory_back();
        }
    }

    fn put(&self, connection: Connection) {
        if let Some(connections) = &mut *self.idle() {
            connections.push(connection);
        }
    }
}

/// Interrupts the list when it is dropped, unless the list has ended by then. The lock makes sure
/// that an interruption never hits the next user of the connection.
#[derive(Default)]
struct Leash(Watched);

#[derive(Clone, Default)]
struct Watched(Arc<Mutex<Stage>>);

#[derive(Default)]
enum Stage {
    #[default]
    Waiting,
    Running(InterruptHandle),
    Over,
}

impl Watched {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody still waits for the list.
    fn begin(&self, handle: InterruptHandle) -> bool {
        let mut stage = self.stage();
        let wanted = matches!(*stage, Stage::Waiting);
        if wanted {
            *stage = Stage::Running(handle);
        }
        wanted
    }

    fn end(&self) {
        *self.stage() = Stage::Over;
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        let mut stage = self.0.stage();
        if let Stage::Running(handle) = &*stage {
            handle.interrupt();
        }
        *stage = Stage::Over;
    }
}
