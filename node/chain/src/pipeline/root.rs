//! Brings a block's changes into the state tree and makes them visible, then tells the driver its results.

use std::{sync::Arc, time::Instant};

use crossbeam_channel::{Receiver, Sender};

use super::{Common, Published, execute::ExecutedFinal, hand_on, next};
use crate::ledger::Executed;
use crate::{dev::DevTime, fault::Fault, storage::StoreError};

/// Bytes of blocks that may wait for the database. Beyond it, execution waits: memory must not grow without end
/// where the disk is slower than execution.
const UNCOMMITTED_BYTES: usize = 256 << 20;

/// Runs until the stage before has ended. That the driver has ended is no reason to stop: what it sealed is applied.
pub(super) fn run(
    from: &Receiver<ExecutedFinal>,
    results: &Sender<Executed>,
    to: &Sender<Arc<Published>>,
    committed: &Receiver<()>,
    common: &Common,
) -> Result<(), Fault> {
    while let Some(executed) = next(from) {
        let (known, published) = apply(executed, common)?;
        // The driver may have ended already.
        let _ = results.send(known);
        if !hand_on(to, published) {
            break;
        }
        while common.store.uncommitted().bytes > UNCOMMITTED_BYTES {
            if committed.recv().is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Makes an executed block visible. Answers what the driver has to know, and what others may.
pub(super) fn apply(executed: ExecutedFinal, common: &Common) -> Result<(Executed, Arc<Published>), Fault> {
    let ExecutedFinal { finalised, mut effects } = executed;
    let started = Instant::now();
    let height = finalised.block.header.height;
    let span = tracing::debug_span!("root", height = height.0, writes = effects.writes.len()).entered();
    let (no_ops, execution) = (std::mem::take(&mut effects.no_ops), effects.duration);
    let reverted_to = effects.reverted_to;
    let snapshot = common.store.apply(effects.into_block(&finalised.block, finalised.certificate))?;
    drop(span);
    common.metrics.root_us.add_time(started.elapsed());
    let results = snapshot.covered(height)?;
    let dev_time = if snapshot.genesis().dev { DevTime::read(&common.store.head_state())? } else { DevTime::default() };
    let block = snapshot.block(height)?.ok_or(StoreError::NoBlock(height))?;
    let published = Arc::new(Published { block, no_ops, reverted_to, execution, snapshot });
    Ok((Executed { results, dev_time }, published))
}
