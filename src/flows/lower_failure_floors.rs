//! Failures wait no longer than they must in a tenant whose last imported hash was replaced.

use crate::clock::Timestamp;
use crate::db::{Database, DbError, Statement};
use crate::ids::TenantId;
use crate::tenants;

/// Takes the floor away where no imported hash is left. Whoever imports meanwhile keeps theirs.
pub async fn lower_failure_floors(db: &Database) -> Result<(), DbError> {
    for (tenant, seen) in find(db).await? {
        let applied = db.apply(tenants::store::clear_failure_floor(&tenant, seen)).await?;
        if !applied.rows(0).is_empty() {
            tracing::info!(%tenant, "no imported password hash is left: failed logins do not wait any more");
        }
    }
    Ok(())
}

/// The tenants concerned, and when each was changed last.
async fn find(db: &Database) -> Result<Vec<(TenantId, Timestamp)>, DbError> {
    let rows = db.list(Statement::new(
        "select t.id, t.updated_at from tenants t where t.failure_floor_ms > 0 \
         and not exists (select 1 from users u where u.tenant_id = t.id and u.password_imported)",
    ));
    let rows = rows.await?;
    rows.iter().map(|row| Ok((TenantId::from_stored(row.text("id")?), row.instant("updated_at")?))).collect()
}
