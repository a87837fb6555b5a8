//! Names and custom sections made to hurt, and ABIs that lie.

use rustorium_runtime::InvalidModule;
use rustorium_types::{
    abi::{
        Abi, AbiError, Contract, Entry, Event, Field, Method, MethodKind, Shape, TYPE_DEPTH, Type, TypeDefinition,
        VERSION,
    },
    code::Code,
};

use super::refusal_of;
use crate::{
    adapt,
    chain::{Chain, contract, failure},
};

const TRAPPING: &str = r#"(func $first) (func $second (export "call.trap") unreachable)"#;

/// A number as modules write it.
fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A module without a name section of its own, and a custom section behind it.
fn with_section(fields: &str, name: &[u8], content: &[u8]) -> Vec<u8> {
    let mut wasm = without_names(fields);
    let section = [leb128(name.len()), name.to_vec(), content.to_vec()].concat();
    wasm.push(0);
    wasm.extend(leb128(section.len()));
    wasm.extend(section);
    wasm
}

fn without_names(fields: &str) -> Vec<u8> {
    adapt::without_names(&wat::parse_str(contract(fields)).unwrap())
}

/// A subsection of function names.
fn names(names: &[(usize, &[u8])]) -> Vec<u8> {
    let mut content = leb128(names.len());
    for (index, name) in names {
        content.extend(leb128(*index));
        content.extend(leb128(name.len()));
        content.extend_from_slice(name);
    }
    [vec![1], leb128(content.len()), content].concat()
}

/// The name of the function that trapped, of a module with this name section.
fn trapped_in(section: &[u8]) -> String {
    let mut chain = Chain::new();
    let code = chain.store_wasm(with_section(TRAPPING, b"name", section));
    let id = chain.instantiate(code, Vec::new());
    let effects = chain.call(id, "trap", b"");
    assert_eq!(failure(&effects).code, Code::Trap);
    effects.diagnostics.function.unwrap()
}

#[test]
fn a_name_section_that_lies_decides_nothing_and_breaks_nothing() {
    let imported = 26;
    let second = imported + 1;
    assert_eq!(trapped_in(&names(&[(second, b"honest")])), "honest");
    let nameless = format!("function {second}");
    for (section, expected) in [
        // An index of no function, and none of this one.
        (names(&[(0, b"a"), (4_000_000_000, b"b")]), &*nameless),
        // Cut in the middle of a name, of a count, of a subsection's length; and nothing at all.
        (names(&[(second, b"honest")])[..9].to_vec(), &nameless),
        (vec![1, 5, 0xff, 0xff, 0xff, 0xff, 0x0f], &nameless),
        (vec![1, 0xff, 0xff], &nameless),
        (Vec::new(), &nameless),
        // Not UTF-8.
        (names(&[(second, b"\xff\xfe")]), &nameless),
        // A subsection that is not known.
        ([vec![99, 1, 7], names(&[(second, b"honest")])].concat(), "honest"),
    ] {
        assert_eq!(trapped_in(&section), expected, "{section:?}");
    }
}

/// Names were once passed on as they stood: a trap in a function with a name of a megabyte left a megabyte with each
/// failed transaction, and a name could clear the terminal of whoever looked at it.
#[test]
fn giant_and_unprintable_names_are_shown_cut_and_clean() {
    let giant = trapped_in(&names(&[(27, &[b'x'; 500_000])]));
    assert!(giant.len() <= 200 && giant.starts_with("xxx"), "{} bytes", giant.len());
    let split = trapped_in(&names(&[(27, "ü".repeat(1_000).as_bytes())]));
    assert!(split.len() <= 200 && split.chars().all(|letter| letter == 'ü'));
    let escape = trapped_in(&names(&[(27, b"\x1b[2J\x07\ngone")]));
    assert_eq!(escape, "\u{fffd}[2J\u{fffd}\u{fffd}gone");
}

#[test]
fn names_of_refused_functions_are_cut_and_clean_too() {
    let floats = "(func) (func (local f32))";
    let section = names(&[(27, &[b'x'; 500_000])]);
    let InvalidModule::Float { function } = refusal_of(&with_section(floats, b"name", &section)) else { panic!() };
    assert_eq!(function, "x".repeat(200));
    let section = names(&[(27, b"\x1b]0;owned\x07")]);
    let refused = refusal_of(&with_section(floats, b"name", &section)).to_string();
    assert!(refused.starts_with("`\u{fffd}]0;owned\u{fffd}` uses floating-point"), "{refused}");
}

