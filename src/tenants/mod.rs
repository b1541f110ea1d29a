//! Tenants: the fintechs whose customers log in here, and their keys.

pub mod deletion;
pub mod keys;
mod passed_doors;
pub mod settings;
pub mod store;

pub use keys::{
    KeyPurpose, ListedTenantKey, MAX_VALID_KEYS, NewTenantKey, TenantKey, TenantKeyRequest, no_key_opens,
    secret_digest,
};
pub use passed_doors::{PassedDoors, Shown};
pub use settings::{Family, Lifetimes, Profile, SessionLimitAction, Settings, SettingsChange};

use unicode_normalization::UnicodeNormalization;

use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::{DbError, Row};
use crate::ids::{TenantId, is_uuid_shaped};

/// The longest slug, in characters.
pub const MAX_SLUG_LENGTH: usize = 64;

/// The longest name, in bytes.
pub const MAX_NAME_BYTES: usize = 200;

/// The most browser origins that a tenant lists.
pub const MAX_ORIGINS: usize = 50;

/// What a tenant may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TenantStatus {
    Active,
    /// Refused everywhere, until it is resumed.
    Suspended,
    /// Gone for good; only its slug and its id stay taken.
    Deleted,
}

impl TenantStatus {
    pub const ALL: [Self; 3] = [Self::Active, Self::Suspended, Self::Deleted];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// A tenant as one request needs it: read with it, and never kept.
#[derive(Clone, Debug)]
pub struct Tenant {
    pub id: TenantId,
    pub slug: String,
    pub name: String,
    pub status: TenantStatus,
    pub active: bool,
    /// Gone for good; only its slug stays taken.
    pub deleted: bool,
    /// The defaults where [`Tenant::settings_problem`] is told: then nothing may be decided by them.
    pub settings: Settings,
    /// Why the stored settings cannot be read: a newer version wrote a value that this one does not know. Only what
    /// operators look at and change is read so, by [`Tenant::from_row_as_it_is`].
    pub settings_problem: Option<String>,
    /// The signing key whose turn it is, and the one after it.
    pub signing: Signing,
    /// The signing keys that count.
    pub valid_kids: Vec<String>,
    /// When and why all sessions of the tenant ended.
    pub sessions_ended: Option<SessionsEnded>,
    /// No failed login is answered sooner than this: while there are imported hashes, which take another time
    /// than ours (R004). Nothing otherwise.
    pub failure_floor: Duration,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Which signing key signs, and which one from when on. Decided when a token is signed: nothing has to happen at the
/// instant at which the next one's turn comes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signing {
    pub kid: Option<String>,
    /// Published already, and from when on it signs.
    pub next: Option<(String, Timestamp)>,
}

impl Signing {
    /// The key that signs now.
    #[must_use]
    pub fn kid(&self, now: Timestamp) -> Option<&str> {
        match &self.next {
            Some((next, from)) if *from <= now => Some(next),
            _ => self.kid.as_deref(),
        }
    }

    /// The key that is published and does not sign yet, and from when on it will.
    #[must_use]
    pub fn pending(&self, now: Timestamp) -> Option<(&str, Timestamp)> {
        self.next.as_ref().filter(|(_, from)| *from > now).map(|(kid, from)| (kid.as_str(), *from))
    }
}

impl Tenant {
    /// Reads the columns that `tenant_columns!` names. Fails closed where the settings cannot be read.
    pub fn from_row(row: &Row) -> Result<Self, DbError> {
        let tenant = Self::from_row_as_it_is(row)?;
        match tenant.settings_problem {
            None => Ok(tenant),
            Some(problem) => Err(DbError::Failed(format!("settings of tenant {}: {problem}", tenant.slug))),
        }
    }

