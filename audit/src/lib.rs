#![doc = include_str!("../README.md")]
#![deny(clippy::unwrap_used)]
#![warn(missing_docs)]

// What is handed over, and checked without the server.
mod evidence;

// What is signed, and what is sealed.
mod checkpoint;
mod event;
mod note;

// The tree.
mod frontier;
mod hash;
mod proofs;
mod tiles;
mod tree;

// How bytes are written in JSON.
mod encoding;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use encoding::Digest;
pub use event::{EventRecord, SALT_BYTES, encode_event, event_leaf, is_personal, personal_digest};
pub use evidence::{Evidence, EvidenceError, MOST_EVENTS, ProvenEvent};
pub use frontier::Frontier;
pub use hash::{EMPTY_ROOT, Hash, leaf_hash, node_hash};
pub use note::{NoteError, VerifierKey};
pub use proofs::{verify_consistency, verify_inclusion};
pub use tiles::{TILE_HASHES, Tile, Tiles, edge_tiles, tile_of, tiles_of};
pub use tree::{
    Nodes, consistency_proof, inclusion_proof, nodes_for_consistency, nodes_for_inclusion, nodes_for_root,
    root,
};
