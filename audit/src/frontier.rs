//! A tree that only grows, of which no more is kept than its root needs.

use crate::hash::{EMPTY_ROOT, Hash, node_hash};
use crate::tree::{Nodes, nodes_for_root};

/// The roots of the complete subtrees that a tree consists of, 64 at most.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Frontier {
    size: u64,
    /// From left to right: the greatest first.
    roots: Vec<Hash>,
}

impl Frontier {
    /// The tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree of the first `size` leaves; `None` where a node of [`nodes_for_root`] is missing.
    #[must_use]
    pub fn at(size: u64, nodes: &impl Nodes) -> Option<Self> {
        let roots = nodes_for_root(size).into_iter().map(|(level, index)| nodes.get(level, index));
        Some(Self { size, roots: roots.collect::<Option<_>>()? })
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            let left = self.roots.pop().expect("there is a root for each binary digit of the size");
            hash = node_hash(&left, &hash);
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// How many leaves there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root of all of them.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut roots = self.roots.iter().rev();
        let Some(last) = roots.next() else { return EMPTY_ROOT };
        roots.fold(*last, |right, left| node_hash(left, &right))
    }
}