#[test]
fn custom_sections_with_broken_names_are_refused() {
    let utf8 = refusal_of(&with_section("", b"\xc3\x28", b"")).to_string();
    assert!(utf8.contains("malformed UTF-8"), "{utf8}");
    // A name that is longer than its section.
    let mut wasm = without_names("");
    wasm.extend([0, 2, 100, b'x']);
    let long = refusal_of(&wasm).to_string();
    assert!(long.contains("unexpected end"), "{long}");
    // A section that is longer than the module.
    let mut wasm = without_names("");
    wasm.extend([0, 0xff, 0xff, 0xff, 0x7f, 1, b'x']);
    let cut = refusal_of(&wasm).to_string();
    assert!(cut.contains("unexpected end"), "{cut}");
}

#[test]
fn thousands_of_custom_sections_are_refused_at_the_65th() {
    let mut wasm = without_names("");
    for _ in 0..100_000 {
        wasm.extend([0, 2, 1, b'x']);
    }
    assert_eq!(refusal_of(&wasm), InvalidModule::TooMany { what: "custom sections", found: 65, limit: 64 });
}

#[test]
fn a_custom_section_of_a_megabyte_costs_its_bytes_and_does_nothing() {
    let mut chain = Chain::new();
    let code = chain.store_wasm(with_section(TRAPPING, b"junk", &[0xa5; 600_000]));
    let id = chain.instantiate(code, Vec::new());
    assert_eq!(failure(&chain.call(id, "trap", b"")).code, Code::Trap);
}

fn section(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        let entry = borsh::to_vec(entry).unwrap();
        bytes.extend((entry.len() as u32).to_le_bytes());
        bytes.extend(entry);
    }
    bytes
}

fn described() -> Entry {
    let name = "Liar".to_owned();
    Entry::Contract(Contract { abi_version: VERSION, name, version: "1".into(), doc: String::new() })
}

fn method(kind: MethodKind, name: &str, returns: Type) -> Method {
    Method { kind, name: name.into(), doc: String::new(), arguments: vec![], returns, payable: false, reentrant: false }
}

fn field(name: &str, ty: Type) -> Field {
    Field { name: name.into(), ty, doc: String::new(), indexed: false }
}

fn structure(name: &str, fields: Vec<Field>) -> Entry {
    Entry::Type(TypeDefinition { name: name.into(), doc: String::new(), shape: Shape::Struct(fields) })
}

const ABI: &[u8] = b"rustorium.abi";
const TWO: &str = r#"(func (export "call.add")) (func (export "view.get"))"#;

fn two() -> Vec<Entry> {
    let add = Entry::Method(method(MethodKind::Call, "add", Type::Unit));
    let get = Entry::Method(method(MethodKind::View, "get", Type::U64));
    vec![described(), add, get]
}

/// Why two methods with this ABI are refused.
fn lie(fields: &str, entries: &[Entry]) -> InvalidModule {
    refusal_of(&with_section(fields, ABI, &section(entries)))
}

#[test]
fn an_honest_abi_is_accepted() {
    let wasm = with_section(TWO, ABI, &section(&two()));
    let info = Chain::new().runtime.inspect(&wasm).unwrap();
    assert_eq!(info.abi, Abi::from_wasm(&wasm).unwrap(), "and found without a WebAssembly parser, the same");
    assert_eq!(info.abi.unwrap().methods.len(), 2);
}

#[test]
fn an_abi_of_methods_that_are_not_there_is_refused() {
    for (kind, name, export) in [
        (MethodKind::Call, "steal", "call.steal"),
        (MethodKind::View, "add", "view.add"),
        (MethodKind::Init, "init", "init"),
        (MethodKind::Migrate, "migrate", "migrate"),
        (MethodKind::Receive, "receive", "receive"),
    ] {
        let mut entries = two();
        entries.push(Entry::Method(method(kind, name, Type::Unit)));
        let refused = lie(TWO, &entries);
        assert_eq!(refused, InvalidModule::NotExported(export.into()));
        assert_eq!(refused.to_string(), format!("the ABI describes `{export}`, which the code does not export"));
    }
}

