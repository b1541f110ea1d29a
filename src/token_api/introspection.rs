//! `POST /oauth2/introspect` (RFC 7662): what is true of a token now, for the tenant's backends.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::app::SharedApp;
use crate::callers::ShownBackendKey;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::flows::{self, ActiveKind, ActiveToken, SentToken};
use crate::http::envelope::json_response;
use crate::request_limits::INTROSPECTION;
use crate::sessions::client_id;

use super::form::{TokenForm, token};

/// What is told of a token: of one that is not active nothing but that.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub struct Introspection {
    /// Whether the token is good at this moment.
    active: bool,
    /// `Bearer` of an access token, `refresh_token` of a refresh token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    iss: Option<String>,
    /// The user's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sub: Option<String>,
    /// Of an access token alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    aud: Option<String>,
    /// Seconds since the epoch; of a refresh token: when it is good no more if it is not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    exp: Option<i64>,
    /// When the token was made; not told of the refresh token before the current one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    iat: Option<i64>,
    /// The access token's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    jti: Option<String>,
    /// The id of the tenant key that opened the session; the tenant's id where none was needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    client_id: Option<String>,
    /// The user's login name, or else the e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    username: Option<String>,
    /// The session's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sid: Option<String>,
    /// When the credentials were checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    acr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    amr: Option<Vec<String>>,
    #[serde(rename = "tenantId", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    tenant_id: Option<String>,
    #[serde(rename = "customerId", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    customer_id: Option<String>,
    #[serde(rename = "userId", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    user_id: Option<String>,
    /// `CONSUMER` or `ADMIN`.
    #[serde(rename = "userType", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    user_type: Option<&'static str>,
    /// As they are now, whatever the token says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    roles: Option<Vec<String>>,
    /// The access token's claim of that name, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, nullable = false, required = false)]
    metadata: Option<Map<String, Value>>,
}

impl Introspection {
    fn new(token: ActiveToken, public_url: &str) -> Self {
        let ActiveToken { tenant, user, username, session, kind } = token;
        let both = Self {
            active: true,
            iss: Some(tenant.issuer(public_url)),
            sub: Some(user.id.to_string()),
            client_id: Some(client_id(&tenant.id, session.tenant_key_id.as_ref())),
            username,
            sid: Some(session.id.to_string()),
            tenant_id: Some(tenant.id.to_string()),
            customer_id: Some(session.customer_id.to_string()),
            user_id: Some(user.id.to_string()),
            user_type: Some(user.user_type()),
            roles: Some(user.roles),
            ..Self::default()
        };
        match kind {
            ActiveKind::Access(claims) => Self {
                token_type: Some("Bearer"),
                aud: Some(claims.aud),
                exp: Some(claims.exp),
                iat: Some(claims.iat),
                jti: Some(claims.jti),
                auth_time: Some(claims.auth_time),
                acr: Some(claims.acr),
                amr: Some(claims.amr),
                metadata: claims.metadata,
                ..both
            },
            ActiveKind::Refresh { issued_at, expires_at } => Self {
                token_type: Some("refresh_token"),
                exp: Some(expires_at.as_seconds()),
                iat: issued_at.map(Timestamp::as_seconds),
                ..both
            },
        }
    }
}

/// What is true of a token now (RFC 7662)
///
/// For an access token or a refresh token of the tenant's. Everything that is not good at this moment is answered
/// `{"active":false}` and nothing else: expired, ended, used up, another tenant's, or no token at all. Asking changes nothing
/// and counts as no use of the session.
#[utoipa::path(
    post,
    path = "/oauth2/introspect",
    operation_id = "introspectToken",
    tag = "Tokens",
    security(("backendKey" = [])),
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "What is true of it", body = Introspection))
)]
pub(super) async fn introspect(State(app): State<SharedApp>, request: Request) -> Result<Response, Error> {
    let (mut parts, body) = request.into_parts();
    let key = ShownBackendKey::take(&mut parts, &app).await?;
    // Before the key is opened, so that one read answers whose it is and what is true of the session: like a login's, the body
    // of who has no key is read, to its bound in bytes and time (R115, R119). Whatever it is, they learn nothing of it.
    let (token, refused) = match token(&parts.headers, body, &app).await {
        Ok(token) => (token, None),
        Err(refused) => (SecretString::default(), Some(refused)),
    };
    let sent = SentToken::parse(token.expose_secret());
    let (caller, session) = key.open(&app, sent.session().as_ref()).await?;
    flows::take(&app, INTROSPECTION, &caller.key)?;
    if let Some(refused) = refused {
        return Err(refused);
    }
    let found = flows::introspect(&app, caller.tenant, sent, session).await?;
    let told =
        found.map_or_else(Introspection::default, |token| Introspection::new(token, &app.options.public_url));
    Ok(json_response(StatusCode::OK, serde_json::to_vec(&told).map_err(anyhow::Error::from)?))
}
