//! The state tree of a chain: every entry of every contract under one root, for each of the heights kept.
//!
//! Its hashes are [`rustorium_types::tree`]'s; here is how it is kept. Nodes live in immutable
//! [pages](page::Page) that name the height which wrote them, so a version of the tree is nothing but its root,
//! versions share what did not change, and reading an old one is reading the newest one. A batch of changes
//! goes through three steps:
//!
//! ```text
//! sorted batch ──update──► touched nodes ──rehash──► their hashes ──pack──► new versions of pages
//! ```
//!
//! Nothing here knows of a database: pages come from a [`Pages`], and an update is returned, not applied.

use std::{collections::HashMap, sync::Arc};

use rustorium_runtime::{StateKey, Writes};
use rustorium_types::{
    field::Field,
    id::{Hash, Height},
    tree::KeyDigest,
};

use crate::storage::StoreError;

pub(crate) mod delta;
pub(crate) mod key;
mod pack;
pub(crate) mod page;
pub(crate) mod path;
#[cfg(test)]
pub(crate) mod plain;
mod update;

use key::Prefix;
use page::{Node, Page, PageId};

/// Where pages come from.
pub(crate) trait Pages {
    /// The page of that version, which exists if anything links to it.
    fn page(&self, id: &PageId) -> Result<Arc<Page>, StoreError>;
}

/// The next version of the tree.
#[derive(Clone, Debug)]
pub(crate) struct TreeUpdate {
    height: Height,
    root: Option<Node>,
    pages: HashMap<Prefix, Arc<Page>>,
    freed: Vec<PageId>,
    keys: Vec<(KeyDigest, StateKey)>,
}

impl TreeUpdate {
    /// Applies the writes of a height to the tree of a root.
    pub(crate) fn new(
        pages: &dyn Pages,
        root: Option<Node>,
        height: Height,
        writes: &Writes,
    ) -> Result<Self, StoreError> {
        let mut changes: Vec<_> = writes.iter().map(|(key, value)| (key::digest(key), key, value)).collect();
        changes.sort_unstable_by_key(|(digest, ..)| *digest);
        let batch: Vec<_> =
            changes.iter().map(|(key, _, value)| update::Change { key: *key, value: value.as_deref() }).collect();
        let mut update = update::Update::new(pages);
        let top = update.run(root, &batch)?;
        update.rehash();
        let mut packer = pack::Packer { update: &update, height, pages: HashMap::new() };
        let root = top.and_then(|top| packer.root(top));
        let (pages, freed) = (packer.pages, update.freed);
        let is_new = |digest: &KeyDigest| update.replaced.binary_search(digest).is_err();
        let keys = changes
            .into_iter()
            .filter(|(digest, _, value)| value.is_some() && is_new(digest))
            .map(|(digest, key, _)| (digest, key.clone()))
            .collect();
        Ok(Self { height, root, pages, freed, keys })
    }

    /// The height whose state this is.
    pub(crate) const fn height(&self) -> Height {
        self.height
    }

    /// The root of the state: a canonical BN254 scalar, big-endian.
    pub(crate) fn root(&self) -> Hash {
        root_hash(self.root.as_ref())
    }

    /// What leads to the tree: a leaf, a link, or nothing.
    pub(crate) const fn top(&self) -> Option<Node> {
        self.root
    }

    /// The new pages.
    pub(crate) const fn pages(&self) -> &HashMap<Prefix, Arc<Page>> {
        &self.pages
    }

    /// The pages that only older versions use.
    pub(crate) fn freed(&self) -> &[PageId] {
        &self.freed
    }

    /// The keys that this update added to the tree, in order of their digests.
    pub(crate) fn keys(&self) -> &[(KeyDigest, StateKey)] {
        &self.keys
    }

    /// The key of a digest, if this update added it.
    pub(crate) fn key(&self, digest: &KeyDigest) -> Option<&StateKey> {
        let at = self.keys.binary_search_by(|(written, _)| written.cmp(digest)).ok()?;
        Some(&self.keys[at].1)
    }
}

