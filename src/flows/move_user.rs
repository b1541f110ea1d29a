//! A user is suspended, resumed or closed.

use serde_json::json;

use crate::clock::Timestamp;
use crate::db::{Change, Database, Statement};
use crate::error::Error;
use crate::events::{self, Ends, Event, EventName};
use crate::ids::UserId;
use crate::password_resets;
use crate::sessions::EndReason;
use crate::users;
use crate::users::UserStatus;
use crate::users::directory::{UserMove, UserRecord};

use super::Deed;
use super::change_user::keep_an_admin;
use super::end_sessions::{end_newer_sessions, keep_earlier_endings};
use super::records::{TRIES, contended, get_user, settle};

/// Moves a user to another status, and answers the user as they are then. Where they are there already nothing
/// happens, so that an answer that was lost can be asked for again.
pub async fn move_user(
    db: &Database,
    deed: &Deed<'_>,
    id: &UserId,
    how: UserMove,
    now: Timestamp,
) -> Result<UserRecord, Error> {
    for _ in 0..TRIES {
        let user = get_user(db, deed.tenant, id).await?;
        let Some(status) = how.from(user.status).map_err(|why| Error::conflict("status", why))? else {
            return Ok(user);
        };
        let change = Change::new().with_all(move_statements(deed, &user, status, now)?);
        if settle(db, change).await? {
            return get_user(db, deed.tenant, id).await;
        }
    }
    Err(contended("userId"))
}

/// What moves a user to a status that they do not have, to stand in a change beside what else becomes true with it.
pub(super) fn move_statements(
    deed: &Deed<'_>,
    user: &UserRecord,
    status: UserStatus,
    now: Timestamp,
) -> Result<Vec<Statement>, Error> {
    let mut statements = Vec::new();
    if user.is_active_admin() {
        statements.extend(keep_an_admin(deed, user)?);
    }
    let event = Event {
        details: json!({ "before": user.status.as_str(), "after": status.as_str() }),
        ends: (status != UserStatus::Active).then_some(Ends::User { until: now, but: None }),
        ..deed.user_event(EventName::UserStatusChanged, &user.id, &user.customer_id)
    };
    statements.extend(keep_earlier_endings(deed.tenant, &user.id));
    statements.push(users::directory::store::set_status(deed.tenant, &user.id, user.revision, status, now));
    if status != UserStatus::Active {
        statements.extend(end_newer_sessions(deed.tenant, &event, EndReason::UserDisabled, now));
        // A secret that is out would open what a later resumption opens again.
        statements.push(password_resets::store::delete_of(deed.tenant, &user.id));
    }
    statements.push(events::store::insert(deed.tenant, &event, now));
    Ok(statements)
}
