//! Tenants: the fintechs whose customers log in here, and their keys.

mod keys;
mod settings;
pub mod store;

pub use keys::{KeyPurpose, NewTenantKey, TenantKey, no_key_opens, secret_digest};
pub use settings::{Family, Lifetimes, Profile, Settings};

use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::{DbError, Row};
use crate::ids::{TenantId, is_uuid_shaped};

/// The longest slug, in characters.
pub const MAX_SLUG_LENGTH: usize = 64;

/// A tenant as one request needs it: read with it, and never kept.
#[derive(Clone, Debug)]
pub struct Tenant {
    pub id: TenantId,
    pub slug: String,
    pub active: bool,
    /// Gone for good; only its slug stays taken.
    pub deleted: bool,
    pub settings: Settings,
    /// The signing key that new tokens are signed with.
    pub signing_kid: Option<String>,
    /// The signing keys that count.
    pub valid_kids: Vec<String>,
    /// When and why all sessions of the tenant ended.
    pub sessions_ended: Option<SessionsEnded>,
    /// No failed login is answered sooner than this: while there are imported hashes, which take another time
    /// than ours (R004). Nothing otherwise.
    pub failure_floor: Duration,
}

impl Tenant {
    /// Reads the columns that `tenant_columns!` names.
    pub fn from_row(row: &Row) -> Result<Self, DbError> {
        let settings = row.text("tenant_settings")?;
        let kids = row.text("tenant_valid_kids")?;
        let status = row.text("tenant_status")?;
        Ok(Self {
            id: TenantId::from_stored(row.text("tenant_id")?),
            slug: row.text("tenant_slug")?,
            active: status == "active",
            deleted: status == "deleted",
            settings: serde_json::from_str(&settings)
                .map_err(|error| DbError::Failed(format!("tenants.settings: {error}")))?,
            signing_kid: row.maybe_text("tenant_signing_kid")?,
            valid_kids: serde_json::from_str(&kids)
                .map_err(|error| DbError::Failed(format!("tenants.valid_kids: {error}")))?,
            sessions_ended: SessionsEnded::from_row(
                row,
                "tenant_sessions_not_before",
                "tenant_sessions_end_reason",
            )?,
            failure_floor: Duration::from_millis(
                row.int("tenant_failure_floor_ms")?.try_into().unwrap_or_default(),
            ),
        })
    }

    /// The `iss` of the tenant's tokens: `{public_url}/t/{slug}`.
    #[must_use]
    pub fn issuer(&self, public_url: &str) -> String {
        format!("{public_url}/t/{}", self.slug)
    }

    /// The `aud` of the tenant's tokens: the issuer unless set.
    #[must_use]
    pub fn audience(&self, public_url: &str) -> String {
        self.settings.audience.clone().unwrap_or_else(|| self.issuer(public_url))
    }
}

/// That all sessions below a row, opened at this instant or before, have ended. One row ends them all, and
/// nothing that happens to it later revives them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionsEnded {
    pub at: Timestamp,
    pub reason: String,
}

impl SessionsEnded {
    /// Reads `sessions_not_before` and its reason under the names a query gave them.
    pub fn from_row(row: &Row, at: &str, reason: &str) -> Result<Option<Self>, DbError> {
        let Some(at) = row.maybe_instant(at)? else { return Ok(None) };
        Ok(Some(Self { at, reason: row.text(reason)? }))
    }
}

/// How a request names its tenant: by slug or by id; either stands in either place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TenantName {
    Slug(String),
    Id(TenantId),
}

impl TenantName {
    /// Reads a name that came from outside. Case counts, but in a UUID. `None`: nobody can be called that.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if is_uuid_shaped(text) { TenantId::parse(text).map(Self::Id) } else { slug(text).map(Self::Slug) }
    }

    /// Whether it names this tenant.
    #[must_use]
    pub fn names(&self, tenant: &Tenant) -> bool {
        match self {
            Self::Slug(slug) => *slug == tenant.slug,
            Self::Id(id) => *id == tenant.id,
        }
    }
}

/// A slug: 1 to 64 characters of `A-Z a-z 0-9 _ -`, not shaped like a UUID. It stands in the issuer,
/// so it never changes and is never used again.
#[must_use]
pub fn slug(text: &str) -> Option<String> {
    let fits = (1..=MAX_SLUG_LENGTH).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        && !is_uuid_shaped(text);
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_is_named_by_slug_or_by_id() {
        for slug in ["tenant-demo-001", "test_tenant", "1234567"] {
            assert_eq!(TenantName::parse(slug), Some(TenantName::Slug(slug.to_owned())));
        }
        let id = "11111111-2222-4333-8444-55555555AAAA";
        assert_eq!(
            TenantName::parse(id),
            Some(TenantName::Id(TenantId::from_stored(id.to_ascii_lowercase())))
        );
        for bad in ["", "*", "a b", "é", "null\0"] {
            assert_eq!(TenantName::parse(bad), None, "{bad:?}");
        }
    }
}
