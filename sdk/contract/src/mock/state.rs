//! What the mock keeps, and how it is undone.
//!
//! Every change is noted with what was there before; a frame that fails takes back what was noted since it
//! began. While a contract runs, the state is this thread's: storage and `Ctx` have no other way to it.

use core::cell::RefCell;
use std::collections::BTreeMap;

use rustorium_types::{
    abi::MethodKind,
    block::Event,
    code::Code,
    hash,
    id::{Address, Amount, ContractId, Hash, Timestamp},
};

use super::{
    frame::Frame,
    trace::{Block, Trace},
};
use crate::{abi::Method, contract::Contract};

/// The start of 2026.
const FIRST_TIME: Timestamp = Timestamp(1_767_225_600_000);

/// `Contract::method`: the function behind an export.
type FindMethod = fn(MethodKind, &str) -> Option<fn()>;

/// A contract's code.
#[derive(Clone, Copy)]
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) methods: &'static [Method],
    pub(super) function: FindMethod,
}

impl Program {
    pub(super) const fn of<C: Contract>() -> Self {
        Self { name: C::NAME, methods: C::ABI.0.methods, function: C::method }
    }

    pub(super) fn method(&self, kind: MethodKind, name: &str) -> Option<&'static Method> {
        self.methods.iter().find(|method| method.kind == kind && method.name == name)
    }
}

/// What was before a change.
enum Undo {
    Storage((ContractId, Vec<u8>), Option<Vec<u8>>),
    Balance(Address, Option<Amount>),
    Contract(ContractId, Option<Program>),
}

/// Where a frame began.
#[derive(Clone, Copy, Default)]
pub(super) struct Mark {
    changes: usize,
    pub(super) events: usize,
}

pub(super) struct State {
    storage: BTreeMap<(ContractId, Vec<u8>), Vec<u8>>,
    balances: BTreeMap<Address, Amount>,
    contracts: BTreeMap<ContractId, Program>,
    codes: BTreeMap<Hash, Program>,
    changes: Vec<Undo>,
    pub(super) events: Vec<Event>,
    pub(super) logs: Vec<String>,
    pub(super) frames: Vec<Frame>,
    pub(super) height: u64,
    pub(super) time: Timestamp,
    /// What the test did, if somebody wants to know.
    trace: Option<Trace>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            storage: BTreeMap::new(),
            balances: BTreeMap::new(),
            contracts: BTreeMap::new(),
            codes: BTreeMap::new(),
            changes: Vec::new(),
            events: Vec::new(),
            logs: Vec::new(),
            frames: Vec::new(),
            height: 1,
            time: FIRST_TIME,
            trace: None,
        }
    }
}

impl State {
    pub(super) fn traced(trace: Option<Trace>) -> Self {
        Self { trace, ..Self::default() }
    }

    pub(super) fn endow(&mut self, account: Address, balance: u128) {
        if !self.balances.contains_key(&account) {
            self.endow_anew(account, Amount(balance));
        }
    }

    /// Sets a balance from outside.
    pub(super) fn endow_anew(&mut self, address: Address, balance: Amount) {
        self.set_balance(address, balance);
        if let Some(trace) = &mut self.trace {
            trace.account(address, balance);
        }
    }

    pub(super) fn balance(&self, address: Address) -> Amount {
        self.balances.get(&address).copied().unwrap_or_default()
    }

    fn set_balance(&mut self, address: Address, balance: Amount) {
        let before = self.balances.insert(address, balance);
        self.changes.push(Undo::Balance(address, before));
    }

    pub(super) fn move_value(&mut self, from: Address, to: Address, amount: Amount) -> Result<(), Code> {
        let rest = self.balance(from).checked_sub(amount).ok_or(Code::InsufficientFunds)?;
        self.set_balance(from, rest);
        let sum = self.balance(to).checked_add(amount).ok_or(Code::InsufficientFunds)?;
        self.set_balance(to, sum);
        Ok(())
    }

    pub(super) fn read(&self, contract: ContractId, key: &[u8]) -> Option<Vec<u8>> {
        self.storage.get(&(contract, key.to_vec())).cloned()
    }

    pub(super) fn write(&mut self, contract: ContractId, key: &[u8], value: Option<&[u8]>) {
        let key = (contract, key.to_vec());
        let before = match value {
            Some(value) => self.storage.insert(key.clone(), value.to_vec()),
            None => self.storage.remove(&key),
        };
        self.changes.push(Undo::Storage(key, before));
    }

    pub(super) fn program(&self, contract: ContractId) -> Option<Program> {
        self.contracts.get(&contract).copied()
    }

