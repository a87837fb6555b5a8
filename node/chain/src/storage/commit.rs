//! Blocks into the database: several in one transaction, and what no kept height uses any more out of it.
//!
//! What is written at height h and replaces something leaves a row in `garbage`: the keys that it wrote and the
//! pages that it superseded. Once h is the oldest kept height, versions of those keys from before h and those
//! pages serve nobody, and go in the same transaction as new blocks come. So a commit removes about as much as
//! it adds, and nothing is ever searched for.
//!
//! ```text
//! garbage   borsh ( [ (contract, storage key) ], [ (prefix, height) ] )
//! ```

use std::{collections::HashMap, sync::Arc};

use redb::{ReadableTable, Table, WriteTransaction};
use rustorium_runtime::{StateKey, Writes};
use rustorium_types::{
    id::{ContractId, Height},
    tree::{KeyDigest, key_digest},
};

use super::{
    diagnostics,
    error::StoreError,
    layer::Layer,
    rows,
    schema::{
        ACCOUNT_INDEX, BODIES, DIAGNOSTICS, EVENT_INDEX, EVENTS, FIELD_INDEX, GARBAGE, HEADER_INDEX, HEADERS, KEYS,
        META, META_HEIGHT, META_OLDEST, PAGES, RECEIPTS, RESULT_TREE, RESULTS, ROOTS, TX_INDEX, UNDONE, VALUES,
        ValueKey, short,
    },
};
use crate::tree::{
    TreeUpdate,
    key::Prefix,
    page::{Node, Page},
};

/// Heights of garbage removed for each height added, at the most: a window made smaller is reached step by step.
const SWEPT_PER_BLOCK: u64 = 4;

/// Keys that a height wrote, and pages that it superseded.
type Garbage = (Vec<(ContractId, Vec<u8>)>, Vec<(Vec<u8>, Height)>);

/// The keys that a height wrote, of its row in `garbage`.
pub(crate) fn written(row: &[u8]) -> Result<Vec<StateKey>, StoreError> {
    let (written, _): Garbage = borsh::from_slice(row).map_err(|_| StoreError::damaged("a list of garbage"))?;
    Ok(written.into_iter().map(|(contract, key)| StateKey::new(contract, key)).collect())
}

/// Writes blocks, consecutive and following the newest height of the database.
pub(crate) fn write_blocks<'a>(
    transaction: &WriteTransaction,
    layers: impl Iterator<Item = &'a Layer> + Clone,
) -> Result<(), StoreError> {
    for layer in layers.clone() {
        write_state(transaction, layer.height(), &layer.writes, &layer.tree)?;
    }
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

/// Writes the values and the tree of a height.
pub(crate) fn write_state(
    transaction: &WriteTransaction,
    height: Height,
    writes: &Writes,
    tree: &TreeUpdate,
) -> Result<(), StoreError> {
    let mut values = transaction.open_table(VALUES)?;
    for (key, value) in writes {
        values.insert((&key.contract.0, key.key.as_ref(), !height.0), value.as_deref())?;
    }
    let mut keys = transaction.open_table(KEYS)?;
    for (digest, key) in tree.keys() {
        keys.insert(digest, (&key.contract.0, key.key.as_ref()))?;
    }
    write_tree(transaction, height, tree.top().as_ref(), tree.pages())?;
    let written = writes.keys().map(|key| (key.contract, key.key.to_vec())).collect();
    let freed = tree.freed().iter().map(|page| (page.prefix.to_bytes(), page.height)).collect();
    let garbage: Garbage = (written, freed);
    let garbage = borsh::to_vec(&garbage).unwrap_or_default();
    transaction.open_table(GARBAGE)?.insert(height.0, garbage.as_slice())?;
    Ok(())
}

/// Writes the pages of a version of the tree, and what leads to them.
pub(crate) fn write_tree(
    transaction: &WriteTransaction,
    height: Height,
    top: Option<&Node>,
    pages: &HashMap<Prefix, Arc<Page>>,
) -> Result<(), StoreError> {
    let mut table = transaction.open_table(PAGES)?;
    let mut pages: Vec<_> = pages.iter().collect();
    pages.sort_unstable_by_key(|(prefix, _)| **prefix);
    for (prefix, page) in pages {
        table.insert((prefix.to_bytes().as_slice(), height.0), page.encode().as_slice())?;
    }
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
    let mut garbage = transaction.open_table(GARBAGE)?;
    let mut roots = transaction.open_table(ROOTS)?;
    let mut pages = transaction.open_table(PAGES)?;
    let mut values = transaction.open_table(VALUES)?;
    let mut keys = transaction.open_table(KEYS)?;
    for row in garbage.extract_from_if(..=reached, |_, _| true)? {
        let (height, row) = row?;
        let (written, freed): Garbage =
            borsh::from_slice(row.value()).map_err(|_| StoreError::damaged("a list of garbage"))?;
        for (contract, key) in written {
            sweep_versions(&mut values, &mut keys, contract, &key, Height(height.value()))?;
        }
        for (prefix, height) in freed {
            pages.remove((prefix.as_slice(), height.0))?;
        }
    }
    for height in oldest.0..reached {
        roots.remove(height)?;
    }
    set_height(transaction, META_OLDEST, Height(reached))?;
    Ok(Height(reached))
}

/// Removes the versions of an entry that its version of `height` replaced, and that one too if it says that
/// there is no such entry.
fn sweep_versions(
    values: &mut Table<'_, ValueKey, Option<&'static [u8]>>,
    keys: &mut Table<'_, &'static KeyDigest, (&'static [u8; 32], &'static [u8])>,
    contract: ContractId,
    key: &[u8],
    height: Height,
) -> Result<(), StoreError> {
    let mut replaced = Vec::new();
    let mut is_removed = false;
    for version in values.range((&contract.0, key, !height.0)..=(&contract.0, key, u64::MAX))? {
        let (at, value) = version?;
        let at = at.value().2;
        if at != !height.0 {
            replaced.push(at);
        } else if value.value().is_none() {
            is_removed = true;
            replaced.push(at);
        }
    }
    for at in replaced {
        values.remove((&contract.0, key, at))?;
    }
    let is_gone = is_removed && values.range((&contract.0, key, 0)..=(&contract.0, key, u64::MAX))?.next().is_none();
    if is_gone {
        keys.remove(&key_digest(contract, key))?;
    }
    Ok(())
}
