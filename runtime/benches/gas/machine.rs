//! A contract that does rounds of classes, and how long a round takes.
//!
//! ```text
//! arguments   rounds 4 │ code hash 32 │ public key 32 │ signature 64 │ message 32 │ gas to enter it 8 │ addresses of the heavy, 33 each
//! memory      0 the arguments │ 1024 names, and numbers that the compiler does not know │ 2048 zeros │ 3072 its address │ 4096 sevens │ 8192 results
//!             65536 a chain of addresses
//! ```

use std::{sync::Arc, time::Instant};

use rustorium_runtime::{Execution, RuntimeConfig, StateKey, StateRead, Transaction};
use rustorium_types::{
    ed25519::SigningKey,
    hash,
    id::{Address, Amount, ContractId, Gas, Hash},
    state::Account,
    transaction::{Body, Message},
};

use crate::{
    chain::{ALICE, Chain, contract_of_memory},
    classes::Class,
    heavy,
};

/// Gas of a transaction: a block's, more than a chain allows, so that there are many rounds beside a memory of 16 MiB.
const GAS: u64 = 1_000_000_000;
/// Functions that calls through the table can go to.
const TARGETS: usize = 64;
/// Bytes from one address of the chain to the place of the next: a line of the machine's cache.
const LINE: u32 = 64;
/// Where the gas is that a frame of the contract itself takes to enter.
pub const FRAME_GAS: usize = 164;
/// Where the address of the first heavy contract is.
pub const HEAVY: usize = 172;
/// Bytes of compiled modules: none ever leaves.
const MODULE_BYTES: usize = 16 << 30;

/// A chain with what classes need beside their own contract.
pub struct World {
    chain: Chain,
    heavy: Vec<ContractId>,
}

/// A contract on the chain.
pub struct Machine<'a> {
    world: &'a mut World,
    contract: ContractId,
    code: Hash,
    /// What a frame of it takes to enter.
    frame_gas: Gas,
    /// What its transactions have in common.
    body: Body,
    /// Rounds of a transaction at the most, where something but gas limits them.
    most_rounds: u32,
}

/// What one round takes.
#[derive(Clone, Copy, Debug)]
pub struct Speed {
    pub gas: f64,
    pub ns: f64,
}

impl Speed {
    pub fn ns_per_gas(&self) -> f64 {
        self.ns / self.gas
    }
}

impl World {
    pub fn new() -> Self {
        let config = RuntimeConfig { executions: 2, module_bytes: MODULE_BYTES, ..RuntimeConfig::default() };
        let mut chain = Chain::with(config);
        chain.fund(ALICE, 1 << 100);
        chain.block.limits.transaction_gas = Gas(GAS);
        let heavy = heavy::all().iter().map(|heavy| deploy(&mut chain, &heavy.wat)).collect();
        Self { chain, heavy }
    }

    /// A contract whose rounds do each class so many times, with so many pages to walk through; none if it would be
    /// over a limit.
    pub fn machine(&mut self, classes: &[(&Class, usize)], pages: u32) -> Option<Machine<'_>> {
        let wasm = wat::parse_str(module(classes, pages)).unwrap();
        self.chain.runtime.inspect(&wasm).ok()?;
        let code = self.chain.store_wasm(wasm);
        let contract = self.chain.instantiate(code, Vec::new());
        self.chain.set(StateKey::account(contract), &Account { balance: Amount(1 << 100), ..Account::default() });
        let state = Arc::get_mut(&mut self.chain.state).unwrap();
        state.set(StateKey::new(contract, &b"short"[..]), Some(vec![1; 32].into()));
        state.set(StateKey::new(contract, &b"large"[..]), Some(vec![1; 32 << 10].into()));
        let most_rounds = classes.iter().map(|(class, times)| class.most / *times as u32).min().unwrap_or(u32::MAX);
        // Nothing that it does is applied, so it can do it again and again under one nonce.
        let body = self.chain.body(Vec::new());
        let frame_gas = self.chain.view(contract, "noop", b"").gas_used;
        Some(Machine { world: self, contract, code, frame_gas, body, most_rounds })
    }
}

