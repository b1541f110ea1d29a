//! `/operator/v1/operators`: who runs Vestibule, each by a token of their own.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::ToSchema;

use super::views::{Items, OperatorCreated, OperatorView};
use super::{BODY_LIMIT, instant};
use crate::app::SharedApp;
use crate::callers::OperatorCaller;
use crate::error::Error;
use crate::flows;
use crate::http::envelope::Success;
use crate::http::json;
use crate::http::routes::{Routes, routes};
use crate::ids::OperatorId;

pub(super) fn router() -> Routes {
    Routes::new().routes(routes!(list_operators, create_operator)).routes(routes!(revoke_operator))
}

/// A new operator.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CreateOperator {
    /// Whose token it is.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// When the token ends; for good when left out.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// All operators
///
/// Newest first; those whose token no longer counts too. Never a token.
#[utoipa::path(
    get,
    path = "/operator/v1/operators",
    operation_id = "listOperators",
    tag = "Operators",
    security(("operatorToken" = [])),
    responses((status = 200, description = "The operators", body = Success<Items<OperatorView>>,
        example = json!({ "code": 200, "data": { "items": [{
            "id": "6c1f7a7e-52c3-4d0b-8f5a-9a3be1c2d0a1", "name": "Olga Operator", "state": "valid",
            "createdAt": "2026-03-16T19:49:32.000Z", "expiresAt": null, "revokedAt": null,
        }] }, "message": "Success" })))
)]
async fn list_operators(
    State(app): State<SharedApp>,
    _caller: OperatorCaller,
) -> Result<Success<Items<OperatorView>>, Error> {
    let now = app.clock.now();
    let operators = flows::list_operators(&app.db).await?;
    Ok(Success::new(Items::of(operators, |operator| OperatorView::new(&operator, now))))
}

/// A new operator
///
/// The token is in this answer and never shown again: only its digest is stored.
#[utoipa::path(
    post,
    path = "/operator/v1/operators",
    operation_id = "createOperator",
    tag = "Operators",
    security(("operatorToken" = [])),
    request_body(content = CreateOperator, example = json!({ "name": "Olga Operator" })),
    responses((status = 200, description = "The operator and the token", body = Success<OperatorCreated>,
        example = json!({ "code": 200, "data": { "operator": {
            "id": "6c1f7a7e-52c3-4d0b-8f5a-9a3be1c2d0a1", "name": "Olga Operator", "state": "valid",
            "createdAt": "2026-03-16T19:49:32.000Z", "expiresAt": null, "revokedAt": null,
        }, "token": "vop1.(43 characters)" }, "message": "Success" })))
)]
async fn create_operator(
    State(app): State<SharedApp>,
    caller: OperatorCaller,
    headers: HeaderMap,
    body: Body,
) -> Result<Success<OperatorCreated>, Error> {
    let body: CreateOperator = json::read(&headers, body, BODY_LIMIT, &app).await?;
    let expires_at = instant("expiresAt", body.expires_at.as_deref())?;
    let now = app.clock.now();
    let (operator, token) =
        flows::create_operator(&app.db, caller.author(), &body.name, expires_at, now).await?;
    Ok(Success::new(OperatorCreated::new(&operator, &token, now)))
}

/// Revoke an operator's token
///
/// It is refused from the next request on; one that is revoked stays as it is. Also one's own, also the last one: a
/// token that leaked must not live on until another is made, and the command line makes a new one on the database
/// itself.
#[utoipa::path(
    delete,
    path = "/operator/v1/operators/{operatorId}",
    operation_id = "revokeOperator",
    tag = "Operators",
    security(("operatorToken" = [])),
    params(("operatorId" = String, Path, description = "The operator's id",
        example = "6c1f7a7e-52c3-4d0b-8f5a-9a3be1c2d0a1")),
    responses((status = 200, description = "The operator", body = Success<OperatorView>,
        example = json!({ "code": 200, "data": {
            "id": "6c1f7a7e-52c3-4d0b-8f5a-9a3be1c2d0a1", "name": "Olga Operator", "state": "revoked",
            "createdAt": "2026-03-16T19:49:32.000Z", "expiresAt": null, "revokedAt": "2026-03-17T08:00:00.000Z",
        }, "message": "Success" })))
)]
async fn revoke_operator(
    State(app): State<SharedApp>,
    Path(operator): Path<String>,
    caller: OperatorCaller,
) -> Result<Success<OperatorView>, Error> {
    let id = OperatorId::parse(&operator).ok_or(Error::NotFound)?;
    let now = app.clock.now();
    let operator = flows::revoke_operator(&app.db, caller.author(), &id, now).await?;
    Ok(Success::new(OperatorView::new(&operator, now)))
}
