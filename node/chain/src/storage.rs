//! Blocks, state and indexes on disk, and the newest of them in memory.
//!
//! A block becomes visible before it is durable: its bytes are in the transaction log, which is the write-ahead
//! log of all this, so after a crash the blocks beyond the last commit are executed again, to the same roots.
//!
//! ```text
//! execute ──stage──► root ──► apply ─────────────► commit
//!         writes     state    publish a snapshot   several blocks, one transaction, another thread
//!         for the    tree     with one more layer  then publish a snapshot with none
//!         next block
//! ```
//!
//! Invariants: heights come one by one at each step; `apply` publishes whole blocks; a snapshot never changes; a
//! commit takes no lock while it writes. Each step has one caller at a time; commits may run beside the others.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use redb::Database;
use rustorium_runtime::Writes;
use rustorium_types::{
    block::BlockResult,
    id::{Hash, Height},
    merkle,
};

use crate::{
    cache::CacheCounts,
    dev::DevSnapshots,
    room::Room,
    snapshot::{Base, Shared, Snapshot, StateAt, Undone},
    tree::{TreeUpdate, page::PageId},
};

mod backend;
mod block;
mod check;
mod commit;
pub(crate) mod diagnostics;
mod error;
pub(crate) mod index;
pub(crate) mod layer;
mod open;
mod port;
pub(crate) mod rows;
pub(crate) mod runs;
pub(crate) mod schema;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub(crate) mod undo;

pub use block::{
    Block, EventPosition, ExecutedBlock, SealedHeader, TransactionEntry, TransactionPosition, accounts_of,
};
pub use check::StoreCheck;
pub use error::{HeightError, StoreError};

use index::{Abis, BlockIndex};
use layer::Layer;
use runs::Runs;

/// How a store keeps its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// What a commit waits for. Default: [`Durability::Fsync`].
    pub durability: Durability,
    /// How many heights' state can be read and proven, the newest included; at least 1. Default: 1,024.
    pub window: u64,
    /// Budget of the state cache, in bytes. Default: 64 MiB.
    pub state_cache_bytes: usize,
    /// Budget of the cache of tree pages, in bytes. Default: 64 MiB.
    pub page_cache_bytes: usize,
    /// Budget of the cache of decoded blocks, in bytes. Default: 16 MiB.
    pub block_cache_bytes: usize,
    /// Budget of the database's own cache, in bytes. Default: 64 MiB.
    pub database_cache_bytes: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Fsync,
            window: 1_024,
            state_cache_bytes: 64 << 20,
            page_cache_bytes: 64 << 20,
            block_cache_bytes: 16 << 20,
            database_cache_bytes: 64 << 20,
        }
    }
}

/// What a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The disk: what is committed survives a power failure.
    Fsync,
    /// The operating system: what is committed survives the end of the process.
    None,
}

/// Blocks, state and indexes.
pub struct Store {
    database: Database,
    length: Arc<AtomicU64>,
    room: Arc<Room>,
    window: u64,
    shared: Arc<Shared>,
    published: ArcSwap<Snapshot>,
    writer: Mutex<Writer>,
    committing: Mutex<()>,
}

/// What is on its way to being published.
struct Writer {
    /// Blocks executed and not applied, heights rising.
    staged: Vec<(Height, Arc<Writes>)>,
    /// The writes of layers and staged blocks.
    runs: Runs,
    /// The tree of the next block, if it is computed.
    tree: Option<TreeUpdate>,
    abis: Abis,
}

/// What a commit would write now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uncommitted {
    /// Blocks.
    pub blocks: u64,
    /// About how many bytes they take in memory.
    pub bytes: usize,
}

/// What the store's caches have seen and hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreCaches {
    /// Values of the newest state.
    pub state: CacheCounts,
    /// Pages of the state tree.
    pub pages: CacheCounts,
    /// Decoded blocks.
    pub blocks: CacheCounts,
}

