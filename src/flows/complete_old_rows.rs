//! What rows from before the directory (schema 0001) lack: by what they are found. Called by `migrate` and by upkeep,
//! for nodes of the older version may go on writing such rows while others are new already.

use futures_util::future::join_all;

use crate::customers;
use crate::db::{Change, Database, Row, Statement};
use crate::error::Error;
use crate::ids::{CustomerId, TenantId, UserId};
use crate::users;

use super::records::{get_customer, get_user_to_change, settle};

/// Rows that are read at a time.
const SLICE: usize = 100;
/// Changes under way at a time: there are connections left for others.
const AT_ONCE: usize = 4;

/// Fills in what customers and users are searched by, users' usernames and their numbers, wherever it was never done.
/// What fails keeps no other row from it; the error is the first one's.
pub async fn complete_old_rows(db: &Database) -> Result<(), Error> {
    let mut outcome = Ok(());
    let mut after = (String::new(), String::new(), String::new());
    loop {
        let statement = Statement::new(
            "select e.tenant_id, e.id, e.what from \
             (select c.tenant_id, c.id, 'customer' as what from customers c where c.search = '' \
              and c.erased_at is null and (c.tenant_id, c.id, 'customer') > ($1, $2, $3) \
              union all select u.tenant_id, u.id, 'user' as what from users u where u.search = '' \
              and u.erased_at is null and (u.tenant_id, u.id, 'user') > ($1, $2, $3)) e \
             order by e.tenant_id, e.id, e.what limit 100",
        )
        .bind(after.0.as_str())
        .bind(after.1.as_str())
        .bind(after.2.as_str());
        let rows = db.list(statement).await?;
        for rows in rows.chunks(AT_ONCE) {
            for completed in join_all(rows.iter().map(|row| complete(db, row))).await {
                outcome = outcome.and(completed);
            }
        }
        match rows.last() {
            Some(row) if rows.len() >= SLICE => {
                after = (row.text("tenant_id")?, row.text("id")?, row.text("what")?);
            }
            _ => return outcome,
        }
    }
}

/// Whoever changes the row meanwhile completes it as well. One that has nothing to be searched by stays as it is.
async fn complete(db: &Database, row: &Row) -> Result<(), Error> {
    let (tenant, id) = (TenantId::from_stored(row.text("tenant_id")?), row.text("id")?);
    let change = if row.text("what")? == "customer" {
        let customer = get_customer(db, &tenant, &CustomerId::from_stored(id)).await?;
        if customer.details.search(&customer.name).is_empty() {
            return Ok(());
        }
        Change::new().with(customers::store::update(&tenant, &customer, customer.updated_at))
    } else {
        let user = get_user_to_change(db, &tenant, &UserId::from_stored(id)).await?;
        if user.search().is_empty() {
            return Ok(());
        }
        let numbers =
            user.phones.iter().map(|phone| users::store::insert_phone(&tenant, &user.id, &phone.number));
        Change::new().with(users::directory::store::update(&tenant, &user, user.updated_at)).with_all(numbers)
    };
    settle(db, change).await.map(drop)
}
