//! One transaction or view while it runs: what all its frames share.
//!
//! It belongs to the frame that runs now, and moves into a callee's frame and back: wasmtime's stores own their
//! data, so it cannot be borrowed. That there is exactly one owner is what makes it `&mut` everywhere.

use std::sync::Arc;

use bytes::Bytes;
use rustorium_types::{
    block::Event,
    id::{Address, Amount, ContractId, Hash},
    limits::{LOG_BYTES, LOG_LINES},
    state::{Account, ContractRecord},
    validators::ValidatorChange,
};

use crate::{
    context::BlockContext,
    effects::LogLine,
    error::ExecuteError,
    module::{Module, Modules},
    overlay::{self, Overlay},
    state::{Damage, StateError, StateKey, StateRead},
    trace::Recorder,
};

/// A transaction or view while it runs.
pub(crate) struct Session {
    /// The code that can run.
    pub(crate) modules: Arc<Modules>,
    /// The block that it is part of.
    pub(crate) block: BlockContext,
    /// Its changes.
    pub(crate) overlay: Overlay,
    /// Its events.
    pub(crate) events: Vec<Event>,
    /// What its contracts logged, of undone calls too: that is where logs are needed most.
    pub(crate) logs: Vec<LogLine>,
    /// The contracts on the stack, the outermost first.
    pub(crate) stack: Vec<ContractId>,
    /// Writes down what happens, where somebody wants to see it.
    pub(crate) recorder: Option<Box<Recorder>>,
}

/// A moment to which a session can be taken back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    overlay: overlay::Mark,
    events: usize,
}

impl Session {
    /// Starts over a state.
    pub(crate) fn new(modules: Arc<Modules>, state: Arc<dyn StateRead>, block: BlockContext) -> Box<Self> {
        Box::new(Self {
            modules,
            block,
            overlay: Overlay::new(state),
            events: Vec::new(),
            logs: Vec::new(),
            stack: Vec::new(),
            recorder: None,
        })
    }

    /// This moment.
    pub(crate) fn mark(&self) -> Mark {
        Mark { overlay: self.overlay.mark(), events: self.events.len() }
    }

    /// Takes back changes and events since a moment.
    pub(crate) fn roll_back(&mut self, mark: Mark) {
        self.overlay.roll_back(mark.overlay);
        self.events.truncate(mark.events);
    }

    /// An address's account record.
    pub(crate) fn account(&mut self, address: Address) -> Result<Account, StateError> {
        match self.overlay.get(&StateKey::account(address))? {
            None => Ok(Account::default()),
            Some(bytes) => borsh::from_slice(&bytes).map_err(|_| StateError::Damaged(Damage::Account)),
        }
    }

    /// Replaces an address's account record.
    pub(crate) fn set_account(&mut self, address: Address, account: &Account) {
        self.overlay.set(StateKey::account(address), Some(encode(account)));
    }

    /// Moves value; `false`, and nothing moved, if there is not so much.
    pub(crate) fn move_value(&mut self, from: Address, to: Address, amount: Amount) -> Result<bool, StateError> {
        if amount == Amount::ZERO {
            return Ok(true);
        }
        let mut payer = self.account(from)?;
        let Some(left) = payer.balance.checked_sub(amount) else { return Ok(false) };
        if from == to {
            return Ok(true);
        }
        let mut payee = self.account(to)?;
        // Balances add up to the supply of the genesis, so this never overflows; if it did, nothing must move.
        let Some(sum) = payee.balance.checked_add(amount) else { return Ok(false) };
        payer.balance = left;
        payee.balance = sum;
        self.set_account(from, &payer);
        self.set_account(to, &payee);
        Ok(true)
    }

    /// A contract's record.
    pub(crate) fn contract(&mut self, contract: ContractId) -> Result<Option<ContractRecord>, StateError> {
        let Some(bytes) = self.overlay.get(&StateKey::contract(contract))? else { return Ok(None) };
        borsh::from_slice(&bytes).map(Some).map_err(|_| StateError::Damaged(Damage::Contract(contract)))
    }

    /// Replaces a contract's record.
    pub(crate) fn set_contract(&mut self, contract: ContractId, record: &ContractRecord) {
        self.overlay.set(StateKey::contract(contract), Some(encode(record)));
    }

    /// The newest change of the validators.
    pub(crate) fn validator_change(&mut self) -> Result<Option<ValidatorChange>, StateError> {
        let Some(bytes) = self.overlay.get(&StateKey::validators())? else { return Ok(None) };
        borsh::from_slice(&bytes).map(Some).map_err(|_| StateError::Damaged(Damage::Validators))
    }

    /// Replaces it.
    pub(crate) fn set_validator_change(&mut self, change: &ValidatorChange) {
        self.overlay.set(StateKey::validators(), Some(encode(change)));
    }

    /// True if a code is stored.
    pub(crate) fn has_code(&mut self, code: &Hash) -> Result<bool, StateError> {
        Ok(self.overlay.get(&StateKey::code(code))?.is_some())
    }

    /// The module of a code that a record names.
    pub(crate) fn module(&mut self, code: &Hash) -> Result<Arc<Module>, ExecuteError> {
        self.overlay.note_code(*code);
        let modules = self.modules.clone();
        modules.get(code, || self.overlay.get(&StateKey::code(code)))
    }

    /// Keeps a line for people, while there is room.
    pub(crate) fn log(&mut self, contract: ContractId, text: String) {
        if self.logs.len() < LOG_LINES {
            self.logs.push(LogLine { contract, text });
        }
    }
}

/// Text for people out of a guest's bytes, cut at the limit of a line, without what a terminal might obey.
pub(crate) fn readable(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(LOG_BYTES)];
    let obeyed = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
    String::from_utf8_lossy(cut).replace(obeyed, "\u{fffd}")
}

fn encode(record: &impl borsh::BorshSerialize) -> Bytes {
    // Writing to memory cannot fail, and records have no length that borsh could refuse.
    borsh::to_vec(record).unwrap_or_default().into()
}
