//! Merkle trees over bytes: RFC 6962 (section 2.1) with blake3, under a domain.
//!
//! Records, receipts, events and block results are committed by these; state has a tree of its own
//! ([`tree`](crate::tree)).
//!
//! ```text
//! leaf     blake3(tree domain │ 0 │ entry)
//! branch   blake3(tree domain │ 1 │ left 32 │ right 32)
//! root     of n > 1 leaves: branch(root of the first k, root of the rest), k the largest power of 2 below n
//!          of one leaf: the leaf; of none: blake3(tree domain)
//! ```
//!
//! So a tree of n leaves consists of one perfect subtree, a *peak*, for each bit of n, joined from the right,
//! and appending never changes a perfect subtree: [`Accumulator`] keeps the peaks alone.

use alloc::vec::Vec;

use crate::{
    hash::{Domain, hash},
    id::Hash,
};

pub mod accumulator;
pub mod inclusion;

pub use accumulator::{Accumulator, Node};
pub use inclusion::{InclusionError, InclusionProof};

/// The hash of an entry.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    hash(Domain::Tree, &[&[0], entry])
}

/// The hash of two subtrees.
pub fn branch_hash(left: &Hash, right: &Hash) -> Hash {
    hash(Domain::Tree, &[&[1], &left.0, &right.0])
}

/// The root of the tree without leaves.
pub fn empty_root() -> Hash {
    hash(Domain::Tree, &[])
}

/// The root over entries.
///
/// # Example
///
/// ```
/// use rustorium_types::merkle::{branch_hash, leaf_hash, root};
///
/// let (a, b) = (leaf_hash(b"a"), leaf_hash(b"b"));
/// assert_eq!(root(["a", "b"]), branch_hash(&a, &b));
/// ```
pub fn root(entries: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Hash {
    let mut tree = Accumulator::default();
    for entry in entries {
        tree.push(leaf_hash(entry.as_ref()));
    }
    tree.root()
}

/// Proves one of the entries whose leaves these are; `None` if there is no such leaf.
pub fn prove(leaves: &[Hash], index: u64) -> Option<InclusionProof> {
    let mut levels: Vec<Vec<Hash>> = Vec::from([leaves.to_vec()]);
    while let Some(below) = levels.last().filter(|level| level.len() > 1) {
        let level = below.chunks_exact(2).map(|pair| branch_hash(&pair[0], &pair[1])).collect();
        levels.push(level);
    }
    let node = |node: Node| levels.get(usize::from(node.level))?.get(usize::try_from(node.index).ok()?).copied();
    InclusionProof::build(index, leaves.len() as u64, node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_keep_leaves_and_branches_apart() {
        let (a, b) = (leaf_hash(b"a"), leaf_hash(b"b"));
        let mut joined = Vec::from(a.0);
        joined.extend(b.0);
        assert_ne!(leaf_hash(&joined), branch_hash(&a, &b));
        assert_eq!(root([b""; 0]), empty_root());
        assert_ne!(root([b""]), empty_root());
    }
}
