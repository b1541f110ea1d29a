//! `/api/v2.1/admin/users/{userId}/sessions/{sessionId}/events`: a session's timeline, for a tenant's backend and staff.

use axum::extract::{Path, State};

use crate::app::SharedApp;
use crate::callers::{DirectoryCaller, Read};
use crate::error::Error;
use crate::flows::get_whole_session;
use crate::http::envelope::Success;
use crate::http::paging::PageQuery;
use crate::http::paths;
use crate::http::query::Query;
use crate::sessions_api::{Reader, SessionTimeline, timeline};

use super::examples;
use super::users::user_id;

/// View the timeline of a user's session
///
/// What happened to the session, ended or not, oldest first: when, by whom, from where, and by which rule. Of the
/// refreshes the latest is told.
#[utoipa::path(
    get,
    path = "/api/v2.1/admin/users/{userId}/sessions/{sessionId}/events",
    operation_id = "listUserSessionEvents",
    tag = "Users",
    security(("accessToken" = []), ("backendKey" = [])),
    params(
        ("userId" = String, Path, description = "The user's id.", example = json!(examples::USER)),
        ("sessionId" = String, Path, description = "The session's id.", example = json!(examples::SESSION)),
        PageQuery,
    ),
    responses((status = 200, description = "Some of the steps", body = Success<SessionTimeline>,
               example = json!(examples::page(&[examples::login_step(), examples::new_device_step()]))))
)]
pub(super) async fn list_user_session_events(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<Read>,
    Path((user, session)): Path<(String, String)>,
    Query(page): Query<PageQuery>,
) -> Result<Success<SessionTimeline>, Error> {
    let (user, session) = (user_id(&user)?, paths::session(&session)?);
    let of = get_whole_session(&app.db, &caller.tenant.id, &user, &session).await?;
    timeline(&app, &of, &page, Reader::Tenant).await
}
