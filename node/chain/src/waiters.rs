//! Those who wait for a transaction, a height or a record, told when a block is published.
//!
//! Invariant: whoever asks is answered even if what it asks for happened a moment before: a wait is entered first,
//! and what is published already is looked up after.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use rustorium_runtime::NoOp;
use rustorium_types::{
    block::LaneCut,
    id::{Hash, Height},
};

use crate::{
    exchange::Want,
    handle::{self, Handle, Promise},
    log::LanePosition,
    pipeline::Published,
    snapshot::Snapshot,
    storage::{StoreError, TransactionPosition},
    turns::deal,
};

/// No-ops that are remembered for those who ask late: they leave no trace in the chain.
const REMEMBERED: usize = 16_384;
/// Waits at which those that nobody waits for any more are swept out.
const SWEEP: usize = 4_096;

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executed {
    /// It consumed its nonce and has a receipt.
    Receipt(TransactionPosition),
    /// It did nothing at its turn.
    Void(NoOp),
}

#[derive(Debug, Default)]
pub(crate) struct Waiters(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    executed: HashMap<Hash, Vec<Promise<Executed>>>,
    certified: BTreeMap<Height, Vec<Promise<Height>>>,
    included: BTreeMap<LanePosition, Vec<Promise<Height>>>,
    void: HashMap<Hash, NoOp>,
    void_order: VecDeque<Hash>,
    sweep_at: usize,
}

impl Waiters {
    /// Waits until a transaction is executed or void.
    pub(crate) fn executed(
        &self,
        hash: Hash,
        snapshot: impl FnOnce() -> Arc<Snapshot>,
    ) -> Result<Handle<Executed>, StoreError> {
        let (promise, handle) = handle::promise();
        let mut state = self.lock();
        state.sweep();
        state.executed.entry(hash).or_default().push(promise);
        drop(state);
        let position = snapshot().transaction(&hash)?;
        let mut state = self.lock();
        let known = position.map(Executed::Receipt).or_else(|| state.void.get(&hash).copied().map(Executed::Void));
        if let Some(executed) = known {
            keep(state.executed.remove(&hash), executed);
        }
        Ok(handle)
    }

    /// Waits until a header commits to the result of a height; answers the newest such height.
    pub(crate) fn certified(&self, height: Height, snapshot: impl FnOnce() -> Arc<Snapshot>) -> Handle<Height> {
        let (promise, handle) = handle::promise();
        self.lock().certified.entry(height).or_default().push(promise);
        self.lock().tell_certified(snapshot().certified());
        handle
    }

    /// Waits until a record is in a block that is executed; answers the block's height.
    pub(crate) fn included(
        &self,
        position: LanePosition,
        snapshot: impl FnOnce() -> Arc<Snapshot>,
    ) -> Result<Handle<Height>, StoreError> {
        let (promise, handle) = handle::promise();
        self.lock().included.entry(position).or_default().push(promise);
        if let Some(height) = block_of(&snapshot(), position)? {
            keep(self.lock().included.remove(&position), height);
        }
        Ok(handle)
    }

