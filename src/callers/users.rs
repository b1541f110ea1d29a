//! Users, by access token.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::app::SharedApp;
use crate::client::Client;
use crate::error::{Error, TokenProblem};
use crate::events::Actor;
use crate::flows::{Authenticated, Deed, authenticate};
use crate::http::headers;
use crate::sessions::Session;
use crate::tenants::Tenant;
use crate::users::User;

/// A user with the access token of a live session: read from the database, not only verified.
#[derive(Debug)]
pub struct UserCaller {
    /// The token's, which is the one that the request names.
    pub tenant: Tenant,
    pub user: User,
    /// The one that the token is of, not the one that the path names.
    pub session: Session,
    pub client: Client,
}

impl FromRequestParts<SharedApp> for UserCaller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Error> {
        LeavingCaller::from_request_parts(parts, app).await?.alive()
    }
}

impl UserCaller {
    /// What this caller does to what is their own, with this request.
    #[must_use]
    pub const fn deed(&self) -> Deed<'_> {
        let (actor, client) = (Actor::of(&self.user), Some(&self.client));
        Deed { tenant: &self.tenant.id, actor, client, reason: None, note: None }
    }
}

/// A user whose session may be over: enough to log out of that very session, and for nothing else.
#[derive(Debug)]
pub struct LeavingCaller {
    authenticated: Authenticated,
    client: Client,
}

impl FromRequestParts<SharedApp> for LeavingCaller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Error> {
        let tenant = headers::tenant(&parts.headers)?;
        let client = headers::client(parts, app)?;
        let token = headers::bearer(&parts.headers).ok_or(Error::Token(TokenProblem::Missing))?;
        let authenticated = authenticate(app, token, &tenant, &client).await?;
        Ok(Self { authenticated, client })
    }
}

impl LeavingCaller {
    /// The session whose token this is.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.authenticated.session
    }

    /// The same caller, if the session is alive and the token in time.
    pub fn alive(self) -> Result<UserCaller, Error> {
        // The token is well signed and of this very session, so its holder may know how it ended.
        if let Some((at, reason)) = self.authenticated.ending {
            return Err(Error::SessionEnded { at, reason });
        }
        if !self.authenticated.in_time {
            return Err(Error::Token(TokenProblem::Invalid));
        }
        Ok(self.whatever_its_state())
    }

    /// The same caller, dead or alive: for the end of their own session only.
    #[must_use]
    pub fn whatever_its_state(self) -> UserCaller {
        let Authenticated { tenant, user, session, .. } = self.authenticated;
        UserCaller { tenant, user, session, client: self.client }
    }
}
