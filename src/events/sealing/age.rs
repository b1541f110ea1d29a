//! Events that were deleted for their age: what says so, so that nothing else can be missing.

use serde_json::Value;
use vestibule_audit::{Checkpoint, Hash};

use crate::db::{Database, DbError};
use crate::ids::TenantId;

use super::{AuditKey, store};

/// What says, signed, that the events up to this position may be missing: a note as a checkpoint is one, under a name
/// that no log has. Whoever writes to the database alone cannot make it. The root is the log's at that size, so that the
/// note says nothing of a log with another past, into which somebody may have let old events be sealed.
pub fn deletion_note(key: &AuditKey, tenant: &TenantId, until: u64, root: Hash) -> anyhow::Result<String> {
    key.sign(&Checkpoint { origin: origin(tenant), size: until, root })
}

/// Up to where the tenant's events may be missing, by the note that reaches farthest; `None` where nothing says so, or not
/// with our signature.
pub async fn signed_deletion(
    db: &Database,
    key: Option<&AuditKey>,
    tenant: &TenantId,
) -> Result<Option<Checkpoint>, DbError> {
    let Some(key) = key else { return Ok(None) };
    let rows = db.list(store::find_deletions(tenant)).await?;
    let details = rows.iter().map(|row| row.text("details")).collect::<Result<Vec<_>, _>>()?;
    let notes = details.iter().filter_map(|details| {
        let details: Value = serde_json::from_str(details).ok()?;
        key.read(details["note"].as_str()?, &origin(tenant))
    });
    Ok(notes.max_by_key(|note| note.size))
}

fn origin(tenant: &TenantId) -> String {
    format!("vestibule/events-deleted/{tenant}")
}
