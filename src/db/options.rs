//! Which database, and how patient to be with it.

use std::time::Duration;

use secrecy::SecretString;

/// What opening may do to SQLite's file. A database on PostgreSQL is made by other means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Make it where there is none.
    Create,
    /// Use one that is there: an empty database at a mistyped path would look like lost data.
    Existing,
    /// Look at one that is there, and leave it as it is.
    Look,
}

/// Where the database is, and its limits. `Debug` shows no URL: it may hold a password.
#[derive(Clone, Debug)]
pub struct DatabaseOptions {
    /// `sqlite:PATH`, or `postgres://user:password@host1:5432,host2:5432/name?sslmode=verify-full`.
    pub url: SecretString,
    /// What opening may do to the file. Default [`Access::Create`].
    pub access: Access,
    /// How long a caller waits for a connection, or for SQLite's write lock while another process
    /// holds it, before it is told [`Unavailable`](super::DbError::Unavailable). Default 900 ms.
    pub wait_within: Duration,
    /// How long a read by key may take in all. Default 900 ms.
    pub read_within: Duration,
    /// How long a list or search may take in all. Default 5 s.
    pub list_within: Duration,
    /// PostgreSQL: how long the answer to a change may take before its outcome is called unknown;
    /// waiting for a row's lock ends a second earlier, with nothing done. Default 5 s.
    pub write_within: Duration,
    /// So many changes may be under way or wait; more are told to come back. Default 4,096.
    pub queue: usize,
    /// SQLite: at most so many changes are committed together. Default 256.
    pub batch: usize,
    /// SQLite: a change that touches or answers more rows is undone, because everyone waits for
    /// the one writer. Default 10,000.
    pub rows_per_change: usize,
    /// SQLite: leave the write lock alone after each commit, half as long as it was held. Another process that waits
    /// for it looks now and then only, and would never find it free. For commands that write much beside a server.
    /// Default no.
    pub give_way: bool,
    /// PostgreSQL: connections for changes of one statement, and as many again for changes of several, of which
    /// asynchronous ones take no more than half, and one at least. Default 8.
    pub write_connections: usize,
    /// PostgreSQL: connections shared by all reads by key. Default 2.
    pub read_connections: usize,
    /// Lists and searches at a time, on either engine. Default 4.
    pub list_connections: usize,
    /// SQLite: a batch that has been open for so long is committed, whoever else waits. Default 50 ms.
    #[doc(hidden)]
    pub batch_within: Duration,
    /// SQLite: called with each text of a change before the writer runs it, and before it commits: where the tests make
    /// it panic.
    #[doc(hidden)]
    pub before: fn(&str),
}

impl DatabaseOptions {
    /// The database at `url`, with the defaults.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: SecretString::from(url.into()),
            access: Access::Create,
            wait_within: Duration::from_millis(900),
            read_within: Duration::from_millis(900),
            list_within: Duration::from_secs(5),
            write_within: Duration::from_secs(5),
            queue: 4096,
            batch: 256,
            rows_per_change: 10_000,
            give_way: false,
            write_connections: 8,
            read_connections: 2,
            list_connections: 4,
            batch_within: Duration::from_millis(50),
            before: |_| (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        let options = DatabaseOptions::new("postgres://me:hunter2@localhost/x");
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
