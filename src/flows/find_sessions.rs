//! A tenant's sessions, the newest first, with what is true of each right now.

use crate::clock::Timestamp;
use crate::db::{Database, DbError, Row};
use crate::error::Error;
use crate::ids::{SessionId, UserId};
use crate::sessions::search::store::{find, find_end_of_page, list};
use crate::sessions::search::{LOOKED_AT, LOOKED_AT_ONCE, SessionFilter, SessionState};
use crate::sessions::{EndReason, Session};
use crate::tenants::Tenant;
use crate::users::User;

use super::Page;

/// A session with its user.
#[derive(Debug)]
pub struct FoundSession {
    pub session: Session,
    pub user: User,
    /// When and why it ended, if it has.
    pub ending: Option<(Timestamp, String)>,
}

impl FoundSession {
    fn from_row(row: &Row, tenant: &Tenant, now: Timestamp) -> Result<Self, DbError> {
        let nobody = || DbError::Failed("a session without a user".into());
        let (session, user) = (Session::from_row(row)?, User::from_row(row)?.ok_or_else(nobody)?);
        let ending = session.ending(tenant, &user, now);
        Ok(Self { session, user, ending })
    }

    fn ended_for(&self, reason: EndReason) -> bool {
        self.ending.as_ref().is_some_and(|(_, why)| why == reason.as_str())
    }

    #[must_use]
    pub const fn state(&self) -> SessionState {
        if self.ending.is_some() { SessionState::Ended } else { SessionState::Live }
    }
}

/// The sessions before an id (without one: from the newest on) who fit, `size` at most. Where few fit, a page may hold
/// fewer, or none, and yet not be the last: it looks at 5,000 sessions at most.
pub async fn find_sessions(
    db: &Database,
    tenant: &Tenant,
    filter: &SessionFilter,
    before: Option<String>,
    size: u32,
    now: Timestamp,
) -> Result<Page<FoundSession>, Error> {
    let (from, newest) = filter.range();
    let mut before = before.unwrap_or(newest);
    // One more than is shown tells whether there are more.
    let enough = i64::from(size) + 1;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let at_once = if filter.look_at_each() { LOOKED_AT_ONCE } else { enough };
    let (mut items, mut looked_at) = (Vec::new(), 0);
    loop {
        // Where the look ends is found first, so that what is opened meanwhile moves nothing.
        let end = if filter.look_at_each() {
            let end = db.list(find_end_of_page(&tenant.id, filter, (&from, &before), at_once)).await?;
            end.first().map(|row| row.text("id")).transpose()?
        } else {
            None
        };
        let between = (end.as_deref().unwrap_or(&from), before.as_str());
        for row in db.list(list(&tenant.id, filter, between, at_once, now)).await? {
            let found = FoundSession::from_row(&row, tenant, now)?;
            if filter.end_reason.is_none_or(|reason| found.ended_for(reason)) {
                items.push(found);
            }
        }
        looked_at += at_once;
        if items.len() > size {
            items.truncate(size);
            let next = items.last().map(|found| found.session.id.to_string());
            return Ok(Page { items, next });
        }
        match end {
            Some(end) if looked_at < LOOKED_AT => before = end,
            next => return Ok(Page { items, next }),
        }
    }
}

/// One of a user's sessions, whatever its family; another's is absent.
pub async fn get_user_session(
    db: &Database,
    tenant: &Tenant,
    user: &UserId,
    session: &SessionId,
    now: Timestamp,
) -> Result<FoundSession, Error> {
    let rows = db.fetch(find(&tenant.id, user, session)).await?;
    Ok(FoundSession::from_row(rows.first().ok_or(Error::NotFound)?, tenant, now)?)
}
