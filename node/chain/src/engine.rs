//! Executes a block: from the state after its parent to everything that it comes to.
//!
//! ```text
//! record ──► junk           no-op
//!        ├─► control        changes the state of a dev chain, without a receipt; a revert, if it is the first
//!        └─► transaction ──► nonce used or too far: no-op
//!                        └─► effects: writes over the block's, one receipt, events
//! at the end: the sum of all fees is credited to the fee account, once
//! ```
//!
//! A function of state, header and records: no clock, no lock, nothing applied. Events count receipts: event 3 of
//! transaction 2 is the fourth event of the third receipt.
//!
//! ```text
//! receipts root   RFC 6962 over borsh(Receipt), in order
//! events root     RFC 6962 over borsh( contract 32 │ root over borsh(Event) of that contract ), contracts rising
//! ```

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rustorium_runtime::{
    BlockContext, Diagnostics, Effects, ExecuteError, Execution, NoOp, Runtime, StateError, StateKey, StateRead, Trace,
    TraceLimits, Transaction, Writes,
};
use rustorium_types::{
    block::{Event, Header, Receipt},
    genesis::Genesis,
    id::{Address, Amount, ContractId, Gas, Hash, Height},
    merkle::{self, Accumulator},
    record::Control,
    state::Account,
};

use crate::{
    control::{self, account, account_entry},
    cut::Block,
    snapshot::StateAt,
    storage::{ExecutedBlock, TransactionEntry, accounts_of},
    verify::{Checked, Meaning},
};

/// Executes the blocks of a chain.
#[derive(Clone)]
pub struct Engine {
    runtime: Runtime,
    genesis: Arc<Genesis>,
    chain: Hash,
}

/// What a block comes to, before the state tree knows it.
#[derive(Clone, Debug, Default)]
pub struct BlockEffects {
    /// One for each consumed nonce.
    pub receipts: Vec<Receipt>,
    /// Where each receipt's transaction is, and whom it concerns.
    pub transactions: Vec<TransactionEntry>,
    /// What contracts said.
    pub events: Vec<Event>,
    /// For people, by receipt.
    pub diagnostics: BTreeMap<u32, Diagnostics>,
    /// What changes, fees included.
    pub writes: Arc<Writes>,
    /// Transactions that did nothing, and why.
    pub no_ops: Vec<(Hash, NoOp)>,
    /// The root over the receipts.
    pub receipts_root: Hash,
    /// The root over the contracts' event roots.
    pub events_root: Hash,
    /// Gas of all receipts.
    pub gas_used: Gas,
    /// The height whose state this block began with, if it begins with a revert: the blocks between are undone.
    pub reverted_to: Option<Height>,
    /// How long it took; no part of any commitment.
    pub duration: Duration,
}

/// The parent's state under the changes of the block so far.
#[derive(Clone)]
struct BlockState {
    below: Arc<StateAt>,
    writes: Writes,
}

/// A block under execution.
struct Progress {
    context: BlockContext,
    effects: BlockEffects,
    state: Arc<BlockState>,
    fees: Amount,
}

/// A transaction executed again, and what it did.
#[derive(Clone)]
pub struct Traced {
    /// What it came to, before the block's fees are credited.
    pub execution: Execution,
    /// What it did.
    pub trace: Trace,
    /// The state that it found.
    pub before: Arc<dyn StateRead>,
}

impl StateRead for BlockState {
    fn read(&self, key: &StateKey) -> Result<Option<Bytes>, StateError> {
        match self.writes.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.below.read(key),
        }
    }
}

impl Engine {
    /// Of a chain.
    pub fn new(runtime: Runtime, genesis: Arc<Genesis>, chain: Hash) -> Self {
        Self { runtime, genesis, chain }
    }

    /// Executes a block on the state after its parent, decided by these validators.
    ///
    /// # Errors
    /// When state cannot be read or the machine cannot execute; never because of what a record says.
    pub fn execute(
        &self,
        state: Arc<StateAt>,
        header: &Header,
        validators: &[[u8; 32]],
        records: &[Arc<Checked>],
    ) -> Result<BlockEffects, ExecuteError> {
        let started = Instant::now();
        let mut progress = self.begin(state, header, validators);
        for (index, record) in records.iter().enumerate() {
            self.step(&mut progress, header, index, record)?;
        }
        let Progress { effects: mut block, mut state, fees, .. } = progress;
        if fees > Amount::ZERO {
            let change = add_balance(&*state, Address::Account(self.genesis.fee_account), fees)?;
            writes(&mut state).extend([change]);
        }
        block.writes = Arc::new(std::mem::take(writes(&mut state)));
        block.receipts_root = receipts_root(&block.receipts);
        block.events_root = events_root(&block.events);
        block.duration = started.elapsed();
        Ok(block)
    }

