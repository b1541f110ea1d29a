//! `/operator/v1/tenants/{tenant}/sessions`: all of a tenant's sessions end.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;

use super::tenant;
use super::tenant_changes::Reason;
use super::views::TenantSessionsEnded;
use crate::app::SharedApp;
use crate::callers::OperatorCaller;
use crate::error::Error;
use crate::flows;
use crate::http::envelope::Success;
use crate::http::routes::{Routes, routes};

pub(super) fn router() -> Routes {
    Routes::new().routes(routes!(end_tenant_sessions))
}

/// End all of a tenant's sessions
///
/// With the next request, and for good: also one that a login is opening right now. Its users, and its staff, may log in
/// again at once; suspend the tenant if they must not. The body may be left out.
#[utoipa::path(
    post,
    path = "/operator/v1/tenants/{tenant}/sessions/end",
    operation_id = "endTenantSessions",
    tag = "Tenants",
    security(("operatorToken" = [])),
    params(("tenant" = String, Path, description = "The tenant's slug or id", example = "acme")),
    request_body(content = Reason, example = json!({ "reason": "tokens may have leaked" })),
    responses(
        (status = 200, description = "All of them have ended", body = Success<TenantSessionsEnded>,
        example = json!({ "code": 200, "data": {
            "tenantId": "5b6f7c1a-2c3d-4e5f-8a9b-0c1d2e3f4a5b", "slug": "acme",
            "endedAt": "2026-03-16T20:10:00.000Z", "endReason": "ended_by_operator",
        }, "message": "Success" })),
        (status = 409, description = "The tenant is deleted"),
    )
)]
async fn end_tenant_sessions(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    caller: OperatorCaller,
    headers: HeaderMap,
    body: Body,
) -> Result<Success<TenantSessionsEnded>, Error> {
    let reason = Reason::read(&headers, body, &app).await?;
    let (name, now) = (tenant(&name)?, app.clock.now());
    let of = flows::end_tenant_sessions(&app.db, caller.author(), &name, reason.as_deref(), now).await?;
    Ok(Success::new(TenantSessionsEnded::new(&of, now)))
}
