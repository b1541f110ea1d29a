//! Checkpoints: the log is copied into the database on a thread and a connection of their own.

use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};

use super::connection::Connection;

/// Works until the writer is gone; `working` is held during each checkpoint.
pub(super) fn run(connection: &Connection, wanted: &Receiver<()>, working: &Mutex<()>) {
    while wanted.recv().is_ok() {
        let _working = working.lock().unwrap_or_else(PoisonError::into_inner);
        // PASSIVE makes nobody wait. Where it reaches the end of the log, and no reader stands in the
        // middle of it, the next commit begins the log anew; where it does not, the writer sees to it.
        let done = connection.raw.query_row("pragma wal_checkpoint(passive)", [], |_| Ok(()));
        if let Err(error) = done {
            tracing::warn!(%error, "the checkpoint failed; the next one will try again");
        }
    }
}