    /// Executes a block as far as a record, and that one's transaction with all that it does written down; `None` if
    /// the record is no transaction.
    ///
    /// # Errors
    /// As [`Engine::execute`].
    pub fn trace<'a>(
        &self,
        state: Arc<StateAt>,
        header: &Header,
        validators: &[[u8; 32]],
        before: impl IntoIterator<Item = &'a Checked>,
        record: &Checked,
        limits: TraceLimits,
    ) -> Result<Option<Traced>, ExecuteError> {
        let Meaning::Transaction(transaction) = &record.meaning else { return Ok(None) };
        let mut progress = self.begin(state, header, validators);
        for (index, record) in before.into_iter().enumerate() {
            self.step(&mut progress, header, index, record)?;
        }
        let before: Arc<dyn StateRead> = progress.state;
        let (execution, trace) = self.runtime.trace(&before, &progress.context, transaction, limits)?;
        Ok(Some(Traced { execution, trace, before }))
    }

    fn begin(&self, state: Arc<StateAt>, header: &Header, validators: &[[u8; 32]]) -> Progress {
        let context = BlockContext {
            genesis: self.chain,
            epoch: header.epoch,
            validators: validators.into(),
            height: header.height,
            time: header.time,
            gas_price: header.gas_price,
            limits: self.genesis.limits,
        };
        let state = Arc::new(BlockState { below: state, writes: Writes::new() });
        Progress { context, effects: BlockEffects::default(), state, fees: Amount::ZERO }
    }

    fn step(
        &self,
        progress: &mut Progress,
        header: &Header,
        index: usize,
        record: &Checked,
    ) -> Result<(), ExecuteError> {
        match &record.meaning {
            Meaning::Junk(_) => {}
            Meaning::Control(Control::Revert { height }) if index == 0 => revert(progress, *height)?,
            Meaning::Control(control) => {
                match control::changes(control, header.height, &self.runtime, &*progress.state)? {
                    Ok(change) => writes(&mut progress.state).extend(change),
                    Err(unfit) => tracing::warn!(height = header.height.0, %unfit, "a control record did nothing"),
                }
            }
            Meaning::Transaction(transaction) => self.transaction(progress, index, transaction)?,
        }
        Ok(())
    }

    fn transaction(
        &self,
        progress: &mut Progress,
        index: usize,
        transaction: &Transaction,
    ) -> Result<(), ExecuteError> {
        let Progress { context, effects: block, state, fees } = progress;
        let reads: Arc<dyn StateRead> = state.clone();
        let execution = self.runtime.execute(&reads, context, transaction)?;
        drop(reads);
        match execution {
            Execution::NoOp(why) => block.no_ops.push((transaction.hash, why)),
            Execution::Done(effects) => {
                *fees = Amount(fees.0.saturating_add(effects.receipt.fee.0));
                let entry = TransactionEntry { record: index as u32, accounts: accounts_of(&transaction.body) };
                writes(state).extend(block.take(entry, effects));
            }
        }
        Ok(())
    }
}

/// Begins a block with the state after an earlier one.
fn revert(progress: &mut Progress, height: Height) -> Result<(), ExecuteError> {
    match control::check_revert(height, &*progress.state)? {
        Ok(()) => {
            let back = progress.state.below.back_to(height).map_err(StateError::from)?;
            writes(&mut progress.state).extend(back);
            progress.effects.reverted_to = Some(height);
        }
        Err(unfit) => tracing::warn!(height = progress.context.height.0, %unfit, "a revert did nothing"),
    }
    Ok(())
}

impl BlockEffects {
    /// The block as storage takes it: what was finalised, and what it came to.
    pub fn into_block(self, block: &Block, certificate: Bytes) -> ExecutedBlock {
        ExecutedBlock {
            sealed: block.sealed(certificate),
            records: block.records.iter().map(|record| record.entered.clone()).collect(),
            transactions: self.transactions,
            receipts: self.receipts,
            events: self.events,
            diagnostics: self.diagnostics,
            writes: self.writes,
            receipts_root: self.receipts_root,
            events_root: self.events_root,
            reverted_to: self.reverted_to,
        }
    }

    /// Adds a transaction's effects; answers its writes.
    fn take(&mut self, entry: TransactionEntry, effects: Effects) -> Writes {
        let index = self.receipts.len() as u32;
        self.gas_used = Gas(self.gas_used.0.saturating_add(effects.receipt.gas_used.0));
        self.receipts.push(effects.receipt);
        self.transactions.push(entry);
        self.events.extend(effects.events.into_iter().map(|event| Event { transaction_index: index, ..event }));
        if effects.diagnostics != Diagnostics::default() {
            self.diagnostics.insert(index, effects.diagnostics);
        }
        effects.writes
    }
}

/// The block's changes so far. An execution keeps no reference to them once it returns, so nothing is copied.
fn writes(state: &mut Arc<BlockState>) -> &mut Writes {
    &mut Arc::make_mut(state).writes
}

/// The root over receipts.
pub fn receipts_root(receipts: &[Receipt]) -> Hash {
    merkle::root(receipts.iter().map(encoded))
}

/// The root over the event roots of all contracts that said something.
pub fn events_root(events: &[Event]) -> Hash {
    let mut contracts: BTreeMap<ContractId, Accumulator> = BTreeMap::new();
    for event in events {
        contracts.entry(event.contract).or_default().push(merkle::leaf_hash(&encoded(event)));
    }
    merkle::root(contracts.iter().map(|(contract, events)| encoded(&(contract, events.root()))))
}

fn add_balance(
    state: &dyn StateRead,
    address: Address,
    amount: Amount,
) -> Result<(StateKey, Option<Bytes>), StateError> {
    let before = account(state, address)?;
    // Only a dev chain's SetBalance can bring a balance near the limit; what does not fit is burnt.
    let balance = Amount(before.balance.0.saturating_add(amount.0));
    Ok(account_entry(address, &Account { balance, ..before }))
}

/// Memory does not fail, and nothing here has a length that borsh refuses.
fn encoded(value: &impl borsh::BorshSerialize) -> Vec<u8> {
    borsh::to_vec(value).unwrap_or_default()
}
