//! Executes a whole log again and holds every header and every stored result against what comes out.
//!
//! Into an empty directory it also copies the log, entry by entry, so that the directory is a node's, rebuilt from
//! nothing but what was accepted and decided.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use rustorium_runtime::Runtime;
use rustorium_types::{
    block::BlockResult,
    genesis::Genesis,
    id::{Hash, Height},
};
use thiserror::Error;

use crate::{
    chain::{Disks, genesis_bytes, log_disk},
    cut::{Rules, UnsupportedGenesis},
    engine::Engine,
    follow::{FollowError, Follower, check_certificate},
    lock::{DirectoryLock, LockError},
    log::{Kind, Log, LogError, LogOptions, LoggedBlock, Reader},
    pipeline::CommitPolicy,
    storage::{Store, StoreError, StoreOptions},
};

/// How to replay.
#[derive(Clone)]
pub struct ReplayOptions {
    /// Whose log.
    pub directory: PathBuf,
    /// An empty directory to rebuild into; in memory if none.
    pub into: Option<PathBuf>,
    /// Executes contracts.
    pub runtime: Runtime,
    /// How the rebuilt database is kept.
    pub store: StoreOptions,
    /// How blocks are grouped into its commits; no group changes what comes out.
    pub commit: CommitPolicy,
}

/// What a replay came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayReport {
    /// The genesis hash.
    pub chain: Hash,
    /// The newest height.
    pub height: Height,
    /// Records in blocks.
    pub records: u64,
    /// Records in the log that no signed header takes yet.
    pub waiting: u64,
    /// Receipts.
    pub transactions: u64,
    /// What the newest block came to; none of an empty chain.
    pub result: Option<BlockResult>,
    /// Heights whose stored result was compared too, none where a directory is rebuilt; headers are compared at all
    /// heights.
    pub compared: u64,
}

/// Why a replay failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// A directory cannot be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The directory to rebuild into has something in it.
    #[error("{} is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// The log cannot be read, or the copy not written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The genesis is of a chain that this software cannot run.
    #[error(transparent)]
    Genesis(#[from] UnsupportedGenesis),
    /// The log does not hold.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// Execution came to something else than the database has.
    #[error("block {height}: execution gives another {part} than the database has")]
    Differs {
        /// Where.
        height: Height,
        /// In what.
        part: ResultPart,
    },
    /// A thread cannot be started, or a directory not be read.
    #[error("the system failed")]
    Io(#[from] io::Error),
    /// Executing the log panicked.
    #[error("executing the log panicked: this is a defect")]
    Panicked,
}

/// A part of a block's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ResultPart {
    /// The header.
    #[error("header hash")]
    Header,
    /// The state.
    #[error("state root")]
    State,
    /// The receipts.
    #[error("receipts root")]
    Receipts,
    /// The events.
    #[error("events root")]
    Events,
}

/// Replays a log.
///
/// # Errors
/// The first thing that does not hold, or what kept the replay from going on.
pub fn replay(options: ReplayOptions) -> Result<ReplayReport, ReplayError> {
    let _lock = DirectoryLock::take(&options.directory)?;
    let reader = Reader::new(log_disk(&options.directory)?);
    let Some(into) = &options.into else {
        let original = match options.directory.join("state.redb").exists() {
            true => Some(Store::open(&options.directory, &reader.genesis()?, &options.store)?),
            false => None,
        };
        return from_log(reader, original, None, options.runtime, options.store, options.commit);
    };
    let _into = take_empty(into)?;
    let genesis = reader.genesis()?;
    copy_log(&reader, into, &genesis)?;
    let store = Store::open(into, &genesis, &options.store)?;
    // The old database is not looked at: it may be what made the rebuilding necessary.
    from_log(reader, None, Some(store), options.runtime, options.store, options.commit)
}

/// Replays the log of a simulated machine in memory, and compares it with the database there.
///
/// # Errors
/// As [`replay`].
pub fn replay_on(
    disks: Disks,
    runtime: Runtime,
    store: StoreOptions,
    commit: CommitPolicy,
) -> Result<ReplayReport, ReplayError> {
    let reader = Reader::new(disks.log);
    let original = Store::open_on(disks.database, &reader.genesis()?, &store)?;
    from_log(reader, Some(original), None, runtime, store, commit)
}

