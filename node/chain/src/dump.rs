//! A whole state, in pages: what `dev dump` writes to a file.
//!
//! Entries come in the order of their keys, contract 0 first and in it codes before accounts before contracts, so that
//! whoever puts them back one after the other never names a code that is not there yet. What a chain keeps of its own
//! clock and snapshots is left out: it means nothing elsewhere.

use std::{collections::BTreeSet, ops::Bound};

use bytes::Bytes;
use rustorium_runtime::StateKey;
use rustorium_types::id::{ContractId, Height};

use crate::{dev, snapshot::Snapshot, storage::StoreError};

/// Part of a state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DumpPage {
    /// Entries, keys rising.
    pub entries: Vec<(StateKey, Bytes)>,
    /// There may be more behind the last of them.
    pub is_cut: bool,
}

impl Snapshot {
    /// The entries of a height's state behind a key, until there are so many or they have so many bytes.
    ///
    /// # Errors
    /// If the height is not kept, or the database fails.
    pub fn dump(
        &self,
        height: Height,
        after: Option<&StateKey>,
        entries: usize,
        bytes: usize,
    ) -> Result<DumpPage, StoreError> {
        self.state(height)?;
        let mut page = DumpPage::default();
        let mut taken_bytes = 0;
        let mut take = |key: StateKey| -> Result<bool, StoreError> {
            if page.entries.len() >= entries || taken_bytes >= bytes {
                page.is_cut = true;
                return Ok(false);
            }
            if !dev::is_own(&key)
                && let Some(value) = self.version(height, &key)?
            {
                taken_bytes += key.key.len() + value.len();
                page.entries.push((key, value));
            }
            Ok(true)
        };
        let mut newer: BTreeSet<StateKey> = self.keys_beyond_base(height, after).collect();
        let start = match after {
            Some(after) => Bound::Excluded((&after.contract.0, after.key.as_ref())),
            None => Bound::Unbounded,
        };
        for row in self.stored_values((start, Bound::Unbounded))? {
            let (key, _) = row?;
            let (contract, key) = key.value();
            let key = StateKey::new(ContractId(*contract), Bytes::copy_from_slice(key));
            while let Some(first) = newer.first().filter(|first| **first < key).cloned() {
                newer.remove(&first);
                if !take(first)? {
                    return Ok(page);
                }
            }
            newer.remove(&key);
            if !take(key)? {
                return Ok(page);
            }
        }
        for key in newer {
            if !take(key)? {
                break;
            }
        }
        Ok(page)
    }
}
