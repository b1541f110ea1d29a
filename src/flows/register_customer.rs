//! A registration: a new customer with its first user, both or neither.

use serde_json::json;

use crate::clock::Timestamp;
use crate::customers;
use crate::customers::store::NewCustomer;
use crate::db::{Change, Database, Statement};
use crate::error::Error;
use crate::events::{self, Event, EventName};

use super::create_user::{refusal, user_statements};
use super::{CreateUser, Deed};

/// A customer and its first user as asked for.
#[derive(Debug)]
pub struct Registration<'a> {
    pub customer: NewCustomer<'a>,
    pub user: CreateUser<'a>,
}

/// Registers a customer.
pub async fn register_customer(
    db: &Database,
    deed: &Deed<'_>,
    new: &Registration<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    let change = Change::new().with_all(registration_statements(deed, new, now));
    db.apply(change).await.map(drop).map_err(refusal)
}

/// What registers a customer, to stand in a change beside what else becomes true with it: an import's other lines.
#[must_use]
pub fn registration_statements(deed: &Deed<'_>, new: &Registration<'_>, now: Timestamp) -> Vec<Statement> {
    let Registration { customer, user } = new;
    let event = Event {
        details: json!({ "kind": customer.kind.as_str(), "status": customer.status.as_str() }),
        ..deed.customer_event(EventName::CustomerCreated, customer.id)
    };
    let mut statements = vec![customers::store::insert(deed.tenant, customer, now)];
    statements.push(events::store::insert(deed.tenant, &event, now));
    statements.extend(user_statements(deed, user, now));
    statements
}
