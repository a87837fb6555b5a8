//! A token transfer (two reads, two writes, an event) through the whole of `execute`, against the same WebAssembly in
//! bare wasmtime with its default allocator: a fresh instance for each call, fuel on, state in a hash map.
#![expect(clippy::unwrap_used, reason = "a bench")]

use std::{collections::HashMap, hint::black_box, sync::Arc};

use criterion::{Criterion, Throughput, criterion_group};
use rustorium_runtime::{
    BlockContext, Execution, InMemoryState, Runtime, RuntimeConfig, StateKey, StateRead, Transaction,
};
use rustorium_types::{
    block::{MessageResult, Outcome},
    id::{AccountId, Amount, ContractId, Gas, Hash, Height, Nonce, Timestamp},
    limits::Limits,
    state::Account,
    transaction::{Body, Message, VERSION},
};

const SENDER: AccountId = AccountId([1; 32]);
const GENESIS: Hash = Hash([7; 32]);
/// Calls of one measurement on each of two threads.
const BATCH: u64 = 64;

/// Arguments: the keys of two balances, 32 bytes each, and an amount of 8 bytes. A balance is 8 bytes.
const TOKEN: &str = r#"(module
    (import "rustorium.1" "arguments" (func $arguments (param i32 i32) (result i64)))
    (import "rustorium.1" "storage_read" (func $read (param i32 i32 i32 i32) (result i64)))
    (import "rustorium.1" "storage_write" (func $write (param i32 i32 i32 i32)))
    (import "rustorium.1" "emit" (func $emit (param i32 i32 i32 i32)))
    (memory (export "memory") 1)
    (data (i32.const 512) "Transfer")
    (func (export "call.transfer")
        (drop (call $arguments (i32.const 0) (i32.const 72)))
        (drop (call $read (i32.const 0) (i32.const 32) (i32.const 128) (i32.const 8)))
        (drop (call $read (i32.const 32) (i32.const 32) (i32.const 136) (i32.const 8)))
        (i64.store (i32.const 128) (i64.sub (i64.load (i32.const 128)) (i64.load (i32.const 64))))
        (i64.store (i32.const 136) (i64.add (i64.load (i32.const 136)) (i64.load (i32.const 64))))
        (call $write (i32.const 0) (i32.const 32) (i32.const 128) (i32.const 8))
        (call $write (i32.const 32) (i32.const 32) (i32.const 136) (i32.const 8))
        (call $emit (i32.const 512) (i32.const 8) (i32.const 0) (i32.const 72))))"#;

fn arguments() -> Vec<u8> {
    [&[3; 32][..], &[4; 32], &1u64.to_le_bytes()].concat()
}

fn block() -> BlockContext {
    BlockContext {
        genesis: GENESIS,
        height: Height(1),
        time: Timestamp(1),
        gas_price: Amount(1),
        limits: Limits::default(),
    }
}

fn transaction(nonce: u64, messages: Vec<Message>) -> Transaction {
    let body = Body {
        version: VERSION,
        chain: [7; 4],
        sender: SENDER,
        nonce: Nonce(nonce),
        valid_until: None,
        gas_limit: Gas(10_000_000),
        max_gas_price: Amount(1),
        fee_payer: None,
        memo: Vec::new(),
        messages,
    };
    Transaction::new(body, &GENESIS)
}

