//! Tiles: how the hashes of a tree are stored, 256 to a row, as C2SP tlog-tiles cuts them.
//!
//! Tile `(level, index)` holds the roots of the complete subtrees of `256^level` leaves, from number `256 * index` on, in
//! their order. All but the last of a level are full, and a full one never changes; nodes between the levels are computed.

use std::collections::{BTreeMap, BTreeSet};

use crate::hash::{Hash, node_hash};
use crate::tree::{Nodes, nodes_for_root, root};

/// Hashes in a full tile.
pub const TILE_HASHES: usize = 256;
/// Levels of the tree to a level of tiles.
const HEIGHT: u8 = 8;

/// Where a tile is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tile {
    /// 0: of leaves; at most 7.
    pub level: u8,
    /// From left to right within the level.
    pub index: u64,
}

/// The tile that node `(level, index)` is in, or is computed from.
#[must_use]
pub const fn tile_of(level: u8, index: u64) -> Tile {
    Tile { level: level / HEIGHT, index: index >> (HEIGHT - level % HEIGHT) }
}

/// The tiles of these nodes, each once.
#[must_use]
pub fn tiles_of(nodes: impl IntoIterator<Item = (u8, u64)>) -> BTreeSet<Tile> {
    nodes.into_iter().map(|(level, index)| tile_of(level, index)).collect()
}

/// The tiles that [`Tiles::push`] and the root of a tree of `size` leaves need: each level's last where that is not full,
/// 8 at most.
#[must_use]
pub fn edge_tiles(size: u64) -> BTreeSet<Tile> {
    tiles_of(nodes_for_root(size))
}

/// Some of a tree's tiles.
#[derive(Clone, Default, Debug)]
pub struct Tiles {
    tiles: BTreeMap<Tile, Vec<Hash>>,
    changed: BTreeSet<Tile>,
}

impl Tiles {
    /// No tiles.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tile as it was stored: its hashes one after the other. False, and not added, where these are not 1 to 256
    /// hashes.
    pub fn insert(&mut self, tile: Tile, bytes: &[u8]) -> bool {
        let (hashes, rest) = bytes.as_chunks::<32>();
        let whole = rest.is_empty() && (1..=TILE_HASHES).contains(&hashes.len());
        if whole {
            self.tiles.insert(tile, hashes.to_vec());
        }
        whole
    }

    /// Appends a leaf to the tree of `size` leaves, whose [`edge_tiles`] are here: into its tile, and the roots of what it
    /// makes full into those above. False, and nothing is changed, where one of those tiles is not here or is not as long
    /// as the size says.
    pub fn push(&mut self, size: u64, leaf: Hash) -> bool {
        // Up to which level the leaf makes a tile full: one for each eight binary ones at the end of the size.
        let full = (size.trailing_ones() / u32::from(HEIGHT)).min(7);
        let mut places = (0..=full).map(|level| (level, size >> (level * u32::from(HEIGHT))));
        if !places.all(|(level, place)| self.len(level, place) == usize_of(place % 256)) {
            return false;
        }
        let mut hash = leaf;
        for level in 0..=full {
            let tile = tile_at(level, size >> (level * u32::from(HEIGHT)));
            let hashes = self.tiles.entry(tile).or_default();
            hashes.push(hash);
            if level < full {
                hash = subtree(hashes);
            }
            self.changed.insert(tile);
        }
        true
    }

    /// The tiles that [`push`](Self::push) has changed since the last time, as they are to be stored.
    pub fn take_changed(&mut self) -> Vec<(Tile, Vec<u8>)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|tile| (tile, self.tiles[&tile].concat())).collect()
    }

    /// The root of the tree of the first `size` leaves; `None` where one of its [`edge_tiles`] is not here.
    #[must_use]
    pub fn root(&self, size: u64) -> Option<Hash> {
        root(size, self)
    }

    fn len(&self, level: u32, place: u64) -> usize {
        self.tiles.get(&tile_at(level, place)).map_or(0, Vec::len)
    }
}

impl Nodes for Tiles {
    fn get(&self, level: u8, index: u64) -> Option<Hash> {
        let tile = tile_of(level, index);
        let above = level % HEIGHT;
        let first = usize_of(index % (1 << (HEIGHT - above))) << above;
        self.tiles.get(&tile)?.get(first..first + (1 << above)).map(subtree)
    }
}

fn tile_at(level: u32, place: u64) -> Tile {
    Tile { level: u8::try_from(level).expect("there are eight levels"), index: place / 256 }
}

fn usize_of(place: u64) -> usize {
    usize::try_from(place).expect("it is less than 256")
}

/// The root above hashes whose number is a power of two; of others it is that of no subtree, and nobody asks.
fn subtree(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => Hash::default(),
        [one] => *one,
        more => {
            let (left, right) = more.split_at(more.len() / 2);
            node_hash(&subtree(left), &subtree(right))
        }
    }
}
