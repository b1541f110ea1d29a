//! `DELETE …/users/{userId}/sessions/{sessionId}`: log out. `DELETE …/users/{userId}/sessions`: log out everywhere.

use axum::Extension;
use axum::extract::{Path, State};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::SharedApp;
use crate::callers::{LeavingCaller, UserCaller};
use crate::error::Error;
use crate::flows::{self, Ending, end_user_sessions, find_session};
use crate::http::envelope::Success;
use crate::http::paths;
use crate::http::query::Query;
use crate::sessions::EndReason;
use crate::tenants::Family;

use super::{SessionEnded, SessionsEnded, own_path};

/// End a session (log out)
///
/// Answers 200 however often it is sent: for the token's own session neither the token's `exp` nor the
/// session's end is held against it. Another session of the same user can be ended with a live one.
#[utoipa::path(
    delete,
    path = "/users/{userId}/sessions/{sessionId}",
    operation_id = "endSession",
    security(("accessToken" = [])),
    responses((status = 200, description = "The session has ended", body = Success<SessionEnded>))
)]
pub(super) async fn end_session(
    State(app): State<SharedApp>,
    Extension(family): Extension<Family>,
    Path((owner, user, session)): Path<(String, String, String)>,
    caller: LeavingCaller,
) -> Result<Success<SessionEnded>, Error> {
    let id = paths::session(&session)?;
    let own = id == caller.session().id;
    let caller = if own { caller.whatever_its_state() } else { caller.alive()? };
    own_path(family, &owner, &user, &caller)?;
    let UserCaller { tenant, user, session, client } = caller;
    let session = if own {
        session
    } else {
        find_session(&app, &tenant, &user, family, &id).await?.ok_or(Error::NotFound)?
    };
    let ended = flows::end_session(&app, &tenant, &user, &session, &Ending::logout(&user, &client)).await?;
    Ok(Success::new(SessionEnded::new(&id, &ended)))
}

/// Which sessions live on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EndSessionsQuery {
    /// `current`: the session of the token that asks lives on. Left out: none does.
    #[param(pattern = "^current$")]
    except: Option<String>,
}

/// End all sessions (log out everywhere)
///
/// All of the caller's own sessions, or with `except=current` all others: to be sure of a device that is lost. Their
/// tokens are refused from the next request on.
#[utoipa::path(
    delete,
    path = "/users/{userId}/sessions",
    operation_id = "endSessions",
    security(("accessToken" = [])),
    params(EndSessionsQuery),
    responses((status = 200, description = "The sessions have ended", body = Success<SessionsEnded>))
)]
pub(super) async fn end_sessions(
    State(app): State<SharedApp>,
    Extension(family): Extension<Family>,
    Path((owner, user)): Path<(String, String)>,
    caller: UserCaller,
    Query(query): Query<EndSessionsQuery>,
) -> Result<Success<SessionsEnded>, Error> {
    let kept = match query.except.as_deref() {
        None => None,
        Some("current") => Some(&caller.session.id),
        Some(_) => return Err(Error::invalid("except", "must be `current`, or be left out")),
    };
    own_path(family, &owner, &user, &caller)?;
    let (user, now) = (&caller.user, app.clock.now());
    let whose = (&user.id, &user.customer_id);
    end_user_sessions(&app.db, &caller.deed(), whose, kept, EndReason::Logout, now).await?;
    Ok(Success::new(SessionsEnded::new(now)))
}
