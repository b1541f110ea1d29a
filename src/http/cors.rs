//! Cross-origin calls from browsers: off until a tenant lists an origin (Fetch standard §3.2).

use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::client::WebOrigin;
use crate::error::Error;
use crate::tenants;

use super::headers;

/// The headers a web app may send: those of the documented calls, and the request's ids.
const REQUEST_HEADERS: &str = "authorization, content-type, deviceid, device-id, platform, x-correlation-id, \
                               x-device-id, x-device-proof, x-forwarded-for, x-forwarded-from, x-request-id, x-tenant-id";

/// What a web app may read beside the body: when to come back, and what to quote in a complaint.
const EXPOSED_HEADERS: &str = "RateLimit, RateLimit-Policy, Retry-After, X-Request-ID";

/// Answers a preflight, or runs the request and gives its answer the headers its tenant allows.
pub async fn answer(app: &App, mut request: Request, next: Next) -> Response {
    let Some(origin) = headers::origin(request.headers()) else { return next.run(request).await };
    if request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return match preflight(app, &origin).await {
            Ok(response) => response,
            Err(error) => error.into_response(),
        };
    }
    request.extensions_mut().insert(origin.clone());
    let mut response = next.run(request).await;
    if origin.is_admitted() {
        allow(response.headers_mut(), &origin);
    }
    response
}

/// A preflight names no tenant: it is allowed when any active tenant lists exactly this origin, or it is
/// our own. One indexed read; the call itself is held to its own tenant.
async fn preflight(app: &App, origin: &WebOrigin) -> Result<Response, Error> {
    let ours = origin.as_str() == app.options.public_url;
    let listed = ours || !app.db.fetch(tenants::store::find_origin(origin.as_str())).await?.is_empty();
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    if listed {
        allow(headers, origin);
        headers
            .insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE"));
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
    Ok(response)
}

fn allow(headers: &mut HeaderMap, origin: &WebOrigin) {
    if let Ok(value) = HeaderValue::from_str(origin.as_str()) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, value);
        headers.insert(VARY, HeaderValue::from_static("Origin"));
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED_HEADERS));
    }
}
