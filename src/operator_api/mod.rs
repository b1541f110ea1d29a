//! What is for the operator alone, on a listener of its own: tenants and their keys, operators, metrics.

mod explain_address;
mod metrics;
mod operators;
mod sessions;
mod signing_keys;
mod tenant_changes;
mod tenant_keys;
mod tenants;
pub mod views;

use axum::Router;

use crate::app::SharedApp;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::http::routes::Routes;
use crate::telemetry::Metrics;
use crate::tenants::TenantName;

/// The largest body, in bytes (R115).
const BODY_LIMIT: usize = 64 * 1024;

/// The routes that take an operator's token.
#[must_use]
pub fn router() -> Routes {
    tenants::router()
        .merge(tenant_changes::router())
        .merge(sessions::router())
        .merge(tenant_keys::router())
        .merge(signing_keys::router())
        .merge(operators::router())
        .merge(explain_address::router())
}

/// `/metrics`, for whoever reaches the listener.
pub fn metrics_router(metrics: Metrics) -> Router<SharedApp> {
    metrics::router(metrics)
}

/// The tenant that a path names, by slug or id. What nobody can be called is as absent as what nobody is.
fn tenant(text: &str) -> Result<TenantName, Error> {
    TenantName::parse(text).ok_or(Error::NotFound)
}

/// An instant in a body.
fn instant(field: &str, text: Option<&str>) -> Result<Option<Timestamp>, Error> {
    let wrong = || Error::invalid(field, "must be an instant as RFC 3339 has it, like 2027-01-31T00:00:00Z");
    text.map(|text| Timestamp::parse(text).ok_or_else(wrong)).transpose()
}
