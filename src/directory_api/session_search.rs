//! `GET /api/v2.1/admin/sessions`: a tenant's sessions by what they have in common, for its backend and staff.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::SharedApp;
use crate::callers::{DirectoryCaller, Read};
use crate::error::Error;
use crate::http::envelope::Success;
use crate::http::paging::PageQuery;
use crate::http::query::Query;
use crate::http::routes::{Routes, routes};
use crate::ids::{CustomerId, UserId};
use crate::sessions::EndReason;
use crate::sessions::search::SessionFilter;
use crate::sessions_api::StateQuery;

use super::examples;
use super::fields::Fields;
use super::sessions::{DirectorySessionPage, page};

/// Its routes.
pub(super) fn router() -> Routes {
    Routes::new().routes(routes!(search_sessions))
}

/// What sessions have in common; what is left out does not matter.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct InCommon {
    /// The user's id.
    #[param(max_length = 64)]
    pub(super) user_id: Option<String>,
    /// The customer's id: the individual, or the organization.
    #[param(max_length = 64)]
    pub(super) customer_id: Option<String>,
    /// The device's id as the app says it at the login: all of it.
    #[param(max_length = 256, example = "device-demo-001")]
    pub(super) device_id: Option<String>,
    /// The platform as the app says it at the login: all of it, in its case.
    #[param(max_length = 256, example = "mobile")]
    pub(super) platform: Option<String>,
    /// The decided address of the login: exactly this one. Where a refresh came from is not searched.
    #[param(max_length = 45, example = "127.0.0.1")]
    pub(super) address: Option<String>,
    /// Opened at this instant or later: RFC 3339.
    #[param(format = DateTime)]
    pub(super) created_after: Option<String>,
    /// Opened before this instant: RFC 3339.
    #[param(format = DateTime)]
    pub(super) created_before: Option<String>,
}

impl InCommon {
    /// Reads it; `at` is where in the request it stands, with a dot behind it.
    pub(super) fn read(&self, at: &str, fields: &mut Fields) -> SessionFilter {
        let named = |name: &str| format!("{at}{name}");
        // Empty would be a condition less than was meant, and more sessions would be found, or end.
        for (name, text) in [("deviceId", &self.device_id), ("platform", &self.platform)] {
            if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
                fields.wrong(&named(name), "must not be empty; leave it out where it does not matter");
            }
        }
        SessionFilter {
            user: fields.id(&named("userId"), self.user_id.as_deref(), UserId::parse),
            customer: fields.id(&named("customerId"), self.customer_id.as_deref(), CustomerId::parse),
            device: fields.text(&named("deviceId"), self.device_id.as_deref(), 256),
            platform: fields.text(&named("platform"), self.platform.as_deref(), 256),
            address: fields.address(&named("address"), self.address.as_deref()),
            created_after: fields.instant(&named("createdAfter"), self.created_after.as_deref()),
            created_before: fields.instant(&named("createdBefore"), self.created_before.as_deref()),
            ..SessionFilter::default()
        }
    }
}

/// How they are.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct EndReasonQuery {
    /// Why it ended: one of the words that `endReason` has in answers. Then those that live are none of them.
    #[param(max_length = 64)]
    end_reason: Option<String>,
}

/// Search sessions
///
/// The newest first. A page looks at 5,000 sessions at most, so with filters it may hold fewer than were asked for, or
/// none, and yet have a `nextCursor`. What is searched by one of `userId`, `deviceId`, `customerId` and `address` is
/// found at once among any number, and so are those of a time.
#[utoipa::path(
    get,
    path = "/api/v2.1/admin/sessions",
    operation_id = "searchSessions",
    tag = "Sessions",
    security(("accessToken" = []), ("backendKey" = [])),
    params(PageQuery, InCommon, StateQuery, EndReasonQuery),
    responses((status = 200, description = "Some sessions", body = Success<DirectorySessionPage>,
               example = json!(examples::page(&[examples::session()]))))
)]
async fn search_sessions(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<Read>,
    Query(query): Query<PageQuery>,
    Query(in_common): Query<InCommon>,
    Query(state): Query<StateQuery>,
    Query(ended): Query<EndReasonQuery>,
) -> Result<Success<DirectorySessionPage>, Error> {
    let mut fields = Fields::default();
    let filter = in_common.read("", &mut fields);
    let end_reason = fields.word("endReason", ended.end_reason.as_deref(), EndReason::ALL, EndReason::as_str);
    fields.finish()?;
    let filter = SessionFilter { state: state.read()?, end_reason, ..filter };
    page(&app, &caller, &query, "all sessions", &filter).await
}
