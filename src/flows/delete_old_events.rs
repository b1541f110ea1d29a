//! Events that are older than their tenant keeps them go (R141). What is sealed of them stays, and a signed event says up to
//! where they may be missing, so that the log is verified as before. Called by upkeep, on every node.
//!
//! What is old the sealed log says, not the rows: whoever alters one in the database, or takes it away, would have us sign
//! that it was old. So a row goes only if it is what was sealed at its position, and all before it are.

use anyhow::{Context, anyhow, ensure};
use serde_json::json;
use vestibule_audit::{
    Checkpoint, Frontier, consistency_proof, nodes_for_consistency, nodes_for_root, verify_consistency,
};

use crate::clock::{Readings, Timestamp};
use crate::db::{Change, Database, DbError, Row};
use crate::error::Error;
use crate::events::sealing::{self, AuditKey, Leaf, Problem, SealedLog, StoredTree, store, stored_hashes};
use crate::events::{self, Actor, Event, EventName};
use crate::ids::TenantId;
use crate::secrets::MasterKeys;
use crate::tenants::Settings;

/// Tenants that are read at a time.
const PAGE: i64 = 500;
/// Events of a tenant that a run looks at, at most; the next one goes on.
const MOST: u64 = 1_000_000;
/// Events that are read at a time, and that one change deletes at most.
const SLICE: i64 = 500;

/// Deletes the old events of every tenant, from the oldest on. What fails keeps no other tenant from it; the error is the
/// first one's.
pub async fn delete_old_events(
    db: &Database,
    master: &MasterKeys,
    at: impl Into<Readings>,
) -> Result<(), Error> {
    let Readings { now, cautious } = at.into();
    let (mut outcome, mut after) = (Ok(()), None);
    loop {
        let rows = db.list(store::find_ages(after.as_ref(), PAGE)).await?;
        for row in &rows {
            let tenant = TenantId::from_stored(row.text("tenant_id")?);
            if let Some(since) = kept_since(row, cautious)? {
                outcome = outcome.and(delete(db, master, &tenant, since, now).await);
            }
            after = Some(tenant);
        }
        if i64::try_from(rows.len()).is_ok_and(|read| read < PAGE) {
            return outcome;
        }
    }
}

/// Since when the tenant keeps its events; `None` where there are none that are older. One whose settings cannot be read
/// keeps all.
fn kept_since(row: &Row, now: Timestamp) -> Result<Option<Timestamp>, DbError> {
    let settings = Settings::from_stored(&row.text("settings")?).ok();
    let since = settings.and_then(|settings| settings.kept_since(now));
    let oldest = row.maybe_instant("oldest")?;
    Ok(since.filter(|since| oldest.is_some_and(|oldest| oldest < *since)))
}

async fn delete(
    db: &Database,
    master: &MasterKeys,
    tenant: &TenantId,
    since: Timestamp,
    now: Timestamp,
) -> Result<(), Error> {
    let rows = db.fetch(store::find_head(tenant)).await?;
    let log = SealedLog::from_row(rows.first().context("the tenant is gone")?)?;
    let key = AuditKey::find(db, master).await?;
    let signed = log.signed(key.as_ref()).map_err(|problem| kept(tenant, &problem))?;
    let (Some(signed), Some(key)) = (signed, key) else { return Ok(()) };
    // What was signed before may have been cut short.
    let said = sealing::signed_deletion(db, Some(&key), tenant).await?;
    let begun = said.as_ref().map_or(0, |said| said.size);
    if log.deleted_until > begun {
        return Err(kept(
            tenant,
            &Problem::at(begun + 1, "nothing signed says that it was deleted for its age"),
        )
        .into());
    }
    let (old, problem) = find_old(db, tenant, &signed, said, since).await?;
    let mut event = None;
    if old.size() > begun {
        let note = sealing::deletion_note(&key, tenant, old.size(), old.root())?;
        let details = json!({ "until": old.size(), "before": since.to_string(), "note": note });
        event = Some(Event { details, ..Event::new(EventName::AuditEventsDeleted, Actor::System) });
    }
    let (mut from, until) = (log.deleted_until.cast_signed(), old.size().cast_signed());
    while from < until {
        let to = (from + SLICE).min(until);
        let said = event.take().map(|event| events::store::insert(tenant, &event, now));
        let change = Change::new().with_all(store::delete_events(tenant, from, to)).with_all(said);
        match db.apply(change).await {
            Ok(_) => from = to,
            // Another node is at it.
            Err(DbError::Refused("deleted")) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    let Some(problem) = problem else { return Ok(()) };
    // Or another node, which is at the same, has deleted what was about to be read.
    let rows = db.fetch(store::find_head(tenant)).await?;
    let later = SealedLog::from_row(rows.first().context("the tenant is gone")?)?;
    if later.deleted_until > log.deleted_until.max(old.size()) {
        return Ok(());
    }
    Err(kept(tenant, &problem).into())
}

/// The log's beginning, of which all events are old and what was sealed; and what the next one is that is neither.
async fn find_old(
    db: &Database,
    tenant: &TenantId,
    signed: &Checkpoint,
    said: Option<Checkpoint>,
    since: Timestamp,
) -> anyhow::Result<(Frontier, Option<Problem>)> {
    let altered = || kept(tenant, &Problem::anywhere("its hashes are not those that were signed"));
    let begun = said.as_ref().map_or(0, |said| said.size);
    let hashes = stored_hashes(db, tenant, nodes_for_root(begun)).await?;
    let mut old = Frontier::at(begun, &hashes).ok_or_else(altered)?;
    ensure!(said.is_none_or(|said| said.root == old.root()), altered());
    let most = signed.size.min(begun + MOST).cast_signed();
    let (mut stored, mut problem, mut is_over) = (StoredTree::new(), None, false);
    while !is_over && old.size().cast_signed() < most {
        let rows = db.list(store::find_events(tenant, old.size().cast_signed(), most, SLICE)).await?;
        if rows.is_empty() {
            problem = Some(Problem::missing(old.size() + 1));
        }
        for row in &rows {
            let hash = stored.leaf(db, tenant, old.size()).await?;
            let leaf = Leaf::from_row(row)?;
            problem = leaf.problem_at(old.size() + 1, hash);
            if problem.is_some() || leaf.record.occurred_at >= since.as_millis() {
                is_over = true;
                break;
            }
            old.push(leaf.hash());
        }
        is_over |= problem.is_some();
    }
    // The hashes stand in the database like the rows. Whether they are right themselves what was signed says.
    let hashes = stored_hashes(db, tenant, nodes_for_consistency(old.size(), signed.size)).await?;
    let proof = consistency_proof(old.size(), signed.size, &hashes).ok_or_else(altered)?;
    ensure!(verify_consistency(old.size(), &old.root(), signed.size, &signed.root, &proof), altered());
    Ok((old, problem))
}

/// Why nothing more of a log is deleted.
fn kept(tenant: &TenantId, problem: &Problem) -> anyhow::Error {
    anyhow!("the log of tenant {tenant} was altered, so nothing from there on is deleted: {problem}")
}
