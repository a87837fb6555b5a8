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

use alloc::{boxed::Box, collections::BTreeMap, string::String, vec::Vec};

use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

use crate::limits;

/// The version of the entries that this crate writes.
pub const VERSION: u16 = 1;
/// Bytes of a section at the most.
pub const SECTION_BYTES: usize = 128 << 10;
/// How deep types nest at the most, named ones followed.
pub const TYPE_DEPTH: usize = 16;

/// A type of values.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
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
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
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
pub enum Shape {
    /// Fields in order.
    Struct(Vec<Field>),
    /// One of at most 256 variants: an index byte, then its fields.
    Enum(Vec<Variant>),
}

/// A storage field.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
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

/// Why a section is no ABI.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AbiError {
    /// Longer than allowed.
    #[error("the ABI section has {0} bytes; at most {SECTION_BYTES} are allowed")]
    TooLarge(usize),
    /// An entry does not decode.
    #[error("the ABI's entry at byte {0} does not decode")]
    Encoding(usize),
    /// No entry, or more than one, for the contract itself.
    #[error("the ABI must describe exactly one contract")]
    Contract,
    /// Written by a newer SDK.
    #[error("the ABI has version {0}; this software knows {VERSION}")]
    Version(u16),
    /// A name is used twice for one kind of entry.
    #[error("`{0}` is defined twice")]
    Duplicate(String),
    /// A name is empty or too long.
    #[error("a name in the ABI is empty or longer than {limit} bytes", limit = limits::NAME_BYTES)]
    Name,
    /// A type is named that has no entry.
    #[error("type `{0}` is not defined")]
    Undefined(String),
    /// Types nest too deep, or a type contains itself.
    #[error("type `{0}` nests deeper than {TYPE_DEPTH}")]
    TooDeep(String),
    /// Too many indexed fields.
    #[error("event `{0}` has more than {limit} indexed fields", limit = limits::INDEXED_FIELDS)]
    Indexed(String),
}

impl Abi {
    /// Parses the bytes of the custom section.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn from_section(section: &[u8]) -> Result<Self, AbiError> {
        if section.len() > SECTION_BYTES {
            return Err(AbiError::TooLarge(section.len()));
        }
        let mut contract = None;
        let mut abi = Self {
            contract: Contract { abi_version: 0, name: String::new(), version: String::new(), doc: String::new() },
            methods: BTreeMap::new(),
            events: BTreeMap::new(),
            errors: BTreeMap::new(),
            types: BTreeMap::new(),
            storage: BTreeMap::new(),
        };
        let mut rest = section;
        while !rest.is_empty() {
            let at = section.len() - rest.len();
            let entry = take_entry(&mut rest).ok_or(AbiError::Encoding(at))?;
            match entry {
                Entry::Contract(entry) if contract.is_none() => contract = Some(entry),
                Entry::Contract(_) => return Err(AbiError::Contract),
                entry => abi.add(entry)?,
            }
        }
        abi.contract = contract.ok_or(AbiError::Contract)?;
        if abi.contract.abi_version > VERSION {
            return Err(AbiError::Version(abi.contract.abi_version));
        }
        abi.check_types()?;
        Ok(abi)
    }

    /// The method of a kind and name.
    pub fn method(&self, kind: MethodKind, name: &str) -> Option<&Method> {
        self.methods.get(&(kind, name.into()))
    }

    fn add(&mut self, entry: Entry) -> Result<(), AbiError> {
        match entry {
            Entry::Contract(_) => Err(AbiError::Contract),
            Entry::Method(method) => {
                insert(&mut self.methods, (method.kind, method.name.clone()), &method.name.clone(), method)
            }
            Entry::Event(event) => {
                if event.fields.iter().filter(|field| field.indexed).count() > limits::INDEXED_FIELDS {
                    return Err(AbiError::Indexed(event.name));
                }
                insert(&mut self.events, event.name.clone(), &event.name.clone(), event)
            }
            Entry::Error(variants) => variants
                .into_iter()
                .try_for_each(|variant| insert(&mut self.errors, variant.name.clone(), &variant.name.clone(), variant)),
            Entry::Type(definition) => {
                // The same type may be described by several items; it is refused only where they differ.
                if self.types.get(&definition.name) == Some(&definition) {
                    return Ok(());
                }
                insert(&mut self.types, definition.name.clone(), &definition.name.clone(), definition)
            }
            Entry::Storage(field) => insert(&mut self.storage, field.name.clone(), &field.name.clone(), field),
        }
    }

    fn check_types(&self) -> Result<(), AbiError> {
        let mut roots: Vec<&Type> = Vec::new();
        for method in self.methods.values() {
            roots.extend(method.arguments.iter().map(|field| &field.ty));
            roots.push(&method.returns);
        }
        roots.extend(self.events.values().flat_map(|event| &event.fields).map(|field| &field.ty));
        roots.extend(self.errors.values().flat_map(|error| &error.fields).map(|field| &field.ty));
        for field in self.storage.values() {
            match &field.layout {
                Layout::Item(value) | Layout::List(value) => roots.push(value),
                Layout::Map(key, value) | Layout::EnumMap(key, value) => roots.extend([key, value]),
            }
        }
        roots.into_iter().try_for_each(|ty| self.check_type(ty, 0))
    }

    fn check_type(&self, ty: &Type, depth: usize) -> Result<(), AbiError> {
        let too_deep = || AbiError::TooDeep(if let Type::Named(name) = ty { name.clone() } else { String::new() });
        if depth > TYPE_DEPTH {
            return Err(too_deep());
        }
        let check = |inner: &Type| self.check_type(inner, depth + 1);
        match ty {
            Type::Option(inner) | Type::Vec(inner) => check(inner),
            Type::Map(key, value) => check(key).and_then(|()| check(value)),
            Type::Tuple(parts) => parts.iter().try_for_each(check),
            Type::Record(fields) => fields.iter().map(|field| &field.ty).try_for_each(check),
            Type::Named(name) => match self.types.get(name).map(|definition| &definition.shape) {
                None => Err(AbiError::Undefined(name.clone())),
                Some(Shape::Struct(fields)) => fields.iter().map(|field| &field.ty).try_for_each(check),
                Some(Shape::Enum(variants)) => {
                    variants.iter().flat_map(|variant| &variant.fields).map(|field| &field.ty).try_for_each(check)
                }
            },
            _ => Ok(()),
        }
    }
}

fn take_entry(rest: &mut &[u8]) -> Option<Entry> {
    let (length, behind) = rest.split_first_chunk::<4>()?;
    let (entry, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *rest = behind;
    borsh::from_slice(entry).ok()
}

fn insert<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, name: &str, value: V) -> Result<(), AbiError> {
    if name.is_empty() || name.len() > limits::NAME_BYTES {
        return Err(AbiError::Name);
    }
    match map.insert(key, value) {
        None => Ok(()),
        Some(_) => Err(AbiError::Duplicate(name.into())),
    }
}
