//! `/api/v2.1/admin/sessions/end`: sessions end by what they have in common, for a tenant's backend and staff.

use std::time::Duration;

use axum::extract::{Path, Request, State};
use serde::{Deserialize, Deserializer, Serialize};
use tracing::warn;
use utoipa::ToSchema;

use crate::app::SharedApp;
use crate::callers::{DirectoryCaller, ManageSessions, Read};
use crate::error::Error;
use crate::flows::{self, Matching};
use crate::http::envelope::Success;
use crate::http::routes::{Routes, routes};
use crate::ids::{SessionOperationId, TenantId};
use crate::sessions::operations::SessionOperation;
use crate::sessions::search::{SessionFilter, SessionState};

use super::body::{self, is_word};
use super::examples;
use super::fields::Fields;
use super::session_search::InCommon;

/// How long a request waits for what it has begun.
const WAITS: Duration = Duration::from_secs(2);

/// Its routes.
pub(super) fn router() -> Routes {
    Routes::new().routes(routes!(end_matching_sessions)).routes(routes!(get_session_operation))
}

/// Which sessions are to end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct EndMatchingSessions {
    filter: MatchingSessions,
    /// A word of the caller's own, for why: 1 to 64 letters, digits, `-`, `_` and `.`; nothing personal.
    #[schema(max_length = 64, pattern = "^[A-Za-z0-9._-]+$", example = "stolen-devices")]
    reason: Option<String>,
    /// Only counts them.
    #[serde(default)]
    #[schema(default = false)]
    dry_run: bool,
}

/// What they have in common, one thing at least beside `state`, by the names of the search. A name that is none is
/// refused: without it too many would end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct MatchingSessions {
    #[serde(default, deserialize_with = "given")]
    #[schema(max_length = 64, nullable = false)]
    user_id: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(max_length = 64, nullable = false)]
    customer_id: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(max_length = 256, nullable = false)]
    device_id: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(max_length = 256, nullable = false)]
    platform: Option<String>,
    /// The decided address of the login.
    #[serde(default, deserialize_with = "given")]
    #[schema(max_length = 45, nullable = false)]
    address: Option<String>,
    /// Opened at this instant or later.
    #[serde(default, deserialize_with = "given")]
    #[schema(format = DateTime, nullable = false)]
    created_after: Option<String>,
    /// Opened before this instant.
    #[serde(default, deserialize_with = "given")]
    #[schema(format = DateTime, nullable = false)]
    created_before: Option<String>,
    /// `live`, which it is when left out: what has ended does not end again.
    state: Option<String>,
}

/// Reads a field that is there: null would be a condition less than was meant.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

impl EndMatchingSessions {
    fn read(self) -> Result<(SessionFilter, Option<String>), Error> {
        let MatchingSessions {
            user_id,
            customer_id,
            device_id,
            platform,
            address,
            created_after,
            created_before,
            state,
        } = self.filter;
        let in_common =
            InCommon { user_id, customer_id, device_id, platform, address, created_after, created_before };
        let mut fields = Fields::default();
        let filter = in_common.read("filter.", &mut fields);
        if state.is_some_and(|state| state != SessionState::Live.as_str()) {
            fields.wrong("filter.state", "must be live, or left out: what has ended does not end again");
        }
        if filter.names().is_empty() && !fields.any() {
            fields.wrong(
                "filter",
                "must name what the sessions have in common: userId, customerId, deviceId, platform, address, \
                 createdAfter or createdBefore",
            );
        }
        if self.reason.as_deref().is_some_and(|reason| !is_word(reason)) {
            fields.wrong("reason", body::NO_WORD);
        }
        fields.finish()?;
        Ok((SessionFilter { state: Some(SessionState::Live), ..filter }, self.reason))
    }
}

/// What was counted, or begun.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EndingSessions {
    /// How many sessions would end; null where it is not only to be counted.
    #[schema(required)]
    matched: Option<i64>,
    /// False: there are more than 100,000 to look at, and these are those of the first 100,000.
    #[schema(required)]
    exact: Option<bool>,
    /// The operation that was begun; null where it is only to be counted.
    #[schema(required)]
    operation_id: Option<String>,
    /// As the operation has it.
    #[schema(required)]
    state: Option<&'static str>,
    /// How many it has ended so far.
    #[schema(required)]
    ended: Option<i64>,
}

impl EndingSessions {
    fn counted(Matching { number, exact }: Matching) -> Self {
        Self { matched: Some(number), exact: Some(exact), operation_id: None, state: None, ended: None }
    }

