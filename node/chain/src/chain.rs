//! The chain of a node: opened from its directory, given records, read through snapshots.
//!
//! ```text
//! DIR/lock             one node at a time
//! DIR/log/*.segment    what was accepted and decided: the truth
//! DIR/state.redb       what it came to: can be made again from the log
//! ```
//!
//! Opening brings the database to where the log is: blocks beyond the last commit are executed again, to the same
//! roots, and records that no header took wait for the next. No header is ever made for a height that the log has.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use bytes::Bytes;
use crossbeam_channel::Receiver;
use redb::StorageBackend;
use rustorium_runtime::{ExecuteError, Runtime, StateError};
use rustorium_types::{
    certificate::AssembleError,
    ed25519::SigningKey,
    genesis::Genesis,
    id::{Hash, Height},
    record::Control,
};
use thiserror::Error;

use crate::{
    clock::Clock,
    consensus::ConsensusEngine,
    control::{self, Unfit},
    cut::{Rules, UnsupportedGenesis},
    desk::{Ask, Desk},
    dev::DevTime,
    engine::Engine,
    exchange::{self, Alone, Exchange, Peers, SharedLanes, Want},
    fault::{Fault, Faults},
    follow::{FollowError, Follower, rules_behind},
    handle::Handle,
    ledger::{Executed, Ledger, Own, Start},
    lock::{DirectoryLock, LockError},
    log::{
        Directory, Disk, EmbeddedLog, Kind, LanePosition, Log, LogError, LogOptions, Reader, SEGMENT_BYTES,
        TransactionProcessor, certificate_entry,
    },
    metrics::Metrics,
    pipeline::{CommitPolicy, Common, OnPublish, Parts, Pipeline, Seal, Stepped, Subscribers},
    snapshot::Snapshot,
    sole::{NotSole, Signer, Sole},
    storage::{Durability, Store, StoreError, StoreOptions},
    submit::{self, Source, Ticket},
    verify::Judge,
    waiters::{self, Waiters},
    waiting::Logged,
};

/// The log's folder in a data directory.
const LOG_FOLDER: &str = "log";

/// What a chain is opened with.
#[derive(Clone)]
pub struct ChainConfig {
    /// Where it is kept; made if it is not there.
    pub directory: PathBuf,
    /// The chain's genesis.
    pub genesis: Genesis,
    /// The validator's key.
    pub key: SigningKey,
    /// Tells the time.
    pub clock: Clock,
    /// Executes contracts.
    pub runtime: Runtime,
    /// How the database is kept. Its durability is the log's too.
    pub store: StoreOptions,
    /// When executed blocks are committed to the database.
    pub commit: CommitPolicy,
    /// The least time between two blocks with records; zero seals as soon as execution is idle.
    pub block_time: Duration,
}

/// Who else there is, beside a chain's own node.
pub struct Network {
    /// Who makes blocks final.
    pub consensus: Consensus,
    /// How other validators are spoken to.
    pub peers: Box<dyn Peers>,
    /// The lanes that all share. What cannot go there goes to this validator's own.
    pub shared: Box<dyn SharedLanes>,
}

/// Who makes a chain's blocks final.
#[derive(Clone, Debug)]
pub enum Consensus {
    /// This node alone: the genesis' only validator.
    Sole,
    /// A driver that asks at this desk.
    Desk(Receiver<Ask>),
}

/// What a chain is kept on: a directory's files, or a simulated machine's.
pub struct Disks {
    /// Of the log.
    pub log: Arc<dyn Disk>,
    /// Bytes of the log's segments: [`SEGMENT_BYTES`] but for tests.
    pub segment_bytes: usize,
    /// Of the database.
    pub database: Box<dyn StorageBackend>,
}

/// A running chain. Clones are the same one; it shuts down with the last of them.
#[derive(Clone)]
pub struct Chain(Arc<Inner>);