#[test]
fn exports_that_the_abi_keeps_quiet_about_are_refused() {
    for export in ["call.drain", "view.other", "init", "migrate", "receive", "payable.add", "reentrant.add"] {
        let refused = lie(&format!(r#"{TWO} (func (export "{export}"))"#), &two());
        assert_eq!(refused, InvalidModule::NotDescribed(export.into()));
        assert_eq!(refused.to_string(), format!("the code exports `{export}`, which its ABI does not describe"));
    }
}

#[test]
fn an_abi_that_lies_about_marks_is_refused() {
    for (payable, reentrant, export) in [(true, false, "payable.add"), (false, true, "reentrant.add")] {
        let mut entries = two();
        let add = Method { payable, reentrant, ..method(MethodKind::Call, "add", Type::Unit) };
        entries[1] = Entry::Method(add);
        assert_eq!(lie(TWO, &entries), InvalidModule::NotExported(export.into()));
        let honest = format!(r#"{TWO} (func (export "{export}"))"#);
        assert!(Chain::new().runtime.inspect(&with_section(&honest, ABI, &section(&entries))).is_ok());
    }
}

#[test]
fn types_that_are_missing_or_contain_themselves_are_refused() {
    let returning = |ty| {
        let mut entries = two();
        entries[2] = Entry::Method(method(MethodKind::View, "get", ty));
        entries
    };
    let named = |name: &str| Type::Named(name.into());
    let refused = lie(TWO, &returning(named("Ghost")));
    assert_eq!(refused, InvalidModule::Abi(AbiError::Undefined("Ghost".into())));
    assert_eq!(refused.to_string(), "the section `rustorium.abi`: type `Ghost` is not defined");

    let mut itself = returning(named("Loop"));
    itself.push(structure("Loop", vec![field("next", Type::Option(Box::new(named("Loop"))))]));
    let refused = lie(TWO, &itself);
    assert_eq!(refused, InvalidModule::Abi(AbiError::TooDeep("Loop".into())));
    assert_eq!(refused.to_string(), "the section `rustorium.abi`: type `Loop` nests deeper than 16");

    let mut each_other = returning(named("A"));
    each_other.push(structure("A", vec![field("b", Type::Vec(Box::new(named("B"))))]));
    each_other.push(structure("B", vec![field("a", named("A"))]));
    assert!(matches!(lie(TWO, &each_other), InvalidModule::Abi(AbiError::TooDeep(_))));

    let mut deep = Type::U8;
    for _ in 0..=TYPE_DEPTH {
        deep = Type::Option(Box::new(deep));
    }
    assert!(matches!(lie(TWO, &returning(deep)), InvalidModule::Abi(_)));
}

#[test]
fn damaged_and_oversized_abis_are_refused() {
    let refused = |content: &[u8]| refusal_of(&with_section(TWO, ABI, content)).to_string();
    let sound = section(&two());
    for cut in 1..sound.len() {
        let text = refused(&sound[..cut]);
        // Between two entries what is left is an ABI, of fewer methods than there are.
        let shorter = text.ends_with("which its ABI does not describe");
        assert!(text.starts_with("the section `rustorium.abi`: ") || shorter, "cut at {cut}: {text}");
    }
    assert_eq!(refused(b"\xff\xff\xff\xff"), "the section `rustorium.abi`: the ABI's entry at byte 0 does not decode");
    assert_eq!(refused(b""), "the section `rustorium.abi`: the ABI must describe exactly one contract");
    let large = refused(&[0; (128 << 10) + 1]);
    assert_eq!(large, "the section `rustorium.abi`: the ABI section has 131073 bytes; at most 131072 are allowed");
    // A length in an entry that promises gigabytes.
    let mut promise = vec![1, 0xff, 0xff, 0xff, 0xff];
    promise.splice(..0, 5u32.to_le_bytes());
    assert!(refused(&promise).contains("does not decode"));
    let mut newer = two();
    newer[0] =
        Entry::Contract(Contract { abi_version: 999, name: "N".into(), version: "1".into(), doc: String::new() });
    assert_eq!(
        refused(&section(&newer)),
        "the section `rustorium.abi`: the ABI has version 999; this software knows 1"
    );
    let mut twice = two();
    twice.push(twice[1].clone());
    assert_eq!(refused(&section(&twice)), "the section `rustorium.abi`: `add` is defined twice");
}

#[test]
fn a_second_abi_section_is_refused() {
    let mut wasm = with_section(TWO, ABI, &section(&two()));
    let second = with_section(TWO, ABI, &section(&two()));
    wasm.extend_from_slice(&second[without_names(TWO).len()..]);
    assert_eq!(refusal_of(&wasm).to_string(), "the module has 2 ABI sections; at most 1 are allowed");
}

#[test]
fn names_with_control_characters_are_refused() {
    let mut entries = two();
    let (name, doc) = ("\u{1b}[2Jgone".to_owned(), String::new());
    entries.push(Entry::Event(Event { name, doc, fields: vec![] }));
    assert_eq!(lie(TWO, &entries), InvalidModule::Abi(AbiError::Name));
    let export = super::refusal(&contract("(func (export \"call.\\1b[2J\"))"));
    assert_eq!(export, InvalidModule::ExportName("call.\u{fffd}[2J".into()));
    assert!(!export.to_string().contains('\u{1b}'), "nor are they printed");
    for body in [
        "(call $emit (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 0))",
        "(call $fail (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 0))",
    ] {
        let mut chain = Chain::new();
        let id = chain.deploy(&contract(&format!(r#"(data (i32.const 0) "a\07b") (func (export "call.x") {body})"#)));
        let effects = chain.call(id, "x", b"");
        assert_eq!(failure(&effects).code, Code::Trap);
        assert!(effects.diagnostics.message.unwrap().contains("control characters"));
    }
}
