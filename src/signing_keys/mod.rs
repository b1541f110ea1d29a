//! Signing keys: made, kept sealed, held in memory parsed.
//!
//! A key in memory is found by tenant *and* kid (R051), and counts only while the tenant's row lists
//! its kid: that row is read with every request, so nothing here needs invalidating.

pub mod store;

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, ensure};
use quick_cache::Equivalent;
use quick_cache::sync::Cache;
use serde_json::Value;

use crate::access_tokens::{Algorithm, CLOCK_SKEW_SECONDS, SigningKey};
use crate::clock::Timestamp;
use crate::db::{Database, DbError, Row};
use crate::error::Error;
use crate::ids::TenantId;
use crate::secrets::MasterKeys;
use crate::tenants::Tenant;

/// How long a verifier may keep a tenant's key set, in seconds.
pub const CACHE_SECONDS: i64 = 300;

/// How long a new key is published before it signs, in seconds: until no verifier keeps a key set without it, also by
/// the clock of a node that is ahead (R081).
pub const PUBLISHED_SECONDS: i64 = CACHE_SECONDS + CLOCK_SKEW_SECONDS;

/// How long a key counts after another took its place, in seconds: the longest life of an access token, the skew of
/// clocks, and what a verifier may keep (R080).
pub const KEPT_SECONDS: i64 = 3_600 + CLOCK_SKEW_SECONDS + CACHE_SECONDS;

/// The most keys of a tenant that count at a time: its key set stays small.
pub const MAX_VALID_KIDS: usize = 8;

/// How many parsed keys are held, of all tenants together; about 1 KiB each.
const HELD_KEYS: usize = 10_000;

/// A signing key that was just made: parsed, and sealed for its row.
#[derive(Debug)]
pub struct NewSigningKey {
    pub kid: String,
    pub algorithm: Algorithm,
    /// The private half as PKCS #8, sealed for its row alone.
    pub sealed: String,
    /// The public half, as JSON.
    pub jwk: String,
}

/// Makes a signing key for a tenant. One for RSA takes a second of computing, so it is made off the threads that
/// answer requests.
pub async fn generate(
    tenant: &TenantId,
    algorithm: Algorithm,
    master: &MasterKeys,
) -> anyhow::Result<NewSigningKey> {
    let pkcs8 = tokio::task::spawn_blocking(move || SigningKey::generate(algorithm)).await??;
    let key = SigningKey::from_pkcs8(algorithm, &pkcs8)?;
    Ok(NewSigningKey {
        kid: key.kid().to_owned(),
        algorithm,
        sealed: master.seal(&place(tenant, key.kid()), &pkcs8)?,
        jwk: key.jwk().to_string(),
    })
}

/// Where a private key belongs: sealed for this place, it opens in no other row.
#[must_use]
pub fn place(tenant: &TenantId, kid: &str) -> String {
    format!("signing_keys/{tenant}/{kid}/private_key")
}

/// What stands in place of the private half that a retired key no longer has.
pub fn nothing_sealed(tenant: &TenantId, kid: &str, master: &MasterKeys) -> Result<String, Error> {
    Ok(master.seal(&place(tenant, kid), b"")?)
}

/// What a key is there for, at one instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyState {
    /// Published, and not used yet.
    Next,
    Signing,
    /// Signs no more; what it has signed is still good.
    Retiring,
    /// What it has signed is refused.
    Retired,
}

impl KeyState {
    pub const ALL: [Self; 4] = [Self::Next, Self::Signing, Self::Retiring, Self::Retired];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Signing => "signing",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
        }
    }
}

/// A key as it is listed: nothing of its private half.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedSigningKey {
    pub kid: String,
    pub algorithm: String,
    pub state: KeyState,
    pub created_at: Timestamp,
    /// From when on it signs, or did; `None` if it was retired before its turn came.
    pub signs_from: Option<Timestamp>,
    /// When another takes, or took, its place.
    pub replaced_at: Option<Timestamp>,
    pub retired_at: Option<Timestamp>,
}

impl ListedSigningKey {
    /// Reads the rows of [`store::list`]; the tenant says which of them count, and for what.
    pub fn from_rows(rows: &[Row], tenant: &Tenant, now: Timestamp) -> Result<Vec<Self>, DbError> {
        rows.iter().map(|row| Self::from_row(row, tenant, now)).collect()
    }

