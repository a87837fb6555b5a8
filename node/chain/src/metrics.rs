//! Counters that the stages keep and the node publishes. Reading them costs the stages nothing.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// What happened since the chain was opened, and how full its queues are.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Records that were refused before the log.
    pub refused: Counter,
    /// Records that became durable.
    pub accepted: Counter,
    /// Syncs of the log.
    pub log_syncs: Counter,
    /// Time spent in them, in microseconds.
    pub log_sync_us: Counter,
    /// Records that are durable and in no block yet.
    pub waiting_records: Counter,
    /// Blocks sealed.
    pub blocks: Counter,
    /// Transactions executed: receipts.
    pub transactions: Counter,
    /// Of them, those that failed or were dropped.
    pub failed: Counter,
    /// Transactions that did nothing at their turn.
    pub no_ops: Counter,
    /// Gas of all receipts.
    pub gas: Counter,
    /// Time spent executing, in microseconds.
    pub execute_us: Counter,
    /// Time spent on the state tree and on publishing its snapshot, in microseconds.
    pub root_us: Counter,
    /// Commits of the database.
    pub commits: Counter,
    /// Time spent in them, in microseconds.
    pub commit_us: Counter,
    /// Blocks executed and not committed yet.
    pub uncommitted_blocks: Counter,
    /// About how many bytes of memory those take.
    pub uncommitted_bytes: Counter,
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

    pub(crate) fn add_time(&self, time: Duration) {
        self.add(time.as_micros() as u64);
    }
}
