//! What things cost, frozen: a change here changes every chain, so it must be meant.

use rustorium_types::{
    code::Code,
    id::{Address, Amount, Gas},
    limits::TRANSACTION_GAS,
    transaction::{Body, Message},
};

use crate::chain::{BOB, Chain, FUNDS, GAS, contract, contract_of_memory, failure};

/// Methods, each of which does one thing once.
const METHODS: &[(&str, &str, u64)] = &[
    ("nothing", "", 112_188),
    ("arguments", "(drop (call $arguments (i32.const 0) (i32.const 64)))", 112_462),
    ("return_data", "(call $return_data (i32.const 0) (i32.const 32))", 112_494),
    ("log", "(call $log (i32.const 0) (i32.const 32))", 113_962),
    ("storage_read", "(drop (call $storage_read (i32.const 0) (i32.const 32) (i32.const 0) (i32.const 64)))", 115_236),
    ("storage_write", "(call $storage_write (i32.const 0) (i32.const 32) (i32.const 0) (i32.const 16))", 133_644),
    ("storage_remove", "(call $storage_remove (i32.const 0) (i32.const 32))", 132_298),
    ("caller", "(drop (call $caller (i32.const 0)))", 112_401),
    ("balance", "(call $this (i32.const 0)) (call $balance (i32.const 0) (i32.const 64))", 116_415),
    ("height", "(drop (call $height))", 112_400),
    ("emit", "(call $emit (i32.const 512) (i32.const 8) (i32.const 0) (i32.const 32))", 116_604),
    ("sha256", "(call $sha256 (i32.const 0) (i32.const 64) (i32.const 128))", 113_163),
    ("keccak256", "(call $keccak256 (i32.const 0) (i32.const 64) (i32.const 128))", 116_483),
    ("blake3", "(call $blake3 (i32.const 0) (i32.const 64) (i32.const 128))", 113_267),
    ("poseidon", "(call $poseidon (i32.const 0) (i32.const 32) (i32.const 128))", 172_203),
    ("ed25519", "(drop (call $ed25519_verify (i32.const 0) (i32.const 32) (i32.const 0) (i32.const 32)))", 442_652),
    ("grow", "(drop (memory.grow (i32.const 3)))", 147_349),
    ("fill", "(memory.fill (i32.const 0) (i32.const 1) (i32.const 60000))", 172_894),
    (
        "loop",
        "(local $i i32) (loop (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if 0 (i32.lt_u (local.get $i) (i32.const 1000))))",
        135_188,
    ),
    (
        "transfer",
        "(drop (call $transfer (i32.const 0) (i32.const 64) (i64.const 0) (i32.const 128) (i32.const 64)))",
        140_205,
    ),
    (
        "query",
        "(call $this (i32.const 0)) (drop (call $query (i32.const 0) (i32.const 512) (i32.const 4)
        (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 128) (i32.const 64)))",
        163_517,
    ),
];

