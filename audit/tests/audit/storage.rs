//! Tiles, as a database stores them.

use vestibule_audit::{
    Tile, Tiles, consistency_proof, edge_tiles, inclusion_proof, leaf_hash, nodes_for_consistency,
    nodes_for_inclusion, tile_of, tiles_of, verify_consistency, verify_inclusion,
};

use super::{Stored, frontier, leaf};

#[test]
fn r139_a_log_that_was_appended_in_slices_has_the_root_of_its_leaves() {
    let mut stored = Stored::default();
    let mut slices = [1, 0, 3, 251, 1, 1, 255, 256, 257, 2].into_iter().cycle();
    while stored.size < 3_000 {
        let (from, count) = (stored.size, slices.next().unwrap());
        stored.append((from..from + count).map(|number| leaf_hash(&leaf(number))));
        let tiles = stored.load(edge_tiles(stored.size));
        assert_eq!(tiles.root(stored.size), Some(frontier(stored.size).root()), "size {}", stored.size);
    }
}

#[test]
fn r139_proofs_of_a_great_log_need_a_handful_of_tiles() {
    let size = 66_050;
    let stored = Stored::with_leaves(size);
    assert_eq!(stored.tiles[&Tile { level: 2, index: 0 }].len(), 32);
    assert_eq!(stored.tiles[&Tile { level: 1, index: 0 }].len(), 256 * 32);
    let root = stored.load(edge_tiles(size)).root(size).unwrap();
    assert_eq!(root, frontier(size).root());
    for index in [0, 1, 255, 256, 32_767, 65_535, 65_536, size - 1] {
        let wanted = tiles_of(nodes_for_inclusion(index, size));
        assert!(wanted.len() <= 5, "{wanted:?}");
        let proof = inclusion_proof(index, size, &stored.load(wanted)).unwrap();
        assert!(verify_inclusion(index, size, &leaf_hash(&leaf(index)), &proof, &root));
    }
    for old in [1, 255, 256, 257, 30_000, 65_536, size - 1, size] {
        let wanted = tiles_of(nodes_for_consistency(old, size));
        assert!(wanted.len() <= 5, "{wanted:?}");
        let proof = consistency_proof(old, size, &stored.load(wanted)).unwrap();
        assert!(verify_consistency(old, &frontier(old).root(), size, &root, &proof));
    }
}

#[test]
fn a_tile_is_not_continued_that_is_not_as_long_as_the_size_says() {
    let stored = Stored::with_leaves(300);
    let mut tiles = stored.load(edge_tiles(300));
    assert!(!tiles.push(299, [0; 32]));
    assert!(!tiles.push(301, [0; 32]));
    assert!(tiles.take_changed().is_empty());
    assert!(!Tiles::new().push(300, [0; 32]), "its tiles are not there");
    assert!(tiles.push(300, [0; 32]));
    let changed: Vec<_> = tiles.take_changed().into_iter().map(|(tile, bytes)| (tile, bytes.len())).collect();
    assert_eq!(changed, [(Tile { level: 0, index: 1 }, 45 * 32)]);
    // Where a leaf makes its tile full, the one above is needed and changed too.
    let mut tiles = Stored::with_leaves(511).load(edge_tiles(511));
    assert!(tiles.push(511, [0; 32]));
    let changed: Vec<_> = tiles.take_changed().into_iter().map(|(tile, bytes)| (tile, bytes.len())).collect();
    assert_eq!(changed, [(Tile { level: 0, index: 1 }, 256 * 32), (Tile { level: 1, index: 0 }, 2 * 32)]);
}

#[test]
fn a_stored_tile_has_1_to_256_whole_hashes() {
    let tile = Tile { level: 0, index: 0 };
    for (length, good) in [(0, false), (31, false), (32, true), (33, false), (8_192, true), (8_224, false)] {
        assert_eq!(Tiles::new().insert(tile, &vec![0; length]), good, "{length} bytes");
    }
}

#[test]
fn each_node_has_its_tile() {
    for ((level, index), (tile_level, tile_index)) in [
        ((0, 0), (0, 0)),
        ((0, 255), (0, 0)),
        ((0, 256), (0, 1)),
        ((7, 1), (0, 0)),
        ((7, 2), (0, 1)),
        ((8, 0), (1, 0)),
        ((8, 256), (1, 1)),
        ((15, 2), (1, 1)),
        ((16, 0), (2, 0)),
        ((63, 1), (7, 0)),
    ] {
        assert_eq!(tile_of(level, index), Tile { level: tile_level, index: tile_index }, "{level}, {index}");
    }
}
