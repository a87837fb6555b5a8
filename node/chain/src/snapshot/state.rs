//! State as of one height, read through the cache.

use std::sync::Arc;

use bytes::Bytes;
use rustorium_runtime::{CacheManager, StateError, StateKey, StateRead};
use rustorium_types::id::Height;

use super::{Base, Shared, Snapshot};
use crate::storage::{HeightError, StoreError, runs::Runs};

/// State as of one height: a hit in the cache answers at once, a miss reads storage and fills the cache.
#[derive(Clone)]
pub struct StateAt {
    shared: Arc<Shared>,
    base: Arc<Base>,
    runs: Runs,
    height: Height,
}

impl Snapshot {
    /// The state of a height.
    ///
    /// # Errors
    /// If the height is not kept any more, or not executed yet.
    pub fn state(&self, height: Height) -> Result<StateAt, HeightError> {
        self.check_retained(height)?;
        Ok(self.state_beyond(self.runs.clone(), height))
    }

    /// The state of a height that may be executed and not published yet: its writes are in the runs.
    pub(crate) fn state_beyond(&self, runs: Runs, height: Height) -> StateAt {
        StateAt { shared: self.shared.clone(), base: self.base.clone(), runs, height }
    }
}

impl StateAt {
    /// The height.
    pub const fn height(&self) -> Height {
        self.height
    }

    /// The value of an entry in storage, and since which height it has had it.
    fn find(&self, key: &StateKey) -> Result<(Option<Bytes>, Height), StoreError> {
        match self.runs.read(key, self.height) {
            Some((since, value)) => Ok((value, since)),
            None => self.base.value(key, self.height),
        }
    }
}

impl Base {
    /// The value of an entry at a height, and since which height it has had it: for an entry of which nothing
    /// is known, since the oldest height of which all is known.
    pub(crate) fn value(&self, key: &StateKey, at: Height) -> Result<(Option<Bytes>, Height), StoreError> {
        let (contract, bytes) = (&key.contract.0, key.key.as_ref());
        let mut versions = self.tables.values.range((contract, bytes, !at.0)..=(contract, bytes, u64::MAX))?;
        let Some(newest) = versions.next() else { return Ok((None, self.oldest)) };
        let (version, value) = newest?;
        Ok((value.value().map(Bytes::copy_from_slice), Height(!version.value().2)))
    }
}

impl StateRead for StateAt {
    fn read(&self, key: &StateKey) -> Result<Option<Bytes>, StateError> {
        if let Some(value) = self.get(key) {
            return Ok(value);
        }
        let (value, since) = self.find(key)?;
        self.shared.state.fill(key, value.as_ref(), since, self.height);
        Ok(value)
    }
}

impl CacheManager for StateAt {
    fn get(&self, key: &StateKey) -> Option<Option<Bytes>> {
        self.shared.state.get(key, self.height)
    }

    fn set(&self, key: &StateKey, value: Option<Bytes>, height: Height) {
        self.shared.state.set(key, value, height);
    }

    fn optimize(&self) {
        self.shared.state.shrink();
    }
}
