//! Contracts that call the host at random: any function, any pointers and lengths, in any order, and themselves again.
//! Whatever comes of it is an outcome, and the same each time.
//!
//! One contract runs all inputs: its arguments are a program, which it reads call by call.
//!
//! ```text
//! memory    0 own address │ 40 "x" │ 48 "v" │ 7fe0 hash of its code │ 8000 program
//! program   number of a function, 1 │ its arguments, 2 each │ …
//! ```
//!
//! An argument from ff00 on is a negative number; of an amount of gas it is the multiple of 1,024.
#![no_main]

#[path = "../chain.rs"]
mod chain;
#[path = "../../../runtime/tests/table.rs"]
#[allow(dead_code, reason = "made for tests")]
mod table;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use rustorium_types::{hash, id::Hash};

use chain::Deployed;
use table::{Kind, Row, TABLE};

/// Bytes of a program: what lies between its place and the end of memory, but for the last, which tests look at.
const PROGRAM_BYTES: usize = 0x7f00;

/// The case of a function: its call, with arguments from the program.
fn case(row: &Row) -> String {
    let mut at = 1;
    let mut next = || {
        at += 2;
        at - 2
    };
    let arguments: Vec<String> = row
        .arguments()
        .map(|kind| match kind {
            Kind::U64 => format!("(call $gas (i32.const {}))", next()),
            Kind::Fixed(_) => format!("(call $number (i32.const {}))", next()),
            Kind::Bytes => format!("(call $number (i32.const {})) (call $number (i32.const {}))", next(), next()),
        })
        .collect();
    format!(
        "{} (global.set $at (i32.add (global.get $at) (i32.const {at}))) (br $next)",
        row.call(&arguments.join(" "))
    )
}

fn written() -> String {
    let imports: String = TABLE.iter().map(Row::import).collect();
    let labels: String = (0..TABLE.len()).map(|index| format!("$case{index} ")).collect();
    let mut cases = format!("(br_table {labels} $end (i32.load8_u (global.get $at)))");
    for (index, row) in TABLE.iter().enumerate() {
        cases = format!("(block $case{index} {cases}) {}", case(row));
    }
    format!(
        r#"(module {imports} (memory (export "memory") 1) (data (i32.const 40) "x") (data (i32.const 48) "v")
        (global $at (mut i32) (i32.const 0x8000))
        (func $load (param $offset i32) (result i32)
            (i32.load16_u (i32.add (global.get $at) (local.get $offset))))
        (func $number (param $offset i32) (result i32) (local $value i32)
            (local.set $value (call $load (local.get $offset)))
            (select (i32.extend16_s (local.get $value)) (local.get $value)
                (i32.ge_u (local.get $value) (i32.const 0xff00))))
        (func $gas (param $offset i32) (result i64)
            (i64.shl (i64.extend_i32_u (call $load (local.get $offset))) (i64.const 10)))
        (func $run (local $end i32)
            (call $this (i32.const 0))
            (local.set $end (i32.add (i32.const 0x7fe0)
                (i32.wrap_i64 (call $arguments (i32.const 0x7fe0) (i32.const {capacity})))))
            (block $end (loop $next
                (br_if $end (i32.ge_u (global.get $at) (local.get $end)))
                {cases})))
        (func (export "receive")) (func (export "reentrant.receive"))
        (func (export "view.v") (call $run))
        (func (export "call.x") (call $run)) (func (export "reentrant.x")) (func (export "payable.x")))"#,
        capacity = PROGRAM_BYTES + 32,
    )
}

fn contract() -> &'static (Deployed, Hash) {
    static CONTRACT: OnceLock<(Deployed, Hash)> = OnceLock::new();
    CONTRACT.get_or_init(|| {
        let wasm = wat::parse_str(written()).expect("WebAssembly");
        let code = hash::code_hash(&wasm);
        (chain::deploy(true, wasm).expect("it is accepted"), code)
    })
}

fuzz_target!(|program: &[u8]| {
    let (contract, code) = contract();
    let program = &program[..program.len().min(PROGRAM_BYTES)];
    let arguments = [&code.0, program].concat();
    assert_eq!(chain::call(contract, "x", &arguments), chain::call(contract, "x", &arguments));
});
