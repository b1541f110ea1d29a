//! Events as they stand in the database, numbered.

use serde_json::Value;

use crate::clock::Timestamp;
use crate::db::{DbError, Row};
use crate::ids::{SessionId, UserId};

use super::EventName;

/// What events are looked for; what is left out does not matter.
#[derive(Clone, Default, Debug)]
pub struct EventFilter {
    /// Of one of these types; none: of any.
    pub types: Vec<EventName>,
    /// Done to this user.
    pub user: Option<UserId>,
    /// With this session.
    pub session: Option<SessionId>,
    /// Happened at this instant or later.
    pub since: Option<Timestamp>,
    /// Happened before this instant.
    pub before: Option<Timestamp>,
}

/// An event that has its number.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// From 1 on, without a gap in its tenant.
    pub position: i64,
    pub id: String,
    pub name: String,
    pub outcome: String,
    pub occurred_at: Timestamp,
    pub actor_kind: String,
    pub actor_id: Option<String>,
    pub user_id: Option<String>,
    pub customer_id: Option<String>,
    pub session_id: Option<String>,
    pub reason: Option<String>,
    pub request_id: Option<String>,
    pub details: Value,
    /// `None` where there was no request, and once the person is erased.
    pub personal: Option<Value>,
}

impl Recorded {
    /// Reads a row of [`super::store::find_numbered`]; `None` where it has no event.
    pub fn from_row(row: &Row) -> Result<Option<Self>, DbError> {
        let Some(position) = row.maybe_int("position")? else { return Ok(None) };
        let json = |text: &str| {
            serde_json::from_str(text).map_err(|_| DbError::Failed("an event's column is not JSON".into()))
        };
        Ok(Some(Self {
            position,
            id: row.text("id")?,
            name: row.text("name")?,
            outcome: row.text("outcome")?,
            occurred_at: row.instant("occurred_at")?,
            actor_kind: row.text("actor_kind")?,
            actor_id: row.maybe_text("actor_id")?,
            user_id: row.maybe_text("user_id")?,
            customer_id: row.maybe_text("customer_id")?,
            session_id: row.maybe_text("session_id")?,
            reason: row.maybe_text("reason")?,
            request_id: row.maybe_text("request_id")?,
            details: json(&row.text("details")?)?,
            personal: row.maybe_text("personal")?.as_deref().map(json).transpose()?,
        }))
    }
}
