//! The sealed log as a library: held against what the standards publish, another implementation, and tampering.

mod checkpoints;
mod events;
mod evidence;
mod storage;
mod tree;

use std::collections::BTreeMap;

use aws_lc_rs::signature::Ed25519KeyPair;
use vestibule_audit::{Frontier, Hash, Tile, Tiles, edge_tiles, leaf_hash};

const ORIGIN: &str = "id.example.com/t/acme";

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

/// A leaf's bytes, unlike any other's.
fn leaf(number: u64) -> Vec<u8> {
    format!("leaf {number}").into_bytes()
}

/// A tree's tiles as a database has them.
#[derive(Default)]
struct Stored {
    tiles: BTreeMap<Tile, Vec<u8>>,
    size: u64,
}

impl Stored {
    fn with_leaves(size: u64) -> Self {
        let mut stored = Self::default();
        stored.append((0..size).map(|number| leaf_hash(&leaf(number))));
        stored
    }

    /// Appends as the sealer does: with the tiles at the edge, and writes down what has changed.
    fn append(&mut self, leaves: impl IntoIterator<Item = Hash>) {
        let mut tiles = self.load(edge_tiles(self.size));
        for leaf in leaves {
            assert!(tiles.push(self.size, leaf));
            self.size += 1;
        }
        self.tiles.extend(tiles.take_changed());
    }

    fn load(&self, wanted: impl IntoIterator<Item = Tile>) -> Tiles {
        let mut tiles = Tiles::new();
        for tile in wanted {
            assert!(tiles.insert(tile, &self.tiles[&tile]));
        }
        tiles
    }

    fn all(&self) -> Tiles {
        self.load(self.tiles.keys().copied())
    }
}

fn frontier(size: u64) -> Frontier {
    let mut frontier = Frontier::new();
    (0..size).for_each(|number| frontier.push(leaf_hash(&leaf(number))));
    frontier
}
