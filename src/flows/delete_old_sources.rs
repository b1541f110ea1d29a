//! What has failed from where goes once nobody counts it any more, a slice at a time.

use crate::app::App;
use crate::error::Error;
use crate::source_limits::store::{delete_attempts_that_are_over, delete_sources_that_are_over};

/// How many are deleted in one change.
const SLICE: u16 = 1_000;

/// Deletes all that is over by now: the marks first, and then the sources that have none.
pub async fn delete_old_sources(app: &App) -> Result<(), Error> {
    let now = app.clock.cautious();
    for statement in [delete_attempts_that_are_over, delete_sources_that_are_over] {
        while app.db.apply(statement(now, SLICE.into())).await?.rows(0).len() == usize::from(SLICE) {}
    }
    Ok(())
}