    /// Tells everyone whom a block concerns.
    pub(crate) fn tell(&self, block: &Published) {
        let mut state = self.lock();
        let height = block.block.sealed.header.height;
        if block.reverted_to.is_some() {
            // Nonces came back, so that what was void may be executed now.
            state.void.clear();
            state.void_order.clear();
        }
        for (index, receipt) in (0..).zip(&block.block.receipts) {
            let position = TransactionPosition { height, index };
            keep(state.executed.remove(&receipt.transaction), Executed::Receipt(position));
        }
        for (hash, why) in &block.no_ops {
            // Too far ahead today can be executed tomorrow; used stays used.
            if *why == NoOp::NonceUsed {
                state.remember(*hash, *why);
            }
            // Behind the receipts: a retry in the same block as what it retries is answered with the receipt.
            keep(state.executed.remove(hash), Executed::Void(*why));
        }
        state.tell_certified(block.snapshot.certified());
        for cut in &block.block.sealed.header.lanes {
            let LaneCut { lane, generation, end, .. } = *cut;
            let position = |index| LanePosition { lane, generation, index };
            // Nobody waits in most lanes.
            while let Some((next, _)) = state.included.range(position(0)..position(end)).next() {
                let next = *next;
                keep(state.included.remove(&next), height);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tell_certified(&mut self, certified: Height) {
        let later = self.certified.split_off(&certified.next());
        for (_, waiting) in std::mem::replace(&mut self.certified, later) {
            keep(Some(waiting), certified);
        }
    }

    fn remember(&mut self, hash: Hash, why: NoOp) {
        if self.void.insert(hash, why).is_none() {
            self.void_order.push_back(hash);
        }
        if self.void_order.len() > REMEMBERED
            && let Some(oldest) = self.void_order.pop_front()
        {
            self.void.remove(&oldest);
        }
    }

    /// Drops waits whose handles are gone, each time their number has doubled.
    fn sweep(&mut self) {
        if self.executed.len() >= self.sweep_at.max(SWEEP) {
            self.executed.retain(|_, waiting| {
                waiting.retain(|promise| !promise.is_abandoned());
                !waiting.is_empty()
            });
            self.sweep_at = self.executed.len() * 2;
        }
    }
}

/// The height whose cut holds a record, if it is executed: generations and ends of cuts rise with the height.
fn block_of(snapshot: &Snapshot, position: LanePosition) -> Result<Option<Height>, StoreError> {
    let is_passed = |height| -> Result<bool, StoreError> {
        let sealed = snapshot.header(height)?.ok_or(StoreError::NoBlock(height))?;
        let mut lanes = sealed.header.lanes.iter();
        let cut = lanes.find(|cut| cut.lane == position.lane);
        Ok(cut.is_some_and(|cut| (cut.generation, cut.end) > (position.generation, position.index)))
    };
    let (mut low, mut high) = (Height::ZERO, snapshot.height());
    if high == Height::ZERO || !is_passed(high)? {
        return Ok(None);
    }
    while low.next() < high {
        let middle = Height(u64::midpoint(low.0, high.0));
        if is_passed(middle)? { high = middle } else { low = middle }
    }
    let taken = snapshot.header(high)?.is_some_and(|sealed| {
        sealed.header.lanes.iter().any(|cut| (cut.lane, cut.generation) == (position.lane, position.generation))
    });
    Ok(taken.then_some(high))
}

/// The records that a block takes of a lane, if it is executed.
pub(crate) fn records_of(snapshot: &Snapshot, want: &Want) -> Result<Option<Vec<Bytes>>, StoreError> {
    let Some(height) = block_of(snapshot, want.from)? else { return Ok(None) };
    let Some(block) = snapshot.block(height)? else { return Ok(None) };
    let before = Height(height.0.saturating_sub(1));
    let before = if before == Height::ZERO { None } else { snapshot.header(before)? };
    let begin = |cut: &LaneCut| {
        let mut lanes = before.iter().flat_map(|sealed| &sealed.header.lanes);
        let same = lanes.find(|begin| (begin.lane, begin.generation) == (cut.lane, cut.generation));
        same.map_or(0, |begin| begin.end)
    };
    let cuts = &block.sealed.header.lanes;
    let counts: Vec<usize> =
        cuts.iter().map(|cut| usize::try_from(cut.end.saturating_sub(begin(cut))).unwrap_or(0)).collect();
    let is_its = |cut: &LaneCut| (cut.lane, cut.end, cut.root) == (want.from.lane, want.end, want.root);
    let Some(lane) = cuts.iter().position(is_its) else { return Ok(None) };
    let records = deal(&counts, &block.records).swap_remove(lane);
    Ok(Some(records.into_iter().cloned().collect()))
}

fn keep<T: Copy>(waiting: Option<Vec<Promise<T>>>, value: T) {
    for promise in waiting.into_iter().flatten() {
        promise.keep(value);
    }
}
