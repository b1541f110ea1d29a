//! Each log's newest checkpoint goes to the program's log, where whoever can alter the database does not reach: a witness
//! outside. Called by upkeep, on every node.

use crate::db::{Change, Database, DbError};
use crate::events::sealing::store;
use crate::ids::TenantId;

/// Logs that are looked at together.
const SLICE: i64 = 500;

/// Tells the checkpoints that were not told yet, one line each. Of nodes that do it at once each may tell one; of a node
/// that dies none is lost, for it is noted afterwards.
pub async fn tell_checkpoints(db: &Database) -> Result<(), DbError> {
    let mut after = None;
    loop {
        let rows = db.list(store::find_untold(after.as_ref(), SLICE)).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = Some(TenantId::from_stored(last.text("tenant_id")?));
        let mut told = Change::new();
        for row in &rows {
            let (tenant, size) = (TenantId::from_stored(row.text("tenant_id")?), row.int("sealed")?);
            let checkpoint = row.text("checkpoint")?;
            tracing::info!(%tenant, size, checkpoint, "the audit log's checkpoint");
            told = told.with(store::set_told(&tenant, size));
        }
        db.apply(told).await?;
    }
}
