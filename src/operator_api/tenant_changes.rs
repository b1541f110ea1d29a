//! `/operator/v1/tenants/{tenant}`: set, suspended, resumed, deleted.

use axum::body::{Body, HttpBody};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use tracing::warn;
use utoipa::ToSchema;

use super::tenants::example_tenant;
use super::views::TenantView;
use super::{BODY_LIMIT, tenant};
use crate::app::SharedApp;
use crate::callers::OperatorCaller;
use crate::error::Error;
use crate::flows::{self, TenantChange};
use crate::http::envelope::Success;
use crate::http::json;
use crate::http::routes::{Routes, routes};
use crate::tenants::SettingsChange;
use crate::tenants::deletion::Deletion;

pub(super) fn router() -> Routes {
    Routes::new()
        .routes(routes!(update_tenant, delete_tenant))
        .routes(routes!(suspend_tenant))
        .routes(routes!(resume_tenant))
}

/// What is to be set; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UpdateTenant {
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Settings by the names of their schema; null sets one back to its default.
    #[schema(value_type = Option<Object>)]
    settings: Option<SettingsChange>,
    /// All browser origins (CORS), in place of those that are there.
    #[schema(max_items = 50)]
    origins: Option<Vec<String>>,
}

/// Why, for the tenant's events. The body may be left out altogether.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    /// Nothing personal: it is kept for good.
    #[schema(min_length = 1, max_length = 500)]
    reason: Option<String>,
}

impl Reason {
    /// Reads it from a request's body, if there is one.
    pub(super) async fn read(
        headers: &HeaderMap,
        body: Body,
        app: &SharedApp,
    ) -> Result<Option<String>, Error> {
        if body.size_hint().exact() == Some(0) {
            return Ok(None);
        }
        let Self { reason } = json::read(headers, body, BODY_LIMIT, app).await?;
        Ok(reason)
    }
}

/// The confirmation of a deletion.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DeleteTenant {
    /// The tenant's slug again.
    slug: String,
}

/// Set a tenant's name, settings and origins
///
/// In force on the next request. An unknown or ill-valued setting is refused by name, and nothing changes.
#[utoipa::path(
    patch,
    path = "/operator/v1/tenants/{tenant}",
    operation_id = "updateTenant",
    tag = "Tenants",
    security(("operatorToken" = [])),
    params(("tenant" = String, Path, description = "The tenant's slug or id", example = "acme")),
    request_body(content = UpdateTenant, example = json!({
        "settings": { "profile": "payment", "accessSeconds": 120, "audience": null },
    })),
    responses(
        (status = 200, description = "The tenant", body = Success<TenantView>,
        example = json!({ "code": 200, "data": example_tenant("active"), "message": "Success" })),
        (status = 409, description = "The tenant is deleted"),
    )
)]
async fn update_tenant(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    caller: OperatorCaller,
    headers: HeaderMap,
    body: Body,
) -> Result<Success<TenantView>, Error> {
    let UpdateTenant { name: new_name, settings, origins } =
        json::read(&headers, body, BODY_LIMIT, &app).await?;
    let settings = settings.unwrap_or_default();
    let change = TenantChange { name: new_name, settings, origins, ..TenantChange::default() };
    let now = app.clock.now();
    let details = flows::update_tenant(&app.db, caller.author(), &tenant(&name)?, &change, now).await?;
    Ok(Success::new(TenantView::new(&details, &app.options.public_url)))
}

