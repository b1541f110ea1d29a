//! Operators come and go; whose token is good is read with every request.

use secrecy::SecretString;
use serde_json::json;

use crate::clock::Timestamp;
use crate::db::{Change, Database, DbError};
use crate::error::{Error, FieldError};
use crate::events::{self, EventName};
use crate::ids::{OperatorId, system_tenant};
use crate::operators::{self, Operator};

use super::Author;

/// Makes an operator. The token is told here and never again: only its digest is stored.
pub async fn create_operator(
    db: &Database,
    author: Author<'_>,
    name: &str,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(Operator, SecretString), Error> {
    let mut problems: Vec<_> =
        operators::name(name).err().map(|problem| FieldError::new("name", problem)).into_iter().collect();
    if expires_at.is_some_and(|end| end <= now) {
        problems.push(FieldError::new("expiresAt", "must be in the future; leave it out for no end"));
    }
    if !problems.is_empty() {
        return Err(Error::Validation(problems));
    }
    let (id, token) = (OperatorId::random(), operators::new_token());
    let event = events::Event {
        details: json!({ "operatorId": id, "expiresAt": expires_at.map(|end| end.to_string()) }),
        ..author.event(EventName::OperatorCreated)
    };
    let change = Change::new()
        .with(operators::store::insert(&id, name, &operators::token_digest(&token), expires_at, now))
        .with(events::store::insert(&system_tenant(), &event, now));
    db.apply(change).await?;
    let operator = Operator { id, name: name.to_owned(), created_at: now, expires_at, revoked_at: None };
    Ok((operator, token))
}

/// All operators, newest first.
pub async fn list_operators(db: &Database) -> Result<Vec<Operator>, Error> {
    let rows = db.list(operators::store::list()).await?;
    Ok(rows.iter().map(Operator::from_row).collect::<Result<_, _>>()?)
}

/// Revokes an operator's token: it is refused on the next request. Whose token was revoked before stays as it is.
///
/// Also the last good one may go, which over the API can only be the caller's own: a token that leaked must not live on
/// until another is made. The command line, which works on the database itself, makes a new one.
pub async fn revoke_operator(
    db: &Database,
    author: Author<'_>,
    id: &OperatorId,
    now: Timestamp,
) -> Result<Operator, Error> {
    let event =
        events::Event { details: json!({ "operatorId": id }), ..author.event(EventName::OperatorRevoked) };
    let change = Change::new().with(operators::store::revoke(id, now)).with(events::store::insert(
        &system_tenant(),
        &event,
        now,
    ));
    match db.apply(change).await {
        Ok(_) | Err(DbError::Refused("operator")) => (),
        Err(error) => return Err(error.into()),
    }
    let rows = db.fetch(operators::store::find(id)).await?;
    rows.first().map(Operator::from_row).transpose()?.ok_or(Error::NotFound)
}
