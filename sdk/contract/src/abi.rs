//! What a contract's ABI is made from: constants, put together and encoded by the compiler.
//!
//! Each type of values describes itself ([`AbiType::TYPE`]), so aliases, generics and types of other crates
//! work like any other. The descriptors mirror [`rustorium_types::abi`], which is what readers of the section
//! parse; here everything is `&'static`, because constants cannot own memory. [`encode`] turns them into the
//! section's bytes at compile time, so that a contract carries no code for its own description.

use borsh::{BorshDeserialize, BorshSerialize};

mod encode;
mod section;
mod types;

pub use rustorium_types::abi::MethodKind;
pub use section::{Section, event_length, event_section};

/// A type of values that cross the border of a contract: arguments, results, storage, events and errors.
///
/// Implemented for `bool`, `u8`…`u128`, `i8`…`i128`, [`U256`](crate::U256), [`Field`](crate::Field),
/// [`Decimal`](crate::Decimal), `String`, [`Bytes`](crate::Bytes), `[u8; N]`, [`Address`](crate::Address),
/// [`Hash`](crate::Hash), [`Timestamp`](crate::Timestamp), `Option`, `Vec`, `BTreeMap` and tuples of these, and
/// for structs and enums marked [`#[abi]`](macro@crate::abi).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a type that contracts exchange or store",
    label = "not an ABI type",
    note = "use bool, an integer, U256, Field, Decimal, String, Bytes, [u8; N], Address, Hash, Timestamp, Option, Vec, BTreeMap or a tuple of these",
    note = "or mark your own struct or enum with `#[abi]`"
)]
pub trait AbiType: BorshSerialize + BorshDeserialize {
    /// How the ABI describes it.
    const TYPE: Type;

    /// What [`get`](crate::Item::get) answers where nothing is stored: zero, or empty. `None` where a type has
    /// no such value, as an address has none; then `get` fails.
    fn absent() -> Option<Self> {
        None
    }
}

/// How the ABI describes a type; mirrors [`rustorium_types::abi::Type`].
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the variants are explained at rustorium_types::abi::Type")]
pub enum Type {
    Unit,
    Bool,
    U8,
    U16,
    U32,
    U64,
    U128,
    I8,
    I16,
    I32,
    I64,
    I128,
    U256,
    Field,
    Decimal,
    String,
    Bytes,
    FixedBytes(u32),
    Address,
    Hash,
    Timestamp,
    Option(&'static Type),
    Vec(&'static Type),
    Map(&'static Type, &'static Type),
    Tuple(&'static [Type]),
    Record(&'static [Field]),
    Named(&'static Definition),
}

/// A field, an argument or a part of a value.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
    /// Its doc comment.
    pub doc: &'static str,
    /// Of an event's field: can be searched for.
    pub indexed: bool,
}

/// A named struct or enum.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// Its doc comment.
    pub doc: &'static str,
    /// What it is made of.
    pub shape: Shape,
}

/// What a named type is made of.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Fields in order.
    Struct(&'static [Field]),
    /// One of these.
    Enum(&'static [Variant]),
}

/// A variant of an enum or of an error.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// Its name.
    pub name: &'static str,
    /// Its doc comment.
    pub doc: &'static str,
    /// Of an error: the sentence shown.
    pub message: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
}

/// Something that can be called.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// What kind.
    pub kind: MethodKind,
    /// Its name, without the `call.` or `view.` of the export.
    pub name: &'static str,
    /// Its doc comment.
    pub doc: &'static str,
    /// Its arguments.
    pub arguments: &'static [Field],
    /// What it returns.
    pub returns: Type,
    /// How it fails.
    pub errors: &'static [Variant],
    /// Takes native value.
    pub payable: bool,
    /// May be called while the contract is on the stack.
    pub reentrant: bool,
}

/// An event.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// Its name.
    pub name: &'static str,
    /// Its doc comment.
    pub doc: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
}

/// A storage field.
#[derive(Clone, Copy, Debug)]
pub struct Storage {
    /// Its name in the source.
    pub name: &'static str,
    /// Its name in storage keys.
    pub stored_as: &'static str,
    /// Its doc comment.
    pub doc: &'static str,
    /// What is kept how.
    pub layout: Layout,
}

/// How a storage field lays its values out.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the variants are explained at rustorium_types::abi::Layout")]
pub enum Layout {
    Item(Type),
    Map(Type, Type),
    List(Type),
    EnumMap(Type, Type),
}

/// Everything that a contract's own section says; events of its crate say theirs beside it.
#[derive(Clone, Copy, Debug)]
pub struct Contract {
    /// Its name in the source.
    pub name: &'static str,
    /// Its crate's version.
    pub version: &'static str,
    /// Its doc comment.
    pub doc: &'static str,
    /// What can be called.
    pub methods: &'static [Method],
    /// What is stored.
    pub storage: &'static [Storage],
    /// Events that other crates declare.
    pub events: &'static [Event],
}
