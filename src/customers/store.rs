//! The customers' SQL.

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::{CustomerId, TenantId, UserId};
use crate::spelling::search_pattern;

use super::{CustomerDetails, CustomerFilters, CustomerKind, CustomerRecord, CustomerStatus};

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

/// The columns [`CustomerRecord::from_row`] reads, of `customers c`.
macro_rules! customer_record_columns {
    () => {
        "c.id as id, c.kind as kind, c.house as house, c.status as status, c.status_before as status_before, \
         c.revision as revision, c.name as name, c.details as details, c.created_at as created_at, \
         c.updated_at as updated_at, c.erased_at as erased_at"
    };
}

/// A page of the customers who are suspended or closed, after an id.
#[must_use]
pub fn find_shut(tenant: &TenantId, after: &str, limit: i64) -> Statement {
    Statement::new(concat!(
        "select ",
        customer_record_columns!(),
        " from customers c where c.tenant_id = $1 and c.id > $2 and c.status in ('suspended', 'closed') \
         order by c.id limit $3"
    ))
    .bind(tenant)
    .bind(after)
    .bind(limit)
}

/// One customer, whatever the status.
#[must_use]
pub fn find(tenant: &TenantId, customer: &CustomerId) -> Statement {
    Statement::new(concat!(
        "select ",
        customer_record_columns!(),
        " from customers c where c.tenant_id = $1 and c.id = $2"
    ))
    .bind(tenant)
    .bind(customer)
}

