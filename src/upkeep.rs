//! What goes on in the background: the minute's summary of what left no event of its own, and the hour's look
//! for tenants whose failed logins need not wait any more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use tracing::warn;

use crate::app::{Refusals, SharedApp};
use crate::db::DbError;
use crate::events::{self, Actor, Event, EventName};
use crate::flows::lower_failure_floors;
use crate::ids::system_tenant;

const EVERY: Duration = Duration::from_mins(1);
const FLOORS_EVERY: Duration = Duration::from_hours(1);

/// Runs until it is dropped.
pub async fn run(app: SharedApp) {
    let mut minutes = tokio::time::interval(EVERY);
    minutes.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    minutes.tick().await;
    let mut hours = tokio::time::interval(FLOORS_EVERY);
    hours.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = minutes.tick() => {
                if let Err(error) = summarise_refusals(&app).await {
                    warn!(cause = %error, "the minute's summary of refusals was not written; it goes into the next");
                }
            }
            _ = hours.tick() => {
                if let Err(error) = lower_failure_floors(&app.db).await {
                    warn!(cause = %error, "failed logins may wait for an hour more than they must");
                }
            }
        }
    }
}

/// Writes one event under the system tenant if anything was refused since the last one.
/// What could not be written is counted on.
pub async fn summarise_refusals(app: &SharedApp) -> Result<(), DbError> {
    let Refusals { malformed, tenant, unavailable } = &app.refusals;
    let counters = [malformed, tenant, unavailable];
    let taken = counters.map(|counter| counter.swap(0, Ordering::Relaxed));
    if taken == [0; 3] {
        return Ok(());
    }
    let event = Event {
        details: json!({ "malformed": taken[0], "tenant": taken[1], "unavailable": taken[2] }),
        ..Event::new(EventName::RefusalsSummary, Actor::System)
    };
    let written = app.db.apply(events::store::insert(&system_tenant(), &event, app.clock.now())).await;
    if matches!(written, Err(ref error) if !matches!(error, DbError::UnknownOutcome(_))) {
        give_back(counters, taken);
    }
    written.map(drop)
}

fn give_back(counters: [&AtomicU64; 3], taken: [u64; 3]) {
    for (counter, count) in counters.into_iter().zip(taken) {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}
