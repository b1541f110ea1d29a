//! Tenant keys: what a tenant's apps and backends show before any user is looked at.

pub mod store;

use secrecy::{ExposeSecret, SecretString};

use crate::clock::Timestamp;
use crate::db::{DbError, Row};
use crate::error::FieldError;
use crate::ids::TenantKeyId;
use crate::secrets::{digests_equal, random_text, sha256};

/// How many keys of one purpose are valid at a time: the one in use, and the one that takes its place (R046).
pub const MAX_VALID_KEYS: i64 = 2;

/// How long a key may be that is brought along, in characters. HTTP Basic and JSON carry it, so it is plain ASCII.
const KEY_LENGTHS: std::ops::RangeInclusive<usize> = 16..=128;

/// How long a secret may be that is brought along: 22 characters of base64 hold 128 bits (ASVS 11.5.1).
const SECRET_LENGTHS: std::ops::RangeInclusive<usize> = 22..=256;

/// What the documentation shows as secrets, of a login and of a backend key: everybody knows them (R011). The demo has
/// them.
pub const DOCUMENTED_SECRETS: [&str; 2] =
    ["s3Cr3tKeyXyZpQwErTyUiOpAsDfGh", "b4Ck3nDs3Cr3tXyZpQwErTyUiOpAsDfGh"];

/// The longest name of a key, in bytes.
const MAX_NAME_BYTES: usize = 100;

/// What a key opens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyPurpose {
    /// As public as the app it ships in: opens login and refresh, in their bodies, and vouches for nothing.
    Login,
    /// The tenant's servers: HTTP Basic everywhere but on login and refresh.
    Backend,
}

impl KeyPurpose {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Backend => "backend",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Login, Self::Backend].into_iter().find(|purpose| purpose.as_str() == text)
    }

    fn from_stored(text: &str) -> Result<Self, DbError> {
        Self::parse(text).ok_or_else(|| DbError::Failed(format!("tenant_keys.purpose: unknown word {text}")))
    }
}

/// A key as stored: never its secret.
#[derive(Clone, Debug)]
pub struct TenantKey {
    pub id: TenantKeyId,
    pub purpose: KeyPurpose,
    digest: Vec<u8>,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

impl TenantKey {
    /// Reads the columns that `tenant_key_columns!` names; `None` where the join found no key.
    pub fn from_row(row: &Row) -> Result<Option<Self>, DbError> {
        let Some(id) = row.maybe_text("key_id")? else { return Ok(None) };
        Ok(Some(Self {
            id: TenantKeyId::from_stored(id),
            purpose: KeyPurpose::from_stored(&row.text("key_purpose")?)?,
            digest: row.bytes("key_secret_digest")?,
            expires_at: row.maybe_instant("key_expires_at")?,
            revoked_at: row.maybe_instant("key_revoked_at")?,
        }))
    }

    /// Whether the key is good now and the secret is its own. The digests are compared first, and in
    /// constant time, so that the answer's time tells nothing (R044).
    #[must_use]
    pub fn opens(&self, secret: &str, now: Timestamp) -> bool {
        let right = digests_equal(&self.digest, &secret_digest(secret));
        let good = self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end);
        right && good
    }
}

/// Does the work of [`TenantKey::opens`] for a key that nobody has (R044).
pub fn no_key_opens(secret: &str) {
    std::hint::black_box(digests_equal(&[0; 32], &secret_digest(secret)));
}

/// What is stored of a secret. It has 256 random bits, so a plain digest hides it (R043).
#[must_use]
pub fn secret_digest(secret: &str) -> [u8; 32] {
    sha256(secret.as_bytes())
}

/// A key as it is listed: all but its secret.
#[derive(Clone, Debug)]
pub struct ListedTenantKey {
    pub id: TenantKeyId,
    pub tenant_key: String,
    pub purpose: KeyPurpose,
    pub name: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl ListedTenantKey {
    /// Reads the columns that the store's lists name.
    pub fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: TenantKeyId::from_stored(row.text("key_id")?),
            tenant_key: row.text("key_tenant_key")?,
            purpose: KeyPurpose::from_stored(&row.text("key_purpose")?)?,
            name: row.maybe_text("key_name")?,
            created_at: row.instant("key_created_at")?,
            expires_at: row.maybe_instant("key_expires_at")?,
            revoked_at: row.maybe_instant("key_revoked_at")?,
        })
    }

    /// `valid`, `expired` or `revoked`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> &'static str {
        match (self.revoked_at, self.expires_at) {
            (Some(_), _) => "revoked",
            (None, Some(end)) if end <= now => "expired",
            _ => "valid",
        }
    }
}

