//! Arguments and values: JSON of any shape against types of any shape, and bytes against types. Each value has one
//! encoding, and one JSON that is written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rustorium_types::abi::{Abi, Contract, Entry, Field, Shape, Type, TypeDefinition, VERSION, Variant, json, walk};

fn field(name: &str, ty: Type) -> Field {
    Field { name: name.into(), ty, doc: String::new(), indexed: false }
}

/// An ABI with a struct and an enum, for types to name.
fn abi() -> Abi {
    let contract = Contract { abi_version: VERSION, name: "C".into(), version: "1".into(), doc: String::new() };
    let pair = Shape::Struct(vec![field("a", Type::U64), field("b", Type::Option(Box::new(Type::String)))]);
    let variant =
        |name: &str, fields| Variant { name: name.into(), doc: String::new(), message: String::new(), fields };
    let choice = Shape::Enum(vec![variant("No", vec![]), variant("Yes", vec![field("0", Type::Named("Pair".into()))])]);
    let named = |name: &str, shape| Entry::Type(TypeDefinition { name: name.into(), doc: String::new(), shape });
    Abi::from_entries(vec![Entry::Contract(contract), named("Pair", pair), named("Choice", choice)]).unwrap()
}

/// True where a value of the type may be written as `null`: an option of such a type loses its inner `none`.
fn is_nullable(ty: &Type) -> bool {
    matches!(ty, Type::Unit | Type::Option(_))
}

/// True if something in the type is lost in JSON.
fn is_lossy(ty: &Type) -> bool {
    match ty {
        Type::Option(inner) => is_nullable(inner) || is_lossy(inner),
        Type::Vec(inner) => is_lossy(inner),
        Type::Map(key, value) => is_lossy(key) || is_lossy(value),
        Type::Tuple(parts) => parts.iter().any(is_lossy),
        Type::Record(fields) => fields.iter().any(|field| is_lossy(&field.ty)),
        _ => false,
    }
}

// Input: the type's length in a byte, `borsh` of the type, then JSON text or the bytes of a value.
fuzz_target!(|bytes: &[u8]| {
    let Some((length, rest)) = bytes.split_first() else { return };
    let Some((ty, rest)) = rest.split_at_checked(usize::from(*length)) else { return };
    let Ok(ty) = borsh::from_slice::<Type>(ty) else { return };
    let abi = abi();
    if let Ok(value) = json::decode(&abi, &ty, rest) {
        assert_eq!(walk::length(&abi, &ty, rest), Ok(rest.len()));
        let encoded = json::encode(&abi, &ty, &value).expect("what decodes encodes");
        assert!(encoded == rest || is_lossy(&ty), "{ty:?} {value}");
        assert_eq!(json::decode(&abi, &ty, &encoded), Ok(value));
    }
    if let Ok(value) = serde_json::from_slice(rest)
        && let Ok(encoded) = json::encode(&abi, &ty, &value)
    {
        let decoded = json::decode(&abi, &ty, &encoded).expect("what encodes decodes");
        assert_eq!(json::encode(&abi, &ty, &decoded).expect("and encodes again"), encoded);
    }
});
