//! Blocks into the database: several in one transaction, and what no kept height uses any more out of it.
//!
//! Of an entry or a page that several of the blocks write, the newest version is stored, and what each of them
//! replaced goes into the row of its height (`undo.rs`). Once a height is the oldest that is kept its row serves
//! nobody, and goes in the same transaction as new blocks come. So a commit removes about as much as it adds, and
//! nothing is ever searched for.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use redb::{ReadableTable, WriteTransaction};
use rustorium_runtime::{StateKey, Writes};
use rustorium_types::{
    id::Height,
    tree::{KeyDigest, key_digest},
};

use super::{
    diagnostics,
    error::StoreError,
    layer::Layer,
    rows,
    schema::{
        ACCOUNT_INDEX, BODIES, DIAGNOSTICS, EVENT_INDEX, EVENTS, FIELD_INDEX, HEADER_INDEX, HEADERS, KEYS, META,
        META_HEIGHT, META_OLDEST, PAGES, RECEIPTS, RESULT_TREE, RESULTS, ROOTS, StoredValue, TX_INDEX, UNDO_PAGES,
        UNDO_VALUES, UNDONE, VALUES, ValueKey, short,
    },
    undo::{self, ValueUndo, Version},
};
use crate::tree::{
    Pages, TreeUpdate,
    key::Prefix,
    page::{Node, Page, PageId},
};

/// Heights of undo rows removed for each height added, at the most: a window made smaller is reached step by step.
const SWEPT_PER_BLOCK: u64 = 4;

/// Writes blocks, consecutive and following the newest height of the database. `pages` has the tree's pages before
/// each of them.
pub(crate) fn write_blocks<'a>(
    transaction: &WriteTransaction,
    pages: &dyn Pages,
    layers: impl Iterator<Item = &'a Layer> + Clone,
) -> Result<(), StoreError> {
    write_values(transaction, layers.clone().map(|layer| (layer.height(), &*layer.writes)))?;
    write_trees(transaction, pages, layers.clone().map(|layer| &layer.tree))?;
    write_bodies(transaction, layers.clone())?;
    write_outcomes(transaction, layers.clone())?;
    write_indexes(transaction, layers.clone())?;
    if let Some(newest) = layers.last() {
        set_height(transaction, META_HEIGHT, newest.height())?;
    }
    Ok(())
}

/// Notes a height in `meta`.
pub(crate) fn set_height(transaction: &WriteTransaction, name: &str, height: Height) -> Result<(), StoreError> {
    transaction.open_table(META)?.insert(name, height.0.to_le_bytes().as_slice())?;
    Ok(())
}

/// Writes the values of heights, rising, and what they replaced.
pub(crate) fn write_values<'a>(
    transaction: &WriteTransaction,
    blocks: impl Iterator<Item = (Height, &'a Writes)>,
) -> Result<(), StoreError> {
    let mut values = transaction.open_table(VALUES)?;
    let mut undo_values = transaction.open_table(UNDO_VALUES)?;
    let mut newest: BTreeMap<&StateKey, Version<&[u8]>> = BTreeMap::new();
    for (height, writes) in blocks {
        let mut undo = Vec::with_capacity(writes.len());
        for (key, value) in writes {
            let row = |before| {
                let undo = ValueUndo { contract: key.contract, key: &key.key, is_removed: value.is_none(), before };
                borsh::to_vec(&undo).unwrap_or_default()
            };
            undo.push(match newest.insert(key, (height, value.as_deref())) {
                Some(before) => row(Some(before)),
                None => match values.get((&key.contract.0, key.key.as_ref()))? {
                    Some(stored) => {
                        let (height, value) = stored.value();
                        row(Some((Height(height), value)))
                    }
                    None => row(None),
                },
            });
        }
        undo_values.insert(height.0, rows::pack(undo).as_slice())?;
    }
    for (key, (height, value)) in newest {
        values.insert((&key.contract.0, key.key.as_ref()), (height.0, value))?;
    }
    Ok(())
}

