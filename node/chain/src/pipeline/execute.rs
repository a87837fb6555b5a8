//! Executes finalised blocks, in order, each on the state that the one before left.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use super::{Common, hand_on, next};
use crate::{
    consensus::Finalised,
    cut::Rules,
    engine::{BlockEffects, Engine},
    fault::Fault,
};

/// A finalised block and what it came to.
pub(crate) struct ExecutedFinal {
    pub(crate) finalised: Finalised,
    pub(crate) effects: BlockEffects,
}

/// Runs until the stage before or behind has ended.
pub(super) fn run(
    engine: &Engine,
    mut rules: Rules,
    from: &Receiver<Finalised>,
    to: &Sender<ExecutedFinal>,
    common: &Common,
) -> Result<(), Fault> {
    while let Some(finalised) = next(from) {
        if !hand_on(to, execute(engine, &mut rules, finalised, common)?) {
            break;
        }
    }
    Ok(())
}

/// Executes a block of the epoch of these rules; the next may be executed then.
pub(super) fn execute(
    engine: &Engine,
    rules: &mut Rules,
    finalised: Finalised,
    common: &Common,
) -> Result<ExecutedFinal, Fault> {
    let header = &finalised.block.header;
    let records = finalised.block.records.len();
    let _span = tracing::debug_span!("execute", height = header.height.0, records).entered();
    let state = Arc::new(common.store.head_state());
    let effects = engine.execute(state, header, &rules.epoch().validators, &finalised.block.records)?;
    rules.pass(header);
    common.store.stage(header.height, Arc::clone(&effects.writes))?;
    let failed = effects.receipts.iter().filter(|receipt| !receipt.succeeded()).count();
    common.metrics.transactions.add(effects.receipts.len() as u64);
    common.metrics.failed.add(failed as u64);
    common.metrics.no_ops.add(effects.no_ops.len() as u64);
    common.metrics.gas.add(effects.gas_used.0);
    common.metrics.execute_us.add_time(effects.duration);
    common.metrics.block_records.add(records as u64);
    Ok(ExecutedFinal { finalised, effects })
}