/// Stores and instantiates what may take all the gas that there is.
fn deploy(chain: &mut Chain, wat: &str) -> ContractId {
    let wasm = wat::parse_str(wat).unwrap();
    let code = hash::code_hash(&wasm);
    let store = Body { gas_limit: Gas(GAS), ..chain.body(vec![Message::StoreCode { wasm }]) };
    let effects = chain.send_body(store);
    assert!(effects.receipt.succeeded(), "{:?} {:?}", effects.receipt, effects.diagnostics);
    chain.instantiate(code, Vec::new())
}

impl Machine<'_> {
    /// Gas and nanoseconds of a round; nothing if it cannot be done again and again.
    pub fn speed(&mut self, gas: u64, repeats: usize) -> Option<Speed> {
        let (gas_of_none, _) = self.run(0)?;
        let few = 4.min(self.most_rounds);
        let (gas_of_few, _) = self.run(few)?;
        let per_round = ((gas_of_few - gas_of_none) / u64::from(few)).max(1);
        let most = (GAS * 9 / 10).saturating_sub(gas_of_none) / per_round;
        let rounds = (gas / per_round).clamp(1, most.max(1)).min(u64::from(self.most_rounds)) as u32;
        let (mut gas_of_all, mut ns_of_all, mut ns_of_none) = (0, u64::MAX, u64::MAX);
        // In turns: a machine is not equally fast all the time.
        for _ in 0..repeats {
            let (gas, ns) = self.run(rounds)?;
            (gas_of_all, ns_of_all) = (gas, ns_of_all.min(ns));
            ns_of_none = ns_of_none.min(self.run(0)?.1);
        }
        Some(Speed {
            gas: (gas_of_all - gas_of_none) as f64 / f64::from(rounds),
            ns: (ns_of_all.saturating_sub(ns_of_none)).max(1) as f64 / f64::from(rounds),
        })
    }

    /// Gas and nanoseconds of a transaction of so many rounds, if it succeeds. Nothing of it is applied.
    fn run(&mut self, rounds: u32) -> Option<(u64, u64)> {
        let chain = &self.world.chain;
        let key = SigningKey::from_seed([5; 32]);
        let message = [9; 32];
        let mut args = rounds.to_le_bytes().to_vec();
        for part in [&self.code.0[..], &key.public_key().0, &key.sign(&message).0, &message] {
            args.extend_from_slice(part);
        }
        args.extend(self.frame_gas.0.to_le_bytes());
        self.world.heavy.iter().for_each(|heavy| args.extend(Address::Contract(*heavy).to_bytes()));
        let call = Message::Call { contract: self.contract, method: "run".into(), args, value: Amount::ZERO };
        let body = Body { gas_limit: Gas(GAS), messages: vec![call], ..self.body.clone() };
        let transaction = Transaction::new(body, &chain.block.genesis);
        let state: Arc<dyn StateRead> = chain.state.clone();
        let started = Instant::now();
        let execution = chain.runtime.execute(&state, &chain.block, &transaction).unwrap();
        let ns = started.elapsed().as_nanos() as u64;
        let Execution::Done(effects) = execution else { panic!("nothing happened") };
        effects.receipt.succeeded().then_some((effects.receipt.gas_used.0, ns))
    }
}

