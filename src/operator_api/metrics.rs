//! `/metrics` for Prometheus.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;

use crate::app::SharedApp;
use crate::telemetry::Metrics;

pub(super) fn router(metrics: Metrics) -> Router<SharedApp> {
    let render = move || async move {
        ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render())
    };
    Router::new().route("/metrics", get(render))
}
