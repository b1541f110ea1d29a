//! `/operator/v1/tenants/{tenant}/keys`: what a tenant's apps and backends show.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::views::{Items, TenantKeyCreated, TenantKeyView};
use super::{BODY_LIMIT, instant, tenant};
use crate::app::SharedApp;
use crate::callers::OperatorCaller;
use crate::error::Error;
use crate::flows;
use crate::http::envelope::Success;
use crate::http::json;
use crate::http::routes::{Routes, routes};
use crate::ids::TenantKeyId;
use crate::tenants::{KeyPurpose, TenantKeyRequest};

pub(super) fn router() -> Routes {
    Routes::new().routes(routes!(list_tenant_keys, create_tenant_key)).routes(routes!(revoke_tenant_key))
}

/// A new tenant key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct CreateTenantKey {
    /// `login` or `backend`.
    #[schema(example = "login")]
    purpose: String,
    /// What people call it.
    #[schema(max_length = 100)]
    name: Option<String>,
    /// When it ends; for good when left out.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// Brought along from elsewhere, with its secret; random when both are left out.
    #[schema(min_length = 16, max_length = 128)]
    tenant_key: Option<String>,
    /// The secret of a key that is brought along.
    #[schema(value_type = Option<String>, min_length = 22, max_length = 256)]
    tenant_secret: Option<SecretString>,
}

impl CreateTenantKey {
    /// As the flows take it; `place` stands before the fields' names.
    pub(super) fn request(self, place: &str) -> Result<TenantKeyRequest, Error> {
        let wrong = || Error::invalid(format!("{place}purpose"), "must be login or backend");
        Ok(TenantKeyRequest {
            purpose: KeyPurpose::parse(&self.purpose).ok_or_else(wrong)?,
            name: self.name,
            expires_at: instant(&format!("{place}expiresAt"), self.expires_at.as_deref())?,
            tenant_key: self.tenant_key,
            tenant_secret: self.tenant_secret,
        })
    }
}

/// A tenant's keys
///
/// Newest first; those that no longer count too. Never a secret.
#[utoipa::path(
    get,
    path = "/operator/v1/tenants/{tenant}/keys",
    operation_id = "listTenantKeys",
    tag = "Tenant keys",
    security(("operatorToken" = [])),
    params(("tenant" = String, Path, description = "The tenant's slug or id", example = "acme")),
    responses((status = 200, description = "The keys", body = Success<Items<TenantKeyView>>,
        example = json!({ "code": 200, "data": { "items": [{
            "id": "8a4f0d7e-52c3-4d0b-8f5a-9a3be1c2d0b1", "tenantKey": "Zk3vX1nQ8sT5uW2yB7dF9hJ4mP6r",
            "purpose": "login", "name": "the app, 2026", "state": "valid", "createdAt": "2026-03-16T19:49:32.000Z",
            "expiresAt": null, "revokedAt": null,
        }] }, "message": "Success" })))
)]
async fn list_tenant_keys(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    _caller: OperatorCaller,
) -> Result<Success<Items<TenantKeyView>>, Error> {
    let keys = flows::list_tenant_keys(&app.db, &tenant(&name)?).await?;
    let now = app.clock.now();
    Ok(Success::new(Items::of(keys, |key| TenantKeyView::new(&key, now))))
}

/// A new tenant key
///
/// The secret is in this answer and never shown again: only its digest is stored. Two keys of a purpose are valid at a
/// time: make the second, let apps and backends change over to it, and revoke the first.
#[utoipa::path(
    post,
    path = "/operator/v1/tenants/{tenant}/keys",
    operation_id = "createTenantKey",
    tag = "Tenant keys",
    security(("operatorToken" = [])),
    params(("tenant" = String, Path, description = "The tenant's slug or id", example = "acme")),
    request_body(content = CreateTenantKey, example = json!({ "purpose": "login", "name": "the app, 2026" })),
    responses(
        (status = 200, description = "The key and its secret", body = Success<TenantKeyCreated>,
        example = json!({ "code": 200, "data": { "key": {
            "id": "8a4f0d7e-52c3-4d0b-8f5a-9a3be1c2d0b1", "tenantKey": "Zk3vX1nQ8sT5uW2yB7dF9hJ4mP6r",
            "purpose": "login", "name": "the app, 2026", "state": "valid", "createdAt": "2026-03-16T19:49:32.000Z",
            "expiresAt": null, "revokedAt": null,
        }, "tenantSecret": "(43 characters)" }, "message": "Success" })),
        (status = 409, description = "Two are valid already, or the key is another's"),
    )
)]
async fn create_tenant_key(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    caller: OperatorCaller,
    headers: HeaderMap,
    body: Body,
) -> Result<Success<TenantKeyCreated>, Error> {
    let body: CreateTenantKey = json::read(&headers, body, BODY_LIMIT, &app).await?;
    let request = body.request("")?;
    let now = app.clock.now();
    let key = flows::create_tenant_key(&app.db, caller.author(), &tenant(&name)?, &request, now).await?;
    Ok(Success::new(TenantKeyCreated::new(&key, now)))
}

/// Revoke a tenant key
///
/// It opens nothing from the next request on; one that is revoked stays as it is. Sessions that it opened live on.
#[utoipa::path(
    delete,
    path = "/operator/v1/tenants/{tenant}/keys/{keyId}",
    operation_id = "revokeTenantKey",
    tag = "Tenant keys",
    security(("operatorToken" = [])),
    params(
        ("tenant" = String, Path, description = "The tenant's slug or id", example = "acme"),
        ("keyId" = String, Path, description = "The key's id", example = "8a4f0d7e-52c3-4d0b-8f5a-9a3be1c2d0b1"),
    ),
    responses((status = 200, description = "The key", body = Success<TenantKeyView>,
        example = json!({ "code": 200, "data": {
            "id": "8a4f0d7e-52c3-4d0b-8f5a-9a3be1c2d0b1", "tenantKey": "Zk3vX1nQ8sT5uW2yB7dF9hJ4mP6r",
            "purpose": "login", "name": "the app, 2026", "state": "revoked", "createdAt": "2026-03-16T19:49:32.000Z",
            "expiresAt": null, "revokedAt": "2026-04-01T08:00:00.000Z",
        }, "message": "Success" })))
)]
async fn revoke_tenant_key(
    State(app): State<SharedApp>,
    Path((name, key)): Path<(String, String)>,
    caller: OperatorCaller,
) -> Result<Success<TenantKeyView>, Error> {
    let key = TenantKeyId::parse(&key).ok_or(Error::NotFound)?;
    let now = app.clock.now();
    let key = flows::revoke_tenant_key(&app.db, caller.author(), &tenant(&name)?, &key, now).await?;
    Ok(Success::new(TenantKeyView::new(&key, now)))
}
