//! Erasing: what is personal of a user or a customer goes for good; what is sealed of it stays verifiable.
//!
//! The first change closes them and empties their own rows. Older rows of other tables follow in slices: some at once,
//! the rest from `upkeep`, also after a crash, for `erasing` stays set until nothing is left.

use crate::clock::Timestamp;
use crate::customers::{self, CustomerKind, CustomerRecord, CustomerStatus};
use crate::db::{Change, Database, Row};
use crate::error::Error;
use crate::events::{self, EventName};
use crate::ids::{CustomerId, EventId, TenantId, UserId};
use crate::users::directory::UserRecord;
use crate::users::{self, UserStatus};
use crate::{devices, password_resets, sessions};

use super::Deed;
use super::records::{TRIES, contended, get_customer, get_user, settle};
use super::{change_customer, move_user};

/// Rows of one table in one slice.
const SLICE: i64 = 500;
/// Users of one customer that are erased in one go.
const USERS_AT_ONCE: i64 = 100;
/// Slices that a request does itself; the rest is upkeep's.
const SLICES_AT_ONCE: usize = 10;

/// Erases a user, once; an individual's user is the individual, so the customer is erased with them.
pub async fn erase_user(
    db: &Database,
    deed: &Deed<'_>,
    id: &UserId,
    now: Timestamp,
) -> Result<UserRecord, Error> {
    let user = get_user(db, deed.tenant, id).await?;
    let customer = get_customer(db, deed.tenant, &user.customer_id).await?;
    if customer.kind == CustomerKind::Individual {
        erase_customer(db, deed, &customer.id, now).await?;
    } else {
        empty_user(db, deed, id, now).await?;
        erase_traces_now(db, deed.tenant, id, now).await?;
    }
    get_user(db, deed.tenant, id).await
}

/// Erases a customer and all its users, once.
pub async fn erase_customer(
    db: &Database,
    deed: &Deed<'_>,
    id: &CustomerId,
    now: Timestamp,
) -> Result<CustomerRecord, Error> {
    empty_customer(db, deed, id, now).await?;
    for user in erase_some_users(db, deed, id, now).await? {
        erase_traces_now(db, deed.tenant, &user, now).await?;
    }
    for _ in 0..SLICES_AT_ONCE {
        if !erase_customer_traces(db, deed.tenant, id).await? {
            break;
        }
    }
    get_customer(db, deed.tenant, id).await
}

/// Empties some of an erased customer's users. Whom it has emptied.
pub(super) async fn erase_some_users(
    db: &Database,
    deed: &Deed<'_>,
    customer: &CustomerId,
    now: Timestamp,
) -> Result<Vec<UserId>, Error> {
    let some = users::directory::store::find_unerased(deed.tenant, customer, USERS_AT_ONCE);
    let mut emptied = Vec::new();
    for row in db.list(some).await? {
        let user = UserRecord::from_row(&row)?.id;
        empty_user(db, deed, &user, now).await?;
        emptied.push(user);
    }
    Ok(emptied)
}

async fn empty_user(db: &Database, deed: &Deed<'_>, id: &UserId, now: Timestamp) -> Result<(), Error> {
    for _ in 0..TRIES {
        let user = get_user(db, deed.tenant, id).await?;
        if user.erased_at.is_some() {
            return Ok(());
        }
        let mut change = Change::new();
        if user.status != UserStatus::Closed {
            change = change.with_all(move_user::move_statements(deed, &user, UserStatus::Closed, now)?);
        }
        let event = deed.user_event(EventName::UserErased, id, &user.customer_id);
        let change = change
            .with(users::directory::store::erase(deed.tenant, id, now))
            .with(users::directory::store::delete_names(deed.tenant, id))
            .with(users::directory::store::delete_phones(deed.tenant, id))
            .with(devices::store::delete_all(deed.tenant, id))
            .with(password_resets::store::delete_of(deed.tenant, id))
            .with(events::store::insert(deed.tenant, &event, now));
        if settle(db, change).await? {
            return Ok(());
        }
    }
    Err(contended("userId"))
}

async fn empty_customer(
    db: &Database,
    deed: &Deed<'_>,
    id: &CustomerId,
    now: Timestamp,
) -> Result<(), Error> {
    for _ in 0..TRIES {
        let customer = get_customer(db, deed.tenant, id).await?;
        change_customer::not_the_house(&customer)?;
        if customer.erased_at.is_some() {
            return Ok(());
        }
        let mut change = Change::new();
        if customer.status != CustomerStatus::Closed {
            let closed = CustomerStatus::Closed;
            change = change.with_all(change_customer::move_statements(deed, &customer, closed, now));
        }
        let event = deed.customer_event(EventName::CustomerErased, id);
        let change = change.with(customers::store::erase(deed.tenant, id, now)).with(events::store::insert(
            deed.tenant,
            &event,
            now,
        ));
        if settle(db, change).await? {
            return Ok(());
        }
    }
    Err(contended("customerId"))
}

async fn erase_traces_now(
    db: &Database,
    tenant: &TenantId,
    user: &UserId,
    now: Timestamp,
) -> Result<(), Error> {
    for _ in 0..SLICES_AT_ONCE {
        if !erase_traces(db, tenant, user, now).await? {
            break;
        }
    }
    Ok(())
}

/// Erases a slice of what an erased user has left in sessions and events. Whether there was any.
pub(super) async fn erase_traces(
    db: &Database,
    tenant: &TenantId,
    user: &UserId,
    now: Timestamp,
) -> Result<bool, Error> {
    let sessions = db.apply(sessions::store::erase_some(tenant, user, now, SLICE)).await?;
    let events = db.list(events::store::find_personal(tenant, user, SLICE)).await?;
    empty_events(db, tenant, &events).await?;
    Ok(!events.is_empty() || !sessions.rows(0).is_empty())
}

/// Erases a slice of what an erased customer has left in events. Whether there was any.
pub(super) async fn erase_customer_traces(
    db: &Database,
    tenant: &TenantId,
    customer: &CustomerId,
) -> Result<bool, Error> {
    let events = db.list(events::store::find_personal_of_customer(tenant, customer, SLICE)).await?;
    empty_events(db, tenant, &events).await?;
    Ok(!events.is_empty())
}

/// The personal part goes of all of them, the erasing itself too: a backend tells of the person's own device where it
/// passes their wish on. Who did it, when and in which request stays.
async fn empty_events(db: &Database, tenant: &TenantId, events: &[Row]) -> Result<(), Error> {
    if !events.is_empty() {
        let emptied = events.iter().map(|row| emptied(tenant, row)).collect::<Result<Vec<_>, _>>()?;
        db.apply(Change::new().with_all(emptied)).await?;
    }
    Ok(())
}

fn emptied(tenant: &TenantId, row: &Row) -> Result<crate::db::Statement, Error> {
    let id = EventId::from_stored(row.text("id")?);
    let digest = events::personal_digest(&row.bytes("salt")?, &row.text("personal")?);
    Ok(events::store::erase_personal(tenant, &id, &digest))
}
