//! `GET {issuer}/revocations`: what has ended and could still be alive as an access token, for the tenant's backends
//! and gateways that verify tokens by themselves. As JSON, with a wait, or as a stream of server-sent events.

mod stream;
mod views;

use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use tokio::time::Instant;
use utoipa::IntoParams;

use crate::app::{App, SharedApp};
use crate::callers::BackendCaller;
use crate::error::Error;
use crate::events::{FeedPlace, OF_ANOTHER_HISTORY};
use crate::flows::{self, RevocationReader};
use crate::http::envelope::Success;
use crate::http::paging::List;
use crate::http::query::Query;
use crate::ids::TenantId;

use stream::{Followed, Stream};
use views::RevocationList;

/// The longest wait, in seconds: proxies give up on answers after half a minute and more.
const LONGEST_WAIT: u64 = 25;
const STREAM: &str = "text/event-stream";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
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
    /// How many events of the tenant's sealed log you hold a checkpoint of; 0 for none. The answer then has the newest
    /// checkpoint, with the proof that its log goes on from yours. A stream has it in its first event, and whenever it
    /// has grown.
    #[serde(default, deserialize_with = "size")]
    #[param(minimum = 0, value_type = Option<i64>)]
    checkpoint: Option<u64>,
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let number = text.parse().ok().filter(|number| *number <= LONGEST_WAIT);
    number.ok_or_else(|| D::Error::custom(format!("must be a number of seconds from 0 to {LONGEST_WAIT}")))
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let number = String::deserialize(deserializer)?.parse().ok().filter(|size| i64::try_from(*size).is_ok());
    number.map(Some).ok_or_else(|| D::Error::custom("must be the size of a checkpoint, 0 for none"))
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
///
/// With `checkpoint` the answer also has the newest checkpoint of the tenant's sealed log: whoever keeps it, and demands of
/// the next that it goes on from there, is a witness that no event was altered or taken away.
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
    let after = last.or(query.after.as_deref()).map(|cursor| place(&app, &tenant, cursor)).transpose()?;
    let mut reader = RevocationReader::new(app.clone(), tenant.clone(), after);
    let first = reader.read().await?.ok_or_else(|| Error::invalid("after", OF_ANOTHER_HISTORY))?;
    if streams {
        reader.sit()?;
        let (key, secret) = caller.shown;
        let now = Instant::now();
        let client = caller.client;
        let log = query.checkpoint.map(Followed::from);
        let stream = Stream { app, tenant, reader, log, key, secret, client, began: now, asked: now };
        return stream.answer(first).await;
    }
    let wait = Duration::from_secs(query.wait).min(app.revocations.options().longest_wait);
    let page = if wait.is_zero() || !first.revocations.is_empty() || !reader.sit()? {
        first
    } else {
        reader.wait(wait).await?.0
    };
    let told = match query.checkpoint {
        Some(held) => Some(flows::newest_checkpoint(&app.db, &tenant, held).await?),
        None => None,
    };
    Ok(Success::new(RevocationList::new(&app, &tenant, page, told)).into_response())
}

fn accepts_stream(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges = accepted.flat_map(|value| value.split(','));
    ranges.any(|range| range.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(STREAM)))
}

fn place(app: &App, tenant: &TenantId, cursor: &str) -> Result<FeedPlace, Error> {
    let place = list(app, tenant).position(cursor).and_then(|place| FeedPlace::parse(&place));
    place.ok_or_else(|| Error::invalid("after", "is no cursor of this feed; begin without one"))
}
