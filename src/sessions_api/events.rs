//! `GET …/users/{userId}/sessions/{sessionId}/events`: a session's timeline.

use axum::Extension;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::SharedApp;
use crate::callers::UserCaller;
use crate::error::Error;
use crate::flows::{SessionStep, StepOrigin, WholeSession, get_whole_session, session_timeline};
use crate::http::envelope::Success;
use crate::http::paging::{List, PageQuery};
use crate::http::paths;
use crate::http::query::Query;
use crate::ids::UserId;
use crate::tenants::Family;

use super::own_path;

/// Some steps of a session's life, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionTimeline {
    items: Vec<SessionStepView>,
    /// Begin the next page with it; null where this is the last.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// One step of a session's life.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionStepView {
    /// What happened: `authn_login_success`, `session_refreshed` (the latest refresh), `session_network_changed`,
    /// `session_expired` (its end) and others. New words may come.
    #[schema(example = "authn_login_success")]
    r#type: String,
    #[schema(format = DateTime)]
    time: String,
    /// `success` or `failure`.
    #[schema(example = "success")]
    outcome: String,
    /// Why; of its end the same word as `endReason`.
    #[schema(required)]
    reason: Option<String>,
    /// The rule or setting that did it, with its value.
    #[schema(required)]
    rule: Option<String>,
    actor: StepActor,
    /// The decided address.
    #[schema(required)]
    client_ip: Option<String>,
    /// Why that one: `peer`, `forwarded`, `vouched` or `unreadable`.
    #[schema(required)]
    client_ip_reason: Option<String>,
    #[schema(required)]
    platform: Option<String>,
    #[schema(required)]
    device_id: Option<String>,
    #[schema(required)]
    user_agent: Option<String>,
    /// Of `session_refreshed`: how many refreshes there were until then.
    #[schema(required)]
    count: Option<i64>,
}

/// Who did it.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepActor {
    /// `user`, `staff`, `backend`, `operator`, `system` or `unknown`.
    #[schema(example = "user")]
    kind: String,
    /// Whose it is; null where there is nobody, and where it is not the asking user's to know.
    #[schema(required)]
    id: Option<String>,
}

/// Who looks at a timeline.
#[derive(Clone, Copy, Debug)]
pub enum Reader<'a> {
    /// The user whose session it is: what others have done is told, not from where, nor by whom.
    Owner(&'a UserId),
    /// The tenant's staff or backend.
    Tenant,
}

impl SessionStepView {
    fn new(step: SessionStep, reader: Reader<'_>) -> Self {
        let SessionStep { name, at, outcome, reason, rule, actor_kind, actor_id, from, count, .. } = step;
        let own = match reader {
            Reader::Tenant => true,
            // Whoever showed this session's tokens is told, also where nobody knows who that was.
            Reader::Owner(user) => actor_kind == "unknown" || actor_id.as_deref() == Some(user.as_str()),
        };
        let from = if own { from } else { StepOrigin::default() };
        Self {
            r#type: name,
            time: at.to_string(),
            outcome,
            reason,
            rule,
            actor: StepActor { kind: actor_kind, id: actor_id.filter(|_| own) },
            client_ip: from.client_ip,
            client_ip_reason: from.client_ip_reason,
            platform: from.platform,
            device_id: from.device_id,
            user_agent: from.user_agent,
            count,
        }
    }
}

/// A page of a session's timeline.
pub async fn timeline(
    app: &SharedApp,
    of: &WholeSession,
    page: &PageQuery,
    reader: Reader<'_>,
) -> Result<Success<SessionTimeline>, Error> {
    let query = format!("session events {}", of.session.id);
    let list = List { master: &app.master, tenant: &of.tenant.id, query };
    let after = page.after(&list)?;
    let found = session_timeline(app, of, after.as_deref(), page.size()).await?;
    let items = found.items.into_iter().map(|step| SessionStepView::new(step, reader)).collect();
    let next_cursor = found.next.map(|key| list.cursor(&key));
    Ok(Success::new(SessionTimeline { items, next_cursor }))
}

/// View a session's timeline
///
/// What happened to one of the caller's own sessions, ended or not, oldest first: when, by whom, from where, and by which
/// rule. Of the refreshes the latest is told. What others did is told without their address.
#[utoipa::path(
    get,
    path = "/users/{userId}/sessions/{sessionId}/events",
    operation_id = "listSessionEvents",
    security(("accessToken" = [])),
    params(PageQuery),
    responses((status = 200, description = "Some of the steps", body = Success<SessionTimeline>))
)]
pub(super) async fn list_session_events(
    State(app): State<SharedApp>,
    Extension(family): Extension<Family>,
    Path((owner, user, session)): Path<(String, String, String)>,
    caller: UserCaller,
    Query(page): Query<PageQuery>,
) -> Result<Success<SessionTimeline>, Error> {
    own_path(family, &owner, &user, &caller)?;
    let (id, user) = (paths::session(&session)?, &caller.user.id);
    let of = get_whole_session(&app.db, &caller.tenant.id, user, &id).await?;
    if of.session.family != family {
        return Err(Error::NotFound);
    }
    timeline(&app, &of, &page, Reader::Owner(user)).await
}
