//! A map in memory with a byte budget: the CLOCK algorithm, in shards.
//!
//! Each entry has a mark that a hit sets. To make room a hand goes round, takes marks away and evicts the
//! entries that have none, so what was used since the hand's last round stays. A hit costs one short lock of one
//! shard and moves nothing.
//!
//! Invariant: behind every [`Shard::insert`] the shard is within its budget; what alone is larger is not kept.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use foldhash::fast::RandomState;

/// Enough that two threads seldom meet; few enough that a small budget is not cut to pieces.
const SHARDS: usize = 16;

/// A map with a byte budget.
pub(crate) struct Clock<K, V> {
    shards: Box<[Mutex<Shard<K, V>>]>,
    hasher: RandomState,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// What a cache has seen and holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Look-ups that found what they looked for.
    pub hits: u64,
    /// Look-ups that did not.
    pub misses: u64,
    /// Entries held.
    pub entries: u64,
    /// Bytes held.
    pub bytes: u64,
}

impl<K: Hash + Eq + Clone, V> Clock<K, V> {
    pub(crate) fn new(budget_bytes: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::new(Shard::new(budget_bytes / SHARDS))).collect();
        Self { shards, hasher: RandomState::default(), hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// The shard of a key, locked. Whoever panicked with it can have lost entries, not broken them.
    pub(crate) fn shard(&self, key: &K) -> MutexGuard<'_, Shard<K, V>> {
        let index = self.hasher.hash_one(key) as usize % self.shards.len();
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks up and counts; `select` says what of an entry is wanted, `None` if it is not the right one.
    pub(crate) fn find<T>(&self, key: &K, select: impl FnOnce(&V) -> Option<T>) -> Option<T> {
        let found = self.shard(key).get(key).and_then(select);
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// Evicts until every shard is within its budget.
    pub(crate) fn shrink(&self) {
        for shard in &self.shards {
            shard.lock().unwrap_or_else(PoisonError::into_inner).shrink();
        }
    }

    pub(crate) fn counts(&self) -> CacheCounts {
        let (hits, misses) = (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed));
        let mut counts = CacheCounts { hits, misses, ..CacheCounts::default() };
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            counts.entries += shard.places.len() as u64;
            counts.bytes += shard.bytes as u64;
        }
        counts
    }
}

/// Part of a [`Clock`].
pub(crate) struct Shard<K, V> {
    places: HashMap<K, usize, RandomState>,
    slots: Vec<Option<Slot<K, V>>>,
    free: Vec<usize>,
    hand: usize,
    bytes: usize,
    budget: usize,
}

struct Slot<K, V> {
    key: K,
    value: V,
    bytes: usize,
    used: bool,
}

impl<K: Hash + Eq + Clone, V> Shard<K, V> {
    fn new(budget: usize) -> Self {
        Self { places: HashMap::default(), slots: Vec::new(), free: Vec::new(), hand: 0, bytes: 0, budget }
    }

    /// The value of a key.
    pub(crate) fn get(&mut self, key: &K) -> Option<&V> {
        let slot = self.slots[*self.places.get(key)?].as_mut()?;
        slot.used = true;
        Some(&slot.value)
    }

    /// Puts a value, which weighs that many bytes with its key, in place of any other of the key.
    pub(crate) fn insert(&mut self, key: K, value: V, bytes: usize) {
        if bytes > self.budget {
            return self.remove(&key);
        }
        if let Some(&place) = self.places.get(&key) {
            if let Some(slot) = &mut self.slots[place] {
                self.bytes = self.bytes - slot.bytes + bytes;
                *slot = Slot { key, value, bytes, used: true };
            }
        } else {
            let slot = Some(Slot { key: key.clone(), value, bytes, used: false });
            let place = self.free.pop().unwrap_or(self.slots.len());
            if place == self.slots.len() {
                self.slots.push(slot);
            } else {
                self.slots[place] = slot;
            }
            self.places.insert(key, place);
            self.bytes += bytes;
        }
        self.shrink();
    }

    /// Forgets a key.
    pub(crate) fn remove(&mut self, key: &K) {
        if let Some(place) = self.places.remove(key) {
            self.vacate(place);
        }
    }

    fn shrink(&mut self) {
        while self.bytes > self.budget {
            let place = self.hand % self.slots.len();
            self.hand = place + 1;
            match &mut self.slots[place] {
                Some(slot) if slot.used => slot.used = false,
                Some(slot) => {
                    self.places.remove(&slot.key);
                    self.vacate(place);
                }
                None => {}
            }
        }
    }

    fn vacate(&mut self, place: usize) {
        if let Some(slot) = self.slots[place].take() {
            self.bytes -= slot.bytes;
            self.free.push(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays() {
        let mut shard = Shard::new(10);
        for key in 0..10 {
            shard.insert(key, key * 2, 1);
        }
        for round in 0..50 {
            assert_eq!(shard.get(&3), Some(&6), "round {round}");
            shard.insert(100 + round, 0, 1);
        }
        assert_eq!(shard.get(&4), None);
        assert_eq!((shard.bytes, shard.places.len()), (10, 10));
        assert!(shard.slots.len() <= 11, "slots are used again");
    }

    #[test]
    fn bytes_are_counted_through_replacement_and_removal() {
        let mut shard = Shard::new(100);
        shard.insert("a", 1, 40);
        shard.insert("b", 2, 40);
        shard.insert("a", 3, 10);
        assert_eq!((shard.bytes, shard.get(&"a")), (50, Some(&3)));
        shard.remove(&"b");
        shard.remove(&"b");
        assert_eq!(shard.bytes, 10);
        shard.insert("b", 4, 95);
        assert_eq!((shard.places.len(), shard.get(&"a")), (1, Some(&3)), "the one in use stays");
    }

    #[test]
    fn what_is_too_large_replaces_and_is_not_kept() {
        let mut shard = Shard::new(100);
        shard.insert("a", 1, 40);
        shard.insert("b", 2, 40);
        shard.insert("a", 3, 1_000);
        assert_eq!(shard.get(&"a"), None);
        assert_eq!(shard.get(&"b"), Some(&2));
        assert_eq!(shard.bytes, 40);
    }

    #[test]
    fn counts_add_up() {
        let clock = Clock::new(1 << 20);
        assert_eq!(clock.find(&1, |value: &u32| Some(*value)), None);
        clock.shard(&1).insert(1, 7, 10);
        assert_eq!(clock.find(&1, |value| Some(*value)), Some(7));
        assert_eq!(clock.find(&1, |_| None::<u32>), None);
        clock.shrink();
        assert_eq!(clock.counts(), CacheCounts { hits: 1, misses: 2, entries: 1, bytes: 10 });
    }
}
