//! A past transaction, executed again with all that it did written down.
//!
//! The state before its block is read as of that height, the records before it in the block are executed first, and
//! what comes out is held against the receipt and the events that the chain has: a trace that explains something else
//! than what happened would be worse than none.

use std::sync::Arc;

use rustorium_runtime::{ExecuteError, Execution, Runtime, TraceLimits};
use rustorium_types::id::Height;
use thiserror::Error;

use crate::{
    engine::{Engine, Traced},
    snapshot::Snapshot,
    storage::{HeightError, StoreError, TransactionPosition},
    verify::Judge,
};

/// Why a transaction cannot be traced.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The state before its block is not kept any more.
    #[error(transparent)]
    Height(#[from] HeightError),
    /// The database failed, or there is nothing at the position.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be executed.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// It came to something else than the chain has: this software does not execute as the one that made the block.
    #[error("executed again, transaction {index} of block {height} comes to something else than its receipt says")]
    Diverged {
        /// Its block.
        height: Height,
        /// Its receipt's index.
        index: u32,
    },
}

/// Executes the transaction of a receipt again. Takes as long as its block up to it; on a thread from
/// [`rustorium_runtime::spawn`].
///
/// # Errors
/// If the state before its block is not kept, or it comes to something else than then.
pub fn trace(
    snapshot: &Snapshot,
    runtime: &Runtime,
    at: TransactionPosition,
    limits: TraceLimits,
) -> Result<Traced, TraceError> {
    let TransactionPosition { height, index } = at;
    let block = snapshot.block(height)?.ok_or(StoreError::NoBlock(height))?;
    let missing = || StoreError::damaged("a receipt's record");
    let receipt = block.receipts.get(index as usize).ok_or_else(missing)?;
    let record = *block.transactions.get(index as usize).ok_or_else(missing)? as usize;
    let records = block.records.get(..=record).ok_or_else(missing)?;
    let state = snapshot.state(Height(height.0 - 1))?;

    let genesis = Arc::new(snapshot.genesis().clone());
    let checked = Judge::new(&genesis).check(records.iter().cloned());
    let (record, before) = checked.split_last().ok_or_else(missing)?;
    let engine = Engine::new(runtime.clone(), genesis, snapshot.genesis_hash());
    let header = &block.sealed.header;
    let validators = snapshot.validators_of(header.epoch)?.ok_or(StoreError::NoBlock(height))?;
    let traced = engine.trace(Arc::new(state), header, &validators, before, record, limits)?;
    let traced = traced.ok_or_else(missing)?;

    let Execution::Done(effects) = &traced.execution else { return Err(TraceError::Diverged { height, index }) };
    let place = |event: &rustorium_types::block::Event| (event.event_index, event.contract);
    let recorded = block.events.iter().filter(|event| event.transaction_index == index);
    let same_events = effects.events.iter().map(|event| (place(event), &event.name, &event.fields));
    let same_events = same_events.eq(recorded.map(|event| (place(event), &event.name, &event.fields)));
    if effects.receipt != *receipt || !same_events {
        tracing::error!(height = height.0, index, again = ?effects.receipt, recorded = ?receipt, "a trace diverged");
        return Err(TraceError::Diverged { height, index });
    }
    Ok(traced)
}