/// The root of the tree that a node leads to; 0 if there is none.
pub(crate) fn root_hash(top: Option<&Node>) -> Hash {
    top.map_or(Field::ZERO, Node::hash).into()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use bytes::Bytes;
    use proptest::prelude::*;
    use rustorium_types::tree::{LeafContent, TreeProof};

    use super::{path::Path, *};
    use crate::snapshot::proofs::tree_proof;

    /// Versions of a tree in memory, whose keys are digests: tests choose where entries are.
    #[derive(Default)]
    struct History {
        pages: HashMap<PageId, Arc<Page>>,
        tops: Vec<Option<Node>>,
        states: Vec<BTreeMap<KeyDigest, Vec<u8>>>,
    }

    impl Pages for History {
        fn page(&self, id: &PageId) -> Result<Arc<Page>, StoreError> {
            self.pages.get(id).cloned().ok_or(StoreError::damaged("a page"))
        }
    }

    type Batch = BTreeMap<KeyDigest, Option<Vec<u8>>>;

    impl History {
        fn apply(&mut self, batch: &Batch) {
            let height = Height(self.tops.len() as u64);
            let changes: Vec<_> =
                batch.iter().map(|(key, value)| update::Change { key: *key, value: value.as_deref() }).collect();
            let top = self.tops.last().copied().flatten();
            let (top, pages, freed) = {
                let mut update = update::Update::new(self);
                let new_top = update.run(top, &changes).unwrap();
                update.rehash();
                let mut packer = pack::Packer { update: &update, height, pages: HashMap::new() };
                let top = new_top.and_then(|top| packer.root(top));
                (top, packer.pages, update.freed)
            };
            let mut state = self.states.last().cloned().unwrap_or_default();
            for (key, value) in batch {
                match value {
                    Some(value) => state.insert(*key, value.clone()),
                    None => state.remove(key),
                };
            }
            let distinct: BTreeSet<_> = freed.iter().collect();
            assert_eq!(distinct.len(), freed.len(), "a page is freed once");
            let before = self.reachable(self.tops.last().copied().flatten());
            for (prefix, page) in pages {
                let decoded = Page::decode(prefix, &page.encode()).unwrap();
                assert_eq!(decoded, *page, "pages survive the database");
                self.pages.insert(PageId { prefix, height }, page);
            }
            let after = self.reachable(top);
            let superseded: BTreeSet<_> = before.difference(&after).collect();
            assert_eq!(superseded, distinct, "what is freed is what the new version does not use");
            self.tops.push(top);
            self.states.push(state);
        }

        fn reachable(&self, top: Option<Node>) -> BTreeSet<PageId> {
            let mut pages = BTreeSet::new();
            let mut nodes: Vec<_> = top.into_iter().collect();
            while let Some(node) = nodes.pop() {
                if let Node::Link { page, .. } = node {
                    pages.insert(page);
                    nodes.extend(self.page(&page).unwrap().nodes.iter());
                }
            }
            pages
        }

        fn root(&self, height: usize) -> Hash {
            root_hash(self.tops[height].as_ref())
        }

        fn prove(&self, height: usize, key: &KeyDigest) -> TreeProof {
            let path = Path::find(self, self.tops[height], key).unwrap();
            tree_proof(path, key, |other| Ok(Bytes::from(self.states[height][other].clone()))).unwrap()
        }
    }

    /// Few keys that share prefixes of all lengths, so that branches split, skip stripes and collapse.
    fn any_key() -> impl Strategy<Value = KeyDigest> {
        let bits = prop_oneof![0..16_u8, 0..248_u8, Just(247_u8)];
        prop_oneof![
            3 => proptest::collection::vec(bits, 0..3).prop_map(|bits| {
                let mut key = [0; 31];
                bits.iter().for_each(|bit| key[usize::from(bit / 8)] |= 0x80 >> (bit % 8));
                key
            }),
            1 => any::<KeyDigest>(),
        ]
    }

    fn any_batch() -> impl Strategy<Value = Batch> {
        let value = proptest::option::weighted(0.6, proptest::collection::vec(any::<u8>(), 0..100));
        proptest::collection::btree_map(any_key(), value, 0..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn every_version_is_the_plain_tree(batches in proptest::collection::vec(any_batch(), 1..10), others in proptest::collection::vec(any_key(), 6)) {
            let mut history = History::default();
            for batch in &batches {
                history.apply(batch);
            }
            let touched: BTreeSet<_> = batches.iter().flat_map(|batch| batch.keys()).chain(&others).collect();
            for (height, state) in history.states.iter().enumerate() {
                let root = history.root(height);
                prop_assert_eq!(root, plain::root(state), "height {}", height);
                for key in &touched {
                    let value = state.get(*key).map(Vec::as_slice);
                    let proof = history.prove(height, key);
                    prop_assert_eq!(proof.verify_digest(root, key, value), Ok(()));
                    let opposite: Option<&[u8]> = if value.is_some() { None } else { Some(b"") };
                    prop_assert!(proof.verify_digest(root, key, opposite).is_err());
                }
            }
        }

        #[test]
        fn the_root_does_not_depend_on_grouping(batch in any_batch(), cut in any::<proptest::sample::Index>()) {
            let mut whole = History::default();
            whole.apply(&batch);
            let mut grouped = History::default();
            let keys: Vec<_> = batch.keys().copied().collect();
            let at = cut.index(keys.len() + 1);
            let part = |keys: &[KeyDigest]| keys.iter().map(|key| (*key, batch[key].clone())).collect::<Batch>();
            grouped.apply(&part(&keys[at..]));
            grouped.apply(&part(&keys[..at]));
            prop_assert_eq!(whole.root(0), grouped.root(1));
        }

        #[test]
        fn absence_is_not_forged_from_another_leaf(batch in any_batch()) {
            let mut history = History::default();
            history.apply(&batch);
            let state = &history.states[0];
            for key in state.keys() {
                let TreeProof::Present { path } = history.prove(0, key) else { panic!("it is there") };
                for (other, value) in state {
                    let forged = TreeProof::Absent { path: path.clone(), key: *other, content: LeafContent::of(value) };
                    prop_assert!(forged.verify_digest(history.root(0), key, None).is_err());
                }
            }
        }
    }

    #[test]
    fn what_changes_nothing_writes_nothing() {
        let mut history = History::default();
        let keys: Vec<KeyDigest> = (0..200_u8).map(|byte| [byte; 31]).collect();
        history.apply(&keys.iter().map(|key| (*key, Some(vec![1]))).collect());
        let pages = history.pages.len();
        let mut near = [7; 31];
        near[30] = 8;
        history.apply(&Batch::from([([201; 31], None), (near, None)]));
        assert_eq!(history.pages.len(), pages);
        assert_eq!(history.tops[0], history.tops[1]);
        history.apply(&Batch::from([([7; 31], Some(vec![2]))]));
        assert!(history.pages.len() - pages <= 2, "one path of two stripes");
        history.apply(&keys.iter().map(|key| (*key, None)).collect());
        assert_eq!((history.root(3), history.tops[3]), (Hash::ZERO, None));
    }
}
