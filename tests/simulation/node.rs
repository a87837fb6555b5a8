//! A node of the simulation: the chain that a process opens on a machine.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rustorium_chain::{
    chain::{Chain, ChainConfig, OpenError},
    clock::Clock,
    handle::Handle,
    machine::Machine,
    pipeline::CommitPolicy,
    storage::{Durability, StoreOptions},
};
use rustorium_runtime::{Runtime, RuntimeConfig};
use rustorium_types::{genesis::Genesis, id::Timestamp};

use crate::people;

/// The database is committed when a life says so, and at the end.
pub(crate) const BY_HAND: CommitPolicy =
    CommitPolicy { interval: Duration::from_secs(1 << 30), bytes: usize::MAX, blocks: u64::MAX };

/// What stays when a process ends.
pub(crate) struct Node {
    pub(crate) machine: Machine,
    pub(crate) genesis: Genesis,
    pub(crate) clock: Arc<AtomicU64>,
    pub(crate) segment_bytes: usize,
}

impl Node {
    pub(crate) fn new(seed: u64, segment_bytes: usize) -> Self {
        Self {
            machine: Machine::new(seed),
            genesis: people::genesis(seed),
            clock: Arc::new(AtomicU64::new(people::START)),
            segment_bytes,
        }
    }

    /// Small caches, so that the database is read; a small window, so that it is swept.
    pub(crate) fn store() -> StoreOptions {
        StoreOptions {
            durability: Durability::Fsync,
            window: 8,
            state_cache_bytes: 16 << 10,
            page_cache_bytes: 64 << 10,
            block_cache_bytes: 64 << 10,
            database_cache_bytes: 256 << 10,
        }
    }

    /// A process that knows no module but those on the machine's disk.
    pub(crate) fn runtime(&self) -> Runtime {
        let config = RuntimeConfig { executions: 1, ..RuntimeConfig::default() };
        Runtime::new_on(config, self.machine.modules()).unwrap()
    }

    /// Starts a process. Blocks are sealed when somebody asks for one, or when some were waiting.
    pub(crate) fn open(&self, commit: CommitPolicy, block_time: Duration) -> Result<Chain, OpenError> {
        let clock = Arc::clone(&self.clock);
        let config = ChainConfig {
            directory: PathBuf::new(),
            genesis: self.genesis.clone(),
            key: people::validator(),
            clock: Clock::new(move || Timestamp(clock.load(Ordering::SeqCst))),
            runtime: self.runtime(),
            store: Self::store(),
            commit,
            block_time,
        };
        let disks = self.machine.disks(self.segment_bytes).map_err(OpenError::Thread)?;
        Chain::open_on(config, disks)
    }
}

/// Looks, a millisecond apart at the least, after which a promise that is not kept is broken: a life takes less than a
/// second. They are counted, because a machine that was stopped for a minute has kept nobody waiting.
const PATIENCE: u32 = 60_000;

/// Waits for an answer; none if the chain stops first.
pub(crate) fn wait<T>(chain: &Chain, mut handle: Handle<T>) -> Option<T> {
    for _ in 0..PATIENCE {
        match handle.wait_timeout(Duration::from_millis(1)) {
            Ok(answer) => return answer.ok(),
            Err(unanswered) => handle = unanswered,
        }
        if chain.stopped().wait_timeout(Duration::ZERO).is_ok() {
            // What was on its way when it stopped comes to its end.
            let _ = chain.shutdown();
            return handle.wait_timeout(Duration::ZERO).ok()?.ok();
        }
    }
    let snapshot = chain.snapshot();
    let (height, certified, records) = (snapshot.height(), snapshot.certified(), chain.log().progress().records());
    panic!(
        "what was accepted is not executed, and the chain has not stopped: it is at height {height}, {certified} is \
         certified, the log has {records} records; {:?}",
        chain.metrics()
    );
}
