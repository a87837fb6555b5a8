//! Tells subscribers and waiters of each block, once its snapshot is visible.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, TrySendError};
use rustorium_runtime::NoOp;
use rustorium_types::id::{Hash, Height};

use super::{Common, next};
use crate::{snapshot::Snapshot, storage::Block, waiters::Waiters};

/// An executed block, as subscribers are told of it.
pub struct Published {
    /// Header, certificate, records, receipts, events and diagnostics.
    pub block: Arc<Block>,
    /// Its transactions that did nothing, and why.
    pub no_ops: Vec<(Hash, NoOp)>,
    /// The height whose state it began with, if it began with a revert.
    pub reverted_to: Option<Height>,
    /// How long it took to execute.
    pub execution: Duration,
    /// The chain as of this block.
    pub snapshot: Arc<Snapshot>,
}

/// What is called with each block, in order, on one thread. It holds up the stages behind it, so it must be quick.
pub type OnPublish = Box<dyn Fn(&Arc<Published>) + Send + Sync>;

/// Those who are called.
#[derive(Default)]
pub(crate) struct Subscribers(RwLock<Vec<OnPublish>>);

impl Subscribers {
    /// Adds one, to be called from the next block on.
    pub(crate) fn add(&self, subscriber: OnPublish) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(subscriber);
    }

    fn tell(&self, block: &Arc<Published>) {
        for subscriber in self.0.read().unwrap_or_else(PoisonError::into_inner).iter() {
            subscriber(block);
        }
    }
}

impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Published").field("block", &self.block).field("no_ops", &self.no_ops).finish_non_exhaustive()
    }
}

/// Runs until the stage before or behind has ended.
pub(super) fn run(
    from: &Receiver<Arc<Published>>,
    to: &Sender<()>,
    subscribers: &Subscribers,
    waiters: &Waiters,
    common: &Common,
) {
    while let Some(block) = next(from) {
        publish(&block, subscribers, waiters, common);
        // One token says that there is something; a commit takes as long as dozens of blocks, which must not wait for it.
        if to.try_send(()) == Err(TrySendError::Disconnected(())) {
            return;
        }
    }
}

/// Tells everybody of a block.
pub(super) fn publish(block: &Arc<Published>, subscribers: &Subscribers, waiters: &Waiters, common: &Common) {
    let header = &block.block.sealed.header;
    let _span = tracing::debug_span!("publish", height = header.height.0).entered();
    let started = Instant::now();
    waiters.tell(block);
    subscribers.tell(block);
    for (receipt, index) in block.block.receipts.iter().zip(0_u32..) {
        tracing::trace!(transaction = %receipt.transaction, index, "executed");
    }
    common.metrics.publish_us.add_time(started.elapsed());
    common.metrics.blocks.add(1);
}
