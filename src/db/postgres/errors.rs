//! What PostgreSQL's errors mean for whoever asked.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::{DbError as ServerError, Severity, SqlState};

use super::super::change::DbError;

/// What has become of statements whose error this is, given that the error undoes them.
#[derive(Debug)]
pub(super) enum Meaning {
    /// A demand of the statement's was not met.
    NothingTouched,
    /// Nothing happened, and the same again may well succeed at once.
    TryAgain(String),
    /// Nothing happened: the statement was prepared before a migration changed its tables.
    StalePlan(String),
    /// Nothing happened: the session may not write, for it is a read's, or the server a standby.
    ReadOnly(String),
    /// Nothing happened.
    Undone(DbError),
    /// The connection was lost: whoever sent a write does not know.
    Lost(String),
}

pub(super) fn meaning(error: &Error) -> Meaning {
    let Some(server) = error.as_db_error() else {
        return if is_ours(error) {
            Meaning::Undone(DbError::Failed(describe(error)))
        } else {
            Meaning::Lost(describe(error))
        };
    };
    let text = describe(error);
    if server.parsed_severity().is_some_and(is_the_end) {
        return Meaning::Lost(text);
    }
    match server.code() {
        code if *code == SqlState::DIVISION_BY_ZERO => Meaning::NothingTouched,
        code if [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code) => {
            Meaning::TryAgain(text)
        }
        code if *code == SqlState::FEATURE_NOT_SUPPORTED => Meaning::StalePlan(text),
        code if *code == SqlState::READ_ONLY_SQL_TRANSACTION => Meaning::ReadOnly(text),
        code => match code.code().get(..2) {
            // Insufficient resources, operator's intervention, system error, connection, lock.
            Some("53" | "57" | "58" | "08" | "55" | "25") => Meaning::Undone(DbError::Unavailable(text)),
            _ => Meaning::Undone(DbError::Failed(text)),
        },
    }
}

/// Whether the server ends the session with this error. It may have done so after the commit.
fn is_the_end(severity: Severity) -> bool {
    matches!(severity, Severity::Fatal | Severity::Panic)
}

/// Errors in our own use of the library: a value that does not fit.
fn is_ours(error: &Error) -> bool {
    let text = error.to_string();
    ["serializing", "deserializing", "parameters", "column"].iter().any(|word| text.contains(word))
}

/// The error in words, without what the server says about values.
pub(super) fn describe(error: &Error) -> String {
    match error.as_db_error() {
        Some(server) => describe_server(server),
        None => match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        },
    }
}

fn describe_server(error: &ServerError) -> String {
    let code = error.code().code();
    // The detail quotes rows, and so do the messages of data exceptions (class 22).
    let mut text = match code.get(..2) {
        Some("22") => format!("SQLSTATE {code}"),
        _ => format!("SQLSTATE {code}: {}", error.message()),
    };
    if let Some(constraint) = error.constraint() {
        text.push_str(" (constraint ");
        text.push_str(constraint);
        text.push(')');
    }
    text
}
