//! `POST /oauth2/revoke` (RFC 7009): a backend ends the session that a token is of.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, Response};
use secrecy::ExposeSecret;

use crate::app::SharedApp;
use crate::callers::BackendCaller;
use crate::error::Error;
use crate::flows;
use crate::request_limits::REVOCATION;

use super::form::{TokenForm, token};

/// Revoke a token (RFC 7009)
///
/// Ends the session that an access token or a refresh token is of, and with it all its tokens, also where this one has expired
/// or is used up. What is no token of the tenant's, or of a session that has ended, is answered 200 as well: it is as good as
/// revoked. Only a 200 says that.
#[utoipa::path(
    post,
    path = "/oauth2/revoke",
    operation_id = "revokeToken",
    tag = "Tokens",
    security(("backendKey" = [])),
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The token is good no more; the body is empty"))
)]
pub(super) async fn revoke(
    State(app): State<SharedApp>,
    caller: BackendCaller,
    request: Request,
) -> Result<Response<Body>, Error> {
    flows::take(&app, REVOCATION, &caller.key)?;
    let (parts, body) = request.into_parts();
    let token = token(&parts.headers, body, &app).await?;
    let BackendCaller { tenant, key, client, .. } = caller;
    flows::revoke_token(&app, tenant, &key, &client, token.expose_secret()).await?;
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
