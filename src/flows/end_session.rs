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
use crate::users::{User, UserKind};

use super::find_session;

/// How a session ended: the first ending, always.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended {
    pub at: Timestamp,
    pub reason: String,
}

/// Ends one of a user's sessions at the user's wish. One that has ended already, in whatever way, is left
/// as it is, and told.
pub async fn end_session(
    app: &App,
    tenant: &Tenant,
    user: &User,
    session: &Session,
    client: &Client,
) -> Result<Ended, Error> {
    let now = app.clock.now();
    if let Some((at, reason)) = session.ending(tenant, user, now) {
        return Ok(Ended { at, reason });
    }
    match app.db.apply(logout(tenant, user, session, client, now)).await {
        Ok(_) => Ok(Ended { at: now, reason: EndReason::Logout.as_str().to_owned() }),
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

fn logout(tenant: &Tenant, user: &User, session: &Session, client: &Client, now: Timestamp) -> Change {
    let actor = match user.kind {
        UserKind::Staff => Actor::Staff(&user.id),
        UserKind::Customer => Actor::User(&user.id),
    };
    let event = Event {
        user: Some(&user.id),
        session: Some(&session.id),
        reason: Some(EndReason::Logout.as_str()),
        client: Some(client),
        details: json!({ "family": session.family.as_str() }),
        ..Event::new(EventName::SessionExpired, actor)
    };
    Change::new()
        .with(sessions::store::end(&tenant.id, &session.id, EndReason::Logout, &ChangeId::random(), now))
        .with(events::store::insert(&tenant.id, &event, now))
}
