//! What becomes of a refresh token that holds: the rules, without their writing.

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::{Error, FieldError, TenantProblem};
use crate::events::EventName;
use crate::flows::shown_key::vouch;
use crate::refresh_tokens::RefreshToken;
use crate::sessions::{EndReason, Session};
use crate::tenants::{KeyPurpose, Lifetimes, Tenant};
use crate::users::User;

use super::read::Found;
use super::{Refresh, generation};

/// What is to be done.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Decision {
    /// Not from here: the session lives, and an event says why.
    Refuse(Refusal),
    /// The session ends now.
    End(End),
    /// A token that was used up: somebody else may have it, so the session ends (R088).
    Replay,
    /// The answer of the latest refresh was lost: the same refresh token again.
    Repeat,
    /// The next generation.
    Advance,
}

/// A refusal with its event.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Refusal {
    pub(super) event: EventName,
    pub(super) reason: &'static str,
}

/// An ending that only a refresh finds: nothing in the rows says it yet.
#[derive(PartialEq, Eq, Debug)]
pub(in super::super) struct End {
    pub(super) reason: EndReason,
    pub(super) rule: String,
}

impl Decision {
    /// The word in the metric; an error's own where there is one.
    pub(super) const fn outcome(&self) -> &'static str {
        match self {
            Self::Refuse(_) => "refused",
            Self::End(_) => "ended",
            Self::Replay => "replayed",
            Self::Repeat => "repeated",
            Self::Advance => "success",
        }
    }
}

/// Decides from what was read at `now`. Errors are what leaves no trace.
pub(super) fn decide(
    app: &App,
    request: &mut Refresh,
    token: &RefreshToken,
    found: &Found,
    now: Timestamp,
) -> Result<Decision, Error> {
    let refuse = |event, reason| Ok(Decision::Refuse(Refusal { event, reason }));
    request.client.tenant.see(&found.tenant.id);
    // Its MAC says whose it is. So whoever holds it learns nothing by bringing it to the wrong door first (R088).
    if is_replay(request, token, found, now) {
        // For the event's address, and for an app of the tenant's that is to read the answer; what is wrong with key or
        // origin changes nothing.
        let _ = check_key(app, request, found, now);
        let _ = request.client.origin_is_admitted(found.origin_listed, &app.options.public_url);
        return Ok(Decision::Replay);
    }
    open_the_door(app, request, found)?;
    if let Some(reason) = check_key(app, request, found, now)? {
        return refuse(EventName::AuthnRefreshFail, reason);
    }
    let Found { tenant, user, session, .. } = found;
    let current = generation(session);
    if token.generation > current {
        return refuse(EventName::StoreRolledBack, "ahead_of_its_session");
    }
    if let Some((at, reason)) = session.ending(tenant, user, now) {
        return Err(Error::SessionEnded { at, reason });
    }
    if let Some(end) = ends_now(tenant, user, session, found.opening_key, now) {
        return Ok(Decision::End(end));
    }
    if token.generation < current {
        return Ok(Decision::Repeat);
    }
    if session.device_id.is_none() || session.device_id == request.client.device_id {
        Ok(Decision::Advance)
    } else {
        refuse(EventName::AuthnRefreshFail, "other_device")
    }
}

/// Whether a session that lives is shown a token that was used up: not the latest of these, or that one too late or from
/// another device. One that comes from no device may be asked which it is.
fn is_replay(request: &Refresh, token: &RefreshToken, found: &Found, now: Timestamp) -> bool {
    let Found { tenant, user, session, .. } = found;
    let current = generation(session);
    let lives = || {
        session.ending(tenant, user, now).is_none()
            && ends_now(tenant, user, session, found.opening_key, now).is_none()
    };
    let other_device = request.client.device_id.is_some()
        && session.device_id.is_some()
        && session.device_id != request.client.device_id;
    let may_repeat = token.generation + 1 == current && in_grace(tenant, session, now) && !other_device;
    token.generation < current && !may_repeat && lives()
}

