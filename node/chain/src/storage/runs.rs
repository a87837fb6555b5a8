//! Values of blocks that are executed and not in the database yet.
//!
//! One map a block would make a read as slow as there are blocks between two commits, so maps are joined as a
//! binary counter carries: a new block's map swallows the ones before it that are no larger, each value is
//! copied at most log₂ n times, and a read looks into at most log₂ n maps.
//!
//! ```text
//! heights 101 … 108 │ 109 … 112 │ 113     oldest run first; no two of one size
//! ```
//!
//! A run is immutable, so readers keep theirs while the counter moves on. A reader asks for a height, so it may
//! hold runs that reach beyond its own.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use foldhash::fast::RandomState;
use rustorium_runtime::{StateKey, Writes};
use rustorium_types::id::Height;

/// The writes of consecutive heights.
#[derive(Clone, Default)]
pub(crate) struct Runs(Vec<Arc<Run>>);

struct Run {
    blocks: usize,
    /// Values of each key, heights rising.
    values: HashMap<StateKey, Vec<(Height, Option<Bytes>)>, RandomState>,
}

impl Runs {
    /// The runs of blocks, heights rising.
    pub(crate) fn of<'a>(blocks: impl IntoIterator<Item = (Height, &'a Writes)>) -> Self {
        let mut runs = Self::default();
        blocks.into_iter().for_each(|(height, writes)| runs.push(height, writes));
        runs
    }

    /// Adds the next height's writes.
    pub(crate) fn push(&mut self, height: Height, writes: &Writes) {
        let swallowed = self.0.iter().rev().scan(1, |blocks, run| {
            let fits = run.blocks <= *blocks;
            *blocks += run.blocks;
            fits.then_some(())
        });
        let older = self.0.split_off(self.0.len() - swallowed.count());
        let mut joined = Run { blocks: 1, values: HashMap::default() };
        for run in older {
            joined.blocks += run.blocks;
            for (key, values) in &run.values {
                joined.values.entry(key.clone()).or_default().extend_from_slice(values);
            }
        }
        for (key, value) in writes {
            joined.values.entry(key.clone()).or_default().push((height, value.clone()));
        }
        self.0.push(Arc::new(joined));
    }

    /// The keys that were written above a height, up to another; not in order, some twice.
    pub(crate) fn written(&self, above: Height, up_to: Height) -> impl Iterator<Item = &StateKey> {
        let within = move |(height, _): &(Height, Option<Bytes>)| *height > above && *height <= up_to;
        self.0.iter().flat_map(move |run| {
            run.values.iter().filter(move |(_, values)| values.iter().any(within)).map(|(key, _)| key)
        })
    }

    /// The newest write of a key up to a height, and that write's height.
    pub(crate) fn read(&self, key: &StateKey, at: Height) -> Option<(Height, Option<Bytes>)> {
        self.0.iter().rev().find_map(|run| {
            let values = run.values.get(key)?;
            values.iter().rev().find(|(height, _)| *height <= at).cloned()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use rustorium_types::id::ContractId;

    use super::*;

    fn key(number: u8) -> StateKey {
        StateKey::new(ContractId::SYSTEM, vec![number])
    }

    proptest! {
        #[test]
        fn every_height_reads_as_written(blocks in proptest::collection::vec(
            proptest::collection::btree_map(0..6_u8, proptest::option::of(any::<u8>()), 0..4), 0..40,
        )) {
            let mut runs = Runs::default();
            let mut states = vec![BTreeMap::new()];
            for (height, writes) in (1..).map(Height).zip(&blocks) {
                let writes: BTreeMap<_, _> =
                    writes.iter().map(|(name, value)| (key(*name), value.map(|byte| Bytes::from(vec![byte])))).collect();
                let mut state: BTreeMap<_, _> = states[states.len() - 1].clone();
                state.extend(writes.iter().map(|(key, value)| (key.clone(), (height, value.clone()))));
                runs.push(height, &writes);
                states.push(state);
            }
            prop_assert!(runs.0.len() <= 6, "as a binary counter: {}", runs.0.len());
            for (height, state) in states.iter().enumerate() {
                for name in 0..6 {
                    prop_assert_eq!(runs.read(&key(name), Height(height as u64)), state.get(&key(name)).cloned());
                }
            }
        }
    }
}
