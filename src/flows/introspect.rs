//! What is true of a token at this moment (RFC 7662), for the tenant's backends. Nothing changes by being asked: it is no
//! activity (R068), and a refresh token that is used up ends nothing here.

use crate::access_tokens::Claims;
use crate::app::App;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::ids::TenantId;
use crate::sessions::Session;
use crate::tenants::Tenant;
use crate::users::User;

use super::token_session::{ShownToken, TokenSession, find_by_token};

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

/// The token, if it is one of the tenant's and good at this moment; `None` whatever else it is (R099, R100).
pub async fn introspect(app: &App, tenant: &TenantId, token: &str) -> Result<Option<ActiveToken>, Error> {
    let now = app.clock.now();
    let Some(found) = find_by_token(app, tenant, token, now).await? else { return Ok(None) };
    let TokenSession { tenant, user, username, session, key_stands, token } = found;
    if session.ending(&tenant, &user, now).is_some() {
        return Ok(None);
    }
    let kind = match token {
        ShownToken::Access { claims, agrees } => {
            (agrees && claims.in_time(now)).then_some(ActiveKind::Access(claims))
        }
        ShownToken::Refresh { generation } => {
            refresh_token(&tenant, &session, generation, now).filter(|_| key_stands)
        }
    };
    Ok(kind.map(|kind| ActiveToken { tenant, user, username, session, kind }))
}

/// The current refresh token, or the one before it while a refresh answers it still.
fn refresh_token(tenant: &Tenant, session: &Session, generation: u64, now: Timestamp) -> Option<ActiveKind> {
    let ends_at = session.idle_expires_at.min(session.expires_at);
    let current = u64::try_from(session.generation).ok()?;
    if generation == current {
        let issued_at = Some(session.refreshed_at.unwrap_or(session.created_at));
        return Some(ActiveKind::Refresh { issued_at, expires_at: ends_at });
    }
    let replaced_at = session.refreshed_at.filter(|_| generation.checked_add(1) == Some(current))?;
    let grace_ends_at = replaced_at.plus_seconds(tenant.settings.refresh_grace_seconds);
    (now < grace_ends_at)
        .then(|| ActiveKind::Refresh { issued_at: None, expires_at: grace_ends_at.min(ends_at) })
}
