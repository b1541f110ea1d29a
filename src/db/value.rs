//! What goes into a statement and what comes out of a row.

use std::sync::Arc;

use crate::clock::Timestamp;

use super::change::DbError;

/// One value of the portable subset: text, bigint, boolean, bytes, or null.
///
/// An instant is a bigint of Unix milliseconds. SQLite keeps booleans as 0 and 1.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Null,
    Text(String),
    Int(i64),
    Bool(bool),
    Bytes(Vec<u8>),
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

/// One row of an answer; columns are asked for by name.
///
/// A column that is missing, or of another kind than asked for, is a mistake of ours and answers
/// [`DbError::Failed`] with the column's name.
#[derive(Clone, Debug)]
pub struct Row {
    columns: Arc<[Box<str>]>,
    values: Vec<Value>,
}

impl Row {
    pub(super) fn new(columns: Arc<[Box<str>]>, values: Vec<Value>) -> Self {
        Self { columns, values }
    }

    fn value(&self, column: &str) -> Result<&Value, DbError> {
        self.columns
            .iter()
            .position(|name| &**name == column)
            .and_then(|index| self.values.get(index))
            .ok_or_else(|| DbError::column(column, "is not in the row"))
    }

    pub fn is_null(&self, column: &str) -> Result<bool, DbError> {
        Ok(matches!(self.value(column)?, Value::Null))
    }

    pub fn text(&self, column: &str) -> Result<String, DbError> {
        self.maybe_text(column)?.ok_or_else(|| DbError::column(column, "is null"))
    }

    pub fn maybe_text(&self, column: &str) -> Result<Option<String>, DbError> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text.clone())),
            _ => Err(DbError::column(column, "is not text")),
        }
    }

    pub fn int(&self, column: &str) -> Result<i64, DbError> {
        self.maybe_int(column)?.ok_or_else(|| DbError::column(column, "is null"))
    }

    pub fn maybe_int(&self, column: &str) -> Result<Option<i64>, DbError> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Int(number) => Ok(Some(*number)),
            _ => Err(DbError::column(column, "is not a number")),
        }
    }

    pub fn bool(&self, column: &str) -> Result<bool, DbError> {
        match self.value(column)? {
            Value::Bool(truth) => Ok(*truth),
            Value::Int(number @ (0 | 1)) => Ok(*number == 1),
            _ => Err(DbError::column(column, "is not a boolean")),
        }
    }

    pub fn bytes(&self, column: &str) -> Result<Vec<u8>, DbError> {
        match self.value(column)? {
            Value::Bytes(bytes) => Ok(bytes.clone()),
            _ => Err(DbError::column(column, "is not bytes")),
        }
    }

    pub fn instant(&self, column: &str) -> Result<Timestamp, DbError> {
        self.int(column).map(Timestamp::from_millis)
    }

    pub fn maybe_instant(&self, column: &str) -> Result<Option<Timestamp>, DbError> {
        Ok(self.maybe_int(column)?.map(Timestamp::from_millis))
    }
}
