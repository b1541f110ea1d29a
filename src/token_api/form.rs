//! What both calls with a token have in common: the form, and what it may hold.

use axum::body::Body;
use axum::http::HeaderMap;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::SharedApp;
use crate::error::Error;
use crate::http::form::Form;

/// The largest form, in bytes (R115).
const LIMIT: usize = 16 * 1024;

/// Where a client might send credentials beside the header, which is the one way (RFC 6749 §2.3).
const CREDENTIALS: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// A token of the tenant's. Other parameters are ignored.
#[derive(Debug, Deserialize, ToSchema)]
pub struct TokenForm {
    /// An access token or a refresh token.
    #[expect(dead_code, reason = "for the OpenAPI document")]
    token: String,
    /// `access_token` or `refresh_token`. It is ignored: a token says itself what it is.
    #[expect(dead_code, reason = "for the OpenAPI document")]
    token_type_hint: Option<String>,
}

/// Reads the token out of a request's form.
pub(super) async fn token(headers: &HeaderMap, body: Body, app: &SharedApp) -> Result<SecretString, Error> {
    let form = Form::read(headers, body, LIMIT, app).await?;
    if let Some(name) = CREDENTIALS.into_iter().find(|name| form.get(name).is_some()) {
        return Err(Error::malformed(
            name,
            "must not be there: the backend key is shown by HTTP Basic alone",
        ));
    }
    form.get("token")
        .map(SecretString::from)
        .ok_or_else(|| Error::invalid("token", "is required: an access token or a refresh token"))
}
