//! `PUT …/users/{userId}/sessions[/{sessionId}]`: a refresh.

use axum::Extension;
use axum::extract::{Path, Request, State};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::SharedApp;
use crate::error::{Error, FieldError};
use crate::flows::{self, Refresh, ShownKey};
use crate::http::envelope::Success;
use crate::http::{headers, json, paths};
use crate::ids::SessionId;
use crate::tenants::Family;

use super::{SessionStarted, tenant_key_problems};

/// A refresh.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RefreshSession {
    /// The latest one that a login or a refresh of the session answered.
    #[schema(required, value_type = String, max_length = 512)]
    refresh_token: Option<SecretString>,
    /// A tenant key: not needed, and checked when sent. A `backend` one vouches for X-Forwarded-For where the tenant's
    /// setting lets it.
    #[schema(max_length = 256, example = "a1B2c3D4e5F6g7H8i9J0kLmNopQr")]
    tenant_key: Option<String>,
    /// The key's secret.
    #[schema(value_type = Option<String>, max_length = 256, example = "s3Cr3tKeyXyZpQwErTyUiOpAsDfGh")]
    tenant_secret: Option<SecretString>,
}

/// Refresh a session
///
/// Answers a fresh access token and the next refresh token; the one that was sent is used up. Whoever did not get the
/// answer sends the same again: within the tenant's grace the same refresh token is answered, and one that comes again
/// later, or from another device, ends the session. `Authorization` is ignored. Where the session's login named a
/// `deviceId`, it must be the same.
#[utoipa::path(
    put,
    path = "/users/{userId}/sessions/{sessionId}",
    operation_id = "refreshSession",
    request_body = RefreshSession,
    responses((status = 200, description = "The session is refreshed", body = Success<SessionStarted>))
)]
pub(super) async fn refresh_session(
    State(app): State<SharedApp>,
    Extension(family): Extension<Family>,
    Path((owner, user, session)): Path<(String, String, String)>,
    request: Request,
) -> Result<Success<SessionStarted>, Error> {
    let session = paths::session(&session)?;
    refresh(&app, family, (&owner, &user, Some(session)), request).await
}

/// Refresh a session without its id
///
/// The same for clients that did not keep the session's id: the refresh token says which one it is.
#[utoipa::path(
    put,
    path = "/users/{userId}/sessions",
    operation_id = "refreshSessionWithoutId",
    request_body = RefreshSession,
    responses((status = 200, description = "The session is refreshed", body = Success<SessionStarted>))
)]
pub(super) async fn refresh_session_without_id(
    State(app): State<SharedApp>,
    Extension(family): Extension<Family>,
    Path((owner, user)): Path<(String, String)>,
    request: Request,
) -> Result<Success<SessionStarted>, Error> {
    refresh(&app, family, (&owner, &user, None), request).await
}

async fn refresh(
    app: &SharedApp,
    family: Family,
    (owner, user, session): (&str, &str, Option<SessionId>),
    request: Request,
) -> Result<Success<SessionStarted>, Error> {
    let (parts, body) = request.into_parts();
    let client = headers::client(&parts, app)?;
    let tenant = headers::tenant(&parts.headers)?;
    let customer = paths::owner(family, owner)?;
    let user = paths::user(user)?;
    let body: RefreshSession = json::read(&parts.headers, body, json::LOGIN_LIMIT, app).await?;
    let (refresh_token, key) = body.fields()?;
    let refresh = Refresh { tenant, family, customer, user, session, refresh_token, key, client };
    let refreshed = flows::refresh(app, refresh).await?;
    Ok(Success::new(SessionStarted::from(refreshed)))
}

impl RefreshSession {
    /// What the body says, or everything that is wrong with it. What a refresh token is like is not judged here: one
    /// that nobody made is answered like one of somebody else's (R097).
    fn fields(self) -> Result<(SecretString, ShownKey), Error> {
        let Self { refresh_token, tenant_key, tenant_secret } = self;
        let mut errors: Vec<_> = tenant_key_problems(tenant_key.as_deref(), tenant_secret.as_ref()).collect();
        if refresh_token.is_none() {
            errors
                .push(FieldError::new("refreshToken", "is required: the one of the latest login or refresh"));
        }
        match refresh_token {
            Some(token) if errors.is_empty() => Ok((token, ShownKey { tenant_key, tenant_secret })),
            _ => Err(Error::Validation(errors)),
        }
    }
}
