//! `/operator/v1/tenants/{tenant}/signing-keys`: what a tenant's access tokens are signed with.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::ToSchema;

use super::views::{Items, SigningKeyView};
use super::{BODY_LIMIT, tenant};
use crate::app::SharedApp;
use crate::callers::OperatorCaller;
use crate::error::Error;
use crate::flows::{self, Begin};
use crate::http::envelope::Success;
use crate::http::json;
use crate::http::routes::{Routes, routes};
use crate::ids::MAX_ID_LENGTH;

pub(super) fn router() -> Routes {
    Routes::new().routes(routes!(list_signing_keys, rotate_signing_key)).routes(routes!(retire_signing_key))
}

/// A rotation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RotateSigningKey {
    /// The key signs at once, and not only when every verifier has fetched it: for emergencies.
    now: Option<bool>,
}

/// A tenant's signing keys
///
/// Newest first; those that no longer count too. Never a private half.
#[utoipa::path(
    get,
    path = "/operator/v1/tenants/{tenant}/signing-keys",
    operation_id = "listSigningKeys",
    tag = "Signing keys",
    security(("operatorToken" = [])),
    params(("tenant" = String, Path, description = "The tenant's slug or id", example = "acme")),
    responses((status = 200, description = "The keys", body = Success<Items<SigningKeyView>>,
        example = json!({ "code": 200, "data": { "items": [{
            "kid": "8sT5uW2yB7dF9hJ4mP6rZk3vX1nQ8sT5uW2yB7dF9hI", "algorithm": "ES256", "state": "signing",
            "createdAt": "2026-03-16T19:49:32.000Z", "signsFrom": "2026-03-16T19:49:32.000Z", "replacedAt": null,
            "retiredAt": null,
        }] }, "message": "Success" })))
)]
async fn list_signing_keys(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    _caller: OperatorCaller,
) -> Result<Success<Items<SigningKeyView>>, Error> {
    let keys = flows::list_signing_keys(&app.db, &tenant(&name)?, app.clock.now()).await?;
    Ok(Success::new(Items::of(keys, SigningKeyView::from)))
}

/// Rotate a tenant's signing key
///
/// Makes the next key, for the algorithm of the tenant's settings. It is published at once and signs as soon as every
/// verifier that keeps a key set for its five minutes knows it; the key before it counts on until its last token is
/// dead. With `now` the new key, or the one that is published already, signs at once. Of two rotations at once one is
/// answered 409, and so is one while a next key is published.
#[utoipa::path(
    post,
    path = "/operator/v1/tenants/{tenant}/signing-keys",
    operation_id = "rotateSigningKey",
    tag = "Signing keys",
    security(("operatorToken" = [])),
    params(("tenant" = String, Path, description = "The tenant's slug or id", example = "acme")),
    request_body(content = RotateSigningKey, example = json!({ "now": false })),
    responses(
        (status = 200, description = "The key", body = Success<SigningKeyView>,
        example = json!({ "code": 200, "data": {
            "kid": "8sT5uW2yB7dF9hJ4mP6rZk3vX1nQ8sT5uW2yB7dF9hI", "algorithm": "ES256", "state": "next",
            "createdAt": "2026-03-16T19:49:32.000Z", "signsFrom": "2026-03-16T19:54:32.000Z", "replacedAt": null,
            "retiredAt": null,
        }, "message": "Success" })),
        (status = 409, description = "A next key is published already, or too many count"),
    )
)]
async fn rotate_signing_key(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    caller: OperatorCaller,
    headers: HeaderMap,
    body: Body,
) -> Result<Success<SigningKeyView>, Error> {
    let body: RotateSigningKey = json::read(&headers, body, BODY_LIMIT, &app).await?;
    let begin = if body.now == Some(true) { Begin::Now } else { Begin::Published };
    let (name, now) = (tenant(&name)?, app.clock.now());
    let key = flows::rotate_signing_key(&app.db, &app.master, caller.author(), &name, begin, now).await?;
    Ok(Success::new(key.into()))
}

/// Retire a signing key at once
///
/// What it has signed is refused from the next request on; verifiers that keep the key set refuse it within five minutes.
/// If it is the one that signs, the next one signs at once, or a new one. One that is retired stays so.
#[utoipa::path(
    delete,
    path = "/operator/v1/tenants/{tenant}/signing-keys/{kid}",
    operation_id = "retireSigningKey",
    tag = "Signing keys",
    security(("operatorToken" = [])),
    params(
        ("tenant" = String, Path, description = "The tenant's slug or id", example = "acme"),
        ("kid" = String, Path, description = "The key's id in tokens and key set",
            example = "8sT5uW2yB7dF9hJ4mP6rZk3vX1nQ8sT5uW2yB7dF9hI"),
    ),
    responses(
        (status = 200, description = "The key", body = Success<SigningKeyView>,
        example = json!({ "code": 200, "data": {
            "kid": "8sT5uW2yB7dF9hJ4mP6rZk3vX1nQ8sT5uW2yB7dF9hI", "algorithm": "ES256", "state": "retired",
            "createdAt": "2026-03-16T19:49:32.000Z", "signsFrom": "2026-03-16T19:54:32.000Z",
            "replacedAt": "2026-04-01T08:00:00.000Z", "retiredAt": "2026-04-01T08:00:00.000Z",
        }, "message": "Success" })),
        (status = 409, description = "The tenant is deleted"),
    )
)]
async fn retire_signing_key(
    State(app): State<SharedApp>,
    Path((name, kid)): Path<(String, String)>,
    caller: OperatorCaller,
) -> Result<Success<SigningKeyView>, Error> {
    let is_kid = kid.len() <= MAX_ID_LENGTH
        && kid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if !is_kid {
        return Err(Error::NotFound);
    }
    let (name, now) = (tenant(&name)?, app.clock.now());
    let key = flows::retire_signing_key(&app.db, &app.master, caller.author(), &name, &kid, now).await?;
    Ok(Success::new(key.into()))
}
