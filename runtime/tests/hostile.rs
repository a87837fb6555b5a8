//! Contracts that attack the machine: pointers, sizes, and modules that must not be accepted.

use rustorium_runtime::InvalidModule;
use rustorium_types::code::Code;

use crate::chain::{Chain, IMPORTS, contract, failure};

#[test]
fn pointers_out_of_the_memory_trap() {
    let mut chain = Chain::new();
    // Of one page, in every position that a pointer or length can have.
    let bodies = [
        "(call $return_data (i32.const 65536) (i32.const 1))",
        "(call $return_data (i32.const 0) (i32.const 65537))",
        "(call $return_data (i32.const -1) (i32.const 1))",
        "(drop (call $arguments (i32.const 1) (i32.const -1)))",
        "(drop (call $arguments (i32.const -1) (i32.const -1)))",
        "(call $storage_write (i32.const 0) (i32.const 4) (i32.const 65530) (i32.const 7))",
        "(call $storage_write (i32.const 65530) (i32.const 7) (i32.const 0) (i32.const 4))",
        "(drop (call $storage_read (i32.const 0) (i32.const 4) (i32.const 65530) (i32.const 7)))",
        "(drop (call $arguments (i32.const -8) (i32.const 16)))",
        "(drop (call $arguments (i32.const 65536) (i32.const 1)))",
        "(call $this (i32.const 65504))",
        "(drop (call $caller (i32.const -1)))",
        "(call $balance (i32.const 65504) (i32.const 0))",
        "(call $balance (i32.const 1024) (i32.const 65521))",
        "(call $genesis_hash (i32.const 65505))",
        "(call $sha256 (i32.const 0) (i32.const 65537) (i32.const 0))",
        "(call $sha256 (i32.const 0) (i32.const 1) (i32.const 65505))",
        "(call $fail (i32.const 65536) (i32.const 1) (i32.const 0) (i32.const 0))",
        "(call $panic (i32.const 65536) (i32.const 1))",
        "(call $emit (i32.const 0) (i32.const 1) (i32.const 65536) (i32.const 1))",
        "(drop (call $transfer (i32.const 65504) (i32.const 1024) (i64.const 0) (i32.const 0) (i32.const 0)))",
        "(drop (call $call (i32.const 1024) (i32.const 65000) (i32.const 1000) (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0)))",
        "(drop (call $ed25519_verify (i32.const 0) (i32.const 65473) (i32.const 0) (i32.const 0)))",
    ];
    for body in bodies {
        let id = chain.deploy(&contract(&format!(
            r#"(data (i32.const 0) "name") (data (i32.const 1024) "\01") (func (export "call.x") {body})"#
        )));
        let effects = chain.call(id, "x", b"args");
        assert_eq!(failure(&effects).code, Code::Trap, "{body}");
        assert!(effects.diagnostics.message.as_ref().unwrap().contains("out of the memory"), "{body}");
    }
    let endless = "(call $return_data (i32.const 1) (i32.const -1))";
    let id = chain.deploy(&contract(&format!(r#"(func (export "call.x") {endless})"#)));
    assert_eq!(failure(&chain.call(id, "x", b"")).code, Code::OutOfGas, "4 GiB are not paid for, so not looked at");
}

#[test]
fn the_last_bytes_and_overlaps_are_fine() {
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(
        r#"(func (export "call.x")
            (drop (call $arguments (i32.const 65532) (i32.const 4)))
            (call $return_data (i32.const 65536) (i32.const 0))
            (call $sha256 (i32.const 65500) (i32.const 36) (i32.const 65504))
            (call $sha256 (i32.const 65504) (i32.const 32) (i32.const 65504)))"#,
    ));
    assert!(chain.call(id, "x", b"args").receipt.succeeded());
}

#[test]
fn sizes_over_a_limit_trap_as_too_large() {
    let mut chain = Chain::new();
    let id = chain.deploy(&format!(
        r#"(module {IMPORTS} (memory (export "memory") 3)
        (data (i32.const 0) "name")
        (func (export "call.key") (call $storage_write (i32.const 0) (i32.const 257) (i32.const 0) (i32.const 1)))
        (func (export "call.value") (call $storage_write (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 65537)))
        (func (export "call.return") (call $return_data (i32.const 0) (i32.const 65537)))
        (func (export "call.event") (call $emit (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 16385)))
        (func (export "call.name") (call $emit (i32.const 0) (i32.const 65) (i32.const 0) (i32.const 0)))
        (func (export "call.error") (call $fail (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 4097)))
        (func (export "call.events") (loop (call $emit (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0)) (br 0)))
        (func (export "call.arguments") (drop (call $query (i32.const 128) (i32.const 0) (i32.const 4) (i32.const 0)
            (i32.const 65537) (i64.const 0) (i32.const 0) (i32.const 0))))
        (func (export "call.largest") (call $storage_write (i32.const 0) (i32.const 256) (i32.const 0) (i32.const 65536))))"#
    ));
    for method in ["key", "value", "return", "event", "name", "error", "events", "arguments"] {
        let effects = chain.call(id, method, b"");
        assert_eq!(failure(&effects).code, Code::TooLarge, "{method}");
    }
    assert!(chain.call(id, "largest", b"").receipt.succeeded());
}

