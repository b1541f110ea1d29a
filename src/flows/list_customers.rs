//! A page of a tenant's customers.

use crate::customers::store::{find_end_of_page, list};
use crate::customers::{CustomerFilters, CustomerRecord};
use crate::db::Database;
use crate::error::Error;
use crate::ids::TenantId;

use super::Page;
use super::list_users::page;

/// The customers after an id that fit, `size` at most, as [`super::list_users`].
pub async fn list_customers(
    db: &Database,
    tenant: &TenantId,
    filters: &CustomerFilters,
    after: Option<&str>,
    size: u32,
) -> Result<Page<CustomerRecord>, Error> {
    let after = after.unwrap_or_default();
    let end = filters.look_at_each().then(|| find_end_of_page(tenant, filters, after));
    let list = |until: Option<&str>, limit| list(tenant, filters, after, until, limit);
    page(db, end, size, list, CustomerRecord::from_row).await
}
