//! What time, or a row above them, has ended is written down in the sessions' own rows: called by upkeep, by any number of
//! nodes.
//!
//! Nothing waits for it: whether a session lives is decided when it is used (R062). It keeps what is looked through as
//! open to what is, and tells in an event what no event has told.

use futures_util::future::join_all;
use serde_json::json;

use crate::clock::{Readings, Timestamp};
use crate::db::{Change, Database, DbError, Row, Statement};
use crate::error::Error;
use crate::events::{self, Actor, Event, EventName};
use crate::ids::ChangeId;
use crate::sessions::store::{session_columns, session_lives, sessions_and_owners};
use crate::sessions::{self, EndReason, Session};
use crate::tenants::Tenant;
use crate::tenants::store::tenant_columns;
use crate::users::User;
use crate::users::store::user_columns;

/// Changes under way at a time: there are connections left for others. One session each, so that no two of them, on
/// whatever nodes, can wait for each other.
const AT_ONCE: usize = 8;

/// Behind the ids of all sessions, which are UUIDs: a bound that may be null would be none to the index.
const BEHIND_ALL: &str = "z";

/// What was done of one slice.
#[derive(Debug)]
pub struct WrittenDown {
    /// How many endings were written down.
    pub sessions: usize,
    /// The id after which the next slice begins; `None` where this was the last.
    pub next: Option<String>,
    /// The first failure. It kept no other session's ending from being written down.
    pub failure: Option<Error>,
}

/// Looks at the next sessions, `most` at most, by their ids, that their rows do not say to have ended, and writes down how those ended
/// that have: as [`Session::ending`] says.
pub async fn write_down_endings(
    db: &Database,
    after: Option<&str>,
    most: i64,
    at: impl Into<Readings>,
) -> Result<WrittenDown, Error> {
    let at = at.into();
    let after = after.unwrap_or_default();
    let end = db.list(sessions::store::find_end_of_slice(after, most)).await?;
    let next = end.first().map(|row| row.text("id")).transpose()?;
    let mut done = WrittenDown { sessions: 0, next, failure: None };
    let rows = find(db, after, done.next.as_deref().unwrap_or(BEHIND_ALL), at.cautious).await?;
    for rows in rows.chunks(AT_ONCE) {
        for outcome in join_all(rows.iter().map(|row| write_down(db, row, at))).await {
            match outcome {
                Ok(()) => done.sessions += 1,
                // Another node was faster, or the user was.
                Err(DbError::Refused("session")) => (),
                Err(error @ (DbError::Unavailable(_) | DbError::UnknownOutcome(_))) => {
                    return Err(error.into());
                }
                Err(error) => done.failure = done.failure.or(Some(error.into())),
            }
        }
    }
    Ok(done)
}

/// Those of a slice that do not live, with what says so. What is a deleted tenant's goes with it.
async fn find(db: &Database, after: &str, until: &str, now: Timestamp) -> Result<Vec<Row>, DbError> {
    let statement = Statement::new(concat!(
        "select ",
        session_columns!(),
        ", ",
        tenant_columns!(),
        ", ",
        user_columns!(),
        " from ",
        sessions_and_owners!(),
        " where s.ended_at is null and s.id > $1 and s.id <= $2 and t.status <> 'deleted' and (",
        session_lives!("$3"),
        ") is not true order by s.id"
    ))
    .bind(after)
    .bind(until)
    .bind(now);
    db.list(statement).await
}

async fn write_down(db: &Database, row: &Row, Readings { now, cautious }: Readings) -> Result<(), DbError> {
    // Whatever its settings are: its sessions have ended all the same.
    let (tenant, session) = (Tenant::from_row_as_it_is(row)?, Session::from_row(row)?);
    let user = User::from_row(row)?.ok_or_else(|| DbError::Failed("a session without a user".to_owned()))?;
    let Some((at, reason)) = session.ending(&tenant, &user, cautious) else {
        return Err(DbError::Failed(format!("session {} lives, and its query says it does not", session.id)));
    };
    let rule = rule(&session, &reason);
    let event = Event {
        user: Some(&user.id),
        customer: Some(&session.customer_id),
        session: Some(&session.id),
        reason: Some(&reason),
        details: json!({ "family": session.family.as_str(), "endedAt": at.to_string(), "rule": rule }),
        ..Event::new(EventName::SessionExpired, Actor::System)
    };
    let written = sessions::store::write_down(&tenant.id, &session, (at, &reason), &ChangeId::random());
    // What ended all of a user's, a customer's or a tenant's has told it then, in one event.
    let told = session.ended_with_others(&tenant, &user).is_some_and(|with| with == (at, reason.clone()));
    let event = (!told).then(|| events::store::insert(&tenant.id, &event, now));
    db.apply(Change::new().with(written).with_all(event)).await.map(drop)
}

/// The setting by which time has ended it, as it was when the limit was set.
fn rule(session: &Session, reason: &str) -> Option<String> {
    let seconds = |from: Timestamp, to: Timestamp| (to.as_millis() - from.as_millis()) / 1_000;
    if reason == EndReason::ExpiredIdle.as_str() {
        let used_at = session.refreshed_at.unwrap_or(session.created_at);
        Some(format!("idleSeconds={}", seconds(used_at, session.idle_expires_at)))
    } else if reason == EndReason::ExpiredAbsolute.as_str() {
        Some(format!("absoluteSeconds={}", seconds(session.created_at, session.expires_at)))
    } else {
        None
    }
}