/// Suspend a tenant
///
/// Nobody logs in from the next request on, its keys open nothing, and its sessions have ended: resuming does not revive
/// them. One that is suspended stays as it is.
#[utoipa::path(
    post,
    path = "/operator/v1/tenants/{tenant}/suspend",
    operation_id = "suspendTenant",
    tag = "Tenants",
    security(("operatorToken" = [])),
    params(("tenant" = String, Path, description = "The tenant's slug or id", example = "acme")),
    request_body(content = Reason, example = json!({ "reason": "contract ended" })),
    responses(
        (status = 200, description = "The tenant", body = Success<TenantView>,
        example = json!({ "code": 200, "data": example_tenant("suspended"), "message": "Success" })),
        (status = 409, description = "The tenant is deleted"),
    )
)]
async fn suspend_tenant(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    caller: OperatorCaller,
    headers: HeaderMap,
    body: Body,
) -> Result<Success<TenantView>, Error> {
    let reason = Reason::read(&headers, body, &app).await?;
    let (name, now) = (tenant(&name)?, app.clock.now());
    let details = flows::suspend_tenant(&app.db, caller.author(), &name, reason.as_deref(), now).await?;
    Ok(Success::new(TenantView::new(&details, &app.options.public_url)))
}

/// Resume a suspended tenant
///
/// Its users log in anew; sessions that ended stay ended. One that is active stays as it is.
#[utoipa::path(
    post,
    path = "/operator/v1/tenants/{tenant}/resume",
    operation_id = "resumeTenant",
    tag = "Tenants",
    security(("operatorToken" = [])),
    params(("tenant" = String, Path, description = "The tenant's slug or id", example = "acme")),
    request_body(content = Reason, example = json!({ "reason": "contract renewed" })),
    responses(
        (status = 200, description = "The tenant", body = Success<TenantView>,
        example = json!({ "code": 200, "data": example_tenant("active"), "message": "Success" })),
        (status = 409, description = "The tenant is deleted"),
    )
)]
async fn resume_tenant(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    caller: OperatorCaller,
    headers: HeaderMap,
    body: Body,
) -> Result<Success<TenantView>, Error> {
    let reason = Reason::read(&headers, body, &app).await?;
    let (name, now) = (tenant(&name)?, app.clock.now());
    let details = flows::resume_tenant(&app.db, caller.author(), &name, reason.as_deref(), now).await?;
    Ok(Success::new(TenantView::new(&details, &app.options.public_url)))
}

/// Delete a tenant, for good
///
/// It is refused everywhere from the next request on, and its customers, users, sessions and keys go in the background.
/// Its events stay, without what is personal in them; its slug and id are never used again. The body repeats the slug.
/// One that is deleted stays as it is.
#[utoipa::path(
    delete,
    path = "/operator/v1/tenants/{tenant}",
    operation_id = "deleteTenant",
    tag = "Tenants",
    security(("operatorToken" = [])),
    params(("tenant" = String, Path, description = "The tenant's slug or id", example = "acme")),
    request_body(content = DeleteTenant, example = json!({ "slug": "acme" })),
    responses((status = 200, description = "The tenant", body = Success<TenantView>,
        example = json!({ "code": 200, "data": example_tenant("deleted"), "message": "Success" })))
)]
async fn delete_tenant(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    caller: OperatorCaller,
    headers: HeaderMap,
    body: Body,
) -> Result<Success<TenantView>, Error> {
    let DeleteTenant { slug } = json::read(&headers, body, BODY_LIMIT, &app).await?;
    let (name, now) = (tenant(&name)?, app.clock.now());
    let details = flows::delete_tenant(&app.db, caller.author(), &name, &slug, now).await?;
    let view = TenantView::new(&details, &app.options.public_url);
    tokio::spawn(empty(app, Deletion::of(details.tenant.id)));
    Ok(Success::new(view))
}

/// Takes away what a deleted tenant left. If it does not come to its end, the upkeep goes on.
async fn empty(app: SharedApp, mut deletion: Deletion) {
    loop {
        match flows::delete_tenant_slice(&app.db, &mut deletion, app.clock.now()).await {
            Ok(0) => return,
            Ok(_) => (),
            Err(error) => {
                let tenant = &deletion.tenant;
                warn!(%tenant, cause = %error, "a deleted tenant was not emptied; the upkeep goes on");
                return;
            }
        }
    }
}
