//! Roots and proofs.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;
use vestibule_audit::{
    EMPTY_ROOT, Frontier, Hash, Nodes, consistency_proof, inclusion_proof, leaf_hash, node_hash,
    nodes_for_consistency, nodes_for_inclusion, nodes_for_root, root, verify_consistency, verify_inclusion,
};

use super::{Stored, frontier, leaf};

type Other = MemoryBackedTree<Sha256, Vec<u8>>;

fn other(size: u64) -> Other {
    let mut tree = Other::new();
    (0..size).for_each(|number| tree.push(leaf(number)));
    tree
}

fn hash(hex: &str) -> Hash {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    std::array::from_fn(|at| digit(at * 2))
}

/// The leaves and roots that the reference implementation of RFC 6962 publishes with its tests.
const LEAVES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

#[test]
fn r139_the_published_vectors_of_rfc_6962_hold() {
    let mut stored = Stored::default();
    let mut frontier = Frontier::new();
    assert_eq!(root(0, &stored.all()), Some(EMPTY_ROOT));
    assert_eq!(frontier.root(), EMPTY_ROOT);
    assert_eq!(EMPTY_ROOT, hash("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    for (leaf, expected) in LEAVES.into_iter().zip(ROOTS) {
        stored.append([leaf_hash(leaf)]);
        frontier.push(leaf_hash(leaf));
        assert_eq!(root(stored.size, &stored.all()), Some(hash(expected)));
        assert_eq!(frontier.root(), hash(expected));
    }
    let nodes = stored.all();
    let path = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(inclusion_proof(5, 8, &nodes), Some(path.map(hash).to_vec()));
    let from_six = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(consistency_proof(6, 8, &nodes), Some(from_six.map(hash).to_vec()));
    let from_one = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ];
    assert_eq!(consistency_proof(1, 8, &nodes), Some(from_one.map(hash).to_vec()));
}

/// All that one tree of this size can be asked for, against another's answers, and checked.
fn same_as_another(size: u64, olds: impl Iterator<Item = u64>) {
    let nodes = Stored::with_leaves(size).all();
    let theirs = other(size);
    let own_root = root(size, &nodes).unwrap();
    assert_eq!(own_root.as_slice(), theirs.root().as_bytes().as_slice(), "size {size}");
    assert_eq!(own_root, frontier(size).root(), "size {size}");
    assert_eq!(Frontier::at(size, &nodes), Some(frontier(size)), "size {size}");
    for index in 0..size {
        let proof = inclusion_proof(index, size, &nodes).unwrap();
        let place = usize::try_from(index).unwrap();
        assert_eq!(proof.concat(), theirs.prove_inclusion(place).as_bytes(), "{index} of {size}");
        assert!(
            verify_inclusion(index, size, &leaf_hash(&leaf(index)), &proof, &own_root),
            "{index} of {size}"
        );
        assert!(
            !verify_inclusion(index, size, &leaf_hash(&leaf(index + 1)), &proof, &own_root),
            "{index} of {size}"
        );
    }
    for old in olds {
        let proof = consistency_proof(old, size, &nodes).unwrap();
        let old_root = root(old, &nodes).unwrap();
        assert!(verify_consistency(old, &old_root, size, &own_root, &proof), "{old} of {size}");
        if old > 0 {
            let added = usize::try_from(size - old).unwrap();
            assert_eq!(proof.concat(), theirs.prove_consistency(added).as_bytes(), "{old} of {size}");
        }
    }
}

#[test]
fn r139_all_small_trees_have_the_roots_and_proofs_of_another_implementation() {
    for size in 0..=130 {
        same_as_another(size, 0..=size);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn r139_any_tree_has_the_roots_and_proofs_of_another_implementation(
        size in 0_u64..=4096, olds in prop::collection::vec(0.0..=1.0_f64, 40),
    ) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
            reason = "of 4096 at most")]
        same_as_another(size, olds.into_iter().map(|part| (part * size as f64) as u64));
    }
}

/// A proof as everybody who alters one could send it.
fn altered(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = Vec::new();
    for at in 0..proof.len() {
        for byte in [0, 17, 31] {
            let mut other = proof.to_vec();
            other[at][byte] ^= 1;
            all.push(other);
        }
        let mut other = proof.to_vec();
        other.remove(at);
        all.push(other);
        let mut other = proof.to_vec();
        other.insert(at, [7; 32]);
        all.push(other);
        let mut other = proof.to_vec();
        other.swap(at, proof.len() - 1);
        all.push(other);
    }
    all.push([proof, &[[7; 32]]].concat());
    all.push([proof, &[EMPTY_ROOT]].concat());
    all.retain(|other| other != proof);
    all
}

