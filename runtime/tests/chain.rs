//! A chain in memory for the tests: funds, deploys, sends, and applies effects as an engine would.

use std::sync::Arc;

use borsh::BorshSerialize;
use rustorium_runtime::{
    BlockContext, Effects, Execution, InMemoryState, Runtime, RuntimeConfig, StateKey, StateRead, Trace, TraceLimits,
    Transaction, ViewOutcome,
};
use rustorium_types::{
    block::{Failure, MessageResult, Outcome},
    hash,
    id::{AccountId, Address, Amount, ContractId, Epoch, Gas, Hash, Height, Nonce, Timestamp},
    limits::Limits,
    state::Account,
    transaction::{Body, Message, VERSION},
};

use crate::table::{Row, TABLE};

/// Sends everything.
pub const ALICE: AccountId = AccountId([0xa1; 32]);
/// Receives some things.
pub const BOB: AccountId = AccountId([0xb0; 32]);
/// What Alice starts with.
pub const FUNDS: u128 = 1_000_000_000_000;
/// Gas limit of a transaction that does not say.
pub const GAS: u64 = 50_000_000;

/// A chain.
pub struct Chain {
    pub runtime: Runtime,
    /// What the newest transaction did.
    pub trace: Trace,
    pub state: Arc<InMemoryState>,
    pub block: BlockContext,
    next_nonce: u64,
    next_salt: u32,
}

impl Chain {
    pub fn new() -> Self {
        Self::with(RuntimeConfig { executions: 4, ..RuntimeConfig::default() })
    }

    pub fn with(config: RuntimeConfig) -> Self {
        let mut chain = Self {
            runtime: Runtime::new(config).unwrap(),
            trace: Trace::default(),
            state: Arc::default(),
            block: BlockContext {
                genesis: Hash([7; 32]),
                epoch: Epoch(0),
                validators: Arc::default(),
                height: Height(12),
                time: Timestamp(1_700_000_000_000),
                gas_price: Amount(2),
                limits: Limits::default(),
            },
            next_nonce: 1,
            next_salt: 0,
        };
        chain.fund(ALICE, FUNDS);
        chain
    }

    /// Goes on from another state, as a new chain.
    pub fn restart(&mut self, state: InMemoryState) {
        self.state = Arc::new(state);
        (self.next_nonce, self.next_salt) = (1, 0);
    }

    /// Goes on as if so many transactions had been sent.
    pub fn skip_nonces(&mut self, count: u64) {
        self.next_nonce += count;
    }

    pub fn fund(&mut self, account: AccountId, amount: u128) {
        let record = Account { balance: Amount(amount), ..Account::default() };
        self.set(StateKey::account(account), &record);
    }

    pub fn set(&mut self, key: StateKey, value: &impl BorshSerialize) {
        Arc::get_mut(&mut self.state).unwrap().set(key, Some(borsh::to_vec(value).unwrap().into()));
    }

    /// A body from Alice with her next nonce.
    pub fn body(&mut self, messages: Vec<Message>) -> Body {
        let nonce = Nonce(self.next_nonce);
        self.next_nonce += 1;
        Body {
            version: VERSION,
            chain: [7; 4],
            sender: ALICE,
            nonce,
            valid_until: None,
            gas_limit: Gas(GAS),
            max_gas_price: Amount(3),
            fee_payer: None,
            memo: Vec::new(),
            messages,
        }
    }

    /// Executes a body and applies its effects. Every execution of these tests is traced too, and comes to the same.
    pub fn execute(&mut self, body: Body) -> Execution {
        let transaction = Transaction::new(body, &self.block.genesis);
        let state: Arc<dyn StateRead> = self.state.clone();
        let execution = self.runtime.execute(&state, &self.block, &transaction).unwrap();
        let (traced, trace) = self.runtime.trace(&state, &self.block, &transaction, TraceLimits::default()).unwrap();
        assert_eq!(traced, execution, "looking on changes nothing");
        self.trace = trace;
        drop(state);
        if let Execution::Done(effects) = &execution {
            // Works only because the runtime has dropped its clones of the state.
            Arc::get_mut(&mut self.state).unwrap().apply(&effects.writes);
        }
        execution
    }

    /// As [`Self::execute`], of a transaction that has a receipt.
    pub fn send_body(&mut self, body: Body) -> Effects {
        match self.execute(body) {
            Execution::Done(effects) => effects,
            Execution::NoOp(no_op) => panic!("nothing happened: {no_op:?}"),
        }
    }

    pub fn send(&mut self, messages: Vec<Message>) -> Effects {
        let body = self.body(messages);
        self.send_body(body)
    }

