//! The tenants' logs: every tenant may have one, deleted or not, and so has Vestibule itself.

use crate::db::{Database, DbError};
use crate::events::sealing::store::find_logs;
use crate::ids::TenantId;

/// Tenants that are read at a time.
const PAGE: usize = 500;

/// Whose log it is.
#[derive(Debug)]
pub struct Log {
    pub tenant: TenantId,
    pub slug: String,
}

/// The logs, or the one of the tenant of this slug or id.
pub async fn list_logs(db: &Database, only: Option<&str>) -> Result<Vec<Log>, DbError> {
    let (mut logs, mut after) = (Vec::new(), None);
    loop {
        let rows = db.list(find_logs(after.as_ref(), 500)).await?;
        for row in &rows {
            let log = Log { tenant: TenantId::from_stored(row.text("tenant_id")?), slug: row.text("slug")? };
            after = Some(log.tenant.clone());
            if only.is_none_or(|only| only == log.slug || only == log.tenant.as_str()) {
                logs.push(log);
            }
        }
        if rows.len() < PAGE {
            return Ok(logs);
        }
    }
}
