//! The stored hashes of a log, read from the first on: what they are, and whether they fit together.

use std::collections::BTreeMap;

use vestibule_audit::{Frontier, Hash, TILE_HASHES, Tile, Tiles};

use crate::db::{Database, DbError};
use crate::ids::TenantId;

use super::store;

/// A row of hashes that is full, in bytes.
const FULL: usize = TILE_HASHES * 32;

/// The tree that the stored hashes of the events make, and those above them beside it. Of a log of any length a few rows
/// are held.
#[derive(Default, Debug)]
pub struct StoredTree {
    /// The row of the events' hashes that is being read, with its index.
    row: Option<(u64, Vec<u8>)>,
    tree: Frontier,
    /// The rows that are not full yet.
    edge: Tiles,
    kept: BTreeMap<Tile, Vec<u8>>,
}

impl StoredTree {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The root of what was pushed.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    /// The stored hash of the event of this index; `None` where there is none.
    pub async fn leaf(
        &mut self,
        db: &Database,
        tenant: &TenantId,
        index: u64,
    ) -> Result<Option<Hash>, DbError> {
        let (tile, at) = (index / TILE_HASHES as u64, index % TILE_HASHES as u64);
        if self.row.as_ref().is_none_or(|(held, _)| *held != tile) {
            self.row = Some((tile, find(db, tenant, Tile { level: 0, index: tile }).await?));
        }
        let hashes = self.row.as_ref().map(|(_, hashes)| hashes.as_chunks::<32>().0);
        Ok(hashes.zip(usize::try_from(at).ok()).and_then(|(hashes, at)| hashes.get(at)).copied())
    }

    /// Appends an event's hash. Whether the rows above those that it fills are stored as they should be.
    pub async fn push(&mut self, db: &Database, tenant: &TenantId, leaf: Hash) -> Result<bool, DbError> {
        let fits = self.edge.push(self.tree.size(), leaf);
        self.tree.push(leaf);
        if !self.tree.size().is_multiple_of(TILE_HASHES as u64) {
            return Ok(fits);
        }
        let mut fits = fits;
        let mut edge = Tiles::new();
        self.kept.extend(self.edge.take_changed());
        for (tile, hashes) in std::mem::take(&mut self.kept) {
            if hashes.len() < FULL {
                edge.insert(tile, &hashes);
                self.kept.insert(tile, hashes);
            } else if tile.level > 0 {
                fits &= find(db, tenant, tile).await? == hashes;
            }
        }
        self.edge = edge;
        Ok(fits)
    }

    /// Whether the rows that are not full are stored as they should be. They may have grown meanwhile.
    pub async fn finish(&mut self, db: &Database, tenant: &TenantId) -> Result<bool, DbError> {
        let mut fits = true;
        self.kept.extend(self.edge.take_changed());
        for (tile, hashes) in std::mem::take(&mut self.kept) {
            fits &= find(db, tenant, tile).await?.starts_with(&hashes);
        }
        Ok(fits)
    }
}

/// A row of hashes; empty where it is not there.
async fn find(db: &Database, tenant: &TenantId, tile: Tile) -> Result<Vec<u8>, DbError> {
    let rows = db.list(store::find_tile(tenant, tile.level.into(), tile.index.cast_signed())).await?;
    Ok(rows.first().map(|row| row.bytes("hashes")).transpose()?.unwrap_or_default())
}
