//! `GET {issuer}/revocations`: what has ended and could still be alive as an access token, for the tenant's backends
//! and gateways that verify tokens by themselves. As JSON, with a wait, or as a stream of server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{self, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use secrecy::SecretString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

use crate::app::{App, SharedApp};
use crate::callers::BackendCaller;
use crate::client::Client;
use crate::error::Error;
use crate::events::revocations::{KEPT_SECONDS, Revocation, RevocationPage, Revoked};
use crate::flows::{RevocationReader, authenticate_backend};
use crate::http::envelope::Success;
use crate::http::headers;
use crate::http::paging::List;
use crate::http::query::Query;
use crate::ids::TenantId;

/// The longest wait, in seconds: proxies give up on answers after half a minute and more.
const LONGEST_WAIT: u64 = 25;
/// A stream shows that it lives at least every second.
const HEARTBEAT: Duration = Duration::from_millis(800);
/// How long a stream's key is believed: whoever revokes one wants it out within seconds.
const BELIEVED: Duration = Duration::from_secs(10);
/// How long a stream lasts. Its reader resumes, at whichever node the balancer chooses then.
const LASTS: Duration = Duration::from_mins(10);

const STREAM: &str = "text/event-stream";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// What nginx is told lest it keeps a stream's events back.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// From where on, and how long to wait.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RevocationsQuery {
    /// `cursor` of the answer before; left out: from the oldest revocation on that still matters.
    #[param(max_length = 1024)]
    after: Option<String>,
    /// How long to wait, in seconds, when nothing is there yet: 0 to 25, 0 when left out. It may be cut to less where
    /// connections count as idle sooner. A stream waits by itself.
    #[serde(default, deserialize_with = "seconds")]
    #[param(minimum = 0, maximum = 25, value_type = Option<u64>)]
    wait: u64,
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let number = text.parse().ok().filter(|number| *number <= LONGEST_WAIT);
    number.ok_or_else(|| D::Error::custom(format!("must be a number of seconds from 0 to {LONGEST_WAIT}")))
}

/// What has ended, in the order in which it became durable.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevocationList {
    revocations: Vec<RevocationView>,
    /// Where to go on: always there, also when nothing has come.
    cursor: String,
    /// Whether there is more already: ask again at once.
    more: bool,
    /// What was durable at this instant is here, or was before (with `more`: or follows at once). Unix milliseconds.
    as_of: i64,
    /// How long ago `asOf` is, in milliseconds. It grows while something keeps endings from becoming visible here.
    behind_ms: i64,
    /// How long an ending matters, in seconds: older ones are left out, for no access token lives so long.
    keep_seconds: i64,
}

/// One session has ended, or all of a user, a customer or the tenant that were opened at `openedUntil` or before: one of
/// the four ids says which. A session's id is a UUID of version 7 and begins with the instant at which it was opened.
#[derive(Default, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevocationView {
    /// The one that has ended: `sid` of its access tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    /// `sub` of the access tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    /// `customerId` of the access tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<String>,
    /// All of the issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<String>,
    /// Unix milliseconds; not with `sessionId`.
    #[serde(skip_serializing_if = "Option::is_none")]
    opened_until: Option<i64>,
    /// With `userId`: the one session that lives on, or null.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    #[expect(clippy::option_option, reason = "left out, null, or an id")]
    except_session_id: Option<Option<String>>,
    /// Why: a session's `endReason`. New words may come.
    reason: String,
}

impl RevocationView {
    fn new(tenant: &TenantId, revocation: Revocation) -> Self {
        let view = Self { reason: revocation.reason, ..Self::default() };
        match revocation.revoked {
            Revoked::Session(id) => Self { session_id: Some(id.to_string()), ..view },
            Revoked::User { id, opened_until, except } => Self {
                user_id: Some(id.to_string()),
                opened_until: Some(opened_until.as_millis()),
                except_session_id: Some(except.map(|id| id.to_string())),
                ..view
            },
            Revoked::Customer { id, opened_until } => Self {
                customer_id: Some(id.to_string()),
                opened_until: Some(opened_until.as_millis()),
                ..view
            },
            Revoked::Tenant { opened_until } => Self {
                tenant_id: Some(tenant.to_string()),
                opened_until: Some(opened_until.as_millis()),
                ..view
            },
        }
    }
}

impl RevocationList {
    fn new(app: &App, tenant: &TenantId, page: RevocationPage) -> Self {
        let now = app.clock.now();
        let as_of = page.as_of.min(now);
        Self {
            revocations: page
                .revocations
                .into_iter()
                .map(|found| RevocationView::new(tenant, found))
                .collect(),
            cursor: list(app, tenant).cursor(&page.next.to_string()),
            more: page.more,
            as_of: as_of.as_millis(),
            behind_ms: now.as_millis() - as_of.as_millis(),
            keep_seconds: KEPT_SECONDS,
        }
    }
}

fn list<'a>(app: &'a App, tenant: &'a TenantId) -> List<'a> {
    List { master: &app.master, tenant, query: "revocations".to_owned() }
}

