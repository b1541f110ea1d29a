//! `/api/v2.1/admin/users/{userId}/locks` and `…/unlock`: why somebody is locked, and the end of it, for a tenant's
//! backend and staff.

use axum::body::HttpBody;
use axum::extract::{Path, Request, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::SharedApp;
use crate::callers::{DirectoryCaller, ManageUsers, Read};
use crate::clock::Timestamp;
use crate::error::{Error, FieldError};
use crate::events::EventName;
use crate::flows::{self, Deed, Failure, LockView};
use crate::http::envelope::Success;
use crate::http::routes::{Routes, routes};
use crate::throttles::LockId;

use super::credentials::{reason_problem, refuse_own};
use super::users::user_id;
use super::{body, examples};

/// Its routes.
pub(super) fn router() -> Routes {
    Routes::new().routes(routes!(list_user_locks)).routes(routes!(unlock_user))
}

/// `data` of a user's locks.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Locks {
    /// One for each kind of caller that has failed since its last success, the one with the most failures first.
    items: Vec<LockItem>,
}

/// The failures of one kind of caller, and the lock they have led to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LockItem {
    /// What to unlock it by.
    #[schema(example = "none")]
    id: String,
    /// What these callers have shown of having been let in before: `none`, `half` (a known device in a known network)
    /// or `full` (an earlier refresh token of the device).
    #[schema(example = "none")]
    proof: &'static str,
    /// The id in paths of the device that the proof is of; null where there is none.
    #[schema(required)]
    device: Option<String>,
    /// The app's own id for it; null once it is forgotten.
    #[schema(required)]
    device_id: Option<String>,
    /// What the user calls it.
    #[schema(required)]
    device_name: Option<String>,
    /// Failures in a row since the last lock was over: the fifth locks.
    failures: i64,
    /// Failures in a row since the last success, at whatever pace: the hundredth shuts these callers out for good.
    failures_in_all: i64,
    /// Whether these callers are refused now.
    locked: bool,
    /// Whether they are until somebody unlocks it or the password is set anew.
    for_good: bool,
    /// Since when; null where it is not locked, or that is long ago.
    #[schema(required, format = DateTime)]
    locked_since: Option<String>,
    /// Until when; null where it is not locked, or for good.
    #[schema(required, format = DateTime)]
    locked_until: Option<String>,
    /// The latest first, five at most; attempts while it was locked are among them.
    last_failures: Vec<FailedAttempt>,
}

/// A failed attempt.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct FailedAttempt {
    #[schema(format = DateTime)]
    at: String,
    /// `login`, or `passwordChange` by somebody who was logged in.
    #[schema(example = "login")]
    attempt: &'static str,
    /// Why it failed: the word of its event.
    #[schema(required, example = "wrong_password")]
    reason: Option<String>,
    /// The address that counts; null once the user is erased.
    #[schema(required, example = "198.51.100.7")]
    client_ip: Option<String>,
}

impl LockItem {
    fn new(view: LockView, now: Timestamp) -> Self {
        let LockView { lock, locked_at, failures } = view;
        let (end, for_good) = (lock.end(now), lock.is_for_good());
        let locked = for_good || end.is_some();
        let id = lock.id.to_string();
        Self {
            id,
            proof: lock.id.proof.as_str(),
            device: lock.id.device.map(|device| device.to_string()),
            device_id: lock.device_id,
            device_name: lock.device_name,
            failures: lock.failures,
            failures_in_all: lock.total,
            locked,
            for_good,
            locked_since: locked_at.filter(|_| locked).map(|at| at.to_string()),
            locked_until: end.filter(|_| !for_good).map(|end| end.to_string()),
            last_failures: failures.into_iter().map(FailedAttempt::from).collect(),
        }
    }
}

impl From<Failure> for FailedAttempt {
    fn from(failure: Failure) -> Self {
        let is_change = failure.name == EventName::AuthnPasswordChangeFail.as_str();
        Self {
            at: failure.at.to_string(),
            attempt: if is_change { "passwordChange" } else { "login" },
            reason: failure.reason,
            client_ip: failure.client_ip,
        }
    }
}

