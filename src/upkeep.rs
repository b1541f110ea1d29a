//! What goes on in the background, on every node: the list of it, and how often. What each does is a flow.

use std::fmt::Display;
use std::time::{Duration, Instant};

use metrics::gauge;
use tokio::time::{MissedTickBehavior, interval_at, sleep};
use tracing::{info, warn};

use crate::app::{App, SharedApp};
use crate::error::Error;
use crate::flows::{
    Erasures, complete_old_rows, delete_expired_resets, delete_old_sources, finish_erasures,
    go_on_deleting_tenants, go_on_with_session_operations, lower_failure_floors, number_events,
    reread_master_keys, retire_replaced_signing_keys, rotate_due_signing_keys, summarise_refusals,
    write_down_endings,
};

const SOON: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// Runs until it is dropped. What is then under way in the database is finished there.
pub async fn run(app: SharedApp) {
    let app = &*app;
    tokio::join!(
        keep_numbering(app),
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
            retire_replaced_signing_keys(&app.db, &app.master, app.clock.now())
        }),
        every(
            MINUTE,
            "rows of an older version are not found by search yet; the next minute tries again",
            || { complete_old_rows(&app.db) }
        ),
        every(MINUTE, "how sessions have ended was not written down; the next minute goes on", || {
            write_down_all_endings(app)
        }),
        every(HOUR, "a signing key is older than its tenant wants; the next hour tries again", || {
            rotate_due_signing_keys(&app.db, &app.master, app.clock.now())
        }),
        every(HOUR, "failed logins may wait for an hour more than they must", || {
            lower_failure_floors(&app.db)
        }),
    );
}

/// Does it again and again, for the first time after one period, or a minute where that is sooner: a node that is
/// restarted often does it too. A failure is logged, and the next period tries again.
async fn every<F, E>(period: Duration, failure: &'static str, task: impl Fn() -> F)
where
    F: Future<Output = Result<(), E>>,
    E: Display,
{
    let mut ticks = interval_at(tokio::time::Instant::now() + period.min(MINUTE), period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = task().await {
            warn!(cause = format!("{error:#}"), "{failure}");
        }
    }
}

/// Sessions that are looked at together.
const SLICE: i64 = 1_000;
/// Between two slices of sessions, so that many of them keep nobody from the database.
const BETWEEN_SLICES: Duration = Duration::from_millis(100);

/// Goes once over all sessions that may have ended.
async fn write_down_all_endings(app: &App) -> Result<(), Error> {
    let (mut after, mut failure) = (None, None);
    loop {
        let slice = write_down_endings(&app.db, after.as_deref(), SLICE, app.clock.now()).await?;
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

/// Numbers events for ever. A failure is logged once, until it works again.
async fn keep_numbering(app: &App) {
    let mut pause = BUSY;
    let mut looked_at_all: Option<Instant> = None;
    // Events that were durable at this instant have their numbers.
    let mut numbered_until = Instant::now();
    let mut failing = false;
    loop {
        let (began, now) = (Instant::now(), app.clock.now());
        let all = looked_at_all.is_none_or(|at| at.elapsed() >= MINUTE);
        let since = (!all).then(|| now.plus_millis(-LATELY_MILLIS));
        let failure = match number_events(&app.db, since, now).await {
            Ok(round) => {
                if all {
                    looked_at_all = Some(began);
                }
                if !round.contended && round.failure.is_none() {
                    numbered_until = began;
                }
                pause = if round.events > 0 || round.contended { BUSY } else { (2 * pause).min(IDLE) };
                round.failure
            }
            Err(error) => {
                pause = (2 * pause).min(FAILING);
                Some(error)
            }
        };
        match &failure {
            Some(error) if !failing => {
                warn!(cause = %error, "events are not being numbered; trying again until they are");
            }
            None if failing => info!("events are numbered again"),
            _ => (),
        }
        failing = failure.is_some();
        gauge!("vestibule_events_behind_seconds").set(numbered_until.elapsed().as_secs_f64());
        sleep(pause).await;
    }
}