    /// The same for operators, whatever its settings are: a tenant whose settings cannot be read can be listed,
    /// shown, set right, suspended and deleted.
    pub fn from_row_as_it_is(row: &Row) -> Result<Self, DbError> {
        let (settings, settings_problem) = match Settings::from_stored(&row.text("tenant_settings")?) {
            Ok(settings) => (settings, None),
            Err(error) => (Settings::default(), Some(error.to_string())),
        };
        let Standing { status, valid_kids, sessions_ended } = Standing::from_row(row)?;
        let next = row.maybe_text("tenant_next_signing_kid")?.zip(row.maybe_instant("tenant_next_signs_at")?);
        Ok(Self {
            id: TenantId::from_stored(row.text("tenant_id")?),
            slug: row.text("tenant_slug")?,
            name: row.text("tenant_name")?,
            status,
            active: status == TenantStatus::Active,
            deleted: status == TenantStatus::Deleted,
            settings,
            settings_problem,
            signing: Signing { kid: row.maybe_text("tenant_signing_kid")?, next },
            valid_kids,
            sessions_ended,
            failure_floor: Duration::from_millis(
                row.int("tenant_failure_floor_ms")?.try_into().unwrap_or_default(),
            ),
            created_at: row.instant("tenant_created_at")?,
            updated_at: row.instant("tenant_updated_at")?,
        })
    }

    /// The same tenant, and of this row what `tenant_standing_columns!` names: whether it is admitted, which keys count and
    /// which sessions have ended, where that is decided later than the tenant was read. Names and settings stay.
    pub fn as_it_stands(self, row: &Row) -> Result<Self, DbError> {
        let Standing { status, valid_kids, sessions_ended } = Standing::from_row(row)?;
        let (active, deleted) = (status == TenantStatus::Active, status == TenantStatus::Deleted);
        Ok(Self { status, active, deleted, valid_kids, sessions_ended, ..self })
    }

    /// The signing key that new tokens are signed with.
    #[must_use]
    pub fn signing_kid(&self, now: Timestamp) -> Option<&str> {
        self.signing.kid(now)
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

/// What of a tenant's row decides at the moment at which it is read.
struct Standing {
    status: TenantStatus,
    valid_kids: Vec<String>,
    sessions_ended: Option<SessionsEnded>,
}

impl Standing {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let status = row.text("tenant_status")?;
        Ok(Self {
            status: TenantStatus::parse(&status)
                .ok_or_else(|| DbError::Failed(format!("tenants.status: unknown word {status}")))?,
            valid_kids: serde_json::from_str(&row.text("tenant_valid_kids")?)
                .map_err(|error| DbError::Failed(format!("tenants.valid_kids: {error}")))?,
            sessions_ended: SessionsEnded::from_row(
                row,
                "tenant_sessions_not_before",
                "tenant_sessions_end_reason",
            )?,
        })
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

    /// The name, as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Slug(slug) => slug,
            Self::Id(id) => id.as_str(),
        }
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

/// A tenant's name: 1 to 200 bytes, no control characters, and not only spaces.
pub fn name(text: &str) -> Result<&str, &'static str> {
    let fits = (1..=MAX_NAME_BYTES).contains(&text.len())
        && !text.chars().any(char::is_control)
        && !text.trim().is_empty();
    fits.then_some(text).ok_or("must have 1 to 200 bytes, without control characters")
}

/// What a text search looks at, and what a searched text becomes: one form, whatever case and width it was written in.
#[must_use]
pub fn searchable(text: &str) -> String {
    text.nfkc().collect::<String>().to_lowercase()
}

/// A tenant with what stands beside it.
#[derive(Clone, Debug)]
pub struct TenantDetails {
    pub tenant: Tenant,
    /// The browser origins its web apps call from (CORS), sorted.
    pub origins: Vec<String>,
}

impl TenantDetails {
    /// Reads the rows that [`store::find_details`] and [`store::list`] answer: one for each origin, those of one
    /// tenant together.
    pub fn from_rows(rows: &[Row]) -> Result<Vec<Self>, DbError> {
        let mut all: Vec<Self> = Vec::new();
        for row in rows {
            let id = row.text("tenant_id")?;
            if all.last().is_none_or(|last| last.tenant.id.as_str() != id) {
                all.push(Self { tenant: Tenant::from_row_as_it_is(row)?, origins: Vec::new() });
            }
            if let (Some(last), Some(origin)) = (all.last_mut(), row.maybe_text("tenant_origin")?) {
                last.origins.push(origin);
            }
        }
        Ok(all)
    }
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
