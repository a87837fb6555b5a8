//! A failure in every frame of a call through many contracts: what it is called, who is blamed, what is undone.

use rustorium_types::{
    code::Code,
    host::CallError,
    id::{Address, ContractId},
    limits::CALL_DEPTH,
};

use crate::{
    chain::{Chain, GAS, contract, failure, path},
    hosts::escaped,
};

/// Arguments: the depth that is left, and the depth at which to fail, a byte each. Each frame writes and logs its own
/// depth and calls the next contract; where it must, it ends by `how`. What it does with a callee's failure is `then`.
fn link(next: Option<ContractId>, how: &str, then: &str) -> String {
    let next = next.unwrap_or(ContractId([0xee; 32]));
    contract(&format!(
        r#"(data (i32.const 0) "down") (data (i32.const 8) "Broken") (data (i32.const 64) "{next}")
        (global $forever (mut i32) (i32.const 1))
        (func $spin (loop (br_if 0 (global.get $forever))))
        (func $recurse (call $recurse))
        (func $failing {how})
        (func $down (export "call.down") (local $outcome i64)
            (drop (call $arguments (i32.const 128) (i32.const 2)))
            (call $storage_write (i32.const 128) (i32.const 1) (i32.const 128) (i32.const 1))
            (call $emit (i32.const 0) (i32.const 4) (i32.const 128) (i32.const 1))
            (if (i32.eq (i32.load8_u (i32.const 128)) (i32.load8_u (i32.const 129))) (then (call $failing)))
            (if (i32.eqz (i32.load8_u (i32.const 128))) (then (return)))
            (i32.store8 (i32.const 128) (i32.sub (i32.load8_u (i32.const 128)) (i32.const 1)))
            (local.set $outcome (call $call (i32.const 64) (i32.const 0) (i32.const 4) (i32.const 128) (i32.const 2)
                (i32.const 256) (i64.const 0) (i32.const 512) (i32.const 64)))
            (if (i64.gt_u (local.get $outcome) (i64.const 0xffffffff)) (then {then})))"#,
        next = escaped(&Address::Contract(next).to_bytes()),
    ))
}

/// As many contracts as may be on the stack, the outermost first, each calling the next.
fn chain_of(how: &str, then: &str) -> (Chain, Vec<ContractId>) {
    let mut chain = Chain::new();
    let mut contracts: Vec<ContractId> = Vec::new();
    for _ in 0..CALL_DEPTH {
        let contract = chain.deploy(&link(contracts.last().copied(), how, then));
        contracts.push(contract);
    }
    contracts.reverse();
    (chain, contracts)
}

const DEEPEST: u8 = CALL_DEPTH as u8 - 1;

/// The ways to fail, what each is called, and what its message says.
const WAYS: [(&str, Code, Option<&str>); 7] = [
    ("unreachable", Code::Trap, Some("wasm `unreachable` instruction executed")),
    ("(drop (i32.div_u (i32.const 1) (i32.const 0)))", Code::Trap, Some("integer divide by zero")),
    ("(drop (i32.load (i32.const -1)))", Code::Trap, Some("out of bounds memory access")),
    ("(call $recurse)", Code::Trap, Some("the stack is exhausted: functions call each other too deep")),
    ("(call $panic (i32.const 8) (i32.const 6))", Code::Trap, Some("Broken")),
    ("(call $fail (i32.const 8) (i32.const 6) (i32.const 0) (i32.const 2))", Code::ContractError, None),
    ("(call $spin)", Code::OutOfGas, None),
];

#[test]
fn a_failure_at_any_depth_that_nobody_handles_fails_all_and_names_the_path() {
    for (how, code, message) in WAYS {
        // Whoever's callee fails, fails by the same code, with no words of its own.
        let then = "(call $fail (i32.const 8) (i32.const 6) (i32.const 0) (i32.const 0))";
        let (mut chain, contracts) = chain_of(how, then);
        for depth in 0..CALL_DEPTH as usize {
            let fails_at = DEEPEST - depth as u8;
            let effects = chain.call(contracts[0], "down", &[DEEPEST, fails_at]);
            let failed = failure(&effects);
            assert_eq!(path(failed), vec!["call.down"; depth + 1], "{how} at {depth}");
            let blamed: Vec<ContractId> = failed.path.iter().map(|frame| frame.contract).collect();
            assert_eq!(blamed, contracts[..=depth], "{how} at {depth}");
            let expected = if depth == 0 { code } else { Code::ContractError };
            assert_eq!(failed.code, expected, "{how} at {depth}");
            assert_eq!(effects.diagnostics.message.as_deref(), message, "{how} at {depth}");
            assert!(effects.events.is_empty(), "{how} at {depth}");
            for (position, contract) in contracts.iter().enumerate() {
                let key: &'static [u8] = &KEYS[CALL_DEPTH as usize - 1 - position..][..1];
                assert_eq!(chain.entry(*contract, key), None, "{how} at {depth}: frame {position} is undone");
            }
            let gas: Vec<u64> = failed.path.iter().map(|frame| frame.gas_used.0).collect();
            assert!(gas.is_sorted_by(|outer, inner| outer > inner), "{how} at {depth}: {gas:?}");
            if depth == 0 && code != Code::ContractError {
                assert_eq!(effects.receipt.gas_used.0, GAS, "{how}: a trap uses the whole limit");
            }
        }
    }
}

