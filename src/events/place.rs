//! Where a feed of events goes on: what its cursors hold.

use std::fmt;

use crate::clock::Timestamp;
use crate::db::{DbError, Row};

/// What is wrong with a cursor whose events are no more.
pub const OF_ANOTHER_HISTORY: &str =
    "is of events that are no more: the database was put back to an older copy of itself; begin without one";

/// After which position a feed goes on, and in which history of the database.
///
/// A restore puts an older history in the place of the one that was read, and goes on with other events under the same
/// positions: a bare position would be taken for one of theirs as soon as there are as many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FeedPlace {
    pub position: i64,
    pub history: History,
}

/// One history of the database: it ends with a restore.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct History(Option<Timestamp>);

impl History {
    /// Reads the column `restored_at` of `tenants`.
    pub fn from_row(row: &Row) -> Result<Self, DbError> {
        row.maybe_instant("restored_at").map(Self)
    }
}

impl FeedPlace {
    /// Reads what its `Display` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (position, history) = match text.split_once('.') {
            Some((position, since)) => (position, Some(Timestamp::from_millis(since.parse().ok()?))),
            None => (text, None),
        };
        Some(Self { position: position.parse().ok()?, history: History(history) })
    }
}

impl fmt::Display for FeedPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.history.0 {
            Some(since) => write!(f, "{}.{}", self.position, since.as_millis()),
            None => write!(f, "{}", self.position),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        for since in [None, Some(0), Some(1_773_690_572_123), Some(-1), Some(i64::MAX)] {
            for position in [0, 42, i64::MAX] {
                let place = FeedPlace { position, history: History(since.map(Timestamp::from_millis)) };
                assert_eq!(FeedPlace::parse(&place.to_string()), Some(place));
            }
        }
        for bad in ["", ".", "1.", ".1", "1.2.3", "x", "1.x"] {
            assert_eq!(FeedPlace::parse(bad), None, "{bad:?}");
        }
    }
}
