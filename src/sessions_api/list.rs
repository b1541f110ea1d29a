//! `GET …/users/{userId}/sessions`: the user's sessions.

use axum::Extension;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::SharedApp;
use crate::callers::UserCaller;
use crate::error::Error;
use crate::flows::find_sessions;
use crate::http::envelope::Success;
use crate::http::paging::{List, PageQuery};
use crate::http::query::Query;
use crate::sessions::search::{SessionFilter, SessionState};
use crate::tenants::Family;

use super::{SessionView, own_path};

/// Which of them.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StateQuery {
    /// `live`, `ended` or `all`, which it is when left out.
    #[param(example = "live")]
    state: Option<String>,
}

impl StateQuery {
    /// `None`: all.
    pub(crate) fn read(&self) -> Result<Option<SessionState>, Error> {
        match self.state.as_deref() {
            None | Some("all") => Ok(None),
            Some(word) => match SessionState::ALL.into_iter().find(|state| state.as_str() == word) {
                Some(state) => Ok(Some(state)),
                None => Err(Error::invalid("state", "must be one of live, ended, all")),
            },
        }
    }
}

/// Some of the user's sessions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionPage {
    items: Vec<SessionView>,
    /// Begin the next page with it; null where this is the last. With `state` a page may hold fewer sessions than were
    /// asked for, or none, and yet not be the last.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// List the user's sessions
///
/// The caller's own, ended or not, the newest first. Only `Authorization` and `X-Tenant-ID` are required.
#[utoipa::path(
    get,
    path = "/users/{userId}/sessions",
    operation_id = "listSessions",
    security(("accessToken" = [])),
    params(PageQuery, StateQuery),
    responses((status = 200, description = "Some of the sessions", body = Success<SessionPage>))
)]
pub(super) async fn list_sessions(
    State(app): State<SharedApp>,
    Extension(family): Extension<Family>,
    Path((owner, user)): Path<(String, String)>,
    caller: UserCaller,
    Query(page): Query<PageQuery>,
    Query(query): Query<StateQuery>,
) -> Result<Success<SessionPage>, Error> {
    own_path(family, &owner, &user, &caller)?;
    let filter = SessionFilter {
        user: Some(caller.user.id.clone()),
        family: Some(family),
        state: query.read()?,
        ..SessionFilter::default()
    };
    let tenant = &caller.tenant;
    let list = List { master: &app.master, tenant: &tenant.id, query: format!("sessions {filter:?}") };
    let (after, now) = (page.after(&list)?, app.clock.now());
    let found = find_sessions(&app.db, tenant, &filter, after, page.size(), now).await?;
    let items = found.items.iter().map(|found| SessionView::new(&caller, &found.session, now)).collect();
    Ok(Success::new(SessionPage { items, next_cursor: found.next.map(|id| list.cursor(&id)) }))
}
