//! The database as a file: copied while it is in use, proved to be whole, taken out of service.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::super::change::DbError;
use super::connection::{Connection, Purpose, explain};
use super::{find, log_of};

/// How long a file that is to be taken out of service may be in use still.
const IN_USE: Duration = Duration::from_millis(500);

/// Copies what is durable now, all of one moment, into `to`, which is empty. Writers go on meanwhile; the log grows
/// until it is done.
pub(super) fn copy(from: &Path, to: &Path, busy: Duration) -> Result<(), DbError> {
    let connection = Connection::open(from, Purpose::Read, busy)?;
    let text =
        to.to_str().ok_or_else(|| DbError::Failed(format!("{}: the path is not UTF-8", to.display())))?;
    let copied = connection
        .raw
        .execute_batch("pragma query_only = off")
        .and_then(|()| connection.raw.execute("vacuum into ?1", [text]));
    copied.map(drop).map_err(|error| explain(&error))
}

/// Proves that a file is a database with all its pages, and that nothing in it points to what is not there.
pub(in super::super) fn prove(path: &Path) -> Result<(), DbError> {
    find(path)?;
    let connection = Connection::open(path, Purpose::Read, IN_USE)?;
    let problems = |sql: &str, text: fn(&rusqlite::Row<'_>) -> rusqlite::Result<String>| {
        let mut prepared = connection.raw.prepare(sql)?;
        prepared.query_map([], text)?.collect::<rusqlite::Result<Vec<_>>>()
    };
    let damage = problems("pragma quick_check(1)", |row| row.get(0)).map_err(|error| explain(&error))?;
    if damage != ["ok"] {
        return Err(DbError::Failed(format!("the file is damaged: {}", damage.join("; "))));
    }
    let lost = problems("pragma foreign_key_check", |row| row.get(0)).map_err(|error| explain(&error))?;
    match lost.first() {
        Some(table) => Err(DbError::Failed(format!("the file is damaged: rows of {table} point to nothing"))),
        None => Ok(()),
    }
}

/// Whether anybody has a database open, as far as can be seen without changing it.
pub(in super::super) fn is_in_use(path: &Path) -> bool {
    others_have_open(path)
}

/// Takes a database out of service: what is in its log goes into the file, so that the file alone is all of it.
/// `Unavailable` while anybody has it open.
pub(in super::super) fn fold(path: &Path) -> Result<(), DbError> {
    let until = Instant::now() + IN_USE;
    loop {
        match fold_now(path) {
            // A connection that is being closed, of this process or another, is gone soon.
            Err(DbError::Unavailable(_)) if Instant::now() < until => std::thread::sleep(IN_USE / 50),
            folded => return folded,
        }
    }
}

fn fold_now(path: &Path) -> Result<(), DbError> {
    let in_use = || DbError::Unavailable("the database is in use".to_owned());
    if others_have_open(path) {
        return Err(in_use());
    }
    let connection = Connection::open(path, Purpose::Write, Duration::ZERO)?;
    let mode: rusqlite::Result<String> =
        connection.raw.query_row("pragma journal_mode = delete", [], |row| row.get(0));
    match mode.map_err(|error| explain(&error)) {
        Ok(mode) if mode == "delete" => Ok(()),
        Ok(_) | Err(DbError::Unavailable(_)) => Err(in_use()),
        Err(error) => Err(error),
    }
}

/// The files that belong to a database beside its own, those of them that are there.
pub(in super::super) fn companions(path: &Path) -> Vec<PathBuf> {
    let mut index = path.as_os_str().to_owned();
    index.push("-shm");
    [log_of(path), PathBuf::from(index)].into_iter().filter(|path| path.exists()).collect()
}

/// Whether another process that we may look at has the file open: also where SQLite cannot read it any more.
fn others_have_open(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let others = processes.filter(|process| process.file_name().to_str() != Some(&own));
    let open =
        others.flat_map(|process| fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten());
    open.into_iter().any(|file| fs::read_link(file.path()).is_ok_and(|target| target == path))
}
