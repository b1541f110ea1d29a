//! `DELETE …/users/{userId}/sessions/{sessionId}`: log out.

use axum::Extension;
use axum::extract::{Path, State};

use crate::app::SharedApp;
use crate::callers::{LeavingCaller, UserCaller};
use crate::error::Error;
use crate::flows::{self, Ending, find_session};
use crate::http::envelope::Success;
use crate::http::paths;
use crate::tenants::Family;

use super::{SessionEnded, own_path};

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
