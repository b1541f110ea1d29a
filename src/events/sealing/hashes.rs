//! The stored hashes that a proof is made of.

use vestibule_audit::{Tiles, tiles_of};

use crate::db::{Database, DbError};
use crate::ids::TenantId;

use super::store;

/// The rows of a tenant's hashes that these nodes of its tree are in, a handful for each proof. One that is not there, or
/// is no row of hashes, is left out: then there is no proof.
///
/// A row may have grown since the size was read that the nodes are of; what it held then it still holds.
pub async fn stored_hashes(
    db: &Database,
    tenant: &TenantId,
    nodes: impl IntoIterator<Item = (u8, u64)>,
) -> Result<Tiles, DbError> {
    let mut tiles = Tiles::new();
    for tile in tiles_of(nodes) {
        let found = store::find_tile(tenant, tile.level.into(), tile.index.cast_signed());
        if let Some(row) = db.fetch(found).await?.first() {
            tiles.insert(tile, &row.bytes("hashes")?);
        }
    }
    Ok(tiles)
}