struct Inner {
    log: EmbeddedLog,
    exchange: Exchange,
    /// Of epoch 0.
    rules: Rules,
    store: Arc<Store>,
    runtime: Runtime,
    metrics: Arc<Metrics>,
    faults: Faults,
    subscribers: Arc<Subscribers>,
    waiters: Arc<Waiters>,
    running: Mutex<Option<Running>>,
}

/// The threads, and what they must have released before another node may have the directory.
struct Running {
    pipeline: Pipeline,
    _lock: Option<DirectoryLock>,
}

/// Why a chain cannot be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory cannot be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The genesis is of a chain that this software cannot run.
    #[error(transparent)]
    Genesis(#[from] UnsupportedGenesis),
    /// The key is not the one that signs.
    #[error(transparent)]
    Key(#[from] NotSole),
    /// The log cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// State cannot be read.
    #[error("state cannot be read")]
    State(#[from] StateError),
    /// The log cannot be executed again.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The newest header cannot be signed again.
    #[error("the newest header cannot be signed again")]
    Certificate(#[from] AssembleError),
    /// A thread cannot be started.
    #[error("a thread cannot be started")]
    Thread(#[source] io::Error),
    /// Executing the log panicked.
    #[error("executing the log panicked: this is a defect")]
    Panicked,
}

impl Chain {
    /// Opens the chain of a directory, or begins it.
    ///
    /// # Errors
    /// When the directory is in use or another chain's, or what it holds is damaged.
    pub fn open(config: ChainConfig) -> Result<Self, OpenError> {
        Self::open_among(config, Network::default())
    }

    /// As [`Chain::open`], of a node that is one of several.
    ///
    /// # Errors
    /// As [`Chain::open`].
    pub fn open_among(config: ChainConfig, network: Network) -> Result<Self, OpenError> {
        let lock = DirectoryLock::take(&config.directory)?;
        let disks = Disks::of(&config.directory, config.store.durability)?;
        Self::start(config, network, disks, Some(lock))
    }

    /// As [`Chain::open`], on files of the caller's: a simulated machine that loses power, for example.
    ///
    /// # Errors
    /// As [`Chain::open`].
    pub fn open_on(config: ChainConfig, disks: Disks) -> Result<Self, OpenError> {
        Self::start(config, Network::default(), disks, None)
    }

    /// As [`Chain::open_among`], on files of the caller's, with stages that run when the caller says so and on its
    /// thread: one that executes at full speed is the runtime's `spawn`.
    ///
    /// # Errors
    /// As [`Chain::open`].
    pub fn open_stepped(config: ChainConfig, network: Network, disks: Disks) -> Result<(Self, Stepped), OpenError> {
        let clock = config.clock.clone();
        let (chain, parts) = Self::assemble(config, network, disks)?;
        *chain.0.running() = Some(Running { pipeline: Pipeline::default(), _lock: None });
        Ok((chain, Stepped::new(parts, clock)))
    }

    fn start(
        config: ChainConfig,
        network: Network,
        disks: Disks,
        lock: Option<DirectoryLock>,
    ) -> Result<Self, OpenError> {
        let (chain, parts) = Self::assemble(config, network, disks)?;
        chain.0.store.room().be_patient();
        let pipeline = Pipeline::start(parts).map_err(OpenError::Thread)?;
        *chain.0.running() = Some(Running { pipeline, _lock: lock });
        Ok(chain)
    }

    /// Brings the chain to the end of its log, and makes what its stages need.
    fn assemble(config: ChainConfig, network: Network, disks: Disks) -> Result<(Self, Parts), OpenError> {
        let Disks { log: disk, segment_bytes, database } = disks;
        let rules = Rules::new(config.genesis)?;
        let public_key = config.key.public_key().0;
        let signer = match network.consensus {
            Consensus::Sole => Some(Signer::new(config.key, rules.genesis())?),
            Consensus::Desk(_) => None,
        };
        let store = Arc::new(Store::open_on(database, rules.genesis(), &config.store)?);
        let first_rules = rules.clone();
        let rules = rules_behind(rules, &store)?;
        let options = LogOptions { durability: config.store.durability, segment_bytes };
        let executed = store.snapshot().height();
        let genesis = genesis_bytes(rules.genesis());
        let (mut log, _) = Log::open(Arc::clone(&disk), &genesis, rules.chain(), executed, options)?;
        let engine = Engine::new(config.runtime.clone(), Arc::clone(rules.genesis()), rules.chain());
        let reader = Reader::new(disk);
        let follower = Follower::new(rules, engine.clone(), Arc::clone(&store), config.commit);
        let recovered = recover(follower, reader.clone(), signer.clone(), Arc::clone(&store))?;
        if let Some(entry) = &recovered.unsigned {
            log.append(Kind::Certificate, entry)?;
            log.sync()?;
        }
        if let Some(signer) = &signer {
            signer.check(&recovered.rules)?;
        }

        let (queue, submissions) = submit::queue();
        let (exchange, messages) = exchange::exchange();
        let common = Common { store: Arc::clone(&store), metrics: Arc::default(), faults: Faults::default() };
        let inner = Inner {
            log: EmbeddedLog::new(queue.clone(), reader, log.progress()),
            exchange,
            rules: first_rules,
            store,
            runtime: config.runtime,
            metrics: Arc::clone(&common.metrics),
            faults: common.faults.clone(),
            subscribers: Arc::default(),
            waiters: Arc::default(),
            running: Mutex::new(None),
        };
        let Recovered { rules, start, .. } = recovered;
        let driver: Box<dyn ConsensusEngine> = match (network.consensus, signer) {
            (Consensus::Desk(asks), _) => {
                let fullest = if start.is_open { start.head.height } else { Height::ZERO };
                Box::new(Desk::new(asks, fullest))
            }
            (Consensus::Sole, Some(signer)) => {
                let beats = !rules.genesis().dev;
                Box::new(Sole::new(signer, config.block_time, beats, start.is_open))
            }
            // A signer was made above, or the chain was not opened.
            (Consensus::Sole, None) => return Err(OpenError::Panicked),
        };
        let judge = Judge::new(rules.genesis());
        let own = Own { key: public_key, clock: config.clock, peers: network.peers, shared: network.shared };
        let ledger = Ledger::new(log, rules.clone(), own, start, &common)?;
        let seal = Seal::new(driver, ledger);
        let parts = Parts {
            common,
            queue,
            submissions,
            messages,
            judge,
            seal,
            engine,
            rules,
            subscribers: Arc::clone(&inner.subscribers),
            waiters: Arc::clone(&inner.waiters),
            commit: config.commit,
        };
        Ok((Self(Arc::new(inner)), parts))
    }

    /// Submits a record: [`Record::to_bytes`](rustorium_types::record::Record::to_bytes) of a transaction, or of a
    /// control record on a dev chain. Its signatures are checked here.
    pub fn submit(&self, record: Bytes) -> Ticket {
        self.0.log.submit_transaction(record)
    }

    /// As [`Chain::submit`], in the turns of where the record comes from: no source delays another.
    pub fn submit_from(&self, source: Source, record: Bytes) -> Ticket {
        self.0.log.submit_from(source, record)
    }

    /// The log that records go to.
    pub fn log(&self) -> &EmbeddedLog {
        &self.0.log
    }

    /// Who speaks in the epoch of the block behind the newest executed one, and what it must obey.
    ///
    /// # Errors
    /// When the database fails.
    pub fn rules(&self) -> Result<Rules, StoreError> {
        rules_behind(self.0.rules.clone(), &self.0.store)
    }

    /// The records that a block takes of a lane, if it is executed here.
    ///
    /// # Errors
    /// When the database fails.
    pub fn records_of(&self, want: &Want) -> Result<Option<Vec<Bytes>>, StoreError> {
        waiters::records_of(&self.snapshot(), want)
    }

    /// Where other validators' records come in.
    pub fn exchange(&self) -> &Exchange {
        &self.0.exchange
    }

    /// The chain as of its newest executed block.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.store.snapshot()
    }

    /// The database, for its caches and sizes.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// What executes contracts, for views and dry runs.
    pub fn runtime(&self) -> &Runtime {
        &self.0.runtime
    }

    /// Whether a control record would do what it says if it came next, and if not, why. It may be dear: code is
    /// compiled.
    ///
    /// # Errors
    /// When the state cannot be read, or the machine cannot compile.
    pub fn check_control(&self, control: &Control) -> Result<Result<(), Unfit>, ExecuteError> {
        let snapshot = self.snapshot();
        let state = snapshot.state(snapshot.height()).map_err(StoreError::from).map_err(StateError::from)?;
        match control {
            Control::Revert { height } => Ok(control::check_revert(*height, &state)?),
            control => {
                let changes = control::changes(control, snapshot.height().next(), self.runtime(), &state)?;
                Ok(changes.map(|_| ()))
            }
        }
    }

    /// Calls back with each block from the next on, in order, on one thread. The callback holds up publishing, so it
    /// must be quick.
    pub fn on_publish(&self, callback: OnPublish) {
        self.0.subscribers.add(callback);
    }

    /// Waits until a transaction is executed or void; at once if it is. Ask before submitting: of a transaction
    /// that was void long ago nothing is known.
    ///
    /// # Errors
    /// When the database fails.
    pub fn executed(&self, transaction: Hash) -> Result<Handle<waiters::Executed>, StoreError> {
        self.0.waiters.executed(transaction, || self.snapshot())
    }

    /// Waits until a header commits to the result of a height; answers the newest height that it commits to.
    pub fn certified(&self, height: Height) -> Handle<Height> {
        self.0.waiters.certified(height, || self.snapshot())
    }

    /// Waits until a record is in a block that is executed; answers the block's height.
    ///
    /// # Errors
    /// When the database fails.
    pub fn included(&self, position: LanePosition) -> Result<Handle<Height>, StoreError> {
        self.0.waiters.included(position, || self.snapshot())
    }

    /// What happened since the chain was opened.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Waits until the chain stops by itself, and says why; ends without an answer when it is shut down.
    pub fn stopped(&self) -> Handle<Arc<Fault>> {
        self.0.faults.wait()
    }

    /// True once the chain has stopped, by itself or because it was told to.
    pub fn is_stopped(&self) -> bool {
        self.0.running().is_none() || self.0.faults.first().is_some()
    }

    /// Takes no more records, makes those that were taken durable, executes the blocks that are sealed, commits them
    /// and ends all threads. Records that are in no block yet are executed when the chain is opened again.
    ///
    /// # Errors
    /// Why the chain had stopped before, if it had.
    pub fn shutdown(&self) -> Result<(), Arc<Fault>> {
        self.0.shutdown()
    }
}

impl Default for Network {
    /// Nobody else.
    fn default() -> Self {
        Self { consensus: Consensus::Sole, peers: Box::new(Alone), shared: Box::new(Alone) }
    }
}

impl Inner {
    fn running(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shutdown(&self) -> Result<(), Arc<Fault>> {
        self.log.close();
        self.store.room().give_up();
        let running = self.running().take();
        if let Some(running) = running {
            running.pipeline.join();
        }
        self.faults.close();
        self.faults.first().map_or(Ok(()), Err)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Whoever wants to know how it ended shuts down itself.
        let _ = self.shutdown();
    }
}

impl Disks {
    /// A data directory's.
    pub(crate) fn of(directory: &Path, durability: Durability) -> Result<Self, OpenError> {
        let database = Store::file(directory, durability)?;
        Ok(Self { log: log_disk(directory)?, segment_bytes: SEGMENT_BYTES, database })
    }
}

/// Where a directory's log lies.
pub(crate) fn log_disk(directory: &Path) -> Result<Arc<dyn Disk>, LogError> {
    let disk = Directory::open(&directory.join(LOG_FOLDER)).map_err(LogError::io("the log's directory"))?;
    Ok(Arc::new(disk))
}

/// The genesis of the chain whose log is in a directory; `None` if there is no log.
///
/// # Errors
/// When the log cannot be read, or its beginning is damaged.
pub fn logged_genesis(directory: &Path) -> Result<Option<Genesis>, LogError> {
    if !directory.join(LOG_FOLDER).exists() {
        return Ok(None);
    }
    match Reader::new(log_disk(directory)?).genesis() {
        Ok(genesis) => Ok(Some(genesis)),
        Err(LogError::Empty) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The first entry of a chain's log.
pub(crate) fn genesis_bytes(genesis: &Genesis) -> Vec<u8> {
    // Memory does not fail, and a genesis has no length that borsh refuses.
    borsh::to_vec(genesis).unwrap_or_default()
}

/// Where the chain stands once the log is executed.
struct Recovered {
    rules: Rules,
    start: Start,
    /// The entry of the newest header's certificate, if the log lacks it.
    unsigned: Option<Vec<u8>>,
}

/// Executes what the log has beyond the database, on a thread that executes at full speed.
fn recover(
    mut follower: Follower,
    reader: Reader,
    signer: Option<Signer>,
    store: Arc<Store>,
) -> Result<Recovered, OpenError> {
    let run = move || {
        let before = follower.parent().clone();
        let mut blocks = reader.blocks_above(before.height, &before.lanes)?;
        for logged in &mut blocks {
            let mut logged = logged?;
            let certificate = logged.certificate.take();
            let block = follower.read(logged);
            let sole = signer.as_ref().filter(|signer| signer.check(follower.rules()).is_ok());
            let certificate = match (certificate, sole) {
                (Some(certificate), _) => certificate,
                // Of a validator alone, only the newest header can lack one: the process ended between the sync and
                // the signature.
                (None, Some(signer)) => signer.certify(&block.header, block.hash)?,
                // Among many, it is final by a later one's.
                (None, None) => Bytes::new(),
            };
            follower.follow(&block, certificate)?;
        }
        if blocks.base().is_some_and(|header| header.hash() != before.hash) {
            return Err(FollowError::OtherHistory { height: before.height }.into());
        }
        let parent = follower.parent().clone();
        if parent.height > before.height {
            let again = parent.height.0 - before.height.0;
            tracing::info!(blocks = again, height = parent.height.0, "executed again what the database lacked");
        }
        let snapshot = store.snapshot();
        let unsigned = snapshot.head().filter(|head| signer.is_some() && head.is_signed() && !blocks.is_signed());
        let unsigned = unsigned.map(|sealed| certificate_entry(parent.height, &sealed.certificate));
        let rest = blocks.into_rest();
        let places: Vec<_> = rest.iter().map(|logged| (logged.position, logged.segment)).collect();
        let checked = follower.judge().check(rest.into_iter().map(|logged| logged.record));
        let waiting = places
            .into_iter()
            .zip(checked)
            .map(|((position, segment), record)| (position, Logged { record: Arc::new(record), segment }));
        let waiting = waiting.collect();
        let results = snapshot.covered(parent.height)?;
        let is_open = snapshot.block(parent.height)?.is_some_and(|block| !block.records.is_empty());
        let dev_time = if snapshot.genesis().dev { DevTime::read(&store.head_state())? } else { DevTime::default() };
        let executed = Executed { results, dev_time };
        let start = Start { head: parent, executed, is_open, waiting };
        Ok(Recovered { rules: follower.rules().clone(), start, unsigned })
    };
    let thread: thread::JoinHandle<Result<Recovered, OpenError>> =
        rustorium_runtime::spawn("recover", run).map_err(OpenError::Thread)?;
    thread.join().unwrap_or(Err(OpenError::Panicked))
}

#[cfg(test)]
mod tests;
