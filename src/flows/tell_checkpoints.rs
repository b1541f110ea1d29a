//! Each log's newest checkpoint goes to the program's log, where whoever can alter the database does not reach: a witness
//! outside. Called by upkeep, on every node.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use vestibule_audit::{Checkpoint, Hash, consistency_proof, nodes_for_consistency, verify_consistency};

use crate::db::{Database, DbError};
use crate::events::sealing::{store, stored_hashes};
use crate::ids::TenantId;
use crate::telemetry::WITNESS;

/// Logs that are looked at together.
const SLICE: i64 = 500;

/// A log's size and root.
type Seen = (u64, Hash);

/// What a process has seen of each log. It is kept here and not in the database: what is witnessed against does not say
/// what the witness has yet to tell.
#[derive(Default, Debug)]
pub struct Witness(Mutex<HashMap<TenantId, Seen>>);

impl Witness {
    /// Tells the checkpoints that were not told yet, one line each, and which of them contradict those before.
    pub async fn tell_checkpoints(&self, db: &Database) -> Result<(), DbError> {
        let mut after = None;
        loop {
            let rows = db.list(store::find_checkpoints(after.as_ref(), SLICE)).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some(TenantId::from_stored(last.text("tenant_id")?));
            for row in &rows {
                let tenant = TenantId::from_stored(row.text("tenant_id")?);
                self.look(db, tenant, &row.text("checkpoint")?).await?;
            }
        }
    }

    async fn look(&self, db: &Database, tenant: TenantId, note: &str) -> Result<(), DbError> {
        let Ok(Checkpoint { size, root, .. }) = Checkpoint::read_unverified(note) else {
            tracing::error!(target: WITNESS, %tenant, "the audit log's checkpoint is none: it was altered");
            return Ok(());
        };
        let seen = self.seen().get(&tenant).copied();
        if seen == Some((size, root)) {
            return Ok(());
        }
        if let Some(before) = seen
            && !goes_on(db, &tenant, before, (size, root)).await?
        {
            tracing::error!(
                target: WITNESS, %tenant, before = before.0, size,
                "the audit log does not go on from its checkpoint before: it was put back, or is another one"
            );
        }
        tracing::info!(target: WITNESS, %tenant, size, checkpoint = note, "the audit log's checkpoint");
        self.seen().insert(tenant, (size, root));
        Ok(())
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<TenantId, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the stored hashes prove that a log of this size and root goes on from the one before.
async fn goes_on(db: &Database, tenant: &TenantId, before: Seen, now: Seen) -> Result<bool, DbError> {
    let ((old, old_root), (new, new_root)) = (before, now);
    let hashes = stored_hashes(db, tenant, nodes_for_consistency(old, new)).await?;
    let proof = consistency_proof(old, new, &hashes);
    Ok(proof.is_some_and(|proof| verify_consistency(old, &old_root, new, &new_root, &proof)))
}
