//! The lines of the master key file: what names them, how what is sealed under older ones is sealed anew, and how a
//! running server takes up another one.

use anyhow::Context;
use serde_json::json;

use crate::app::App;
use crate::clock::Timestamp;
use crate::db::{Change, Database, Statement};
use crate::events::{self, EventName, sealing};
use crate::ids::{TenantId, system_tenant};
use crate::secrets::MasterKeys;
use crate::{installation, sessions, signing_keys};

use super::Author;

/// How often everything is looked through for what a server has sealed meanwhile under the line before.
const PASSES: usize = 3;

/// A column whose values are sealed under a line of the master key file.
struct SealedColumn {
    /// For people.
    what: &'static str,
    /// The next rows, after those of a tenant and a name, that are not sealed under the line of this prefix: `tenant_id`,
    /// `name`, `sealed`.
    slice: fn(&str, &(String, String)) -> Statement,
    /// What a value is sealed for.
    place: fn(&TenantId, &str) -> String,
    /// Seals a value anew if it is still the old one.
    reseal: fn(&TenantId, &str, &str, &str) -> Statement,
    /// How many are sealed under the line of this prefix: `number`.
    count: fn(&str) -> Statement,
}

/// All of them: whoever seals another column adds it here.
const SEALED: [SealedColumn; 3] = [
    SealedColumn {
        what: "signing keys",
        slice: |prefix, after| signing_keys::store::find_sealed_otherwise(prefix, &after.0, &after.1),
        place: signing_keys::place,
        reseal: signing_keys::store::reseal,
        count: signing_keys::store::count_sealed,
    },
    SealedColumn {
        what: "audit keys",
        slice: |prefix, after| sealing::store::find_sealed_otherwise(prefix, &after.1),
        place: |_, _| sealing::KEY_PLACE.to_owned(),
        reseal: |_, _, old, new| sealing::store::reseal(old, new),
        count: sealing::store::count_sealed,
    },
    SealedColumn {
        what: "keys of the installation",
        slice: |prefix, after| installation::store::find_sealed_otherwise(prefix, &after.1),
        place: |_, _| installation::name_key_place(),
        reseal: |_, name, old, new| installation::store::reseal(name, old, new),
        count: installation::store::count_sealed,
    },
];

/// A line of the master key file, and what names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsedMasterKey {
    pub id: String,
    /// New things are made with it.
    pub current: bool,
    /// How many of what are sealed under it.
    pub sealed: Vec<(&'static str, i64)>,
    /// Sessions that have not ended and are refreshed under it.
    pub sessions: i64,
    /// When the last of them ends at the latest.
    pub sessions_until: Option<Timestamp>,
}

impl UsedMasterKey {
    /// Whether nothing needs the line.
    #[must_use]
    pub fn is_free(&self) -> bool {
        !self.current && self.sessions == 0 && self.sealed.iter().all(|(_, number)| *number == 0)
    }
}

/// The lines of the file, the current one first.
pub async fn list_master_keys(
    db: &Database,
    master: &MasterKeys,
    now: Timestamp,
) -> anyhow::Result<Vec<UsedMasterKey>> {
    let mut keys = Vec::new();
    for (index, id) in master.ids().into_iter().enumerate() {
        let mut sealed = Vec::new();
        for column in &SEALED {
            let rows = db.list((column.count)(&MasterKeys::sealed_prefix(&id))).await?;
            sealed.push((column.what, rows.first().context("no count")?.int("number")?));
        }
        let rows = db.list(sessions::store::count_under(&id, now)).await?;
        let row = rows.first().context("no count")?;
        keys.push(UsedMasterKey {
            current: index == 0,
            sealed,
            sessions: row.int("number")?,
            sessions_until: row.maybe_instant("until")?,
            id,
        });
    }
    Ok(keys)
}

/// Seals everything anew that is sealed under another line than the current one; how many values they were. Each slice is
/// durable by itself: what breaks off is gone on with by the next call.
///
/// # Errors
/// The database failed, or something does not open: the first such thing, after all others were sealed anew.
pub async fn reseal_under_current(db: &Database, master: &MasterKeys) -> anyhow::Result<u64> {
    let prefix = MasterKeys::sealed_prefix(master.current().id());
    let (mut resealed, mut failure) = (0, None);
    for column in &SEALED {
        for _ in 0..PASSES {
            let found = reseal_column(db, master, column, &prefix, &mut failure).await?;
            resealed += found;
            if found == 0 {
                break;
            }
        }
    }
    failure.map_or(Ok(resealed), Err)
}

async fn reseal_column(
    db: &Database,
    master: &MasterKeys,
    column: &SealedColumn,
    prefix: &str,
    failure: &mut Option<anyhow::Error>,
) -> anyhow::Result<u64> {
    let mut after = (String::new(), String::new());
    let mut resealed = 0;
    loop {
        let rows = db.list((column.slice)(prefix, &after)).await?;
        let Some(last) = rows.last() else { return Ok(resealed) };
        after = (last.text("tenant_id")?, last.text("name")?);
        let mut statements = Vec::new();
        for row in &rows {
            let (tenant, name) = (TenantId::from_stored(row.text("tenant_id")?), row.text("name")?);
            let (place, old) = ((column.place)(&tenant, &name), row.text("sealed")?);
            match master.open(&place, &old) {
                Ok(plain) => {
                    statements.push((column.reseal)(&tenant, &name, &old, &master.seal(&place, &plain)?));
                }
                Err(error) => drop(failure.get_or_insert(error)),
            }
        }
        let number = statements.len();
        let applied = db.apply(Change::new().with_all(statements)).await?;
        resealed += (0..number).filter(|index| !applied.rows(*index).is_empty()).count() as u64;
    }
}

/// Notes that an operator has changed the file.
pub async fn note_master_key(
    db: &Database,
    author: Author<'_>,
    name: EventName,
    id: &str,
    now: Timestamp,
) -> anyhow::Result<()> {
    let event = events::Event { details: json!({ "masterKeyId": id }), ..author.event(name) };
    db.apply(events::store::insert(&system_tenant(), &event, now)).await?;
    Ok(())
}

/// Takes up what the file holds now, if it is something else and opens the database. Until then everything goes on with
/// the lines from before. Called by upkeep, on every node.
pub async fn reread_master_keys(app: &App) -> anyhow::Result<()> {
    let Some(there) = app.master.reread()? else { return Ok(()) };
    let now = app.clock.now();
    signing_keys::check_master(&app.db, &there).await?;
    sessions::keys::check_master(&app.db, &there, now).await?;
    sealing::check_master(&app.db, &there).await?;
    installation::check_master(&app.db, &there).await?;
    // Before anything is made with it: it must be missed when it is gone.
    sessions::keys::remember_master(&app.db, &there, now).await?;
    app.master.adopt(&there);
    tracing::info!(current = there.current().id(), lines = ?there.ids(), "the master key file was read anew");
    Ok(())
}
