//! Who waits for revocations: however many wait, a tenant's events are looked at by one task, while anybody does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use metrics::gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::db::{Database, DbError};
use crate::events::revocations::{RevocationPage, kept_since, store};
use crate::ids::TenantId;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(125);
/// The same while the database is away.
const FAILING: Duration = Duration::from_secs(1);
/// Revocations that one look takes at most.
const MOST_AT_ONCE: u32 = 200;

/// The waiting room, and who looks for those in it.
#[derive(Clone, Debug)]
pub struct RevocationWatch(Arc<Room>);

/// For how many there is room, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct WatchOptions {
    /// Requests and streams at a time; of any one tenant a quarter of them.
    pub seats: usize,
    /// The longest that a request can wait before its connection counts as idle.
    pub longest_wait: Duration,
    /// How long a stream's key is believed to be good.
    pub believed: Duration,
    /// How long a stream lasts. Its reader resumes, at whichever node the balancer chooses then.
    pub lasts: Duration,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self {
            seats: 1_000,
            longest_wait: Duration::from_secs(58),
            believed: Duration::from_secs(10),
            lasts: Duration::from_mins(10),
        }
    }
}

#[derive(Debug)]
struct Room {
    options: WatchOptions,
    seats: Arc<Semaphore>,
    /// `None` once the server is stopping. A look lives as long as somebody has a seat at it.
    looks: Mutex<Option<HashMap<TenantId, Weak<Look>>>>,
}

/// Why nobody can wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoSeat {
    /// As many wait as there is room for, of this tenant or of all.
    Full,
    /// The server is stopping.
    Stopping,
}

impl RevocationWatch {
    #[must_use]
    pub fn new(options: WatchOptions) -> Self {
        let seats = Arc::new(Semaphore::new(options.seats.max(1)));
        Self(Arc::new(Room { options, seats, looks: Mutex::new(Some(HashMap::new())) }))
    }

    #[must_use]
    pub fn options(&self) -> &WatchOptions {
        &self.0.options
    }

    /// How many wait, and at how many tenants.
    #[must_use]
    pub fn waiting(&self) -> (usize, usize) {
        let tenants = self.0.looks().as_ref().map_or(0, HashMap::len);
        (self.0.options.seats.max(1) - self.0.seats.available_permits(), tenants)
    }

    /// Ends all waiting, now and from now on.
    pub fn stop(&self) {
        for look in self.0.looks().take().into_iter().flatten().filter_map(|(_, look)| look.upgrade()) {
            look.task.abort();
        }
    }

    /// Takes a seat: whatever of the tenant gets its number after the position `after` will be seen from it.
    pub fn sit(&self, db: &Database, clock: &Clock, tenant: &TenantId, after: i64) -> Result<Seat, NoSeat> {
        let permit = Arc::clone(&self.0.seats).try_acquire_owned().map_err(|_| NoSeat::Full)?;
        let mut looks = self.0.looks();
        let looks = looks.as_mut().ok_or(NoSeat::Stopping)?;
        let running = looks.get(tenant).and_then(Weak::upgrade);
        // One that has ended by itself shows nothing more.
        let running = running.filter(|look| look.latest.has_changed().is_ok());
        let most = (self.0.options.seats / 4).max(1);
        if running.as_ref().is_some_and(|look| Arc::strong_count(look) > most) {
            return Err(NoSeat::Full);
        }
        let look = running.unwrap_or_else(|| {
            let look = Arc::new(Look::start(db.clone(), clock.clone(), tenant.clone(), after));
            looks.insert(tenant.clone(), Arc::downgrade(&look));
            look
        });
        gauge!("vestibule_revocation_waits").increment(1);
        let latest = look.latest.clone();
        Ok(Seat {
            room: Arc::clone(&self.0),
            tenant: tenant.clone(),
            latest,
            look: Some(look),
            _permit: permit,
        })
    }
}

impl Room {
    fn looks(&self) -> MutexGuard<'_, Option<HashMap<TenantId, Weak<Look>>>> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place from which a tenant's looks are seen.
#[derive(Debug)]
pub struct Seat {
    room: Arc<Room>,
    tenant: TenantId,
    latest: watch::Receiver<Option<Arc<RevocationPage>>>,
    look: Option<Arc<Look>>,
    _permit: OwnedSemaphorePermit,
}

impl Seat {
    /// What the next look finds, or the latest, if it was not seen from here. `None`: there will be no more.
    pub async fn look(&mut self) -> Option<Arc<RevocationPage>> {
        loop {
            self.latest.changed().await.ok()?;
            if let Some(page) = &*self.latest.borrow_and_update() {
                return Some(Arc::clone(page));
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        gauge!("vestibule_revocation_waits").decrement(1);
        let mut looks = self.room.looks();
        self.look = None;
        if let Some(looks) = looks.as_mut()
            && looks.get(&self.tenant).is_some_and(|look| look.strong_count() == 0)
        {
            looks.remove(&self.tenant);
        }
    }
}

/// The one task that looks at a tenant's events.
#[derive(Debug)]
struct Look {
    latest: watch::Receiver<Option<Arc<RevocationPage>>>,
    task: JoinHandle<()>,
}

impl Look {
    fn start(db: Database, clock: Clock, tenant: TenantId, after: i64) -> Self {
        let (sender, latest) = watch::channel(None);
        let task = tokio::spawn(keep_looking(db, clock, tenant, after, sender));
        Self { latest, task }
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Looks until it is stopped; or until the database turns out to be an older copy of itself, which whoever waits learns
/// when they ask again. A look that fails is not shown: what was seen last gets older.
async fn keep_looking(
    db: Database,
    clock: Clock,
    tenant: TenantId,
    mut after: i64,
    latest: watch::Sender<Option<Arc<RevocationPage>>>,
) {
    let mut pause = PAUSE;
    loop {
        sleep(pause).await;
        pause = match look(&db, &clock, &tenant, after).await {
            Ok(Some(page)) => {
                let pause = if page.more { Duration::ZERO } else { PAUSE };
                after = page.next;
                latest.send_replace(Some(Arc::new(page)));
                pause
            }
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(cause = %error, "a tenant's events could not be looked at");
                FAILING
            }
        }
    }
}

async fn look(
    db: &Database,
    clock: &Clock,
    tenant: &TenantId,
    after: i64,
) -> Result<Option<RevocationPage>, DbError> {
    let now = clock.now();
    let rows = db.fetch(store::find(tenant, after, kept_since(now), MOST_AT_ONCE)).await?;
    RevocationPage::from_rows(&rows, after, MOST_AT_ONCE, now)
}
