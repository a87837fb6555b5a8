//! `borsh` of ABI entries, computed by the compiler.
//!
//! One encoder serves twice: into no room at all it only counts and hashes, which tells how long the section
//! is and whether two definitions are the same; into an array of that length it writes. The bytes are those
//! that `borsh` makes of [`rustorium_types::abi::Entry`] (tested in [`super::section`]).

use rustorium_types::limits;

use super::{Contract, Event, Field, Layout, Method, MethodKind, Shape, Storage, Type, Variant};

/// The number of a variant of `rustorium_types::abi::Entry`.
pub(super) const ENTRY_CONTRACT: u8 = 0;
pub(super) const ENTRY_METHOD: u8 = 1;
pub(super) const ENTRY_EVENT: u8 = 2;
pub(super) const ENTRY_ERROR: u8 = 3;
pub(super) const ENTRY_TYPE: u8 = 4;
pub(super) const ENTRY_STORAGE: u8 = 5;

/// Bytes written, or only counted beyond the room there is.
pub(super) struct Encoder<const N: usize> {
    pub(super) bytes: [u8; N],
    pub(super) length: usize,
    /// FNV-1a of all bytes: enough to tell an author's own definitions apart.
    pub(super) hash: u64,
}

impl<const N: usize> Encoder<N> {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; N], length: 0, hash: 0xcbf2_9ce4_8422_2325 }
    }

    pub(super) const fn byte(&mut self, byte: u8) {
        if self.length < N {
            self.bytes[self.length] = byte;
        }
        self.length += 1;
        self.hash = (self.hash ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3);
    }

    pub(super) const fn raw(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() {
            self.byte(bytes[at]);
            at += 1;
        }
    }

    pub(super) const fn count(&mut self, count: usize) {
        assert!(count <= u32::MAX as usize);
        self.raw(&(count as u32).to_le_bytes());
    }

    const fn flag(&mut self, flag: bool) {
        self.byte(flag as u8);
    }

    const fn text(&mut self, text: &str) {
        self.count(text.len());
        self.raw(text.as_bytes());
    }

    const fn name(&mut self, name: &str) {
        assert!(
            !name.is_empty() && name.len() <= limits::NAME_BYTES,
            "a name in the ABI is empty or longer than 64 bytes"
        );
        self.text(name);
    }

    const fn ty(&mut self, ty: &Type) {
        match ty {
            Type::Unit => self.byte(0),
            Type::Bool => self.byte(1),
            Type::U8 => self.byte(2),
            Type::U16 => self.byte(3),
            Type::U32 => self.byte(4),
            Type::U64 => self.byte(5),
            Type::U128 => self.byte(6),
            Type::I8 => self.byte(7),
            Type::I16 => self.byte(8),
            Type::I32 => self.byte(9),
            Type::I64 => self.byte(10),
            Type::I128 => self.byte(11),
            Type::U256 => self.byte(12),
            Type::Field => self.byte(13),
            Type::Decimal => self.byte(14),
            Type::String => self.byte(15),
            Type::Bytes => self.byte(16),
            Type::FixedBytes(length) => {
                self.byte(17);
                self.raw(&length.to_le_bytes());
            }
            Type::Address => self.byte(18),
            Type::Hash => self.byte(19),
            Type::Timestamp => self.byte(20),
            Type::Option(inner) => self.nested(21, &[**inner]),
            Type::Vec(inner) => self.nested(22, &[**inner]),
            Type::Map(key, value) => self.nested(23, &[**key, **value]),
            Type::Tuple(parts) => {
                self.byte(24);
                self.count(parts.len());
                self.types(parts);
            }
            Type::Record(fields) => {
                self.byte(25);
                self.fields(fields);
            }
            Type::Named(definition) => {
                self.byte(26);
                self.name(definition.name);
            }
        }
    }

    const fn nested(&mut self, number: u8, types: &[Type]) {
        self.byte(number);
        self.types(types);
    }

    const fn types(&mut self, types: &[Type]) {
        let mut at = 0;
        while at < types.len() {
            self.ty(&types[at]);
            at += 1;
        }
    }

    const fn fields(&mut self, fields: &[Field]) {
        self.count(fields.len());
        let mut at = 0;
        while at < fields.len() {
            let field = &fields[at];
            self.name(field.name);
            self.ty(&field.ty);
            self.text(field.doc);
            self.flag(field.indexed);
            at += 1;
        }
    }

    pub(super) const fn variant(&mut self, variant: &Variant) {
        self.name(variant.name);
        self.text(variant.doc);
        self.text(variant.message);
        self.fields(variant.fields);
    }

    pub(super) const fn contract(&mut self, contract: &Contract) {
        self.byte(ENTRY_CONTRACT);
        self.raw(&rustorium_types::abi::VERSION.to_le_bytes());
        self.name(contract.name);
        self.text(contract.version);
        self.text(contract.doc);
    }

    pub(super) const fn method(&mut self, method: &Method) {
        self.byte(ENTRY_METHOD);
        self.byte(match method.kind {
            MethodKind::Init => 0,
            MethodKind::Migrate => 1,
            MethodKind::Receive => 2,
            MethodKind::Call => 3,
            MethodKind::View => 4,
        });
        self.name(method.name);
        self.text(method.doc);
        self.fields(method.arguments);
        self.ty(&method.returns);
        self.flag(method.payable);
        self.flag(method.reentrant);
    }

    pub(super) const fn event(&mut self, event: &Event) {
        self.byte(ENTRY_EVENT);
        self.name(event.name);
        self.text(event.doc);
        self.fields(event.fields);
    }

    pub(super) const fn definition(&mut self, definition: &super::Definition) {
        self.byte(ENTRY_TYPE);
        self.name(definition.name);
        self.text(definition.doc);
        match definition.shape {
            Shape::Struct(fields) => {
                self.byte(0);
                self.fields(fields);
            }
            Shape::Enum(variants) => {
                self.byte(1);
                self.count(variants.len());
                let mut at = 0;
                while at < variants.len() {
                    self.variant(&variants[at]);
                    at += 1;
                }
            }
        }
    }

    pub(super) const fn storage(&mut self, storage: &Storage) {
        self.byte(ENTRY_STORAGE);
        self.name(storage.name);
        self.name(storage.stored_as);
        self.text(storage.doc);
        match &storage.layout {
            Layout::Item(value) => self.nested(0, &[*value]),
            Layout::Map(key, value) => self.nested(1, &[*key, *value]),
            Layout::List(value) => self.nested(2, &[*value]),
            Layout::EnumMap(key, value) => self.nested(3, &[*key, *value]),
        }
    }
}
