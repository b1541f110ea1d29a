//! The database: changes as values, one SQL text, two engines.
//!
//! Nothing above this module knows which engine runs. A store function returns a [`Statement`]; a
//! flow hands [`Database::apply`] a [`Change`] and learns that all of it is durable, or that
//! nothing of it happened. Reads are [`Database::fetch`] (by key) and [`Database::list`].

mod change;
mod migrate;
mod postgres;
mod sqlite;
mod value;

pub use change::{Applied, Change, DbError, Statement};
pub use value::{Row, Value};
