//! `GET /api/v2.1/events`: what happened in the tenant, for its backend and staff.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::app::SharedApp;
use crate::callers::{DirectoryCaller, Read};
use crate::error::Error;
use crate::events::{EventFilter, EventName, FeedPlace, OF_ANOTHER_HISTORY, Recorded};
use crate::flows::{EventPage, read_events};
use crate::http::envelope::Success;
use crate::http::paging::{DEFAULT_LIMIT, List, limit};
use crate::http::query::Query;
use crate::ids::{SessionId, UserId};

use super::fields::Fields;

/// Which events, and from where on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// `nextCursor` of the page before, with the same filters; left out: from the tenant's first event on.
    #[param(max_length = 1024)]
    after: Option<String>,
    /// Only events of these types, separated by commas; left out: all. The words:
    /// `authn_login_success`, `authn_login_fail`, `authn_login_fail_max`, `authn_login_lock`,
    /// `authn_login_unlock`, `authn_login_new_device`, `authn_token_reuse`, `authn_refresh_fail`,
    /// `authn_password_change`, `authn_password_change_fail`, `authn_password_reset_request`,
    /// `authz_fail`, `excess_rate_limit_exceeded`, `session_expired`, `sessions_ended`,
    /// `session_network_changed`, `device_forgotten`, `customer_created`, `customer_updated`,
    /// `customer_status_changed`, `customer_erased`, `user_created`, `user_updated`,
    /// `user_status_changed`, `user_erased`, `users_imported`, `users_exported`,
    /// `privilege_permissions_changed`, `tenant_created`, `tenant_updated`,
    /// `tenant_status_changed`, `tenant_key_created`, `tenant_key_revoked`, `signing_key_created`,
    /// `signing_key_retired`, `store_rolled_back`, `audit_events_deleted`, `store_restored`.
    #[param(max_length = 2048, example = "authn_login_new_device,authn_password_change")]
    r#type: Option<String>,
    /// Only what was done to this user.
    #[param(max_length = 64)]
    user_id: Option<String>,
    /// Only what happened with this session.
    #[param(max_length = 64)]
    session_id: Option<String>,
    /// Only what happened at this instant or later: RFC 3339.
    #[param(format = DateTime)]
    occurred_after: Option<String>,
    /// Only what happened before this instant: RFC 3339.
    #[param(format = DateTime)]
    occurred_before: Option<String>,
    /// How many at most: 1 to 200, 50 when left out.
    #[serde(default, deserialize_with = "limit")]
    #[param(minimum = 1, maximum = 200, value_type = Option<u32>)]
    limit: Option<u32>,
}

/// Events in their order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventList {
    items: Vec<EventView>,
    /// Where to go on, now or later: always there, also when nothing is left.
    next_cursor: String,
    /// Whether there is more already. With filters a page may be short, or empty, although there is.
    more: bool,
}

/// Who did what to whom, why, when and from where.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventView {
    /// From 1 on, without a gap within the tenant.
    position: i64,
    id: String,
    /// What happened. New words may come.
    r#type: String,
    /// `success` or `failure`.
    outcome: String,
    occurred_at: String,
    actor: ActorView,
    /// To which user it was done; null where none is known.
    user_id: Option<String>,
    /// To which customer; null where it is not about one.
    customer_id: Option<String>,
    /// With which session; null where there is none.
    session_id: Option<String>,
    /// A word: why.
    reason: Option<String>,
    /// `X-Request-ID` of the call that did it; null where no call did.
    request_id: Option<String>,
    /// What else belongs to this type of event.
    #[schema(value_type = Object)]
    details: Value,
    /// Addresses, agent and device of whoever called; null where nobody did, and once the person is erased.
    #[schema(value_type = Option<Object>)]
    personal: Option<Value>,
}

/// Who did it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActorView {
    /// `user`, `staff`, `backend`, `operator`, `system` (Vestibule, as time passes) or `unknown`.
    kind: String,
    /// The id of the user, of the tenant key or of the operator; null where there is none.
    id: Option<String>,
}

impl From<Recorded> for EventView {
    fn from(event: Recorded) -> Self {
        Self {
            position: event.position,
            id: event.id,
            r#type: event.name,
            outcome: event.outcome,
            occurred_at: event.occurred_at.to_string(),
            actor: ActorView { kind: event.actor_kind, id: event.actor_id },
            user_id: event.user_id,
            customer_id: event.customer_id,
            session_id: event.session_id,
            reason: event.reason,
            request_id: event.request_id,
            details: event.details,
            personal: event.personal,
        }
    }
}

