//! A new user for a customer, with the names they log in by.

use serde_json::json;

use crate::clock::Timestamp;
use crate::customers;
use crate::db::{Change, Database, DbError, Statement};
use crate::error::Error;
use crate::events::{self, Actor, Event, EventName};
use crate::ids::TenantId;
use crate::users::store::NewUser;
use crate::users::{self, LoginName};

use super::Deed;

/// A user as asked for.
#[derive(Debug)]
pub struct CreateUser<'a> {
    /// The username in canonical form, where there is one beside the e-mail.
    pub username: Option<LoginName>,
    /// The e-mail in canonical form, where there is one: they log in by it too.
    pub email_name: Option<LoginName>,
    pub user: NewUser<'a>,
}

/// Makes a user for a customer that exists, whatever its status.
pub async fn create_user(
    db: &Database,
    tenant: &TenantId,
    new: &CreateUser<'_>,
    actor: Actor<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    db.apply(Change::new().with_all(statements(tenant, new, actor, now))).await.map(drop).map_err(refusal)
}

/// Makes a user for a customer that is not closed.
pub async fn add_user(
    db: &Database,
    deed: &Deed<'_>,
    new: &CreateUser<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    let change = Change::new()
        .with(customers::store::hold_open(deed.tenant, new.user.customer_id))
        .with_all(user_statements(deed, new, now));
    db.apply(change).await.map(drop).map_err(refusal)
}

/// What makes a user, to stand in a change beside what else becomes true with it.
pub(super) fn statements(
    tenant: &TenantId,
    new: &CreateUser<'_>,
    actor: Actor<'_>,
    now: Timestamp,
) -> Vec<Statement> {
    user_statements(&Deed::new(tenant, actor), new, now)
}

/// The same, for somebody's deed.
pub(super) fn user_statements(deed: &Deed<'_>, new: &CreateUser<'_>, now: Timestamp) -> Vec<Statement> {
    let NewUser { id, customer_id, kind, roles, phones, .. } = &new.user;
    let event = Event {
        details: json!({ "kind": kind.as_str(), "roles": roles }),
        ..deed.user_event(EventName::UserCreated, id, customer_id)
    };
    let mut statements = vec![users::store::insert(deed.tenant, &new.user, now)];
    statements.extend(users::store::insert_names(
        deed.tenant,
        id,
        new.username.as_ref(),
        new.email_name.as_ref(),
    ));
    statements.extend(phones.iter().map(|phone| users::store::insert_phone(deed.tenant, id, &phone.number)));
    statements.push(events::store::insert(deed.tenant, &event, now));
    statements
}

/// Which name is taken, if that is why the change was refused.
pub(super) fn refusal(error: DbError) -> Error {
    match error {
        DbError::Refused(field @ ("username" | "email" | "user id" | "customer id")) => {
            Error::conflict(field, "is taken; choose another")
        }
        DbError::Refused("open customer") => Error::conflict("customerId", "is a customer's that is closed"),
        other => other.into(),
    }
}
