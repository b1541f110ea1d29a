//! What goes into a statement and what comes out of a row.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::clock::Timestamp;

use super::change::DbError;

/// One value of the portable subset: text, bigint, boolean, bytes, or null.
///
/// An instant is a bigint of Unix milliseconds. SQLite keeps booleans as 0 and 1.
/// Its `Debug` tells kind and length, never the value: statements carry digests and names.
#[derive(Clone, PartialEq)]
pub enum Value {
    Null,
    Text(String),
    Int(i64),
    Bool(bool),
    Bytes(Vec<u8>),
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Text(text) => write!(f, "text of {} bytes", text.len()),
            Self::Int(_) => f.write_str("a number"),
            Self::Bool(_) => f.write_str("a boolean"),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Self::Int(at.as_millis())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// What an answer's columns are called.
pub(super) fn columns<'a>(names: impl Iterator<Item = &'a str>) -> Arc<[Box<str>]> {
    let columns: Arc<[Box<str>]> = names.map(Box::from).collect();
    // Which of two of one name is read would be chance.
    debug_assert!(
        (1..columns.len()).all(|index| !columns[..index].contains(&columns[index])),
        "two columns of one name: {columns:?}"
    );
    columns
}

/// One row of an answer; columns are asked for by name, and no two have the same.
///
/// A column that is missing, or of another kind than asked for, is a mistake of ours and answers
/// [`DbError::Failed`] with the column's name.
#[derive(Debug)]
pub struct Row {
    columns: Arc<[Box<str>]>,
    values: Vec<Value>,
    /// Behind the column that was asked for last: most rows are read in the order of their columns. It is where a search
    /// begins and no more, so whatever order threads see it in finds the same.
    next: AtomicUsize,
}

impl Row {
    pub(super) fn new(columns: Arc<[Box<str>]>, values: Vec<Value>) -> Self {
        Self { columns, values, next: AtomicUsize::new(0) }
    }

    fn value(&self, column: &str) -> Result<&Value, DbError> {
        let next = self.next.load(Ordering::Relaxed).min(self.columns.len());
        let (before, behind) = self.columns.split_at(next);
        let found = |columns: &[Box<str>]| columns.iter().position(|name| &**name == column);
        let index = found(behind).map(|index| next + index).or_else(|| found(before));
        let value = index.and_then(|index| Some((index, self.values.get(index)?)));
        let (index, value) = value.ok_or_else(|| DbError::column(column, "is not in the row"))?;
        self.next.store(index + 1, Ordering::Relaxed);
        Ok(value)
    }

    /// Whether the column is null, whatever its kind.
    pub fn is_null(&self, column: &str) -> Result<bool, DbError> {
        Ok(matches!(self.value(column)?, Value::Null))
    }

    /// The column's text; null is a mistake.
    pub fn text(&self, column: &str) -> Result<String, DbError> {
        self.maybe_text(column)?.ok_or_else(|| DbError::column(column, "is null"))
    }

    /// The column's text, `None` for null.
    pub fn maybe_text(&self, column: &str) -> Result<Option<String>, DbError> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text.clone())),
            _ => Err(DbError::column(column, "is not text")),
        }
    }

    /// The column's number; null is a mistake.
    pub fn int(&self, column: &str) -> Result<i64, DbError> {
        self.maybe_int(column)?.ok_or_else(|| DbError::column(column, "is null"))
    }

    /// The column's number, `None` for null.
    pub fn maybe_int(&self, column: &str) -> Result<Option<i64>, DbError> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Int(number) => Ok(Some(*number)),
            _ => Err(DbError::column(column, "is not a number")),
        }
    }

    /// The column's truth; null is a mistake.
    pub fn bool(&self, column: &str) -> Result<bool, DbError> {
        self.maybe_bool(column)?.ok_or_else(|| DbError::column(column, "is null"))
    }

    /// The column's truth, `None` for null.
    pub fn maybe_bool(&self, column: &str) -> Result<Option<bool>, DbError> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Bool(truth) => Ok(Some(*truth)),
            Value::Int(number @ (0 | 1)) => Ok(Some(*number == 1)),
            _ => Err(DbError::column(column, "is not a boolean")),
        }
    }

    /// The column's bytes; null is a mistake.
    pub fn bytes(&self, column: &str) -> Result<Vec<u8>, DbError> {
        self.maybe_bytes(column)?.ok_or_else(|| DbError::column(column, "is null"))
    }

    /// The column's bytes, `None` for null.
    pub fn maybe_bytes(&self, column: &str) -> Result<Option<Vec<u8>>, DbError> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Bytes(bytes) => Ok(Some(bytes.clone())),
            _ => Err(DbError::column(column, "is not bytes")),
        }
    }

    /// The column's instant; null is a mistake.
    pub fn instant(&self, column: &str) -> Result<Timestamp, DbError> {
        self.int(column).map(Timestamp::from_millis)
    }

    /// The column's instant, `None` for null.
    pub fn maybe_instant(&self, column: &str) -> Result<Option<Timestamp>, DbError> {
        Ok(self.maybe_int(column)?.map(Timestamp::from_millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_found_by_its_name_whatever_was_asked_for_before() {
        let names = ["a", "b", "c"];
        let row = Row::new(columns(names.into_iter()), (1..).map(Value::Int).take(3).collect());
        for first in names {
            for second in names {
                row.int(first).unwrap();
                assert_eq!(
                    row.int(second).unwrap(),
                    i64::from(second.as_bytes()[0] - b'a') + 1,
                    "{first} {second}"
                );
                assert!(row.int("d").is_err());
            }
        }
    }
}
