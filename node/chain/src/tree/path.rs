//! The way from a root to a key: what a proof is made of.

use rustorium_types::tree::{KeyDigest, Step, key_bit};

use super::{
    Pages,
    page::{Node, Page},
};
use crate::storage::StoreError;

/// The branches on the way to a key, and the leaf where it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    /// From the root down.
    pub(crate) steps: Vec<Step>,
    /// The key of the leaf: the one looked for, or another if that is absent; `None` in an empty tree.
    pub(crate) leaf: Option<KeyDigest>,
}

impl Path {
    /// Goes the way of a key.
    pub(crate) fn find(pages: &dyn Pages, root: Option<Node>, key: &KeyDigest) -> Result<Self, StoreError> {
        let mut steps = Vec::new();
        let Some(mut node) = root else { return Ok(Self { steps, leaf: None }) };
        let mut place = None;
        loop {
            node = match node {
                Node::Leaf { key, .. } => return Ok(Self { steps, leaf: Some(key) }),
                Node::Link { page, .. } => {
                    let (page, index) = place.insert((pages.page(&page)?, 0));
                    node_at(page, *index)?
                }
                Node::Branch { bit, right, .. } => {
                    let Some((page, index)) = &mut place else { return Err(StoreError::damaged("a page")) };
                    let (left, right) = (*index + 1, usize::from(right));
                    let (taken, other) = if key_bit(key, bit) { (right, left) } else { (left, right) };
                    steps.push(Step { bit, sibling: node_at(page, other)?.hash() });
                    *index = taken;
                    node_at(page, taken)?
                }
            };
        }
    }
}

fn node_at(page: &Page, index: usize) -> Result<Node, StoreError> {
    page.nodes.get(index).copied().ok_or_else(|| StoreError::damaged("a page"))
}
