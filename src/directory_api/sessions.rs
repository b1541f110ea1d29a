//! `/api/v2.1/admin/users/{userId}/sessions`: any user's sessions, for a tenant's backend and staff.

use axum::extract::{Path, Request, State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::SharedApp;
use crate::callers::{DirectoryCaller, ManageSessions, Read};
use crate::error::Error;
use crate::flows::{self, Deed, Ending, FoundSession};
use crate::http::envelope::Success;
use crate::http::paging::{List, PageQuery};
use crate::http::paths;
use crate::http::query::Query;
use crate::http::routes::{Routes, routes};
use crate::ids::TenantId;
use crate::sessions::EndReason;
use crate::sessions::search::SessionFilter;
use crate::sessions_api::{SessionEnded, SessionMetadata, StateQuery};

use super::body::Reason;
use super::examples;
use super::users::user_id;

/// Its routes.
pub(super) fn router() -> Routes {
    Routes::new()
        .routes(routes!(list_user_sessions, end_user_sessions))
        .routes(routes!(get_user_session, end_user_session))
}

/// A session as the tenant's backend and staff see it: no token, nothing of the user but the id.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DirectorySession {
    session_id: String,
    user_id: String,
    customer_id: String,
    tenant_id: String,
    /// By which family of calls it was opened: `individual`, `organization` or `admin`.
    family: &'static str,
    /// `live` or `ended`.
    state: &'static str,
    #[schema(required)]
    device_id: Option<String>,
    session_metadata: SessionMetadata,
    /// The decided address of the latest refresh; null while none came from another one than the login.
    #[schema(required)]
    last_client_ip: Option<String>,
    /// The id of the tenant key that opened it, which is not the key; null where none was needed.
    #[schema(required)]
    tenant_key_id: Option<String>,
    /// How often it was refreshed.
    refreshes: i64,
    #[schema(required, format = DateTime)]
    last_refreshed_at: Option<String>,
    #[schema(format = DateTime)]
    session_idle_expires_at: String,
    #[schema(format = DateTime)]
    session_expires_at: String,
    /// When it ended; null while it lives.
    #[schema(required, format = DateTime)]
    ended_at: Option<String>,
    /// Why it ended: `logout`, `expired_idle`, `ended_by_staff`, …
    #[schema(required)]
    end_reason: Option<String>,
}

impl DirectorySession {
    pub(super) fn new(tenant: &TenantId, found: FoundSession) -> Self {
        let state = found.state().as_str();
        let FoundSession { session, ending, .. } = found;
        let (ended_at, end_reason) = ending.unzip();
        Self {
            session_id: session.id.to_string(),
            user_id: session.user_id.to_string(),
            customer_id: session.customer_id.to_string(),
            tenant_id: tenant.to_string(),
            family: session.family.as_str(),
            state,
            session_metadata: SessionMetadata::of(&session),
            device_id: session.device_id,
            last_client_ip: session.last_client_ip,
            tenant_key_id: session.tenant_key_id.map(|key| key.to_string()),
            refreshes: session.generation - 1,
            last_refreshed_at: session.refreshed_at.map(|at| at.to_string()),
            session_idle_expires_at: session.idle_expires_at.to_string(),
            session_expires_at: session.expires_at.to_string(),
            ended_at: ended_at.map(|at| at.to_string()),
            end_reason,
        }
    }
}

/// Some sessions of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DirectorySessionPage {
    items: Vec<DirectorySession>,
    /// Begin the next page with it; null where this is the last. A page with filters may hold fewer sessions than were
    /// asked for, or none, and yet not be the last.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// A page of a list of sessions; `name` is the list's.
pub(super) async fn page(
    app: &SharedApp,
    caller: &DirectoryCaller<Read>,
    page: &PageQuery,
    name: &str,
    filter: &SessionFilter,
) -> Result<Success<DirectorySessionPage>, Error> {
    let tenant = &caller.tenant;
    let list = List { master: &app.master, tenant: &tenant.id, query: format!("{name} {filter:?}") };
    let (after, now) = (page.after(&list)?, app.clock.now());
    let found = flows::find_sessions(&app.db, tenant, filter, after, page.size(), now).await?;
    let items = found.items.into_iter().map(|found| DirectorySession::new(&tenant.id, found)).collect();
    Ok(Success::new(DirectorySessionPage { items, next_cursor: found.next.map(|id| list.cursor(&id)) }))
}

/// List a user's sessions
///
/// Ended or not, the newest first.
#[utoipa::path(
    get,
    path = "/api/v2.1/admin/users/{userId}/sessions",
    operation_id = "listUserSessions",
    tag = "Sessions",
    security(("accessToken" = []), ("backendKey" = [])),
    params(
        ("userId" = String, Path, description = "The user's id.", example = json!(examples::USER)),
        PageQuery, StateQuery,
    ),
    responses((status = 200, description = "Some of the sessions", body = Success<DirectorySessionPage>,
               example = json!(examples::page(&[examples::session()]))))
)]
async fn list_user_sessions(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<Read>,
    Path(id): Path<String>,
    Query(query): Query<PageQuery>,
    Query(state): Query<StateQuery>,
) -> Result<Success<DirectorySessionPage>, Error> {
    let (user, state) = (user_id(&id)?, state.read()?);
    let user = flows::get_user(&app.db, &caller.tenant.id, &user).await?.id;
    let filter = SessionFilter { user: Some(user), state, ..SessionFilter::default() };
    page(&app, &caller, &query, "user sessions", &filter).await
}