    /// Puts a contract of stored code at the address that its maker and salt give.
    pub(super) fn instantiate(&mut self, code: &Hash, creator: Address, salt: &[u8; 32]) -> Result<ContractId, Code> {
        let program = *self.codes.get(code).ok_or(Code::NotFound)?;
        let id = hash::contract_id(creator, salt);
        if self.contracts.contains_key(&id) {
            return Err(Code::AlreadyExists);
        }
        self.set_program(id, program);
        Ok(id)
    }

    /// Gives a contract other code.
    pub(super) fn set_program(&mut self, contract: ContractId, program: Program) {
        let before = self.contracts.insert(contract, program);
        self.changes.push(Undo::Contract(contract, before));
    }

    /// A contract's entries.
    pub(super) fn entries(&self, contract: ContractId) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let entries = self.storage.iter().filter(|((owner, _), _)| *owner == contract);
        entries.map(|((_, key), value)| (key.clone(), value.clone())).collect()
    }

    /// The address of the creator's next contract.
    pub(super) fn next_contract(&mut self, creator: Address) -> ContractId {
        let mut salt = [0; 32];
        salt[..8].copy_from_slice(&(self.contracts.len() as u64).to_le_bytes());
        if let Some(trace) = &mut self.trace {
            trace.salt(salt);
        }
        hash::contract_id(creator, &salt)
    }

    /// There is no WebAssembly here, so code goes by its name.
    pub(super) fn store_code(&mut self, program: Program) -> Hash {
        let hash = hash::code_hash(program.name.as_bytes());
        self.codes.insert(hash, program);
        hash
    }

    /// Writes down a frame that ends, if it is the test's own, before what it changed is undone.
    pub(super) fn note(&mut self, frame: &Frame, success: bool) {
        let Some(trace) = self.trace.as_mut().filter(|_| self.frames.is_empty()) else { return };
        let changes = self.changes.get(frame.mark.changes..).unwrap_or_default();
        let changed = changes.iter().any(|change| matches!(change, Undo::Storage(..)));
        let program = self.contracts.get(&frame.contract).map_or("", |program| program.name);
        trace.frame(frame, program, Block { height: self.height, time: self.time }, changed, success);
    }

    /// Writes down value that a test sent.
    pub(super) fn note_transfer(&mut self, from: Address, to: Address, amount: Amount, success: bool) {
        if let Some(trace) = &mut self.trace {
            trace.transfer(from, to, amount, Block { height: self.height, time: self.time }, success);
        }
    }

    /// Events since the outermost frame began.
    pub(super) fn events_of_this_call(&self) -> usize {
        self.events.len() - self.frames.first().map_or(0, |frame| frame.mark.events)
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { changes: self.changes.len(), events: self.events.len() }
    }

    /// Takes back everything since the mark.
    pub(super) fn undo(&mut self, mark: Mark) {
        self.events.truncate(mark.events);
        for change in self.changes.split_off(mark.changes).into_iter().rev() {
            match change {
                Undo::Storage(key, Some(value)) => drop(self.storage.insert(key, value)),
                Undo::Storage(key, None) => drop(self.storage.remove(&key)),
                Undo::Balance(address, Some(balance)) => drop(self.balances.insert(address, balance)),
                Undo::Balance(address, None) => drop(self.balances.remove(&address)),
                Undo::Contract(id, Some(program)) => drop(self.contracts.insert(id, program)),
                Undo::Contract(id, None) => drop(self.contracts.remove(&id)),
            }
        }
    }
}

thread_local! {
    static CURRENT: RefCell<Option<State>> = const { RefCell::new(None) };
}

/// Makes a state this thread's.
pub(super) fn install(state: State) {
    let before = CURRENT.replace(Some(state));
    assert!(before.is_none(), "a contract is running already: use `Mock` outside of it");
}

/// Takes this thread's state back.
pub(super) fn take() -> State {
    CURRENT.take().unwrap_or_default()
}

/// This thread's state, for a moment; no contract runs within.
pub(super) fn with<R>(body: impl FnOnce(&mut State) -> R) -> R {
    CURRENT.with_borrow_mut(|state| match state {
        Some(state) => body(state),
        None => {
            panic!("no contract is running: call `Mock::deploy`, `call` or `view` and use storage and `Ctx` within")
        }
    })
}

/// As [`with`]; nothing if no contract is running.
pub(super) fn try_with(body: impl FnOnce(&mut State)) {
    CURRENT.with_borrow_mut(|state| state.as_mut().map(body));
}