/// The tenant's own organization.
#[must_use]
pub fn find_house(tenant: &TenantId) -> Statement {
    Statement::new(concat!(
        "select ",
        customer_record_columns!(),
        " from customers c where c.tenant_id = $1 and c.house"
    ))
    .bind(tenant)
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

/// Lets no other change that asks for the same go on: who is whose staff stays as it is.
#[must_use]
pub fn hold_house(tenant: &TenantId) -> Statement {
    Statement::new("update customers set revision = revision where tenant_id = $1 and house returning id")
        .bind(tenant)
        .must_change("house")
}

/// Writes what may be changed of a customer. Refused ("customer revision") when somebody has changed the row meanwhile.
#[must_use]
pub fn update(tenant: &TenantId, customer: &CustomerRecord, now: Timestamp) -> Statement {
    Statement::new(
        "update customers set name = $4, details = $5, search = $6, updated_at = $7, revision = revision + 1 \
         where tenant_id = $1 and id = $2 and revision = $3 and erased_at is null returning id",
    )
    .bind(tenant)
    .bind(&customer.id)
    .bind(customer.revision)
    .bind(customer.name.as_str())
    .bind(customer.details.to_string())
    .bind(customer.details.search(&customer.name))
    .bind(now)
    .must_change("customer revision")
}

/// Renames an individual along with its user, where the name is the user's own and there is no other user.
#[must_use]
pub fn rename_individual(
    tenant: &TenantId,
    customer: &CustomerId,
    user: &UserId,
    [before, after]: [&str; 2],
    now: Timestamp,
) -> Statement {
    Statement::new(
        "update customers set name = $5, search = $6, updated_at = $7, revision = revision + 1 \
         where tenant_id = $1 and id = $2 and kind = 'individual' and name = $4 and erased_at is null and not exists \
         (select 1 from users u where u.tenant_id = $1 and u.customer_id = $2 and u.id <> $3)",
    )
    .bind(tenant)
    .bind(customer)
    .bind(user)
    .bind(before)
    .bind(after)
    .bind(CustomerDetails::default().search(after))
    .bind(now)
}

/// Moves a customer to another status. Refused ("customer revision") as [`update`]. One that admits nobody ends the
/// sessions of all its users with the next request; where that has happened it stays as it is, and moving on does not
/// revive them (R064).
#[must_use]
pub fn set_status(
    tenant: &TenantId,
    customer: &CustomerRecord,
    status: CustomerStatus,
    now: Timestamp,
) -> Statement {
    let before = (status == CustomerStatus::Suspended).then_some(customer.status.as_str());
    Statement::new(
        "update customers set status = $4, status_before = $5, updated_at = $6, revision = revision + 1, \
         sessions_not_before = case when sessions_not_before is not null \
             and (status in ('suspended', 'closed') or sessions_not_before > $6) then sessions_not_before \
             else coalesce($7, sessions_not_before) end, \
         sessions_end_reason = case when sessions_not_before is not null \
             and (status in ('suspended', 'closed') or sessions_not_before > $6) then sessions_end_reason \
             else coalesce($8, sessions_end_reason) end \
         where tenant_id = $1 and id = $2 and revision = $3 returning id",
    )
    .bind(tenant)
    .bind(&customer.id)
    .bind(customer.revision)
    .bind(status.as_str())
    .bind(before)
    .bind(now)
    .bind(status.ends_sessions_as().map(|_| now))
    .bind(status.ends_sessions_as())
    .must_change("customer revision")
}

/// Takes out of a closed customer's row what may tell who it was; its users are still to be erased. Refused ("customer
/// revision") when somebody was faster.
#[must_use]
pub fn erase(tenant: &TenantId, customer: &CustomerId, now: Timestamp) -> Statement {
    Statement::new(
        "update customers set name = '', details = '{}', search = '', erased_at = $3, erasing = $4, \
         revision = revision + 1 \
         where tenant_id = $1 and id = $2 and status = 'closed' and erased_at is null returning id",
    )
    .bind(tenant)
    .bind(customer)
    .bind(now)
    .bind(true)
    .must_change("customer revision")
}

/// Notes that nothing of an erased customer is left: none of its users is to be erased, and what was under way when it
/// was erased has ended by `before`.
#[must_use]
pub fn finish_erasing(tenant: &TenantId, customer: &CustomerId, before: Timestamp) -> Statement {
    Statement::new(
        "update customers set erasing = $3 where tenant_id = $1 and id = $2 and erased_at < $4 and not exists \
         (select 1 from users u where u.tenant_id = $1 and u.customer_id = $2 and u.erased_at is null)",
    )
    .bind(tenant)
    .bind(customer)
    .bind(false)
    .bind(before)
}

/// Where a list takes its rows from, in the order of customers' ids: `$1` the tenant, `$2` what the index is asked for,
/// `$3` the id to begin after. The house is nobody's customer.
macro_rules! all {
    () => {
        "customers c where c.tenant_id = $1 and cast($2 as text) is null and c.id > $3 and not c.house"
    };
}
macro_rules! with_phone {
    () => {
        "(select distinct u.customer_id as id from user_phones p join users u on u.tenant_id = p.tenant_id \
          and u.id = p.user_id where p.tenant_id = $1 and p.number = $2) f \
         join customers c on c.tenant_id = $1 and c.id = f.id where c.id > $3 and not c.house"
    };
}
macro_rules! with_name {
    () => {
        "(select u.customer_id as id from login_names n join users u on u.tenant_id = n.tenant_id \
          and u.id = n.user_id where n.tenant_id = $1 and n.name = $2) f \
         join customers c on c.tenant_id = $1 and c.id = f.id where c.id > $3 and not c.house"
    };
}

macro_rules! page_of {
    ($source:ident) => {
        Statement::new(concat!(
            "select ",
            customer_record_columns!(),
            " from (select c.* from ",
            $source!(),
            " order by c.id limit 20000) c where (cast($4 as text) is null or c.id <= $4) \
             and (cast($5 as text) is null or c.status = $5) and (cast($6 as text) is null or c.kind = $6) \
             and (cast($7 as text) is null or exists \
                 (select 1 from user_phones p join users u on u.tenant_id = p.tenant_id and u.id = p.user_id \
                  where p.tenant_id = c.tenant_id and p.number = $7 and u.customer_id = c.id)) \
             and (cast($8 as text) is null or c.search like $8 escape '\\') order by c.id limit $9"
        ))
    };
}

macro_rules! end_of {
    ($source:ident) => {
        Statement::new(concat!("select c.id as id from ", $source!(), " order by c.id limit 1 offset 19999"))
    };
}

/// Customers after an id, of those that fit. Only rows up to `until` are looked at.
#[must_use]
pub fn list(
    tenant: &TenantId,
    filters: &CustomerFilters,
    after: &str,
    until: Option<&str>,
    limit: i64,
) -> Statement {
    let (statement, key) = match filters {
        CustomerFilters { email: Some(email), .. } => (page_of!(with_name), Some(email.as_str())),
        CustomerFilters { phone: Some(phone), .. } => (page_of!(with_phone), Some(phone.as_str())),
        _ => (page_of!(all), None),
    };
    statement
        .bind(tenant)
        .bind(key)
        .bind(after)
        .bind(until)
        .bind(filters.status.map(CustomerStatus::as_str))
        .bind(filters.kind.map(CustomerKind::as_str))
        .bind(filters.phone.as_deref())
        .bind(filters.text.as_deref().map(search_pattern))
        .bind(limit)
}

/// The id of the last row that a page of this list may look at (20,000); none where the list ends before.
#[must_use]
pub fn find_end_of_page(tenant: &TenantId, filters: &CustomerFilters, after: &str) -> Statement {
    let (statement, key) = match filters {
        CustomerFilters { email: Some(email), .. } => (end_of!(with_name), Some(email.as_str())),
        CustomerFilters { phone: Some(phone), .. } => (end_of!(with_phone), Some(phone.as_str())),
        _ => (end_of!(all), None),
    };
    statement.bind(tenant).bind(key).bind(after)
}
