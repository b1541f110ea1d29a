//! The imports' SQL.

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::TenantId;

use super::Progress;

/// Begins the import of a file, unless it has begun.
#[must_use]
pub fn begin(tenant: &TenantId, file_digest: &str, now: Timestamp) -> Statement {
    Statement::new(
        "insert into imports (tenant_id, file_digest, lines_done, created, present, refused, started_at, updated_at) \
         values ($1, $2, 0, 0, 0, 0, $3, $3) on conflict do nothing",
    )
    .bind(tenant)
    .bind(file_digest)
    .bind(now)
}

/// How far the import of a file has come.
#[must_use]
pub fn find(tenant: &TenantId, file_digest: &str) -> Statement {
    Statement::new(
        "select lines_done, created, present, refused, finished_at from imports \
         where tenant_id = $1 and file_digest = $2",
    )
    .bind(tenant)
    .bind(file_digest)
}

/// Moves the import of a file on. Refused ("import") when another run has moved it, or ended it, since it was read.
#[must_use]
pub fn advance(
    tenant: &TenantId,
    file_digest: &str,
    from: &Progress,
    to: &Progress,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "update imports set lines_done = $4, created = $5, present = $6, refused = $7, updated_at = $8, \
         finished_at = $9 where tenant_id = $1 and file_digest = $2 and lines_done = $3 and finished_at is null \
         returning file_digest",
    )
    .bind(tenant)
    .bind(file_digest)
    .bind(from.lines_done)
    .bind(to.lines_done)
    .bind(to.created)
    .bind(to.present)
    .bind(to.refused)
    .bind(now)
    .bind(to.finished.then_some(now))
    .must_change("import")
}

/// Refused ("tenant") when the tenant is no more.
#[must_use]
pub fn find_tenant(tenant: &TenantId) -> Statement {
    Statement::new("select t.id from tenants t where t.id = $1 and t.status <> 'deleted'")
        .bind(tenant)
        .must_change("tenant")
}
