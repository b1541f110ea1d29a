//! `/openapi.json` and the page at `/docs`, whose assets come in the binary; `/` leads there.

use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderValue, Response};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use tokio::sync::OnceCell;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, Url};

use crate::app::SharedApp;
use crate::error::Error;

/// Swagger UI sets styles of its own from script; nothing else on the page is not ours.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// Makes a document, which takes some ten milliseconds.
pub type Make = fn() -> OpenApi;

/// The documents, by their paths, and their page; for the operator always, in public where `public_docs` is set. A document
/// is made when it is first asked for, and kept.
pub fn router(documents: &[(&'static str, Make)]) -> Router<SharedApp> {
    let paths = documents.iter().map(|(path, _)| Url::from(*path));
    let config =
        Arc::new(Config::new(paths).try_it_out_enabled(true).deep_linking(true).validator_url("none"));
    let page = move |Path(file): Path<String>| {
        let config = config.clone();
        async move { asset(&file, config) }
    };
    let mut router = Router::new();
    for &(path, make) in documents {
        let kept = Arc::new(OnceCell::new());
        let answer = move || {
            let kept = Arc::clone(&kept);
            async move { document(&kept, make).await }
        };
        router = router.route(path, get(answer));
    }
    router
        .route("/", get(|| async { Redirect::temporary("/docs") }))
        .route("/docs", get(|| async { Redirect::permanent("/docs/index.html") }))
        .route("/docs/", get(|| async { Redirect::permanent("/docs/index.html") }))
        .route("/docs/{*file}", get(page))
}

async fn document(kept: &OnceCell<Bytes>, make: Make) -> Result<Response<Body>, Error> {
    let making = || async {
        let json =
            tokio::task::spawn_blocking(move || make().to_json()).await.context("making it broke off")?;
        json.map(Bytes::from).context("it cannot be written as JSON")
    };
    let json = kept.get_or_try_init(making).await.context("the OpenAPI document").map_err(Error::Internal)?;
    Ok(([(CONTENT_TYPE, "application/json")], json.clone()).into_response())
}

fn asset(file: &str, config: Arc<Config<'static>>) -> Response<Body> {
    match utoipa_swagger_ui::serve(file, config) {
        Ok(Some(found)) => {
            let mut response = Response::new(Body::from(found.bytes.into_owned()));
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
