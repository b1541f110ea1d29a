//! `/openapi.json` and the page at `/docs`, whose assets come in the binary; `/` leads there.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderValue, Response};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, Url};

use crate::app::SharedApp;
use crate::error::Error;

/// Swagger UI sets styles of its own from script; nothing else on the page is not ours.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// The documents, by their paths, and their page; for the operator always, in public where `public_docs` is set.
pub fn router(documents: &[(&'static str, &OpenApi)]) -> Router<SharedApp> {
    let paths = documents.iter().map(|(path, _)| Url::from(*path));
    let config =
        Arc::new(Config::new(paths).try_it_out_enabled(true).deep_linking(true).validator_url("none"));
    let page = move |Path(file): Path<String>| {
        let config = config.clone();
        async move { asset(&file, config) }
    };
    let mut router = Router::new();
    for (path, document) in documents {
        let json: Arc<str> = document.to_json().unwrap_or_default().into();
        let answer = move || {
            let json = json.clone();
            async move { ([(CONTENT_TYPE, "application/json")], json.to_string()) }
        };
        router = router.route(path, get(answer));
    }
    router
        .route("/", get(|| async { Redirect::temporary("/docs") }))
        .route("/docs", get(|| async { Redirect::permanent("/docs/index.html") }))
        .route("/docs/", get(|| async { Redirect::permanent("/docs/index.html") }))
        .route("/docs/{*file}", get(page))
}

fn asset(file: &str, config: Arc<Config<'static>>) -> axum::response::Response {
    match utoipa_swagger_ui::serve(file, config) {
        Ok(Some(found)) => {
            let mut response = Response::new(axum::body::Body::from(found.bytes.into_owned()));
            let headers = response.headers_mut();
            if let Ok(kind) = HeaderValue::from_str(&found.content_type) {
                headers.insert(CONTENT_TYPE, kind);
            }
            headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            response
        }
        Ok(None) => Error::NotFound.into_response(),
        Err(error) => Error::Internal(anyhow::anyhow!("{error}")).into_response(),
    }
}
