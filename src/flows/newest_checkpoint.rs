//! The newest checkpoint of a tenant's sealed log, with the proof that it goes on from one that somebody holds.

use anyhow::Context;
use vestibule_audit::{Checkpoint, Hash, VerifierKey, consistency_proof, nodes_for_consistency};

use crate::db::{Database, DbError};
use crate::error::Error;
use crate::events::sealing::{store, stored_hashes};
use crate::ids::TenantId;

/// A checkpoint.
#[derive(Clone, Debug)]
pub struct SignedCheckpoint {
    pub size: u64,
    /// The signed note.
    pub note: String,
    /// What it is verified with: the installation's key under the log's name.
    pub key: VerifierKey,
}

/// A checkpoint with its proof.
#[derive(Clone, Debug)]
pub struct ProvenCheckpoint {
    pub checkpoint: SignedCheckpoint,
    /// From the size that was asked with; empty where there is nothing to prove, or nothing can be.
    pub proof: Vec<Hash>,
}

/// The newest checkpoint, one read; `None`: nothing is sealed yet.
pub async fn find_checkpoint(db: &Database, tenant: &TenantId) -> Result<Option<SignedCheckpoint>, Error> {
    let rows = db.fetch(store::find_checkpoint(tenant)).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let size = u64::try_from(row.int("sealed")?);
    let size = size.map_err(|_| DbError::Failed("a log's size is below zero".into()))?;
    let note = row.text("checkpoint")?;
    // Whether the signature holds whoever reads it finds out.
    let origin = Checkpoint::read_unverified(&note).context("a stored checkpoint is none")?.origin;
    let public = row.bytes("public_key")?.try_into().ok().context("the audit key has not 32 bytes")?;
    let key = VerifierKey::new(&origin, public).context("a stored checkpoint has no log's name")?;
    Ok(Some(SignedCheckpoint { size, note, key }))
}

/// The newest checkpoint with the proof that its log goes on from that of `held` events; `None`: nothing is sealed yet.
/// Only where there is something to prove the log's hashes are read.
pub async fn newest_checkpoint(
    db: &Database,
    tenant: &TenantId,
    held: u64,
) -> Result<Option<ProvenCheckpoint>, Error> {
    let Some(checkpoint) = find_checkpoint(db, tenant).await? else { return Ok(None) };
    let size = checkpoint.size;
    let mut proof = Vec::new();
    if held < size {
        let hashes = stored_hashes(db, tenant, nodes_for_consistency(held, size)).await?;
        proof = consistency_proof(held, size, &hashes)
            .context("the hashes of the sealed log are not all there")?;
    }
    Ok(Some(ProvenCheckpoint { checkpoint, proof }))
}
