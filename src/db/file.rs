//! A database that is one file, for backups: what can be done with it while nobody serves it.

use std::path::{Path, PathBuf};

use super::DbError;
use super::sqlite::{self, file};

/// The file that a database's URL names; `None` where the database is a server's.
#[must_use]
pub fn file_of(url: &str) -> Option<PathBuf> {
    let (scheme, path) = url.split_once(':')?;
    if scheme == "sqlite" { sqlite::path_of(path).ok() } else { None }
}

/// Proves that a file is a whole database.
///
/// # Errors
/// What is wrong with it.
pub fn prove_file(path: &Path) -> Result<(), DbError> {
    file::prove(path)
}

/// Whether another process has the file open, as far as this one may look.
#[must_use]
pub fn file_is_in_use(path: &Path) -> bool {
    file::is_in_use(path)
}

/// Takes a database out of service: afterwards its file alone is all of it.
///
/// # Errors
/// [`DbError::Unavailable`] while anybody has it open; else it cannot be read.
pub fn fold_file(path: &Path) -> Result<(), DbError> {
    file::fold(path)
}

/// The files beside a database's own that hold a part of it, if there are any.
#[must_use]
pub fn file_companions(path: &Path) -> Vec<PathBuf> {
    file::companions(path)
}
