//! The lines of the pepper file that stored hashes need (R039).

use anyhow::ensure;

use crate::clock::Timestamp;
use crate::db::{Change, Database, DbError};
use crate::installation;
use crate::passwords::Peppers;

use super::store;

/// Refuses peppers without one that a stored hash was made under.
pub async fn check_peppers(db: &Database, peppers: &Peppers) -> anyhow::Result<()> {
    for row in db.fetch(installation::store::find_peppers()).await? {
        let id = row.text("id")?;
        ensure!(
            peppers.has(&id) || db.list(store::find_any_peppered(&id)).await?.is_empty(),
            "passwords are stored under line {id}, which the file does not have; restore that file's copy, or add its \
             line below the others until each of them has logged in"
        );
    }
    Ok(())
}

/// Remembers the lines that hashes are stored under from now on, so that they are missed when they are gone.
pub async fn remember_peppers(db: &Database, peppers: &Peppers, now: Timestamp) -> Result<(), DbError> {
    let lines = peppers.ids().map(|id| installation::store::remember_pepper(id, now)).collect::<Vec<_>>();
    if lines.is_empty() { Ok(()) } else { db.apply(Change::new().with_all(lines)).await.map(drop) }
}
