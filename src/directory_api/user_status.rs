//! `/api/v2.1/admin/users/{userId}/…`: a user's status, for a tenant's backend and staff.

use axum::extract::{Path, Request, State};

use crate::app::SharedApp;
use crate::callers::{DirectoryCaller, ManageUsers};
use crate::error::Error;
use crate::flows;
use crate::http::envelope::Success;
use crate::http::routes::{Routes, routes};
use crate::users::directory::UserMove;

use super::body::Reason;
use super::examples;
use super::users::user_id;
use super::views::DirectoryUser;

/// Its routes.
pub(super) fn router() -> Routes {
    Routes::new()
        .routes(routes!(suspend_user))
        .routes(routes!(resume_user))
        .routes(routes!(close_user))
        .routes(routes!(erase_user))
}

/// Moves the user of a path to another status.
async fn move_user(
    app: &SharedApp,
    caller: &DirectoryCaller<ManageUsers>,
    id: &str,
    request: Request,
    how: UserMove,
) -> Result<Success<DirectoryUser>, Error> {
    let id = user_id(id)?;
    let reason = Reason::read(request, app).await?;
    let (deed, now) = (caller.deed(reason.as_deref()), app.clock.now());
    let user = flows::move_user(&app.db, &deed, &id, how, now).await?;
    Ok(Success::new(DirectoryUser::new(&caller.tenant.id, user)))
}

/// Suspend a user
///
/// They cannot log in, and their sessions have ended with the next request.
#[utoipa::path(
    post,
    path = "/api/v2.1/admin/users/{userId}/suspend",
    operation_id = "suspendUser",
    tag = "Users",
    security(("accessToken" = []), ("backendKey" = [])),
    params(("userId" = String, Path, description = "The user's id.", example = json!(examples::USER))),
    request_body(content = Reason, example = json!({ "reason": "lost-phone" })),
    responses(
        (status = 200, description = "The user as they are now", body = Success<DirectoryUser>,
         example = json!(examples::success(&examples::user("SUSPENDED")))),
        (status = 409, description = "The user is closed, is the caller, or is the tenant's last active ADMIN"),
    )
)]
async fn suspend_user(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<ManageUsers>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Success<DirectoryUser>, Error> {
    move_user(&app, &caller, &id, request, UserMove::Suspend).await
}

/// Resume a user
///
/// They can log in anew; no session comes back.
#[utoipa::path(
    post,
    path = "/api/v2.1/admin/users/{userId}/resume",
    operation_id = "resumeUser",
    tag = "Users",
    security(("accessToken" = []), ("backendKey" = [])),
    params(("userId" = String, Path, description = "The user's id.", example = json!(examples::USER))),
    request_body(content = Reason, example = json!({ "reason": "lost-phone" })),
    responses(
        (status = 200, description = "The user as they are now", body = Success<DirectoryUser>,
         example = json!(examples::success(&examples::user("ACTIVE")))),
        (status = 409, description = "The user is closed"),
    )
)]
async fn resume_user(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<ManageUsers>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Success<DirectoryUser>, Error> {
    move_user(&app, &caller, &id, request, UserMove::Resume).await
}

/// Close a user
///
/// For good. They cannot log in, and their sessions have ended with the next request. What is known of them stays until
/// they are erased.
#[utoipa::path(
    post,
    path = "/api/v2.1/admin/users/{userId}/close",
    operation_id = "closeUser",
    tag = "Users",
    security(("accessToken" = []), ("backendKey" = [])),
    params(("userId" = String, Path, description = "The user's id.", example = json!(examples::USER))),
    request_body(content = Reason, example = json!({ "reason": "lost-phone" })),
    responses(
        (status = 200, description = "The user as they are now", body = Success<DirectoryUser>,
         example = json!(examples::success(&examples::user("CLOSED")))),
        (status = 409, description = "The user is the caller, or is the tenant's last active ADMIN"),
    )
)]
async fn close_user(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<ManageUsers>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Success<DirectoryUser>, Error> {
    move_user(&app, &caller, &id, request, UserMove::Close).await
}

/// Erase a user
///
/// Closes them and takes out for good what is personal: names, e-mail, numbers, password, devices, metadata, and from
/// where their sessions and events came. Ids and events stay. An individual's customer is erased with them. The names
/// may be registered again, by another user.
#[utoipa::path(
    post,
    path = "/api/v2.1/admin/users/{userId}/erase",
    operation_id = "eraseUser",
    tag = "Users",
    security(("accessToken" = []), ("backendKey" = [])),
    params(("userId" = String, Path, description = "The user's id.", example = json!(examples::USER))),
    request_body(content = Reason, example = json!({ "reason": "lost-phone" })),
    responses(
        (status = 200, description = "The user as they are now", body = Success<DirectoryUser>,
         example = json!(examples::success(&examples::erased_user()))),
        (status = 409, description = "The user is the caller, or is the tenant's last active ADMIN"),
    )
)]
async fn erase_user(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<ManageUsers>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Success<DirectoryUser>, Error> {
    let id = user_id(&id)?;
    let reason = Reason::read(request, &app).await?;
    let (deed, now) = (caller.deed(reason.as_deref()), app.clock.now());
    let user = flows::erase_user(&app.db, &deed, &id, now).await?;
    Ok(Success::new(DirectoryUser::new(&caller.tenant.id, user)))
}