#[test]
fn names_must_be_text_and_addresses_addresses() {
    let mut chain = Chain::new();
    for body in [
        r#"(call $emit (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))"#,
        r#"(call $emit (i32.const 64) (i32.const 1) (i32.const 0) (i32.const 0))"#,
        r#"(call $fail (i32.const 64) (i32.const 1) (i32.const 0) (i32.const 0))"#,
        r#"(call $balance (i32.const 64) (i32.const 128))"#,
    ] {
        let id = chain.deploy(&contract(&format!(r#"(data (i32.const 64) "\ff") (func (export "call.x") {body})"#)));
        assert_eq!(failure(&chain.call(id, "x", b"")).code, Code::Trap, "{body}");
    }
}

#[test]
fn memory_stops_at_the_limit() {
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(
        r#"(func (export "call.x")
            (if (i32.ne (memory.grow (i32.const 256)) (i32.const -1)) (then unreachable))
            (if (i32.ne (memory.grow (i32.const 65535)) (i32.const -1)) (then unreachable))
            (if (i32.ne (memory.grow (i32.const -1)) (i32.const -1)) (then unreachable))
            (if (i32.ne (memory.grow (i32.const 255)) (i32.const 1)) (then unreachable))
            (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
            (i32.store8 (i32.const 0xffffff) (i32.const 1)))"#,
    ));
    assert!(chain.call(id, "x", b"").receipt.succeeded());
}

#[test]
fn an_instance_is_always_fresh() {
    let mut chain = Chain::new();
    let id = chain.deploy(&contract(
        r#"(global $g (mut i32) (i32.const 0)) (data (i32.const 0) "\00")
        (table 2 funcref) (elem (i32.const 0) $f)
        (func $f)
        (func (export "call.x")
            (if (global.get $g) (then unreachable))
            (if (i32.load8_u (i32.const 0)) (then unreachable))
            (if (i32.load8_u (i32.const 60000)) (then unreachable))
            (if (i32.ne (memory.size) (i32.const 1)) (then unreachable))
            (call_indirect (i32.const 0))
            (global.set $g (i32.const 1)) (i32.store8 (i32.const 0) (i32.const 1))
            (i32.store8 (i32.const 60000) (i32.const 1)) (drop (memory.grow (i32.const 2))))"#,
    ));
    for _ in 0..3 {
        assert!(chain.call(id, "x", b"").receipt.succeeded());
    }
}

fn refusal(wat: &str) -> InvalidModule {
    let chain = Chain::new();
    chain.runtime.inspect(&wat::parse_str(wat).unwrap()).unwrap_err()
}

#[test]
fn floats_are_refused_by_the_functions_name() {
    for fields in [
        "(func $fine) (func $average (drop (f32.const 1)))",
        "(func $average (local f64))",
        "(func $average (param f32))",
        "(func $average (result f64) unreachable)",
        "(func $average (drop (i32.trunc_f32_s (f32.const 1))))",
        "(func $fine) (func $average (drop (f64.load (i32.const 0))))",
    ] {
        assert_eq!(refusal(&contract(fields)), InvalidModule::Float { function: "average".into() }, "{fields}");
    }
    let nameless = refusal(&contract("(func) (func (local f32))"));
    assert_eq!(nameless, InvalidModule::Float { function: "function 27".into() });
}

#[test]
fn features_beyond_the_accepted_are_refused() {
    for fields in [
        "(func (drop (v128.const i64x2 0 0)))",
        "(func (return_call 0))",
        "(table 1 externref)",
        "(func (param externref))",
        "(memory $second 1)",
        "(func (drop (i32.atomic.load (i32.const 0))))",
        "(func (drop (i32.trunc_sat_f32_s (f32.const 0))))",
        "(func (drop (ref.null func)))",
        "(tag)",
    ] {
        let wasm = wat::parse_str(contract(fields)).unwrap();
        assert!(Chain::new().runtime.inspect(&wasm).is_err(), "{fields}");
    }
    let accepted = contract(
        "(global $g (mut i32) (i32.const 0)) (func (result i32 i32) (i32.const 1) (i32.extend8_s (i32.const 2)))
        (func (memory.copy (i32.const 0) (i32.const 1) (i32.const 2)) (memory.fill (i32.const 0) (i32.const 1) (i32.const 2)))",
    );
    assert!(Chain::new().runtime.inspect(&wat::parse_str(accepted).unwrap()).is_ok());
}

#[test]
fn the_border_is_the_host_table() {
    let import = |import: &str| refusal(&format!(r#"(module {import} (memory (export "memory") 1))"#));
    let unknown = |refused| matches!(refused, InvalidModule::UnknownImport { .. });
    assert!(unknown(import(r#"(import "env" "height" (func (result i64)))"#)));
    assert!(unknown(import(r#"(import "rustorium.1" "clock" (func (result i64)))"#)));
    assert!(unknown(import(r#"(import "rustorium.1" "height" (global i64))"#)));
    let other = import(r#"(import "rustorium.1" "height" (func (result i32)))"#);
    assert_eq!(other.to_string(), "the import `height` has the type () -> (i32); the host's is () -> (i64)");
    assert!(matches!(
        import(r#"(import "rustorium.1" "log" (func (param i32 f32)))"#),
        InvalidModule::Float { .. } | InvalidModule::Malformed { .. } | InvalidModule::ImportType { .. }
    ));
}

#[test]
fn exports_have_their_shapes() {
    assert_eq!(refusal("(module)"), InvalidModule::Memory);
    assert_eq!(refusal(r#"(module (memory 1))"#), InvalidModule::Memory);
    assert_eq!(refusal(&contract("(func $f) (start $f)")), InvalidModule::Start);
    for name in ["init", "migrate", "receive", "call.x", "view.x", "payable.x", "reentrant.x"] {
        let refused = refusal(&contract(&format!(r#"(func (export "{name}") (param i32))"#)));
        assert_eq!(refused, InvalidModule::EntryType(name.into()));
        let refused = refusal(&contract(&format!(r#"(global (export "{name}") i32 (i32.const 0))"#)));
        assert_eq!(refused, InvalidModule::EntryType(name.into()));
    }
    assert_eq!(refusal(&contract(r#"(export "call.log" (func $rest))"#)), InvalidModule::EntryType("call.log".into()),);
    for name in ["call.", "rustorium.stack", &format!("call.{}", "x".repeat(65))] {
        let refused = refusal(&contract(&format!(r#"(func (export "{name}"))"#)));
        assert_eq!(refused, InvalidModule::ExportName(name.into()));
    }
}

#[test]
fn everything_is_bounded() {
    let what = |wat: &str| match refusal(wat) {
        InvalidModule::TooMany { what, .. } | InvalidModule::FunctionTooLarge { what, .. } => what,
        other => panic!("{other}"),
    };
    assert_eq!(what(r#"(module (memory (export "memory") 257))"#), "pages of memory");
    assert_eq!(what(&contract("(table 8193 funcref)")), "table elements");
    assert_eq!(what(&contract(&"(func)".repeat(10_001))), "functions");
    assert_eq!(what(&contract(&"(global i32 (i32.const 0))".repeat(257))), "globals");
    assert_eq!(what(&contract(&format!("(func (param {}))", "i32 ".repeat(33)))), "parameters in one function type");
    assert_eq!(what(&contract(&format!("(func (local {}))", "i32 ".repeat(1_025)))), "locals");
    assert_eq!(what(&contract(&format!("(func {})", "nop ".repeat(65_536)))), "instructions");
    let deep = format!("(func {} {})", "block ".repeat(1_025), "end ".repeat(1_025));
    assert_eq!(what(&contract(&deep)), "levels of nesting");
    let joins = format!("(func (local {}) {})", "i32 ".repeat(1_000), "block end ".repeat(300));
    assert_eq!(what(&contract(&joins)), "locals times blocks");
}

#[test]
fn an_abi_section_must_be_sound() {
    let refused = refusal(&contract(r#"(@custom "rustorium.abi" "\ff\ff\ff\ff")"#));
    assert!(matches!(refused, InvalidModule::Abi(_)), "{refused}");
}

#[test]
fn a_module_that_says_what_it_needs_is_described() {
    let chain = Chain::new();
    let wasm = wat::parse_str(contract(r#"(func (export "call.x")) (func (export "view.y"))"#)).unwrap();
    let info = chain.runtime.inspect(&wasm).unwrap();
    assert_eq!((info.bytes, info.memory_pages, info.abi.is_none()), (wasm.len(), 1, true));
    assert_eq!(info.exports, ["call.x", "view.y"]);
    assert_eq!(info.hash, rustorium_types::hash::code_hash(&wasm));
}
