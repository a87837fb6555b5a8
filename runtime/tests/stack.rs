//! The stack of a contract ends at the same call on every machine, and the native stack never does.

use rustorium_types::{
    code::Code,
    limits::{CALL_DEPTH, WASM_FRAMES},
};

use crate::chain::{Chain, contract, failure};

/// A contract whose method recurses `args` times, each frame with `locals` locals and `padding` more instructions.
fn recursive(locals: usize, padding: usize) -> String {
    contract(&format!(
        r#"(func $down (param $n i32) (result i32) (local {locals})
            {padding}
            (if (result i32) (local.get $n)
                (then (i32.add (i32.const 1) (call $down (i32.sub (local.get $n) (i32.const 1)))))
                (else (i32.const 0))))
        (func (export "call.down")
            (drop (call $arguments (i32.const 0) (i32.const 4)))
            (i32.store (i32.const 0) (call $down (i32.load (i32.const 0))))
            (call $return_data (i32.const 0) (i32.const 4)))"#,
        locals = "i64 ".repeat(locals),
        padding = "(drop (i32.const 0))".repeat(padding),
    ))
}

fn deepest(wat: &str) -> u32 {
    let mut chain = Chain::new();
    let id = chain.deploy(wat);
    let mut fits = |depth: u32| chain.call(id, "down", &depth.to_le_bytes()).receipt.succeeded();
    let (mut low, mut high) = (0, 4 * WASM_FRAMES);
    while high - low > 1 {
        let middle = (low + high) / 2;
        if fits(middle) { low = middle } else { high = middle }
    }
    low
}

#[test]
fn recursion_ends_at_the_same_depth_whatever_the_native_frame() {
    // One unit is the entry's, one that of the call with 0.
    assert_eq!(deepest(&recursive(0, 0)), WASM_FRAMES - 2);
    assert_eq!(deepest(&recursive(100, 0)), WASM_FRAMES - 2, "still within a unit");
}

#[test]
fn larger_functions_take_more_units() {
    // 2,000 instructions more, of 32 bytes each: 16 units of 4 KiB.
    assert_eq!(deepest(&recursive(0, 1_000)), (WASM_FRAMES - 1) / 16 - 1);
}

#[test]
fn an_exhausted_stack_says_so() {
    let mut chain = Chain::new();
    let id = chain.deploy(&recursive(0, 0));
    let effects = chain.call(id, "down", &100_000u32.to_le_bytes());
    assert_eq!(failure(&effects).code, Code::Trap);
    assert!(effects.diagnostics.message.unwrap().contains("stack is exhausted"));
    assert_eq!(effects.diagnostics.function.as_deref(), Some("down"));
    assert_eq!(effects.receipt.gas_used.0, crate::chain::GAS);
}

#[test]
fn branches_and_returns_give_their_units_back() {
    let fields = r#"
        (func $leave (param $how i32) (result i32)
            (if (i32.eq (local.get $how) (i32.const 1)) (then (return (i32.const 1))))
            (drop (br_if 0 (i32.const 2) (i32.eq (local.get $how) (i32.const 2))))
            (i32.const 3))
        (func $two (result i32 i64) (return (i32.const 1) (i64.const 2)))
        (func (export "call.many") (local $i i32)
            (loop $again
                (drop (call $leave (i32.const 1))) (drop (call $leave (i32.const 2))) (drop (call $leave (i32.const 3)))
                (call $two) drop drop
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $i) (i32.const 10000)))))"#;
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(fields));
    assert!(chain.call(id, "many", b"").receipt.succeeded(), "ten thousand calls, one after the other");
}

/// As many values as possible that the optimiser may keep in the frame, because it moved them out of a loop.
fn hoisting(values: usize) -> String {
    let sum: String = (0..values)
        .map(|i| {
            format!(
                "(local.set $sum (i64.add (local.get $sum) (i64.rotl (i64.mul (local.get $x) (i64.const {})) (local.get $sum))))",
                2 * i + 12_345
            )
        })
        .collect();
    contract(&format!(
        r#"(func $down (param $n i32) (param $x i64) (result i64) (local $sum i64) (local $i i32)
            (loop $again
                {sum}
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $i) (i32.const 2))))
            (if (result i64) (local.get $n)
                (then (i64.add (local.get $sum)
                    (call $down (i32.sub (local.get $n) (i32.const 1)) (i64.add (local.get $x) (i64.const 1)))))
                (else (local.get $sum))))
        (func (export "call.down")
            (drop (call $arguments (i32.const 0) (i32.const 4)))
            (i64.store (i32.const 8) (call $down (i32.load (i32.const 0)) (i64.const 3)))
            (call $return_data (i32.const 8) (i32.const 8)))"#
    ))
}

#[test]
fn what_the_optimiser_keeps_is_within_the_bound() {
    for values in [100, 1_000, 5_000] {
        let mut chain = Chain::new();
        let id = chain.deploy(&hoisting(values));
        let effects = chain.call(id, "down", &1_000_000u32.to_le_bytes());
        let message = effects.diagnostics.message.unwrap_or_default();
        assert!(message.contains("stack is exhausted"), "{values}: the counter comes first, not {message:?}");
    }
}

#[test]
fn the_deepest_calls_of_the_deepest_recursions_fit_the_native_stack() {
    // Each contract recurses to its limit but for a little, and calls itself from there.
    let fields = format!(
        r#"(data (i32.const 0) "run") (func (export "reentrant.run"))
        (func $down (param $n i32) (result i64) (local {locals})
            (if (result i64) (local.get $n)
                (then (call $down (i32.sub (local.get $n) (i32.const 1))))
                (else
                    (call $this (i32.const 64))
                    (call $call (i32.const 64) (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 0)
                        (i32.const 128) (i64.const 0) (i32.const 256) (i32.const 64)))))
        (func (export "call.run") (local $outcome i64)
            (local.set $outcome (call $down (i32.const {depth})))
            (i32.store (i32.const 200) (i32.add (i32.const 1)
                (select (i32.load (i32.const 256)) (i32.const 0) (i64.lt_u (local.get $outcome) (i64.const 0x100000000)))))
            (call $return_data (i32.const 200) (i32.const 4)))"#,
        locals = "i64 ".repeat(150),
        depth = WASM_FRAMES - 4,
    );
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(&fields));
    assert_eq!(chain.returned(id, "run", b""), CALL_DEPTH.to_le_bytes());
}