    fn begun(operation: &SessionOperation) -> Self {
        Self {
            matched: None,
            exact: None,
            operation_id: Some(operation.id.to_string()),
            state: Some(operation.progress().as_str()),
            ended: Some(operation.ended),
        }
    }
}

/// An operation that ends sessions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SessionOperationView {
    operation_id: String,
    /// `running`: not all have been looked at. `settling`: all that were there have ended; a session that a login opened
    /// which was under way meanwhile ends within a minute or so. `finished`.
    state: &'static str,
    /// How many it has ended.
    ended: i64,
    #[schema(example = "ended_by_staff")]
    end_reason: &'static str,
    /// The caller's own word for why.
    #[schema(required)]
    reason: Option<String>,
    #[schema(format = DateTime)]
    started_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    /// Null while it is not finished.
    #[schema(required, format = DateTime)]
    finished_at: Option<String>,
}

impl From<SessionOperation> for SessionOperationView {
    fn from(operation: SessionOperation) -> Self {
        Self {
            operation_id: operation.id.to_string(),
            state: operation.progress().as_str(),
            ended: operation.ended,
            end_reason: operation.end_reason.as_str(),
            started_at: operation.started_at.to_string(),
            updated_at: operation.updated_at.to_string(),
            finished_at: operation.finished_at.map(|at| at.to_string()),
            reason: operation.reason,
        }
    }
}

/// End all sessions that have something in common
///
/// All that live now and fit; one's own if it does. Those that are opened later are none of them. `dryRun` counts them
/// and ends none. The answer comes when they have ended, or after two seconds: then it goes on in the background, and
/// `getSessionOperation` says how far it is.
#[utoipa::path(
    post,
    path = "/api/v2.1/admin/sessions/end",
    operation_id = "endMatchingSessions",
    tag = "Sessions",
    security(("accessToken" = []), ("backendKey" = [])),
    request_body(content = EndMatchingSessions, example = json!({
        "filter": { "deviceId": "device-stolen-001", "createdAfter": "2026-03-01T00:00:00Z" },
        "reason": "stolen-devices", "dryRun": false,
    })),
    responses((status = 200, description = "What was counted, or begun", body = Success<EndingSessions>,
               example = json!(examples::success(&examples::ending_sessions()))))
)]
async fn end_matching_sessions(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<ManageSessions>,
    request: Request,
) -> Result<Success<EndingSessions>, Error> {
    let body: EndMatchingSessions = body::read(request, &app).await?;
    let dry_run = body.dry_run;
    let (filter, reason) = body.read()?;
    let (tenant, now) = (&caller.tenant.id, app.clock.now());
    if dry_run {
        let matching = flows::count_matching_sessions(&app.db, tenant, &filter, now).await?;
        return Ok(Success::new(EndingSessions::counted(matching)));
    }
    let deed = caller.deed(reason.as_deref());
    let id = flows::begin_ending_sessions(&app.db, &deed, &filter, caller.by.end_reason(), now).await?;
    // A task of its own: it goes on when the caller has gone.
    let work = tokio::spawn(go_on(app.clone(), tenant.clone(), id.clone()));
    let _ = tokio::time::timeout(WAITS, work).await;
    let operation = flows::get_session_operation(&app.db, tenant, &id).await?;
    Ok(Success::new(EndingSessions::begun(&operation)))
}

/// Does what can be done of an operation now. If it does not come to its end, the upkeep goes on.
async fn go_on(app: SharedApp, tenant: TenantId, id: SessionOperationId) {
    if let Err(error) = flows::go_on_ending_sessions(&app, &tenant, &id).await {
        warn!(%tenant, operation = %id, cause = %error, "sessions are not being ended; the upkeep goes on");
    }
}

/// View an operation that ends sessions
///
/// How far it is.
#[utoipa::path(
    get,
    path = "/api/v2.1/admin/session-operations/{operationId}",
    operation_id = "getSessionOperation",
    tag = "Sessions",
    security(("accessToken" = []), ("backendKey" = [])),
    params(("operationId" = String, Path, description = "The operation's id.", example = json!(examples::OPERATION))),
    responses((status = 200, description = "The operation", body = Success<SessionOperationView>,
               example = json!(examples::success(&examples::session_operation()))))
)]
async fn get_session_operation(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<Read>,
    Path(id): Path<String>,
) -> Result<Success<SessionOperationView>, Error> {
    let shape = || Error::invalid("operationId", "must be 1 to 64 letters, digits, - or _");
    let id = SessionOperationId::parse(&id).ok_or_else(shape)?;
    let operation = flows::get_session_operation(&app.db, &caller.tenant.id, &id).await?;
    Ok(Success::new(operation.into()))
}
