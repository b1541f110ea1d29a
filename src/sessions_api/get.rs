//! `GET …/users/{userId}/sessions/{sessionId}`: one of the user's sessions.

use axum::Extension;
use axum::extract::{Path, State};

use crate::app::SharedApp;
use crate::callers::UserCaller;
use crate::error::Error;
use crate::flows::find_session;
use crate::http::envelope::Success;
use crate::http::paths;
use crate::tenants::Family;

use super::{SessionView, own_path};

/// View a session
///
/// One of the caller's own sessions, ended or not. Only `Authorization` and `X-Tenant-ID` are required.
#[utoipa::path(
    get,
    path = "/users/{userId}/sessions/{sessionId}",
    operation_id = "getSession",
    security(("accessToken" = [])),
    responses((status = 200, description = "The session", body = Success<SessionView>))
)]
pub(super) async fn get_session(
    State(app): State<SharedApp>,
    Extension(family): Extension<Family>,
    Path((owner, user, session)): Path<(String, String, String)>,
    caller: UserCaller,
) -> Result<Success<SessionView>, Error> {
    own_path(family, &owner, &user, &caller)?;
    let id = paths::session(&session)?;
    if id == caller.session.id {
        return Ok(Success::new(SessionView::new(&caller, &caller.session, app.clock.now())));
    }
    let session =
        find_session(&app, &caller.tenant, &caller.user, family, &id).await?.ok_or(Error::NotFound)?;
    Ok(Success::new(SessionView::new(&caller, &session, app.clock.now())))
}
