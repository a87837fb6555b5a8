//! State in memory: what was read or written lately, in front of storage.
//!
//! One entry a key, of the newest executed state: its value, and the height *since* which it has had it. A
//! reader at a height no older than that may take it, because the newest value since then is also that height's;
//! an older reader passes by. So the cache never answers with another height's value, and a block's commit
//! writes its values through instead of throwing old ones out.
//!
//! Invariants, which make that true with readers of many heights at once:
//! - a block's height is announced (`StateCache::write`) before the first of its values is put, and its values
//!   are put before anyone can read at that height;
//! - a reader's miss fills the cache only while its height is the newest announced one, which is checked under
//!   the lock of the key's shard. A fill that loses the race is dropped; one that wins is overwritten.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use rustorium_runtime::{StateKey, Writes};
use rustorium_types::id::Height;

mod clock;

pub use clock::CacheCounts;
pub(crate) use clock::Clock;

/// What an entry takes beside the bytes of its key and value.
const OVERHEAD_BYTES: usize = 160;

/// Values of the newest executed state.
pub(crate) struct StateCache {
    entries: Clock<StateKey, Entry>,
    newest: AtomicU64,
}

struct Entry {
    value: Option<Bytes>,
    since: Height,
}

impl StateCache {
    /// An empty cache of a state.
    pub(crate) fn new(budget_bytes: usize, newest: Height) -> Self {
        Self { entries: Clock::new(budget_bytes), newest: AtomicU64::new(newest.0) }
    }

    /// What is known of an entry at a height: its value, or that there is none.
    pub(crate) fn get(&self, key: &StateKey, at: Height) -> Option<Option<Bytes>> {
        self.entries.find(key, |entry| (entry.since <= at).then(|| entry.value.clone()))
    }

    /// Remembers what a reader at a height found in storage: a value that has stood since another height.
    pub(crate) fn fill(&self, key: &StateKey, value: Option<&Bytes>, since: Height, at: Height) {
        let mut shard = self.entries.shard(key);
        if self.newest.load(Ordering::Acquire) == at.0 && shard.get(key).is_none() {
            shard.insert(key.clone(), Entry { value: value.cloned(), since }, weight(key, value));
        }
    }

    /// Puts the values of a block, as of its height, which becomes the newest.
    pub(crate) fn write(&self, writes: &Writes, height: Height) {
        self.newest.fetch_max(height.0, Ordering::AcqRel);
        for (key, value) in writes {
            self.set(key, value.clone(), height);
        }
    }

    /// Puts one value of the newest block.
    pub(crate) fn set(&self, key: &StateKey, value: Option<Bytes>, height: Height) {
        self.newest.fetch_max(height.0, Ordering::AcqRel);
        let weight = weight(key, value.as_ref());
        self.entries.shard(key).insert(key.clone(), Entry { value, since: height }, weight);
    }

    /// Evicts until the budget holds.
    pub(crate) fn shrink(&self) {
        self.entries.shrink();
    }

    pub(crate) fn counts(&self) -> CacheCounts {
        self.entries.counts()
    }
}

fn weight(key: &StateKey, value: Option<&Bytes>) -> usize {
    OVERHEAD_BYTES + 2 * key.key.len() + value.map_or(0, Bytes::len)
}

#[cfg(test)]
mod tests {
    use rustorium_types::id::ContractId;

    use super::*;

    fn key() -> StateKey {
        StateKey::new(ContractId([1; 32]), &b"k"[..])
    }

    fn value(text: &'static str) -> Option<Bytes> {
        Some(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn older_heights_pass_by() {
        let cache = StateCache::new(1 << 20, Height(5));
        cache.fill(&key(), value("old").as_ref(), Height(3), Height(5));
        assert_eq!(cache.get(&key(), Height(5)), Some(value("old")));
        assert_eq!(cache.get(&key(), Height(3)), Some(value("old")));
        assert_eq!(cache.get(&key(), Height(2)), None);
        cache.write(&Writes::from([(key(), None)]), Height(6));
        assert_eq!(cache.get(&key(), Height(6)), Some(None));
        assert_eq!(cache.get(&key(), Height(5)), None);
    }

    #[test]
    fn a_late_fill_is_dropped() {
        let cache = StateCache::new(1 << 20, Height(5));
        cache.write(&Writes::new(), Height(6));
        cache.fill(&key(), value("of 5").as_ref(), Height(1), Height(5));
        assert_eq!(cache.get(&key(), Height(6)), None);
        cache.set(&key(), value("of 6"), Height(6));
        cache.fill(&key(), value("wrong").as_ref(), Height(1), Height(6));
        assert_eq!(cache.get(&key(), Height(6)), Some(value("of 6")));
    }
}