impl Store {
    /// The newest published height, and everything up to it.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.published.load_full()
    }

    /// The newest executed state, published or not: what the next block executes on.
    pub fn head_state(&self) -> StateAt {
        let writer = self.writer();
        let snapshot = self.published.load();
        let height = writer.staged.last().map_or_else(|| snapshot.height(), |(height, _)| *height);
        snapshot.state_beyond(writer.runs.clone(), height)
    }

    /// Takes the writes of the next executed block, so that the one behind it can execute on them.
    ///
    /// # Errors
    /// If the height is not the next.
    pub fn stage(&self, height: Height, writes: Arc<Writes>) -> Result<(), StoreError> {
        self.stage_locked(&mut self.writer(), height, writes)
    }

    fn stage_locked(&self, writer: &mut Writer, height: Height, writes: Arc<Writes>) -> Result<(), StoreError> {
        let newest = writer.staged.last().map_or_else(|| self.published.load().height(), |(height, _)| *height);
        check_order(newest.next(), height)?;
        writer.runs.push(height, &writes);
        self.shared.state.write(&writes, height);
        writer.staged.push((height, writes));
        Ok(())
    }

    /// Computes the state root of the height that is applied next. [`Store::apply`] makes use of it.
    ///
    /// # Errors
    /// If another height is next, or the database fails.
    pub fn root(&self, height: Height, writes: &Writes) -> Result<Hash, StoreError> {
        let snapshot = self.snapshot();
        check_order(snapshot.height().next(), height)?;
        let tree = TreeUpdate::new(&*snapshot, snapshot.top(snapshot.height())?, height, writes)?;
        let root = tree.root();
        self.writer().tree = Some(tree);
        Ok(root)
    }

    /// Publishes a block: from now on readers find it, its results and the state behind it.
    ///
    /// # Errors
    /// If another height is next, or the database fails; nothing is published then.
    pub fn apply(&self, block: ExecutedBlock) -> Result<Arc<Snapshot>, StoreError> {
        let height = block.sealed.header.height;
        let snapshot = self.snapshot();
        check_order(snapshot.height().next(), height)?;
        let mut writer = self.writer();
        if writer.staged.is_empty() {
            self.stage_locked(&mut writer, height, block.writes.clone())?;
        }
        let tree = match writer.tree.take().filter(|tree| tree.height() == height) {
            Some(tree) => tree,
            None => TreeUpdate::new(&*snapshot, snapshot.top(snapshot.height())?, height, &block.writes)?,
        };
        let state = snapshot.state_beyond(writer.runs.clone(), height);
        let index = BlockIndex::new(&block.transactions, &block.events, &mut writer.abis, &state)?;
        let layer = layer(&snapshot, block, tree, index)?;
        drop(writer);
        self.publish(layer)
    }

    fn publish(&self, layer: Layer) -> Result<Arc<Snapshot>, StoreError> {
        // A commit may have published a newer base since, so the snapshot is loaded again under the lock.
        let mut writer = self.writer();
        let snapshot = self.snapshot();
        check_order(snapshot.height().next(), layer.height())?;
        let undone = Undone::after(snapshot.undone(), layer.height(), layer.reverted_to);
        let layers = snapshot.layers().iter().cloned().chain([Arc::new(layer)]).collect();
        let next = Snapshot::new(self.shared.clone(), snapshot.base().clone(), layers, writer.runs.clone(), undone)?;
        let next = Arc::new(next);
        writer.staged.remove(0);
        self.published.store(next.clone());
        Ok(next)
    }

    /// Makes everything applied so far durable, in one transaction; answers the height that is durable now.
    ///
    /// # Errors
    /// When the database fails; what was durable stays so.
    pub fn commit(&self) -> Result<Height, StoreError> {
        let _one_at_a_time = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = self.snapshot();
        let newest = snapshot.height();
        if snapshot.layers().is_empty() {
            return Ok(newest);
        }
        let transaction = self.begin()?;
        commit::write_blocks(&transaction, &*snapshot, snapshot.layers().iter().map(|layer| &**layer))?;
        let wanted = Height((newest.0 + 1).saturating_sub(self.window.max(1))).min(oldest_snapshot(&snapshot)?);
        let blocks = snapshot.layers().len() as u64;
        let oldest = commit::sweep(&transaction, snapshot.base().oldest, wanted, blocks)?;
        transaction.commit()?;
        self.rebase(&snapshot, Base::open(&self.database, newest, oldest)?)?;
        Ok(newest)
    }

    /// Publishes the newest blocks again on a newer base, and keeps the base's pages at hand.
    fn rebase(&self, committed: &Snapshot, base: Base) -> Result<(), StoreError> {
        for layer in committed.layers() {
            for id in layer.tree.freed() {
                self.shared.pages.shard(id).remove(id);
            }
            for (prefix, page) in layer.tree.pages() {
                let id = PageId { prefix: *prefix, height: layer.height() };
                self.shared.pages.shard(&id).insert(id, page.clone(), page.weight());
            }
        }
        let mut writer = self.writer();
        let current = self.snapshot();
        let layers: Vec<_> = current.layers().iter().filter(|layer| layer.height() > base.height).cloned().collect();
        let applied = layers.iter().map(|layer| (layer.height(), &*layer.writes));
        let staged = writer.staged.iter().map(|(height, writes)| (*height, &**writes));
        writer.runs = Runs::of(applied.chain(staged));
        let undone = current.undone().clone();
        let next = Snapshot::new(self.shared.clone(), Arc::new(base), layers, writer.runs.clone(), undone)?;
        self.published.store(Arc::new(next));
        Ok(())
    }

    /// The newest height that is durable.
    pub fn committed(&self) -> Height {
        self.published.load().base().height
    }

    /// What a commit would write now.
    pub fn uncommitted(&self) -> Uncommitted {
        let snapshot = self.published.load();
        let bytes = snapshot.layers().iter().map(|layer| layer.weight).sum();
        Uncommitted { blocks: snapshot.layers().len() as u64, bytes }
    }

    /// Whether there is room on the disk.
    pub fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// What the caches have seen and hold.
    pub fn caches(&self) -> StoreCaches {
        let Shared { state, pages, blocks, .. } = &*self.shared;
        StoreCaches { state: state.counts(), pages: pages.counts(), blocks: blocks.counts() }
    }

    /// Bytes of the database's file; 0 in memory.
    pub fn file_bytes(&self) -> u64 {
        self.length.load(Ordering::Relaxed)
    }

    /// A read transaction's tables stay valid whoever panicked with the lock; so does everything behind it.
    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> Result<redb::WriteTransaction, StoreError> {
        open::begin(&self.database)
    }
}

