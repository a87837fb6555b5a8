//! What a page was before: an older version as the difference to the newer one that took its place.
//!
//! Versions of a page mostly differ in the hashes on the way to a few leaves. Both are walked in pre-order:
//!
//! ```text
//! same       0 │ count                          so many nodes are as in the newer version
//! touched    1 │ height of a link, 8 │ hash 32  the next node, with this hash
//! replaced   2 │ nodes here │ nodes before │ …  instead of so many nodes of the newer version, these
//! ```

use rustorium_types::{field::Field, id::Height};

use super::page::{NODES, Node, Page, PageId, take, take_hash};

const SAME: u8 = 0;
const TOUCHED: u8 = 1;
const REPLACED: u8 = 2;

/// The difference that makes the older of two versions out of the newer one.
pub(crate) fn before(newer: &Page, older: &Page) -> Vec<u8> {
    let mut walk = Walk { newer, older, same: 0, out: Vec::with_capacity(256) };
    walk.subtrees(0, 0);
    walk.flush();
    walk.out
}

/// Makes the older version; `None` if the difference is not to this one.
pub(crate) fn apply(newer: &Page, mut delta: &[u8]) -> Option<Page> {
    let mut nodes = Vec::with_capacity(NODES);
    let mut rest = &*newer.nodes;
    while !delta.is_empty() {
        match take(&mut delta)? {
            [SAME] => {
                let [count] = take(&mut delta)?;
                let (same, behind) = rest.split_at_checked(usize::from(count))?;
                nodes.extend_from_slice(same);
                rest = behind;
            }
            [TOUCHED] => {
                let (node, behind) = rest.split_first()?;
                nodes.push(touched(*node, &mut delta)?);
                rest = behind;
            }
            [REPLACED] => {
                let [here, count] = take(&mut delta)?;
                rest = rest.split_at_checked(usize::from(here))?.1;
                for _ in 0..count {
                    nodes.push(Node::decode(&mut delta)?);
                }
            }
            _ => return None,
        }
    }
    if rest.is_empty() { Page::of(newer.prefix, nodes) } else { None }
}

/// A node with the hash that it had, and of a link the version that it named.
fn touched(node: Node, delta: &mut &[u8]) -> Option<Node> {
    Some(match node {
        Node::Branch { bit, path, right, .. } => Node::Branch { bit, path, right, hash: take_hash(delta)? },
        Node::Leaf { key, .. } => Node::Leaf { key, hash: take_hash(delta)? },
        Node::Link { page, .. } => {
            let height = Height(u64::from_le_bytes(take(delta)?));
            Node::Link { page: PageId { height, ..page }, hash: take_hash(delta)? }
        }
    })
}

struct Walk<'a> {
    newer: &'a Page,
    older: &'a Page,
    /// Nodes that are the same and not written yet.
    same: u8,
    out: Vec<u8>,
}

impl Walk<'_> {
    /// Walks two subtrees that take each other's place; answers the indexes behind them.
    fn subtrees(&mut self, at: usize, was: usize) -> (usize, usize) {
        match (self.newer.nodes[at], self.older.nodes[was]) {
            (
                Node::Branch { bit, path, hash, .. },
                Node::Branch { bit: old_bit, path: old_path, hash: old_hash, .. },
            ) if (bit, path) == (old_bit, old_path) => {
                self.node(hash == old_hash, None, old_hash);
                let (at, was) = self.subtrees(at + 1, was + 1);
                self.subtrees(at, was)
            }
            (Node::Leaf { key, hash }, Node::Leaf { key: old_key, hash: old_hash }) if key == old_key => {
                self.node(hash == old_hash, None, old_hash);
                (at + 1, was + 1)
            }
            (Node::Link { page, hash }, Node::Link { page: old_page, hash: old_hash })
                if page.prefix == old_page.prefix =>
            {
                self.node(page == old_page && hash == old_hash, Some(old_page.height), old_hash);
                (at + 1, was + 1)
            }
            _ => {
                let (here, before) = (self.newer.subtree(at), self.older.subtree(was));
                self.flush();
                self.out.extend_from_slice(&[REPLACED, here.len() as u8, before.len() as u8]);
                before.iter().for_each(|node| node.encode(&mut self.out));
                (at + here.len(), was + before.len())
            }
        }
    }

    fn node(&mut self, is_same: bool, height: Option<Height>, hash: Field) {
        if is_same {
            self.same += 1;
            return;
        }
        self.flush();
        self.out.push(TOUCHED);
        if let Some(height) = height {
            self.out.extend_from_slice(&height.0.to_le_bytes());
        }
        self.out.extend_from_slice(&hash.to_be_bytes());
    }

    fn flush(&mut self) {
        if self.same > 0 {
            self.out.extend_from_slice(&[SAME, self.same]);
            self.same = 0;
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{super::key::Prefix, *};

    const PREFIX: Prefix = Prefix::ROOT;

    fn branch(bit: u8, path: u8, hash: u64) -> Node {
        Node::Branch { bit, path, right: 0, hash: Field::from_u64(hash) }
    }

    fn leaf(byte: u8, hash: u64) -> Node {
        Node::Leaf { key: [byte; 31], hash: Field::from_u64(hash) }
    }

    fn link(height: u64, hash: u64) -> Node {
        let page = PageId { prefix: Prefix::of(&[0xf0; 31], 5), height: Height(height) };
        Node::Link { page, hash: Field::from_u64(hash) }
    }

    fn page(nodes: &[Node]) -> Page {
        Page::of(PREFIX, nodes.to_vec()).unwrap()
    }

    #[test]
    fn the_older_version_comes_back() {
        let newer = page(&[branch(0, 0, 9), branch(2, 0, 8), leaf(0, 7), leaf(0x20, 6), link(4, 5)]);
        for (older, bytes) in [
            (page(&[branch(0, 0, 9), branch(2, 0, 8), leaf(0, 7), leaf(0x20, 6), link(4, 5)]), 2),
            (page(&[branch(0, 0, 1), branch(2, 0, 2), leaf(0, 3), leaf(0x20, 6), link(4, 5)]), 3 * 33 + 2),
            (page(&[branch(0, 0, 1), branch(2, 0, 8), leaf(0, 7), leaf(0x20, 6), link(3, 5)]), 33 + 2 + 41),
            (page(&[branch(0, 0, 1), leaf(0, 7), link(4, 5)]), 33 + 3 + 64 + 2),
            (page(&[link(2, 2)]), 3 + 50),
        ] {
            let delta = before(&newer, &older);
            assert_eq!(apply(&newer, &delta).unwrap(), older);
            assert!(delta.len() <= bytes, "{} bytes, not {bytes}", delta.len());
            let back = before(&older, &newer);
            assert_eq!(apply(&older, &back).unwrap(), newer);
            for length in 0..delta.len() {
                assert_ne!(apply(&newer, &delta[..length]).as_ref(), Some(&older), "{length} bytes");
            }
        }
    }
}
