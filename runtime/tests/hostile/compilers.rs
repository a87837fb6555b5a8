//! What today's compilers write without being asked: accepted, or refused in words that say what to tell them.

use rustorium_runtime::InvalidModule;
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ElementSection, Elements, ExportKind, ExportSection, Function, FunctionSection,
    MemorySection, MemoryType, Module, RefType, TableSection, TableType, TypeSection, ValType,
};

use super::refusal;
use crate::chain::{Chain, contract};

/// The features that rustc has for this target, as it writes them down: a number and, of each, a sign and its name.
const TARGET_FEATURES: &str = r#"(@custom "target_features" "\08+\0bbulk-memory+\0fbulk-memory-opt+\16call-indirect-overlong+\0amultivalue+\0fmutable-globals+\13nontrapping-fptoint+\0freference-types+\08sign-ext")"#;

#[test]
fn features_that_compilers_use_by_default_are_accepted() {
    for fields in [
        TARGET_FEATURES,
        r#"(@custom "target_features" "\01+\07simd128")"#,
        r#"(@custom "target_features" "\ff\ff\ff\ff\ff")"#,
        r#"(func (export "call.x") (memory.fill (i32.const 0) (i32.const 1) (i32.const 2))
            (memory.copy (i32.const 0) (i32.const 1) (i32.const 2)))"#,
        r#"(data $d "x") (func (export "call.x") (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1)) (data.drop $d))"#,
        r#"(func (export "call.x") (drop (i32.extend16_s (i32.const 2))) (drop (i64.extend32_s (i64.const 2))))"#,
        r#"(global (export "__stack_pointer") (mut i32) (i32.const 9)) (func (export "call.x"))"#,
        r#"(global (export "__heap_base") i32 (i32.const 9)) (func (export "call.x"))"#,
        r#"(table (export "__indirect_function_table") 2 2 funcref) (elem (table 0) (i32.const 1) func $f) (func $f)
            (func (export "call.x") (call_indirect (i32.const 1)))"#,
        r#"(func $pair (result i32 i64) (i32.const 1) (i64.const 2))
            (func (export "call.x") (call $pair) (block (param i32 i64) (result i64 i32) drop drop (i64.const 3) (i32.const 4)) drop drop)"#,
    ] {
        let mut chain = Chain::new();
        let id = chain.deploy(&contract(fields));
        if fields.contains("call.x") {
            assert!(chain.call(id, "x", b"").receipt.succeeded(), "{fields}");
        }
    }
}

/// With `reference-types`, linkers leave five bytes for the number of the table.
#[test]
fn an_indirect_call_may_name_its_table_at_length() {
    let mut types = TypeSection::new();
    types.ty().function([], [ValType::I32]);
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    functions.function(0).function(1);
    let mut tables = TableSection::new();
    let table =
        TableType { element_type: RefType::FUNCREF, table64: false, minimum: 1, maximum: Some(1), shared: false };
    tables.table(table);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0).export("call.x", ExportKind::Func, 1);
    let mut elements = ElementSection::new();
    elements.active(Some(0), &ConstExpr::i32_const(0), Elements::Functions([0][..].into()));
    let mut seven = Function::new([]);
    seven.instructions().i32_const(7).end();
    let mut caller = Function::new([]);
    caller.instructions().i32_const(0);
    caller.raw([0x11, 0x80, 0x80, 0x80, 0x80, 0x00, 0x80, 0x80, 0x80, 0x80, 0x00]);
    caller.instructions().i32_const(7).i32_ne().if_(BlockType::Empty).unreachable().end().end();
    let mut code = CodeSection::new();
    code.function(&seven).function(&caller);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&tables).section(&memories).section(&exports);
    module.section(&elements).section(&code);

    let mut chain = Chain::new();
    let stored = chain.store_wasm(module.finish());
    let id = chain.instantiate(stored, Vec::new());
    assert!(chain.call(id, "x", b"").receipt.succeeded());
}

#[test]
fn a_feature_that_is_refused_is_named_as_compilers_name_it() {
    for (fields, name) in [
        ("(func (drop (i8x16.splat (i32.const 0))))", "simd128"),
        ("(func (param v128))", "simd128"),
        ("(func (param v128) (drop (i32x4.relaxed_trunc_f32x4_s (local.get 0))))", "simd128"),
        ("(func (atomic.fence))", "atomics"),
        ("(func (return_call 0))", "tail-call"),
        ("(table 1 externref)", "reference-types"),
        ("(func (drop (ref.null func)))", "reference-types"),
        ("(table 1 funcref) (func (drop (table.size 0)))", "reference-types"),
        ("(tag)", "exception-handling"),
        ("(func (try_table))", "exception-handling"),
        ("(global i32 (i32.add (i32.const 1) (i32.const 2)))", "extended-const"),
        ("(func (i64.mul_wide_u (i64.const 0) (i64.const 0)) drop drop)", "wide-arithmetic"),
    ] {
        let text = refusal(&contract(fields)).to_string();
        assert!(text.ends_with(&format!("; compile without it: `-Ctarget-feature=-{name}`")), "{fields}: {text}");
    }
    match refusal(&contract("(func $sum (drop (i8x16.splat (i32.const 0))))")) {
        InvalidModule::Function { function, message, .. } => assert_eq!(
            (function.as_str(), message.as_str()),
            ("sum", "SIMD support is not enabled; compile without it: `-Ctarget-feature=-simd128`")
        ),
        other => panic!("{other}"),
    }
}