/// Writes the trees of heights, rising, and what they replaced. `before` has the pages that they replace.
pub(crate) fn write_trees<'a>(
    transaction: &WriteTransaction,
    before: &dyn Pages,
    trees: impl Iterator<Item = &'a TreeUpdate>,
) -> Result<(), StoreError> {
    let mut keys = transaction.open_table(KEYS)?;
    let mut pages = transaction.open_table(PAGES)?;
    let mut undo_pages = transaction.open_table(UNDO_PAGES)?;
    let mut newest: BTreeMap<Prefix, (Height, &'a Arc<Page>)> = BTreeMap::new();
    for tree in trees {
        let height = tree.height();
        for (digest, key) in tree.keys() {
            keys.insert(digest, (&key.contract.0, key.key.as_ref()))?;
        }
        let freed: HashMap<Prefix, &PageId> = tree.freed().iter().map(|page| (page.prefix, page)).collect();
        let mut undo = BTreeMap::new();
        for (prefix, page) in tree.pages() {
            let row = match (newest.insert(*prefix, (height, page)), freed.get(prefix)) {
                (Some((height, older)), _) => undo::page_undo(page, Some((height, older))),
                (None, Some(id)) => undo::page_undo(page, Some((id.height, &*before.page(id)?))),
                // There may have been one long ago.
                (None, None) => match pages.get(prefix.to_bytes().as_slice())? {
                    Some(stored) => {
                        let (height, row) = stored.value();
                        let older = Page::decode(*prefix, row).ok_or(StoreError::damaged("a page"))?;
                        undo::page_undo(page, Some((Height(height), &older)))
                    }
                    None => undo::page_undo(page, None),
                },
            };
            undo.insert(*prefix, row);
        }
        for page in tree.freed().iter().filter(|page| !tree.pages().contains_key(&page.prefix)) {
            undo.insert(page.prefix, undo::page_dropped(page));
        }
        undo_pages.insert(height.0, rows::pack(undo.values()).as_slice())?;
        write_root(transaction, height, tree.top().as_ref())?;
    }
    for (prefix, (height, page)) in newest {
        pages.insert(prefix.to_bytes().as_slice(), (height.0, page.encode().as_slice()))?;
    }
    Ok(())
}

/// Writes what leads to the tree of a height.
pub(crate) fn write_root(transaction: &WriteTransaction, height: Height, top: Option<&Node>) -> Result<(), StoreError> {
    let mut row = Vec::new();
    if let Some(node) = top {
        node.encode(&mut row);
    }
    transaction.open_table(ROOTS)?.insert(height.0, row.as_slice())?;
    Ok(())
}

fn write_bodies<'a>(transaction: &WriteTransaction, layers: impl Iterator<Item = &'a Layer>) -> Result<(), StoreError> {
    let mut headers = transaction.open_table(HEADERS)?;
    let mut header_index = transaction.open_table(HEADER_INDEX)?;
    let mut bodies = transaction.open_table(BODIES)?;
    for layer in layers {
        let (height, block) = (layer.height().0, &layer.block);
        let header = borsh::to_vec(&(&block.sealed.header, block.sealed.certificate.as_ref())).unwrap_or_default();
        headers.insert(height, header.as_slice())?;
        header_index.insert(&short(&block.sealed.hash), height)?;
        let numbers: Vec<u8> = block.transactions.iter().flat_map(|number| number.to_le_bytes()).collect();
        let items = block.records.iter().map(AsRef::as_ref).chain([numbers.as_slice()]);
        bodies.insert(height, rows::pack(items).as_slice())?;
    }
    Ok(())
}

fn write_outcomes<'a>(
    transaction: &WriteTransaction,
    layers: impl Iterator<Item = &'a Layer>,
) -> Result<(), StoreError> {
    let mut receipts = transaction.open_table(RECEIPTS)?;
    let mut events = transaction.open_table(EVENTS)?;
    let mut diagnostics = transaction.open_table(DIAGNOSTICS)?;
    let mut results = transaction.open_table(RESULTS)?;
    let mut result_tree = transaction.open_table(RESULT_TREE)?;
    let mut undone = transaction.open_table(UNDONE)?;
    for layer in layers {
        let (height, block) = (layer.height().0, &layer.block);
        if let Some(to) = layer.reverted_to {
            undone.insert(height, to.0)?;
        }
        let packed = |items: Vec<Vec<u8>>| rows::pack(items);
        let row = block.receipts.iter().map(|receipt| borsh::to_vec(receipt).unwrap_or_default()).collect();
        receipts.insert(height, packed(row).as_slice())?;
        if !block.events.is_empty() {
            let row = block.events.iter().map(|event| borsh::to_vec(event).unwrap_or_default()).collect();
            events.insert(height, packed(row).as_slice())?;
        }
        if !block.diagnostics.is_empty() {
            diagnostics.insert(height, diagnostics::encode(&block.diagnostics).as_slice())?;
        }
        results.insert(height, borsh::to_vec(&layer.result).unwrap_or_default().as_slice())?;
        for (node, hash) in &layer.result_nodes {
            result_tree.insert((node.level, node.index), &hash.0)?;
        }
    }
    Ok(())
}

