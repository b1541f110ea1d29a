//! The SQL on customers who move in, many rows a statement.

use std::sync::LazyLock;

use crate::customers::{CustomerKind, CustomerStatus};
use crate::db::{ROWS_AT_ONCE, Statement, in_chunks, many_rows};
use crate::ids::{CustomerId, TenantId};

use super::MovedCustomer;

/// For one row and for many.
static CUSTOMERS: LazyLock<[String; 2]> = LazyLock::new(|| {
    [1, ROWS_AT_ONCE].map(|rows| {
        many_rows(
            "insert into customers (tenant_id, id, house, kind, status, status_before, name, details, search, \
             created_at, updated_at)",
            11,
            rows,
            "on conflict do nothing",
        )
    })
});

/// Lets customers in. One that is there stays as it is; [`hold`] says whether it will do.
#[must_use]
pub fn insert(tenant: &TenantId, customers: &[&MovedCustomer]) -> Vec<Statement> {
    in_chunks(customers)
        .map(|chunk| {
            let text = CUSTOMERS[usize::from(chunk.len() > 1)].as_str();
            chunk.iter().fold(Statement::new(text).bind(tenant), |statement, customer| {
                statement
                    .bind(&customer.id)
                    .bind(false)
                    .bind(customer.kind.as_str())
                    .bind(customer.status.as_str())
                    .bind(customer.status_before.map(CustomerStatus::as_str))
                    .bind(customer.name.as_str())
                    .bind(customer.details.to_string())
                    .bind(customer.details.search(&customer.name))
                    .bind(customer.created_at)
                    .bind(customer.updated_at)
            })
        })
        .collect()
}

/// Keeps a customer as it is while users are let in to it. Refused ("customer") when it is not there, is the house,
/// was erased, is not of the kind, or is closed and not said to be.
#[must_use]
pub fn hold(
    tenant: &TenantId,
    customer: &CustomerId,
    kind: CustomerKind,
    status: Option<CustomerStatus>,
) -> Statement {
    Statement::new(
        "update customers set revision = revision where tenant_id = $1 and id = $2 and not house \
         and erased_at is null and kind = $3 and (status <> 'closed' or $4) returning id",
    )
    .bind(tenant)
    .bind(customer)
    .bind(kind.as_str())
    .bind(status == Some(CustomerStatus::Closed))
    .must_change("customer")
}

/// Refused ("customer") when the individual has a user. It is asked behind [`hold`]: that may have waited for another
/// change, whose users it does not see.
#[must_use]
pub fn demand_no_user(tenant: &TenantId, individual: &CustomerId) -> Statement {
    Statement::new(
        "select c.id from customers c where c.tenant_id = $1 and c.id = $2 and not exists \
         (select 1 from users u where u.tenant_id = c.tenant_id and u.customer_id = c.id)",
    )
    .bind(tenant)
    .bind(individual)
    .must_change("customer")
}

/// The tenant's own organization, which has the tenant's name: nobody moves into it but staff.
#[must_use]
pub fn find_house(tenant: &TenantId) -> Statement {
    Statement::new("select id, name from customers where tenant_id = $1 and house").bind(tenant)
}
