//! Changes of what is known of a customer, and of its status.

use serde_json::json;

use crate::clock::Timestamp;
use crate::customers::{self, CustomerMove, CustomerRecord, CustomerStatus};
use crate::db::{Change, Database, Statement};
use crate::error::Error;
use crate::events::revocations::KEPT_SECONDS;
use crate::events::{self, Ends, Event, EventName};
use crate::ids::CustomerId;
use crate::password_resets;

use super::Deed;
use super::end_sessions::end_newer_sessions_of_all;
use super::records::{TRIES, contended, get_customer, settle};

/// Changes a customer as `edit` does it to the record, and answers the record as it is then. Nothing different is no
/// change and no event.
pub async fn change_customer(
    db: &Database,
    deed: &Deed<'_>,
    id: &CustomerId,
    edit: impl Fn(&mut CustomerRecord) -> Result<(), Error>,
    now: Timestamp,
) -> Result<CustomerRecord, Error> {
    for _ in 0..TRIES {
        let before = get_customer(db, deed.tenant, id).await?;
        let mut after = before.clone();
        edit(&mut after)?;
        if after == before {
            return Ok(before);
        }
        if before.status == CustomerStatus::Closed {
            return Err(Error::conflict("status", "is CLOSED; nothing of a closed customer is changed"));
        }
        let fields = [
            ("customerName", before.name != after.name),
            ("customerCategory", before.details.category != after.details.category),
            ("organization", before.details.organization != after.details.organization),
        ];
        let fields: Vec<_> =
            fields.into_iter().filter_map(|(field, differs)| differs.then_some(field)).collect();
        let event = Event {
            details: json!({ "fields": fields }),
            ..deed.customer_event(EventName::CustomerUpdated, id)
        };
        let change = Change::new()
            .with(customers::store::update(deed.tenant, &after, now))
            .with(events::store::insert(deed.tenant, &event, now));
        if settle(db, change).await? {
            return get_customer(db, deed.tenant, id).await;
        }
    }
    Err(contended("customerId"))
}

/// Moves a customer to another status, and answers the customer as it is then. Where it is there already nothing
/// happens, so that an answer that was lost can be asked for again.
pub async fn move_customer(
    db: &Database,
    deed: &Deed<'_>,
    id: &CustomerId,
    how: CustomerMove,
    now: Timestamp,
) -> Result<CustomerRecord, Error> {
    for _ in 0..TRIES {
        let customer = get_customer(db, deed.tenant, id).await?;
        not_the_house(&customer)?;
        let Some(status) = how.from(&customer).map_err(|why| Error::conflict("status", why))? else {
            return Ok(customer);
        };
        let change = Change::new().with_all(move_statements(deed, &customer, status, now));
        if settle(db, change).await? {
            return get_customer(db, deed.tenant, id).await;
        }
    }
    Err(contended("customerId"))
}

/// The house is the tenant itself: who suspends it suspends the tenant, which is an operator's to do.
pub(super) fn not_the_house(customer: &CustomerRecord) -> Result<(), Error> {
    if customer.house {
        Err(Error::conflict("customerId", "is the tenant's own organization; its status is the tenant's"))
    } else {
        Ok(())
    }
}

/// What moves a customer to a status that it does not have, to stand in a change beside what else becomes true with it.
pub(super) fn move_statements(
    deed: &Deed<'_>,
    customer: &CustomerRecord,
    status: CustomerStatus,
    now: Timestamp,
) -> Vec<Statement> {
    // Nobody opens a session for a closed customer any more, so what a node opened whose clock is ahead is meant too.
    let until = if status == CustomerStatus::Closed { now.plus_seconds(KEPT_SECONDS) } else { now };
    let event = Event {
        details: json!({ "before": customer.status.as_str(), "after": status.as_str() }),
        ends: status.ends_sessions_as().map(|_| Ends::Customer { until }),
        ..deed.customer_event(EventName::CustomerStatusChanged, &customer.id)
    };
    let mut statements = vec![customers::store::set_status(deed.tenant, customer, status, now)];
    if let Some(reason) = status.ends_sessions_as() {
        statements.extend(end_newer_sessions_of_all(deed.tenant, &event, reason, now));
    }
    if !status.admits() {
        // A secret that is out would open what a later resumption opens again.
        statements.push(password_resets::store::delete_of_customer(deed.tenant, &customer.id));
    }
    statements.push(events::store::insert(deed.tenant, &event, now));
    statements
}
