//! What this database is: a demo, or the real thing.

pub mod store;

use anyhow::Context;

use crate::db::{Database, DbError};
use crate::secrets::MasterKeys;

/// Whether the database belongs to the demo, whose secrets everybody knows.
pub async fn is_demo(db: &Database) -> Result<bool, DbError> {
    Ok(!db.fetch(store::find_demo()).await?.is_empty())
}

/// What the key is sealed for that names nobody has are digested by.
#[must_use]
pub fn name_key_place() -> String {
    "installation/name_key".to_owned()
}

/// Refuses master keys without the line that the key for names is sealed under.
///
/// # Errors
/// The database failed, or the file has no line that opens it.
pub async fn check_master(db: &Database, master: &MasterKeys) -> anyhow::Result<()> {
    if let Some(row) = db.fetch(store::find_name_key()).await?.first() {
        master.open(&name_key_place(), &row.text("value")?)?;
    }
    Ok(())
}

/// Lets the master keys digest names by the key that all nodes use: at first the one of the line that was current then, so
/// that the failures from before count on.
///
/// # Errors
/// The database failed, or the file has no line that opens it.
pub async fn share_name_key(db: &Database, master: &MasterKeys) -> anyhow::Result<()> {
    let place = name_key_place();
    let mut kept = db.fetch(store::find_name_key()).await?;
    if kept.is_empty() {
        db.apply(store::keep_name_key(&master.seal_name_key(&place)?)).await?;
        // Another node may have been first.
        kept = db.fetch(store::find_name_key()).await?;
    }
    let mut sealed = kept.first().context("the key for names was not kept")?.text("value")?;
    if MasterKeys::id_in(&sealed).is_none_or(|id| master.find_stored(id).is_none()) {
        // Its line was taken out by hand: failures are counted anew, rather than nobody served.
        tracing::warn!(
            "the key for names was sealed under a line that is gone; failures of names that nobody has are forgotten"
        );
        let new = master.seal_name_key(&place)?;
        db.apply(store::reseal("name_key", &sealed, &new)).await?;
        let kept = db.fetch(store::find_name_key()).await?;
        sealed = kept.first().context("the key for names was not kept")?.text("value")?;
    }
    master.use_name_key(&place, &sealed)
}
