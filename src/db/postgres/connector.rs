//! Connecting: to the first host that takes writes, and not over and over while none does.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::change::DbError;
use super::super::options::DatabaseOptions;
use super::connection::{Connection, Purpose};
use super::errors::describe;
use super::{tls, url};

/// After a failure nobody tries again for so long: a hundred requests are not a hundred attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// No host is given less than this to answer.
const LEAST: Duration = Duration::from_millis(250);

pub(super) struct Connector {
    hosts: Vec<Config>,
    tls: MakeRustlsConnect,
    per_host: Duration,
    /// The host that answered last is asked first.
    preferred: AtomicUsize,
    failure: Mutex<Option<(Instant, String)>>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("hosts", &self.hosts.len()).finish_non_exhaustive()
    }
}

impl Connector {
    pub(super) fn new(url: &str, options: &DatabaseOptions) -> Result<Self, DbError> {
        let servers = url::parse(url)?;
        let share = options.wait_within / u32::try_from(servers.hosts.len()).unwrap_or(u32::MAX);
        Ok(Self {
            tls: tls::connector(&servers.trust)?,
            per_host: servers.connect_timeout.unwrap_or(share).max(LEAST),
            preferred: AtomicUsize::new(0),
            failure: Mutex::default(),
            hosts: servers.hosts,
        })
    }

    /// How long [`Connector::connect`] can take at most.
    pub(super) fn patience(&self) -> Duration {
        self.per_host * u32::try_from(self.hosts.len()).unwrap_or(u32::MAX)
    }

    /// Opens a session for `purpose`.
    pub(super) async fn connect(&self, purpose: Purpose) -> Result<Connection, DbError> {
        if let Some(text) = self.recent_failure() {
            return Err(DbError::Unavailable(text));
        }
        let first = self.preferred.load(Ordering::Relaxed);
        let mut last = DbError::Unavailable("no host".into());
        for index in (0..self.hosts.len()).map(|offset| (first + offset) % self.hosts.len()) {
            let attempt = tokio::time::timeout(self.per_host, self.connect_to(&self.hosts[index], purpose));
            match attempt.await {
                Ok(Ok(connection)) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok(connection);
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = DbError::Unavailable("the server did not answer in time".into()),
            }
        }
        if let DbError::Unavailable(text) = &last {
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) =
                Some((Instant::now(), text.clone()));
        }
        Err(last)
    }

    async fn connect_to(&self, host: &Config, purpose: Purpose) -> Result<Connection, DbError> {
        let connected = host.connect(self.tls.clone()).await;
        let (client, stream) = connected.map_err(|error| DbError::Unavailable(describe(&error)))?;
        Connection::begin(client, stream, purpose).await
    }

    fn recent_failure(&self) -> Option<String> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.as_ref().filter(|(at, _)| at.elapsed() < PAUSE).map(|(_, text)| text.clone())
    }
}
