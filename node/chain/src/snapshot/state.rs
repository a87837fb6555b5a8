//! State as of one height, read through the cache.

use std::{collections::BTreeSet, ops::RangeBounds, sync::Arc};

use bytes::Bytes;
use rustorium_runtime::{CacheManager, StateError, StateKey, StateRead, Writes};
use rustorium_types::id::Height;

use super::{Base, Shared, Snapshot};
use crate::storage::{
    HeightError, StoreError,
    runs::Runs,
    schema::{StoredValue, ValueKey},
    undo,
};

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

    /// The keys behind another that were written above the last commit, up to a height.
    pub(crate) fn keys_beyond_base(&self, height: Height, after: Option<&StateKey>) -> impl Iterator<Item = StateKey> {
        let written = self.runs.written(self.base.height, height);
        written.filter(move |key| after.is_none_or(|after| *key > after)).cloned()
    }

    /// The newest values of the last commit in a range, and what stands for entries that were removed.
    pub(crate) fn stored_values<'a>(
        &self,
        range: impl RangeBounds<(&'a [u8; 32], &'a [u8])> + 'a,
    ) -> Result<redb::Range<'static, ValueKey, StoredValue>, StoreError> {
        Ok(self.base.tables.values.range(range)?)
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

    /// What brings this state back to what it was after an earlier height, whose state is kept.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) fn back_to(&self, earlier: Height) -> Result<Writes, StoreError> {
        if earlier >= self.height {
            return Ok(Writes::new());
        }
        let mut keys: BTreeSet<StateKey> = self.runs.written(earlier, self.height).cloned().collect();
        for row in self.base.tables.undo_values.range(earlier.0 + 1..=self.height.0)? {
            keys.extend(undo::written(row?.1.value())?.into_iter().map(|(key, _)| key));
        }
        let mut back = Writes::new();
        for key in keys {
            let then = self.find_at(&key, earlier)?.0;
            if then != self.find(&key)?.0 {
                back.insert(key, then);
            }
        }
        Ok(back)
    }

    /// The value of an entry in storage, and since which height it has had it.
    fn find(&self, key: &StateKey) -> Result<(Option<Bytes>, Height), StoreError> {
        self.find_at(key, self.height)
    }

    fn find_at(&self, key: &StateKey, height: Height) -> Result<(Option<Bytes>, Height), StoreError> {
        match self.runs.read(key, height) {
            Some((since, value)) => Ok((value, since)),
            None => self.base.value(key, height),
        }
    }
}

impl Base {
    /// The value of an entry at a height, and since which height it has had it: for an entry of which nothing
    /// is known, since the oldest height of which all is known.
    pub(crate) fn value(&self, key: &StateKey, at: Height) -> Result<(Option<Bytes>, Height), StoreError> {
        let Some(newest) = self.tables.values.get((&key.contract.0, key.key.as_ref()))? else {
            return Ok((None, self.oldest));
        };
        let (since, value) = newest.value();
        let (mut since, mut value) = (Height(since), value.map(Bytes::copy_from_slice));
        while since > at {
            let row = self.tables.undo_values.get(since.0)?.ok_or(StoreError::damaged("what a block replaced"))?;
            match undo::value_before(row.value(), key)? {
                Some((before, older)) if before < since => (since, value) = (before, older),
                Some(_) => return Err(StoreError::damaged("what a block replaced")),
                None => return Ok((None, self.oldest)),
            }
        }
        Ok((value, since))
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
