//! Imports: users who move in from a file, entry by entry, and how far each file has come.
//!
//! Whatever the file's format, an entry is read into an [`Entry`], and an entry that is good becomes an [`Arrival`].
//! An entry that is not is told with everything that is wrong with it, and never with a password or a hash.

mod arrival;
mod entry;
mod fields;
mod keycloak;
mod seen;
pub mod store;

pub use arrival::{Arrival, Belongs, Credential, Premises};
pub use entry::{Entry, parse_json, parse_value};
pub use keycloak::parse_keycloak;
pub use seen::Seen;

use crate::db::{DbError, Row};
use crate::error::FieldError;

/// One entry of a file: where it begins, and what came of reading it.
#[derive(Debug)]
pub struct Line {
    /// The line on which it begins, counted from 1; in a JSON document the number of the user.
    pub number: u64,
    pub read: Result<Box<Arrival>, Vec<FieldError>>,
}

/// How far a file has come.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Progress {
    /// All entries up to this line are done with.
    pub lines_done: i64,
    /// Users who came in.
    pub created: i64,
    /// Entries whose user, or a name of theirs, was there already.
    pub present: i64,
    /// Entries that were wrong.
    pub refused: i64,
    pub finished: bool,
}

impl Progress {
    /// Reads a row of [`store::find`].
    pub fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            lines_done: row.int("lines_done")?,
            created: row.int("created")?,
            present: row.int("present")?,
            refused: row.int("refused")?,
            finished: !row.is_null("finished_at")?,
        })
    }
}