/// A runtime, a state with the token in it, and a transaction that transfers.
fn deployed() -> (Runtime, Arc<dyn StateRead>, Transaction) {
    let runtime = Runtime::new(RuntimeConfig::default()).unwrap();
    let mut state = Arc::new(InMemoryState::default());
    let rich = Account { balance: Amount(u128::MAX >> 1), ..Account::default() };
    Arc::get_mut(&mut state).unwrap().set(StateKey::account(SENDER), Some(borsh::to_vec(&rich).unwrap().into()));
    let wasm = wat::parse_str(TOKEN).unwrap();
    let code = rustorium_types::hash::code_hash(&wasm);
    let instantiate = Message::Instantiate {
        code,
        salt: [0; 32],
        admin: None,
        label: String::new(),
        args: Vec::new(),
        value: Amount::ZERO,
    };
    let deploy = transaction(1, vec![Message::StoreCode { wasm }, instantiate]);
    let read: Arc<dyn StateRead> = state.clone();
    let Execution::Done(effects) = runtime.execute(&read, &block(), &deploy).unwrap() else { panic!() };
    drop(read);
    let Outcome::Success { results } = &effects.receipt.outcome else { panic!("{:?}", effects.receipt) };
    let MessageResult::Instantiate { contract, .. } = results[1] else { panic!() };
    let memory = Arc::get_mut(&mut state).unwrap();
    memory.apply(&effects.writes);
    for account in [3u8, 4] {
        memory.set(StateKey::new(contract, vec![account; 32]), Some((1u64 << 40).to_le_bytes().to_vec().into()));
    }
    (runtime, state, transfer(contract))
}

fn transfer(contract: ContractId) -> Transaction {
    let call = Message::Call { contract, method: "transfer".into(), args: arguments(), value: Amount::ZERO };
    transaction(2, vec![call])
}

fn execute(runtime: &Runtime, state: &Arc<dyn StateRead>, transfer: &Transaction) {
    let Execution::Done(effects) = runtime.execute(state, &block(), transfer).unwrap() else { panic!() };
    assert!(effects.receipt.succeeded());
    black_box(effects);
}

/// Bare wasmtime: what its documentation's first example does, with fuel.
struct Bare {
    engine: wasmtime::Engine,
    instance: wasmtime::InstancePre<BareState>,
}

#[derive(Default)]
struct BareState {
    arguments: Vec<u8>,
    entries: HashMap<Vec<u8>, Vec<u8>>,
    events: Vec<Vec<u8>>,
}

impl Bare {
    fn new() -> Self {
        let mut config = wasmtime::Config::new();
        config.consume_fuel(true);
        let engine = wasmtime::Engine::new(&config).unwrap();
        let module = wasmtime::Module::new(&engine, wat::parse_str(TOKEN).unwrap()).unwrap();
        let instance = bare_linker(&engine).instantiate_pre(&module).unwrap();
        Self { engine, instance }
    }

    fn call(&self, entries: HashMap<Vec<u8>, Vec<u8>>) -> HashMap<Vec<u8>, Vec<u8>> {
        let state = BareState { arguments: arguments(), entries, events: Vec::new() };
        let mut store = wasmtime::Store::new(&self.engine, state);
        store.set_fuel(10_000_000).unwrap();
        let instance = self.instance.instantiate(&mut store).unwrap();
        let function = instance.get_typed_func::<(), ()>(&mut store, "call.transfer").unwrap();
        function.call(&mut store, ()).unwrap();
        let state = store.into_data();
        black_box(state.events);
        state.entries
    }
}

fn bare_linker(engine: &wasmtime::Engine) -> wasmtime::Linker<BareState> {
    type Caller<'a> = wasmtime::Caller<'a, BareState>;
    fn memory<'a>(caller: &'a mut Caller<'_>) -> (&'a mut [u8], &'a mut BareState) {
        let memory = caller.get_export("memory").and_then(wasmtime::Extern::into_memory).unwrap();
        memory.data_and_store_mut(caller)
    }
    fn slice(memory: &[u8], pointer: u32, length: u32) -> &[u8] {
        &memory[pointer as usize..][..length as usize]
    }
    let mut linker = wasmtime::Linker::new(engine);
    let module = "rustorium.1";
    linker
        .func_wrap(module, "arguments", |mut caller: Caller<'_>, target: u32, _: u32| {
            let (memory, state) = memory(&mut caller);
            memory[target as usize..][..state.arguments.len()].copy_from_slice(&state.arguments);
            state.arguments.len() as i64
        })
        .unwrap();
    linker
        .func_wrap(module, "storage_read", |mut caller: Caller<'_>, key: u32, length: u32, target: u32, _: u32| {
            let (memory, state) = memory(&mut caller);
            let value = state.entries.get(slice(memory, key, length)).unwrap();
            memory[target as usize..][..value.len()].copy_from_slice(value);
            value.len() as i64
        })
        .unwrap();
    linker
        .func_wrap(
            module,
            "storage_write",
            |mut caller: Caller<'_>, key: u32, key_length: u32, value: u32, length: u32| {
                let (memory, state) = memory(&mut caller);
                state.entries.insert(slice(memory, key, key_length).to_vec(), slice(memory, value, length).to_vec());
            },
        )
        .unwrap();
    linker
        .func_wrap(module, "emit", |mut caller: Caller<'_>, _: u32, _: u32, fields: u32, length: u32| {
            let (memory, state) = memory(&mut caller);
            state.events.push(slice(memory, fields, length).to_vec());
        })
        .unwrap();
    linker
}

