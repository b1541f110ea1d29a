//! Why a user is locked, and the end of it.

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::db::{Change, Database, DbError, Row};
use crate::error::Error;
use crate::events::{self, EventName};
use crate::ids::{ChangeId, TenantId, UserId};
use crate::throttles::{self, Lock, LockId};

use super::{Deed, get_user};

/// How many budgets are looked at: one who has more devices knows them by the fullest.
const MOST_LOCKS: i64 = 100;
/// How many events are looked through for the latest failures: of what was compared, and of what was refused for a lock.
const MOST_EVENTS: i64 = 200;
/// How many failures of one budget are told.
const MOST_FAILURES: usize = 5;

/// A budget with its failures.
#[derive(Debug)]
pub struct LockView {
    pub lock: Lock,
    /// When it was locked the last time, if that is long ago perhaps not.
    pub locked_at: Option<Timestamp>,
    /// The latest first.
    pub failures: Vec<Failure>,
}

/// A failed attempt.
#[derive(Clone, Debug)]
pub struct Failure {
    subject: String,
    pub name: String,
    pub at: Timestamp,
    pub reason: Option<String>,
    /// `None` once the person is erased.
    pub client_ip: Option<String>,
}

impl Failure {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let json = |text: Option<String>| {
            text.map_or(Ok(Value::Null), |text| serde_json::from_str(&text))
                .map_err(|_| DbError::Failed("an event's column is not JSON".into()))
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Ok(Self {
            subject: text(&json(row.maybe_text("details")?)?["subject"]).unwrap_or_default(),
            name: row.text("name")?,
            at: row.instant("occurred_at")?,
            reason: row.maybe_text("reason")?,
            client_ip: text(&json(row.maybe_text("personal")?)?["clientIp"]),
        })
    }
}

/// A user's budgets that have failures, the fullest first.
pub async fn list_locks(db: &Database, tenant: &TenantId, user: &UserId) -> Result<Vec<LockView>, Error> {
    get_user(db, tenant, user).await?;
    let locks = db.list(throttles::store::find_of_user(tenant, user, MOST_LOCKS)).await?;
    // Each for itself, so that nobody hides what locked one budget by knocking at another.
    let mut events = Vec::new();
    for of_user in [events::locks::store::find_compared_of_user, events::locks::store::find_refused_of_user] {
        for row in db.list(of_user(tenant, user, MOST_EVENTS)).await? {
            events.push(Failure::from_row(&row)?);
        }
    }
    // The newest first; those of one instant as they came.
    events.sort_by_key(|event| std::cmp::Reverse(event.at));
    let view = |lock: Lock| {
        let of_lock = || events.iter().filter(|event| event.subject == lock.subject);
        let is_lock = |event: &&Failure| event.name == EventName::AuthnLoginLock.as_str();
        let locked_at = of_lock().find(is_lock).map(|event| event.at);
        let failures = of_lock().filter(|event| !is_lock(event)).take(MOST_FAILURES).cloned().collect();
        LockView { lock, locked_at, failures }
    };
    Ok(locks.iter().map(|row| Lock::from_row(row).map(view)).collect::<Result<_, _>>()?)
}

/// Forgets the failures of one of a user's budgets, or of all.
pub async fn unlock_user(
    db: &Database,
    deed: &Deed<'_>,
    user: &UserId,
    lock: Option<&LockId>,
    now: Timestamp,
) -> Result<(), Error> {
    let tenant = deed.tenant;
    let found = get_user(db, tenant, user).await?;
    let event = events::Event {
        details: json!({ "lock": lock.map(LockId::to_string) }),
        ..deed.user_event(EventName::AuthnLoginUnlock, user, &found.customer_id)
    };
    let change = ChangeId::random();
    let cleared = match lock {
        Some(lock) => throttles::store::unlock(tenant, &lock.subject(user), &change, now),
        None => throttles::store::clear_all(tenant, user, &change, now),
    };
    let unlocked = Change::new().with(cleared).with(events::store::insert(tenant, &event, now));
    match db.apply(unlocked).await {
        Ok(_) => Ok(()),
        Err(DbError::Refused("lock")) => Err(Error::NotFound),
        Err(error) => Err(error.into()),
    }
}
