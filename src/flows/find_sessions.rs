//! A tenant's sessions, the newest first, with what is true of each right now.

use crate::clock::Timestamp;
use crate::db::{Database, DbError, Row};
use crate::error::Error;
use crate::ids::{SessionId, UserId};
use crate::sessions::Session;
use crate::sessions::search::store::{find, find_end_of_page, list};
use crate::sessions::search::{SessionFilter, SessionState};
use crate::tenants::Tenant;
use crate::users::User;

use super::Page;

/// Rows that are read at a time where only the reading tells whether they fit: what no row says the end of.
const READ_AT_ONCE: usize = 1_000;

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

    #[must_use]
    pub const fn state(&self) -> SessionState {
        if self.ending.is_some() { SessionState::Ended } else { SessionState::Live }
    }
}

/// The sessions before an id (without one: from the newest on) who fit, `size` at most. Where few fit, a page may hold
/// fewer, or none, and yet not be the last: it looks at 5,000 rows at most.
pub async fn find_sessions(
    db: &Database,
    tenant: &Tenant,
    filter: &SessionFilter,
    before: Option<String>,
    size: u32,
    now: Timestamp,
) -> Result<Page<FoundSession>, Error> {
    let (from, newest) = filter.range();
    let before = before.unwrap_or(newest);
    // Its end is found first, so that what is opened meanwhile moves nothing.
    let end = if filter.look_at_each() {
        let end = db.list(find_end_of_page(&tenant.id, filter, (&from, &before))).await?;
        end.first().map(|row| row.text("id")).transpose()?
    } else {
        None
    };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    // One more than is shown tells whether there are more.
    let most = if filter.end_reason.is_some() { READ_AT_ONCE.max(size + 1) } else { size + 1 };
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let between = (end.as_deref().unwrap_or(&from), before.as_str());
    let rows = db.list(list(&tenant.id, filter, between, limit, now)).await?;
    let mut items = Vec::new();
    for row in &rows {
        let found = FoundSession::from_row(row, tenant, now)?;
        let wanted = filter
            .end_reason
            .is_none_or(|wanted| found.ending.as_ref().is_some_and(|(_, reason)| reason == wanted.as_str()));
        if wanted {
            items.push(found);
        }
    }
    let next = if items.len() > size {
        items.truncate(size);
        items.last().map(|found| found.session.id.to_string())
    } else if rows.len() == most {
        rows.last().map(|row| row.text("id")).transpose()?
    } else {
        end
    };
    Ok(Page { items, next })
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
