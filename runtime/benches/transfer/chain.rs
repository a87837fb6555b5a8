//! A contract on a state in memory, called through the whole of `execute`.

use std::{hint::black_box, sync::Arc};

use rustorium_runtime::{
    BlockContext, Execution, InMemoryState, Runtime, RuntimeConfig, StateKey, StateRead, Transaction,
};
use rustorium_types::{
    block::{MessageResult, Outcome},
    hash::code_hash,
    id::{AccountId, Amount, ContractId, Epoch, Gas, Hash, Height, Nonce, Timestamp},
    limits::Limits,
    state::Account,
    transaction::{Body, Message, VERSION},
};

/// Who sends every transaction.
pub(crate) const SENDER: AccountId = AccountId([1; 32]);
const GENESIS: Hash = Hash([7; 32]);

/// A runtime, and a state with one rich account in it.
pub(crate) struct Chain {
    runtime: Runtime,
    state: InMemoryState,
    nonce: u64,
}

impl Chain {
    pub(crate) fn new() -> Self {
        let rich = Account { balance: Amount(u128::MAX >> 1), ..Account::default() };
        let mut state = InMemoryState::default();
        state.set(StateKey::account(SENDER), Some(borsh::to_vec(&rich).unwrap().into()));
        Self { runtime: Runtime::new(RuntimeConfig::default()).unwrap(), state, nonce: 0 }
    }

    /// Stores a code and makes a contract of it.
    pub(crate) fn deploy(&mut self, wasm: Vec<u8>, args: Vec<u8>) -> ContractId {
        let instantiate = Message::Instantiate {
            code: code_hash(&wasm),
            salt: [0; 32],
            admin: None,
            label: String::new(),
            args,
            value: Amount::ZERO,
        };
        let results = self.run(vec![Message::StoreCode { wasm }, instantiate]);
        let MessageResult::Instantiate { contract, .. } = results[1] else { panic!("{results:?}") };
        contract
    }

    /// Runs messages and keeps what they write.
    pub(crate) fn run(&mut self, messages: Vec<Message>) -> Vec<MessageResult> {
        let transaction = self.transaction(messages);
        let state: Arc<dyn StateRead> = Arc::new(self.state.clone());
        let Execution::Done(effects) = self.runtime.execute(&state, &block(), &transaction).unwrap() else { panic!() };
        self.state.apply(&effects.writes);
        let Outcome::Success { results } = effects.receipt.outcome else { panic!("{:?}", effects.receipt) };
        results
    }

    /// Puts a value into a contract's storage.
    pub(crate) fn set(&mut self, contract: ContractId, key: Vec<u8>, value: Vec<u8>) {
        self.state.set(StateKey::new(contract, key), Some(value.into()));
    }

    /// The next transaction, again and again: what it writes is not kept, so each time is like the first.
    pub(crate) fn repeat(mut self, message: Message) -> Repeated {
        let transaction = self.transaction(vec![message]);
        Repeated { runtime: self.runtime, state: Arc::new(self.state), transaction }
    }

    fn transaction(&mut self, messages: Vec<Message>) -> Transaction {
        self.nonce += 1;
        let body = Body {
            version: VERSION,
            chain: [7; 4],
            sender: SENDER,
            nonce: Nonce(self.nonce),
            valid_until: None,
            gas_limit: Gas(10_000_000),
            max_gas_price: Amount(1),
            fee_payer: None,
            memo: Vec::new(),
            messages,
        };
        Transaction::new(body, &GENESIS)
    }
}

/// A transaction on a state that stays as it is.
#[derive(Clone)]
pub(crate) struct Repeated {
    runtime: Runtime,
    state: Arc<dyn StateRead>,
    transaction: Transaction,
}

impl Repeated {
    pub(crate) fn execute(&self) {
        let Execution::Done(effects) = self.runtime.execute(&self.state, &block(), &self.transaction).unwrap() else {
            panic!()
        };
        assert!(effects.receipt.succeeded(), "{:?}", effects.receipt);
        black_box(effects);
    }
}

/// A message that calls a method.
pub(crate) fn call(contract: ContractId, method: &str, args: Vec<u8>) -> Message {
    Message::Call { contract, method: method.into(), args, value: Amount::ZERO }
}

fn block() -> BlockContext {
    BlockContext {
        genesis: GENESIS,
        epoch: Epoch(0),
        validators: Arc::default(),
        height: Height(1),
        time: Timestamp(1),
        gas_price: Amount(1),
        limits: Limits::default(),
    }
}
