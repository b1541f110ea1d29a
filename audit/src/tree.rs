//! Roots and proofs, made from the roots of complete subtrees (RFC 6962 §2.1).
//!
//! Node `(level, index)` is the root of the complete subtree of `2^level` leaves that begins with leaf
//! `index * 2^level`: `(0, i)` is leaf `i`. All that a tree of any size is asked for is made of those, and they never
//! change again.

use std::collections::BTreeMap;

use crate::hash::{EMPTY_ROOT, Hash, node_hash};

/// Where the roots of complete subtrees are looked up.
pub trait Nodes {
    /// The root of the complete subtree of `2^level` leaves, the `index`-th of its level; `None`: it is not known here.
    fn get(&self, level: u8, index: u64) -> Option<Hash>;
}

impl Nodes for BTreeMap<(u8, u64), Hash> {
    fn get(&self, level: u8, index: u64) -> Option<Hash> {
        BTreeMap::get(self, &(level, index)).copied()
    }
}

/// The root of the tree of the first `size` leaves; `None` where a node is missing.
#[must_use]
pub fn root(size: u64, nodes: &impl Nodes) -> Option<Hash> {
    if size == 0 { Some(EMPTY_ROOT) } else { Range { from: 0, to: size }.root(nodes) }
}

/// The proof that leaf `index` is in the tree of the first `size` leaves (RFC 6962 §2.1.1); `None` where there is no such
/// leaf, or a node is missing.
#[must_use]
pub fn inclusion_proof(index: u64, size: u64, nodes: &impl Nodes) -> Option<Vec<Hash>> {
    ranges_for_inclusion(index, size)?.iter().map(|range| range.root(nodes)).collect()
}

/// The proof that the tree of the first `new` leaves goes on from that of the first `old` (RFC 6962 §2.1.2): empty for an
/// `old` of 0 and for equal ones; `None` where `old` is the greater, or a node is missing.
#[must_use]
pub fn consistency_proof(old: u64, new: u64, nodes: &impl Nodes) -> Option<Vec<Hash>> {
    ranges_for_consistency(old, new)?.iter().map(|range| range.root(nodes)).collect()
}

/// The nodes that [`root`] looks up.
#[must_use]
pub fn nodes_for_root(size: u64) -> Vec<(u8, u64)> {
    Range { from: 0, to: size }.nodes()
}

/// The nodes that [`inclusion_proof`] looks up; none where there is no such leaf.
#[must_use]
pub fn nodes_for_inclusion(index: u64, size: u64) -> Vec<(u8, u64)> {
    ranges_for_inclusion(index, size).unwrap_or_default().iter().flat_map(|range| range.nodes()).collect()
}

/// The nodes that [`consistency_proof`] looks up; none where `old` is the greater.
#[must_use]
pub fn nodes_for_consistency(old: u64, new: u64) -> Vec<(u8, u64)> {
    ranges_for_consistency(old, new).unwrap_or_default().iter().flat_map(|range| range.nodes()).collect()
}

/// The leaves of a subtree: `from` is a multiple of the least power of two that is not less than their number.
#[derive(Clone, Copy)]
struct Range {
    from: u64,
    to: u64,
}

impl Range {
    /// Its two subtrees: the left one is the greatest complete one that leaves something for the right one.
    fn split(self) -> (Self, Self) {
        let Self { from, to } = self;
        let half = 1 << (to - from - 1).ilog2();
        (Self { from, to: from + half }, Self { from: from + half, to })
    }

    /// Its complete subtrees, from left to right: those of its length's binary digits.
    fn nodes(self) -> Vec<(u8, u64)> {
        let mut from = self.from;
        let mut nodes = Vec::new();
        while from < self.to {
            let level = (self.to - from).ilog2();
            nodes.push((u8::try_from(level).expect("64 bits have no more levels"), from >> level));
            from += 1 << level;
        }
        nodes
    }

    fn root(self, nodes: &impl Nodes) -> Option<Hash> {
        let mut subtrees = self.nodes().into_iter().rev();
        let (level, index) = subtrees.next()?;
        let last = nodes.get(level, index)?;
        subtrees.try_fold(last, |right, (level, index)| Some(node_hash(&nodes.get(level, index)?, &right)))
    }
}

/// The subtrees beside the way from the leaf to the root, from below.
fn ranges_for_inclusion(index: u64, size: u64) -> Option<Vec<Range>> {
    if index >= size {
        return None;
    }
    let mut range = Range { from: 0, to: size };
    let mut ranges = Vec::new();
    while range.to - range.from > 1 {
        let (left, right) = range.split();
        let (on, beside) = if index < left.to { (left, right) } else { (right, left) };
        ranges.push(beside);
        range = on;
    }
    ranges.reverse();
    Some(ranges)
}

/// The subtrees that make both roots, from below; the first is left out where it is the whole old tree.
fn ranges_for_consistency(old: u64, new: u64) -> Option<Vec<Range>> {
    if old > new {
        return None;
    }
    if old == 0 || old == new {
        return Some(Vec::new());
    }
    let mut range = Range { from: 0, to: new };
    let mut ranges = Vec::new();
    while range.to != old {
        let (left, right) = range.split();
        let (on, beside) = if old <= left.to { (left, right) } else { (right, left) };
        ranges.push(beside);
        range = on;
    }
    if range.from > 0 {
        ranges.push(range);
    }
    ranges.reverse();
    Some(ranges)
}
