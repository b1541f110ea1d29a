//! What every request goes through, from the outside in: id and log, security headers, the envelope of
//! refusals, CORS, panics, and what is refused before any route is looked for.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use metrics::{counter, histogram};
use tracing::{error, info, warn};

use crate::app::{App, SharedApp};
use crate::client::SeenTenant;
use crate::error::Error;
use crate::ids::{TenantId, random_uuid};

use super::envelope::{Refusal, render};
use super::query::QueryNames;
use super::{bare, cors, headers};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// The request's id: the caller's if it is one, else ours; and the caller's correlation id beside it.
#[derive(Clone, Default, Debug)]
pub struct RequestId {
    pub id: String,
    pub correlation: Option<String>,
    /// The tenant, as soon as somebody knows it.
    pub tenant: SeenTenant,
}

/// The outermost layer: gives the request its id, the answer its envelope and headers, the log its line.
pub async fn answer(State(app): State<SharedApp>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId {
        id: headers::token_text(request.headers(), &REQUEST_ID).unwrap_or_else(random_uuid),
        correlation: headers::token_text(request.headers(), &CORRELATION_ID),
        tenant: SeenTenant::default(),
    };
    request.extensions_mut().insert(id.clone());
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method = request.method().clone();
    let speaks_bare = bare::is_spoken_at(request.uri().path());

    let response = cors::answer(&app, request, next).await;
    let mut response = if speaks_bare { bare::render(response) } else { render(response, &id.id) };
    set_headers(&mut response, &id, &app);
    let observed = Observed {
        method: standard_method(&method),
        route: route.as_deref().unwrap_or("(none)"),
        status: response.status().as_u16(),
        seconds: started.elapsed().as_secs_f64(),
    };
    observed.log(&id, response.extensions().get::<Refusal>());
    observed.count();
    if let Some(refusal) = response.extensions().get::<Refusal>() {
        count_refusal(&app, &refusal.0);
    }
    response
}

/// Refuses what no route should see: a header twice, credentials in the URL, a path that proxies and we
/// might read differently.
pub async fn refuse_the_odd(
    State((app, queries)): State<(SharedApp, Arc<QueryNames>)>,
    request: Request,
    next: Next,
) -> Response {
    match check(&request, &app, &queries) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn check(request: &Request, app: &App, queries: &QueryNames) -> Result<(), Error> {
    let peer = headers::peer(request.extensions());
    headers::check(request.headers(), peer, &app.options.proxies)?;
    let path = request.uri().path();
    // No path of ours needs escapes; whoever sends one wants two readers to differ (R128).
    let climbs = path.split('/').any(|part| part == "." || part == "..");
    if climbs || path.contains(['%', ';', '\\']) || path.contains("//") {
        return Err(Error::NotFound);
    }
    let ours = ["/api/", "/operator/", "/oauth2/"].iter().any(|prefix| path.starts_with(prefix));
    if ours || path.ends_with("/revocations") {
        queries.check(request)?;
    }
    Ok(())
}

/// A panic is one request's 500 (R158).
#[must_use]
pub fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    // Not the panic's own words, which may hold what caused it; the panic hook has logged its place.
    drop(panic);
    Error::Internal(anyhow::anyhow!("a handler panicked")).into_response()
}

fn set_headers(response: &mut Response, id: &RequestId, app: &App) {
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id.id) {
        headers.insert(REQUEST_ID, value);
    }
    if let Some(value) = id.correlation.as_deref().and_then(|id| HeaderValue::from_str(id).ok()) {
        headers.insert(CORRELATION_ID, value);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    if app.options.https {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}

struct Observed<'a> {
    method: &'static str,
    route: &'a str,
    status: u16,
    seconds: f64,
}

impl Observed<'_> {
    /// One line a request: the route as we call it, never the path, the query, a header or a body.
    fn log(&self, id: &RequestId, refusal: Option<&Refusal>) {
        let Self { method, route, status, seconds } = self;
        let request_id = id.id.as_str();
        let correlation_id = id.correlation.as_deref();
        let tenant = id.tenant.get().map(TenantId::as_str);
        let duration_ms = (seconds * 1_000_000.0).round() / 1_000.0;
        let error_type = refusal.map(|refusal| refusal.0.parts().1);
        match refusal.map(|refusal| &*refusal.0) {
            Some(Error::Internal(cause)) => {
                error!(
                    request_id,
                    correlation_id,
                    tenant,
                    method,
                    route,
                    status,
                    duration_ms,
                    error_type,
                    cause = format!("{cause:#}"),
                    "request failed"
                );
            }
            Some(Error::Unavailable(cause)) => {
                warn!(
                    request_id,
                    correlation_id,
                    tenant,
                    method,
                    route,
                    status,
                    duration_ms,
                    error_type,
                    cause = format!("{cause:#}"),
                    "request not served"
                );
            }
            refusal => {
                let reason = match refusal {
                    Some(Error::Tenant(problem)) => Some(problem.as_str()),
                    Some(Error::TooManyRequests(exceeded)) => Some(exceeded.limit),
                    _ => None,
                };
                info!(
                    request_id,
                    correlation_id, tenant, method, route, status, duration_ms, error_type, reason, "request"
                );
            }
        }
    }

    fn count(&self) {
        let route = self.route.to_owned();
        counter!("vestibule_http_requests_total", "method" => self.method, "route" => route.clone(), "status" => self.status.to_string())
            .increment(1);
        histogram!("vestibule_http_request_seconds", "route" => route).record(self.seconds);
    }
}

/// A method as a label: what is not standard has one name, so that nobody can make up time series.
fn standard_method(method: &axum::http::Method) -> &'static str {
    ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"]
        .into_iter()
        .find(|name| *name == method.as_str())
        .unwrap_or("OTHER")
}

/// What leaves no event of its own is counted for the minute's summary.
fn count_refusal(app: &App, error: &Error) {
    let counter = match error {
        Error::Validation(_)
        | Error::MissingHeaders(_)
        | Error::Malformed(_)
        | Error::TooLarge { .. }
        | Error::MediaType
        | Error::Timeout => &app.refusals.malformed,
        Error::Tenant(_) | Error::BackendKey => &app.refusals.tenant,
        Error::TooManyRequests(exceeded) => {
            counter!("vestibule_rate_limited_total", "limit" => exceeded.limit).increment(1);
            &app.refusals.limited
        }
        Error::Overloaded { .. } | Error::Unavailable(_) => &app.refusals.unavailable,
        _ => return,
    };
    counter.fetch_add(1, Ordering::Relaxed);
}
