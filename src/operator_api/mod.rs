//! What is for the operator alone, on a listener of its own: tenants and their keys, operators, metrics.

mod metrics;

use axum::Router;
use utoipa_axum::router::OpenApiRouter;

use crate::app::SharedApp;
use crate::telemetry::Metrics;

/// The routes that take an operator's token.
#[must_use]
pub fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
}

/// `/metrics`, for whoever reaches the listener.
pub fn metrics_router(metrics: Metrics) -> Router<SharedApp> {
    metrics::router(metrics)
}
