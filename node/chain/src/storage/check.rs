//! The state tree made anew from the values: to check the one that is stored, or to replace it.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable};
use rustorium_runtime::{StateKey, Writes};
use rustorium_types::{
    id::{ContractId, Hash, Height},
    tree::KeyDigest,
};

use super::{
    Store, StoreError, commit, open,
    schema::{
        KEYS, META, META_OLDEST, META_PAGE_FORMAT, PAGE_FORMAT, PAGES, ROOTS, StoredValue, UNDO_PAGES, VALUES, ValueKey,
    },
};
use crate::{
    snapshot::Base,
    tree::{
        Pages, TreeUpdate,
        key::{Prefix, digest},
        page::{Node, Page, PageId},
        root_hash,
    },
};

type Values = ReadOnlyTable<ValueKey, StoredValue>;
type Keys = ReadOnlyTable<&'static KeyDigest, (&'static [u8; 32], &'static [u8])>;

/// Entries that are added to a tree at once.
const BATCH: usize = 20_000;

/// What a check found in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreCheck {
    /// The newest durable height, which was checked.
    pub height: Height,
    /// Entries of its state.
    pub entries: u64,
    /// Pages of its tree.
    pub pages: u64,
    /// The root of its state, as the values, the tree and the block's result agree.
    pub state_root: Hash,
}

impl Store {
    /// Checks the newest durable state: that the values hash to the recorded root, that the stored tree is theirs
    /// node by node, and that every entry's key is found by its digest.
    ///
    /// # Errors
    /// What is damaged, the first thing of it.
    pub fn check(&self) -> Result<StoreCheck, StoreError> {
        let snapshot = self.snapshot();
        let base = snapshot.base();
        let rebuilt = Rebuilt::new(&base.tables.values, &base.tables.keys, base.height)?;
        let top = base.top(base.height)?;
        let state_root = root_hash(top.as_ref());
        if root_hash(rebuilt.top.as_ref()) != state_root {
            return Err(StoreError::damaged("a value"));
        }
        let recorded = match base.height {
            Height::ZERO => crate::genesis::root(snapshot.genesis())?,
            height => snapshot.result(height)?.ok_or(StoreError::damaged("a result"))?.state_root,
        };
        if recorded != state_root {
            return Err(StoreError::damaged("a state root"));
        }
        let pages = rebuilt.compare(base, top.as_ref())?;
        Ok(StoreCheck { height: base.height, entries: rebuilt.entries, pages, state_root })
    }
}

/// Replaces the tree by one made from the values; older heights lose theirs.
pub(super) fn rebuild_pages(database: &Database, height: Height) -> Result<(), StoreError> {
    let read = database.begin_read()?;
    let rebuilt = Rebuilt::new(&read.open_table(VALUES)?, &read.open_table(KEYS)?, height)?;
    let transaction = open::begin(database)?;
    transaction.delete_table(PAGES)?;
    transaction.delete_table(UNDO_PAGES)?;
    transaction.delete_table(ROOTS)?;
    transaction.open_table(UNDO_PAGES)?;
    {
        let mut pages = transaction.open_table(PAGES)?;
        for (prefix, page) in &rebuilt.pages {
            pages.insert(prefix.to_bytes().as_slice(), (height.0, page.encode().as_slice()))?;
        }
    }
    commit::write_root(&transaction, height, rebuilt.top.as_ref())?;
    transaction.open_table(META)?.insert(META_PAGE_FORMAT, PAGE_FORMAT.to_le_bytes().as_slice())?;
    commit::set_height(&transaction, META_OLDEST, height)?;
    transaction.commit()?;
    Ok(())
}

/// The tree of the newest values.
struct Rebuilt {
    height: Height,
    top: Option<Node>,
    pages: HashMap<Prefix, Arc<Page>>,
    entries: u64,
}

impl Rebuilt {
    fn new(values: &Values, keys: &Keys, height: Height) -> Result<Self, StoreError> {
        let mut rebuilt = Self { height, top: None, pages: HashMap::new(), entries: 0 };
        let mut batch = Writes::new();
        for row in values.iter()? {
            let (key, value) = row?;
            let (contract, key) = key.value();
            let Some(value) = value.value().1 else { continue };
            let key = StateKey::new(ContractId(*contract), Bytes::copy_from_slice(key));
            check_key(keys, &key)?;
            rebuilt.entries += 1;
            batch.insert(key, Some(Bytes::copy_from_slice(value)));
            if batch.len() == BATCH {
                rebuilt.add(&std::mem::take(&mut batch))?;
            }
        }
        rebuilt.add(&batch)?;
        Ok(rebuilt)
    }

    fn add(&mut self, batch: &Writes) -> Result<(), StoreError> {
        let update = TreeUpdate::new(self, self.top, self.height, batch)?;
        for id in update.freed() {
            self.pages.remove(&id.prefix);
        }
        self.top = update.top();
        self.pages.extend(update.pages().iter().map(|(prefix, page)| (*prefix, page.clone())));
        Ok(())
    }

