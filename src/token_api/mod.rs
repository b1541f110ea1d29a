//! Tokens for those who are shown them: what a verifier fetches at a tenant's issuer (key set and metadata in the RFCs' own
//! formats, and what has ended), and what the tenant's backends ask (introspection, revocation).

mod form;
mod introspection;
mod revocation;
mod revocations;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Response};
use serde_json::{Value, json};

use crate::app::SharedApp;
use crate::error::Error;
use crate::http::routes::{Routes, routes};
use crate::signing_keys::{self, CACHE_SECONDS};
use crate::tenants::{self, Tenant, TenantName, slug};

/// Keys and metadata are public; what has ended and what stands under `/oauth2/` is for backends.
#[must_use]
pub fn router() -> Routes {
    Routes::new()
        .routes(routes!(jwks))
        .routes(routes!(authorization_server_metadata))
        .routes(routes!(openid_configuration))
        .routes(routes!(introspection::introspect))
        .routes(routes!(revocation::revoke))
        .routes(routes!(revocations::get_revocations))
}

/// The tenant's keys (JWK Set)
///
/// The public halves of the keys that the tenant's access tokens are signed with (RFC 7517).
#[utoipa::path(
    get,
    path = "/t/{slug}/.well-known/jwks.json",
    operation_id = "getKeys",
    tag = "Issuer",
    params(("slug" = String, Path, description = "The tenant's slug", example = "tenant-demo-001")),
    responses((status = 200, description = "A JWK Set", body = Object))
)]
async fn jwks(State(app): State<SharedApp>, Path(slug): Path<String>) -> Result<Response<Body>, Error> {
    let tenant = find_tenant(&app, &slug).await?;
    let rows = app.db.fetch(signing_keys::store::find_public(&tenant.id)).await?;
    document(&signing_keys::jwk_set(&rows, &tenant.valid_kids)?)
}

/// The issuer's metadata (RFC 8414)
///
/// Where RFC 8414 §3.1 puts it: the well-known part before the issuer's path.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server/t/{slug}",
    operation_id = "getIssuerMetadata",
    tag = "Issuer",
    params(("slug" = String, Path, description = "The tenant's slug", example = "tenant-demo-001")),
    responses((status = 200, description = "The metadata", body = Object))
)]
async fn authorization_server_metadata(
    State(app): State<SharedApp>,
    Path(slug): Path<String>,
) -> Result<Response<Body>, Error> {
    metadata(&app, &slug).await
}

/// The issuer's metadata (OpenID Connect Discovery)
///
/// The same document where OpenID Connect Discovery 1.0 §4 looks for it.
#[utoipa::path(
    get,
    path = "/t/{slug}/.well-known/openid-configuration",
    operation_id = "getOpenidConfiguration",
    tag = "Issuer",
    params(("slug" = String, Path, description = "The tenant's slug", example = "tenant-demo-001")),
    responses((status = 200, description = "The metadata", body = Object))
)]
async fn openid_configuration(
    State(app): State<SharedApp>,
    Path(slug): Path<String>,
) -> Result<Response<Body>, Error> {
    metadata(&app, &slug).await
}

async fn metadata(app: &SharedApp, slug: &str) -> Result<Response<Body>, Error> {
    let tenant = find_tenant(app, slug).await?;
    let rows = app.db.fetch(signing_keys::store::find_public(&tenant.id)).await?;
    let algorithms = signing_keys::algorithms(&rows, &tenant.valid_kids)?;
    let public_url = &app.options.public_url;
    let issuer = tenant.issuer(public_url);
    // The one way in which a backend shows its key.
    let methods = ["client_secret_basic"];
    document(&json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        // RFC 8414 §2 requires the field; there is no authorization endpoint to ask for a response type.
        "response_types_supported": [],
        "grant_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": algorithms,
        "introspection_endpoint": format!("{public_url}/oauth2/introspect"),
        "introspection_endpoint_auth_methods_supported": methods,
        "revocation_endpoint": format!("{public_url}/oauth2/revoke"),
        "revocation_endpoint_auth_methods_supported": methods,
        // Ours: what has ended and could still be alive as an access token.
        "revocations_endpoint": format!("{issuer}/revocations"),
    }))
}

/// The tenant of this slug, suspended or not: its tokens stay verifiable until they are dead.
async fn find_tenant(app: &SharedApp, text: &str) -> Result<Tenant, Error> {
    let name = slug(text).map(TenantName::Slug).ok_or(Error::NotFound)?;
    let rows = app.db.fetch(tenants::store::find(&name)).await?;
    let tenant = rows.first().map(Tenant::from_row).transpose()?;
    tenant.filter(|tenant| !tenant.deleted).ok_or(Error::NotFound)
}

fn document(value: &Value) -> Result<Response<Body>, Error> {
    let body = serde_json::to_vec(value).map_err(anyhow::Error::from)?;
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let cache = format!("public, max-age={CACHE_SECONDS}");
    headers.insert(CACHE_CONTROL, HeaderValue::from_str(&cache).map_err(anyhow::Error::from)?);
    Ok(response)
}
