//! A tenant's servers, by backend key.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use secrecy::SecretString;

use crate::app::SharedApp;
use crate::client::Client;
use crate::error::Error;
use crate::events::Actor;
use crate::flows::{KeyGuess, NamedSession, OpenedKey, authenticate_backend, refuse_other_tenant};
use crate::http::headers;
use crate::ids::{SessionId, TenantKeyId};
use crate::tenants::{Tenant, TenantName};

use super::UserCaller;

/// A tenant's server with a key of purpose `backend`, by HTTP Basic (RFC 7617). The key names the tenant;
/// X-Tenant-ID may stand beside it and must then name the same one (R047).
#[derive(Debug)]
pub struct BackendCaller {
    pub tenant: Tenant,
    pub key: TenantKeyId,
    pub client: Client,
    /// What was shown, as it opens: for what outlasts the request and asks for the key again.
    pub shown: (String, SecretString),
}

impl FromRequestParts<SharedApp> for BackendCaller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Error> {
        ShownBackendKey::take(parts, app).await?.open(app, None).await.map(|(caller, _)| caller)
    }
}

/// A backend key as a request shows it: nobody has been asked yet whether it opens anything.
#[derive(Debug)]
pub struct ShownBackendKey {
    client: Client,
    /// As it stands, and as it was meant if it was encoded as a form's value.
    shown: (String, SecretString),
    decoded: Option<(String, SecretString)>,
    guess: KeyGuess,
    /// X-Tenant-ID.
    tenant: Result<Option<TenantName>, Error>,
}

impl ShownBackendKey {
    /// Takes it out of a request's headers; an error where there is none, or where too many did not open anything.
    pub async fn take(parts: &mut Parts, app: &SharedApp) -> Result<Self, Error> {
        if headers::bearer(&parts.headers).is_some() {
            return Err(refusal_of_bearer(parts, app).await);
        }
        let client = headers::client(parts, app)?;
        let shown = headers::basic(&parts.headers).ok_or(Error::BackendKey)?;
        let decoded = headers::form_decoded(&shown.0, &shown.1);
        // However it is spelled, it is one key.
        let key = decoded.as_ref().map_or(&shown.0, |(key, _)| key);
        let guess = KeyGuess::at_key(app, &client, key);
        guess.check(app)?;
        Ok(Self { client, shown, decoded, guess, tenant: headers::maybe_tenant(&parts.headers) })
    }

    /// Opens it, and finds by the same read the session of this id, if the tenant has one.
    pub async fn open(
        self,
        app: &SharedApp,
        session: Option<&SessionId>,
    ) -> Result<(BackendCaller, Option<NamedSession>), Error> {
        let Self { client, mut shown, decoded, guess, tenant: name } = self;
        let opened = match authenticate_backend(app, &shown.0, &shown.1, &client, session).await {
            // As it stands first: a key that was brought along may have any of these characters.
            Err(Error::BackendKey) => match decoded {
                Some(decoded) => {
                    shown = decoded;
                    authenticate_backend(app, &shown.0, &shown.1, &client, session).await
                }
                None => Err(Error::BackendKey),
            },
            opened => opened,
        };
        // Of many at once ten may have been counted while this one was read.
        guess.check(app)?;
        if matches!(opened, Err(Error::BackendKey)) {
            guess.count(app)?;
        }
        let OpenedKey { tenant, key, session } = opened?;
        if let Some(name) = name?
            && !name.names(&tenant)
        {
            return Err(
                refuse_other_tenant(app, &tenant.id, Actor::Backend(&key), "backend_key", &client).await
            );
        }
        Ok((BackendCaller { tenant, key, client, shown }, session))
    }
}

/// Why a token does not do: a good one is not refused as if it were bad, or its app would log in again and again.
async fn refusal_of_bearer(parts: &mut Parts, app: &SharedApp) -> Error {
    match UserCaller::from_request_parts(parts, app).await {
        Ok(_) => Error::Forbidden { needs: "a backend key" },
        Err(error @ (Error::Unavailable(_) | Error::Internal(_))) => error,
        Err(_) => Error::BackendKey,
    }
}
