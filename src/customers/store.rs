//! The customers' SQL.

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::{CustomerId, TenantId};

use super::{CustomerDetails, CustomerKind, CustomerStatus};

/// A customer that is being made.
#[derive(Clone, Debug)]
pub struct NewCustomer<'a> {
    pub id: &'a CustomerId,
    pub kind: CustomerKind,
    /// The tenant's own organization, whose users are its staff.
    pub house: bool,
    pub status: CustomerStatus,
    pub name: &'a str,
    pub details: Option<&'a CustomerDetails>,
}

impl<'a> NewCustomer<'a> {
    /// An active customer of whom no more is known than the name.
    #[must_use]
    pub const fn new(id: &'a CustomerId, kind: CustomerKind, name: &'a str) -> Self {
        Self { id, kind, house: false, status: CustomerStatus::Active, name, details: None }
    }
}

/// Refused ("customer id") when the id has ever been used in this tenant.
#[must_use]
pub fn insert(tenant: &TenantId, customer: &NewCustomer<'_>, now: Timestamp) -> Statement {
    let details = customer.details.cloned().unwrap_or_default();
    Statement::new(
        "insert into customers (tenant_id, id, kind, house, status, name, details, search, created_at, updated_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) on conflict do nothing returning id",
    )
    .bind(tenant)
    .bind(customer.id)
    .bind(customer.kind.as_str())
    .bind(customer.house)
    .bind(customer.status.as_str())
    .bind(customer.name)
    .bind(details.to_string())
    .bind(details.search(customer.name))
    .bind(now)
    .must_change("customer id")
}

/// Keeps a customer as it is while the change goes on. Refused ("open customer") when it is closed.
#[must_use]
pub fn hold_open(tenant: &TenantId, customer: &CustomerId) -> Statement {
    Statement::new(
        "update customers set revision = revision where tenant_id = $1 and id = $2 and status <> 'closed' \
         returning id",
    )
    .bind(tenant)
    .bind(customer)
    .must_change("open customer")
}

/// Moves a customer to another status. One that admits nobody ends the sessions of all its users with the
/// next request; where that has happened it stays as it is, and moving on does not revive them.
#[must_use]
pub fn set_status(
    tenant: &TenantId,
    customer: &CustomerId,
    status: CustomerStatus,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "update customers set status = $3, updated_at = $4, \
         sessions_not_before = case when sessions_not_before is not null \
             and (status in ('suspended', 'closed') or sessions_not_before > $4) then sessions_not_before \
             else coalesce($5, sessions_not_before) end, \
         sessions_end_reason = case when sessions_not_before is not null \
             and (status in ('suspended', 'closed') or sessions_not_before > $4) then sessions_end_reason \
             else coalesce($6, sessions_end_reason) end \
         where tenant_id = $1 and id = $2 returning id",
    )
    .bind(tenant)
    .bind(customer)
    .bind(status.as_str())
    .bind(now)
    .bind(status.ends_sessions_as().map(|_| now))
    .bind(status.ends_sessions_as())
    .must_change("customer")
}
