//! One SQLite connection: its settings, its statements, and what its errors mean.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::ffi::ErrorCode;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{OpenFlags, ToSql};

use super::super::change::{DbError, Statement};
use super::super::text::{self, Piece, TextKey};
use super::super::value::{Row, Value, columns};

/// Prepared statements kept on a connection: more than there are texts.
const STATEMENTS: usize = 512;

/// What a connection may keep of the database's pages, in KiB. A reader's are stale with each commit, and what it reads
/// again is in the kernel's memory: more would cost memory and spare no time.
const READERS_PAGES: u32 = 2_000;
const WRITERS_PAGES: u32 = 8_000;

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    Write,
    Read,
}

/// A connection with its statement texts, used by one thread at a time.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) raw: rusqlite::Connection,
    texts: HashMap<TextKey, Text>,
}

#[derive(Debug)]
struct Text {
    sql: String,
    /// Of its answer; none before its first row.
    columns: Arc<[Box<str>]>,
    /// Whether it may answer other columns after a migration: with `select *` and `returning *` alone.
    is_open: bool,
}

impl Text {
    fn new(sql: &str) -> Self {
        let is_open =
            text::pieces(sql).iter().any(|piece| matches!(piece, Piece::Code(code) if code.contains('*')));
        Self { sql: text::numbered(sql), columns: Arc::from([]), is_open }
    }

    /// Looks at what the columns are called, where that is not known.
    fn see(&mut self, row: &rusqlite::Row<'_>) {
        let answer = row.as_ref();
        let known = self.columns.len() == answer.column_count()
            && (!self.is_open || answer.column_names().eq(self.columns.iter().map(|name| &**name)));
        if !known {
            self.columns = columns(answer.column_names());
        }
    }
}

/// Why a statement did not run.
#[derive(Debug)]
pub(super) enum Problem {
    Engine(rusqlite::Error),
    Mistake(String),
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        Self::Engine(error)
    }
}

impl Connection {
    pub(super) fn open(path: &Path, purpose: Purpose, busy: Duration) -> Result<Self, DbError> {
        Self::open_raw(path, purpose, busy).map_err(|error| explain(&error))
    }

    fn open_raw(path: &Path, purpose: Purpose, busy: Duration) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let raw = rusqlite::Connection::open_with_flags(path, flags)?;
        raw.busy_timeout(busy)?;
        raw.set_prepared_statement_cache_capacity(STATEMENTS);
        // A plan does not depend on what is bound: or a statement would be prepared anew at each binding of what a LIKE
        // looks for, and with statistics at each of any.
        raw.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        // FULL makes a commit wait for the disk. Checkpoints have a thread of their own, so that no
        // commit has to do one on its way.
        raw.execute_batch(
            "pragma synchronous = full; pragma foreign_keys = on; pragma trusted_schema = off; \
             pragma temp_store = memory",
        )?;
        let pages = if purpose == Purpose::Write { WRITERS_PAGES } else { READERS_PAGES };
        raw.execute_batch(&format!("pragma cache_size = -{pages}"))?;
        raw.query_row("pragma wal_autocheckpoint = 0", [], |_| Ok(()))?;
        if purpose == Purpose::Read {
            raw.execute_batch("pragma query_only = on")?;
        } else {
            // What is erased is overwritten, and not only given free.
            raw.query_row("pragma secure_delete = on", [], |_| Ok(()))?;
        }
        Ok(Self { raw, texts: HashMap::new() })
    }

    /// Reads something, which opens the log. A checkpoint that has to open it itself keeps a read
    /// lock meanwhile, and waits for that in vain.
    pub(super) fn warm_up(&self) -> Result<(), DbError> {
        self.raw
            .query_row("select count(*) from sqlite_schema", [], |_| Ok(()))
            .map_err(|error| explain(&error))
    }

    /// Gives back what it keeps of the database's pages.
    pub(super) fn give_memory_back(&self) {
        // It cannot fail on a connection that is open.
        let _ = self.raw.release_memory();
    }

    /// Runs one of the few statements that begin and end transactions, prepared once. One that fails is reset by it, as
    /// it would be by being thrown away.
    pub(super) fn steer(&self, sql: &'static str) -> rusqlite::Result<()> {
        self.raw.prepare_cached(sql)?.raw_execute().map(drop)
    }

    /// Runs a statement to its end and collects its rows, at most `limit` of them.
    pub(super) fn run(&mut self, statement: &Statement, limit: usize) -> Result<Vec<Row>, Problem> {
        let text = self.texts.entry(text::key(statement.sql)).or_insert_with(|| Text::new(statement.sql));
        let mut prepared = self.raw.prepare_cached(&text.sql)?;
        if prepared.parameter_count() != statement.params.len() {
            return Err(Problem::Mistake(format!(
                "{} parameters where the statement has {}",
                statement.params.len(),
                prepared.parameter_count()
            )));
        }
        for (value, index) in statement.params.iter().zip(1..) {
            prepared.raw_bind_parameter(index, Parameter(value))?;
        }
        let mut found = Vec::new();
        let mut rows = prepared.raw_query();
        while let Some(row) = rows.next()? {
            // Only now: a migration may have changed what `returning *` means, and SQLite notices when it takes the
            // first step.
            if found.is_empty() {
                text.see(row);
            }
            if found.len() == limit {
                return Err(Problem::Mistake(format!("more than {limit} rows")));
            }
            found.push(read(row, &text.columns)?);
        }
        Ok(found)
    }
}

