//! The master keys that sessions are refreshed under.

use anyhow::ensure;

use crate::clock::Timestamp;
use crate::db::{Database, DbError};
use crate::installation;
use crate::secrets::MasterKeys;

use super::store;

/// Refuses master keys without one that a session which has not ended needs for its refreshes.
pub async fn check_master(db: &Database, master: &MasterKeys, now: Timestamp) -> anyhow::Result<()> {
    for row in db.fetch(installation::store::find_refresh_keys()).await? {
        let id = row.text("id")?;
        ensure!(
            master.find(&id).is_some() || db.list(store::find_any_under(&id, now)).await?.is_empty(),
            "sessions that have not ended are refreshed under {id}, which the file does not have; restore that file's \
             copy, or add its line below the others until they have ended"
        );
    }
    Ok(())
}

/// Remembers the key that new sessions are opened under from now on, so that it is missed when it is gone.
pub async fn remember_master(db: &Database, master: &MasterKeys, now: Timestamp) -> Result<(), DbError> {
    db.apply(installation::store::remember_refresh_key(master.current().id(), now)).await.map(drop)
}