    fn from_row(row: &Row, tenant: &Tenant, now: Timestamp) -> Result<Self, DbError> {
        let kid = row.text("kid")?;
        let state = if !tenant.valid_kids.contains(&kid) {
            KeyState::Retired
        } else if tenant.signing_kid(now) == Some(&kid) {
            KeyState::Signing
        } else if tenant.signing.pending(now).is_some_and(|(next, _)| next == kid) {
            KeyState::Next
        } else {
            KeyState::Retiring
        };
        let (created_at, retired_at) = (row.instant("created_at")?, row.maybe_instant("retired_at")?);
        let signs_from = row.maybe_instant("signs_from")?.unwrap_or(created_at);
        Ok(Self {
            kid,
            algorithm: row.text("algorithm")?,
            state,
            created_at,
            signs_from: retired_at.is_none_or(|end| signs_from < end).then_some(signs_from),
            replaced_at: row.maybe_instant("replaced_at")?,
            retired_at,
        })
    }
}

/// The keys in memory.
pub struct SigningKeys {
    held: Cache<KeyName, Arc<SigningKey>>,
}

/// By which a key is held: tenant and kid.
#[derive(PartialEq, Eq, Hash)]
struct KeyName(TenantId, String);

/// The same, to look one up by. It hashes as [`KeyName`] does: both derive it from the same texts.
#[derive(Hash)]
struct KeyNameRef<'a>(&'a TenantId, &'a str);

impl Equivalent<KeyName> for KeyNameRef<'_> {
    fn equivalent(&self, name: &KeyName) -> bool {
        (self.0, self.1) == (&name.0, name.1.as_str())
    }
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKeys({} held)", self.held.len())
    }
}

impl Default for SigningKeys {
    fn default() -> Self {
        Self { held: Cache::new(HELD_KEYS) }
    }
}

impl SigningKeys {
    /// The tenant's key of this kid, from memory or from its row; `None` if the tenant has no such key.
    /// Whether it still counts is the tenant's row to say.
    pub async fn find(
        &self,
        db: &Database,
        master: &MasterKeys,
        tenant: &TenantId,
        kid: &str,
    ) -> Result<Option<Arc<SigningKey>>, Error> {
        if let Some(key) = self.held.get(&KeyNameRef(tenant, kid)) {
            return Ok(Some(key));
        }
        let rows = db.fetch(store::find(tenant, kid)).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let algorithm = row.text("algorithm")?;
        let algorithm =
            Algorithm::parse(&algorithm).with_context(|| format!("unknown algorithm {algorithm}"))?;
        let pkcs8 = master.open(&place(tenant, kid), &row.text("private_key")?)?;
        let key = Arc::new(SigningKey::from_pkcs8(algorithm, &pkcs8)?);
        self.held.insert(KeyName(tenant.clone(), kid.to_owned()), Arc::clone(&key));
        Ok(Some(key))
    }

    /// Lets go of a key that counts no more.
    pub fn forget(&self, tenant: &TenantId, kid: &str) {
        self.held.remove(&KeyNameRef(tenant, kid));
    }
}

/// Refuses master keys that do not open what the database holds: one private key is opened for each
/// master key that sealed any.
pub async fn check_master(db: &Database, master: &MasterKeys) -> anyhow::Result<()> {
    for row in db.list(store::find_one_for_each_master_key()).await? {
        let sealed = row.text("private_key")?;
        let id = MasterKeys::id_in(&sealed).unwrap_or("an unknown key").to_owned();
        ensure!(
            master.find(&id).is_some(),
            "the database is sealed under {id}, which the file does not have; restore that file's copy"
        );
        let place = place(&TenantId::from_stored(row.text("tenant_id")?), &row.text("kid")?);
        master.open(&place, &sealed).with_context(|| {
            format!("its key {id} is not the one the database is sealed under; restore that file's copy")
        })?;
    }
    Ok(())
}

/// The published half of keys: a JWK Set (RFC 7517 §5) of the rows that [`store::find_public`] answers.
pub fn jwk_set(rows: &[Row], valid_kids: &[String]) -> Result<Value, Error> {
    let mut keys = Vec::new();
    for row in valid(rows, valid_kids) {
        keys.push(
            serde_json::from_str::<Value>(&row?.text("public_jwk")?).context("signing_keys.public_jwk")?,
        );
    }
    Ok(serde_json::json!({ "keys": keys }))
}

/// The algorithms of these keys, each once.
pub fn algorithms(rows: &[Row], valid_kids: &[String]) -> Result<BTreeSet<String>, Error> {
    valid(rows, valid_kids).map(|row| Ok(row?.text("algorithm")?)).collect()
}

/// The rows whose kids the tenant's row lists.
fn valid<'a>(rows: &'a [Row], valid_kids: &'a [String]) -> impl Iterator<Item = Result<&'a Row, DbError>> {
    rows.iter().filter_map(|row| match row.text("kid") {
        Ok(kid) => valid_kids.contains(&kid).then_some(Ok(row)),
        Err(error) => Some(Err(error)),
    })
}