/// Every key that a frame may write: its depth from the bottom.
const KEYS: &[u8] = &{
    let mut keys = [0; CALL_DEPTH as usize];
    let mut key = 0;
    while key < keys.len() {
        keys[key] = key as u8;
        key += 1;
    }
    keys
};

#[test]
fn a_failure_that_the_caller_handles_undoes_the_callee_alone() {
    for (how, code, _) in WAYS {
        // It writes down what it learned, and goes on.
        let then =
            "(call $storage_write (i32.const 8) (i32.const 6) (i32.const 512) (i32.wrap_i64 (local.get $outcome)))";
        let (mut chain, contracts) = chain_of(how, then);
        for depth in 1..CALL_DEPTH as usize {
            let effects = chain.call(contracts[0], "down", &[DEEPEST, DEEPEST - depth as u8]);
            assert!(effects.receipt.succeeded(), "{how} at {depth}: {:?}", effects.receipt.outcome);
            assert_eq!(effects.events.len(), depth, "{how} at {depth}: those of the frames above it");
            let written: Vec<bool> = contracts
                .iter()
                .enumerate()
                .map(|(position, contract)| {
                    let key: &'static [u8] = &KEYS[CALL_DEPTH as usize - 1 - position..][..1];
                    chain.entry(*contract, key).is_some()
                })
                .collect();
            let expected: Vec<bool> = (0..CALL_DEPTH as usize).map(|position| position < depth).collect();
            assert_eq!(written, expected, "{how} at {depth}");
            let learned = |position: usize| chain.entry(contracts[position], b"Broken");
            assert_eq!(learned(depth - 1).unwrap()[0], code as u8, "{how} at {depth}");
            assert_eq!(learned(depth), None, "{how} at {depth}: whoever failed wrote nothing down");
        }
    }
}

#[test]
fn a_contract_learns_the_error_of_its_callee_and_no_more() {
    let (mut chain, contracts) =
        chain_of(WAYS[5].0, "(call $return_data (i32.const 512) (i32.wrap_i64 (local.get $outcome)))");
    let returned = chain.returned(contracts[0], "down", &[DEEPEST, DEEPEST - 1]);
    let error: CallError = borsh::from_slice(&returned).unwrap();
    assert_eq!((error.code, error.error.unwrap().name.as_str()), (Code::ContractError, "Broken"));
    let (mut chain, contracts) =
        chain_of(WAYS[0].0, "(call $return_data (i32.const 512) (i32.wrap_i64 (local.get $outcome)))");
    let returned = chain.returned(contracts[0], "down", &[DEEPEST, DEEPEST - 1]);
    assert_eq!(borsh::from_slice::<CallError>(&returned).unwrap(), CallError { code: Code::Trap, error: None });
}

#[test]
fn the_call_beyond_the_deepest_is_refused_in_words() {
    let (mut chain, contracts) =
        chain_of("nop", "(call $fail (i32.const 8) (i32.const 6) (i32.const 0) (i32.const 0))");
    let outermost = chain.deploy(&link(
        Some(contracts[0]),
        "nop",
        "(call $fail (i32.const 8) (i32.const 6) (i32.const 0) (i32.const 0))",
    ));
    let effects = chain.call(outermost, "down", &[CALL_DEPTH as u8, 0xff]);
    let failed = failure(&effects);
    assert_eq!(failed.code, Code::ContractError, "each handed the failure on");
    assert_eq!(failed.path.len(), CALL_DEPTH as usize, "the frame beyond never was");
    assert_eq!(effects.diagnostics.message.as_deref(), Some("calls between contracts nest too deep"));
    assert!(chain.call(contracts[0], "down", &[DEEPEST, 0xff]).receipt.succeeded(), "one less is fine");
}
