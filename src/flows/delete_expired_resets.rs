//! Reset secrets that are over go, a slice at a time: whether one is over is decided when it is used.

use crate::app::App;
use crate::error::Error;
use crate::password_resets;

/// How many are deleted in one change.
const SLICE: u16 = 1_000;

/// Deletes all that are over by now.
pub async fn delete_expired_resets(app: &App) -> Result<(), Error> {
    let now = app.clock.cautious();
    loop {
        let deleted = app.db.apply(password_resets::store::delete_expired(now, SLICE.into())).await?;
        if deleted.rows(0).len() < usize::from(SLICE) {
            return Ok(());
        }
    }
}