/// The oldest height to which a dev chain may be reverted; beyond all heights if there is none.
fn oldest_snapshot(snapshot: &Snapshot) -> Result<Height, StoreError> {
    const NONE: Height = Height(u64::MAX);
    if !snapshot.genesis().dev {
        return Ok(NONE);
    }
    let kept = DevSnapshots::read(&snapshot.state(snapshot.height())?)?;
    Ok(kept.heights().first().copied().unwrap_or(NONE))
}

fn check_order(expected: Height, found: Height) -> Result<(), StoreError> {
    if expected == found { Ok(()) } else { Err(StoreError::Order { expected, found }) }
}

/// The layer of a block on top of a snapshot.
fn layer(snapshot: &Snapshot, block: ExecutedBlock, tree: TreeUpdate, index: BlockIndex) -> Result<Layer, StoreError> {
    let height = tree.height();
    let result = BlockResult {
        height,
        header_hash: block.sealed.hash,
        state_root: tree.root(),
        receipts_root: block.receipts_root,
        events_root: block.events_root,
    };
    let leaf = merkle::leaf_hash(&borsh::to_vec(&result).unwrap_or_default());
    let mut result_nodes = Vec::new();
    let mut results = snapshot.results(snapshot.height())?;
    results.push_with(leaf, |node, hash| result_nodes.push((node, hash)));
    let transactions = (0..).zip(&block.receipts).map(|(index, receipt)| (receipt.transaction, index)).collect();
    let mut layer = Layer {
        result,
        writes: block.writes,
        tree,
        index,
        transactions,
        result_nodes,
        reverted_to: block.reverted_to,
        weight: 0,
        block: Arc::new(Block {
            sealed: block.sealed,
            records: block.records,
            transactions: block.transactions.iter().map(|entry| entry.record).collect(),
            receipts: block.receipts,
            events: block.events,
            diagnostics: block.diagnostics,
        }),
    };
    layer.weigh();
    Ok(layer)
}
