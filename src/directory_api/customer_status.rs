//! `/api/v2.1/admin/customers/{customerId}/…`: a customer's status, for a tenant's backend and staff.

use axum::extract::{Path, Request, State};

use crate::app::SharedApp;
use crate::callers::{DirectoryCaller, ManageUsers};
use crate::customers::CustomerMove;
use crate::error::Error;
use crate::flows;
use crate::http::envelope::Success;
use crate::http::routes::{Routes, routes};

use super::body::Reason;
use super::customers::customer_id;
use super::examples;
use super::views::DirectoryCustomer;

/// Its routes.
pub(super) fn router() -> Routes {
    Routes::new()
        .routes(routes!(activate_customer))
        .routes(routes!(suspend_customer))
        .routes(routes!(resume_customer))
        .routes(routes!(close_customer))
        .routes(routes!(erase_customer))
}

/// Moves the customer of a path to another status.
async fn move_customer(
    app: &SharedApp,
    caller: &DirectoryCaller<ManageUsers>,
    id: &str,
    request: Request,
    how: CustomerMove,
) -> Result<Success<DirectoryCustomer>, Error> {
    let id = customer_id(id)?;
    let reason = Reason::read(request, app).await?;
    let (deed, now) = (caller.deed(reason.as_deref()), app.clock.now());
    let customer = flows::move_customer(&app.db, &deed, &id, how, now).await?;
    Ok(Success::new(DirectoryCustomer::new(&caller.tenant.id, customer)))
}

/// Activate a customer
///
/// After registration and verification, whatever these are with the tenant. Its users could log in before.
#[utoipa::path(
    post,
    path = "/api/v2.1/admin/customers/{customerId}/activate",
    operation_id = "activateCustomer",
    tag = "Customers",
    security(("accessToken" = []), ("backendKey" = [])),
    params(("customerId" = String, Path, description = "The customer's id.", example = json!(examples::CUSTOMER))),
    request_body(content = Reason, example = json!({ "reason": "chargeback" })),
    responses(
        (status = 200, description = "The customer as it is now", body = Success<DirectoryCustomer>,
         example = json!(examples::success(&examples::customer("ACTIVE")))),
        (status = 409, description = "The customer is suspended or closed"),
    )
)]
async fn activate_customer(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<ManageUsers>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Success<DirectoryCustomer>, Error> {
    move_customer(&app, &caller, &id, request, CustomerMove::Activate).await
}

/// Suspend a customer
///
/// None of its users can log in, and their sessions have ended with the next request.
#[utoipa::path(
    post,
    path = "/api/v2.1/admin/customers/{customerId}/suspend",
    operation_id = "suspendCustomer",
    tag = "Customers",
    security(("accessToken" = []), ("backendKey" = [])),
    params(("customerId" = String, Path, description = "The customer's id.", example = json!(examples::CUSTOMER))),
    request_body(content = Reason, example = json!({ "reason": "chargeback" })),
    responses(
        (status = 200, description = "The customer as it is now", body = Success<DirectoryCustomer>,
         example = json!(examples::success(&examples::customer("SUSPENDED")))),
        (status = 409, description = "The customer is closed, or the tenant's own organization"),
    )
)]
async fn suspend_customer(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<ManageUsers>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Success<DirectoryCustomer>, Error> {
    move_customer(&app, &caller, &id, request, CustomerMove::Suspend).await
}

/// Resume a customer
///
/// Back to the status it had. Its users can log in anew; no session comes back.
#[utoipa::path(
    post,
    path = "/api/v2.1/admin/customers/{customerId}/resume",
    operation_id = "resumeCustomer",
    tag = "Customers",
    security(("accessToken" = []), ("backendKey" = [])),
    params(("customerId" = String, Path, description = "The customer's id.", example = json!(examples::CUSTOMER))),
    request_body(content = Reason, example = json!({ "reason": "chargeback" })),
    responses(
        (status = 200, description = "The customer as it is now", body = Success<DirectoryCustomer>,
         example = json!(examples::success(&examples::customer("ACTIVE")))),
        (status = 409, description = "The customer is not suspended"),
    )
)]
async fn resume_customer(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<ManageUsers>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Success<DirectoryCustomer>, Error> {
    move_customer(&app, &caller, &id, request, CustomerMove::Resume).await
}

/// Close a customer
///
/// For good. None of its users can log in, and their sessions have ended with the next request. What is known of it
/// stays until it is erased.
#[utoipa::path(
    post,
    path = "/api/v2.1/admin/customers/{customerId}/close",
    operation_id = "closeCustomer",
    tag = "Customers",
    security(("accessToken" = []), ("backendKey" = [])),
    params(("customerId" = String, Path, description = "The customer's id.", example = json!(examples::CUSTOMER))),
    request_body(content = Reason, example = json!({ "reason": "chargeback" })),
    responses(
        (status = 200, description = "The customer as it is now", body = Success<DirectoryCustomer>,
         example = json!(examples::success(&examples::customer("CLOSED")))),
        (status = 409, description = "The customer is the tenant's own organization"),
    )
)]
async fn close_customer(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<ManageUsers>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Success<DirectoryCustomer>, Error> {
    move_customer(&app, &caller, &id, request, CustomerMove::Close).await
}

/// Erase a customer
///
/// Closes it with all its users, and takes out for good what is personal: names, e-mail, numbers, password, devices,
/// metadata, and from where its sessions and events came. Ids and events stay. A large organization's users are erased
/// one after the other in the background. The names may be registered again, by another user.
#[utoipa::path(
    post,
    path = "/api/v2.1/admin/customers/{customerId}/erase",
    operation_id = "eraseCustomer",
    tag = "Customers",
    security(("accessToken" = []), ("backendKey" = [])),
    params(("customerId" = String, Path, description = "The customer's id.", example = json!(examples::CUSTOMER))),
    request_body(content = Reason, example = json!({ "reason": "chargeback" })),
    responses(
        (status = 200, description = "The customer as it is now", body = Success<DirectoryCustomer>,
         example = json!(examples::success(&examples::erased_customer()))),
        (status = 409, description = "The customer is the tenant's own organization"),
    )
)]
async fn erase_customer(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<ManageUsers>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Success<DirectoryCustomer>, Error> {
    let id = customer_id(&id)?;
    let reason = Reason::read(request, &app).await?;
    let (deed, now) = (caller.deed(reason.as_deref()), app.clock.now());
    let customer = flows::erase_customer(&app.db, &deed, &id, now).await?;
    Ok(Success::new(DirectoryCustomer::new(&caller.tenant.id, customer)))
}