/// The module: everything that fragments of classes may use is there.
fn module(classes: &[(&Class, usize)], pages: u32) -> String {
    let body: String = classes.iter().map(|(class, times)| class.code.repeat(*times)).collect();
    let mut functions: Vec<&str> = classes.iter().map(|(class, _)| &*class.functions).collect();
    functions.sort_unstable();
    functions.dedup();
    let targets: String = (0..TARGETS)
        .map(|index| format!("(func $t{index} (param i64) (result i64) (i64.xor (local.get 0) (i64.const {index})))"))
        .collect();
    let elements: String = (0..TARGETS).map(|index| format!("$t{index} ")).collect();
    // A full round trip over all lines of the memory behind the first page, in no order that can be foreseen: a linear
    // congruence whose factor less one has every prime that the number of lines has.
    let lines = pages * (65_536 / LINE);
    let factor = 60 * pages + 1;
    // A memory that says how large it may become, as the builder's do; others are large.
    let most = match pages {
        ..16 => 16,
        16..32 => 32,
        _ => 256,
    };
    contract_of_memory(
        &format!("{} {most}", pages + 1),
        &format!(
            r#"(type $hop (func (param i64) (result i64)))
            (table 8192 funcref) (elem (i32.const 0) {elements}) (elem $passive func {elements})
            (data $passive "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
            (data (i32.const 1024) "name") (data (i32.const 1032) "short") (data (i32.const 1040) "large")
            (data (i32.const 1048) "noop")
            (data (i32.const 1088) "\91\f4\45\25\0d\00\00\00\40\00\00\00\00\00\00\00"
                "\ef\cd\ab\89\67\45\23\01\fd\03\00\00\00\00\00\00\10\32\54\76\98\ba\dc\7e")
            (global $g (mut i64) (i64.const 1)) (global $h (mut i64) (i64.const 1))
            {targets} {functions}
            (func $empty) (func $five (param i64 i64 i64 i64 i64) (result i64) (local.get 3))
            (func $deepen (param $n i32)
                (if (local.get $n) (then (call $deepen (i32.sub (local.get $n) (i32.const 1))))))
            (func (export "view.noop")) (func (export "call.noop")) (func (export "reentrant.noop"))
            (func (export "receive")) (func (export "reentrant.receive"))
            (func (export "view.trap") unreachable)
            (func (export "view.load") (drop (i32.load (i32.const -1))))
            (func (export "view.panic") (call $panic (i32.const 1024) (i32.const 4)))
            (func (export "view.fail") (call $fail (i32.const 1024) (i32.const 4) (i32.const 0) (i32.const 0)))
            (func (export "view.spin") (loop (br 0)))
            (func $forever (export "view.deep") (call $forever))
            (func (export "view.grow") (local $i i32)
                (loop
                    (i32.store (i32.shl (memory.grow (i32.const 1)) (i32.const 16)) (i32.const 1))
                    (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 14)))))
            (func (export "view.touch") (local $i i32)
                (loop (i64.store (i32.add (i32.const 65536) (local.get $i)) (i64.const 1))
                    (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4096))) (i32.const {touched})))))
            (func (export "view.hop") (local $i i32)
                (loop (drop (call_indirect (type $hop) (i64.const 1) (i32.and (local.get $i) (i32.const 63))))
                    (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 64)))))
            (func (export "call.run") (local $n i32) (local $a i32) (local $b i32) (local $p i32) (local $q i32)
                (local $zero i32) (local $some i32) (local $x i64) (local $y i64) (local $big i64) (local $r i32)
                (drop (call $arguments (i32.const 0) (i32.const 1024)))
                (memory.fill (i32.const 4096) (i32.const 7) (i32.const 4096))
                (call $this (i32.const 3072))
                (local.set $n (i32.load (i32.const 0)))
                (local.set $r (i32.const 12345))
                (loop $chain
                    (i32.store (i32.add (i32.const 65536) (i32.mul (local.get $a) (i32.const {LINE})))
                        (i32.add (i32.const 65536) (i32.mul (i32.const {LINE})
                            (i32.rem_u (i32.add (i32.mul (local.get $a) (i32.const {factor})) (i32.const 65537))
                                (i32.const {lines})))))
                    (br_if $chain (i32.lt_u (local.tee $a (i32.add (local.get $a) (i32.const 1))) (i32.const {lines}))))
                (local.set $a (i32.load (i32.const 1088))) (local.set $b (i32.load (i32.const 1092)))
                (local.set $p (i32.const 65536)) (local.set $q (i32.const 20480))
                (local.set $some (i32.load (i32.const 1096))) (local.set $zero (i32.load (i32.const 1100)))
                (local.set $x (i64.load (i32.const 1104))) (local.set $y (i64.load (i32.const 1112)))
                (local.set $big (i64.load (i32.const 1120)))
                (if (local.get $n) (then (loop $round
                    {body}
                    (br_if $round (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))
                (global.set $g (i64.add (local.get $x)
                    (i64.extend_i32_u (i32.add (local.get $a) (i32.add (local.get $p) (local.get $q))))))
                (i64.store (i32.const 8) (global.get $g)))"#,
            functions = functions.join(" "),
            touched = pages << 16,
        ),
    )
}