/// What is to be unlocked. The body may be left out altogether: then all is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Unlock {
    /// The `id` of one lock, from the list; null unlocks all of them.
    #[schema(max_length = 128, example = "none")]
    lock: Option<String>,
    /// Why, for the record: free text that the event keeps in its personal part, until the user is erased.
    #[schema(max_length = 200)]
    reason: Option<String>,
}

impl Unlock {
    async fn read(request: Request, app: &SharedApp) -> Result<(Option<LockId>, Option<String>), Error> {
        if request.body().size_hint().exact() == Some(0) {
            return Ok((None, None));
        }
        let Self { lock, reason } = body::read(request, app).await?;
        let mut errors: Vec<FieldError> = reason.as_deref().and_then(reason_problem).into_iter().collect();
        let id = lock.as_deref().map(LockId::parse);
        if id == Some(None) {
            errors.push(FieldError::new("lock", "must be the `id` of a lock of the user's, or be left out"));
        }
        if errors.is_empty() { Ok((id.flatten(), reason)) } else { Err(Error::Validation(errors)) }
    }
}

/// `data` of a user who is unlocked.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Unlocked {
    #[schema(example = true)]
    success: bool,
    #[schema(example = "User unlocked")]
    message: &'static str,
    #[schema(example = "NONE")]
    error_type: &'static str,
    user_id: String,
    /// The `id` of the lock that is gone; null where all are.
    #[schema(required, example = "none")]
    lock: Option<String>,
}

/// See why a user is locked
///
/// The failures since the last success, by what their callers have shown of having been let in before: each kind of caller
/// has five of its own, so that a stranger cannot lock the owner of a known device out.
#[utoipa::path(
    get,
    path = "/api/v2.1/admin/users/{userId}/locks",
    operation_id = "listUserLocks",
    tag = "Users",
    security(("accessToken" = []), ("backendKey" = [])),
    params(("userId" = String, Path, description = "The user's id.", example = json!(examples::USER))),
    responses((status = 200, description = "Failures and locks", body = Success<Locks>,
               example = json!(examples::success(&examples::locks()))))
)]
async fn list_user_locks(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<Read>,
    Path(user): Path<String>,
) -> Result<Success<Locks>, Error> {
    let (user, now) = (user_id(&user)?, app.clock.cautious());
    let locks = flows::list_locks(&app.db, &caller.tenant.id, &user).await?;
    Ok(Success::new(Locks { items: locks.into_iter().map(|lock| LockItem::new(lock, now)).collect() }))
}

/// Unlock a user
///
/// Forgets the failures of one kind of caller, or of all; also where nobody is locked. Staff cannot unlock themselves.
#[utoipa::path(
    post,
    path = "/api/v2.1/admin/users/{userId}/unlock",
    operation_id = "unlockUser",
    tag = "Users",
    security(("accessToken" = []), ("backendKey" = [])),
    params(("userId" = String, Path, description = "The user's id.", example = json!(examples::USER))),
    request_body(content = Unlock, example = json!({ "reason": "Identity confirmed by phone" })),
    responses((status = 200, description = "The user is unlocked", body = Success<Unlocked>,
               example = json!(examples::success(&examples::unlocked()))))
)]
async fn unlock_user(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<ManageUsers>,
    Path(user): Path<String>,
    request: Request,
) -> Result<Success<Unlocked>, Error> {
    let user = user_id(&user)?;
    let (lock, reason) = Unlock::read(request, &app).await?;
    // Whoever holds only a session of staff would guess their password for ever.
    refuse_own(&caller, &user)?;
    let deed = Deed { note: reason.as_deref(), ..caller.deed(None) };
    flows::unlock_user(&app.db, &deed, &user, lock.as_ref(), app.clock.now()).await?;
    let (message, error_type) = ("User unlocked", "NONE");
    let lock = lock.as_ref().map(LockId::to_string);
    Ok(Success::new(Unlocked { success: true, message, error_type, user_id: user.to_string(), lock }))
}
