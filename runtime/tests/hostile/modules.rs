//! Modules of features that are not accepted, with too much of something, or that are not what a contract is.

use rustorium_runtime::InvalidModule;
use rustorium_types::code::Code;

use super::{refusal, refusal_of};
use crate::chain::{Chain, contract, failure, imports};

#[test]
fn floats_are_refused_by_the_functions_name() {
    for fields in [
        "(func $fine) (func $average (drop (f32.const 1)))",
        "(func $average (local f64))",
        "(func $average (param f32))",
        "(func $average (result f64) unreachable)",
        "(func $average (drop (i32.trunc_f32_s (f32.const 1))))",
        "(func $average (drop (i32.reinterpret_f32 (f32.const 1))))",
        "(func $fine) (func $average (drop (f64.load (i32.const 0))))",
        "(func $average (drop (i64.trunc_sat_f64_u (f64.const 1))))",
        "(func $average (block (result f32) unreachable) drop)",
    ] {
        assert_eq!(refusal(&contract(fields)), InvalidModule::Float { function: "average".into() }, "{fields}");
    }
    assert_eq!(
        refusal(&contract("(func $average (local f64))")).to_string(),
        "`average` uses floating-point numbers, which may differ between machines; use integers or `Decimal`"
    );
    let nameless = refusal(&contract("(func) (func (local f32))"));
    assert_eq!(nameless, InvalidModule::Float { function: "function 27".into() });
}

#[test]
fn a_float_outside_of_functions_is_refused_too() {
    for fields in ["(global f32 (f32.const 0))", "(global (mut f64) (f64.const 0))", "(type (func (param f64)))"] {
        let refused = refusal(&contract(fields)).to_string();
        assert!(refused.contains("floating-point"), "{fields}: {refused}");
    }
}

#[test]
fn features_beyond_the_accepted_are_refused_by_name() {
    for (fields, expected) in [
        ("(func $f (drop (v128.const i64x2 0 0)))", "SIMD"),
        ("(func $f (drop (i8x16.splat (i32.const 0))))", "SIMD"),
        ("(func $f (param v128))", "SIMD"),
        ("(func $f (drop (i32x4.relaxed_trunc_f32x4_s (v128.const i64x2 0 0))))", "SIMD"),
        ("(func $f (return_call 0))", "tail call"),
        ("(func $f (return_call_indirect (i32.const 0)))  (table 1 funcref)", "tail call"),
        ("(table 1 externref)", "reference types"),
        ("(func $f (param externref))", "reference types"),
        ("(func $f (drop (ref.null func)))", "reference types"),
        ("(table 1 funcref) (func $f (drop (table.size 0)))", "reference types"),
        ("(table 1 funcref) (func $f (drop (table.grow 0 (ref.null func) (i32.const 1))))", "reference types"),
        ("(func $f (drop (select (result i32) (i32.const 1) (i32.const 2) (i32.const 0))))", "reference types"),
        ("(memory $second 1)", "multiple memories"),
        ("(func $f (drop (i32.atomic.load (i32.const 0))))", "threads"),
        ("(func $f (atomic.fence))", "threads"),
        ("(tag)", "exceptions"),
        ("(func $f (try_table))", "exceptions"),
        ("(type (struct))", "gc"),
        ("(global i32 (i32.add (i32.const 1) (i32.const 2)))", "constant expression"),
        ("(func $f (i64.add128 (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)) drop drop)", "wide arithmetic"),
    ] {
        let refused = refusal(&contract(fields));
        let text = refused.to_string();
        assert!(text.to_lowercase().contains(&expected.to_lowercase()), "{fields}: {text}");
        match refused {
            InvalidModule::Function { function, .. } => assert_eq!(function, "f", "{fields}: {text}"),
            InvalidModule::Malformed { offset, .. } => assert!(offset > 0, "{fields}: {text}"),
            other => panic!("{fields}: {other:?}"),
        }
    }
}

