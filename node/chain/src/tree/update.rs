//! A batch of changes against a tree: which nodes the new version has, before any of them is hashed.
//!
//! The sorted batch descends with the tree, divided at every branch, so each node is met once whatever the
//! number of changes below it. What is not touched stays a reference into an old page. The touched nodes are
//! gathered in an arena, children before parents, each with its rank (the longest way down to a touched leaf),
//! so that [`Update::rehash`] hashes them rank by rank in batches.
//!
//! Invariants: a subtree that nothing in the batch changes is answered as the very reference it was, so its
//! pages are not written again; a branch with one child left collapses into that child; a superseded page is
//! in `freed` exactly once.

use std::sync::Arc;

use rustorium_types::{
    field::Field,
    tree::{KEY_BITS, KeyDigest, branch_hashes, key_bit, leaf_hashes},
};

use super::{
    Pages,
    key::{Prefix, common},
    page::{Node, Page, PageId},
};
use crate::storage::StoreError;

/// What becomes of a key: its value, or `None` where it is removed.
pub(super) struct Change<'a> {
    pub(super) key: KeyDigest,
    pub(super) value: Option<&'a [u8]>,
}

/// A subtree of the new version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Child {
    /// A touched node, by its index in the arena.
    New(u32),
    /// A node of an old page, with everything below it.
    Old(Old),
}

/// A node of one of the pages that the update looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Old {
    pub(super) page: u32,
    pub(super) node: u8,
}

/// A touched node.
pub(super) enum New<'a> {
    Leaf {
        key: KeyDigest,
        value: &'a [u8],
        hash: Field,
    },
    Branch {
        bit: u8,
        /// Any key whose first `bit` bits are those of all keys below.
        key: KeyDigest,
        left: Child,
        right: Child,
        rank: u8,
        hash: Field,
    },
}

/// The state of an update.
pub(super) struct Update<'a> {
    source: &'a dyn Pages,
    /// The pages that were looked at; the first holds nothing but the old root.
    pub(super) old: Vec<Arc<Page>>,
    /// The touched nodes.
    pub(super) new: Vec<New<'a>>,
    /// Pages of which the new version makes no use.
    pub(super) freed: Vec<PageId>,
    /// Keys of the batch that had a leaf; rising.
    pub(super) replaced: Vec<KeyDigest>,
}

impl<'a> Update<'a> {
    pub(super) fn new(source: &'a dyn Pages) -> Self {
        Self { source, old: Vec::new(), new: Vec::new(), freed: Vec::new(), replaced: Vec::new() }
    }

