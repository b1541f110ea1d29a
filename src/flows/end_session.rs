//! One session ends, once, whoever asks how often.

use serde_json::json;

use crate::app::App;
use crate::client::Client;
use crate::clock::Timestamp;
use crate::db::{Change, DbError};
use crate::error::Error;
use crate::events::{self, Actor, Ends, Event, EventName};
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

/// Who ends a session, and why.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a> {
    pub actor: Actor<'a>,
    pub reason: EndReason,
    /// From where; `None` for what no request did.
    pub client: Option<&'a Client>,
    /// The rule or setting by which it ends, with its value; `None` where somebody wanted it so.
    pub rule: Option<&'a str>,
    /// Why, in free text of whoever wanted it.
    pub note: Option<&'a str>,
}

impl<'a> Ending<'a> {
    /// A user's own logout.
    #[must_use]
    pub const fn logout(user: &'a User, client: &'a Client) -> Self {
        let (actor, reason) = (Actor::of(user), EndReason::Logout);
        Self { actor, reason, client: Some(client), rule: None, note: None }
    }
}

/// Ends a user's session. One that has ended already, in whatever way, keeps its first ending, which is written down:
/// what was answered as ended never lives again.
pub async fn end_session(
    app: &App,
    tenant: &Tenant,
    user: &User,
    session: &Session,
    wanted: &Ending<'_>,
) -> Result<Ended, Error> {
    let now = app.clock.now();
    if let (Some(at), Some(reason)) = (session.ended_at, &session.end_reason) {
        return Ok(Ended { at, reason: reason.clone() });
    }
    let before = session.ending(tenant, user, now);
    let (at, reason) = before.clone().unwrap_or_else(|| (now, wanted.reason.as_str().to_owned()));
    let ended = Ended { at, reason };
    let wanted_event = Event {
        ends: Some(Ends::Session),
        note: wanted.note,
        ..Event::new(EventName::SessionExpired, wanted.actor)
    };
    // What ended it before was not the caller's deed, who only had it written down.
    let event = before.map_or(wanted_event, |_| Event::new(EventName::SessionExpired, Actor::System));
    let rule = wanted.rule.filter(|_| ended.reason == wanted.reason.as_str());
    let event = Event {
        user: Some(&user.id),
        customer: Some(&session.customer_id),
        session: Some(&session.id),
        reason: Some(&ended.reason),
        client: wanted.client,
        details: json!({ "family": session.family.as_str(), "endedAt": ended.at.to_string(), "rule": rule }),
        ..event
    };
    let change = Change::new()
        .with(sessions::store::end(&tenant.id, &session.id, ended.at, &ended.reason, &ChangeId::random()))
        .with(events::store::insert(&tenant.id, &event, now));
    match app.db.apply(change).await {
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
