//! Into which tenant users move, or out of which.

use crate::db::{Database, DbError};
use crate::ids::CustomerId;
use crate::tenants::{Tenant, TenantName};
use crate::{customers, tenants};

/// A tenant whose users move.
#[derive(Debug)]
pub struct Destination {
    pub tenant: Tenant,
    /// Its own organization.
    pub house: CustomerId,
    /// What it is called.
    pub name: String,
}

/// The tenant of this name; `None` where there is none, or no more.
pub async fn find_destination(db: &Database, name: &TenantName) -> Result<Option<Destination>, DbError> {
    let rows = db.fetch(tenants::store::find(name)).await?;
    let tenant = rows.first().map(Tenant::from_row).transpose()?.filter(|tenant| !tenant.deleted);
    let Some(tenant) = tenant else { return Ok(None) };
    let rows = db.fetch(customers::moved::store::find_house(&tenant.id)).await?;
    let Some(house) = rows.first() else { return Ok(None) };
    let (id, name) = (CustomerId::from_stored(house.text("id")?), house.text("name")?);
    Ok(Some(Destination { tenant, house: id, name }))
}
