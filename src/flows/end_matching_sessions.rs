//! Sessions end by what they have in common, slice by slice: begun by a request, gone on with by any node.
//!
//! An operation looks at every session that was opened before it, twice: at once, and once more at those that logins
//! opened that were under way when it began. Each slice is one change that moves the operation's row from where it was
//! read, so that two nodes at once, and one that dies in the middle, end each session once, with one event.

use std::collections::BTreeSet;

use serde_json::json;

use crate::app::App;
use crate::clock::Timestamp;
use crate::db::{Change, Database, DbError};
use crate::error::Error;
use crate::events::{self, Actor, Ends, Event, EventName};
use crate::ids::{ChangeId, SessionId, SessionOperationId, TenantId, UserId};
use crate::sessions::EndReason;
use crate::sessions::operations::{self, Beginner, SessionOperation};
use crate::sessions::search::{LOOKED_AT, LOOKED_AT_ONCE, SessionFilter, SessionState, store as search};
use crate::users;

use super::Deed;

/// Sessions that end in one change.
const SLICE: i64 = 100;

/// A count looks at so many sessions at most.
const COUNTED: i64 = 100_000;

/// Operations that nobody has moved for so long, in milliseconds, are nobody's: whoever was at it is gone.
const IDLE_MILLIS: i64 = 5_000;

/// Operations that are looked up together.
const AT_ONCE: i64 = 100;

/// How many sessions there are that would end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Matching {
    pub number: i64,
    /// Whether these are all: so many rows were to be looked at that it was given up otherwise.
    pub exact: bool,
}

/// Counts the sessions that live and fit, and ends none.
pub async fn count_matching_sessions(
    db: &Database,
    tenant: &TenantId,
    filter: &SessionFilter,
    now: Timestamp,
) -> Result<Matching, Error> {
    let filter = SessionFilter { state: Some(SessionState::Live), ..filter.clone() };
    let (mut after, until) = filter.range();
    let mut number = 0;
    for _ in 0..COUNTED / LOOKED_AT_ONCE {
        let end =
            db.list(search::find_end_of_slice(tenant, &filter, (&after, &until), LOOKED_AT_ONCE)).await?;
        let end = end.first().map(|row| row.text("id")).transpose()?;
        let last = end.as_ref().unwrap_or(&until);
        let counted = db.list(search::count(tenant, &filter, (&after, last), LOOKED_AT_ONCE, now)).await?;
        number += counted.first().map_or(Ok(0), |row| row.int("matched"))?;
        match end {
            Some(end) => after = end,
            None => return Ok(Matching { number, exact: true }),
        }
    }
    Ok(Matching { number, exact: false })
}

/// Begins to end the sessions that live and fit. [`go_on_ending_sessions`] does it.
pub async fn begin_ending_sessions(
    db: &Database,
    deed: &Deed<'_>,
    filter: &SessionFilter,
    reason: EndReason,
    now: Timestamp,
) -> Result<SessionOperationId, Error> {
    let id = SessionOperationId::random();
    let event = Event {
        reason: Some(reason.as_str()),
        note: deed.reason,
        details: json!({ "of": "search", "operationId": id, "state": "started", "filter": filter.names() }),
        ..deed.event(EventName::SessionsEnded)
    };
    let actor = (deed.actor.kind(), deed.actor.id());
    let change = Change::new()
        .with(operations::store::insert(deed.tenant, &id, filter, reason, actor, deed.reason, now))
        .with(events::store::insert(deed.tenant, &event, now));
    db.apply(change).await?;
    Ok(id)
}

/// An operation as it is now; another tenant's is absent.
pub async fn get_session_operation(
    db: &Database,
    tenant: &TenantId,
    id: &SessionOperationId,
) -> Result<SessionOperation, Error> {
    let rows = db.fetch(operations::store::find(tenant, id)).await?;
    Ok(SessionOperation::from_row(rows.first().ok_or(Error::NotFound)?)?)
}

