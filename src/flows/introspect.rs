//! What is true of a token at this moment (RFC 7662), for the tenant's backends. Nothing changes by being asked: it is no
//! activity (R068), and a refresh token that is used up ends nothing here.

use crate::access_tokens::Claims;
use crate::app::App;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::sessions::Session;
use crate::tenants::Tenant;
use crate::users::User;

use super::refresh::{ends_now, held_to_settings, in_grace};
use super::token_session::{NamedSession, SentToken, ShownToken, TokenSession};

/// A token that is good now, and all that is told of it.
#[derive(Debug)]
pub struct ActiveToken {
    pub tenant: Tenant,
    pub user: User,
    /// The user's login name, or else the e-mail.
    pub username: Option<String>,
    pub session: Session,
    pub kind: ActiveKind,
}

/// Which kind of token it is.
#[derive(Debug)]
pub enum ActiveKind {
    Access(Box<Claims>),
    Refresh {
        /// When it was made; `None` for the one before the current one.
        issued_at: Option<Timestamp>,
        /// When it is good no more if nobody refreshes.
        expires_at: Timestamp,
    },
}

/// The token, if it is one of the tenant's and good at this moment; `None` whatever else it is (R099, R100). `named` is
/// the session that it names, as it was read with the caller's key.
pub async fn introspect(
    app: &App,
    tenant: Tenant,
    token: SentToken<'_>,
    named: Option<NamedSession>,
) -> Result<Option<ActiveToken>, Error> {
    let now = app.clock.now();
    let Some(named) = named else { return Ok(None) };
    let Some(found) = named.made(app, tenant, token).await? else { return Ok(None) };
    if found.session.ending(&found.tenant, &found.user, now).is_some() {
        return Ok(None);
    }
    let kind = match found.token {
        ShownToken::Access { claims, agrees } => {
            (agrees && claims.in_time(now)).then_some(ActiveKind::Access(claims))
        }
        ShownToken::Refresh { generation } => refresh_token(&found, generation, now),
    };
    let TokenSession { tenant, user, username, session, .. } = found;
    Ok(kind.map(|kind| ActiveToken { tenant, user, username, session, kind }))
}

/// A refresh token that a refresh from the session's device would answer now: the current one, or within the grace the
/// one before it.
fn refresh_token(found: &TokenSession, generation: u64, now: Timestamp) -> Option<ActiveKind> {
    let TokenSession { tenant, user, session, opening_key, .. } = found;
    if ends_now(tenant, user, session, *opening_key, now).is_some() {
        return None;
    }
    let ends_at = held_to_settings(session, tenant).idle_expires_at;
    let current = u64::try_from(session.generation).ok()?;
    if generation == current {
        let issued_at = Some(session.refreshed_at.unwrap_or(session.created_at));
        return Some(ActiveKind::Refresh { issued_at, expires_at: ends_at });
    }
    let is_before = generation.checked_add(1) == Some(current);
    let replaced_at = session.refreshed_at.filter(|_| is_before && in_grace(tenant, session, now))?;
    let grace_ends_at = replaced_at.plus_seconds(tenant.settings.refresh_grace_seconds);
    Some(ActiveKind::Refresh { issued_at: None, expires_at: grace_ends_at.min(ends_at) })
}
