//! Pages: subtrees of the state tree, each one row of the database and one unit of the page cache.
//!
//! The tree is cut into stripes of [`STRIPE`] bits. A page holds the branches of one stripe under one prefix,
//! with the leaves that hang from them; what is deeper is a link to another page. A page is immutable: a block
//! that changes one makes a new version of its own height, and links name the version they mean, so an old root
//! leads to the old pages. Of each page the newest version is stored as it is, the ones before it as differences
//! ([`super::delta`]).
//!
//! ```text
//! nodes in pre-order: a branch, its left subtree, its right subtree
//! branch   0 │ bit │ path: bits from the page's depth to `bit`, left-aligned │ hash 32
//! leaf     1 │ key 31 │ hash 32
//! link     2 │ length of the prefix │ prefix │ height, 8 little-endian │ hash 32
//! ```
//!
//! Hashes are canonical BN254 scalars, big-endian. Invariants: a page holds 1 to 63 nodes; the bits of a path
//! rise; a link leads to a page of a deeper stripe. Pages are derived from the values and can be rebuilt.

use rustorium_types::{field::Field, id::Height, tree::KeyDigest};

use super::key::Prefix;

/// Bits of a stripe: at 10⁶ entries a page of the lowest full stripe has about 30 leaves and 3 KB, and an update
/// rewrites fewer than two pages of its own.
pub(crate) const STRIPE: u8 = 5;

/// Nodes of a page at the most: a full binary tree of [`STRIPE`] levels with what hangs from it.
pub(crate) const NODES: usize = (1 << (STRIPE + 1)) - 1;

/// The depth at which the page of a branch begins.
pub(crate) const fn stripe_depth(bit: u8) -> u8 {
    bit / STRIPE * STRIPE
}

/// One version of one page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PageId {
    /// Which subtree.
    pub(crate) prefix: Prefix,
    /// The block that wrote it.
    pub(crate) height: Height,
}

/// A node in a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// Two subtrees that differ at `bit`. The left one is the next node of the page.
    Branch {
        /// The first bit in which the keys below differ.
        bit: u8,
        /// The bits from the page's depth to `bit`, left-aligned.
        path: u8,
        /// The index of the right child.
        right: u8,
        /// Its hash.
        hash: Field,
    },
    /// An entry.
    Leaf {
        /// Its place.
        key: KeyDigest,
        /// Its hash.
        hash: Field,
    },
    /// A subtree that is a page of its own.
    Link {
        /// Which version of which page.
        page: PageId,
        /// The hash of its first node.
        hash: Field,
    },
}

impl Node {
    /// The hash of the subtree.
    pub(crate) const fn hash(&self) -> Field {
        match self {
            Self::Branch { hash, .. } | Self::Leaf { hash, .. } | Self::Link { hash, .. } => *hash,
        }
    }

    /// Appends the encoding.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Branch { bit, path, .. } => out.extend_from_slice(&[0, *bit, *path]),
            Self::Leaf { key, .. } => {
                out.push(1);
                out.extend_from_slice(key);
            }
            Self::Link { page, .. } => {
                let prefix = page.prefix.to_bytes();
                out.extend_from_slice(&[2, prefix.len() as u8]);
                out.extend_from_slice(&prefix);
                out.extend_from_slice(&page.height.0.to_le_bytes());
            }
        }
        out.extend_from_slice(&self.hash().to_be_bytes());
    }

    /// Takes one encoding off the front of `bytes`; `None` if there is none. Where the right child of a branch is,
    /// the page knows.
    pub(crate) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let [kind] = take(bytes)?;
        match kind {
            0 => {
                let [bit, path] = take(bytes)?;
                Some(Self::Branch { bit, path, right: 0, hash: take_hash(bytes)? })
            }
            1 => Some(Self::Leaf { key: take(bytes)?, hash: take_hash(bytes)? }),
            2 => {
                let [length] = take(bytes)?;
                let (prefix, rest) = bytes.split_at_checked(usize::from(length))?;
                *bytes = rest;
                let height = Height(u64::from_le_bytes(take(bytes)?));
                let page = PageId { prefix: Prefix::from_bytes(prefix)?, height };
                Some(Self::Link { page, hash: take_hash(bytes)? })
            }
            _ => None,
        }
    }
}

pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

pub(super) fn take_hash(bytes: &mut &[u8]) -> Option<Field> {
    Field::from_be_bytes(&take(bytes)?).ok()
}

