//! Tenants as operators see them: by name, and in a list.

use crate::db::Database;
use crate::error::Error;
use crate::tenants::store::TenantFilter;
use crate::tenants::{self, Tenant, TenantDetails, TenantName};

/// The tenant of this name, deleted or not, with its origins. The system tenant is absent.
pub async fn get_tenant(db: &Database, name: &TenantName) -> Result<TenantDetails, Error> {
    let rows = db.fetch(tenants::store::find_details(name)).await?;
    TenantDetails::from_rows(&rows)?.pop().ok_or(Error::NotFound)
}

/// The tenant alone, also where its settings cannot be read; [`demand_settings`] is for what needs them.
pub(super) async fn find_tenant(db: &Database, name: &TenantName) -> Result<Tenant, Error> {
    let rows = db.fetch(tenants::store::find(name)).await?;
    rows.first().map(Tenant::from_row_as_it_is).transpose()?.ok_or(Error::NotFound)
}

/// The tenant alone, if it has not been deleted.
pub(super) async fn find_standing_tenant(db: &Database, name: &TenantName) -> Result<Tenant, Error> {
    let tenant = find_tenant(db, name).await?;
    if tenant.deleted { Err(is_deleted()) } else { Ok(tenant) }
}

/// Refuses a tenant whose settings cannot be read.
pub(super) fn demand_settings(tenant: &Tenant) -> Result<(), Error> {
    let Some(problem) = &tenant.settings_problem else { return Ok(()) };
    Err(Error::conflict("settings", format!("cannot be read by this version ({problem}); set them first")))
}

/// What is asked of a deleted tenant is no longer possible.
pub(super) fn is_deleted() -> Error {
    Error::conflict("tenant", "is deleted, for good")
}

/// A page of tenants by slug, after this one.
pub async fn list_tenants(
    db: &Database,
    filter: &TenantFilter,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<TenantDetails>, Error> {
    let rows = db.list(tenants::store::list(filter, after, i64::from(limit))).await?;
    Ok(TenantDetails::from_rows(&rows)?)
}
