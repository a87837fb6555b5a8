//! The ABI's section and its published form against their golden vectors, and values of random types in
//! both directions.
//!
//! `RUSTORIUM_BLESS=1 cargo test -p rustorium-types` writes the vectors anew; see `formats.rs` for what that means.

use std::{fs, path::Path};

use proptest::prelude::*;
use rustorium_types::abi::{
    Abi, Contract, Entry, Event, Field, Layout, Method, MethodKind, Shape, Storage, Type, TypeDefinition, Variant,
    json, order, walk,
};
use serde_json::Value;

fn field(name: &str, ty: Type) -> Field {
    Field { name: name.into(), ty, doc: format!("The {name}."), indexed: false }
}

fn entries() -> Vec<Entry> {
    let doc = || String::from("Why it is there.");
    let every = vec![
        Type::Unit,
        Type::Bool,
        Type::U8,
        Type::U16,
        Type::U32,
        Type::U64,
        Type::U128,
        Type::I8,
        Type::I16,
        Type::I32,
        Type::I64,
        Type::I128,
        Type::U256,
        Type::Field,
        Type::Decimal,
        Type::String,
        Type::Bytes,
        Type::FixedBytes(32),
        Type::Address,
        Type::Hash,
        Type::Timestamp,
        Type::Option(Type::U8.into()),
        Type::Vec(Type::U8.into()),
        Type::Map(Type::U8.into(), Type::Bool.into()),
        Type::Tuple(vec![Type::U8, Type::Bool]),
        Type::Record(vec![field("a", Type::U8)]),
        Type::Named("Choice".into()),
    ];
    let method = |kind, name: &str| {
        let arguments = vec![field("every", Type::Tuple(every.clone()))];
        let (payable, reentrant) = (kind == MethodKind::Call, kind == MethodKind::Receive);
        Entry::Method(Method {
            kind,
            name: name.into(),
            doc: doc(),
            arguments,
            returns: Type::Unit,
            payable,
            reentrant,
        })
    };
    let storage = |name: &str, layout| {
        Entry::Storage(Storage { name: name.into(), stored_as: format!("old_{name}"), doc: doc(), layout })
    };
    let variant = |name: &str, message: &str| Variant {
        name: name.into(),
        doc: doc(),
        message: message.into(),
        fields: vec![field("needed", Type::U128)],
    };
    vec![
        Entry::Contract(Contract { abi_version: 1, name: "Golden".into(), version: "1.2.3".into(), doc: doc() }),
        method(MethodKind::Init, "init"),
        method(MethodKind::Migrate, "migrate"),
        method(MethodKind::Receive, "receive"),
        method(MethodKind::Call, "call"),
        method(MethodKind::View, "view"),
        Entry::Event(Event {
            name: "Happened".into(),
            doc: doc(),
            fields: vec![Field { indexed: true, ..field("what", Type::String) }],
        }),
        Entry::Error(vec![variant("Insufficient", "needs {needed}"), variant("Other", "")]),
        Entry::Type(TypeDefinition {
            name: "Point".into(),
            doc: doc(),
            shape: Shape::Struct(vec![field("x", Type::I32)]),
        }),
        Entry::Type(TypeDefinition {
            name: "Choice".into(),
            doc: doc(),
            shape: Shape::Enum(vec![variant("Yes", ""), variant("No", "")]),
        }),
        storage("item", Layout::Item(Type::U8)),
        storage("map", Layout::Map(Type::Address, Type::U128)),
        storage("list", Layout::List(Type::Named("Point".into()))),
        storage("pages", Layout::EnumMap(Type::Address, Type::U128)),
    ]
}

fn section() -> Vec<u8> {
    entries().iter().fold(Vec::new(), |mut section, entry| {
        let bytes = borsh::to_vec(entry).expect("memory does not fail");
        section.extend((bytes.len() as u32).to_le_bytes());
        section.extend(bytes);
        section
    })
}

fn assert_frozen(name: &str, now: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name);
    if std::env::var_os("RUSTORIUM_BLESS").is_some() {
        fs::write(&path, now).expect("the vectors can be written");
    }
    assert_eq!(fs::read_to_string(&path).expect("the vectors are there"), now, "{name}");
}

