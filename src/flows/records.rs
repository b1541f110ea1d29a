//! One customer or user as the directory shows it, and changes that begin with what was read.

use crate::customers::{self, CustomerRecord};
use crate::db::{Change, Database, DbError};
use crate::error::Error;
use crate::ids::{CustomerId, TenantId, UserId};
use crate::users;
use crate::users::directory::UserRecord;

use super::create_user::refusal;

/// The user; another tenant's is absent.
pub async fn get_user(db: &Database, tenant: &TenantId, user: &UserId) -> Result<UserRecord, Error> {
    let rows = db.fetch(users::directory::store::find(tenant, user)).await?;
    Ok(UserRecord::from_row(rows.first().ok_or(Error::NotFound)?)?)
}

/// The same, to be changed. One of the older schema has its username only among the names to log in with, and a change
/// must not lose it.
pub(super) async fn get_user_to_change(
    db: &Database,
    tenant: &TenantId,
    user: &UserId,
) -> Result<UserRecord, Error> {
    let mut record = get_user(db, tenant, user).await?;
    if record.username.is_none() {
        let names = db.fetch(users::directory::store::find_username(tenant, user)).await?;
        record.username = names.first().map(|name| name.text("name")).transpose()?;
    }
    Ok(record)
}

/// The customer; another tenant's is absent.
pub async fn get_customer(
    db: &Database,
    tenant: &TenantId,
    customer: &CustomerId,
) -> Result<CustomerRecord, Error> {
    let rows = db.fetch(customers::store::find(tenant, customer)).await?;
    Ok(CustomerRecord::from_row(rows.first().ok_or(Error::NotFound)?)?)
}

/// The tenant's own organization, whose users are its staff.
pub async fn get_house(db: &Database, tenant: &TenantId) -> Result<CustomerRecord, Error> {
    let rows = db.fetch(customers::store::find_house(tenant)).await?;
    Ok(CustomerRecord::from_row(rows.first().ok_or(Error::NotFound)?)?)
}

/// How often a change is begun anew because others change the same row.
pub(super) const TRIES: usize = 8;

/// Applies a change that was decided on a row as it was read. Whether it happened: not if somebody has changed the row
/// meanwhile, and then the decision is to be made again.
pub(super) async fn settle(db: &Database, change: Change) -> Result<bool, Error> {
    match db.apply(change).await {
        Ok(_) => Ok(true),
        Err(DbError::Refused("user revision" | "customer revision")) => Ok(false),
        Err(DbError::Refused("another ADMIN")) => Err(Error::conflict(
            "userId",
            "is the tenant's last active ADMIN's; make another user an ADMIN first",
        )),
        Err(other) => Err(refusal(other)),
    }
}

/// Others were always faster.
pub(super) fn contended(field: &'static str) -> Error {
    Error::conflict(field, "is being changed by others; try again")
}
