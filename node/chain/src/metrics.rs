//! What the stages count and measure, and the node publishes. Reading it costs the stages nothing.
//!
//! Everything is a relaxed atomic: a number may be a moment older than another, and none is ever lost.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// What happened since the chain was opened, and how full its queues are.
#[derive(Debug)]
pub struct Metrics {
    /// Records that were refused before the log.
    pub refused: Counter,
    /// Records that became durable.
    pub accepted: Counter,
    /// Checking a batch's signatures.
    pub verify_us: Histogram,
    /// Records of such a batch.
    pub checked_batches: Histogram,
    /// Records that are checked and wait for the log.
    pub checked_records: Counter,
    /// Appending a batch to the log's buffer.
    pub append_us: Histogram,
    /// Syncs of the log.
    pub log_syncs: Counter,
    /// Making what was appended durable.
    pub log_sync_us: Histogram,
    /// Records that one sync made durable.
    pub synced_batches: Histogram,
    /// Records that are durable and in no block yet.
    pub waiting_records: Counter,
    /// Records that were offered to shared lanes and have not come back.
    pub offered_records: Counter,
    /// Records that came back from there.
    pub returned: Counter,
    /// Records that did not come back, and went another way.
    pub fallen_back: Counter,
    /// Records of shared lanes in whose places final blocks had others.
    pub replaced: Counter,
    /// Blocks sealed.
    pub blocks: Counter,
    /// Records of a block.
    pub block_records: Histogram,
    /// Transactions executed: receipts.
    pub transactions: Counter,
    /// Of them, those that failed or were dropped.
    pub failed: Counter,
    /// Transactions that did nothing at their turn.
    pub no_ops: Counter,
    /// Gas of all receipts.
    pub gas: Counter,
    /// Executing a block.
    pub execute_us: Histogram,
    /// Bringing a block into the state tree and publishing its snapshot.
    pub root_us: Histogram,
    /// Telling those who wait of a block.
    pub publish_us: Histogram,
    /// Commits of the database.
    pub commits: Counter,
    /// One of them.
    pub commit_us: Histogram,
    /// Blocks that it made durable.
    pub commit_blocks: Histogram,
    /// Blocks executed and not committed yet.
    pub uncommitted_blocks: Counter,
    /// About how many bytes of memory those take.
    pub uncommitted_bytes: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let time = || Histogram::new(&TIMES_US);
        let count = || Histogram::new(&COUNTS);
        Self {
            refused: Counter::default(),
            accepted: Counter::default(),
            verify_us: time(),
            checked_batches: count(),
            checked_records: Counter::default(),
            append_us: time(),
            log_syncs: Counter::default(),
            log_sync_us: time(),
            synced_batches: count(),
            waiting_records: Counter::default(),
            offered_records: Counter::default(),
            returned: Counter::default(),
            fallen_back: Counter::default(),
            replaced: Counter::default(),
            blocks: Counter::default(),
            block_records: count(),
            transactions: Counter::default(),
            failed: Counter::default(),
            no_ops: Counter::default(),
            gas: Counter::default(),
            execute_us: time(),
            root_us: time(),
            publish_us: time(),
            commits: Counter::default(),
            commit_us: time(),
            commit_blocks: count(),
            uncommitted_blocks: Counter::default(),
            uncommitted_bytes: Counter::default(),
        }
    }
}

/// A number that one thread changes and all read.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// Upper bounds of times, in microseconds: from a memory access to a disk that hangs.
const TIMES_US: [u64; BUCKETS] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000,
];
/// Upper bounds of counts.
const COUNTS: [u64; BUCKETS] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192, 16_384, 65_536];
const BUCKETS: usize = 16;

/// How many measured values fell into which range.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64; BUCKETS],
    buckets: [AtomicU64; BUCKETS],
    above: AtomicU64,
    sum: AtomicU64,
}

impl Histogram {
    fn new(bounds: &'static [u64; BUCKETS]) -> Self {
        Self { bounds, buckets: Default::default(), above: AtomicU64::default(), sum: AtomicU64::default() }
    }

    pub(crate) fn add(&self, value: u64) {
        let bucket = self.bounds.iter().position(|bound| value <= *bound);
        let bucket = bucket.and_then(|index| self.buckets.get(index)).unwrap_or(&self.above);
        bucket.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    pub(crate) fn add_time(&self, time: Duration) {
        self.add(time.as_micros() as u64);
    }

    /// Upper bounds, each with how many values were between it and the one before; the last, `u64::MAX`, has the rest.
    pub fn buckets(&self) -> Vec<(u64, u64)> {
        let above = (u64::MAX, self.above.load(Ordering::Relaxed));
        let below = self.bounds.iter().zip(&self.buckets);
        below.map(|(bound, count)| (*bound, count.load(Ordering::Relaxed))).chain([above]).collect()
    }

    /// The sum of all values.
    pub fn sum(&self) -> u64 {
        self.sum.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_counted_where_its_bound_is() {
        let histogram = Histogram::new(&TIMES_US);
        for value in [0, 50, 51, 10_000_001] {
            histogram.add(value);
        }
        let counted: Vec<_> = histogram.buckets().into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(50, 2), (100, 1), (u64::MAX, 1)]);
        assert_eq!(histogram.sum(), 10_000_102);
    }
}
