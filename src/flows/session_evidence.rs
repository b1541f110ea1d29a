//! Evidence of a session: its sealed events, each with the proof that it is in the log that the newest checkpoint tells of.

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use vestibule_audit::{Digest, Evidence, MOST_EVENTS, ProvenEvent, inclusion_proof, nodes_for_inclusion};

use crate::db::Database;
use crate::error::Error;
use crate::events::sealing::{Leaf, store, stored_hashes};
use crate::ids::{SessionId, TenantId};

use super::newest_checkpoint::find_checkpoint;

/// Evidence of a session that is there, of its first events. Those that are not sealed yet, a quarter of a second old as a
/// rule, are not in it, and those that were deleted for their age are in none any more.
pub async fn session_evidence(
    db: &Database,
    tenant: &TenantId,
    session: &SessionId,
) -> Result<Evidence, Error> {
    let checkpoint = find_checkpoint(db, tenant).await?;
    let checkpoint =
        checkpoint.context("no event of the tenant is sealed yet").map_err(Error::Unavailable)?;
    let size = checkpoint.size;
    let most = i64::try_from(MOST_EVENTS).unwrap_or(i64::MAX);
    let found = store::find_events_of_session(tenant, session, size.cast_signed(), most);
    let leaves = db.list(found).await?.iter().map(Leaf::from_row).collect::<Result<Vec<_>, _>>()?;
    // Positions begin with 1, and indexes with 0.
    let index = |leaf: &Leaf| leaf.record.position.saturating_sub(1);
    let nodes = leaves.iter().flat_map(|leaf| nodes_for_inclusion(index(leaf), size));
    let hashes = stored_hashes(db, tenant, nodes).await?;
    let proven = leaves.into_iter().map(|leaf| {
        let proof = inclusion_proof(index(&leaf), size, &hashes)
            .context("the hashes of the sealed log are not all there")?;
        let Leaf { record, personal, salt, .. } = leaf;
        Ok(ProvenEvent {
            event: record,
            // Without a personal part the salt says nothing.
            salt: personal.is_some().then(|| STANDARD.encode(salt)),
            personal,
            inclusion_proof: proof.into_iter().map(Digest).collect(),
        })
    });
    let events = proven.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Evidence::new(checkpoint.note, &checkpoint.key, events))
}
