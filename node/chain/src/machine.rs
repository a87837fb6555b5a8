//! A machine in memory whose disk is an adversary: for tests and simulation.
//!
//! It holds all files of a node, in three folders, and plays the disk of each of them: the log's ([`Disk`]), the
//! database's (`redb::StorageBackend`) and the compiled modules' ([`ModuleDisk`]).
//!
//! ```text
//! seen      what processes read: every write, at once
//! dirty     sectors and names that were changed since they were last synced
//! durable   what is there after the power went: see `torn`
//! ```
//!
//! Everything that it does to a node is a function of its seed and of the order of operations in each folder:
//! failures are keyed to the n-th operation of a folder ([`Machine::plan`], see `failing`), never to time. Operations
//! of different folders may be interleaved in any way without changing what happens in either. Reading is no
//! operation: which of a node's caches had what changes nothing.

mod chance;
mod contents;
mod failing;
mod ports;
mod torn;

use std::{
    collections::BTreeMap,
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustorium_runtime::ModuleDisk;

pub use chance::Chance;
pub use failing::Failure;

use self::{contents::Contents, failing::Plan};
use crate::{chain::Disks, log::Disk};

/// A machine. Clones are the same one.
#[derive(Clone)]
pub struct Machine(Arc<Mutex<State>>);

/// A folder of a node's files, each used by one thread at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder {
    /// The log's segments.
    Log,
    /// The database.
    Database,
    /// Compiled modules.
    Modules,
}

/// All folders.
pub const FOLDERS: [Folder; 3] = [Folder::Log, Folder::Database, Folder::Modules];

#[derive(Clone)]
struct State {
    folders: [Files; 3],
    has_power: bool,
    /// No file grows.
    is_full: bool,
    /// Failures that befell an operation.
    failures: u64,
    /// Counts processes: what an earlier one opened is closed.
    process: u64,
}

/// What a folder holds.
#[derive(Clone)]
struct Files {
    contents: BTreeMap<u64, Contents>,
    seen: BTreeMap<String, u64>,
    durable: BTreeMap<String, u64>,
    /// Changes of names since the folder was last synced, in order.
    dirty: Vec<Naming>,
    created: u64,
    /// What was asked of it so far.
    operations: u64,
    plan: Plan,
    chance: Chance,
    trace: blake3::Hasher,
}

#[derive(Clone)]
enum Naming {
    Create { name: String, file: u64 },
    Rename { from: String, to: String },
}

/// What a node asks of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Create,
    Rename,
    SyncNames,
    Grow,
    Shrink,
    Write,
    Sync,
}

/// A file that a process has open.
#[derive(Clone, Debug)]
struct Open {
    machine: Machine,
    folder: Folder,
    file: u64,
    process: u64,
}

impl Machine {
    /// With empty folders, and a disk that does what this seed says.
    pub fn new(seed: u64) -> Self {
        let folders = FOLDERS.map(|folder| Files::new(Chance::new(seed ^ ((folder as u64 + 1) << 56))));
        Self(Arc::new(Mutex::new(State { folders, has_power: true, is_full: false, failures: 0, process: 0 })))
    }

    /// What a chain is kept on, for a process that starts now.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn disks(&self, segment_bytes: usize) -> io::Result<Disks> {
        Ok(Disks { log: self.log(), segment_bytes, database: self.process(Folder::Database).database()? })
    }

    /// The log's disk, for a process that starts now.
    pub fn log(&self) -> Arc<dyn Disk> {
        Arc::new(ports::Segments(self.process(Folder::Log)))
    }

    /// The disk of compiled modules, for a process that starts now.
    pub fn modules(&self) -> Arc<dyn ModuleDisk> {
        Arc::new(ports::ModuleFiles(self.process(Folder::Modules)))
    }

    /// Makes the operation that comes after `operations` more of a folder fail.
    pub fn plan(&self, folder: Folder, operations: u64, failure: Failure) {
        let mut state = self.lock();
        let files = state.files(folder);
        files.plan.add(files.operations + operations, failure);
    }

    /// What was asked of a folder so far.
    pub fn operations(&self, folder: Folder) -> u64 {
        self.lock().files(folder).operations
    }

    /// How many operations failed as planned.
    pub fn failures(&self) -> u64 {
        self.lock().failures
    }

    /// Fills the disk: no file can be made or grow. What is reserved is still there to be written.
    pub fn fill(&self) {
        self.lock().is_full = true;
    }

    /// Makes room.
    pub fn make_room(&self) {
        self.lock().is_full = false;
    }

    /// Whether the power is on.
    pub fn has_power(&self) -> bool {
        self.lock().has_power
    }

    /// The process ends: what it had open is closed, and what it wrote stays as it is. Planned failures are forgotten.
    pub fn kill(&self) {
        let mut state = self.lock();
        state.process += 1;
        for files in &mut state.folders {
            files.plan = Plan::default();
        }
    }

    /// The power goes and comes back: of what was not synced, anything may be left.
    pub fn lose_power(&self) {
        self.kill();
        let mut state = self.lock();
        state.has_power = true;
        for files in &mut state.folders {
            files.tear();
        }
    }

    /// A copy of the machine as it is now, apart from this one.
    pub fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(self.lock().clone())))
    }

    /// A digest of every operation and its outcome, folder by folder: two lives with the same one were the same.
    pub fn trace(&self) -> blake3::Hash {
        let mut all = blake3::Hasher::new();
        for files in &self.lock().folders {
            all.update(files.trace.finalize().as_bytes());
        }
        all.finalize()
    }

    fn process(&self, folder: Folder) -> ports::Process {
        ports::Process { machine: self.clone(), folder, process: self.lock().process }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    const fn files(&mut self, folder: Folder) -> &mut Files {
        &mut self.folders[folder as usize]
    }

    /// A folder, for a process that has it open.
    fn running(&mut self, folder: Folder, process: u64) -> io::Result<&mut Files> {
        if self.has_power && self.process == process { Ok(self.files(folder)) } else { Err(off()) }
    }
}

impl Files {
    fn new(chance: Chance) -> Self {
        Self {
            contents: BTreeMap::new(),
            seen: BTreeMap::new(),
            durable: BTreeMap::new(),
            dirty: Vec::new(),
            created: 0,
            operations: 0,
            plan: Plan::default(),
            chance,
            trace: blake3::Hasher::new(),
        }
    }

    fn rename(&mut self, change: Naming) {
        change.apply(&mut self.seen);
        self.dirty.push(change);
    }

    fn file(&mut self, name: &str) -> io::Result<u64> {
        self.seen.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn contents(&mut self, file: u64) -> io::Result<&mut Contents> {
        self.contents.get_mut(&file).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Create { name, file } => {
                names.insert(name.clone(), *file);
            }
            Self::Rename { from, to } => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
        }
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").finish_non_exhaustive()
    }
}

fn off() -> io::Error {
    io::Error::other("the machine is off")
}