fn methods() -> String {
    let exports: String =
        METHODS.iter().map(|(name, body, _)| format!(r#"(func (export "call.{name}") {body})"#)).collect();
    contract(&format!(r#"(data (i32.const 512) "nothings") (func (export "view.noth")) {exports}"#))
}

#[test]
fn every_price_is_as_it_was() {
    let mut chain = Chain::new();
    let id = chain.deploy(&methods());
    let measured: Vec<(&str, u64)> = METHODS
        .iter()
        .map(|(name, _, _)| {
            let effects = chain.call(id, name, b"");
            assert!(effects.receipt.succeeded(), "{name}: {:?}", effects.diagnostics);
            // The body's length is part of the price, and the name is part of the body.
            (*name, effects.receipt.gas_used.0 - 8 * name.len() as u64)
        })
        .collect();
    let expected: Vec<(&str, u64)> = METHODS.iter().map(|(name, _, gas)| (*name, *gas)).collect();
    assert_eq!(measured, expected);
}

/// Its locals and blocks are part of the price.
const METHOD_OF_BRANCHES: &str = "(func (param i32 i64) (local i32) (block (br_if 0 (local.get 0)) (br 0)))";

#[test]
fn messages_cost_what_they_did() {
    let mut chain = Chain::new();
    let wasm = wat::parse_str(contract(METHOD_OF_BRANCHES)).unwrap();
    let bytes = wasm.len();
    let code = rustorium_types::hash::code_hash(&wasm);
    let store = Message::StoreCode { wasm };
    let instantiation = chain.instantiation(code, Vec::new());
    let messages = [Message::Transfer { to: BOB.into(), amount: Amount(1) }, store.clone(), store, instantiation];
    let measured = messages.map(|message| {
        let effects = chain.send(vec![message]);
        assert!(effects.receipt.succeeded(), "{:?}", effects.diagnostics);
        effects.receipt.gas_used.0
    });
    // A transfer; new code of so many bytes, then the same again; a contract without `init`.
    assert_eq!((measured, bytes), ([81_040, 154_048, 89_707, 91_656], 1_003));
}

#[test]
fn running_out_is_not_a_trap_and_both_use_the_limit() {
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(
        r#"(func $spin (export "call.spin") (loop (br 0)))
        (func (export "call.trap") (drop (i32.div_u (i32.const 1) (i32.load (i32.const 0)))))
        (func (export "call.host") (loop (call $sha256 (i32.const 0) (i32.const 60000) (i32.const 0)) (br 0)))
        (func (export "call.grow") (drop (memory.grow (i32.const 100))))"#,
    ));
    for (method, gas, code) in [
        ("spin", 1_000_000, Code::OutOfGas),
        ("host", 1_000_000, Code::OutOfGas),
        ("grow", 1_000_000, Code::OutOfGas),
        ("trap", 1_000_000, Code::Trap),
        ("spin", 75_000, Code::OutOfGas),
        ("spin", 60_000, Code::OutOfGas),
    ] {
        let effects = chain.call_with(id, method, b"", 0, gas);
        assert_eq!((failure(&effects).code, effects.receipt.gas_used), (code, Gas(gas)), "{method} with {gas}");
    }
    assert!(chain.call_with(id, "grow", b"", 0, 18_000_000).receipt.succeeded());
}

/// What a call of a method takes; it must succeed.
fn price(chain: &mut Chain, wat: &str) -> u64 {
    let id = chain.deploy(wat);
    let effects = chain.call(id, "x", b"");
    assert!(effects.receipt.succeeded(), "{:?}", effects.diagnostics);
    effects.receipt.gas_used.0
}

#[test]
fn straight_code_ends_soon_after_its_gas() {
    // Neither a loop nor a function begins in it, where compiled code compares its fuel by itself.
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(&format!(
        r#"(func (export "call.x") (local i64) (local.set 0 (i64.const 7)) {})"#,
        "(local.set 0 (i64.rem_u (i64.const 1000000007) (i64.add (local.get 0) (i64.const 3))))".repeat(10_000)
    )));
    let used = chain.call(id, "x", b"").receipt.gas_used.0;
    assert!(used > 150_000, "{used}");
    let effects = chain.call_with(id, "x", b"", 0, used - 2_000);
    assert_eq!(failure(&effects).code, Code::OutOfGas);
}

#[test]
fn what_is_left_to_do_in_callers_is_checked_too() {
    // A hundred frames, each with something to do once its callee is back.
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(&format!(
        r#"(func $down (param $n i32) (local i64)
            (if (local.get $n) (then (call $down (i32.sub (local.get $n) (i32.const 1))))) {})
        (func (export "call.x") (call $down (i32.const 100)))"#,
        "(local.set 1 (i64.rem_u (i64.const 1000000007) (i64.add (local.get 1) (i64.const 3))))".repeat(30)
    )));
    let used = chain.call(id, "x", b"").receipt.gas_used.0;
    let effects = chain.call_with(id, "x", b"", 0, used - 4_000);
    assert_eq!(failure(&effects).code, Code::OutOfGas, "of {used}");
}

#[test]
fn loads_cost_more_where_the_memory_can_become_large() {
    let mut chain = Chain::new();
    let module = |memory: &str, grow: &str, rounds: usize| {
        let fields = format!(
            r#"(func (export "call.x") (local i32)
                (loop (drop (i32.load (i32.const 0)))
                    (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const {rounds})))))
            (func {grow})"#
        );
        contract_of_memory(memory, &fields)
    };
    let grow = "(drop (memory.grow (i32.const 1)))";
    let mut of_100_loads = |memory: &str, grow: &str| {
        price(&mut chain, &module(memory, grow, 200)) - price(&mut chain, &module(memory, grow, 100))
    };
    let small = of_100_loads("1 16", grow);
    assert_eq!(of_100_loads("1", ""), small, "it cannot grow");
    assert_eq!(of_100_loads("1 17", grow) - small, 100 * 2 * 64);
    assert_eq!(of_100_loads("1 32", grow) - small, 100 * 2 * 64);
    let large = of_100_loads("1", grow);
    assert_eq!(large - small, 100 * 14 * 64);
    assert_eq!(of_100_loads("1 33", grow), large);
    assert_eq!(of_100_loads("33 33", ""), large);
}

