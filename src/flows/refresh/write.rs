//! What a refresh writes: each a change that happens as decided, or not at all.

use serde_json::json;

use crate::app::App;
use crate::clock::Timestamp;
use crate::db::{Change, DbError};
use crate::error::Error;
use crate::events::{self, Actor, Ends, Event, EventName};
use crate::flows::{Ended, Ending, end_session};
use crate::ids::ChangeId;
use crate::refresh_tokens::RefreshToken;
use crate::sessions::store::Refreshing;
use crate::sessions::{self, EndReason, Session};
use crate::tenants::{Lifetimes, Tenant};

use super::decide::{End, Refusal, held_to_settings};
use super::read::Found;
use super::{Refresh, networks};

/// What came of writing.
pub(super) enum Written {
    /// It happened, and this is the answer.
    Answered(Error),
    /// Another request was faster: read again, and decide anew.
    TooLate,
}

/// For how long a refusal that comes again and again is told by one event, in milliseconds.
const TOLD_MILLIS: i64 = 60_000;

/// Notes a refusal; the session lives on.
pub(super) async fn refused(
    app: &App,
    request: &Refresh,
    token: &RefreshToken,
    found: &Found,
    refusal: &Refusal,
    now: Timestamp,
) -> Result<Written, Error> {
    let generation = json!({ "generation": token.generation });
    let details = match refusal.event {
        EventName::StoreRolledBack => {
            json!({ "generation": token.generation, "current": found.session.generation })
        }
        _ => generation,
    };
    let event = Event {
        reason: Some(refusal.reason),
        details,
        // Whoever it is, it is not proven to be the user.
        ..event(refusal.event, Actor::Unknown, request, found)
    };
    let since = now.plus_millis(-TOLD_MILLIS);
    app.db.apply(events::store::insert_unless_told_since(&found.tenant.id, &event, since, now)).await?;
    Ok(Written::Answered(Error::RefreshToken))
}

/// Ends the session by a rule that only now is applied to it.
pub(super) async fn ended(app: &App, request: &Refresh, found: &Found, end: &End) -> Result<Written, Error> {
    let Found { tenant, user, session, .. } = found;
    let ending = Ending {
        actor: Actor::System,
        reason: end.reason,
        client: Some(&request.client),
        rule: Some(&end.rule),
        note: None,
    };
    let Ended { at, reason } = end_session(app, tenant, user, session, &ending).await?;
    Ok(Written::Answered(Error::SessionEnded { at, reason }))
}

/// Ends a session one of whose tokens came again, with all that was ever made of it (R088).
pub(super) async fn replayed(
    app: &App,
    request: &Refresh,
    token: &RefreshToken,
    found: &Found,
    now: Timestamp,
) -> Result<Written, Error> {
    let Found { tenant, session, .. } = found;
    let reason = EndReason::RefreshReuse.as_str();
    let grace = tenant.settings.refresh_grace_seconds;
    let event = Event {
        reason: Some(reason),
        details: json!({
            "generation": token.generation, "current": session.generation,
            "rule": format!("refreshGraceSeconds={grace}"),
        }),
        ends: Some(Ends::Session),
        ..event(EventName::AuthnTokenReuse, Actor::Unknown, request, found)
    };
    let change = Change::new()
        .with(sessions::store::end(&tenant.id, &session.id, now, reason, &ChangeId::random()))
        .with(events::store::insert(&tenant.id, &event, now));
    match app.db.apply(change).await {
        Ok(_) => Ok(Written::Answered(Error::SessionEnded { at: now, reason: reason.to_owned() })),
        Err(DbError::Refused("session")) => Ok(Written::TooLate),
        Err(error) => Err(error.into()),
    }
}

/// The session as a refresh now leaves it.
pub(super) fn advanced(session: Session, tenant: &Tenant, request: &Refresh, now: Timestamp) -> Session {
    let Lifetimes { idle_seconds, .. } = tenant.settings.lifetimes();
    let expires_at = held_to_settings(&session, tenant).expires_at;
    let ip = request.client.address.ip.to_string();
    Session {
        generation: session.generation + 1,
        refreshed_at: Some(now),
        idle_expires_at: now.plus_seconds(idle_seconds).min(expires_at),
        expires_at,
        last_client_ip: if ip == session.client_ip { session.last_client_ip } else { Some(ip) },
        ..session
    }
}

/// Moves the row on to what [`advanced`] made of the session. Whether it happened: not if what was read no longer holds.
pub(super) async fn advance(
    app: &App,
    request: &Refresh,
    found: &Found,
    now: Timestamp,
) -> Result<bool, Error> {
    let Found { tenant, session, networks, .. } = found;
    let added = networks::with_new(networks, &session.client_ip, request.client.address.ip);
    let told = added.as_ref().map(|_| {
        // The login's own is not among them.
        let details = json!({ "known": networks.len() + 1 });
        let name = EventName::SessionNetworkChanged;
        let event = Event { details, ..event(name, Actor::of(&found.user), request, found) };
        events::store::insert(&tenant.id, &event, now)
    });
    let networks = serde_json::to_string(added.as_ref().unwrap_or(networks)).expect("a list of texts");
    let refreshing = Refreshing { session, networks: &networks, change: &ChangeId::random(), now };
    let change = Change::new().with(sessions::store::refresh(&tenant.id, &refreshing)).with_all(told);
    match app.db.apply(change).await {
        Ok(_) => Ok(true),
        Err(DbError::Refused("session")) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn event<'a>(name: EventName, actor: Actor<'a>, request: &'a Refresh, found: &'a Found) -> Event<'a> {
    Event {
        user: Some(&found.session.user_id),
        customer: Some(&found.session.customer_id),
        session: Some(&found.session.id),
        client: Some(&request.client),
        ..Event::new(name, actor)
    }
}