fn bare_entries() -> HashMap<Vec<u8>, Vec<u8>> {
    [3u8, 4].into_iter().map(|account| (vec![account; 32], (1u64 << 40).to_le_bytes().to_vec())).collect()
}

fn one_thread(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("contract_transfer_one_thread");
    group.throughput(Throughput::Elements(BATCH));
    let (runtime, state, transfer) = deployed();
    group.bench_function("rustorium", |bencher| {
        bencher.iter(|| (0..BATCH).for_each(|_| execute(&runtime, &state, &transfer)));
    });
    let bare = Bare::new();
    group.bench_function("wasmtime", |bencher| {
        let mut entries = bare_entries();
        bencher.iter(|| (0..BATCH).for_each(|_| entries = bare.call(std::mem::take(&mut entries))));
    });
    group.finish();
}

fn two_threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("contract_transfer_two_threads");
    group.throughput(Throughput::Elements(2 * BATCH));
    let (runtime, state, transfer) = deployed();
    let on_two = |work: &(dyn Fn() + Sync)| {
        std::thread::scope(|scope| {
            scope.spawn(work);
            work();
        });
    };
    let threads: Vec<_> = (0..2).map(|_| Worker::start(runtime.clone(), state.clone(), transfer.clone())).collect();
    group.bench_function("rustorium", |bencher| {
        bencher.iter(|| {
            threads.iter().for_each(Worker::begin);
            threads.iter().for_each(Worker::wait);
        });
    });
    let bare = Bare::new();
    group.bench_function("wasmtime", |bencher| {
        bencher.iter(|| {
            on_two(&|| {
                let mut entries = bare_entries();
                (0..BATCH).for_each(|_| entries = bare.call(std::mem::take(&mut entries)));
            });
        });
    });
    group.finish();
}

/// A thread that executes a batch whenever it is told to.
struct Worker {
    begin: std::sync::mpsc::Sender<()>,
    done: std::sync::mpsc::Receiver<()>,
}

impl Worker {
    fn start(runtime: Runtime, state: Arc<dyn StateRead>, transfer: Transaction) -> Self {
        let (begin, begun) = std::sync::mpsc::channel();
        let (finish, done) = std::sync::mpsc::channel();
        rustorium_runtime::spawn("execute", move || {
            while begun.recv().is_ok() {
                (0..BATCH).for_each(|_| execute(&runtime, &state, &transfer));
                finish.send(()).unwrap();
            }
        })
        .unwrap();
        Self { begin, done }
    }

    fn begin(&self) {
        self.begin.send(()).unwrap();
    }

    fn wait(&self) {
        self.done.recv().unwrap();
    }
}

criterion_group!(benches, one_thread, two_threads);

fn main() {
    // Executions belong on a thread that is deep enough, and criterion runs on the thread that it is called on.
    let bench = || {
        benches();
        Criterion::default().configure_from_args().final_summary();
    };
    rustorium_runtime::spawn("bench", bench).unwrap().join().unwrap();
}