#[test]
fn ways_that_meet_pay_for_the_locals_that_are_moved() {
    let mut chain = Chain::new();
    let module = |locals: usize| {
        let set: String = (0..locals).map(|local| format!("(local.set {local} (i64.const 1))")).collect();
        // The way around all of them is taken.
        contract(&format!(
            r#"(func (export "call.x") (local {}) (block (br_if 0 (i32.const 1)) {set}))"#,
            "i64 ".repeat(200)
        ))
    };
    let few = price(&mut chain, &module(16));
    assert!(price(&mut chain, &module(200)) - few >= 3 * 64);
}

#[test]
fn a_bomb_for_the_compiler_is_paid_before_it_is_compiled() {
    // 40 KB that took the compiler two seconds; they cost three million gas, by their bytes.
    let mut chain = Chain::new();
    let wasm = wat::parse_str(contract(&"(func)".repeat(9_900))).unwrap();
    let body = Body { gas_limit: TRANSACTION_GAS, ..chain.body(vec![Message::StoreCode { wasm }]) };
    let effects = chain.send_body(body);
    assert_eq!((failure(&effects).code, effects.receipt.gas_used), (Code::OutOfGas, TRANSACTION_GAS));
    // What takes the compiler no longer than its bytes pay for costs its bytes.
    let plain = contract(&format!("(func (local i64) {})", "(local.set 0 (i64.const 1))".repeat(2_000)));
    let wasm = wat::parse_str(plain).unwrap();
    let bytes = wasm.len() as u64;
    let used = chain.send(vec![Message::StoreCode { wasm }]).receipt.gas_used.0;
    assert!((72 * bytes..72 * bytes + 100_000).contains(&used), "{used} for {bytes}");
}

#[test]
fn growing_needs_the_gas_before_the_pages_are_there() {
    let mut chain = Chain::new();
    // Grown and touched again and again in calls with little gas: each must end where it cannot pay.
    let id = chain.deploy(&contract(
        r#"(func (export "call.grow")
            (if (i32.ne (memory.grow (i32.const 200)) (i32.const 1)) (then unreachable))
            (call $log (i32.const 0) (i32.const 1)))"#,
    ));
    let effects = chain.call_with(id, "grow", b"", 0, 3_000_000);
    assert_eq!(failure(&effects).code, Code::OutOfGas);
    assert!(effects.diagnostics.logs.is_empty(), "it ended at `memory.grow`");
}

#[test]
fn the_fee_is_gas_times_the_headers_price() {
    let mut chain = Chain::new();
    let message = Message::Transfer { to: BOB.into(), amount: Amount(5) };
    let receipt = chain.send(vec![message]).receipt;
    assert_eq!(receipt.fee.0, u128::from(receipt.gas_used.0) * chain.block.gas_price.0);
    assert_eq!(chain.balance(crate::chain::ALICE), FUNDS - 5 - receipt.fee.0);
    assert_eq!(chain.balance(BOB), 5);
}

#[test]
fn a_limit_below_the_least_is_used_whole() {
    let mut chain = Chain::new();
    let message = Message::Transfer { to: BOB.into(), amount: Amount(5) };
    let body = Body { gas_limit: Gas(1_000), ..chain.body(vec![message]) };
    let effects = chain.send_body(body);
    assert_eq!((failure(&effects).code, effects.receipt.gas_used), (Code::OutOfGas, Gas(1_000)));
    assert_eq!(chain.balance(BOB), 0);
}

#[test]
fn a_limit_above_the_chains_counts_as_the_chains() {
    let mut chain = Chain::new();
    chain.block.limits.transaction_gas = Gas(GAS / 10);
    let id = chain.deploy(&contract(r#"(func (export "call.spin") (loop (br 0)))"#));
    let effects = chain.call(id, "spin", b"");
    assert_eq!(effects.receipt.gas_used, Gas(GAS / 10));
    let _ = Address::Contract(id);
}
