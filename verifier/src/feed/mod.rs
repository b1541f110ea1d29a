//! What the revocation feed has told: which sessions have ended, and of when that was true.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use tokio::time::Instant;

use crate::ids::Id;
use crate::token::Claims;
use crate::witness::Told;

/// The least time an entry is held, whatever the server says: the longest life of an access token, 3,600 s, and a margin.
const LEAST_KEEP: Duration = Duration::from_secs(3_670);

/// The most words for reasons that are told apart; Vestibule's list is closed and has fewer.
const MAX_REASONS: usize = 64;

/// An instant by both clocks: the steady one stands still while a machine sleeps, the other can be set.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub steady: Instant,
    pub wall: SystemTime,
}

impl Moment {
    pub fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    fn before(self, span: Duration) -> Option<Self> {
        Some(Self { steady: self.steady.checked_sub(span)?, wall: self.wall.checked_sub(span)? })
    }

    /// How long ago it was, by the clock that says longer.
    pub fn age(self, now: Self) -> Duration {
        let wall = now.wall.duration_since(self.wall).unwrap_or_default();
        now.steady.saturating_duration_since(self.steady).max(wall)
    }
}

/// One answer of the feed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    pub revocations: Vec<Revocation>,
    pub cursor: String,
    /// Whether there is more at once.
    pub more: bool,
    /// How far the answer may lag behind what is durable.
    pub behind_ms: u64,
    pub keep_seconds: u64,
    /// The sealed log's newest checkpoint, where it was asked for and there is one.
    pub checkpoint: Option<Told>,
}

/// One entry: whose sessions have ended, and why.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Entry")]
pub struct Revocation {
    of: Subject,
    reason: Option<String>,
}

#[derive(Debug)]
enum Subject {
    Session(Id),
    User(Id, Bulk),
    Customer(Id, Bulk),
    Tenant(Bulk),
}

/// The sessions of a user, a customer or a tenant that were opened by then, but one.
#[derive(Clone, Debug)]
struct Bulk {
    opened_until: i64,
    but: Option<Id>,
    reason: Arc<str>,
}

impl Bulk {
    fn ends(&self, session: &Id, opened: i64) -> bool {
        opened <= self.opened_until && self.but.as_ref() != Some(session)
    }

    /// Whether it ends all that the other does.
    fn covers(&self, other: &Self) -> bool {
        self.opened_until >= other.opened_until && (self.but.is_none() || self.but == other.but)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    session_id: Option<String>,
    user_id: Option<String>,
    customer_id: Option<String>,
    tenant_id: Option<String>,
    opened_until: Option<i64>,
    except_session_id: Option<String>,
    reason: Option<String>,
}

/// An entry of a kind that is not known here ends something that would go on living here: the answer is not taken.
impl TryFrom<Entry> for Revocation {
    type Error = &'static str;

    fn try_from(entry: Entry) -> Result<Self, Self::Error> {
        let bulk = || -> Result<Bulk, Self::Error> {
            let opened_until = entry.opened_until.ok_or("an entry without openedUntil")?;
            let but = entry.except_session_id.as_deref().map(Id::new);
            Ok(Bulk { opened_until, but, reason: Arc::default() })
        };
        let of = match (&entry.session_id, &entry.user_id, &entry.customer_id, &entry.tenant_id) {
            (Some(session), None, None, None) => Subject::Session(Id::new(session)),
            (None, Some(user), None, None) => Subject::User(Id::new(user), bulk()?),
            (None, None, Some(customer), None) => Subject::Customer(Id::new(customer), bulk()?),
            (None, None, None, Some(_)) => Subject::Tenant(bulk()?),
            _ => return Err("an entry of no known kind"),
        };
        Ok(Self { of, reason: entry.reason })
    }
}

/// More entries than may be held.
#[derive(Debug)]
pub struct Full;

/// What was told in one stretch of time.
#[derive(Debug, Default)]
pub struct Stretch {
    sessions: HashMap<Id, Arc<str>>,
    users: HashMap<Id, Vec<Bulk>>,
    customers: HashMap<Id, Vec<Bulk>>,
    /// Of the tenant: a feed is one tenant's.
    all: Vec<Bulk>,
    count: usize,
}

impl Stretch {
    fn add(&mut self, of: Subject, reason: Arc<str>) {
        let (list, bulk) = match of {
            Subject::Session(id) => {
                self.count += usize::from(self.sessions.insert(id, reason).is_none());
                return;
            }
            Subject::User(id, bulk) => (self.users.entry(id).or_default(), bulk),
            Subject::Customer(id, bulk) => (self.customers.entry(id).or_default(), bulk),
            Subject::Tenant(bulk) => (&mut self.all, bulk),
        };
        let bulk = Bulk { reason, ..bulk };
        if list.iter().any(|old| old.covers(&bulk)) {
            return;
        }
        let before = list.len();
        list.retain(|old| !bulk.covers(old));
        list.push(bulk);
        self.count = self.count + list.len() - before;
    }