/// A key as asked for, and nothing of it checked.
#[derive(Clone, Debug)]
pub struct TenantKeyRequest {
    pub purpose: KeyPurpose,
    /// What people call it.
    pub name: Option<String>,
    pub expires_at: Option<Timestamp>,
    /// Brought along from elsewhere, with its secret: both or neither.
    pub tenant_key: Option<String>,
    pub tenant_secret: Option<SecretString>,
}

impl TenantKeyRequest {
    /// A random key of this purpose, for good.
    #[must_use]
    pub const fn of(purpose: KeyPurpose) -> Self {
        Self { purpose, name: None, expires_at: None, tenant_key: None, tenant_secret: None }
    }

    /// The key, or all that is wrong with what was asked for; `place` stands before the fields' names.
    pub fn check(&self, place: &str, now: Timestamp) -> Result<NewTenantKey, Vec<FieldError>> {
        let mut problems = Vec::new();
        let mut wrong =
            |field: &str, message: String| problems.push(FieldError::new(format!("{place}{field}"), message));
        if let Some(name) = &self.name
            && (name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control))
        {
            wrong("name", format!("must have 1 to {MAX_NAME_BYTES} bytes, without control characters"));
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            wrong("expiresAt", "must be in the future; leave it out for a key without an end".to_owned());
        }
        let secret = self.tenant_secret.as_ref().map(ExposeSecret::expose_secret);
        match (self.tenant_key.as_deref(), secret) {
            (Some(_), None) => wrong("tenantSecret", "is required beside tenantKey".to_owned()),
            (None, Some(_)) => wrong("tenantKey", "is required beside tenantSecret".to_owned()),
            (Some(key), Some(secret)) => {
                if !KEY_LENGTHS.contains(&key.len())
                    || !key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
                {
                    let (least, most) = KEY_LENGTHS.into_inner();
                    let shape = format!("must have {least} to {most} visible ASCII characters and no colon");
                    wrong("tenantKey", format!("{shape}; leave both out for a random one"));
                }
                if !SECRET_LENGTHS.contains(&secret.len())
                    || !secret.bytes().all(|byte| byte.is_ascii_graphic())
                {
                    let (least, most) = SECRET_LENGTHS.into_inner();
                    let shape = format!("must have {least} to {most} visible ASCII characters");
                    wrong("tenantSecret", format!("{shape}; leave both out for a random one"));
                } else if DOCUMENTED_SECRETS.contains(&secret) || secret == key {
                    let problem = "is one that others know: the documentation's example, or the key itself";
                    wrong("tenantSecret", format!("{problem}; leave both out for a random one"));
                }
            }
            (None, None) => (),
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let key = match (&self.tenant_key, secret) {
            (Some(key), Some(secret)) => {
                NewTenantKey::brought_along(self.purpose, key.clone(), secret.to_owned())
            }
            _ => NewTenantKey::random(self.purpose),
        };
        Ok(NewTenantKey { name: self.name.clone(), expires_at: self.expires_at, ..key })
    }
}

/// A key that is being made: the one moment its secret is known.
pub struct NewTenantKey {
    pub id: TenantKeyId,
    pub purpose: KeyPurpose,
    pub tenant_key: String,
    pub tenant_secret: String,
    pub name: Option<String>,
    pub expires_at: Option<Timestamp>,
}

impl NewTenantKey {
    #[must_use]
    pub fn random(purpose: KeyPurpose) -> Self {
        Self::brought_along(purpose, random_text()[..28].to_owned(), random_text())
    }

    /// A key that existed before, elsewhere.
    #[must_use]
    pub fn brought_along(purpose: KeyPurpose, tenant_key: String, tenant_secret: String) -> Self {
        let id = TenantKeyId::random();
        Self { id, purpose, tenant_key, tenant_secret, name: None, expires_at: None }
    }
}

impl std::fmt::Debug for NewTenantKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewTenantKey({}, {})", self.id, self.purpose.as_str())
    }
}