    /// Applies the batch, sorted by key and each key once, to the tree of a root.
    pub(super) fn run(&mut self, root: Option<Node>, batch: &'a [Change<'a>]) -> Result<Option<Child>, StoreError> {
        let Some(root) = root else { return Ok(self.build(batch, None)) };
        self.old.push(Arc::new(Page { prefix: Prefix::ROOT, nodes: Box::new([root]) }));
        self.change(Old { page: 0, node: 0 }, batch)
    }

    /// The node that a reference names.
    pub(super) fn node(&self, at: Old) -> &Node {
        &self.old[at.page as usize].nodes[usize::from(at.node)]
    }

    fn change(&mut self, at: Old, batch: &'a [Change<'a>]) -> Result<Option<Child>, StoreError> {
        if batch.is_empty() {
            return Ok(Some(Child::Old(at)));
        }
        match *self.node(at) {
            Node::Leaf { key, .. } => {
                let replaced = batch.binary_search_by(|change| change.key.cmp(&key)).is_ok();
                if replaced {
                    self.replaced.push(key);
                }
                Ok(self.build(batch, (!replaced).then_some((key, at))))
            }
            Node::Link { page: id, .. } => {
                let top = Old { page: self.old.len() as u32, node: 0 };
                self.old.push(self.source.page(&id)?);
                let changed = self.change(top, batch)?;
                if changed == Some(Child::Old(top)) {
                    return Ok(Some(Child::Old(at)));
                }
                self.freed.push(id);
                Ok(changed)
            }
            Node::Branch { bit, path, right, .. } => self.change_branch(at, bit, path, right, batch),
        }
    }

    fn change_branch(
        &mut self,
        at: Old,
        bit: u8,
        path: u8,
        right: u8,
        batch: &'a [Change<'a>],
    ) -> Result<Option<Child>, StoreError> {
        let prefix = self.old[at.page as usize].branch_prefix(bit, path);
        let (first, last) = (&batch[0].key, &batch[batch.len() - 1].key);
        let shared = common(first, &prefix).min(common(last, &prefix)).min(bit);
        if shared < bit {
            // Some keys leave above this branch.
            let (zeros, ones) = divide(batch, shared);
            let below_right = key_bit(&prefix, shared);
            let (same, other) = if below_right { (ones, zeros) } else { (zeros, ones) };
            let same = self.change(at, same)?;
            let other = self.build(other, None);
            let (left, right) = if below_right { (other, same) } else { (same, other) };
            return Ok(self.branch(shared, *first, left, right));
        }
        let (left, right) = (Old { node: at.node + 1, ..at }, Old { node: right, ..at });
        let (zeros, ones) = divide(batch, bit);
        let new_left = self.change(left, zeros)?;
        let new_right = self.change(right, ones)?;
        if new_left == Some(Child::Old(left)) && new_right == Some(Child::Old(right)) {
            return Ok(Some(Child::Old(at)));
        }
        Ok(self.branch(bit, *first, new_left, new_right))
    }

    /// The tree of a batch where there was nothing but, perhaps, the leaf `kept`, whose key is not in the batch.
    fn build(&mut self, batch: &'a [Change<'a>], kept: Option<(KeyDigest, Old)>) -> Option<Child> {
        let (first, last) = match (batch, kept) {
            ([], kept) => return kept.map(|(_, at)| Child::Old(at)),
            ([only], None) => {
                let value = only.value?;
                return Some(self.push(New::Leaf { key: only.key, value, hash: Field::ZERO }));
            }
            ([first, .., last], None) => (first.key, last.key),
            ([first, ..], Some((key, _))) => (first.key.min(key), batch[batch.len() - 1].key.max(key)),
        };
        let at = common(&first, &last);
        debug_assert!(at < KEY_BITS, "keys are distinct");
        let (zeros, ones) = divide(batch, at);
        let left = self.build(zeros, kept.filter(|(key, _)| !key_bit(key, at)));
        let right = self.build(ones, kept.filter(|(key, _)| key_bit(key, at)));
        self.branch(at, first, left, right)
    }

    /// A branch, or what is left of it.
    fn branch(&mut self, bit: u8, key: KeyDigest, left: Option<Child>, right: Option<Child>) -> Option<Child> {
        let (Some(left), Some(right)) = (left, right) else { return left.or(right) };
        let rank = 1 + self.rank(left).max(self.rank(right));
        Some(self.push(New::Branch { bit, key, left, right, rank, hash: Field::ZERO }))
    }

    fn rank(&self, child: Child) -> u8 {
        match child {
            Child::New(index) => match self.new[index as usize] {
                New::Branch { rank, .. } => rank,
                New::Leaf { .. } => 0,
            },
            Child::Old(_) => 0,
        }
    }

    fn push(&mut self, node: New<'a>) -> Child {
        self.new.push(node);
        Child::New(self.new.len() as u32 - 1)
    }

    /// The hash of a subtree whose nodes are hashed.
    pub(super) fn hash(&self, child: Child) -> Field {
        match child {
            Child::New(index) => match self.new[index as usize] {
                New::Branch { hash, .. } | New::Leaf { hash, .. } => hash,
            },
            Child::Old(at) => self.node(at).hash(),
        }
    }

    /// Hashes the touched nodes: all leaves, then all branches of rank 1, of rank 2, and so on. Within a rank
    /// no hash depends on another.
    pub(super) fn rehash(&mut self) {
        let mut leaves = Vec::new();
        let mut ranks: Vec<Vec<u32>> = Vec::new();
        for (index, node) in (0..).zip(&self.new) {
            let rank = match node {
                New::Leaf { .. } => {
                    leaves.push(index);
                    continue;
                }
                New::Branch { rank, .. } => usize::from(*rank) - 1,
            };
            if ranks.len() <= rank {
                ranks.resize_with(rank + 1, Vec::new);
            }
            ranks[rank].push(index);
        }
        let entries: Vec<_> = leaves.iter().filter_map(|&index| self.entry(index)).collect();
        self.set_hashes(&leaves, leaf_hashes(&entries));
        for rank in ranks {
            let branches: Vec<_> = rank.iter().filter_map(|&index| self.branches(index)).collect();
            self.set_hashes(&rank, branch_hashes(&branches));
        }
    }

    fn entry(&self, leaf: u32) -> Option<(KeyDigest, &'a [u8])> {
        match self.new[leaf as usize] {
            New::Leaf { key, value, .. } => Some((key, value)),
            New::Branch { .. } => None,
        }
    }

    fn branches(&self, branch: u32) -> Option<(u8, Field, Field)> {
        match self.new[branch as usize] {
            New::Branch { bit, left, right, .. } => Some((bit, self.hash(left), self.hash(right))),
            New::Leaf { .. } => None,
        }
    }

    fn set_hashes(&mut self, nodes: &[u32], hashes: Vec<Field>) {
        for (index, computed) in nodes.iter().zip(hashes) {
            match &mut self.new[*index as usize] {
                New::Leaf { hash, .. } | New::Branch { hash, .. } => *hash = computed,
            }
        }
    }
}

/// The part of a batch whose keys have a 0 at the bit, and the part with a 1. They agree in all bits before it.
fn divide<'a>(batch: &'a [Change<'a>], at: u8) -> (&'a [Change<'a>], &'a [Change<'a>]) {
    batch.split_at(batch.partition_point(|change| !key_bit(&change.key, at)))
}