    pub fn call(&mut self, contract: ContractId, method: &str, args: &[u8]) -> Effects {
        self.call_with(contract, method, args, 0, GAS)
    }

    pub fn call_with(&mut self, contract: ContractId, method: &str, args: &[u8], value: u128, gas: u64) -> Effects {
        let message = Message::Call { contract, method: method.into(), args: args.into(), value: Amount(value) };
        let body = Body { gas_limit: Gas(gas), ..self.body(vec![message]) };
        self.send_body(body)
    }

    /// What a call that must succeed returns.
    pub fn returned(&mut self, contract: ContractId, method: &str, args: &[u8]) -> Vec<u8> {
        returned(&self.call(contract, method, args))
    }

    pub fn view(&self, contract: ContractId, view: &str, args: &[u8]) -> ViewOutcome {
        let state: Arc<dyn StateRead> = self.state.clone();
        self.runtime.view(&state, &self.block, contract, view, args, Gas(GAS)).unwrap()
    }

    pub fn store(&mut self, wat: &str) -> Hash {
        self.store_wasm(wat::parse_str(wat).unwrap())
    }

    pub fn store_wasm(&mut self, wasm: Vec<u8>) -> Hash {
        let code = hash::code_hash(&wasm);
        let effects = self.send(vec![Message::StoreCode { wasm }]);
        assert!(effects.receipt.succeeded(), "{:?} {:?}", effects.receipt, effects.diagnostics);
        code
    }

    /// Stores and instantiates a contract of text.
    pub fn deploy(&mut self, wat: &str) -> ContractId {
        let code = self.store(wat);
        self.instantiate(code, Vec::new())
    }

    pub fn instantiate(&mut self, code: Hash, args: Vec<u8>) -> ContractId {
        let message = self.instantiation(code, args);
        let effects = self.send(vec![message]);
        let Outcome::Success { results } = effects.receipt.outcome else {
            panic!("{:?} {:?}", effects.receipt.outcome, effects.diagnostics)
        };
        let [MessageResult::Instantiate { contract, .. }] = results[..] else { panic!("{results:?}") };
        contract
    }

    pub fn instantiation(&mut self, code: Hash, args: Vec<u8>) -> Message {
        self.next_salt += 1;
        Message::Instantiate {
            code,
            salt: blake3::hash(&self.next_salt.to_le_bytes()).into(),
            admin: Some(Address::Account(ALICE)),
            label: "test".into(),
            args,
            value: Amount::ZERO,
        }
    }

    pub fn balance(&self, address: impl Into<Address>) -> u128 {
        let value = self.state.read(&StateKey::account(address.into())).unwrap();
        value.map_or(0, |bytes| borsh::from_slice::<Account>(&bytes).unwrap().balance.0)
    }

    pub fn entry(&self, contract: ContractId, key: &'static [u8]) -> Option<Vec<u8>> {
        self.state.read(&StateKey::new(contract, key)).unwrap().map(|value| value.to_vec())
    }
}

/// What the only message of a transaction that must have succeeded returned.
pub fn returned(effects: &Effects) -> Vec<u8> {
    let Outcome::Success { results } = &effects.receipt.outcome else {
        panic!("{:?} {:?}", effects.receipt.outcome, effects.diagnostics)
    };
    let [MessageResult::Call { returned } | MessageResult::Transfer { returned } | MessageResult::Upgrade { returned }] =
        &results[..]
    else {
        panic!("{results:?}")
    };
    returned.clone()
}

/// The failure of a transaction that must have failed.
pub fn failure(effects: &Effects) -> &Failure {
    let Outcome::Failure(failure) = &effects.receipt.outcome else { panic!("{:?}", effects.receipt.outcome) };
    failure
}

/// The exports that a failure's path names.
pub fn path(failure: &Failure) -> Vec<&str> {
    failure.path.iter().map(|frame| frame.export.as_str()).collect()
}

/// A module of these fields, with every host function imported and one page of memory.
pub fn contract(fields: &str) -> String {
    contract_of_pages(1, fields)
}

/// As [`contract`], with so many pages of memory.
pub fn contract_of_pages(pages: u32, fields: &str) -> String {
    contract_of_memory(&pages.to_string(), fields)
}

/// As [`contract`], with a memory of this type in the text format.
pub fn contract_of_memory(memory: &str, fields: &str) -> String {
    format!("(module {} (memory (export \"memory\") {memory}) {fields})", imports())
}

/// The whole host table in the text format.
pub fn imports() -> String {
    TABLE.iter().map(Row::import).collect()
}
