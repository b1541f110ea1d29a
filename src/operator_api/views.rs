//! What the answers show, here and on the command line: absent values as null, never left out; a secret in the one
//! answer that makes it.

use std::borrow::Cow;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::clock::Timestamp;
use crate::flows::FoundedTenant;
use crate::operators::Operator;
use crate::sessions::EndReason;
use crate::signing_keys::ListedSigningKey;
use crate::tenants::settings::schema::json_schema;
use crate::tenants::{ListedTenantKey, NewTenantKey, Tenant, TenantDetails};

fn text(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

/// A list that is whole.
#[derive(Debug, Serialize, ToSchema)]
pub struct Items<T> {
    pub items: Vec<T>,
}

impl<T> Items<T> {
    pub fn of<S>(things: Vec<S>, view: impl Fn(S) -> T) -> Self {
        Self { items: things.into_iter().map(view).collect() }
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Where the next page begins; null at the end.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// The end of all of a tenant's sessions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantSessionsEnded {
    tenant_id: String,
    slug: String,
    /// Those that were opened at this instant or before have ended; none of them can live again.
    #[schema(format = DateTime)]
    ended_at: String,
    end_reason: &'static str,
}

impl TenantSessionsEnded {
    #[must_use]
    pub fn new(tenant: &Tenant, at: Timestamp) -> Self {
        Self {
            tenant_id: tenant.id.to_string(),
            slug: tenant.slug.clone(),
            ended_at: at.to_string(),
            end_reason: EndReason::EndedByOperator.as_str(),
        }
    }
}

/// A tenant's settings in full, as their schema explains them.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct SettingsView(Map<String, Value>);

impl PartialSchema for SettingsView {
    fn schema() -> RefOr<Schema> {
        serde_json::from_value(json_schema()).expect("the settings' schema is one of OpenAPI 3.1")
    }
}

impl ToSchema for SettingsView {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Settings")
    }
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantView {
    id: String,
    slug: String,
    name: String,
    #[schema(example = "active")]
    /// `active`, `suspended` or `deleted`.
    status: &'static str,
    /// The `iss` of its tokens; its key set is below it.
    issuer: String,
    settings: SettingsView,
    /// Why the stored settings cannot be read by this version, which then shows the defaults and lets nobody log in.
    #[schema(required)]
    settings_problem: Option<String>,
    /// The browser origins its web apps call from (CORS).
    origins: Vec<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

impl TenantView {
    #[must_use]
    pub fn new(details: &TenantDetails, public_url: &str) -> Self {
        let TenantDetails { tenant, origins } = details;
        let mut settings = tenant.settings.clone();
        settings.version = crate::tenants::settings::schema::VERSION;
        Self {
            id: tenant.id.to_string(),
            slug: tenant.slug.clone(),
            name: tenant.name.clone(),
            status: tenant.status.as_str(),
            issuer: tenant.issuer(public_url),
            settings: SettingsView(settings.shown()),
            settings_problem: tenant.settings_problem.clone(),
            origins: origins.clone(),
            created_at: tenant.created_at.to_string(),
            updated_at: tenant.updated_at.to_string(),
        }
    }
}

/// A tenant that was just made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantFounded {
    tenant: TenantView,
    /// The tenant's own organization, whose users are its staff.
    organization_id: String,
    keys: Vec<TenantKeyCreated>,
}

impl TenantFounded {
    #[must_use]
    pub fn new(founded: &FoundedTenant, public_url: &str, now: Timestamp) -> Self {
        Self {
            tenant: TenantView::new(&founded.details, public_url),
            organization_id: founded.house.to_string(),
            keys: founded.keys.iter().map(|key| TenantKeyCreated::new(key, now)).collect(),
        }
    }
}

/// A tenant key: all but its secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantKeyView {
    id: String,
    tenant_key: String,
    /// `login`: as public as the app it ships in, for logins alone; `backend`: the tenant's servers.
    #[schema(example = "login")]
    purpose: &'static str,
    #[schema(required)]
    name: Option<String>,
    /// `valid`, `expired` or `revoked`.
    #[schema(example = "valid")]
    state: &'static str,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(required, format = DateTime)]
    expires_at: Option<String>,
    #[schema(required, format = DateTime)]
    revoked_at: Option<String>,
}

impl TenantKeyView {
    #[must_use]
    pub fn new(key: &ListedTenantKey, now: Timestamp) -> Self {
        Self {
            id: key.id.to_string(),
            tenant_key: key.tenant_key.clone(),
            purpose: key.purpose.as_str(),
            name: key.name.clone(),
            state: key.state(now),
            created_at: key.created_at.to_string(),
            expires_at: text(key.expires_at),
            revoked_at: text(key.revoked_at),
        }
    }
}

/// A tenant key that was just made, with its secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantKeyCreated {
    key: TenantKeyView,
    /// Shown now and never again.
    tenant_secret: String,
}