fn write_indexes<'a>(
    transaction: &WriteTransaction,
    layers: impl Iterator<Item = &'a Layer>,
) -> Result<(), StoreError> {
    let mut event_index = transaction.open_table(EVENT_INDEX)?;
    let mut field_index = transaction.open_table(FIELD_INDEX)?;
    let mut account_index = transaction.open_table(ACCOUNT_INDEX)?;
    let mut tx_index = transaction.open_table(TX_INDEX)?;
    for layer in layers {
        let height = layer.height().0;
        for (topic, places) in &layer.index.events {
            let place = |(transaction, event): &(u32, u32)| [transaction.to_le_bytes(), event.to_le_bytes()].concat();
            let row: Vec<u8> = places.iter().flat_map(place).collect();
            event_index.insert((topic, height), row.as_slice())?;
        }
        for (topic, places) in &layer.index.fields {
            for (transaction, event) in places {
                field_index.insert((topic, height, *transaction, *event), ())?;
            }
        }
        for (account, index) in &layer.index.accounts {
            account_index.insert((&account.0, height, *index), ())?;
        }
        for (hash, index) in &layer.transactions {
            tx_index.insert(&short(hash), (height, *index))?;
        }
    }
    Ok(())
}

/// Removes what only heights below `wanted` use, as far as `blocks` new ones pay for; answers the oldest height
/// whose state is still whole.
pub(crate) fn sweep(
    transaction: &WriteTransaction,
    oldest: Height,
    wanted: Height,
    blocks: u64,
) -> Result<Height, StoreError> {
    let reached = wanted.0.min(oldest.0 + SWEPT_PER_BLOCK * blocks);
    if reached <= oldest.0 {
        return Ok(oldest);
    }
    let (mut values, mut keys) = (transaction.open_table(VALUES)?, transaction.open_table(KEYS)?);
    for row in transaction.open_table(UNDO_VALUES)?.extract_from_if(..=reached, |_, _| true)? {
        let (height, row) = row?;
        for (key, _) in undo::written(row.value())?.into_iter().filter(|(_, is_removed)| *is_removed) {
            sweep_entry(&mut values, &mut keys, &key, height.value())?;
        }
    }
    let mut pages = transaction.open_table(PAGES)?;
    for row in transaction.open_table(UNDO_PAGES)?.extract_from_if(..=reached, |_, _| true)? {
        for page in undo::dropped(row?.1.value())? {
            let prefix = page.prefix.to_bytes();
            let is_newest = pages.get(prefix.as_slice())?.is_some_and(|stored| stored.value().0 == page.height.0);
            if is_newest {
                pages.remove(prefix.as_slice())?;
            }
        }
    }
    let mut roots = transaction.open_table(ROOTS)?;
    for height in oldest.0..reached {
        roots.remove(height)?;
    }
    set_height(transaction, META_OLDEST, Height(reached))?;
    Ok(Height(reached))
}

/// Removes what stands for an entry that a height removed, unless it was written again.
fn sweep_entry(
    values: &mut redb::Table<'_, ValueKey, StoredValue>,
    keys: &mut redb::Table<'_, &'static KeyDigest, (&'static [u8; 32], &'static [u8])>,
    key: &StateKey,
    height: u64,
) -> Result<(), StoreError> {
    let entry = (&key.contract.0, key.key.as_ref());
    let is_newest = values.get(entry)?.is_some_and(|stored| stored.value().0 == height);
    if is_newest {
        values.remove(entry)?;
        keys.remove(&key_digest(key.contract, &key.key))?;
    }
    Ok(())
}