    fn end_of(&self, claims: &Claims) -> Option<&Arc<str>> {
        let session = Id::new(&claims.sid);
        if let Some(reason) = self.sessions.get(&session) {
            return Some(reason);
        }
        // A session that does not say when it was opened counts as opened when its second began: sooner rather than later.
        let opened = session.made_at().unwrap_or_else(|| claims.auth_time.saturating_mul(1_000));
        let of_user = self.users.get(&Id::new(&claims.user_id)).into_iter().flatten();
        let of_customer = self.customers.get(&Id::new(&claims.customer_id)).into_iter().flatten();
        of_user
            .chain(of_customer)
            .chain(&self.all)
            .find(|bulk| bulk.ends(&session, opened))
            .map(|b| &b.reason)
    }
}

/// What is known of ended sessions.
#[derive(Debug)]
pub struct Feed {
    /// An entry is held for `keep` at least and twice that at most: then the older stretch goes as a whole.
    newer: Stretch,
    older: Stretch,
    turned_at: Instant,
    keep: Duration,
    most: usize,
    reasons: HashMap<Box<str>, Arc<str>>,
    /// Of when all that had ended by then is known.
    as_of: Option<Moment>,
}

impl Feed {
    pub fn new(most: usize) -> Self {
        Self {
            newer: Stretch::default(),
            older: Stretch::default(),
            turned_at: Instant::now(),
            keep: LEAST_KEEP,
            most,
            reasons: HashMap::new(),
            as_of: None,
        }
    }

    /// Why the session of a token has ended, if that is known.
    pub fn end_of(&self, claims: &Claims) -> Option<Arc<str>> {
        self.newer.end_of(claims).or_else(|| self.older.end_of(claims)).cloned()
    }

    /// Whether an entry about a token of this life is still held when the token dies.
    pub fn outlasts(&self, life: Duration) -> bool {
        life <= self.keep
    }

    /// How old it is; `None` when it has not caught up.
    pub fn age(&self, now: Moment) -> Option<Duration> {
        Some(self.as_of?.age(now))
    }

    pub const fn len(&self) -> usize {
        self.newer.count + self.older.count
    }

    /// Lets go of what has been held long enough; to be dropped where nobody waits for it.
    pub fn turn(&mut self, now: Instant) -> Option<Stretch> {
        if now.saturating_duration_since(self.turned_at) < self.keep {
            return None;
        }
        self.turned_at = now;
        let newer = std::mem::take(&mut self.newer);
        Some(std::mem::replace(&mut self.older, newer))
    }

    /// Takes an answer to what was asked at `asked`. The answer may have been on its way since then, so that is of when it
    /// is, less what the server lags behind.
    pub fn take(&mut self, page: Page, asked: Moment) -> Result<(), Full> {
        self.keep = self.keep.max(Duration::from_secs(page.keep_seconds));
        for revocation in page.revocations {
            let reason = self.reason(revocation.reason.as_deref().unwrap_or("ended"));
            self.newer.add(revocation.of, reason);
        }
        if self.len() > self.most {
            let (most, reasons) = (self.most, std::mem::take(&mut self.reasons));
            *self = Self { keep: self.keep, reasons, ..Self::new(most) };
            return Err(Full);
        }
        if !page.more {
            self.as_of = asked.before(Duration::from_millis(page.behind_ms));
        }
        Ok(())
    }

    /// Forgets of when it is, until the next whole answer, and nothing of what has ended.
    pub fn age_at_once(&mut self) {
        self.as_of = None;
    }

    fn reason(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.reasons.get(text) {
            return Arc::clone(known);
        }
        if self.reasons.len() >= MAX_REASONS {
            return Arc::from("ended");
        }
        let reason: Arc<str> = Arc::from(text);
        self.reasons.insert(text.into(), Arc::clone(&reason));
        reason
    }
}

#[cfg(test)]
mod tests;
