//! Sealing events: what has its number goes into the tree of its tenant's log, and what is signed of that moves on.
//!
//! Any number of nodes do it at once, as with the numbers: a change moves a log from the size at which it was read,
//! together with the tree's hashes, or not at all. Whoever dies leaves no half of it, and events of a version that did
//! not seal are sealed like new ones, slice by slice.

use anyhow::{Context, anyhow, ensure};
use futures_util::future::{join_all, try_join_all};
use vestibule_audit::{Checkpoint, EMPTY_ROOT, Hash, Tile, Tiles, edge_tiles};

use crate::clock::Timestamp;
use crate::db::{Change, Database, DbError, Row};
use crate::error::Error;
use crate::events::sealing::{self, AuditKey, Leaf, SealedLog};
use crate::ids::TenantId;
use crate::secrets::MasterKeys;

/// Tenants that are looked up together.
const TENANTS: i64 = 250;
/// Changes under way at a time: there are connections left for others.
const AT_ONCE: usize = 4;
/// Events of a tenant that one change seals at most.
const SLICE: i64 = 1_000;

/// What one round did.
#[derive(Default, Debug)]
pub struct Sealed {
    /// Events that are sealed now.
    pub events: usize,
    /// Whether there is more to do at once: of a long log only a slice is sealed, or another node was at it.
    pub more: bool,
    /// Why a tenant's events could not be sealed. It kept nobody else's from it.
    pub failure: Option<Error>,
}

/// Goes once over the logs that have events to seal, a slice of each.
pub async fn seal_events(
    db: &Database,
    master: &MasterKeys,
    public_url: &str,
    now: Timestamp,
) -> Result<Sealed, Error> {
    let mut round = Sealed::default();
    let mut after = None;
    loop {
        let rows = db.list(sealing::store::find_unsealed(after.as_ref(), TENANTS)).await?;
        let Some(last) = rows.last() else { return Ok(round) };
        after = Some(TenantId::from_stored(last.text("tenant_id")?));
        let key = AuditKey::get(db, master, now).await?;
        for rows in rows.chunks(AT_ONCE) {
            for sealed in join_all(rows.iter().map(|row| seal(db, &key, public_url, row, now))).await {
                match sealed {
                    Ok((events, more)) => {
                        round.events += events;
                        round.more |= more;
                    }
                    Err(error @ Error::Unavailable(_)) => return Err(error),
                    Err(error) => round.failure = round.failure.or(Some(error)),
                }
            }
        }
    }
}

/// Seals a slice of a tenant's events: how many, and whether there are more.
async fn seal(
    db: &Database,
    key: &AuditKey,
    public_url: &str,
    row: &Row,
    now: Timestamp,
) -> Result<(usize, bool), Error> {
    let tenant = TenantId::from_stored(row.text("tenant_id")?);
    let rows = db.fetch(sealing::store::find_head(&tenant)).await?;
    let Some(row) = rows.first() else { return Ok((0, false)) };
    let log = SealedLog::from_row(row)?;
    let (size, until) = (row.int("sealed")?, row.int("position")?);
    let origin = sealing::origin(public_url, &log.slug);
    let events = db.list(sealing::store::find_events(&tenant, size, until, SLICE)).await?;
    let tiles = edge(db, &tenant, log.size).await?;
    let grown = match grow(&log, key, tiles, &events) {
        Ok(grown) => grown,
        // What was read here and there is not of one moment: another node has moved the log in between.
        Err(error) => return if moved(db, &tenant, size).await? { Ok((0, true)) } else { Err(error.into()) },
    };
    let Some(Grown { to, root, tiles }) = grown else { return Ok((0, false)) };
    let checkpoint = key.sign(&Checkpoint { origin, size: to.unsigned_abs(), root })?;
    let tiles = tiles.into_iter().map(|(Tile { level, index }, hashes)| {
        sealing::store::put_tile(&tenant, i64::from(level), index.cast_signed(), hashes)
    });
    let change = Change::new()
        .with(sealing::store::seal(&tenant, (size, to), &root, &checkpoint, now))
        .with_all(tiles);
    match db.apply(change).await {
        Ok(_) => Ok((events.len(), to < until)),
        Err(DbError::Refused("log")) => Ok((0, true)),
        Err(error) => Err(error.into()),
    }
}

/// The rows of the tree's hashes that a log of this size grows at.
async fn edge(db: &Database, tenant: &TenantId, size: u64) -> Result<Vec<(Tile, Vec<u8>)>, DbError> {
    let read = async |tile: Tile| {
        let rows =
            db.fetch(sealing::store::find_tile(tenant, tile.level.into(), tile.index.cast_signed())).await?;
        let hashes = rows.first().map(|row| row.bytes("hashes")).transpose()?;
        Ok::<_, DbError>((tile, hashes.unwrap_or_default()))
    };
    try_join_all(edge_tiles(size).into_iter().map(read)).await
}

async fn moved(db: &Database, tenant: &TenantId, size: i64) -> Result<bool, DbError> {
    let rows = db.fetch(sealing::store::find_head(tenant)).await?;
    Ok(rows.first().map(|row| row.int("sealed")).transpose()? != Some(size))
}

/// A log with a slice more.
struct Grown {
    to: i64,
    root: Hash,
    tiles: Vec<(Tile, Vec<u8>)>,
}

/// Appends the events to what was signed, and to nothing else: a log whose stored hashes are others is not sealed on.
/// `None` where there is nothing to append.
fn grow(
    log: &SealedLog,
    key: &AuditKey,
    edge: Vec<(Tile, Vec<u8>)>,
    events: &[Row],
) -> anyhow::Result<Option<Grown>> {
    let mut tiles = Tiles::new();
    let whole = edge.into_iter().all(|(tile, hashes)| tiles.insert(tile, &hashes));
    let root = tiles.root(log.size).filter(|_| whole);
    let root = root.context("the hashes of the sealed log are not all there")?;
    let signed = log.signed(Some(key)).map_err(|problem| anyhow!("{problem}: it was altered"))?;
    ensure!(
        root == signed.map_or(EMPTY_ROOT, |signed| signed.root),
        "the sealed log is not the one that was signed: it was altered"
    );
    let mut size = log.size;
    for row in events {
        let leaf = Leaf::from_row(row)?;
        ensure!(leaf.record.position == size + 1, "there is no event at position {}", size + 1);
        ensure!(tiles.push(size, leaf.hash()), "the hashes of the sealed log are not those of its size");
        size += 1;
    }
    let whole = size == log.position || events.len() >= usize::try_from(SLICE)?;
    ensure!(whole, "there is no event at position {}", size + 1);
    let Some(root) = tiles.root(size).filter(|_| size > log.size) else { return Ok(None) };
    Ok(Some(Grown { to: i64::try_from(size)?, root, tiles: tiles.take_changed() }))
}
