//! A logout: the session ends, once, whoever asks how often.

use serde_json::json;

use crate::app::App;
use crate::client::Client;
use crate::clock::Timestamp;
use crate::db::{Change, DbError};
use crate::error::Error;
use crate::events::{self, Actor, Event, EventName};
use crate::ids::ChangeId;
use crate::sessions::{self, EndReason, Session};
use crate::tenants::Tenant;
use crate::users::User;

use super::find_session;

/// How a session ended: the first ending, always.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended {
    pub at: Timestamp,
    pub reason: String,
}

/// Ends one of a user's sessions at the user's wish. One that has ended already, in whatever way, keeps
/// its first ending, which is written down: what was answered as ended never lives again.
pub async fn end_session(
    app: &App,
    tenant: &Tenant,
    user: &User,
    session: &Session,
    client: &Client,
) -> Result<Ended, Error> {
    let now = app.clock.now();
    let ending = session.ending(tenant, user, now);
    let (at, reason) = ending.unwrap_or_else(|| (now, EndReason::Logout.as_str().to_owned()));
    let ended = Ended { at, reason };
    if session.ended_at.is_some() {
        return Ok(ended);
    }
    match app.db.apply(end(tenant, user, session, &ended, client, now)).await {
        Ok(_) => Ok(ended),
        // Another call was first: its ending is the session's.
        Err(DbError::Refused("session")) => {
            let again = find_session(app, tenant, user, session.family, &session.id).await?;
            let (at, reason) =
                again.and_then(|session| session.ending(tenant, user, now)).ok_or(Error::NotFound)?;
            Ok(Ended { at, reason })
        }
        Err(error) => Err(error.into()),
    }
}

fn end(
    tenant: &Tenant,
    user: &User,
    session: &Session,
    ended: &Ended,
    client: &Client,
    now: Timestamp,
) -> Change {
    // What ended it before was not this user's deed, who only had it written down.
    let actor = if ended.reason == EndReason::Logout.as_str() { Actor::of(user) } else { Actor::System };
    let event = Event {
        user: Some(&user.id),
        session: Some(&session.id),
        reason: Some(&ended.reason),
        client: Some(client),
        details: json!({ "family": session.family.as_str(), "endedAt": ended.at.to_string() }),
        ..Event::new(EventName::SessionExpired, actor)
    };
    Change::new()
        .with(sessions::store::end(&tenant.id, &session.id, ended.at, &ended.reason, &ChangeId::random()))
        .with(events::store::insert(&tenant.id, &event, now))
}
