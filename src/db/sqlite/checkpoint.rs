//! Checkpoints: the log is copied into the database on a thread and a connection of their own.

use std::sync::mpsc::Receiver;

use super::connection::Connection;

/// A log of so many pages (32 MiB) is started anew even if writers and readers must wait for it.
const LONG_LOG: i64 = 8192;

/// Works until the writer is gone.
pub(super) fn run(connection: &Connection, wanted: &Receiver<()>) {
    while wanted.recv().is_ok() {
        // PASSIVE disturbs nobody, but under load it never reaches the end of the log, and the log
        // begins anew only where a checkpoint has reached its end.
        let pages = checkpoint(connection, "pragma wal_checkpoint(passive)");
        if pages.is_some_and(|pages| pages > LONG_LOG) {
            checkpoint(connection, "pragma wal_checkpoint(restart)");
        }
    }
}

/// The pages in the log, if the checkpoint could be done.
fn checkpoint(connection: &Connection, pragma: &str) -> Option<i64> {
    match connection.raw.query_row(pragma, [], |row| row.get(1)) {
        Ok(pages) => Some(pages),
        Err(error) => {
            tracing::warn!(%error, "the checkpoint failed; the next one will try again");
            None
        }
    }
}