impl std::fmt::Debug for TenantKeyCreated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TenantKeyCreated({:?}, …)", self.key)
    }
}

impl TenantKeyCreated {
    #[must_use]
    pub fn new(key: &NewTenantKey, now: Timestamp) -> Self {
        Self {
            key: TenantKeyView {
                id: key.id.to_string(),
                tenant_key: key.tenant_key.clone(),
                purpose: key.purpose.as_str(),
                name: key.name.clone(),
                state: "valid",
                created_at: now.to_string(),
                expires_at: text(key.expires_at),
                revoked_at: None,
            },
            tenant_secret: key.tenant_secret.clone(),
        }
    }
}

/// A signing key: nothing of its private half.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SigningKeyView {
    kid: String,
    #[schema(example = "ES256")]
    algorithm: String,
    /// `next`: published, and not used yet; `signing`; `retiring`: signs no more, and what it has signed is still good;
    /// `retired`: what it has signed is refused.
    #[schema(example = "signing")]
    state: &'static str,
    #[schema(format = DateTime)]
    created_at: String,
    /// From when on it signs, or did; null if it was retired before its turn came.
    #[schema(required, format = DateTime)]
    signs_from: Option<String>,
    /// When another takes, or took, its place.
    #[schema(required, format = DateTime)]
    replaced_at: Option<String>,
    #[schema(required, format = DateTime)]
    retired_at: Option<String>,
}

impl From<ListedSigningKey> for SigningKeyView {
    fn from(key: ListedSigningKey) -> Self {
        Self {
            kid: key.kid,
            algorithm: key.algorithm,
            state: key.state.as_str(),
            created_at: key.created_at.to_string(),
            signs_from: text(key.signs_from),
            replaced_at: text(key.replaced_at),
            retired_at: text(key.retired_at),
        }
    }
}

/// An operator: all but the token.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperatorView {
    id: String,
    name: String,
    /// `valid`, `expired` or `revoked`.
    #[schema(example = "valid")]
    state: &'static str,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(required, format = DateTime)]
    expires_at: Option<String>,
    #[schema(required, format = DateTime)]
    revoked_at: Option<String>,
}

impl OperatorView {
    #[must_use]
    pub fn new(operator: &Operator, now: Timestamp) -> Self {
        Self {
            id: operator.id.to_string(),
            name: operator.name.clone(),
            state: operator.state(now),
            created_at: operator.created_at.to_string(),
            expires_at: text(operator.expires_at),
            revoked_at: text(operator.revoked_at),
        }
    }
}

/// An operator that was just made, with the token.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperatorCreated {
    operator: OperatorView,
    /// Shown now and never again.
    token: String,
}

impl std::fmt::Debug for OperatorCreated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OperatorCreated({:?}, …)", self.operator)
    }
}

impl OperatorCreated {
    #[must_use]
    pub fn new(operator: &Operator, token: &SecretString, now: Timestamp) -> Self {
        Self { operator: OperatorView::new(operator, now), token: token.expose_secret().to_owned() }
    }
}
