//! A contract for tests, in WAT: a number that grows, says so, and refuses to grow too fast.

use rustorium_types::{
    abi::{Contract, Entry, Event, Field, Layout, Method, MethodKind, Storage, Type, VERSION, Variant},
    host::ABI_SECTION,
};

const WAT: &str = r#"
(module
  (import "rustorium.1" "arguments" (func $arguments (param i32 i32) (result i64)))
  (import "rustorium.1" "storage_read" (func $read (param i32 i32 i32 i32) (result i64)))
  (import "rustorium.1" "storage_write" (func $write (param i32 i32 i32 i32)))
  (import "rustorium.1" "emit" (func $emit (param i32 i32 i32 i32)))
  (import "rustorium.1" "return_data" (func $return (param i32 i32)))
  (import "rustorium.1" "fail" (func $fail (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\05count")
  (data (i32.const 16) "Added")
  (data (i32.const 32) "TooMuch")
  ;; 64 the count, 80 the amount, 88 the total behind it
  (func $load (drop (call $read (i32.const 0) (i32.const 6) (i32.const 64) (i32.const 8))))
  (func (export "init"))
  (func (export "call.add")
    (drop (call $arguments (i32.const 80) (i32.const 8)))
    (if (i64.gt_u (i64.load (i32.const 80)) (i64.const 100))
      (then (call $fail (i32.const 32) (i32.const 7) (i32.const 80) (i32.const 8))))
    (call $load)
    (i64.store (i32.const 64) (i64.add (i64.load (i32.const 64)) (i64.load (i32.const 80))))
    (i64.store (i32.const 88) (i64.load (i32.const 64)))
    (call $write (i32.const 0) (i32.const 6) (i32.const 64) (i32.const 8))
    (call $emit (i32.const 16) (i32.const 5) (i32.const 80) (i32.const 16))
    (call $return (i32.const 64) (i32.const 8)))
  (func (export "call.trap") (unreachable))
  (func (export "view.get")
    (call $load)
    (call $return (i32.const 64) (i32.const 8))))
"#;

/// The module with its ABI.
pub(super) fn wasm() -> Vec<u8> {
    let mut module = wat::parse_str(WAT).unwrap();
    let mut section = Vec::new();
    for entry in entries() {
        let bytes = borsh::to_vec(&entry).unwrap();
        section.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        section.extend_from_slice(&bytes);
    }
    let mut content = vec![ABI_SECTION.len() as u8];
    content.extend_from_slice(ABI_SECTION.as_bytes());
    content.extend_from_slice(&section);
    module.push(0);
    leb128(content.len(), &mut module);
    module.extend_from_slice(&content);
    module
}

fn leb128(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn entries() -> Vec<Entry> {
    let field = |name: &str, indexed| Field { name: name.into(), ty: Type::U64, doc: String::new(), indexed };
    let method = |kind, name: &str, arguments, returns| {
        let doc = String::new();
        Entry::Method(Method { kind, name: name.into(), doc, arguments, returns, payable: false, reentrant: false })
    };
    vec![
        Entry::Contract(Contract {
            abi_version: VERSION,
            name: "Adder".into(),
            version: "0.1.0".into(),
            doc: String::new(),
        }),
        method(MethodKind::Init, "init", vec![], Type::Unit),
        method(MethodKind::Call, "add", vec![field("amount", false)], Type::U64),
        method(MethodKind::Call, "trap", vec![], Type::Unit),
        method(MethodKind::View, "get", vec![], Type::U64),
        Entry::Event(Event {
            name: "Added".into(),
            doc: String::new(),
            fields: vec![field("amount", true), field("total", false)],
        }),
        Entry::Error(vec![Variant {
            name: "TooMuch".into(),
            doc: String::new(),
            message: "{amount} is more than 100".into(),
            fields: vec![field("amount", false)],
        }]),
        Entry::Storage(Storage {
            name: "count".into(),
            stored_as: "count".into(),
            doc: String::new(),
            layout: Layout::Item(Type::U64),
        }),
    ]
}
