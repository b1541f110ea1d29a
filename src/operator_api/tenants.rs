//! `/operator/v1/tenants`: listed, founded, shown; and the schema of their settings.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::tenant_keys::CreateTenantKey;
use super::views::{Page, TenantFounded, TenantView};
use super::{BODY_LIMIT, tenant};
use crate::app::SharedApp;
use crate::callers::OperatorCaller;
use crate::error::Error;
use crate::flows::{self, TenantRequest};
use crate::http::envelope::Success;
use crate::http::json;
use crate::http::paging::{List, PageQuery};
use crate::http::query::Query;
use crate::http::routes::{Routes, routes};
use crate::ids::system_tenant;
use crate::tenants::settings::schema::json_schema;
use crate::tenants::store::TenantFilter;
use crate::tenants::{Settings, SettingsChange, TenantStatus};

/// The longest text that is searched for, in characters.
const MAX_TEXT: usize = 100;

pub(super) fn router() -> Routes {
    Routes::new()
        .routes(routes!(list_tenants, found_tenant))
        .routes(routes!(get_tenant))
        .routes(routes!(get_settings_schema))
}

/// A tenant as examples show it.
pub(super) fn example_tenant(status: &str) -> Value {
    json!({
        "id": "3d5a1c2e-7b8f-4a6d-9e0c-1f2a3b4c5d6e", "slug": "acme", "name": "Acme Payments", "status": status,
        "issuer": "https://id.example.com/t/acme", "settings": Settings::default().shown(),
        "settingsProblem": null,
        "origins": ["https://app.acme.example"], "createdAt": "2026-03-16T19:49:32.000Z",
        "updatedAt": "2026-03-16T19:49:32.000Z",
    })
}

fn example_key(id: &str, key: &str, purpose: &str) -> Value {
    json!({
        "key": {
            "id": id, "tenantKey": key, "purpose": purpose, "name": null, "state": "valid",
            "createdAt": "2026-03-16T19:49:32.000Z", "expiresAt": null, "revokedAt": null,
        },
        "tenantSecret": "(43 characters)",
    })
}

/// Which tenants a list shows; left out: all.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct TenantsQuery {
    /// `active`, `suspended` or `deleted`.
    status: Option<String>,
    /// A part of the slug or the name, in whatever case.
    #[param(max_length = 100)]
    text: Option<String>,
}

impl TenantsQuery {
    fn filter(&self) -> Result<TenantFilter, Error> {
        let wrong = || Error::invalid("status", "must be active, suspended or deleted");
        let status = self.status.as_deref().map(|word| TenantStatus::parse(word).ok_or_else(wrong));
        if self.text.as_ref().is_some_and(|text| text.chars().count() > MAX_TEXT) {
            return Err(Error::invalid("text", format!("may have {MAX_TEXT} characters")));
        }
        Ok(TenantFilter { status: status.transpose()?, text: self.text.clone() })
    }
}

/// A new tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FoundTenant {
    /// Stands in the issuer of its tokens; never changes and is never used again. Not shaped like a UUID.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    slug: String,
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// What differs from the defaults, by the names of the settings' schema.
    #[schema(value_type = Option<Object>)]
    settings: Option<SettingsChange>,
    /// The browser origins its web apps call from (CORS).
    #[schema(max_items = 50)]
    origins: Option<Vec<String>>,
    /// Its first keys; when left out one of each purpose, random and for good.
    keys: Option<Vec<CreateTenantKey>>,
}

/// All tenants
///
/// By slug, deleted ones too: their slugs and ids stay taken.
#[utoipa::path(
    get,
    path = "/operator/v1/tenants",
    operation_id = "listTenants",
    tag = "Tenants",
    security(("operatorToken" = [])),
    params(PageQuery, TenantsQuery),
    responses((status = 200, description = "A page of tenants", body = Success<Page<TenantView>>,
        example = json!({
            "code": 200, "data": { "items": [example_tenant("active")], "nextCursor": null }, "message": "Success",
        })))
)]
async fn list_tenants(
    State(app): State<SharedApp>,
    _caller: OperatorCaller,
    Query(page): Query<PageQuery>,
    Query(query): Query<TenantsQuery>,
) -> Result<Success<Page<TenantView>>, Error> {
    let filter = query.filter()?;
    let system = system_tenant();
    let asked = json!(["tenants", filter.status.map(TenantStatus::as_str), filter.text]);
    let list = List { master: &app.master, tenant: &system, query: asked.to_string() };
    let after = page.after(&list)?;
    // One more than the page holds tells whether there is another.
    let mut found = flows::list_tenants(&app.db, &filter, after.as_deref(), page.size() + 1).await?;
    let size = usize::try_from(page.size()).unwrap_or(usize::MAX);
    let more = found.len() > size;
    found.truncate(size);
    let next_cursor = found.last().filter(|_| more).map(|last| list.cursor(&last.tenant.slug));
    let items = found.iter().map(|details| TenantView::new(details, &app.options.public_url)).collect();
    Ok(Success::new(Page { items, next_cursor }))
}