/// Follow what has ended
///
/// For whoever verifies access tokens by themselves: which sessions have ended whose access tokens have not expired yet.
/// With `Accept: text/event-stream` the same data come as server-sent events (`event: revocations`, `id`: the cursor),
/// one at least every second; `Last-Event-ID` resumes as `after` does. A stream ends after ten minutes at the latest,
/// and its reader resumes.
#[utoipa::path(
    get,
    path = "/t/{slug}/revocations",
    operation_id = "getRevocations",
    tag = "Issuer",
    params(
        ("slug" = String, Path, description = "The tenant's slug", example = "tenant-demo-001"),
        RevocationsQuery,
    ),
    security(("backendKey" = [])),
    responses((
        status = 200,
        description = "What has ended, from the cursor on",
        content(
            (Success<RevocationList> = "application/json", example = json!({
                "code": 200,
                "data": {
                    "revocations": [
                        { "sessionId": "019cf818-6d1e-7c3e-9b1a-5d0f6f1e2a3b", "reason": "logout" },
                        {
                            "userId": "4f0d7a8e-52c3-4d0b-8f5a-9a3be1c2d001",
                            "openedUntil": 1_773_690_572_123_i64,
                            "exceptSessionId": "019cf832-4ce0-7b10-8f2d-1c0b9a8e7d6f",
                            "reason": "password_changed"
                        },
                        {
                            "customerId": "0b6f3c52-7c1e-4a7e-9d38-51c1a0a1d001",
                            "openedUntil": 1_773_690_574_456_i64,
                            "reason": "customer_closed"
                        },
                        {
                            "tenantId": "11111111-2222-4333-8444-555555555555",
                            "openedUntil": 1_773_690_575_789_i64,
                            "reason": "ended_by_operator"
                        }
                    ],
                    "cursor": "vpc1.k1.NDI.AAAAAAAAAAAAAAAAAAAAAA",
                    "more": false,
                    "asOf": 1_773_690_579_000_i64,
                    "behindMs": 0,
                    "keepSeconds": 3_670
                },
                "message": "Success"
            })),
            (String = "text/event-stream", example = "id: vpc1.k1.NDI.AAAAAAAAAAAAAAAAAAAAAA\nevent: revocations\n\
                data: {\"revocations\":[],\"cursor\":\"vpc1.k1.NDI.AAAAAAAAAAAAAAAAAAAAAA\",\"more\":false,\
                \"asOf\":1773690579000,\"behindMs\":0,\"keepSeconds\":3670}\n\n"),
        )
    ))
)]
pub(super) async fn get_revocations(
    State(app): State<SharedApp>,
    caller: BackendCaller,
    Path(slug): Path<String>,
    Query(query): Query<RevocationsQuery>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    if slug != caller.tenant.slug {
        return Err(Error::NotFound);
    }
    let tenant = caller.tenant.id;
    let streams = accepts_stream(&headers);
    // A browser resumes at the address it began with: the header is the newer of the two.
    let last = headers.get(LAST_EVENT_ID).filter(|_| streams).and_then(|value| value.to_str().ok());
    let after = last.or(query.after.as_deref()).map(|cursor| position(&app, &tenant, cursor)).transpose()?;
    let mut reader = RevocationReader::new(app.clone(), tenant.clone(), after);
    let newer = "is newer than the newest event: the database is an older copy of itself; begin without one";
    let first = reader.read().await?.ok_or_else(|| Error::invalid("after", newer))?;
    if streams {
        reader.sit()?;
        let (key, secret) = headers::basic(&headers).ok_or(Error::BackendKey)?;
        let now = Instant::now();
        let stream = Stream {
            app,
            tenant,
            reader,
            key,
            secret,
            client: caller.client,
            asked: now,
            until: now + LASTS,
        };
        return Ok(stream.answer(first));
    }
    let wait = Duration::from_secs(query.wait).min(app.revocations.longest_wait());
    let page = if wait.is_zero() || !first.revocations.is_empty() || !reader.sit()? {
        first
    } else {
        reader.wait(wait).await?.0
    };
    Ok(Success::new(RevocationList::new(&app, &tenant, page)).into_response())
}

fn accepts_stream(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges = accepted.flat_map(|value| value.split(','));
    ranges.any(|range| range.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(STREAM)))
}

fn position(app: &App, tenant: &TenantId, cursor: &str) -> Result<i64, Error> {
    let position = list(app, tenant).position(cursor).and_then(|position| position.parse().ok());
    position.ok_or_else(|| Error::invalid("after", "is no cursor of this feed; begin without one"))
}

/// A stream of server-sent events.
struct Stream {
    app: SharedApp,
    tenant: TenantId,
    reader: RevocationReader,
    key: String,
    secret: SecretString,
    client: Client,
    /// When the key was last found to be good.
    asked: Instant,
    until: Instant,
}

impl Stream {
    fn answer(self, first: RevocationPage) -> Response {
        let shown = self.event(first);
        let events = stream::unfold((Some(shown), Some(self)), |(shown, stream)| async move {
            match (shown, stream) {
                (Some(shown), stream) => Some((shown, (None, stream))),
                (None, Some(mut stream)) => {
                    let (page, goes_on) = stream.next().await?;
                    let shown = stream.event(page);
                    Some((shown, (None, Some(stream).filter(|_| goes_on))))
                }
                (None, None) => None,
            }
        });
        let mut response = Sse::new(events.map(Ok::<_, Infallible>)).into_response();
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.headers_mut().insert(UNBUFFERED.0, UNBUFFERED.1);
        response
    }

    /// What to show next, and whether there will be more. `None`: the end.
    async fn next(&mut self) -> Option<(RevocationPage, bool)> {
        if self.until <= Instant::now() {
            return None;
        }
        if self.asked.elapsed() >= BELIEVED {
            self.asked = Instant::now();
            match authenticate_backend(&self.app, &self.key, &self.secret, &self.client).await {
                // Nothing new can be seen then either.
                Ok(_) | Err(Error::Unavailable(_)) => (),
                Err(_) => return None,
            }
        }
        self.reader.wait(HEARTBEAT).await.ok()
    }

    fn event(&self, page: RevocationPage) -> sse::Event {
        let list = RevocationList::new(&self.app, &self.tenant, page);
        let text = serde_json::to_string(&list).unwrap_or_default();
        sse::Event::default().id(list.cursor).event("revocations").data(text)
    }
}