/// Does what is to be done of an operation now, until there is nothing left or somebody else is at it.
pub async fn go_on_ending_sessions(
    app: &App,
    tenant: &TenantId,
    id: &SessionOperationId,
) -> Result<(), Error> {
    loop {
        let operation = match get_session_operation(&app.db, tenant, id).await {
            Ok(operation) => operation,
            // The tenant was deleted, and this with it.
            Err(Error::NotFound) => return Ok(()),
            Err(error) => return Err(error),
        };
        let now = app.clock.now();
        if !operation.is_due(now) {
            return Ok(());
        }
        let change = next_step(&app.db, tenant, &operation, now).await?;
        match app.db.apply(change).await {
            Ok(_) => (),
            Err(DbError::Refused("session operation")) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Goes on with the operations of all tenants that nobody is at. What fails keeps no other's from it; the error is the
/// first one's.
pub async fn go_on_with_session_operations(app: &App) -> Result<(), Error> {
    let mut outcome = Ok(());
    let mut after = String::new();
    loop {
        let now = app.clock.now();
        let due = operations::store::find_due(now.plus_millis(-IDLE_MILLIS), now, &after, AT_ONCE);
        let rows = app.db.list(due).await?;
        for row in &rows {
            let tenant = TenantId::from_stored(row.text("tenant_id")?);
            let id = SessionOperationId::from_stored(row.text("id")?);
            outcome = outcome.and(go_on_ending_sessions(app, &tenant, &id).await);
            after = id.to_string();
        }
        if rows.is_empty() {
            return outcome;
        }
    }
}

/// What moves an operation on: a slice, or its end.
async fn next_step(
    db: &Database,
    tenant: &TenantId,
    operation: &SessionOperation,
    now: Timestamp,
) -> Result<Change, Error> {
    let (filter, until) = (&operation.filter, operation.last());
    let (mut found, mut looked_at) = (Vec::new(), 0);
    let mut after = operation.after.clone();
    let end = loop {
        let end = search::find_end_of_slice(tenant, filter, (&after, &until), LOOKED_AT_ONCE);
        let end = db.list(end).await?.first().map(|row| row.text("id")).transpose()?;
        let between = (after.as_str(), end.as_ref().unwrap_or(&until).as_str());
        let most = SLICE - i64::try_from(found.len()).unwrap_or(SLICE);
        for row in db.list(search::find_some(tenant, filter, between, (LOOKED_AT_ONCE, most), now)).await? {
            found.push((SessionId::from_stored(row.text("id")?), UserId::from_stored(row.text("user_id")?)));
        }
        looked_at += LOOKED_AT_ONCE;
        match end {
            Some(end) if is_full(&found) || looked_at >= LOOKED_AT => break Some(end),
            Some(end) => after = end,
            None => break None,
        }
    };
    let last = end.as_ref().unwrap_or(&until);
    // One that is full ends with its last session; there may be more behind it.
    Ok(match found.last() {
        Some((id, _)) if is_full(&found) => slice(tenant, operation, &found, id.as_str(), now),
        None if end.is_none() && operation.passed_at.is_none() => {
            operations::store::note_passed(tenant, operation, now).into()
        }
        None if end.is_none() => finish(tenant, operation, now),
        _ => slice(tenant, operation, &found, last, now),
    })
}

fn is_full(found: &[(SessionId, UserId)]) -> bool {
    i64::try_from(found.len()).is_ok_and(|number| number >= SLICE)
}

/// Ends these sessions, as far as they still live, and has the operation look on behind the id `last`.
fn slice(
    tenant: &TenantId,
    operation: &SessionOperation,
    found: &[(SessionId, UserId)],
    last: &str,
    now: Timestamp,
) -> Change {
    let change = ChangeId::random();
    let moved = Change::new().with(operations::store::move_on(tenant, operation, last, &change, now));
    if found.is_empty() {
        return moved;
    }
    let reason = operation.end_reason;
    let event = Event {
        reason: Some(reason.as_str()),
        details: json!({ "operationId": operation.id }),
        ends: Some(Ends::Session),
        ..Event::new(EventName::SessionExpired, actor(&operation.beginner))
    };
    // Users in the order of their ids, as everybody takes them.
    let of_users: BTreeSet<&UserId> = found.iter().map(|(_, user)| user).collect();
    let held = of_users.into_iter().map(|user| users::store::lock(tenant, user));
    let ended =
        found.iter().map(|(session, _)| search::end_if_it_lives(tenant, session, reason, &change, now));
    let between = (operation.after.as_str(), last);
    moved
        .with_all(held)
        .with_all(ended)
        .with(events::store::insert_for_ended_slice(tenant, &event, between, &change, now))
        .with(operations::store::count_ended(tenant, &operation.id, between, &change))
}

const fn actor(beginner: &Beginner) -> Actor<'_> {
    match beginner {
        Beginner::Staff(user) => Actor::Staff(user),
        Beginner::Backend(key) => Actor::Backend(key),
        Beginner::Operator(id) => Actor::Operator(id.as_ref()),
    }
}

/// The second look is over.
fn finish(tenant: &TenantId, operation: &SessionOperation, now: Timestamp) -> Change {
    let SessionOperation { id, ended, .. } = operation;
    let event = Event {
        reason: Some(operation.end_reason.as_str()),
        details: json!({ "of": "search", "operationId": id, "state": "finished", "ended": ended }),
        ..Event::new(EventName::SessionsEnded, actor(&operation.beginner))
    };
    Change::new()
        .with(operations::store::finish(tenant, operation, now))
        .with(events::store::insert(tenant, &event, now))
}
