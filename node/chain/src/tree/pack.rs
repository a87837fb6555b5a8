//! The touched nodes of an update, cut into new versions of pages.
//!
//! Nodes go into a page in pre-order. Where a branch belongs to a deeper stripe it becomes a page of its own
//! and leaves a link; where an old subtree of the same page is not touched, its nodes are copied as they are.

use std::{collections::HashMap, sync::Arc};

use rustorium_types::id::Height;

use super::{
    key::{Prefix, path},
    page::{NODES, Node, Page, PageId, stripe_depth},
    update::{Child, New, Old, Update},
};

/// Packs updates of one height.
pub(super) struct Packer<'a> {
    pub(super) update: &'a Update<'a>,
    pub(super) height: Height,
    /// The new pages; all of this height.
    pub(super) pages: HashMap<Prefix, Arc<Page>>,
}

impl Packer<'_> {
    /// Packs a tree; answers what leads to it: a leaf or a link.
    pub(super) fn root(&mut self, root: Child) -> Option<Node> {
        let mut nodes = Vec::with_capacity(1);
        self.place(root, None, &mut nodes);
        nodes.pop()
    }

    /// Appends a subtree to a page that begins at a depth; to none yet if that is `None`.
    fn place(&mut self, child: Child, depth: Option<u8>, out: &mut Vec<Node>) {
        match child {
            Child::Old(at) => self.place_old(at, depth, out),
            Child::New(index) => match self.update.new[index as usize] {
                New::Leaf { key, hash, .. } => out.push(Node::Leaf { key, hash }),
                New::Branch { bit, key, left, right, hash, .. } => {
                    let own = stripe_depth(bit);
                    if depth != Some(own) {
                        let page = self.page(child, Prefix::of(&key, own));
                        return out.push(Node::Link { page, hash });
                    }
                    let branch = out.len();
                    out.push(Node::Branch { bit, path: path(&key, own, bit), right: 0, hash });
                    self.place(left, depth, out);
                    let behind_left = out.len() as u8;
                    if let Node::Branch { right, .. } = &mut out[branch] {
                        *right = behind_left;
                    }
                    self.place(right, depth, out);
                }
            },
        }
    }

    fn place_old(&mut self, at: Old, depth: Option<u8>, out: &mut Vec<Node>) {
        let page = &self.update.old[at.page as usize];
        let node = *self.update.node(at);
        if !matches!(node, Node::Branch { .. }) {
            return out.push(node);
        }
        if depth != Some(page.prefix.depth()) {
            // What was above it in its page has collapsed.
            let id = self.page(Child::Old(at), page.prefix);
            return out.push(Node::Link { page: id, hash: node.hash() });
        }
        let start = usize::from(at.node);
        let target = out.len();
        out.extend(page.subtree(start).iter().map(|node| match *node {
            Node::Branch { bit, path, right, hash } => {
                Node::Branch { bit, path, right: (usize::from(right) - start + target) as u8, hash }
            }
            other => other,
        }));
    }

    /// Makes a page of a branch and what belongs to its stripe.
    fn page(&mut self, branch: Child, prefix: Prefix) -> PageId {
        let mut nodes = Vec::with_capacity(NODES);
        self.place(branch, Some(prefix.depth()), &mut nodes);
        self.pages.insert(prefix, Arc::new(Page { prefix, nodes: nodes.into() }));
        PageId { prefix, height: self.height }
    }
}