/// Read the tenant's events
///
/// In the order in which they became durable, each once. Keep `nextCursor` and ask again with it: nothing is missed,
/// whenever that is. An event is there within a quarter of a second after its deed.
#[utoipa::path(
    get,
    path = "/api/v2.1/events",
    operation_id = "getEvents",
    tag = "Events",
    params(EventsQuery),
    security(("accessToken" = []), ("backendKey" = [])),
    responses((
        status = 200,
        description = "A page of events",
        body = Success<EventList>,
        example = json!({
            "code": 200,
            "data": {
                "items": [{
                    "position": 42,
                    "id": "019cf832-4ce0-7a01-9c3e-5a1b2c3d4e5f",
                    "type": "authn_login_new_device",
                    "outcome": "success",
                    "occurredAt": "2026-03-16T19:49:32.000Z",
                    "actor": { "kind": "user", "id": "8b0f5f0e-7c1d-4b8e-9a53-3d8c1f2e4a6b" },
                    "userId": "8b0f5f0e-7c1d-4b8e-9a53-3d8c1f2e4a6b",
                    "customerId": "5d3c2b1a-0f9e-4d8c-b7a6-958473625140",
                    "sessionId": "019cf832-4ce0-7b10-8f2d-1c0b9a8e7d6f",
                    "reason": null,
                    "requestId": "c2a4e6f8-1b3d-4f5a-8c7e-9d0b1a2c3e4f",
                    "details": { "firstDevice": false },
                    "personal": {
                        "clientIp": "203.0.113.7",
                        "clientIpReason": "peer",
                        "peer": "203.0.113.7",
                        "forwardedFor": "203.0.113.7",
                        "source": "client-app",
                        "platform": "mobile",
                        "deviceId": "device-demo-001",
                        "userAgent": "ExampleApp/1.0",
                        "correlationId": null
                    }
                }],
                "nextCursor": "vpc1.k1.NDI.AAAAAAAAAAAAAAAAAAAAAA",
                "more": false
            },
            "message": "Success"
        })
    ))
)]
pub(super) async fn get_events(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<Read>,
    Query(query): Query<EventsQuery>,
) -> Result<Success<EventList>, Error> {
    let mut fields = Fields::default();
    let filter = EventFilter {
        types: types(query.r#type.as_deref())?,
        user: fields.id("userId", query.user_id.as_deref(), UserId::parse),
        session: fields.id("sessionId", query.session_id.as_deref(), SessionId::parse),
        since: fields.instant("occurredAfter", query.occurred_after.as_deref()),
        before: fields.instant("occurredBefore", query.occurred_before.as_deref()),
    };
    fields.finish()?;
    let tenant = &caller.tenant.id;
    let list = List { master: &app.master, tenant, query: named(&filter) };
    let wrong = || Error::invalid("after", "is no cursor of this feed with these filters; begin without one");
    let after = query
        .after
        .as_deref()
        .map(|cursor| list.position(cursor).and_then(|place| FeedPlace::parse(&place)).ok_or_else(wrong));
    let (after, limit) = (after.transpose()?, query.limit.unwrap_or(DEFAULT_LIMIT));
    let page = read_events(&app.db, tenant, &filter, after, limit)
        .await?
        .ok_or_else(|| Error::invalid("after", OF_ANOTHER_HISTORY))?;
    let EventPage { events, next, more } = page;
    Ok(Success::new(EventList {
        items: events.into_iter().map(EventView::from).collect(),
        next_cursor: list.cursor(&next.to_string()),
        more,
    }))
}

/// The feed of a filter, for its cursors.
fn named(filter: &EventFilter) -> String {
    let words = filter.types.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(",");
    let mut name = format!("events type={words}");
    let others = [
        ("user", filter.user.as_ref().map(ToString::to_string)),
        ("session", filter.session.as_ref().map(ToString::to_string)),
        ("after", filter.since.as_ref().map(ToString::to_string)),
        ("before", filter.before.as_ref().map(ToString::to_string)),
    ];
    for (word, value) in others {
        if let Some(value) = value {
            name.extend([" ", word, "=", &value]);
        }
    }
    name
}

/// The types asked for, in one order whatever theirs was; none: all.
fn types(words: Option<&str>) -> Result<Vec<EventName>, Error> {
    let mut types = Vec::new();
    for word in words.into_iter().flat_map(|words| words.split(',')) {
        let known = EventName::parse(word).filter(|name| name.is_of_tenants());
        types.push(known.ok_or_else(|| {
            let shown: String = word.chars().take(40).filter(|character| !character.is_control()).collect();
            let message =
                format!("{shown:?} is no type of event; docs/events.md has the words, and so has this parameter in /openapi.json");
            Error::invalid("type", message)
        })?);
    }
    types.sort_by_key(|name| name.as_str());
    types.dedup();
    Ok(types)
}
