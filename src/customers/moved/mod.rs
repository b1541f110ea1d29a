//! Customers who move in or out with their users.

pub mod store;

use crate::clock::Timestamp;
use crate::db::{DbError, Row};
use crate::ids::CustomerId;

use super::{CustomerDetails, CustomerKind, CustomerStatus};

/// A customer as it was elsewhere. The house does not move: every tenant has its own.
#[derive(Clone, PartialEq, Debug)]
pub struct MovedCustomer {
    pub id: CustomerId,
    /// The id came from elsewhere; otherwise it was made just now, and nobody has it.
    pub named: bool,
    pub kind: CustomerKind,
    pub status: CustomerStatus,
    /// What a suspended one was.
    pub status_before: Option<CustomerStatus>,
    pub name: String,
    pub details: CustomerDetails,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A customer that moves out.
#[derive(Debug)]
pub struct DepartingCustomer {
    pub customer: MovedCustomer,
    pub house: bool,
}

impl DepartingCustomer {
    /// Reads the columns of a customer in a row of `users::moved::store::list`.
    pub fn from_row(row: &Row) -> Result<Self, DbError> {
        let broken = |column: &str| DbError::Failed(format!("{column}: not what it should hold"));
        let status = |text: &str| CustomerStatus::parse(text).ok_or_else(|| broken("customers.status"));
        let customer = MovedCustomer {
            id: CustomerId::from_stored(row.text("customer_id")?),
            named: true,
            kind: CustomerKind::parse(&row.text("customer_kind")?).ok_or_else(|| broken("customers.kind"))?,
            status: status(&row.text("customer_status")?)?,
            status_before: row.maybe_text("customer_status_before")?.as_deref().map(status).transpose()?,
            name: row.text("customer_name")?,
            details: serde_json::from_str(&row.text("customer_details")?)
                .map_err(|_| broken("customers.details"))?,
            created_at: row.instant("customer_created_at")?,
            updated_at: row.instant("customer_updated_at")?,
        };
        Ok(Self { customer, house: row.bool("customer_house")? })
    }
}
