//! A change: a list of statements that become true together, or not at all.

use std::time::Duration;

use super::value::{Row, Value};

/// How long an [asynchronous](Change::asynchronous) change waits for one that must be durable, to become it together: a
/// password hash or two, so that a login has one commit and not two.
pub(super) const ASYNCHRONOUS_WITHIN: Duration = Duration::from_millis(20);

/// One SQL text with its parameters, and what it demands.
///
/// The text is static: what varies travels as `$1`, `$2`, … and never as text.
#[derive(Clone, Debug)]
pub struct Statement {
    pub(super) sql: &'static str,
    pub(super) params: Vec<Value>,
    pub(super) demand: Option<Demand>,
}

/// So many rows at least, or the change is undone and the word says what was missed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Demand {
    pub(super) what: &'static str,
    pub(super) rows: usize,
}

impl Statement {
    /// A statement in the portable SQL, without its parameters.
    #[must_use]
    pub fn new(sql: &'static str) -> Self {
        Self { sql, params: Vec::new(), demand: None }
    }

    /// Adds the next parameter: the first `bind` is `$1`.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.params.push(value.into());
        self
    }

    /// The text, for the benchmark, which sends it by itself.
    #[doc(hidden)]
    #[must_use]
    pub const fn text(&self) -> &'static str {
        self.sql
    }

    /// What is bound, for the benchmark.
    #[doc(hidden)]
    #[must_use]
    pub fn parameters(&self) -> &[Value] {
        &self.params
    }

    /// Demands that the statement answers at least one row (its text ends in `returning …`).
    /// If it does not, the whole change is undone and `what` is named in [`DbError::Refused`].
    #[must_use]
    pub fn must_change(self, what: &'static str) -> Self {
        self.must_change_all(what, 1)
    }

    /// [`Statement::must_change`], for a text that writes so many rows: it answers all of them, or the change is
    /// undone. One text has one number.
    #[must_use]
    pub fn must_change_all(mut self, what: &'static str, rows: usize) -> Self {
        self.demand = Some(Demand { what, rows });
        self
    }
}

/// Statements that become true together. The order is the order of execution, and of locks:
/// tenant → customer → user → session → throttle → attempt → source.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub(super) statements: Vec<Statement>,
    /// Whether it may be answered before it is durable.
    pub(super) is_asynchronous: bool,
    /// How long its commit may wait for others to share it.
    pub(super) patience: Duration,
}

impl Change {
    /// A change of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a statement, to be executed after those before it.
    #[must_use]
    pub fn with(mut self, statement: Statement) -> Self {
        self.statements.push(statement);
        self
    }

    /// Adds statements, in their order.
    #[must_use]
    pub fn with_all(mut self, statements: impl IntoIterator<Item = Statement>) -> Self {
        self.statements.extend(statements);
        self
    }

    /// Lets the change be answered when it has run, before it is durable (an asynchronous commit). Every change after it
    /// sees it, and none of those is durable before it is; reads see it soon: on SQLite within a batch, some tens of
    /// milliseconds. A crash may take it back: so this is for what is worth nothing without a change that comes after it.
    #[must_use]
    pub fn asynchronous(self) -> Self {
        Self { is_asynchronous: true, patience: ASYNCHRONOUS_WITHIN, ..self }
    }

    /// Lets the change wait so long for others that share its commit, if nobody who shares it waits less; for callers who
    /// have waited longer anyway, where others come for certain. PostgreSQL gathers commits as it is set up to.
    #[must_use]
    pub fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }
}

impl From<Statement> for Change {
    fn from(statement: Statement) -> Self {
        Self { statements: vec![statement], ..Self::default() }
    }
}

/// A change that is durable: the rows each of its statements answered, in their order.
#[derive(Debug)]
pub struct Applied(pub(super) Vec<Vec<Row>>);

impl Applied {
    /// The rows of the statement at `index`.
    #[must_use]
    pub fn rows(&self, index: usize) -> &[Row] {
        self.0.get(index).map_or(&[], Vec::as_slice)
    }
}

/// Why the database did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A statement with a demand touched no row. Nothing of the change happened.
    #[error("refused: {0}")]
    Refused(&'static str),
    /// The database could not be reached, or is too busy or full. Nothing happened; the caller may try again.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The answer to a write was lost: it happened, or it did not. It is never sent again.
    #[error("the outcome of a change is unknown: {0}")]
    UnknownOutcome(String),
    /// A mistake of ours (bad SQL, a missing column, a violated constraint). Nothing happened.
    #[error("the database failed: {0}")]
    Failed(String),
}

impl DbError {
    pub(super) fn column(name: &str, problem: &str) -> Self {
        Self::Failed(format!("column {name} {problem}"))
    }
}
