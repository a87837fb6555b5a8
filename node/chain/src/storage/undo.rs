//! What a block replaced: how older heights are read from what is newest.
//!
//! `values` and `pages` hold the newest version of each entry and page, and the height that wrote it. The rows of
//! that height say what was there before and which height had written that, so going back is following a chain:
//!
//! ```text
//! newest, of 90 ──► undo of 90: before it, of 31 ──► undo of 31: before it, of 7 …
//!
//! undo_values   height → rows of borsh( contract │ key │ true if the height removed it
//!                                       │ none, or the one before: height │ value, or none if it was removed )
//! undo_pages    height → rows of  length 1 │ prefix │ FIRST
//!                                                  │ BEFORE │ height 8 │ difference to the newer version
//!                                                  │ DROPPED │ height 8
//! ```
//!
//! Rows are in order of their keys. A reader follows a chain until it is at a version of its own height or before;
//! once a height is the oldest that is kept, nobody needs its rows. What a height removed, or of which it left no
//! link, is gone from `values` and `pages` only then: until then it is where its chain begins.

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use rustorium_runtime::StateKey;
use rustorium_types::id::{ContractId, Height};

use super::{error::StoreError, rows::Rows};
use crate::tree::{
    delta,
    key::Prefix,
    page::{Page, PageId},
};

const FIRST: u8 = 0;
const BEFORE: u8 = 1;
const DROPPED: u8 = 2;

/// A version of an entry: the height that wrote it, and its value, or that it was removed.
pub(crate) type Version<V> = (Height, Option<V>);

/// A row of `undo_values`.
#[derive(BorshSerialize)]
pub(super) struct ValueUndo<'a> {
    pub(super) contract: ContractId,
    pub(super) key: &'a [u8],
    pub(super) is_removed: bool,
    pub(super) before: Option<Version<&'a [u8]>>,
}

/// As [`ValueUndo`], read.
#[derive(BorshDeserialize)]
struct StoredUndo {
    contract: ContractId,
    key: Vec<u8>,
    is_removed: bool,
    before: Option<Version<Vec<u8>>>,
}

/// The keys that a height wrote, and for each whether it removed the entry.
pub(crate) fn written(row: &[u8]) -> Result<Vec<(StateKey, bool)>, StoreError> {
    let rows = Rows::new(row).ok_or(DAMAGED)?;
    let item = |item: Option<&[u8]>| {
        let StoredUndo { contract, key, is_removed, .. } = borsh::from_slice(item?).ok()?;
        Some((StateKey::new(contract, key), is_removed))
    };
    rows.iter().map(item).collect::<Option<_>>().ok_or(DAMAGED)
}

/// The version of an entry before the one that a height wrote; none if that was its first.
pub(crate) fn value_before(row: &[u8], key: &StateKey) -> Result<Option<Version<Bytes>>, StoreError> {
    let item = find(row, entry, &(&key.contract.0, &key.key[..])).ok_or(DAMAGED)?;
    let StoredUndo { before, .. } = borsh::from_slice(item).map_err(|_| DAMAGED)?;
    Ok(before.map(|(height, value)| (height, value.map(Bytes::from))))
}

/// A row of `undo_pages` for a page that a height wrote.
pub(super) fn page_undo(newer: &Page, before: Option<(Height, &Page)>) -> Vec<u8> {
    let mut row = start(&newer.prefix);
    match before {
        None => row.push(FIRST),
        Some((height, older)) => {
            row.push(BEFORE);
            row.extend_from_slice(&height.0.to_le_bytes());
            row.extend_from_slice(&delta::before(newer, older));
        }
    }
    row
}

/// A row of `undo_pages` for a page to which a height left no link.
pub(super) fn page_dropped(page: &PageId) -> Vec<u8> {
    let mut row = start(&page.prefix);
    row.push(DROPPED);
    row.extend_from_slice(&page.height.0.to_le_bytes());
    row
}

/// The version of a page before the one that a height wrote.
pub(crate) fn page_before(row: &[u8], newer: &Page) -> Result<(Height, Page), StoreError> {
    let before = || {
        let item = find(row, |item| Some(split(item)?.0), &newer.prefix)?;
        let (_, kind, rest) = split(item)?;
        let (height, delta) = rest.split_first_chunk()?;
        let older = (kind == BEFORE).then(|| delta::apply(newer, delta))??;
        Some((Height(u64::from_le_bytes(*height)), older))
    };
    before().ok_or(DAMAGED)
}

/// The pages to which a height left no link.
pub(super) fn dropped(row: &[u8]) -> Result<Vec<PageId>, StoreError> {
    let mut dropped = Vec::new();
    for item in Rows::new(row).ok_or(DAMAGED)?.iter() {
        let (prefix, kind, rest) = item.and_then(split).ok_or(DAMAGED)?;
        if kind == DROPPED {
            let height = rest.first_chunk().ok_or(DAMAGED)?;
            dropped.push(PageId { prefix, height: Height(u64::from_le_bytes(*height)) });
        }
    }
    Ok(dropped)
}

const DAMAGED: StoreError = StoreError::damaged("what a block replaced");

fn start(prefix: &Prefix) -> Vec<u8> {
    let prefix = prefix.to_bytes();
    let mut row = vec![prefix.len() as u8];
    row.extend_from_slice(&prefix);
    row
}

fn split(item: &[u8]) -> Option<(Prefix, u8, &[u8])> {
    let (&length, rest) = item.split_first()?;
    let (prefix, rest) = rest.split_at_checked(usize::from(length))?;
    let (&kind, rest) = rest.split_first()?;
    Some((Prefix::from_bytes(prefix)?, kind, rest))
}

/// The contract and key that a row of `undo_values` begins with.
fn entry(item: &[u8]) -> Option<(&[u8; 32], &[u8])> {
    let (contract, rest) = item.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    Some((contract, rest.get(..u32::from_le_bytes(*length) as usize)?))
}

/// The item of a key, of rows in the order of their keys.
fn find<'a, K: Ord>(row: &'a [u8], key_of: impl Fn(&'a [u8]) -> Option<K>, key: &K) -> Option<&'a [u8]> {
    let rows = Rows::new(row)?;
    let (mut low, mut high) = (0, rows.len());
    while low < high {
        let middle = low.midpoint(high);
        let item = rows.get(middle)?;
        match key_of(item)?.cmp(key) {
            std::cmp::Ordering::Equal => return Some(item),
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    None
}
