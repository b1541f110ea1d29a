//! Connections that are used by one change or list at a time, and the few that all reads share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::change::DbError;
use super::connection::{Connection, Purpose};
use super::connector::Connector;

/// At most so many connections, made when they are needed.
#[derive(Clone, Debug)]
pub(super) struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    connector: Arc<Connector>,
    purpose: Purpose,
    wait_within: Duration,
    size: usize,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

/// A connection in use. Dropped, it is closed: only who knows that it is in order gives it back.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) connection: Connection,
    pool: Pool,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(
        connector: &Arc<Connector>,
        purpose: Purpose,
        size: usize,
        wait_within: Duration,
    ) -> Self {
        Self(Arc::new(Inner {
            connector: Arc::clone(connector),
            purpose,
            wait_within,
            size,
            permits: Arc::new(Semaphore::new(size)),
            idle: Mutex::default(),
        }))
    }

    /// A connection of one's own, within the time that a caller is made to wait.
    pub(super) async fn lease(&self) -> Result<Lease, DbError> {
        let permits = Arc::clone(&self.0.permits).acquire_owned();
        let permit = match tokio::time::timeout(self.0.wait_within, permits).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(DbError::Unavailable("the database is closed".into())),
            Err(_) => return Err(DbError::Unavailable("every connection is in use".into())),
        };
        let connection = match self.idle_one() {
            Some(connection) => connection,
            None => self.0.connector.connect(self.0.purpose).await?,
        };
        Ok(Lease { connection, pool: self.clone(), _permit: permit })
    }

    fn idle_one(&self) -> Option<Connection> {
        let mut idle = self.idle();
        idle.retain(|connection| !connection.client.is_closed());
        idle.pop()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for those in use, and hands out none from then on.
    pub(super) async fn close(&self) {
        let all = u32::try_from(self.0.size).unwrap_or(u32::MAX);
        let permits = self.0.permits.acquire_many(all).await;
        self.0.permits.close();
        drop(permits);
        self.idle().clear();
    }
}

impl Lease {
    /// Gives the connection back: all its answers have been read, and no transaction is open.
    pub(super) fn give_back(self) {
        let Self { connection, pool, _permit: permit } = self;
        if !connection.client.is_closed() {
            pool.idle().push(connection);
        }
        // Only now: whoever gets the permit finds the connection.
        drop(permit);
    }
}

/// One connection that many reads use at once; their answers come in the order they were asked.
#[derive(Debug)]
pub(super) struct Shared(Arc<SharedInner>);

#[derive(Debug)]
struct SharedInner {
    connector: Arc<Connector>,
    purpose: Purpose,
    current: Mutex<Option<Arc<Connection>>>,
    /// Set for good, and read, with `current` locked or before it is asked for.
    closed: AtomicBool,
    connecting: tokio::sync::Mutex<()>,
}

impl Shared {
    pub(super) fn new(connector: &Arc<Connector>, purpose: Purpose) -> Self {
        Self(Arc::new(SharedInner {
            connector: Arc::clone(connector),
            purpose,
            current: Mutex::default(),
            closed: AtomicBool::new(false),
            connecting: tokio::sync::Mutex::default(),
        }))
    }

    /// The connection; where there is none, one is made while the others wait for it.
    ///
    /// It is made in a task of its own: a caller's patience ends before the last of several hosts
    /// has been tried, and the next caller should not begin with the first again.
    pub(super) async fn get(&self) -> Result<Arc<Connection>, DbError> {
        self.0.check_open()?;
        if let Some(connection) = self.0.living() {
            return Ok(connection);
        }
        let inner = Arc::clone(&self.0);
        let connected = tokio::spawn(async move { inner.connect().await });
        connected.await.unwrap_or_else(|error| Err(DbError::Unavailable(error.to_string())))
    }

    /// Uses `bad` no more.
    pub(super) fn retire(&self, bad: &Arc<Connection>) {
        let mut current = self.0.current();
        if current.as_ref().is_some_and(|connection| Arc::ptr_eq(connection, bad)) {
            *current = None;
        }
    }

    /// Ends the connection, and makes none from then on.
    pub(super) fn close(&self) {
        let mut current = self.0.current();
        self.0.closed.store(true, Ordering::Relaxed);
        *current = None;
    }
}

impl SharedInner {
    async fn connect(&self) -> Result<Arc<Connection>, DbError> {
        let _one_at_a_time = self.connecting.lock().await;
        if let Some(connection) = self.living() {
            return Ok(connection);
        }
        let connection = Arc::new(self.connector.connect(self.purpose).await?);
        let mut current = self.current();
        self.check_open()?;
        *current = Some(Arc::clone(&connection));
        Ok(connection)
    }

    fn check_open(&self) -> Result<(), DbError> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(DbError::Unavailable("the database is closed".into()));
        }
        Ok(())
    }

    fn living(&self) -> Option<Arc<Connection>> {
        self.current().as_ref().filter(|connection| !connection.client.is_closed()).map(Arc::clone)
    }

    fn current(&self) -> MutexGuard<'_, Option<Arc<Connection>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
