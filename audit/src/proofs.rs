//! How proofs are checked (RFC 9162 §2.1.3.2 and §2.1.4.2).

use crate::hash::{EMPTY_ROOT, Hash, node_hash};

/// Whether the proof shows that the leaf with this hash is number `index` of the `size` leaves under `root`.
#[must_use]
pub fn verify_inclusion(index: u64, size: u64, leaf: &Hash, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for beside in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(beside, &hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, beside);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Whether the proof shows that the first `old` of the `new` leaves under `new_root` are those under `old_root`.
#[must_use]
pub fn verify_consistency(old: u64, old_root: &Hash, new: u64, new_root: &Hash, proof: &[Hash]) -> bool {
    if old > new {
        return false;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root && (old > 0 || *old_root == EMPTY_ROOT);
    }
    if old == 0 {
        return proof.is_empty() && *old_root == EMPTY_ROOT;
    }
    // Where the old tree is complete it is its own first node.
    let (first, rest) =
        if old.is_power_of_two() { (Some(old_root), proof) } else { (proof.first(), rest(proof)) };
    let Some(first) = first else { return false };
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        (node, last) = (node >> 1, last >> 1);
    }
    let (mut of_old, mut of_new) = (*first, *first);
    for beside in rest {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            of_old = node_hash(beside, &of_old);
            of_new = node_hash(beside, &of_new);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            of_new = node_hash(&of_new, beside);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && of_old == *old_root && of_new == *new_root
}

fn rest(proof: &[Hash]) -> &[Hash] {
    proof.get(1..).unwrap_or_default()
}