#[test]
fn the_section_is_frozen() {
    assert_frozen("abi.hex", &format!("{}\n", hex::encode(section())));
    let abi = Abi::from_section(&section()).expect("an ABI");
    let published: Value = abi.to_json();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/abi.json");
    if std::env::var_os("RUSTORIUM_BLESS").is_some() {
        let text = serde_json::to_string_pretty(&published).expect("JSON");
        fs::write(&path, text + "\n").expect("the vectors can be written");
    }
    let frozen = fs::read_to_string(&path).expect("the vectors are there");
    assert_eq!(serde_json::from_str::<Value>(&frozen).expect("JSON"), published);
    assert_eq!(Abi::from_json(&published).expect("an ABI"), abi);
}

/// A type, and two values of it in JSON.
fn typed() -> impl Strategy<Value = (Type, [Value; 2])> {
    fn pair<T: std::fmt::Debug + 'static>(
        ty: Type,
        values: impl Strategy<Value = T> + 'static,
        json: impl Fn(T) -> Value + 'static,
    ) -> BoxedStrategy<(Type, [Value; 2])> {
        (proptest::collection::vec(values, 2))
            .prop_map(move |values| {
                let mut values = values.into_iter().map(&json);
                (ty.clone(), [values.next().unwrap_or_default(), values.next().unwrap_or_default()])
            })
            .boxed()
    }
    let text = |number: String| Value::from(number);
    let leaf = prop_oneof![
        pair(Type::Bool, any::<bool>(), Value::from),
        pair(Type::U8, any::<u8>(), Value::from),
        pair(Type::I32, any::<i32>(), Value::from),
        pair(Type::I128, any::<i128>(), move |number| text(number.to_string())),
        pair(Type::U256, any::<[u8; 32]>(), move |bytes| text(json::number::format_u256(bytes))),
        pair(Type::Decimal, any::<i128>(), move |number| text(json::number::format_decimal(number))),
        pair(Type::String, "[a-c\\x00]{0,3}", Value::from),
        pair(Type::Timestamp, any::<u64>(), move |time| {
            text(rustorium_types::time::format_timestamp(rustorium_types::id::Timestamp(time)))
        }),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let double = inner.clone();
        prop_oneof![
            inner.clone().prop_map(|(ty, [a, b])| (
                Type::Vec(ty.into()),
                [Value::from(vec![a.clone(), b]), Value::from(vec![a])]
            )),
            inner.clone().prop_filter_map("an option of an option loses its inside", |(ty, [a, _])| {
                (!matches!(ty, Type::Option(_))).then(|| (Type::Option(ty.into()), [a, Value::Null]))
            }),
            (inner, double).prop_map(|((one, [a, b]), (two, [c, d]))| {
                (Type::Tuple(vec![one, two]), [Value::from(vec![a, c]), Value::from(vec![b, d])])
            }),
        ]
    })
}

proptest! {
    #[test]
    fn json_and_borsh_agree((ty, values) in typed()) {
        let abi = Abi::from_section(&section()).expect("an ABI");
        for value in values {
            let bytes = json::encode(&abi, &ty, &value).expect("the value fits");
            prop_assert_eq!(json::decode(&abi, &ty, &bytes), Ok(value));
            prop_assert_eq!(walk::length(&abi, &ty, &bytes), Ok(bytes.len()));
        }
    }

    #[test]
    fn a_map_holds_its_keys_in_order((ty, [a, b]) in typed()) {
        let abi = Abi::from_section(&section()).expect("an ABI");
        let order_key = |value: &Value| {
            let bytes = json::encode(&abi, &ty, value).expect("the value fits");
            let mut key = Vec::new();
            order::append(&abi, &ty, &bytes, &mut key).expect("the bytes are the type's");
            key
        };
        let (first, second) = if order_key(&a) <= order_key(&b) { (&a, &b) } else { (&b, &a) };
        let entry = |key: &Value| serde_json::json!({"key": key, "value": null});
        let map = Type::Map(ty.clone().into(), Type::Unit.into());
        let encoded = json::encode(&abi, &map, &Value::from(vec![entry(&b), entry(&a)]));
        if order_key(&a) == order_key(&b) {
            prop_assert!(encoded.is_err());
        } else {
            let decoded = json::decode(&abi, &map, &encoded.expect("the map fits")).expect("decodes");
            prop_assert_eq!(decoded, Value::from(vec![entry(first), entry(second)]));
        }
    }

    #[test]
    fn hostile_bytes_do_no_harm(ty in typed(), bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let abi = Abi::from_section(&section()).expect("an ABI");
        let _ = json::decode(&abi, &ty.0, &bytes);
        let _ = walk::length(&abi, &ty.0, &bytes);
        let _ = borsh::from_slice::<Type>(&bytes);
        let _ = Abi::from_section(&bytes);
    }
}
