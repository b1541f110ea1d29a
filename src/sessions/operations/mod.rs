//! Operations that end sessions by what they have in common: slice by slice, on any node, after any crash.

pub mod store;

use crate::clock::Timestamp;
use crate::db::{DbError, Row};
use crate::ids::{ChangeId, OperatorId, SessionId, SessionOperationId, TenantKeyId, UserId};

use super::EndReason;
use super::search::{SessionFilter, SessionState};

/// A login that had read the truth before an operation began may become durable so much later, in seconds: it waits for
/// its hash a second or so.
const STRAGGLERS_SECONDS: i64 = 60;

/// How far an operation is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// Not all sessions have been looked at.
    Running,
    /// All that were there have ended. Logins that had begun before it are looked for once more.
    Settling,
    Finished,
}

impl Progress {
    /// All of them, in their order.
    pub const ALL: [Self; 3] = [Self::Running, Self::Settling, Self::Finished];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Settling => "settling",
            Self::Finished => "finished",
        }
    }
}

/// Who began it, as its row has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Beginner {
    Staff(UserId),
    Backend(TenantKeyId),
    Operator(Option<OperatorId>),
}

impl Beginner {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let (kind, id) = (row.text("actor_kind")?, row.maybe_text("actor_id")?);
        match (kind.as_str(), id) {
            ("staff", Some(id)) => Ok(Self::Staff(UserId::from_stored(id))),
            ("backend", Some(id)) => Ok(Self::Backend(TenantKeyId::from_stored(id))),
            ("operator", id) => Ok(Self::Operator(id.map(OperatorId::from_stored))),
            _ => Err(DbError::Failed(format!("session_operations.actor_kind: unknown word {kind}"))),
        }
    }
}

/// An operation's row.
#[derive(Clone, Debug)]
pub struct SessionOperation {
    pub id: SessionOperationId,
    /// What the sessions have in common; nothing once it is over.
    pub filter: SessionFilter,
    pub end_reason: EndReason,
    pub beginner: Beginner,
    /// The beginner's own word for why.
    pub reason: Option<String>,
    /// The id of the last session that was looked at.
    pub after: String,
    /// How many it has ended.
    pub ended: i64,
    pub started_at: Timestamp,
    pub updated_at: Timestamp,
    /// When all that were there had been looked at.
    pub passed_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// The change that moved it last: whoever moves it on names it.
    pub change: ChangeId,
}

impl SessionOperation {
    /// Reads the columns that [`store::find`] names.
    pub fn from_row(row: &Row) -> Result<Self, DbError> {
        let broken =
            |column: &str| DbError::Failed(format!("session_operations.{column}: not what it should hold"));
        let filter: SessionFilter =
            serde_json::from_str(&row.text("filter")?).map_err(|_| broken("filter"))?;
        Ok(Self {
            id: SessionOperationId::from_stored(row.text("id")?),
            filter: SessionFilter { state: Some(SessionState::Live), ..filter },
            end_reason: EndReason::parse(&row.text("end_reason")?).ok_or_else(|| broken("end_reason"))?,
            beginner: Beginner::from_row(row)?,
            reason: row.maybe_text("reason")?,
            after: row.text("after_id")?,
            ended: row.int("ended")?,
            started_at: row.instant("started_at")?,
            updated_at: row.instant("updated_at")?,
            passed_at: row.maybe_instant("passed_at")?,
            finished_at: row.maybe_instant("finished_at")?,
            change: ChangeId::from_stored(row.text("change_id")?),
        })
    }

    #[must_use]
    pub const fn progress(&self) -> Progress {
        match (self.passed_at, self.finished_at) {
            (_, Some(_)) => Progress::Finished,
            (Some(_), None) => Progress::Settling,
            (None, None) => Progress::Running,
        }
    }

    /// Whether there is something to do at this instant.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        match self.progress() {
            Progress::Running => true,
            Progress::Settling => self.settles_at() <= now,
            Progress::Finished => false,
        }
    }

    /// From when on no login can come any more that had begun before the operation.
    #[must_use]
    pub const fn settles_at(&self) -> Timestamp {
        self.started_at.plus_seconds(STRAGGLERS_SECONDS)
    }

    /// The id up to which its sessions are: what was opened after it began is none of them.
    #[must_use]
    pub fn last(&self) -> String {
        let (_, before) = self.filter.range();
        before.min(SessionId::before(self.started_at.plus_millis(1)).as_str().to_owned())
    }

    /// Before the ids of the logins that may have been under way when it began.
    #[must_use]
    pub fn stragglers(&self) -> String {
        let (from, _) = self.filter.range();
        from.max(SessionId::before(self.started_at.plus_seconds(-STRAGGLERS_SECONDS)).as_str().to_owned())
    }
}

/// An operation that began before this and has not come to its second look is due for it.
#[must_use]
pub const fn settled_before(now: Timestamp) -> Timestamp {
    now.plus_seconds(-STRAGGLERS_SECONDS)
}
