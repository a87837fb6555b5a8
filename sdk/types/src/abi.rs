//! What a contract offers: methods, views, events, errors, storage and types, with their docs.
//!
//! It travels in the module as the custom section [`ABI_SECTION`](crate::host::ABI_SECTION). Each item of the
//! source emits its own entry and the linker concatenates them, in any order:
//!
//! ```text
//! section   ( length of the entry, 4 bytes little-endian │ borsh(Entry) ) …
//! ```
//!
//! Types of structs and enums are named, and have an entry each. Values are `borsh`; how each type looks in
//! JSON stands beside it. Invariants of a parsed [`Abi`]: names are unique within their kind, every named
//! type has its entry, and types nest to a bounded depth.
//!
//! - [`section`], [`parse`]: from a module, and what is refused
//! - [`walk`]: where a value ends, and an event's indexed fields
//! - [`order`]: storage keys and the order of maps, by type
//! - [`json`]: values to and from JSON, by type (feature `json`)
//! - [`publish`]: the ABI itself as JSON (feature `json`)
//! - [`compat`]: what an upgrade would break

pub mod compat;
mod encoding;
pub mod error;
pub mod order;
pub mod parse;
pub mod section;
pub mod text;
pub mod walk;

#[cfg(feature = "json")]
pub mod json;
#[cfg(feature = "json")]
pub mod publish;
#[cfg(test)]
pub(crate) mod testing;

use alloc::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};

use borsh::{BorshDeserialize, BorshSerialize};
#[cfg(feature = "json")]
use serde::{Deserialize, Serialize};

pub use parse::AbiError;

#[cfg(doc)]
use crate::limits;

/// The version of the entries that this crate writes.
pub const VERSION: u16 = 1;
/// Bytes of a section at the most.
pub const SECTION_BYTES: usize = 128 << 10;
/// How deep types nest at the most, named ones followed.
pub const TYPE_DEPTH: usize = 16;

/// A type of values.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
#[cfg_attr(feature = "json", derive(Serialize, Deserialize), serde(rename_all = "camelCase"))]
pub enum Type {
    /// Nothing: JSON `null`, no bytes.
    Unit,
    /// JSON boolean.
    Bool,
    /// JSON number.
    U8,
    /// JSON number.
    U16,
    /// JSON number.
    U32,
    /// JSON decimal string.
    U64,
    /// JSON decimal string.
    U128,
    /// JSON number.
    I8,
    /// JSON number.
    I16,
    /// JSON number.
    I32,
    /// JSON decimal string.
    I64,
    /// JSON decimal string.
    I128,
    /// 32 bytes little-endian; JSON decimal string.
    U256,
    /// A BN254 scalar, 32 bytes big-endian below the modulus; JSON decimal string.
    Field,
    /// An `i128` of 10⁻¹⁸ths; JSON decimal string, as `"1.25"`.
    Decimal,
    /// UTF-8; JSON string.
    String,
    /// Length-prefixed bytes; JSON `"0x…"`.
    Bytes,
    /// That many bytes; JSON `"0x…"`.
    FixedBytes(u32),
    /// JSON bech32m text.
    Address,
    /// JSON `"0x…"`.
    Hash,
    /// `u64` milliseconds since the Unix epoch; JSON RFC 3339 text in UTC.
    Timestamp,
    /// JSON `null` or the value.
    Option(Box<Type>),
    /// JSON array.
    Vec(Box<Type>),
    /// A sorted map; JSON `[{"key":…,"value":…}]`.
    Map(Box<Type>, Box<Type>),
    /// JSON array.
    Tuple(Vec<Type>),
    /// A struct without a name; JSON object.
    Record(Vec<Field>),
    /// A struct or enum of this name.
    Named(String),
}

/// A field, argument or part of a value.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "json", derive(Serialize, Deserialize), serde(rename_all = "camelCase"))]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
    #[cfg_attr(feature = "json", serde(rename = "type"))]
    pub ty: Type,
    /// Its doc comment.
    pub doc: String,
    /// Of an event's field: can be searched for.
    pub indexed: bool,
}

/// One entry of the section.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Entry {
    /// The contract itself; exactly one.
    Contract(Contract),
    /// Something that can be called.
    Method(Method),
    /// An event.
    Event(Event),
    /// The variants of an error enum; several enums add up, their variants' names are unique.
    Error(Vec<Variant>),
    /// A named type.
    Type(TypeDefinition),
    /// A storage field.
    Storage(Storage),
}

/// The contract itself.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Contract {
    /// [`VERSION`].
    pub abi_version: u16,
    /// Its name in the source.
    pub name: String,
    /// Its crate's version.
    pub version: String,
    /// Its doc comment.
    pub doc: String,
}