/// Executes a log again, into a store or else in memory.
fn from_log(
    reader: Reader,
    original: Option<Store>,
    into: Option<Store>,
    runtime: Runtime,
    options: StoreOptions,
    commit: CommitPolicy,
) -> Result<ReplayReport, ReplayError> {
    let rules = Rules::new(reader.genesis()?)?;
    let store = match into {
        Some(store) => store,
        None => Store::in_memory(rules.genesis(), &options)?,
    };
    let engine = Engine::new(runtime, Arc::clone(rules.genesis()), rules.chain());
    let store = Arc::new(store);
    let follower = Follower::new(rules, engine, Arc::clone(&store), commit);
    let thread = rustorium_runtime::spawn("replay", move || run(follower, &reader, original.as_ref(), &store))?;
    let thread: thread::JoinHandle<Result<ReplayReport, ReplayError>> = thread;
    thread.join().unwrap_or(Err(ReplayError::Panicked))
}

fn run(
    mut follower: Follower,
    reader: &Reader,
    original: Option<&Store>,
    store: &Store,
) -> Result<ReplayReport, ReplayError> {
    let original = original.map(Store::snapshot);
    let mut report = ReplayReport {
        chain: follower.rules().chain(),
        height: Height::ZERO,
        records: 0,
        waiting: 0,
        transactions: 0,
        result: None,
        compared: 0,
    };
    let mut blocks = reader.blocks_above(Height::ZERO, &[])?;
    // Final by the next certificate, among many; of a validator alone, final once it has signed.
    let mut unsigned: Vec<LoggedBlock> = Vec::new();
    for logged in &mut blocks {
        let logged = logged?;
        if let [before, ..] = unsigned.as_slice()
            && follower.rules().epoch().validators.len() == 1
        {
            return Err(FollowError::Unsigned { height: before.header.height }.into());
        }
        let is_signed = logged.certificate.is_some();
        unsigned.push(logged);
        if !is_signed {
            continue;
        }
        for mut logged in unsigned.drain(..) {
            let certificate = logged.certificate.take();
            let block = follower.read(logged);
            if let Some(certificate) = &certificate {
                check_certificate(&block, certificate, follower.rules())?;
            }
            report.records += block.records.len() as u64;
            report.transactions += follower.follow(&block, certificate.unwrap_or_default())? as u64;
            report.height = block.header.height;
            report.result = store.snapshot().result(report.height)?;
            let stored = original.as_ref().map(|original| original.result(report.height)).transpose()?.flatten();
            if let (Some(stored), Some(again)) = (stored, report.result) {
                compare(&stored, &again)?;
                report.compared += 1;
            }
        }
    }
    report.waiting += unsigned.iter().map(|logged| logged.records.len() as u64).sum::<u64>();
    report.waiting += blocks.into_rest().len() as u64;
    store.commit()?;
    Ok(report)
}

fn compare(stored: &BlockResult, again: &BlockResult) -> Result<(), ReplayError> {
    let parts = [
        (ResultPart::Header, stored.header_hash == again.header_hash),
        (ResultPart::State, stored.state_root == again.state_root),
        (ResultPart::Receipts, stored.receipts_root == again.receipts_root),
        (ResultPart::Events, stored.events_root == again.events_root),
    ];
    match parts.into_iter().find(|(_, same)| !same) {
        Some((part, _)) => Err(ReplayError::Differs { height: stored.height, part }),
        None => Ok(()),
    }
}

fn take_empty(path: &Path) -> Result<DirectoryLock, ReplayError> {
    if path.exists() && path.read_dir()?.next().is_some() {
        return Err(ReplayError::NotEmpty(path.to_owned()));
    }
    Ok(DirectoryLock::take(path)?)
}

fn copy_log(from: &Reader, into: &Path, genesis: &Genesis) -> Result<(), ReplayError> {
    let options = LogOptions::default();
    let (mut log, _) = Log::open(log_disk(into)?, &genesis_bytes(genesis), genesis.hash(), Height::ZERO, options)?;
    for entry in from.entries()? {
        let entry = entry?;
        // The genesis is what a new log begins with.
        if entry.kind != Kind::Genesis {
            log.append(entry.kind, &entry.body)?;
        }
    }
    Ok(log.sync()?)
}
