//! What is for the operator alone, on a listener of its own: metrics.

mod metrics;

use axum::Router;

use crate::app::SharedApp;
use crate::telemetry::Metrics;

/// The routes that no other audience has.
pub fn router(metrics: Metrics) -> Router<SharedApp> {
    metrics::router(metrics)
}