/// What kind of method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "json", derive(Serialize, Deserialize), serde(rename_all = "camelCase"))]
pub enum MethodKind {
    /// Runs once, when the contract is made.
    Init,
    /// Runs at an upgrade to this code.
    Migrate,
    /// Runs when native value is transferred to the contract.
    Receive,
    /// Changes state.
    Call,
    /// Reads state.
    View,
}

/// Something that can be called.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "json", derive(Serialize, Deserialize), serde(rename_all = "camelCase"))]
pub struct Method {
    /// What kind.
    pub kind: MethodKind,
    /// Its name: without the `call.` or `view.` of the export.
    pub name: String,
    /// Its doc comment.
    pub doc: String,
    /// Its arguments, in order of their encoding.
    pub arguments: Vec<Field>,
    /// What it returns.
    pub returns: Type,
    /// Takes native value.
    pub payable: bool,
    /// May be called while the contract is on the stack.
    pub reentrant: bool,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "json", derive(Serialize, Deserialize), serde(rename_all = "camelCase"))]
pub struct Event {
    /// Its name.
    pub name: String,
    /// Its doc comment.
    pub doc: String,
    /// Its fields, at most [`limits::INDEXED_FIELDS`] of them indexed.
    pub fields: Vec<Field>,
}

/// A variant of an enum or of an error.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "json", derive(Serialize, Deserialize), serde(rename_all = "camelCase"))]
pub struct Variant {
    /// Its name. JSON of an enum is `{"type":"Name", …fields}`.
    pub name: String,
    /// Its doc comment.
    pub doc: String,
    /// Of an error: the sentence shown, with `{field}` for the fields; empty if there is none.
    pub message: String,
    /// Its fields; those of a tuple variant are named `0`, `1` …
    pub fields: Vec<Field>,
}

/// A named type.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "json", derive(Serialize, Deserialize), serde(rename_all = "camelCase"))]
pub struct TypeDefinition {
    /// Its name.
    pub name: String,
    /// Its doc comment.
    pub doc: String,
    /// What it is made of.
    pub shape: Shape,
}

/// What a named type is made of.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "json", derive(Serialize, Deserialize), serde(rename_all = "camelCase"))]
pub enum Shape {
    /// Fields in order.
    Struct(Vec<Field>),
    /// One of at most 256 variants: an index byte, then its fields.
    Enum(Vec<Variant>),
}

/// A storage field.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "json", derive(Serialize, Deserialize), serde(rename_all = "camelCase"))]
pub struct Storage {
    /// Its name in the source.
    pub name: String,
    /// Its name in storage keys, where that differs (`#[stored_as]`); else the same.
    pub stored_as: String,
    /// Its doc comment.
    pub doc: String,
    /// What is kept how.
    pub layout: Layout,
}

/// How a storage field lays its values out under keys, which start with [`crate::key::field`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[cfg_attr(feature = "json", derive(Serialize, Deserialize), serde(rename_all = "camelCase"))]
pub enum Layout {
    /// One value under the field's key.
    Item(Type),
    /// A value under the field's key and each map key.
    Map(Type, Type),
    /// The length (`u32`) under the field's key; values under it and a `u32` index.
    List(Type),
    /// A map that can be paged, all by point reads. Under the field's key and: `'n'` the count (`u32`);
    /// `'v'` and the map key: position (`u32`) and value; `'k'` and a `u32` position: the map key, borsh.
    EnumMap(Type, Type),
}

/// A contract's ABI, its entries sorted by kind and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abi {
    /// The contract.
    pub contract: Contract,
    /// Its methods, by kind and name.
    pub methods: BTreeMap<(MethodKind, String), Method>,
    /// Its events, by name.
    pub events: BTreeMap<String, Event>,
    /// Its errors, by name.
    pub errors: BTreeMap<String, Variant>,
    /// Its types, by name.
    pub types: BTreeMap<String, TypeDefinition>,
    /// Its storage fields, by name in the source.
    pub storage: BTreeMap<String, Storage>,
}

impl Abi {
    /// The method of a kind and name.
    pub fn method(&self, kind: MethodKind, name: &str) -> Option<&Method> {
        self.methods.get(&(kind, name.into()))
    }

    /// The shape of a named type.
    pub fn shape(&self, name: &str) -> Option<&Shape> {
        self.types.get(name).map(|definition| &definition.shape)
    }
}

impl MethodKind {
    /// The word for it, as in `call`.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Migrate => "migrate",
            Self::Receive => "receive",
            Self::Call => "call",
            Self::View => "view",
        }
    }
}

impl Layout {
    /// What it is, in words.
    pub const fn text(&self) -> &'static str {
        match self {
            Self::Item(_) => "one value",
            Self::Map(..) => "a map",
            Self::List(_) => "a list",
            Self::EnumMap(..) => "a map that can be paged",
        }
    }
}