fn read(row: &rusqlite::Row<'_>, columns: &Arc<[Box<str>]>) -> Result<Row, Problem> {
    let mut values = Vec::with_capacity(columns.len());
    for (index, name) in columns.iter().enumerate() {
        values.push(match row.get_ref(index)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Int(number),
            ValueRef::Text(bytes) => Value::Text(
                std::str::from_utf8(bytes)
                    .map_err(|_| Problem::Mistake(format!("column {name} is not UTF-8")))?
                    .to_owned(),
            ),
            ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
            ValueRef::Real(_) => {
                return Err(Problem::Mistake(format!("column {name} is a floating-point number")));
            }
        });
    }
    Ok(Row::new(Arc::clone(columns), values))
}

struct Parameter<'a>(&'a Value);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Bool(truth) => ValueRef::Integer(i64::from(*truth)),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Problem {
    /// What it means when nothing of the statement stays.
    pub(super) fn explain(&self) -> DbError {
        match self {
            Self::Engine(error) => explain(error),
            Self::Mistake(what) => DbError::Failed(what.clone()),
        }
    }
}

/// SQLite's messages name tables and columns, never values.
pub(super) fn explain(error: &rusqlite::Error) -> DbError {
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::OperationInterrupted,
        ) => DbError::Unavailable(error.to_string()),
        _ => DbError::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_statement_is_planned_once_whatever_is_bound() {
        let directory = tempfile::tempdir().expect("a folder");
        let path = directory.path().join("a.db");
        std::fs::File::create_new(&path).expect("a file");
        let mut connection = Connection::open(&path, Purpose::Write, Duration::ZERO).expect("opened");
        let rows = "create table a (b text primary key, c integer); create index a_by_c on a (c) where c > 9; \
                    insert into a with recursive n(n) as (select 1 union all select n + 1 from n where n < 1000) \
                    select n, n from n; analyze";
        connection.raw.execute_batch(rows).expect("a table");
        for sql in [
            "select c from a where b like $1",
            "select c from a where b > $1 and c = 10",
            "select c from a where c > $1",
        ] {
            for value in ["1%", "2%", "%"] {
                connection.run(&Statement::new(sql).bind(value), usize::MAX).expect("rows");
            }
            let prepared = connection.raw.prepare_cached(&text::numbered(sql)).expect("prepared");
            assert_eq!(prepared.get_status(StatementStatus::RePrepare), 0, "{sql}");
        }
    }
}
