//! What erasures have left to do, in all tenants: called by upkeep, by any number of nodes.

use crate::clock::Timestamp;
use crate::db::{Database, Statement};
use crate::error::Error;
use crate::events::Actor;
use crate::ids::{CustomerId, TenantId, UserId};
use crate::{customers, users};

use super::Deed;
use super::erase::{erase_customer_traces, erase_some_users, erase_traces};

/// What was under way when a user was erased may write for so long after it, in seconds: a login's conclusion.
const SETTLED_AFTER: i64 = 300;

/// Rows that are read at a time.
const AT_ONCE: usize = 100;

/// What one round over the erasures did.
#[derive(Debug)]
pub struct Erasures {
    /// Whether there was something to erase: then it is worth going on at once.
    pub more: bool,
    /// The first failure. It kept nobody else's from being erased.
    pub failure: Option<Error>,
}

/// Erases a slice of everything that is still to be erased.
pub async fn finish_erasures(db: &Database, now: Timestamp) -> Result<Erasures, Error> {
    let (mut some, mut failure) = (false, None);
    let mut after = (String::new(), String::new(), String::new());
    loop {
        let statement = Statement::new(
            "select e.tenant_id, e.id, e.what from \
             (select c.tenant_id, c.id, 'customer' as what from customers c where c.erasing \
              and (c.tenant_id, c.id, 'customer') > ($1, $2, $3) \
              union all select u.tenant_id, u.id, 'user' as what from users u where u.erasing \
              and (u.tenant_id, u.id, 'user') > ($1, $2, $3)) e order by e.tenant_id, e.id, e.what limit 100",
        )
        .bind(after.0.as_str())
        .bind(after.1.as_str())
        .bind(after.2.as_str());
        let rows = db.list(statement).await?;
        for row in &rows {
            after = (row.text("tenant_id")?, row.text("id")?, row.text("what")?);
            match erase_more(db, &after.0, &after.1, after.2 == "customer", now).await {
                Ok(more) => some |= more,
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if rows.len() < AT_ONCE {
            return Ok(Erasures { more: some, failure });
        }
    }
}

async fn erase_more(
    db: &Database,
    tenant: &str,
    id: &str,
    customer: bool,
    now: Timestamp,
) -> Result<bool, Error> {
    let tenant = TenantId::from_stored(tenant.to_owned());
    let settled = now.plus_seconds(-SETTLED_AFTER);
    if customer {
        let deed = Deed::new(&tenant, Actor::System);
        let customer = CustomerId::from_stored(id.to_owned());
        let users = !erase_some_users(db, &deed, &customer, now).await?.is_empty();
        let left = erase_customer_traces(db, &tenant, &customer).await? || users;
        if !left {
            db.apply(customers::store::finish_erasing(&tenant, &customer, settled)).await?;
        }
        return Ok(left);
    }
    let user = UserId::from_stored(id.to_owned());
    let left = erase_traces(db, &tenant, &user, now).await?;
    if !left {
        db.apply(users::directory::store::finish_erasing(&tenant, &user, settled)).await?;
    }
    Ok(left)
}
