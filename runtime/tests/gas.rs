//! What things cost, frozen: a change here changes every chain, so it must be meant.

use rustorium_types::{
    code::Code,
    id::{Address, Amount, Gas},
    transaction::{Body, Message},
};

use crate::chain::{BOB, Chain, FUNDS, GAS, contract, failure};

/// Methods, each of which does one thing once.
const METHODS: &[(&str, &str, u64)] = &[
    ("nothing", "", 79_173),
    ("arguments", "(drop (call $arguments (i32.const 0) (i32.const 64)))", 79_226),
    ("return_data", "(call $return_data (i32.const 0) (i32.const 32))", 79_258),
    ("log", "(call $log (i32.const 0) (i32.const 32))", 79_308),
    ("storage_read", "(drop (call $storage_read (i32.const 0) (i32.const 32) (i32.const 0) (i32.const 64)))", 80_274),
    ("storage_write", "(call $storage_write (i32.const 0) (i32.const 32) (i32.const 0) (i32.const 16))", 85_618),
    ("storage_remove", "(call $storage_remove (i32.const 0) (i32.const 32))", 84_272),
    ("caller", "(drop (call $caller (i32.const 0)))", 79_225),
    ("balance", "(call $this (i32.const 0)) (call $balance (i32.const 0) (i32.const 64))", 80_228),
    ("height", "(drop (call $height))", 79_224),
    ("emit", "(call $emit (i32.const 512) (i32.const 8) (i32.const 0) (i32.const 32))", 80_578),
    ("sha256", "(call $sha256 (i32.const 0) (i32.const 64) (i32.const 128))", 79_697),
    ("keccak256", "(call $keccak256 (i32.const 0) (i32.const 64) (i32.const 128))", 80_317),
    ("blake3", "(call $blake3 (i32.const 0) (i32.const 64) (i32.const 128))", 79_569),
    ("poseidon", "(call $poseidon (i32.const 0) (i32.const 32) (i32.const 128))", 94_177),
    ("ed25519", "(drop (call $ed25519_verify (i32.const 0) (i32.const 32) (i32.const 0) (i32.const 32)))", 159_338),
    ("grow", "(drop (memory.grow (i32.const 3)))", 91_175),
    ("fill", "(memory.fill (i32.const 0) (i32.const 1) (i32.const 60000))", 139_177),
    (
        "loop",
        "(local $i i32) (loop (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if 0 (i32.lt_u (local.get $i) (i32.const 1000))))",
        87_173,
    ),
    (
        "transfer",
        "(drop (call $transfer (i32.const 0) (i32.const 64) (i64.const 0) (i32.const 128) (i32.const 64)))",
        85_179,
    ),
    (
        "query",
        "(call $this (i32.const 0)) (drop (call $query (i32.const 0) (i32.const 512) (i32.const 4)
        (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 128) (i32.const 64)))",
        97_315,
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
    assert_eq!((measured, bytes), ([67_040, 154_048, 89_707, 81_656], 1_003));
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
    assert!(chain.call_with(id, "grow", b"", 0, 4_000_000).receipt.succeeded());
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