/// A new tenant
///
/// Made whole at once: with its first signing key, its own organization, and its keys, whose secrets are in this answer
/// and never shown again.
#[utoipa::path(
    post,
    path = "/operator/v1/tenants",
    operation_id = "createTenant",
    tag = "Tenants",
    security(("operatorToken" = [])),
    request_body(content = FoundTenant, example = json!({
        "slug": "acme", "name": "Acme Payments", "settings": { "profile": "payment" },
        "origins": ["https://app.acme.example"],
    })),
    responses(
        (status = 200, description = "The tenant and its keys", body = Success<TenantFounded>,
        example = json!({ "code": 200, "data": {
            "tenant": example_tenant("active"),
            "organizationId": "4f0d7a8e-52c3-4d0b-8f5a-9a3be1c2d0c1",
            "keys": [
                example_key("8a4f0d7e-52c3-4d0b-8f5a-9a3be1c2d0b1", "Zk3vX1nQ8sT5uW2yB7dF9hJ4mP6r", "login"),
                example_key("8a4f0d7e-52c3-4d0b-8f5a-9a3be1c2d0b2", "Qw8eR2tY5uI1oP4aS7dF3gH6jK9l", "backend"),
            ],
        }, "message": "Success" })),
        (status = 409, description = "The slug is or was another tenant's, or a key is another's"),
    )
)]
async fn found_tenant(
    State(app): State<SharedApp>,
    caller: OperatorCaller,
    headers: HeaderMap,
    body: Body,
) -> Result<Success<TenantFounded>, Error> {
    let body: FoundTenant = json::read(&headers, body, BODY_LIMIT, &app).await?;
    let keys = body.keys.map(|keys| {
        let numbered = keys.into_iter().enumerate();
        numbered.map(|(index, key)| key.request(&format!("keys[{index}]."))).collect::<Result<_, _>>()
    });
    let request = TenantRequest {
        slug: body.slug,
        name: body.name,
        settings: body.settings.unwrap_or_default(),
        origins: body.origins.unwrap_or_default(),
        keys: keys.transpose()?,
    };
    let now = app.clock.now();
    let founded = flows::found_tenant(&app.db, &app.master, caller.author(), &request, now).await?;
    Ok(Success::new(TenantFounded::new(&founded, &app.options.public_url, now)))
}

/// One tenant
///
/// With its settings in full.
#[utoipa::path(
    get,
    path = "/operator/v1/tenants/{tenant}",
    operation_id = "getTenant",
    tag = "Tenants",
    security(("operatorToken" = [])),
    params(("tenant" = String, Path, description = "The tenant's slug or id", example = "acme")),
    responses((status = 200, description = "The tenant", body = Success<TenantView>,
        example = json!({ "code": 200, "data": example_tenant("active"), "message": "Success" })))
)]
async fn get_tenant(
    State(app): State<SharedApp>,
    Path(name): Path<String>,
    _caller: OperatorCaller,
) -> Result<Success<TenantView>, Error> {
    let details = flows::get_tenant(&app.db, &tenant(&name)?).await?;
    Ok(Success::new(TenantView::new(&details, &app.options.public_url)))
}

/// A JSON Schema.
#[derive(Debug, Serialize, ToSchema)]
#[schema(value_type = Object)]
#[serde(transparent)]
struct SettingsSchema(Value);

/// The schema of a tenant's settings
///
/// JSON Schema (2020-12): what each setting does, its bounds with their reasons, its default.
#[utoipa::path(
    get,
    path = "/operator/v1/settings-schema",
    operation_id = "getSettingsSchema",
    tag = "Tenants",
    security(("operatorToken" = [])),
    responses((status = 200, description = "The schema", body = Success<SettingsSchema>,
        example = json!({ "code": 200, "data": json_schema(), "message": "Success" })))
)]
async fn get_settings_schema(_caller: OperatorCaller) -> Result<Success<SettingsSchema>, Error> {
    Ok(Success::new(SettingsSchema(json_schema())))
}