    /// Compares the stored tree with this one; answers how many pages it has.
    fn compare(&self, base: &Base, top: Option<&Node>) -> Result<u64, StoreError> {
        let mut links = Vec::new();
        if let (Some(stored), Some(own)) = (top, &self.top) {
            compare(stored, own, &mut links)?;
        }
        let mut pages = 0;
        while let Some(id) = links.pop() {
            let stored = base.page(&id)?;
            let own = self.pages.get(&id.prefix).filter(|own| own.nodes.len() == stored.nodes.len());
            let own = own.ok_or(StoreError::damaged("a page"))?;
            for (stored, own) in stored.nodes.iter().zip(&own.nodes) {
                compare(stored, own, &mut links)?;
            }
            pages += 1;
        }
        Ok(pages)
    }
}

/// Compares two nodes in everything but the heights of links, which are noted.
fn compare(stored: &Node, own: &Node, links: &mut Vec<PageId>) -> Result<(), StoreError> {
    match (stored, own) {
        (Node::Link { page, hash }, Node::Link { page: own, hash: own_hash })
            if page.prefix == own.prefix && hash == own_hash =>
        {
            links.push(*page);
            Ok(())
        }
        (Node::Link { .. }, _) => Err(StoreError::damaged("a page")),
        (stored, own) if stored == own => Ok(()),
        _ => Err(StoreError::damaged("a page")),
    }
}

fn check_key(keys: &Keys, key: &StateKey) -> Result<(), StoreError> {
    let row = keys.get(&digest(key))?;
    let is_right = row.is_some_and(|row| row.value() == (&key.contract.0, key.key.as_ref()));
    if is_right { Ok(()) } else { Err(StoreError::damaged("a key")) }
}

impl Pages for Rebuilt {
    fn page(&self, id: &PageId) -> Result<Arc<Page>, StoreError> {
        self.pages.get(&id.prefix).cloned().ok_or(StoreError::damaged("a page"))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use rustorium_types::id::AccountId;

    use super::{
        super::testing::{Content, block, genesis, options},
        *,
    };

    fn store(dir: &std::path::Path) -> Store {
        Store::open(dir, &genesis(), &options(8)).unwrap()
    }

    /// Three blocks over 300 entries: pages in several stripes.
    fn filled(dir: &std::path::Path) -> Store {
        let store = store(dir);
        for round in 0..3_u8 {
            let entry = |number: u16| {
                let key = StateKey::new(ContractId([7; 32]), number.to_be_bytes().to_vec());
                (key, Some(Bytes::from(vec![round; 3])))
            };
            let writes = (u16::from(round)..300).map(entry).collect();
            store.apply(block(&store.snapshot(), &Content { writes, transactions: Vec::new() })).unwrap();
        }
        store.commit().unwrap();
        store
    }

    #[test]
    fn pages_are_rebuilt_from_values() {
        let dir = tempfile::tempdir().unwrap();
        let filled = filled(dir.path());
        let before = filled.check().unwrap();
        assert_eq!((before.entries, before.height), (302, Height(3)));
        let transaction = open::begin(&filled.database).unwrap();
        transaction.open_table(META).unwrap().insert(META_PAGE_FORMAT, [0, 0].as_slice()).unwrap();
        transaction.delete_table(PAGES).unwrap();
        transaction.commit().unwrap();
        drop(filled);
        let store = store(dir.path());
        assert_eq!(store.check().unwrap(), before);
        assert_eq!(store.snapshot().retained(), Height(3)..=Height(3));
        let account = StateKey::account(AccountId([1; 32]));
        let (value, proof) = store.snapshot().prove(Height(3), &account).unwrap();
        proof.verify(before.state_root, account.contract, &account.key, value.as_deref()).unwrap();
        store.apply(block(&store.snapshot(), &Content::default())).unwrap();
        store.commit().unwrap();
        store.check().unwrap();
    }

    #[test]
    fn damage_is_found() {
        let damage = |spoil: &dyn Fn(&redb::WriteTransaction)| {
            let dir = tempfile::tempdir().unwrap();
            let filled = filled(dir.path());
            let transaction = open::begin(&filled.database).unwrap();
            spoil(&transaction);
            transaction.commit().unwrap();
            drop(filled);
            match store(dir.path()).check() {
                Err(StoreError::Damaged(what)) => what,
                other => panic!("expected damage, found {other:?}"),
            }
        };
        let entry = (&[7; 32], &[1_u8, 0][..]);
        let spoiled = (3, Some(&[9_u8][..]));
        assert_eq!(damage(&|on| drop(on.open_table(VALUES).unwrap().insert(entry, spoiled))), "a value");
        assert_eq!(damage(&|on| drop(on.open_table(KEYS).unwrap().pop_first())), "a key");
        let spoil_page = |on: &redb::WriteTransaction| {
            let mut pages = on.open_table(PAGES).unwrap();
            let (prefix, height, mut row) = {
                let (key, row) = pages.last().unwrap().unwrap();
                (key.value().to_vec(), row.value().0, row.value().1.to_vec())
            };
            // The last byte is part of a hash.
            *row.last_mut().unwrap() ^= 1;
            pages.insert(prefix.as_slice(), (height, row.as_slice())).unwrap();
        };
        assert_eq!(damage(&spoil_page), "a page");
    }
}
