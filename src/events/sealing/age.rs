//! Events that were deleted for their age: what says so, so that nothing else can be missing.

use serde_json::Value;
use vestibule_audit::Checkpoint;

use crate::db::{Database, DbError};
use crate::ids::TenantId;

use super::{AuditKey, store};

/// What says, signed, that the events up to this position may be missing: a note as a checkpoint is one, under a name
/// that no log has. Whoever writes to the database alone cannot make it.
pub fn deletion_note(key: &AuditKey, tenant: &TenantId, until: u64) -> anyhow::Result<String> {
    key.sign(&Checkpoint { origin: origin(tenant), size: until, root: [0; 32] })
}

/// Up to which position the tenant's events may be missing; 0 where nothing says so, or not with our signature.
pub async fn deleted_until(db: &Database, key: Option<&AuditKey>, tenant: &TenantId) -> Result<u64, DbError> {
    let Some(key) = key else { return Ok(0) };
    let mut until = 0;
    for row in db.list(store::find_deletions(tenant)).await? {
        let details: Value = serde_json::from_str(&row.text("details")?).unwrap_or_default();
        let note = details["note"].as_str().and_then(|note| key.read(note, &origin(tenant)));
        until = note.map_or(until, |note| until.max(note.size));
    }
    Ok(until)
}

fn origin(tenant: &TenantId) -> String {
    format!("vestibule/events-deleted/{tenant}")
}