/// Whether the request names what the token is of, and may come from where it does. Whoever gets this far holds a token
/// of ours: before, nothing tells one tenant from another or from none (R047, R050).
fn open_the_door(app: &App, request: &Refresh, found: &Found) -> Result<(), Error> {
    let Found { tenant, session, .. } = found;
    if !request.tenant.names(tenant) {
        return Err(Error::Tenant(TenantProblem::Mismatch));
    }
    if !request.client.origin_is_admitted(found.origin_listed, &app.options.public_url) {
        return Err(Error::Tenant(TenantProblem::Origin));
    }
    let own = request.family == session.family
        && request.customer.means(&session.customer_id)
        && request.user.means(&session.user_id)
        && request.session.as_ref().is_none_or(|id| *id == session.id);
    if !own {
        return Err(Error::NotFound);
    }
    if session.device_id.is_some() && request.client.device_id.is_none() {
        let why = "is required: the app's id for this device, as on the session's login";
        return Err(Error::MissingHeaders(vec![FieldError::new("deviceId", why)]));
    }
    Ok(())
}

/// The key that is shown, if one is: good, of this tenant, and not another app's than the session's (R092). A word where
/// it is; a session that was opened without one is bound to none.
fn check_key(
    app: &App,
    request: &mut Refresh,
    found: &Found,
    now: Timestamp,
) -> Result<Option<&'static str>, Error> {
    let Found { tenant, session, shown_key, .. } = found;
    let Some(checked) = request.key.check(shown_key.as_ref(), now) else { return Ok(None) };
    checked.map_err(Error::Tenant)?;
    vouch(app, tenant, shown_key.as_ref(), &mut request.client);
    let login = shown_key.as_ref().filter(|key| key.purpose == KeyPurpose::Login);
    let another = login.zip(session.tenant_key_id.as_ref()).is_some_and(|(key, own)| key.id != *own);
    Ok(another.then_some("other_tenant_key"))
}

/// The tenant key that opened a session, as it is now; nothing in it where none was needed.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct OpeningKey {
    pub revoked_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
}

/// What ends the session though no row says so: another customer or family of its user's, its key, or limits that are
/// shorter now than they were when its row was written.
pub(in super::super) fn ends_now(
    tenant: &Tenant,
    user: &User,
    session: &Session,
    key: OpeningKey,
    now: Timestamp,
) -> Option<End> {
    let end = |reason, rule: String| Some(End { reason, rule });
    if user.customer_id != session.customer_id || user.family() != session.family {
        return end(EndReason::UserDisabled, "the user is another customer's".to_owned());
    }
    if let Some(at) = key.revoked_at {
        return end(EndReason::TenantKeyRevoked, format!("the tenant key was revoked at {at}"));
    }
    if let Some(at) = key.expires_at.filter(|at| *at <= now) {
        return end(EndReason::TenantKeyRevoked, format!("the tenant key expired at {at}"));
    }
    let Lifetimes { idle_seconds, absolute_seconds, .. } = tenant.settings.lifetimes();
    let held = held_to_settings(session, tenant);
    if held.expires_at <= now {
        return end(EndReason::ExpiredAbsolute, format!("absoluteSeconds={absolute_seconds}"));
    }
    if held.idle_expires_at <= now {
        return end(EndReason::ExpiredIdle, format!("idleSeconds={idle_seconds}"));
    }
    None
}

/// When a session ends by itself.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Limits {
    pub idle_expires_at: Timestamp,
    pub expires_at: Timestamp,
}

/// The limits that the tenant's settings have now, where they are earlier than the row's: a refresh may shorten them and
/// never lets the absolute one grow (R061).
pub(in super::super) fn held_to_settings(session: &Session, tenant: &Tenant) -> Limits {
    let Lifetimes { idle_seconds, absolute_seconds, .. } = tenant.settings.lifetimes();
    let last_active_at = session.refreshed_at.unwrap_or(session.created_at);
    let expires_at = session.expires_at.min(session.created_at.plus_seconds(absolute_seconds));
    let idle_expires_at =
        session.idle_expires_at.min(last_active_at.plus_seconds(idle_seconds)).min(expires_at);
    Limits { idle_expires_at, expires_at }
}

/// Whether the latest refresh may still be asked for again. Without a grace never, not even at the same instant.
pub(in super::super) fn in_grace(tenant: &Tenant, session: &Session, now: Timestamp) -> bool {
    let grace = tenant.settings.refresh_grace_seconds;
    grace > 0 && session.refreshed_at.is_some_and(|at| now <= at.plus_seconds(grace))
}
