//! The server: the routers of both listeners, and what every request goes through.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;

use crate::app::SharedApp;
use crate::error::Error;
use crate::http::query::QueryNames;
use crate::http::routes::Routes;
use crate::http::{middleware, paths};
use crate::public_api::docs::Make;
use crate::public_api::openapi::Audience;
use crate::telemetry::Metrics;
use crate::tenants::Family;
use crate::{directory_api, operator_api, public_api, sessions_api, token_api};

/// The routes of the API, which are also those of the OpenAPI document.
fn api() -> Routes {
    let families = Family::ALL.into_iter().fold(Routes::new(), |routes, family| {
        routes.nest(paths::family_prefix(family), sessions_api::router(family))
    });
    families.merge(directory_api::router()).merge(token_api::router()).merge(public_api::health::router())
}

/// The routes of the operator's listener that are in its OpenAPI document.
fn operators() -> Routes {
    operator_api::router().merge(public_api::health::router())
}

/// The OpenAPI document of what apps and backends call, made from the handlers.
#[must_use]
pub fn openapi() -> OpenApi {
    public_api::openapi::finish(api().into_openapi(), Audience::Tenants)
}

/// The OpenAPI document of what operators call.
#[must_use]
pub fn operator_openapi() -> OpenApi {
    public_api::openapi::finish(operators().into_openapi(), Audience::Operators)
}

/// What customers' apps and tenants' backends reach.
pub fn public_router(app: &SharedApp) -> Router {
    let (routes, described) = api().into_parts();
    let routes = if app.options.public_docs {
        routes.merge(public_api::docs::router(&[("/openapi.json", openapi)]))
    } else {
        routes
    };
    through_middleware(routes, app, QueryNames::of(described))
}

/// What the operator reaches, on a listener of its own (R058, R125).
pub fn operator_router(app: &SharedApp, metrics: Metrics) -> Router {
    let (routes, described) = operators().into_parts();
    let documents = [("/openapi.json", openapi as Make), ("/openapi-operator.json", operator_openapi)];
    let routes =
        routes.merge(public_api::docs::router(&documents)).merge(operator_api::metrics_router(metrics));
    through_middleware(routes, app, QueryNames::of(described))
}

/// Puts routes behind what every request goes through; from the outside in: the answer's id, envelope,
/// headers and log line (with CORS), panics, and what is refused before any route is looked for.
pub fn through_middleware(routes: Router<SharedApp>, app: &SharedApp, queries: QueryNames) -> Router {
    let odd = (app.clone(), Arc::new(queries));
    routes
        .fallback(|| async { Error::NotFound.into_response() })
        .with_state(app.clone())
        .layer(from_fn_with_state(odd, middleware::refuse_the_odd))
        .layer(CatchPanicLayer::custom(middleware::panicked))
        .layer(from_fn_with_state(app.clone(), middleware::answer))
}
