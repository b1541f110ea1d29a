//! The minute's summary of what was refused and left no event of its own.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use crate::app::{App, Refusals};
use crate::db::DbError;
use crate::events::{self, Actor, Event, EventName};
use crate::ids::system_tenant;

/// Writes one event under the system tenant if anything was refused since the last one.
/// What could not be written is counted on.
pub async fn summarise_refusals(app: &App) -> Result<(), DbError> {
    let Refusals { malformed, tenant, limited, unavailable } = &app.refusals;
    let counters = [malformed, tenant, limited, unavailable];
    let taken = counters.map(|counter| counter.swap(0, Ordering::Relaxed));
    if taken == [0; 4] {
        return Ok(());
    }
    let event = Event {
        details: json!({
            "malformed": taken[0], "tenant": taken[1], "limited": taken[2], "unavailable": taken[3],
        }),
        ..Event::new(EventName::RefusalsSummary, Actor::System)
    };
    let written = app.db.apply(events::store::insert(&system_tenant(), &event, app.clock.now())).await;
    if matches!(written, Err(ref error) if !matches!(error, DbError::UnknownOutcome(_))) {
        give_back(counters, taken);
    }
    written.map(drop)
}

fn give_back(counters: [&AtomicU64; 4], taken: [u64; 4]) {
    for (counter, count) in counters.into_iter().zip(taken) {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}
