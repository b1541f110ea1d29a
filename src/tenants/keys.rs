//! Tenant keys: what a tenant's apps and backends show before any user is looked at.

use crate::clock::Timestamp;
use crate::db::{DbError, Row};
use crate::ids::TenantKeyId;
use crate::secrets::{digests_equal, random_text, sha256};

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

    fn from_stored(text: &str) -> Result<Self, DbError> {
        match text {
            "login" => Ok(Self::Login),
            "backend" => Ok(Self::Backend),
            other => Err(DbError::Failed(format!("tenant_keys.purpose: unknown word {other}"))),
        }
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
    std::hint::black_box(secret_digest(secret));
}

/// What is stored of a secret. It has 256 random bits, so a plain digest hides it (R043).
#[must_use]
pub fn secret_digest(secret: &str) -> [u8; 32] {
    sha256(secret.as_bytes())
}

/// A key that is being made: the one moment its secret is known.
pub struct NewTenantKey {
    pub id: TenantKeyId,
    pub purpose: KeyPurpose,
    pub tenant_key: String,
    pub tenant_secret: String,
}

impl NewTenantKey {
    #[must_use]
    pub fn random(purpose: KeyPurpose) -> Self {
        Self::brought_along(purpose, random_text()[..28].to_owned(), random_text())
    }

    /// A key that existed before, elsewhere.
    #[must_use]
    pub fn brought_along(purpose: KeyPurpose, tenant_key: String, tenant_secret: String) -> Self {
        Self { id: TenantKeyId::random(), purpose, tenant_key, tenant_secret }
    }
}

impl std::fmt::Debug for NewTenantKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewTenantKey({}, {})", self.id, self.purpose.as_str())
    }
}
