//! The server: the routers of both listeners, and what every request goes through.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::app::SharedApp;
use crate::error::Error;
use crate::http::query::QueryNames;
use crate::http::{middleware, paths};
use crate::public_api::openapi::Audience;
use crate::telemetry::Metrics;
use crate::tenants::Family;
use crate::{directory_api, operator_api, public_api, sessions_api, token_api};

/// The routes of the API, which are also those of the OpenAPI document.
fn api() -> OpenApiRouter<SharedApp> {
    let families = Family::ALL.into_iter().fold(OpenApiRouter::new(), |router, family| {
        router.nest(paths::family_prefix(family), sessions_api::router(family))
    });
    families.merge(directory_api::router()).merge(token_api::router()).merge(public_api::health::router())
}

/// The OpenAPI document of what apps and backends call, made from the handlers.
#[must_use]
pub fn openapi() -> OpenApi {
    public_api::openapi::finish(api().into_openapi(), Audience::Tenants)
}

/// The OpenAPI document of what operators call.
#[must_use]
pub fn operator_openapi() -> OpenApi {
    let routes = operator_api::router().merge(public_api::health::router());
    public_api::openapi::finish(routes.into_openapi(), Audience::Operators)
}

/// What customers' apps and tenants' backends reach.
pub fn public_router(app: &SharedApp) -> Router {
    let (mut router, document) = api().split_for_parts();
    let document = public_api::openapi::finish(document, Audience::Tenants);
    if app.options.public_docs {
        router = router.merge(public_api::docs::router(&[("/openapi.json", &document)]));
    }
    through_middleware(router, app, QueryNames::of(&document))
}

/// What the operator reaches, on a listener of its own (R058, R125).
pub fn operator_router(app: &SharedApp, metrics: Metrics) -> Router {
    let (router, _) = operator_api::router().merge(public_api::health::router()).split_for_parts();
    let document = operator_openapi();
    let documents = [("/openapi.json", &openapi()), ("/openapi-operator.json", &document)];
    let router =
        router.merge(public_api::docs::router(&documents)).merge(operator_api::metrics_router(metrics));
    through_middleware(router, app, QueryNames::of(&document))
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
