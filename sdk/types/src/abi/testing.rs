//! One ABI, and a value of every type with its bytes and JSON: the golden vectors of values, and what the
//! tests of this folder share.

use alloc::{borrow::ToOwned, boxed::Box, string::String, vec, vec::Vec};

use super::{
    Abi, Contract, Entry, Event, Field, Layout, Method, MethodKind, Shape, Storage, Type, TypeDefinition, VERSION,
    Variant,
};
use crate::id::{AccountId, Address};

fn field(name: &str, ty: Type) -> Field {
    Field { name: name.into(), ty, doc: String::new(), indexed: false }
}

fn indexed(name: &str, ty: Type) -> Field {
    Field { indexed: true, ..field(name, ty) }
}

fn option(ty: Type) -> Type {
    Type::Option(Box::new(ty))
}

fn named(name: &str) -> Type {
    Type::Named(name.into())
}

fn variant(name: &str, message: &str, fields: Vec<Field>) -> Variant {
    Variant { name: name.into(), doc: String::new(), message: message.into(), fields }
}

fn method(kind: MethodKind, name: &str, arguments: Vec<Field>, returns: Type) -> Entry {
    let doc = "What it does.".into();
    Entry::Method(Method { kind, name: name.into(), doc, arguments, returns, payable: false, reentrant: false })
}

fn storage(name: &str, layout: Layout) -> Entry {
    Entry::Storage(Storage { name: name.into(), stored_as: name.into(), doc: String::new(), layout })
}

fn definition(name: &str, shape: Shape) -> Entry {
    Entry::Type(TypeDefinition { name: name.into(), doc: String::new(), shape })
}

pub(crate) fn abi() -> Abi {
    let holder = option(Type::Address);
    let entries = vec![
        Entry::Contract(Contract {
            abi_version: VERSION,
            name: "Token".into(),
            version: "0.1.0".into(),
            doc: "A token.".into(),
        }),
        method(MethodKind::Init, "init", vec![field("supply", Type::U128)], Type::Unit),
        method(MethodKind::Call, "transfer", vec![field("to", Type::Address), field("amount", Type::U128)], Type::Unit),
        method(MethodKind::View, "choices", vec![field("point", named("Point"))], Type::Vec(Box::new(named("Choice")))),
        Entry::Event(Event {
            name: "Transfer".into(),
            doc: String::new(),
            fields: vec![indexed("from", holder.clone()), indexed("to", holder), field("amount", Type::U128)],
        }),
        Entry::Error(vec![
            variant(
                "Insufficient",
                "needs {needed}, has {available}",
                vec![field("needed", Type::U128), field("available", Type::U128)],
            ),
            variant("NotOwner", "", vec![field("caller", Type::Address)]),
        ]),
        definition("Point", Shape::Struct(vec![field("x", Type::I32), field("label", option(Type::String))])),
        definition(
            "Choice",
            Shape::Enum(vec![
                variant("Yes", "", vec![]),
                variant("No", "", vec![field("reason", Type::String)]),
                variant("Pair", "", vec![field("0", Type::U8), field("1", Type::U8)]),
            ]),
        ),
        storage("owner", Layout::Item(Type::Address)),
        storage("notes", Layout::List(Type::String)),
        storage("balances", Layout::EnumMap(Type::Address, Type::U128)),
        storage("allowances", Layout::Map(Type::Tuple(vec![Type::Address, Type::Address]), Type::U128)),
    ];
    Abi::from_entries(entries).expect("the ABI of the tests")
}

/// The account of seven: `acc1…`.
pub(crate) const SEVEN: Address = Address::Account(AccountId([7; 32]));
/// Its text.
pub(crate) const SEVEN_TEXT: &str = "acc1qurswpc8qurswpc8qurswpc8qurswpc8qurswpc8qurswpc8qursys6xp5";

/// `borsh` of a `Transfer` from nobody to [`SEVEN`] of 5.
pub(crate) fn transfer() -> Vec<u8> {
    borsh::to_vec(&(None::<Address>, Some(SEVEN), 5u128)).expect("memory does not fail")
}

/// Types, the bytes of a value, and its JSON.
pub(crate) fn values() -> Vec<(Type, Vec<u8>, String)> {
    let hex = |text: &str| hex::decode(text.replace(' ', "")).expect("hex");
    let row = |ty: Type, bytes: &str, json: &str| (ty, hex(bytes), json.to_owned());
    let ff = "ff".repeat(15);
    let seven = "07".repeat(32);
    vec![
        row(Type::Unit, "", "null"),
        row(Type::Bool, "01", "true"),
        row(Type::U8, "ff", "255"),
        row(Type::U16, "0102", "513"),
        row(Type::U32, "ffffffff", "4294967295"),
        row(Type::U64, "0100000000000080", "\"9223372036854775809\""),
        row(Type::U128, &alloc::format!("{ff}ff"), "\"340282366920938463463374607431768211455\""),
        row(Type::I8, "ff", "-1"),
        row(Type::I16, "0080", "-32768"),
        row(Type::I32, "feffffff", "-2"),
        row(Type::I64, "0000000000000080", "\"-9223372036854775808\""),
        row(Type::I128, &alloc::format!("{ff}7f"), "\"170141183460469231731687303715884105727\""),
        row(Type::U256, &alloc::format!("01{}", "00".repeat(31)), "\"1\""),
        row(Type::Field, &alloc::format!("{}0100", "00".repeat(30)), "\"256\""),
        row(Type::Decimal, "0000 5027 946f 7759 ffff ffff ffff ffff", "\"-12\""),
        row(Type::String, "03000000 61c3a9", "\"aé\""),
        row(Type::Bytes, "02000000 00ff", "\"0x00ff\""),
        row(Type::FixedBytes(3), "010203", "\"0x010203\""),
        row(Type::Address, &alloc::format!("00{seven}"), &alloc::format!("\"{SEVEN_TEXT}\"")),
        row(Type::Hash, &seven, &alloc::format!("\"0x{seven}\"")),
        row(Type::Timestamp, "7b68e5cf8b010000", "\"2023-11-14T22:13:20.123Z\""),
        row(option(Type::U8), "00", "null"),
        row(option(Type::U8), "0107", "7"),
        row(Type::Vec(Box::new(Type::U16)), "02000000 0100 0200", "[1,2]"),
        row(
            Type::Map(Box::new(Type::I16), Box::new(Type::Bool)),
            "02000000 ffff 00 0100 01",
            r#"[{"key":-1,"value":false},{"key":1,"value":true}]"#,
        ),
        row(Type::Tuple(vec![Type::U8, Type::String]), "05 01000000 61", r#"[5,"a"]"#),
        row(Type::Record(vec![field("a", Type::U8), field("type", Type::Bool)]), "0501", r#"{"a":5,"type":true}"#),
        row(named("Point"), "feffffff 01 01000000 61", r#"{"x":-2,"label":"a"}"#),
        row(named("Choice"), "00", r#"{"type":"Yes"}"#),
        row(named("Choice"), "01 02000000 6e6f", r#"{"type":"No","reason":"no"}"#),
        row(named("Choice"), "02 0102", r#"{"type":"Pair","0":1,"1":2}"#),
    ]
}
