//! The envelope every answer comes in: `{ "code", "data", "message" }`, in that order (docs/contract-notes.md).

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW, CACHE_CONTROL, CONTENT_TYPE,
    RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::error::Error;

/// Which limit refused, and when it lets more through (draft-ietf-httpapi-ratelimit-headers).
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// `application/json` with its charset said, for readers that would guess (R122).
pub const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// A successful answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Success<T> {
    /// The HTTP status.
    #[schema(example = 200)]
    pub code: u16,
    pub data: T,
    #[schema(example = "Success")]
    pub message: &'static str,
}

impl<T> Success<T> {
    pub const fn new(data: T) -> Self {
        Self { code: 200, data, message: "Success" }
    }
}

impl<T: Serialize> IntoResponse for Success<T> {
    fn into_response(self) -> axum::response::Response {
        match serde_json::to_vec(&self) {
            Ok(body) => json_response(StatusCode::OK, body),
            Err(error) => Error::Internal(error.into()).into_response(),
        }
    }
}

/// A JSON answer that must not be kept by anybody (R122).
#[must_use]
pub fn json_response(status: StatusCode, body: Vec<u8>) -> axum::response::Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An error on its way to the middleware that knows the request's id and writes the body.
#[derive(Clone, Debug)]
pub struct Refusal(pub Arc<Error>);

impl IntoResponse for Error {
    fn into_response(self) -> axum::response::Response {
        let status = StatusCode::from_u16(self.parts().0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        response.extensions_mut().insert(Refusal(Arc::new(self)));
        response
    }
}

/// What other layers say of an answer and its envelope does not: the route's methods, and CORS, without
/// which a web app cannot read why it was refused.
const KEPT: [HeaderName; 4] = [ALLOW, VARY, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS];

/// Gives any refusal, whatever layer it comes from, its body and headers.
#[must_use]
pub fn render(response: axum::response::Response, request_id: &str) -> axum::response::Response {
    render_as(response, |error, status| (status, body(error, status, request_id), error.challenge()))
}

/// The same in any format: `form` makes an answer's status, body and challenge of a refusal and its status.
pub(super) fn render_as(
    response: axum::response::Response,
    form: impl FnOnce(&Error, StatusCode) -> (StatusCode, Vec<u8>, Option<&'static str>),
) -> axum::response::Response {
    let status = response.status();
    let refusal = response.extensions().get::<Refusal>().cloned();
    if refusal.is_none() && !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let error = refusal.map_or_else(|| Arc::new(from_status(status)), |refusal| refusal.0);
    let (status, body, challenge) = form(&error, status);
    let mut rendered = json_response(status, body);
    set_headers(rendered.headers_mut(), &error, challenge);
    for name in KEPT {
        if let Some(value) = response.headers().get(&name) {
            rendered.headers_mut().insert(name, value.clone());
        }
    }
    rendered.extensions_mut().insert(Refusal(error));
    rendered
}

fn body(error: &Error, status: StatusCode, request_id: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Envelope<'a> {
        code: u16,
        data: serde_json::Map<String, serde_json::Value>,
        message: &'a str,
    }
    let mut data = error.data();
    data.insert("requestId".to_owned(), json!(request_id));
    let envelope = Envelope { code: status.as_u16(), data, message: &error.to_string() };
    serde_json::to_vec(&envelope).unwrap_or_default()
}

fn set_headers(headers: &mut HeaderMap, error: &Error, challenge: Option<&'static str>) {
    if let Some(seconds) = error.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Error::TooManyRequests(exceeded) = error {
        for (name, value) in [(RATE_LIMIT_POLICY, exceeded.policy()), (RATE_LIMIT, exceeded.state())] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
    if let Some(challenge) = challenge {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
}

/// What the framework refused by itself, in our words.
fn from_status(status: StatusCode) -> Error {
    match status {
        StatusCode::NOT_FOUND => Error::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Error::MethodNotAllowed,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Error::MediaType,
        StatusCode::REQUEST_TIMEOUT => Error::Timeout,
        status if status.is_client_error() => Error::malformed("request", "could not be read"),
        status => Error::Internal(anyhow::anyhow!("an answer of status {status} without an error")),
    }
}
