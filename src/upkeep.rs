//! What goes on in the background, on every node: the list of it, and how often. What each does is a flow. What time ends
//! for good goes by the cautious clock, so that a clock that was wrong for a while has ended nothing (R159).

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use metrics::{counter, gauge};
use tokio::time::{MissedTickBehavior, interval_at, sleep};
use tracing::{error, info, warn};

use crate::app::{App, SharedApp};
use crate::error::Error;
use crate::flows::{
    Erasures, Witness, complete_old_rows, delete_expired_resets, delete_idle_throttles, delete_old_events,
    delete_old_sessions, delete_old_sources, finish_erasures, go_on_deleting_tenants,
    go_on_with_session_operations, lower_failure_floors, number_events, reread_master_keys,
    retire_replaced_signing_keys, rotate_due_signing_keys, seal_events, summarise_refusals,
    write_down_endings,
};
use crate::telemetry::lost_lines;

const SOON: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// Runs until it is dropped. What is then under way in the database is finished there.
pub async fn run(app: SharedApp) {
    let app = &*app;
    let witness = &Witness::default();
    tokio::join!(
        keep_sealing_whatever_happens(app),
        tell_lost_lines(),
        every(MINUTE, "the summary of refusals was not written; they go into the next", || {
            summarise_refusals(app)
        }),
        every(MINUTE, "reset secrets that are over were not deleted; the next minute tries again", || {
            delete_expired_resets(app)
        }),
        every(
            MINUTE,
            "failures that nobody counts any more were not deleted; the next minute tries again",
            || { delete_old_sources(app) }
        ),
        every(MINUTE, "what is to be erased was not; the next minute goes on with it", || async {
            loop {
                let Erasures { more, failure } = finish_erasures(&app.db, app.clock.now()).await?;
                if !more {
                    return failure.map_or(Ok::<_, Error>(()), Err);
                }
            }
        }),
        every(MINUTE, "a deleted tenant was not emptied; the next minute goes on", || {
            go_on_deleting_tenants(&app.db, app.clock.now())
        }),
        every(SOON, "sessions that are being ended by a search were not; it is tried again at once", || {
            go_on_with_session_operations(app)
        }),
        every(
            SOON,
            "the master key file was changed and cannot be used; all goes on with what was read before",
            || { reread_master_keys(app) }
        ),
        every(MINUTE, "a replaced signing key was not retired; the next minute tries again", || {
            retire_signing_keys(app)
        }),
        every(
            MINUTE,
            "rows of an older version are not found by search yet; the next minute tries again",
            || { complete_old_rows(&app.db) }
        ),
        every(MINUTE, "how sessions have ended was not written down; the next minute goes on", || {
            write_down_all_endings(app)
        }),
        every(
            MINUTE,
            "checkpoints of the audit log did not go to the log; the next minute tells them",
            || { witness.tell_checkpoints(&app.db) }
        ),
        every(HOUR, "old events were not deleted; the next hour goes on", || { delete_aged_events(app) }),
        every(HOUR, "sessions that ended long ago were not deleted; the next hour goes on", || {
            delete_aged_sessions(app)
        }),
        every(HOUR, "a signing key is older than its tenant wants; the next hour tries again", || {
            rotate_due_signing_keys(&app.db, &app.master, app.clock.now())
        }),
        every(HOUR, "throttles that are idle were not deleted; the next hour goes on", || {
            delete_idle_throttles(app)
        }),
        every(HOUR, "failed logins may wait for an hour more than they must", || {
            lower_failure_floors(&app.db)
        }),
    );
}