/// A subtree of one stripe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Which subtree.
    pub(crate) prefix: Prefix,
    /// Its nodes in pre-order; never empty.
    pub(crate) nodes: Box<[Node]>,
}

impl Page {
    /// The bytes of the row.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.nodes.len() * 64);
        self.nodes.iter().for_each(|node| node.encode(&mut out));
        out
    }

    /// Reads a row; `None` if it is not what [`Page::encode`] writes.
    pub(crate) fn decode(prefix: Prefix, mut bytes: &[u8]) -> Option<Self> {
        let mut nodes = Vec::with_capacity(bytes.len() / 35);
        while !bytes.is_empty() {
            if nodes.len() == NODES {
                return None;
            }
            nodes.push(Node::decode(&mut bytes)?);
        }
        Self::of(prefix, nodes)
    }

    /// A page of nodes in pre-order, wherever their branches think that right children are; `None` if they are not a
    /// page of this prefix.
    pub(crate) fn of(prefix: Prefix, nodes: Vec<Node>) -> Option<Self> {
        let mut page = Self { prefix, nodes: nodes.into() };
        (page.shape(0, prefix.depth())? == page.nodes.len()).then_some(page)
    }

    /// The prefix of all keys under a branch of this page, zeros behind.
    pub(crate) fn branch_prefix(&self, bit: u8, path: u8) -> KeyDigest {
        self.prefix.extended(path, bit - self.prefix.depth())
    }

    /// The nodes of the subtree at an index.
    pub(crate) fn subtree(&self, index: usize) -> &[Node] {
        let mut last = index;
        while let Some(Node::Branch { right, .. }) = self.nodes.get(last) {
            last = usize::from(*right);
        }
        &self.nodes[index..=last]
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.nodes)
    }

    /// Checks the shape of the subtree at `index`, whose branches have bits of at least `from`, and finds their right
    /// children; answers the index behind it.
    fn shape(&mut self, index: usize, from: u8) -> Option<usize> {
        match *self.nodes.get(index)? {
            Node::Leaf { .. } => Some(index + 1),
            Node::Link { page, .. } => (page.prefix.depth() >= self.prefix.depth() + STRIPE).then_some(index + 1),
            Node::Branch { bit, .. } => {
                if bit < from || stripe_depth(bit) != self.prefix.depth() {
                    return None;
                }
                let behind_left = self.shape(index + 1, bit + 1)?;
                if let Node::Branch { right, .. } = &mut self.nodes[index] {
                    *right = u8::try_from(behind_left).ok()?;
                }
                self.shape(behind_left, bit + 1)
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn page() -> Page {
        let prefix = Prefix::of(&[0xa5; 31], 10);
        let link = PageId { prefix: Prefix::of(&[0xa5; 31], 20), height: Height(7) };
        Page {
            prefix,
            nodes: Box::new([
                Node::Branch { bit: 11, path: 0x80, right: 2, hash: Field::from_u64(1) },
                Node::Leaf { key: [0xa5; 31], hash: Field::from_u64(2) },
                Node::Branch { bit: 14, path: 0xf0, right: 4, hash: Field::from_u64(3) },
                Node::Link { page: link, hash: Field::from_u64(4) },
                Node::Leaf { key: [0xa6; 31], hash: Field::from_u64(5) },
            ]),
        }
    }

    #[test]
    fn rows_round_trip() {
        let page = page();
        assert_eq!(Page::decode(page.prefix, &page.encode()).unwrap(), page);
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = page().encode();
        for length in 0..bytes.len() {
            assert_eq!(Page::decode(page().prefix, &bytes[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn misshapen_pages_are_refused() {
        let spoil = |index: usize, node: Node| {
            let mut page = page();
            page.nodes[index] = node;
            Page::decode(page.prefix, &page.encode())
        };
        let hash = Field::from_u64(1);
        assert_eq!(spoil(0, Node::Branch { bit: 15, path: 0, right: 2, hash }), None, "of another stripe");
        assert_eq!(spoil(2, Node::Branch { bit: 11, path: 0, right: 4, hash }), None, "bits do not rise");
        let near = PageId { prefix: Prefix::of(&[0; 31], 10), height: Height(1) };
        assert_eq!(spoil(3, Node::Link { page: near, hash }), None, "a link that does not lead down");
    }
}
