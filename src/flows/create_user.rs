//! A new user for a customer, with the names they log in by.

use serde_json::json;

use crate::clock::Timestamp;
use crate::db::{Change, Database, DbError, Statement};
use crate::error::Error;
use crate::events::{self, Actor, Event, EventName};
use crate::ids::TenantId;
use crate::users::store::NewUser;
use crate::users::{self, LoginName};

/// A user as asked for.
#[derive(Debug)]
pub struct CreateUser<'a> {
    pub username: LoginName,
    /// The e-mail in canonical form, where there is one: they log in by it too.
    pub email_name: Option<LoginName>,
    pub user: NewUser<'a>,
}

/// Makes a user for a customer that exists.
pub async fn create_user(
    db: &Database,
    tenant: &TenantId,
    new: &CreateUser<'_>,
    actor: Actor<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    db.apply(Change::new().with_all(statements(tenant, new, actor, now))).await.map(drop).map_err(refusal)
}

/// What makes a user, to stand in a change beside what else becomes true with it.
pub(super) fn statements(
    tenant: &TenantId,
    new: &CreateUser<'_>,
    actor: Actor<'_>,
    now: Timestamp,
) -> Vec<Statement> {
    let event = Event {
        user: Some(new.user.id),
        customer: Some(new.user.customer_id),
        details: json!({ "kind": new.user.kind.as_str(), "roles": new.user.roles }),
        ..Event::new(EventName::UserCreated, actor)
    };
    let email = new.email_name.as_ref().filter(|email| **email != new.username);
    let mut statements = vec![
        users::store::insert(tenant, &new.user, now),
        users::store::insert_username(tenant, new.user.id, &new.username),
    ];
    statements.extend(email.map(|email| users::store::insert_email(tenant, new.user.id, email)));
    statements.push(events::store::insert(tenant, &event, now));
    statements
}

/// Which name is taken, if that is why the change was refused.
pub(super) fn refusal(error: DbError) -> Error {
    match error {
        DbError::Refused(field @ ("username" | "email" | "user id" | "customer id")) => {
            Error::conflict(field, "is taken; choose another")
        }
        other => other.into(),
    }
}
