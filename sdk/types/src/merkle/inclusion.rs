//! Proofs that an entry is at a place of a tree: RFC 6962's audit paths, checked as RFC 9162 (section 2.1.3.2)
//! says.
//!
//! ```text
//! InclusionProof   index 8 │ size 8 │ count 4 │ siblings 32 each, from the leaf up
//! ```
//!
//! Index and size determine how many siblings there are and on which side each is. That the entry is in the
//! tree is proven whatever the size; *where* it is only if the size is known from elsewhere, as a header's
//! `state_height` is the size of its tree of results: the last of three leaves could pass for the second of two.

use alloc::vec::Vec;

use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

use super::{accumulator::Node, branch_hash};
use crate::id::Hash;

/// Where an entry is, and what its root is made of beside it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct InclusionProof {
    /// Which leaf, from 0.
    pub index: u64,
    /// How many leaves the tree has.
    pub size: u64,
    /// From the leaf up.
    pub siblings: Vec<Hash>,
}

/// Why a proof of inclusion proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InclusionError {
    /// There is no such place.
    #[error("index {index} is not in a tree of {size} leaves")]
    Index {
        /// Which was claimed.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// More or fewer siblings than this place has.
    #[error("the path has {found} siblings, not {expected}")]
    Length {
        /// How many there are.
        found: usize,
        /// How many belong there.
        expected: usize,
    },
    /// What the path hashes to is not the root.
    #[error("the path leads to root {found}, not to {expected}")]
    Root {
        /// What it leads to.
        found: Hash,
        /// The root that is trusted.
        expected: Hash,
    },
}

impl InclusionProof {
    /// Proves leaf `index` of the tree over the first `size` leaves, from its stored nodes; `None` if there is
    /// no such leaf or a node is missing.
    pub fn build(index: u64, size: u64, node: impl Fn(Node) -> Option<Hash>) -> Option<Self> {
        if index >= size {
            return None;
        }
        let siblings = sides(index, size).map(|side| match side {
            Side::Left(place) | Side::Right(place) => node(place),
            // A tree that is not perfect is joined from its own peaks.
            Side::Rest { from } => {
                let peaks: Option<Vec<_>> = super::accumulator::peak_nodes(from, size).map(&node).collect();
                peaks?.into_iter().rev().reduce(|right, left| branch_hash(&left, &right))
            }
        });
        Some(Self { index, size, siblings: siblings.collect::<Option<_>>()? })
    }

    /// Checks that the entry is at this place of the tree with this root. At most 64 hashes.
    ///
    /// # Errors
    ///
    /// Says which check failed.
    pub fn verify(&self, root: &Hash, entry: &[u8]) -> Result<(), InclusionError> {
        self.verify_leaf(root, super::leaf_hash(entry))
    }

    /// As [`verify`](Self::verify), for who has the leaf's hash.
    ///
    /// # Errors
    ///
    /// Says which check failed.
    pub fn verify_leaf(&self, root: &Hash, leaf: Hash) -> Result<(), InclusionError> {
        let (index, size) = (self.index, self.size);
        if index >= size {
            return Err(InclusionError::Index { index, size });
        }
        let (expected, found) = (sides(index, size).count(), self.siblings.len());
        if expected != found {
            return Err(InclusionError::Length { found, expected });
        }
        let found = sides(index, size).zip(&self.siblings).fold(leaf, |hash, (side, sibling)| match side {
            Side::Left(_) => branch_hash(sibling, &hash),
            Side::Right(_) | Side::Rest { .. } => branch_hash(&hash, sibling),
        });
        if found == *root { Ok(()) } else { Err(InclusionError::Root { found, expected: *root }) }
    }
}

/// A sibling on the way up.
enum Side {
    /// A perfect subtree on the left.
    Left(Node),
    /// A perfect subtree on the right.
    Right(Node),
    /// All leaves from here on: on the right, and not perfect.
    Rest { from: u64 },
}