#[test]
fn r139_no_altered_proof_is_taken() {
    for size in [1, 2, 3, 5, 8, 13, 64, 65, 100] {
        let nodes = Stored::with_leaves(size).all();
        let new_root = root(size, &nodes).unwrap();
        let mut flipped = new_root;
        flipped[31] ^= 1;
        for index in 0..size {
            let leaf = leaf_hash(&leaf(index));
            let proof = inclusion_proof(index, size, &nodes).unwrap();
            for other in altered(&proof) {
                assert!(
                    !verify_inclusion(index, size, &leaf, &other, &new_root),
                    "{index} of {size}: {other:x?}"
                );
            }
            assert!(!verify_inclusion(index, size, &leaf, &proof, &flipped));
            assert!((0..size).all(|at| at == index || !verify_inclusion(at, size, &leaf, &proof, &new_root)));
            assert!(!verify_inclusion(size, size, &leaf, &proof, &new_root));
        }
        for old in 1..=size {
            let old_root = root(old, &nodes).unwrap();
            let proof = consistency_proof(old, size, &nodes).unwrap();
            for other in altered(&proof) {
                assert!(
                    !verify_consistency(old, &old_root, size, &new_root, &other),
                    "{old} of {size}: {other:x?}"
                );
            }
            let mut other = old_root;
            other[0] ^= 1;
            assert!(!verify_consistency(old, &other, size, &new_root, &proof));
            assert!(!verify_consistency(old, &old_root, size, &flipped, &proof));
            assert!(old == size || !verify_consistency(size, &new_root, old, &old_root, &proof), "backwards");
        }
    }
}

#[test]
fn r139_a_tree_with_another_past_is_consistent_with_none_of_it() {
    for size in [2, 3, 7, 8, 33] {
        let nodes = Stored::with_leaves(size).all();
        for changed in 0..size {
            let mut fork = Stored::default();
            fork.append((0..size).map(|number| {
                leaf_hash(&if number == changed { b"another".to_vec() } else { leaf(number) })
            }));
            let fork = fork.all();
            for old in changed + 1..=size {
                let old_root = root(old, &nodes).unwrap();
                let proof = consistency_proof(old, size, &fork).unwrap();
                assert!(!verify_consistency(old, &old_root, size, &root(size, &fork).unwrap(), &proof));
            }
            for old in 1..=changed {
                let old_root = root(old, &nodes).unwrap();
                let proof = consistency_proof(old, size, &fork).unwrap();
                assert!(verify_consistency(old, &old_root, size, &root(size, &fork).unwrap(), &proof));
            }
        }
    }
}

#[test]
fn there_is_no_proof_of_what_is_not_there() {
    let nodes = Stored::with_leaves(9).all();
    assert_eq!(inclusion_proof(9, 9, &nodes), None);
    assert_eq!(inclusion_proof(0, 0, &nodes), None);
    assert_eq!(consistency_proof(9, 8, &nodes), None);
    assert_eq!(root(10, &nodes), None);
    assert_eq!(Frontier::at(11, &nodes), None);
    assert_eq!(nodes_for_inclusion(9, 9), []);
    assert_eq!(nodes_for_consistency(2, 1), []);
    assert_eq!(consistency_proof(0, 9, &nodes), Some(Vec::new()));
    assert!(!verify_consistency(0, &[1; 32], 9, &root(9, &nodes).unwrap(), &[]));
    assert!(!verify_consistency(0, &[1; 32], 0, &[1; 32], &[]));
    assert!(verify_consistency(0, &EMPTY_ROOT, 0, &EMPTY_ROOT, &[]));
}

/// Nodes that write down what is looked up, of a tree as great as 64 bits count.
struct Anything(std::cell::RefCell<Vec<(u8, u64)>>);

impl Nodes for Anything {
    fn get(&self, level: u8, index: u64) -> Option<Hash> {
        self.0.borrow_mut().push((level, index));
        Some(node_hash(&[level; 32], &[index.to_be_bytes()[7]; 32]))
    }
}

#[test]
fn the_lists_of_nodes_name_what_is_looked_up_at_any_size() {
    let sorted = |mut nodes: Vec<(u8, u64)>| {
        nodes.sort_unstable();
        nodes
    };
    for size in [1, 2, 255, 256, 257, 65_536, 70_000, u64::MAX / 3, u64::MAX - 1, u64::MAX] {
        for at in [0, 1, size / 3, size / 2, size - 1] {
            let anything = Anything(std::cell::RefCell::default());
            let _ = root(size, &anything);
            assert_eq!(sorted(anything.0.take()), sorted(nodes_for_root(size)));
            let _ = inclusion_proof(at, size, &anything);
            assert_eq!(sorted(anything.0.take()), sorted(nodes_for_inclusion(at, size)));
            let _ = consistency_proof(at, size, &anything);
            assert_eq!(sorted(anything.0.take()), sorted(nodes_for_consistency(at, size)));
            let _ = verify_inclusion(at, size, &[0; 32], &[[1; 32]; 64], &[2; 32]);
            let _ = verify_consistency(at, &[0; 32], size, &[3; 32], &[[1; 32]; 64]);
        }
    }
}