/// Does it again and again, for the first time after one period, or a minute where that is sooner: a node that is
/// restarted often does it too. A failure is logged, and the next period tries again; so is a panic, which ends
/// neither this nor what goes on beside it (R158).
async fn every<F, E>(period: Duration, failure: &'static str, task: impl Fn() -> F)
where
    F: Future<Output = Result<(), E>>,
    E: Into<anyhow::Error>,
{
    let mut ticks = interval_at(tokio::time::Instant::now() + period.min(MINUTE), period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // A task's first steps are its making.
        if let Some(Err(error)) = surviving(failure, async { task().await }).await {
            warn!(cause = format!("{:#}", error.into()), "{failure}");
        }
    }
}

/// Does it to its end, or to its panic: then `None`. The panic hook has its place; what it was doing in the database is
/// undone there, and nothing else outlives a round.
async fn surviving<T>(failure: &'static str, task: impl Future<Output = T>) -> Option<T> {
    let outcome = AssertUnwindSafe(task).catch_unwind().await;
    outcome.inspect_err(|_| error!(cause = "panic", "{failure}")).ok()
}

/// Says, once it can be said again, that lines of the log are missing.
async fn tell_lost_lines() {
    let mut told = 0;
    loop {
        sleep(MINUTE).await;
        let lost = lost_lines();
        if lost > told {
            warn!(lines = lost - told, "lines of this log could not be written: was its disk full?");
            told = lost;
        }
    }
}

/// Sessions that are looked at together.
const SLICE: i64 = 1_000;
/// Between two slices of sessions, so that many of them keep nobody from the database.
const BETWEEN_SLICES: Duration = Duration::from_millis(100);

/// Retires the signing keys that were replaced long enough ago, and destroys their private halves.
///
/// # Errors
/// As the flow.
pub async fn retire_signing_keys(app: &App) -> Result<(), Error> {
    retire_replaced_signing_keys(&app.db, &app.master, app.clock.readings()).await
}

/// Deletes the events that are older than their tenants keep them.
///
/// # Errors
/// As the flow.
pub async fn delete_aged_events(app: &App) -> Result<(), Error> {
    delete_old_events(&app.db, &app.master, app.clock.readings()).await
}

/// After a slice of deleted sessions, so many times as long as it took, as far as the flow rests so long: where a slice takes
/// two milliseconds or less, one call in two hundred meets one, and the slowest of a hundred does not wait for it.
const REST: u32 = 200;

/// Deletes the sessions that ended longer ago than their tenants keep them.
///
/// # Errors
/// As the flow.
pub async fn delete_aged_sessions(app: &App) -> Result<(), Error> {
    delete_old_sessions(&app.db, app.clock.cautious(), REST).await
}

/// Goes once over all sessions that may have ended.
///
/// # Errors
/// The first failure; it kept no other session's ending from being written down.
pub async fn write_down_all_endings(app: &App) -> Result<(), Error> {
    let (mut after, mut failure) = (None, None);
    loop {
        let slice = write_down_endings(&app.db, after.as_deref(), SLICE, app.clock.readings()).await?;
        failure = failure.or(slice.failure);
        after = slice.next;
        if after.is_none() {
            return failure.map_or(Ok(()), Err);
        }
        sleep(BETWEEN_SLICES).await;
    }
}

/// The sealer's pauses: after a round that had something to do; the longest when there is nothing, which keeps it
/// less than 250 ms behind; and the longest while it fails.
const BUSY: Duration = Duration::from_millis(40);
const IDLE: Duration = Duration::from_millis(160);
const FAILING: Duration = Duration::from_secs(5);
/// A look at what was made lately finds all but what was written long after it was made, or by a clock that is far
/// behind; so at all others, now and then.
const LATELY_MILLIS: i64 = 60_000;

/// Numbers and seals events for ever, and anew after a panic.
async fn keep_sealing_whatever_happens(app: &App) {
    loop {
        let failure = "events are not being numbered and sealed; it begins anew";
        surviving(failure, keep_sealing(app)).await;
        sleep(FAILING).await;
    }
}

/// Numbers and seals events for ever. A failure of either is logged once, until it works again.
async fn keep_sealing(app: &App) {
    let mut pause = BUSY;
    let mut looked_at_all: Option<Instant> = None;
    let mut numbering = Progress::new("numbered");
    let mut sealing = Progress::new("sealed");
    loop {
        let (began, now) = (Instant::now(), app.clock.now());
        let all = looked_at_all.is_none_or(|at| at.elapsed() >= MINUTE);
        let since = (!all).then(|| now.plus_millis(-LATELY_MILLIS));
        let numbered = number_events(&app.db, since, now).await;
        // What has its number is sealed at once, so that it is no further behind.
        let sealed = seal_events(&app.db, &app.master, &app.options.public_url, now).await;
        pause = match (&numbered, &sealed) {
            (Err(_), _) | (_, Err(_)) => (2 * pause).min(FAILING),
            (Ok(numbered), Ok(sealed)) => {
                let busy = numbered.events > 0 || numbered.contended || sealed.more;
                if busy { BUSY } else { (2 * pause).min(IDLE) }
            }
        };
        if all && numbered.is_ok() {
            looked_at_all = Some(began);
        }
        match &numbered {
            Ok(round) => numbering.note(began, !round.contended, round.failure.as_ref()),
            Err(error) => numbering.note(began, false, Some(error)),
        }
        let numbers = numbering.until;
        match &sealed {
            Ok(round) => {
                counter!("vestibule_events_sealed_total").increment(round.events as u64);
                sealing.note(numbers, !round.more, round.failure.as_ref());
            }
            Err(error) => sealing.note(numbers, false, Some(error)),
        }
        gauge!("vestibule_events_behind_seconds").set(numbering.until.elapsed().as_secs_f64());
        gauge!("vestibule_events_sealed_behind_seconds").set(sealing.until.elapsed().as_secs_f64());
        sleep(pause).await;
    }
}

/// An error with what caused it, and what caused that: an internal one says by itself no more than that.
fn causes(error: &(impl std::error::Error + 'static)) -> String {
    let first: &(dyn std::error::Error + 'static) = error;
    let chain = std::iter::successors(Some(first), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// How far something is that is done to all events.
struct Progress {
    /// What is done to them.
    done: &'static str,
    /// To those that were durable at this instant it is done.
    until: Instant,
    failing: bool,
}

impl Progress {
    fn new(done: &'static str) -> Self {
        Self { done, until: Instant::now(), failing: false }
    }

    /// Notes a round that was about what was durable at `began`; whether it did all of that, and why it did not.
    fn note(&mut self, began: Instant, all: bool, failure: Option<&(impl std::error::Error + 'static)>) {
        let done = self.done;
        match failure {
            Some(error) if !self.failing => {
                warn!(cause = causes(error), "events are not being {done}; trying again until they are");
            }
            None if self.failing => info!("events are {done} again"),
            None if all => self.until = began,
            _ => (),
        }
        self.failing = failure.is_some();
    }
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[tokio::test]
    async fn R158_a_task_that_panics_is_done_again_and_no_other_stops() {
        let (rounds, others) = (AtomicU64::new(0), AtomicU64::new(0));
        let period = Duration::from_millis(1);
        let panicking = every(period, "as the test wants", || {
            let round = rounds.fetch_add(1, Ordering::SeqCst);
            assert!(round != 0, "when the task is made");
            async move {
                assert!(round != 1, "when it is done");
                if round == 2 { Err(Error::NotFound) } else { Ok(()) }
            }
        });
        let beside = every(period, "never", || {
            others.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Ok::<_, Error>(()))
        });
        let enough = async {
            while rounds.load(Ordering::SeqCst) < 5 || others.load(Ordering::SeqCst) < 5 {
                sleep(period).await;
            }
        };
        tokio::select! {
            _ = async { tokio::join!(panicking, beside) } => unreachable!("they go on for ever"),
            () = enough => {}
        }
    }
}
