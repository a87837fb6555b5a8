//! A tree that only grows, kept as its peaks.
//!
//! ```text
//! Accumulator   size 8 │ count 4 │ peaks, the largest first      one for each bit of the size
//! ```
//!
//! What appending completes is handed to whoever stores it, by place: [`Node`] (level, index) is the perfect
//! subtree over leaves `index · 2^level ..`, and never changes again. From the stored nodes any older root and
//! any proof can be made.

use alloc::vec::Vec;

use borsh::{
    BorshDeserialize, BorshSerialize,
    io::{Error, ErrorKind, Read, Result as IoResult},
};

use super::{branch_hash, empty_root};
use crate::id::Hash;

/// The place of a perfect subtree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Node {
    /// 0 is a leaf, and each level doubles.
    pub level: u8,
    /// From the left, among those of its level.
    pub index: u64,
}

/// An append-only tree, without its leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize)]
pub struct Accumulator {
    size: u64,
    /// One for each bit of `size`, the largest first.
    peaks: Vec<Hash>,
}

impl Accumulator {
    /// How many leaves there are.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The perfect subtrees, the largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.push_with(leaf, |_, _| ());
    }

    /// Appends a leaf and hands over each subtree that it completes, itself first.
    pub fn push_with(&mut self, leaf: Hash, mut store: impl FnMut(Node, Hash)) {
        let mut node = Node { level: 0, index: self.size };
        let mut hash = leaf;
        store(node, hash);
        // Each peak of the same height makes one of the next, as carries do in the size.
        while node.index & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            hash = branch_hash(&left, &hash);
            node = Node { level: node.level + 1, index: node.index >> 1 };
            store(node, hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Hash {
        let joined = self.peaks.iter().rev().copied().reduce(|right, left| branch_hash(&left, &right));
        joined.unwrap_or_else(empty_root)
    }

    /// The tree over the first `size` leaves, from stored nodes; `None` if one of them is missing.
    pub fn at(size: u64, node: impl Fn(Node) -> Option<Hash>) -> Option<Self> {
        peak_nodes(0, size).map(node).collect::<Option<Vec<_>>>().map(|peaks| Self { size, peaks })
    }
}

/// The perfect subtrees over leaves `from..to`, the largest first, where `from` is a multiple of the
/// largest's width.
pub(super) fn peak_nodes(from: u64, to: u64) -> impl Iterator<Item = Node> {
    let width = to - from;
    (0..64_u8).rev().filter(move |level| width >> level & 1 == 1).map(move |level| {
        // The bits of the width above this level are covered by larger peaks.
        let above = width >> level & !1;
        Node { level, index: (from >> level) + above }
    })
}

impl BorshDeserialize for Accumulator {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        let size = u64::deserialize_reader(reader)?;
        let peaks = Vec::<Hash>::deserialize_reader(reader)?;
        if peaks.len() != size.count_ones() as usize {
            return Err(Error::new(ErrorKind::InvalidData, "an accumulator has one peak for each bit of its size"));
        }
        Ok(Self { size, peaks })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use alloc::collections::BTreeMap;

    use super::*;
    use crate::merkle::leaf_hash;

    /// The root as RFC 6962 defines it.
    fn plain(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                branch_hash(&plain(left), &plain(right))
            }
        }
    }

    #[test]
    fn every_size_has_the_root_that_the_rfc_defines() {
        let leaves: Vec<Hash> = (0..130_u8).map(|entry| leaf_hash(&[entry])).collect();
        let mut stored = BTreeMap::new();
        let mut tree = Accumulator::default();
        for size in 0..leaves.len() {
            assert_eq!(tree.root(), plain(&leaves[..size]));
            assert_eq!(tree.size(), size as u64);
            assert_eq!(Accumulator::at(size as u64, |node| stored.get(&node).copied()), Some(tree.clone()));
            let bytes = borsh::to_vec(&tree).unwrap();
            assert_eq!(borsh::from_slice::<Accumulator>(&bytes).unwrap(), tree);
            tree.push_with(leaves[size], |node, hash| assert_eq!(stored.insert(node, hash), None));
        }
        for (node, hash) in &stored {
            let width = 1 << node.level;
            let start = node.index as usize * width;
            assert_eq!(*hash, plain(&leaves[start..start + width]));
        }
        assert_eq!(Accumulator::at(3, |_| None), None);
    }

    #[test]
    fn peaks_that_do_not_fit_the_size_are_refused() {
        let bytes = borsh::to_vec(&(3_u64, Vec::from([Hash::ZERO]))).unwrap();
        assert!(borsh::from_slice::<Accumulator>(&bytes).is_err());
    }
}