/// View a user's session
///
/// Ended or not.
#[utoipa::path(
    get,
    path = "/api/v2.1/admin/users/{userId}/sessions/{sessionId}",
    operation_id = "getUserSession",
    tag = "Sessions",
    security(("accessToken" = []), ("backendKey" = [])),
    params(
        ("userId" = String, Path, description = "The user's id.", example = json!(examples::USER)),
        ("sessionId" = String, Path, description = "The session's id.", example = json!(examples::SESSION)),
    ),
    responses((status = 200, description = "The session", body = Success<DirectorySession>,
               example = json!(examples::success(&examples::session()))))
)]
async fn get_user_session(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<Read>,
    Path((user, session)): Path<(String, String)>,
) -> Result<Success<DirectorySession>, Error> {
    let (user, session) = (user_id(&user)?, paths::session(&session)?);
    let now = app.clock.now();
    let found = flows::get_user_session(&app.db, &caller.tenant, &user, &session, now).await?;
    Ok(Success::new(DirectorySession::new(&caller.tenant.id, found)))
}

/// End a user's session
///
/// With the next request. One that has ended already, in whatever way, keeps its first ending, which is what is
/// answered. The body may be left out.
#[utoipa::path(
    delete,
    path = "/api/v2.1/admin/users/{userId}/sessions/{sessionId}",
    operation_id = "endUserSession",
    tag = "Sessions",
    security(("accessToken" = []), ("backendKey" = [])),
    params(
        ("userId" = String, Path, description = "The user's id.", example = json!(examples::USER)),
        ("sessionId" = String, Path, description = "The session's id.", example = json!(examples::SESSION)),
    ),
    request_body(content = Reason, example = json!({ "reason": "lost-phone" })),
    responses((status = 200, description = "The session has ended", body = Success<SessionEnded>,
               example = json!(examples::success(&examples::session_ended()))))
)]
async fn end_user_session(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<ManageSessions>,
    Path((user, session)): Path<(String, String)>,
    request: Request,
) -> Result<Success<SessionEnded>, Error> {
    let (user, session) = (user_id(&user)?, paths::session(&session)?);
    let reason = Reason::read(request, &app).await?;
    let found = flows::get_user_session(&app.db, &caller.tenant, &user, &session, app.clock.now()).await?;
    let ending = Ending {
        actor: caller.by.actor(),
        reason: caller.by.end_reason(),
        client: Some(&caller.client),
        rule: None,
        note: reason.as_deref(),
    };
    let ended = flows::end_session(&app, &caller.tenant, &found.user, &found.session, &ending).await?;
    Ok(Success::new(SessionEnded::new(&session, &ended)))
}

/// `data` of the end of all of a user's sessions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UserSessionsEnded {
    user_id: String,
    /// Those that were opened at this instant or before have ended; none of them can live again.
    #[schema(format = DateTime)]
    ended_at: String,
    #[schema(example = "ended_by_staff")]
    end_reason: &'static str,
}

/// End all of a user's sessions
///
/// With the next request, and for good: also one that a login is opening right now. The user may log in again at once;
/// suspend them if they must not. The body may be left out.
#[utoipa::path(
    delete,
    path = "/api/v2.1/admin/users/{userId}/sessions",
    operation_id = "endUserSessions",
    tag = "Sessions",
    security(("accessToken" = []), ("backendKey" = [])),
    params(("userId" = String, Path, description = "The user's id.", example = json!(examples::USER))),
    request_body(content = Reason, example = json!({ "reason": "lost-phone" })),
    responses((status = 200, description = "All of them have ended", body = Success<UserSessionsEnded>,
               example = json!(examples::success(&examples::user_sessions_ended()))))
)]
async fn end_user_sessions(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<ManageSessions>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Success<UserSessionsEnded>, Error> {
    let id = user_id(&id)?;
    let reason = Reason::read(request, &app).await?;
    let user = flows::get_user(&app.db, &caller.tenant.id, &id).await?;
    let deed = Deed { note: reason.as_deref(), ..caller.deed(None) };
    let (end_reason, now): (EndReason, _) = (caller.by.end_reason(), app.clock.now());
    flows::end_user_sessions(&app.db, &deed, (&user.id, &user.customer_id), None, end_reason, now).await?;
    Ok(Success::new(UserSessionsEnded {
        user_id: user.id.to_string(),
        ended_at: now.to_string(),
        end_reason: end_reason.as_str(),
    }))
}
