//! Throttles that nobody misses go, a slice at a time: names that nobody has come in any number (R028).

use crate::app::App;
use crate::error::Error;
use crate::throttles;

/// How many are deleted in one change.
const SLICE: u16 = 1_000;

/// Deletes all that are idle by now.
pub async fn delete_idle_throttles(app: &App) -> Result<(), Error> {
    let now = app.clock.cautious();
    loop {
        let deleted = app.db.apply(throttles::store::delete_idle(now, SLICE.into())).await?;
        if deleted.rows(0).len() < usize::from(SLICE) {
            return Ok(());
        }
    }
}
