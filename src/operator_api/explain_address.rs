//! `/operator/v1/explain-address`: which address would count as a request's client's, and why.

use std::net::IpAddr;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::ToSchema;

use super::BODY_LIMIT;
use crate::app::SharedApp;
use crate::callers::OperatorCaller;
use crate::error::Error;
use crate::http::envelope::Success;
use crate::http::explain::{AddressExplanation, Asked, explain};
use crate::http::json;
use crate::http::routes::{Routes, routes};

pub(super) fn router() -> Routes {
    Routes::new().routes(routes!(explain_address))
}

/// A request as it would come in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ExplainAddress {
    /// The address at the other end of the connection.
    peer: String,
    /// Its header lines as sent, each `Name: value`; none when left out.
    #[serde(default)]
    #[schema(max_items = 100)]
    headers: Vec<String>,
    /// Whether a good `backend` key comes with it whose tenant has `trustBackendAddress`; false when left out.
    #[serde(default)]
    backend_vouches: bool,
}

/// Explain a client's address
///
/// Which address would count as a client's of such a request, by this server's `trusted_proxies` and `proxy_header`, and
/// why: hop by hop, with what is ignored. Nothing is written.
#[utoipa::path(
    post,
    path = "/operator/v1/explain-address",
    operation_id = "explainAddress",
    tag = "Operators",
    security(("operatorToken" = [])),
    request_body(content = ExplainAddress, example = json!({
        "peer": "203.0.113.9", "headers": ["X-Forwarded-For: 198.51.100.7", "X-Real-IP: 198.51.100.7"],
    })),
    responses((status = 200, description = "The decision", body = Success<AddressExplanation>,
        example = json!({ "code": 200, "data": {
            "clientIp": "203.0.113.9", "clientIpReason": "peer",
            "because": "203.0.113.9 is no trusted proxy, so it counts, whatever it sent.",
            "peer": "203.0.113.9", "peerIsTrusted": false, "proxyHeader": "X-Forwarded-For",
            "hops": [{ "text": "198.51.100.7", "ip": "198.51.100.7", "verdict": "not_read" }],
            "ignored": [
                { "name": "x-forwarded-for", "why": "Recorded, and not believed: the peer is no trusted proxy." },
                { "name": "x-real-ip", "why": "Never looked at." },
            ],
        }, "message": "Success" })))
)]
async fn explain_address(
    State(app): State<SharedApp>,
    _caller: OperatorCaller,
    headers: HeaderMap,
    body: Body,
) -> Result<Success<AddressExplanation>, Error> {
    let body: ExplainAddress = json::read(&headers, body, BODY_LIMIT, &app).await?;
    let peer: IpAddr = body.peer.parse().map_err(|_| {
        Error::invalid("peer", "must be an IPv4 or IPv6 address without port, like 198.51.100.7")
    })?;
    let asked = Asked { peer, headers: &body.headers, vouched: body.backend_vouches };
    Ok(Success::new(explain(&asked, &app.options.proxies)?))
}
