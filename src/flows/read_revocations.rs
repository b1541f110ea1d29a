//! What has ended and could still be alive as an access token: at once, and as it comes.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::app::{App, SharedApp};
use crate::clock::Timestamp;
use crate::db::{Database, DbError};
use crate::error::Error;
use crate::events::revocations::{RevocationPage, kept_since, store};
use crate::events::{FeedPlace, History};
use crate::ids::TenantId;
use crate::revocation_watch::{NoSeat, Seat};

/// Revocations on one page at most.
pub const MOST_REVOCATIONS: u32 = 1_000;

/// Reads one tenant's revocations on and on, each once.
#[derive(Debug)]
pub struct RevocationReader {
    app: SharedApp,
    tenant: TenantId,
    /// Where what is read next begins; `None`: with the oldest revocation that matters.
    place: Option<FeedPlace>,
    as_of: Timestamp,
    /// Whether there is more already.
    more: bool,
    seat: Option<Seat>,
}

impl RevocationReader {
    /// A reader that begins at a place; without one, with the oldest revocation that matters.
    #[must_use]
    pub fn new(app: SharedApp, tenant: TenantId, place: Option<FeedPlace>) -> Self {
        Self { app, tenant, place, as_of: Timestamp::from_millis(0), more: true, seat: None }
    }

    /// What is there already. `None`: the place is of a history that is no more, or ahead of the tenant's newest event,
    /// which it is between a restore and its being told.
    pub async fn read(&mut self) -> Result<Option<RevocationPage>, Error> {
        let now = self.app.clock.now();
        let after = self.place.map(|place| place.position);
        let page = read_page(&self.app.db, &self.tenant, after, now).await?;
        Ok(page.filter(|page| self.is_of(page.history)).map(|page| self.seen(page)))
    }

    /// Whether what it has read so far is of this history.
    fn is_of(&self, history: History) -> bool {
        self.place.is_none_or(|place| place.history == history)
    }

    fn after(&self) -> i64 {
        self.place.map_or(0, |place| place.position)
    }

    /// Takes a seat in the waiting room. Whether there will be anything to wait for: not when the server is stopping.
    pub fn sit(&mut self) -> Result<bool, Error> {
        let App { db, clock, revocations, .. } = &*self.app;
        match revocations.sit(db, clock, &self.tenant, self.after()) {
            Ok(seat) => {
                self.seat = Some(seat);
                Ok(true)
            }
            Err(NoSeat::Stopping) => Ok(false),
            Err(NoSeat::Full) => Err(Error::Unavailable(anyhow::anyhow!(
                "as many wait for revocations as there is room for, of this tenant or of all"
            ))),
        }
    }

    /// What comes next, from a seat: at once if something is there, else when it comes, or nothing when the time is
    /// over. The second: whether there is anything more to wait for.
    pub async fn wait(&mut self, time: Duration) -> Result<(RevocationPage, bool), Error> {
        let until = Instant::now() + time;
        loop {
            if self.more {
                return match self.read().await? {
                    Some(page) if page.revocations.is_empty() && page.more => continue,
                    Some(page) => Ok((page, true)),
                    // Whoever asks again is told.
                    None => Ok((self.nothing(), false)),
                };
            }
            let Some(seat) = &mut self.seat else { return Ok((self.nothing(), false)) };
            let Ok(look) = timeout_at(until, seat.look()).await else { return Ok((self.nothing(), true)) };
            let Some(look) = look else { return Ok((self.nothing(), false)) };
            if !self.is_of(look.history) {
                return Ok((self.nothing(), false));
            }
            let after = self.after();
            if look.after > after {
                // What lies between was shown while nobody looked from here.
                self.more = true;
            } else {
                let news: Vec<_> =
                    look.revocations.iter().filter(|found| found.position > after).cloned().collect();
                let found = !news.is_empty();
                let page =
                    RevocationPage { revocations: news, next: look.next.max(after), ..(*look).clone() };
                let page = self.seen(RevocationPage { more: page.more && page.next == look.next, ..page });
                if found {
                    return Ok((page, true));
                }
            }
        }
    }

    /// Notes how far it has come. What was once seen is not unseen by an older look.
    fn seen(&mut self, page: RevocationPage) -> RevocationPage {
        self.place = Some(page.goes_on());
        self.as_of = self.as_of.max(page.as_of);
        self.more = page.more;
        RevocationPage { as_of: self.as_of, ..page }
    }

    fn nothing(&self) -> RevocationPage {
        let (after, history) = (self.after(), self.place.map(|place| place.history).unwrap_or_default());
        RevocationPage {
            after,
            revocations: Vec::new(),
            next: after,
            more: self.more,
            as_of: self.as_of,
            history,
        }
    }
}

async fn read_page(
    db: &Database,
    tenant: &TenantId,
    after: Option<i64>,
    now: Timestamp,
) -> Result<Option<RevocationPage>, DbError> {
    if let Some(after) = after {
        let page = read_after(db, tenant, after, now).await?;
        // Where a page finds nothing and there is more, what comes first of it is looked up.
        let Some(RevocationPage { next, more: true, revocations, .. }) = &page else { return Ok(page) };
        if !revocations.is_empty() {
            return Ok(page);
        }
        read_after(db, tenant, find_start(db, tenant, *next, now).await?, now).await
    } else {
        read_after(db, tenant, find_start(db, tenant, 0, now).await?, now).await
    }
}

async fn read_after(
    db: &Database,
    tenant: &TenantId,
    after: i64,
    now: Timestamp,
) -> Result<Option<RevocationPage>, DbError> {
    let rows = db.list(store::find(tenant, after, kept_since(now), MOST_REVOCATIONS)).await?;
    RevocationPage::from_rows(&rows, after, MOST_REVOCATIONS, now)
}

/// The position before the first revocation after `after` that matters; the newest event's where there is none.
async fn find_start(db: &Database, tenant: &TenantId, after: i64, now: Timestamp) -> Result<i64, DbError> {
    let rows = db.list(store::find_start(tenant, after, kept_since(now))).await?;
    rows.first().map_or(Ok(0), |row| row.int("start"))
}
