//! A chain in memory for the targets that run code. An error of the machine panics: contracts must not cause any.

use std::sync::{Arc, OnceLock};

use rustorium_runtime::{
    BlockContext, Effects, Execution, InMemoryState, Runtime, RuntimeConfig, StateKey, StateRead, TraceLimits,
    Transaction,
};
use rustorium_types::{
    block::{MessageResult, Outcome},
    code::Code,
    hash,
    id::{AccountId, Amount, ContractId, Epoch, Gas, Hash, Height, Nonce, Timestamp},
    limits::Limits,
    state::Account,
    transaction::{Body, Message, VERSION},
};

const SENDER: AccountId = AccountId([1; 32]);
const GENESIS: Hash = Hash([7; 32]);
/// Gas of a call: enough to do harm, little enough to try many.
const CALL_GAS: u64 = 5_000_000;
/// Gas of storing and making one: what a transaction may have.
const DEPLOY_GAS: u64 = 100_000_000;

/// A contract and the state that it is in.
pub struct Deployed {
    runtime: &'static Runtime,
    state: Arc<dyn StateRead>,
    contract: ContractId,
}

/// The runtime of all runs, by whether it optimizes. It keeps few modules: each is seen once.
pub fn runtime(optimize: bool) -> &'static Runtime {
    static RUNTIMES: [OnceLock<Runtime>; 2] = [const { OnceLock::new() }; 2];
    let config = || RuntimeConfig { executions: 1, module_bytes: 1 << 20, optimize, ..RuntimeConfig::default() };
    RUNTIMES[usize::from(optimize)].get_or_init(|| Runtime::new(config()).expect("a runtime"))
}

/// Stores and instantiates a module; nothing if its `init` fails.
pub fn deploy(optimize: bool, wasm: Vec<u8>) -> Option<Deployed> {
    let runtime = runtime(optimize);
    let mut state = InMemoryState::default();
    let rich = Account { balance: Amount(u128::MAX >> 1), ..Account::default() };
    state.set(StateKey::account(SENDER), Some(borsh::to_vec(&rich).expect("encodes").into()));
    let code = hash::code_hash(&wasm);
    let instantiate = Message::Instantiate {
        code,
        salt: [0; 32],
        admin: None,
        label: String::new(),
        args: Vec::new(),
        value: Amount::ZERO,
    };
    let stored = execute(runtime, &shared(&state), 1, DEPLOY_GAS, Message::StoreCode { wasm });
    if let Outcome::Failure(failure) = &stored.receipt.outcome {
        // A module may cost more than a transaction has.
        assert_eq!(failure.code, Code::OutOfGas, "{:?}", stored.diagnostics);
        return None;
    }
    state.apply(&stored.writes);
    let made = execute(runtime, &shared(&state), 2, DEPLOY_GAS, instantiate);
    state.apply(&made.writes);
    let Outcome::Success { results } = made.receipt.outcome else { return None };
    let Some(MessageResult::Instantiate { contract, .. }) = results.first() else { return None };
    Some(Deployed { runtime, contract: *contract, state: Arc::new(state) })
}

/// What a call comes to, which is the same for whoever looks on. Nothing of it is applied.
pub fn call(deployed: &Deployed, method: &str, args: &[u8]) -> Effects {
    let call =
        Message::Call { contract: deployed.contract, method: method.into(), args: args.into(), value: Amount::ZERO };
    execute(deployed.runtime, &deployed.state, 3, CALL_GAS, call)
}

fn shared(state: &InMemoryState) -> Arc<dyn StateRead> {
    Arc::new(state.clone())
}

fn execute(runtime: &Runtime, state: &Arc<dyn StateRead>, nonce: u64, gas: u64, message: Message) -> Effects {
    let block = BlockContext {
        genesis: GENESIS,
        epoch: Epoch(0),
        validators: Arc::default(),
        height: Height(1),
        time: Timestamp(1),
        gas_price: Amount(1),
        limits: Limits::default(),
    };
    let body = Body {
        version: VERSION,
        chain: [7; 4],
        sender: SENDER,
        nonce: Nonce(nonce),
        valid_until: None,
        gas_limit: Gas(gas),
        max_gas_price: Amount(1),
        fee_payer: None,
        memo: Vec::new(),
        messages: vec![message],
    };
    let transaction = Transaction::new(body, &GENESIS);
    let execution = runtime.execute(state, &block, &transaction).expect("contracts cannot make the machine fail");
    let traced = runtime.trace(state, &block, &transaction, TraceLimits::default()).expect("nor if it is looked at");
    assert_eq!(execution, traced.0);
    match execution {
        Execution::Done(effects) => effects,
        Execution::NoOp(no_op) => panic!("{no_op:?}"),
    }
}