/// The siblings of leaf `index` in a tree of `size` leaves, from the leaf up.
fn sides(index: u64, size: u64) -> impl Iterator<Item = Side> {
    let last = size - 1;
    (0..64_u8).filter_map(move |level| {
        let (place, end) = (index >> level, last >> level);
        let sibling = Node { level, index: place ^ 1 };
        if place & 1 == 1 {
            Some(Side::Left(sibling))
        } else if place == end {
            // At the right edge with nothing beside it: the leaf's subtree rises a level as it is.
            None
        } else if sibling.index < end || (sibling.index + 1) << level == size {
            Some(Side::Right(sibling))
        } else {
            Some(Side::Rest { from: sibling.index << level })
        }
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use alloc::collections::BTreeMap;

    use super::*;
    use crate::merkle::{Accumulator, leaf_hash, prove};

    /// PATH(m, D) as RFC 6962 defines it.
    fn plain(index: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() <= 1 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        let root = |leaves: &[Hash]| {
            let mut tree = Accumulator::default();
            leaves.iter().for_each(|leaf| tree.push(*leaf));
            tree.root()
        };
        let (mut path, sibling) = if index < left.len() {
            (plain(index, left), root(right))
        } else {
            (plain(index - left.len(), right), root(left))
        };
        path.push(sibling);
        path
    }

    #[test]
    fn every_leaf_of_every_size_is_proven() {
        let mut stored = BTreeMap::new();
        let mut tree = Accumulator::default();
        let mut leaves = Vec::new();
        for size in 1..=67_u8 {
            let leaf = leaf_hash(&[size - 1]);
            leaves.push(leaf);
            tree.push_with(leaf, |node, hash| {
                stored.insert(node, hash);
            });
            for index in 0..size {
                let proof =
                    InclusionProof::build(index.into(), size.into(), |node| stored.get(&node).copied()).unwrap();
                assert_eq!(proof.siblings, plain(index.into(), &leaves), "leaf {index} of {size}");
                assert_eq!(prove(&leaves, index.into()), Some(proof.clone()));
                assert_eq!(proof.verify(&tree.root(), &[index]), Ok(()));
                assert!(matches!(proof.verify(&tree.root(), &[size]), Err(InclusionError::Root { .. })));
            }
            assert_eq!(prove(&leaves, size.into()), None);
        }
    }

    #[test]
    fn altered_proofs_are_refused() {
        let leaves: Vec<Hash> = (0..13_u8).map(|entry| leaf_hash(&[entry])).collect();
        let mut tree = Accumulator::default();
        leaves.iter().for_each(|leaf| tree.push(*leaf));
        let root = tree.root();
        for index in 0..13_u8 {
            let proof = prove(&leaves, index.into()).unwrap();
            for other in (0..16).filter(|other| *other != u64::from(index)) {
                let altered = InclusionProof { index: other, ..proof.clone() };
                assert!(altered.verify(&root, &[index]).is_err(), "leaf {index} posing as {other}");
            }
            for sibling in 0..proof.siblings.len() {
                let mut altered = proof.clone();
                altered.siblings[sibling].0[0] ^= 1;
                assert!(matches!(altered.verify(&root, &[index]), Err(InclusionError::Root { .. })));
                altered.siblings.remove(sibling);
                assert!(matches!(altered.verify(&root, &[index]), Err(InclusionError::Length { .. })));
            }
            let longer = InclusionProof { siblings: alloc::vec![Hash::ZERO; 1_000], ..proof };
            assert!(matches!(longer.verify(&root, &[index]), Err(InclusionError::Length { found: 1_000, .. })));
        }
        let outside = InclusionProof { index: 0, size: 0, siblings: Vec::new() };
        assert_eq!(outside.verify(&root, &[0]), Err(InclusionError::Index { index: 0, size: 0 }));
    }
}
