//! "Forgot my password", with the tenant's own mail: the backend asks for a secret, the user sets a new password.

use axum::extract::{Request, State};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::SharedApp;
use crate::callers::BackendCaller;
use crate::error::{Error, FieldError};
use crate::events::Actor;
use crate::flows::{self, Deed, RedeemReset};
use crate::http::envelope::Success;
use crate::http::{headers, json};
use crate::password_resets::{DEFAULT_SECONDS, SECONDS};
use crate::users::LoginName;

use super::PasswordChanged;
use super::credentials::{new_password, required};

/// The longest secret that is looked up, in bytes.
const MAX_SECRET: usize = 256;

/// Who forgot their password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct StartReset {
    /// Login name or e-mail.
    #[schema(required, value_type = String, max_length = 256)]
    username: Option<String>,
    /// How long the secret is good, in seconds; 1,800 when left out.
    #[schema(minimum = 60, maximum = 86400)]
    valid_seconds: Option<i64>,
}

/// A new password by a reset secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RedeemSecret {
    /// As the backend got it.
    #[schema(required, value_type = String, max_length = 256)]
    reset_secret: Option<SecretString>,
    /// The new password: at least the tenant's least length, none of the most common ones, not made of the user's or
    /// the tenant's names.
    #[schema(required, value_type = String, max_length = 1024)]
    new_password: Option<SecretString>,
    /// The new password again.
    #[schema(required, value_type = String, max_length = 1024)]
    matching_password: Option<SecretString>,
}

/// `data` of a reset that was asked for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResetStarted {
    /// With it the user sets a new password, once. It is told here and never again.
    reset_secret: String,
    #[schema(format = DateTime)]
    expires_at: String,
}

/// Ask for a reset secret
///
/// For the tenant's backend, which sends it to the address it knows for the user. The answer is the same for a name
/// that nobody has or whose owner may not log in; that secret opens nothing. A newer secret takes an older one's place.
#[utoipa::path(
    post,
    path = "/api/v2.1/password-resets",
    operation_id = "startPasswordReset",
    tag = "Credentials",
    security(("backendKey" = [])),
    request_body(content = StartReset, example = json!({
        "username": "customer.login.123456@example.test", "validSeconds": 1800,
    })),
    responses((status = 200, description = "A secret, for whoever has the name", body = Success<ResetStarted>,
        example = json!({
            "code": 200, "message": "Success", "data": {
                "resetSecret": "vpr1.ZXhhbXBsZS1zZWNyZXQtbm90LWEtcmVhbC1vbmUtYXQtYWxs",
                "expiresAt": "2026-03-16T20:19:32.000Z",
            },
        })
    ))
)]
pub(super) async fn start_reset(
    State(app): State<SharedApp>,
    caller: BackendCaller,
    request: Request,
) -> Result<Success<ResetStarted>, Error> {
    let (parts, body) = request.into_parts();
    let body: StartReset = json::read(&parts.headers, body, json::LOGIN_LIMIT, &app).await?;
    let mut errors = Vec::new();
    let name = required("username", body.username, &mut errors).and_then(|text| {
        let name = LoginName::parse(&text);
        name.map_err(|problem| errors.push(FieldError::new("username", problem))).ok()
    });
    let valid_seconds = body.valid_seconds.unwrap_or(DEFAULT_SECONDS);
    if !SECONDS.contains(&valid_seconds) {
        let problem = format!("must be {} to {}", SECONDS.start(), SECONDS.end());
        errors.push(FieldError::new("validSeconds", problem));
    }
    let (Some(name), true) = (name, errors.is_empty()) else { return Err(Error::Validation(errors)) };
    let BackendCaller { tenant, key, client, .. } = &caller;
    let deed = Deed { client: Some(client), ..Deed::new(&tenant.id, Actor::Backend(key)) };
    let started = flows::start_reset(&app, tenant, &deed, &name, valid_seconds).await?;
    Ok(Success::new(ResetStarted {
        reset_secret: started.secret.expose_secret().to_owned(),
        expires_at: started.expires_at.to_string(),
    }))
}

/// Set a new password by a reset secret
///
/// For whoever has the secret, from the tenant's web app or backend; only X-Tenant-ID is needed beside it. All of the
/// user's sessions end, a lock is lifted, and the secret is spent. One that is used, over, replaced or unknown has one
/// answer.
#[utoipa::path(
    post,
    path = "/api/v2.1/password-resets/redeem",
    operation_id = "redeemPasswordReset",
    tag = "Credentials",
    params(("X-Tenant-ID" = String, Header, description = "The tenant's slug or UUID.", example = "tenant-demo-001")),
    request_body(content = RedeemSecret, example = json!({
        "resetSecret": "vpr1.ZXhhbXBsZS1zZWNyZXQtbm90LWEtcmVhbC1vbmUtYXQtYWxs",
        "newPassword": "nine green bottles", "matchingPassword": "nine green bottles",
    })),
    responses(
        (status = 200, description = "The password is set", body = Success<PasswordChanged>, example = json!({
            "code": 200, "message": "Success", "data": {
                "userId": "4f0d7a8e-52c3-4d0b-8f5a-9a3be1c2d001",
                "passwordChangedAt": "2026-03-16T19:55:00.000Z", "sessionsEnded": true,
            },
        })),
        (status = 403, description = "The tenant is not known, or not from this origin"),
    )
)]
pub(super) async fn redeem_reset(
    State(app): State<SharedApp>,
    request: Request,
) -> Result<Success<PasswordChanged>, Error> {
    let (parts, body) = request.into_parts();
    let client = headers::client(&parts, &app)?;
    let tenant = headers::tenant(&parts.headers)?;
    let body: RedeemSecret = json::read(&parts.headers, body, json::LOGIN_LIMIT, &app).await?;
    let mut errors = Vec::new();
    let secret = required("resetSecret", body.reset_secret, &mut errors);
    if secret.as_ref().is_some_and(|secret| secret.expose_secret().len() > MAX_SECRET) {
        errors.push(FieldError::new("resetSecret", format!("may have {MAX_SECRET} bytes at most")));
    }
    let new = new_password("newPassword", body.new_password, body.matching_password.as_ref(), &mut errors);
    let (Some(secret), Some(new), true) = (secret, new, errors.is_empty()) else {
        return Err(Error::Validation(errors));
    };
    let redeemed = flows::redeem_reset(&app, RedeemReset { tenant, secret, new, client }).await?;
    Ok(Success::new(PasswordChanged::new(&redeemed.user, redeemed.at)))
}