#[test]
fn memories_of_other_kinds_are_refused() {
    for (memory, expected) in [
        (r#"(memory (export "memory") i64 1)"#, "memory64"),
        (r#"(memory (export "memory") 1 2 shared)"#, "threads"),
        (r#"(memory (export "memory") 1 (pagesize 1))"#, "custom page size"),
    ] {
        let refused = refusal(&format!("(module {memory})")).to_string();
        assert!(refused.to_lowercase().contains(expected), "{memory}: {refused}");
    }
}

#[test]
fn the_features_of_todays_compilers_are_accepted() {
    let accepted = contract(
        "(global $g (mut i32) (i32.const 0)) (table 2 funcref) (elem $e func 0) (data $d \"x\")
        (func (result i32 i32) (i32.const 1) (i32.extend8_s (i32.const 2)))
        (func (memory.copy (i32.const 0) (i32.const 1) (i32.const 2)) (memory.fill (i32.const 0) (i32.const 1) (i32.const 2))
            (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1)) (data.drop $d)
            (table.init $e (i32.const 0) (i32.const 0) (i32.const 1)) (table.copy (i32.const 0) (i32.const 1) (i32.const 1))
            (elem.drop $e))",
    );
    assert!(Chain::new().runtime.inspect(&wat::parse_str(accepted).unwrap()).is_ok());
}

#[test]
fn components_and_other_files_are_no_modules() {
    let component = refusal(r#"(component (core module (memory (export "memory") 1)))"#).to_string();
    assert!(component.contains("component"), "{component}");
    for (bytes, expected) in [
        (&b""[..], "unexpected end"),
        (b"\0as", "unexpected end"),
        (b"\x7fELF\x02\x01\x01\0\0\0\0\0", "magic header"),
        (b"#!/bin/sh\nrm -rf /\n", "magic header"),
        (b"\0asm\x02\0\0\0", "version"),
        (b"\0asm\x01\0\0\0\xff\x01\0", "section"),
        (b"\0asm\x01\0\0\0\x01\x7f\0", "unexpected end"),
    ] {
        let refused = refusal_of(bytes).to_string();
        assert!(refused.starts_with("at byte ") && refused.contains(expected), "{bytes:?}: {refused}");
    }
}

#[test]
fn a_module_that_is_cut_anywhere_is_refused() {
    let wasm = wat::parse_str(contract(
        r#"(table 1 funcref) (elem (i32.const 0) 0) (data (i32.const 0) "data") (func (export "call.x") (local i32)
            (call_indirect (param i32 i32) (i32.const 0) (i32.const 0) (i32.const 0)) (block (br 0)))"#,
    ))
    .unwrap();
    let chain = Chain::new();
    for length in 0..wasm.len() {
        // Where a section ends the bytes are a module of fewer sections, which may be one that says nothing.
        match chain.runtime.inspect(&wasm[..length]) {
            Err(refused) => assert!(!refused.to_string().is_empty()),
            Ok(info) => assert!(info.exports.is_empty() || length > wasm.len() / 2, "cut at {length}: {info:?}"),
        }
    }
}

#[test]
fn the_border_is_the_host_table() {
    let import = |import: &str| refusal(&format!(r#"(module {import} (memory (export "memory") 1))"#)).to_string();
    let unknown = |module: &str, name: &str| {
        format!("the import `{module}` `{name}` is not offered; contracts import functions of `rustorium.1` only")
    };
    assert_eq!(import(r#"(import "env" "height" (func (result i64)))"#), unknown("env", "height"));
    assert_eq!(import(r#"(import "rustorium.2" "height" (func (result i64)))"#), unknown("rustorium.2", "height"));
    assert_eq!(import(r#"(import "rustorium.1" "clock" (func (result i64)))"#), unknown("rustorium.1", "clock"));
    assert_eq!(
        import(r#"(import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))"#),
        unknown("wasi_snapshot_preview1", "random_get")
    );
    for kind in ["(global i64)", "(memory 1)", "(table 1 funcref)"] {
        assert_eq!(import(&format!(r#"(import "rustorium.1" "height" {kind})"#)), unknown("rustorium.1", "height"));
    }
    let long = "x".repeat(100_000);
    let shown = import(&format!(r#"(import "{long}" "{long}" (func))"#));
    assert!(shown.len() < 500 && shown.contains("xxx"), "a giant name is shown cut");
    assert_eq!(
        import(r#"(import "rustorium.1" "height" (func (result i32)))"#),
        "the import `height` has the type () -> (i32); the host's is () -> (i64)"
    );
    let float = import(r#"(import "rustorium.1" "log" (func (param i32 f32)))"#);
    assert!(float.ends_with("floating-point support is disabled"), "{float}");
}

#[test]
fn exports_have_their_shapes() {
    assert_eq!(refusal("(module)"), InvalidModule::Memory);
    assert_eq!(refusal("(module (memory 1))"), InvalidModule::Memory);
    assert_eq!(
        refusal(r#"(module (memory (export "memory2") 1))"#).to_string(),
        "a contract has exactly one memory of its own and exports it as `memory`"
    );
    for name in ["init", "migrate", "receive", "call.x", "view.x", "payable.x", "reentrant.x"] {
        let refused = refusal(&contract(&format!(r#"(func (export "{name}") (param i32))"#)));
        assert_eq!(refused, InvalidModule::EntryType(name.into()));
        let refused = refusal(&contract(&format!(r#"(func (export "{name}") (result i64) (i64.const 0))"#)));
        assert_eq!(
            refused.to_string(),
            format!("the export `{name}` must be a function without parameters and results")
        );
        let refused = refusal(&contract(&format!(r#"(global (export "{name}") i32 (i32.const 0))"#)));
        assert_eq!(refused, InvalidModule::EntryType(name.into()));
    }
    assert_eq!(refusal(&contract(r#"(export "call.log" (func $rest))"#)), InvalidModule::EntryType("call.log".into()));
    for name in ["call.", "rustorium.stack", "rustorium.", &format!("call.{}", "x".repeat(65)), &"x".repeat(129)] {
        let refused = refusal(&contract(&format!(r#"(func (export "{name}"))"#)));
        assert_eq!(refused, InvalidModule::ExportName(name.into()));
        assert!(refused.to_string().ends_with("has a name that is reserved, empty, too long or not printable"));
    }
    let twice = refusal(&contract(
        r#"(func $f) (export "call.x" (func $f)) (export "call.y" (func $f)) (func (export "call.x"))"#,
    ));
    assert!(twice.to_string().contains("duplicate export name `call.x`"), "{twice}");
}

#[test]
fn start_functions_are_refused() {
    for start in ["(func $f) (start $f)", "(func $f unreachable) (start $f)", "(start 99)"] {
        let refused = refusal(&contract(start));
        assert_eq!(refused, InvalidModule::Start, "{start}");
        assert_eq!(refused.to_string(), "a start function is not allowed; `init` runs when a contract is made");
    }
}

/// Instantiation happens outside of any contract's frame: a trap in it once was taken for a failure of the machine,
/// which stops the node. Anybody could have stored such a module.
#[test]
fn a_segment_that_does_not_fit_is_refused_when_code_is_stored() {
    for (fields, expected) in [
        (r#"(data (i32.const 65536) "x")"#, "data segment 0 does not fit the memory that an instance starts with"),
        (r#"(data (i32.const 0) "x") (data (i32.const 65535) "xy")"#, "data segment 1 does not fit the memory"),
        (r#"(data (i32.const -1) "x")"#, "data segment 0 does not fit the memory"),
        (r#"(data (i32.const 65537) "")"#, "data segment 0 does not fit the memory"),
        ("(table 1 funcref) (elem (i32.const 1) 0)", "element segment 0 does not fit the table"),
        ("(table 2 10 funcref) (elem (i32.const 1) 0) (elem (i32.const 1) 0 0)", "element segment 1 does not fit"),
        ("(table 1 funcref) (elem (i32.const -1) 0)", "element segment 0 does not fit the table"),
    ] {
        let refused = refusal(&contract(fields)).to_string();
        assert!(refused.starts_with(expected), "{fields}: {refused}");
    }
    let none = refusal(r#"(module (memory (export "memory") 0) (data (i32.const 0) "x"))"#);
    assert_eq!(none, InvalidModule::Segment { what: "data", index: 0, place: "memory" });
    let mut chain = Chain::new();
    let fits = chain.deploy(&contract(
        r#"(table 2 funcref) (elem (i32.const 2)) (elem (i32.const 0) $f $f) (data (i32.const 65536) "")
        (data (i32.const 65535) "x") (func $f) (func (export "call.x")
            (if (i32.ne (i32.load8_u (i32.const 65535)) (i32.const 120)) (then unreachable)))"#,
    ));
    assert!(chain.call(fits, "x", b"").receipt.succeeded(), "to the last byte and element");
}

#[test]
fn everything_is_bounded_and_says_so() {
    let types = |count: usize| -> String {
        // Types differ, or the text format makes one of them.
        (0..count)
            .map(|i| {
                let parameters: Vec<&str> = (0..11).map(|bit| if i >> bit & 1 == 0 { "i32" } else { "i64" }).collect();
                let result = if i >> 11 & 1 == 0 { "i32" } else { "i64" };
                format!("(type (func (param {}) (result {result})))", parameters.join(" "))
            })
            .collect()
    };
    for (wat, expected) in [
        (r#"(module (memory (export "memory") 257))"#.into(), "257 pages of memory; at most 256"),
        (r#"(module (memory (export "memory") 65536))"#.into(), "65536 pages of memory; at most 256"),
        (contract("(table 8193 funcref)"), "8193 table elements; at most 8192"),
        (contract("(table 1 funcref) (table 1 funcref)"), "2 tables; at most 1"),
        (contract(&"(func)".repeat(10_001)), "10001 functions; at most 10000"),
        (contract(&"(global i32 (i32.const 0))".repeat(257)), "257 globals; at most 256"),
        (contract(&types(2_049)), "function types; at most 2048"),
        (contract(&format!("(func (param {}))", "i32 ".repeat(33))), "33 parameters in one function type; at most 32"),
        (
            contract(&format!("(func (result {}) unreachable)", "i32 ".repeat(9))),
            "9 results in one function type; at most 8",
        ),
        (
            contract(&(0..1_024).map(|i| format!("(func (export \"e{i}\"))")).collect::<String>()),
            "1025 exports; at most 1024",
        ),
        (contract(&r#"(data (i32.const 0) "x")"#.repeat(257)), "257 data segments; at most 256"),
        (contract(&r#"(data "x")"#.repeat(257)), "257 data segments; at most 256"),
        (
            contract(&format!("(table 1 funcref) {}", "(elem (i32.const 0) 0)".repeat(257))),
            "257 element segments; at most 256",
        ),
        (
            contract(&format!("(table 1 funcref) (func $f) (elem func {})", "$f ".repeat(65_537))),
            "65537 elements in segments; at most 65536",
        ),
        (
            format!(
                r#"(module (memory (export "memory") 65) (data (i32.const 0) "x") (data (i32.const {}) "x"))"#,
                4 << 20
            ),
            "4194305 bytes between the first and the last byte of data; at most 4194304",
        ),
        (
            format!(
                r#"(module {} (memory (export "memory") 1))"#,
                r#"(import "rustorium.1" "height" (func (result i64)))"#.repeat(129)
            ),
            "129 imports; at most 128",
        ),
        (
            contract(&r#"(@custom "x" "y")"#.repeat(65)),
            // The text's own name section is another.
            "65 custom sections; at most 64",
        ),
    ] {
        let refused = refusal(&wat);
        assert!(matches!(refused, InvalidModule::TooMany { .. }), "{refused}");
        let text = refused.to_string();
        assert!(text.starts_with("the module has ") && text.contains(expected), "{text}");
        assert!(text.ends_with(" are allowed"), "{text}");
    }
}

#[test]
fn functions_are_bounded_and_named() {
    let deep = format!("{} {}", "block ".repeat(1_025), "end ".repeat(1_025));
    let joins = format!("(local {}) {}", "i32 ".repeat(1_000), "block end ".repeat(300));
    let branches = format!("(br_table {} (i32.const 0))", "0 ".repeat(65_536));
    for (body, expected) in [
        (format!("(local {})", "i32 ".repeat(1_025)), "1025 locals; at most 1024"),
        ("nop ".repeat(65_536), "65537 instructions; at most 65536"),
        (branches, "instructions; at most 65536"),
        (deep, "1025 levels of nesting; at most 1024"),
        (joins, "300000 locals times blocks; at most 262144"),
    ] {
        let refused = refusal(&contract(&format!("(func $large {body})")));
        assert!(matches!(refused, InvalidModule::FunctionTooLarge { .. }), "{refused}");
        let text = refused.to_string();
        assert!(text.starts_with("`large` has ") && text.contains(expected), "{text}");
        assert!(text.ends_with("are allowed in one function"), "{text}");
    }
    // A run of locals is two bytes, whatever its length.
    let mut many = wat::parse_str(contract("(func $f (local i32))")).unwrap();
    let at = many.windows(5).rposition(|bytes| bytes == [4, 1, 1, 0x7f, 0x0b]).unwrap();
    many.splice(at..at + 5, [8, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 0x0b]);
    many[at - 2] += 4;
    let refused = refusal_of(&many).to_string();
    assert!(refused.contains("locals"), "{refused}");
}

#[test]
fn a_code_over_the_limit_is_too_large_before_anything_looks_at_it() {
    let mut chain = Chain::new();
    let wasm = vec![0xff; (1 << 20) + 1];
    let refused = refusal_of(&wasm);
    assert_eq!(refused.to_string(), "the code has 1048577 bytes; at most 1048576 are allowed");
    let effects = chain.send(vec![rustorium_types::transaction::Message::StoreCode { wasm }]);
    assert_eq!(failure(&effects).code, Code::TooLarge);
    assert_eq!(effects.diagnostics.message.unwrap(), refused.to_string());
}

#[test]
fn what_a_transaction_says_is_what_inspection_says() {
    let mut chain = Chain::new();
    let wasm = wat::parse_str(contract("(func $average (local f64))")).unwrap();
    let refused = refusal_of(&wasm);
    let effects = chain.send(vec![rustorium_types::transaction::Message::StoreCode { wasm }]);
    assert_eq!(failure(&effects).code, Code::InvalidModule);
    assert_eq!(effects.diagnostics.message.unwrap(), refused.to_string());
}

#[test]
fn a_module_that_says_what_it_needs_is_described() {
    let chain = Chain::new();
    let wasm = wat::parse_str(contract(r#"(func (export "call.x")) (func (export "view.y"))"#)).unwrap();
    let info = chain.runtime.inspect(&wasm).unwrap();
    assert_eq!((info.bytes, info.memory_pages, info.abi.is_none()), (wasm.len(), 1, true));
    assert_eq!(info.exports, ["call.x", "view.y"]);
    assert_eq!(info.hash, rustorium_types::hash::code_hash(&wasm));
    assert!(imports().lines().count() >= 26, "every host function is imported by it");
}
