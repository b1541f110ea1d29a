//! The installation's audit key: what every tenant's checkpoints are signed with, each under its own log's name.

use anyhow::{Context, anyhow, ensure};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use vestibule_audit::{Checkpoint, VerifierKey};

use crate::access_tokens::{Algorithm, SigningKey};
use crate::clock::Timestamp;
use crate::db::{Database, Row};
use crate::secrets::MasterKeys;
use crate::telemetry::WITNESS;

use super::store;

/// Where the private half belongs: sealed for this place, it opens in no other column.
pub const PLACE: &str = "audit_keys/1/private_key";

/// The key, parsed.
pub struct AuditKey(Ed25519KeyPair);

impl std::fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AuditKey({:?})", self.0.public_key())
    }
}

impl AuditKey {
    /// The installation's key. It is made when it is asked for the first time; of nodes that do it at once one makes it.
    ///
    /// # Errors
    /// Something is sealed and the key is gone: another one would make another log of each, so none is made.
    pub async fn get(db: &Database, master: &MasterKeys, now: Timestamp) -> anyhow::Result<Self> {
        if let Some(row) = db.fetch(store::find_key()).await?.first() {
            return Self::from_row(row, master);
        }
        let pkcs8 = SigningKey::generate(Algorithm::EdDsa)?;
        let key = Self::from_pkcs8(&pkcs8)?;
        let public = key.0.public_key().as_ref();
        let made = db.apply(store::insert_key(&master.seal(PLACE, &pkcs8)?, public, now)).await?;
        if !made.rows(0).is_empty() {
            tracing::info!(target: WITNESS, key = hex::encode(public), "the audit key was made");
        }
        let rows = db.fetch(store::find_key()).await?;
        let row = rows.first().context(
            "events are sealed and the audit key is gone: somebody has deleted it; put the row of audit_keys back from a \
             backup",
        )?;
        Self::from_row(row, master)
    }

    /// The installation's key; `None` before anything was sealed.
    pub async fn find(db: &Database, master: &MasterKeys) -> anyhow::Result<Option<Self>> {
        db.fetch(store::find_key()).await?.first().map(|row| Self::from_row(row, master)).transpose()
    }

    fn from_row(row: &Row, master: &MasterKeys) -> anyhow::Result<Self> {
        let key = Self::from_pkcs8(&master.open(PLACE, &row.text("private_key")?)?)?;
        ensure!(
            key.0.public_key().as_ref() == row.bytes("public_key")?,
            "audit_keys.public_key is not the half of the private one: the row was altered"
        );
        Ok(key)
    }

    fn from_pkcs8(pkcs8: &[u8]) -> anyhow::Result<Self> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8);
        pair.map(Self).map_err(|error| anyhow!("the audit key is no Ed25519 key: {error}"))
    }

    /// What a log's checkpoints are verified with: the public half under the log's name.
    pub fn verifier(&self, origin: &str) -> anyhow::Result<VerifierKey> {
        Ok(VerifierKey::of(origin, &self.0)?)
    }

    /// The signed note.
    pub fn sign(&self, checkpoint: &Checkpoint) -> anyhow::Result<String> {
        Ok(checkpoint.sign(&self.0, &checkpoint.origin)?)
    }
}

impl AuditKey {
    /// What a note says that we have signed under this name; `None` for any other.
    #[must_use]
    pub fn read(&self, note: &str, name: &str) -> Option<Checkpoint> {
        let checkpoint = Checkpoint::verify(note, &self.verifier(name).ok()?).ok()?;
        (checkpoint.origin == name).then_some(checkpoint)
    }
}

/// A log's name: its tenant's issuer without the scheme, so that no log can be shown in place of another.
#[must_use]
pub fn origin(public_url: &str, slug: &str) -> String {
    let host = public_url.split_once("://").map_or(public_url, |(_, host)| host);
    format!("{host}/t/{slug}")
}

/// Refuses master keys that do not open the audit key.
pub async fn check_master(db: &Database, master: &MasterKeys) -> anyhow::Result<()> {
    AuditKey::find(db, master).await.map(drop)
}
