//! The ABI section of a contract, and that of an event.
//!
//! ```text
//! contract   Contract │ Method … │ Error (the variants of all errors) │ Storage … │ Event … (of other crates)
//!            │ Type … (all that these name)
//! event      Event │ Type … (all that it names)
//! ```
//!
//! each entry with its length before it. Types are found by walking the descriptors, so a type needs no entry
//! of its own in the source that is linked, and comes from whichever crate defines it. Readers tolerate the
//! same type twice; two types of one name are refused here, when the contract compiles.

use super::{
    Contract, Definition, Event, Field, Layout, Shape, Type, Variant,
    encode::{ENTRY_ERROR, Encoder},
};

/// Writes an entry behind its length, for which it is encoded twice.
macro_rules! entry {
    ($out:expr, $encoder:ident => $encode:expr) => {{
        let length = {
            let $encoder = &mut Encoder::<0>::new();
            $encode;
            $encoder.length
        };
        $out.count(length);
        let $encoder = &mut *$out;
        $encode;
    }};
}

/// Named types of one contract at the most: the list of those found has a fixed size.
const TYPES: usize = 128;
/// Variants of all errors of one contract at the most, for the same reason.
const VARIANTS: usize = 256;

/// The section of a contract.
#[derive(Clone, Copy, Debug)]
pub struct Section(pub Contract);

impl Section {
    /// Bytes of it.
    pub const fn length(&self) -> usize {
        let mut encoder = Encoder::<0>::new();
        self.write(&mut encoder);
        encoder.length
    }

    /// The bytes; `N` is [`length`](Self::length).
    pub const fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut encoder = Encoder::<N>::new();
        self.write(&mut encoder);
        encoder.bytes
    }

    /// The bytes of it, where the length need not be known when compiling.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut encoder = Box::new(Encoder::<{ rustorium_types::abi::SECTION_BYTES }>::new());
        self.write(&mut encoder);
        encoder.bytes[..encoder.length].to_vec()
    }

    const fn write<const N: usize>(&self, out: &mut Encoder<N>) {
        let contract = &self.0;
        let mut types = Types::new();
        let mut errors = Errors::new();
        entry!(out, encoder => encoder.contract(contract));
        let mut at = 0;
        while at < contract.methods.len() {
            let method = &contract.methods[at];
            entry!(out, encoder => encoder.method(method));
            types.fields(method.arguments);
            types.ty(&method.returns);
            errors.add(method.errors);
            at += 1;
        }
        if errors.length > 0 {
            entry!(out, encoder => errors.write(encoder));
        }
        let mut at = 0;
        while at < errors.length {
            if let Some(variant) = errors.found[at] {
                types.fields(variant.fields);
            }
            at += 1;
        }
        let mut at = 0;
        while at < contract.storage.len() {
            let storage = &contract.storage[at];
            entry!(out, encoder => encoder.storage(storage));
            types.layout(&storage.layout);
            at += 1;
        }
        let mut at = 0;
        while at < contract.events.len() {
            let event = &contract.events[at];
            entry!(out, encoder => encoder.event(event));
            types.fields(event.fields);
            at += 1;
        }
        types.write(out);
    }
}

/// Bytes of an event's section.
pub const fn event_length(event: &Event) -> usize {
    let mut encoder = Encoder::<0>::new();
    write_event(event, &mut encoder);
    encoder.length
}

/// An event's section; `N` is [`event_length`].
pub const fn event_section<const N: usize>(event: &Event) -> [u8; N] {
    let mut encoder = Encoder::<N>::new();
    write_event(event, &mut encoder);
    encoder.bytes
}

const fn write_event<const N: usize>(event: &Event, out: &mut Encoder<N>) {
    let mut types = Types::new();
    entry!(out, encoder => encoder.event(event));
    types.fields(event.fields);
    types.write(out);
}

/// The named types found so far, each once.
struct Types {
    found: [Option<(&'static Definition, u64)>; TYPES],
    length: usize,
}

impl Types {
    const fn new() -> Self {
        Self { found: [None; TYPES], length: 0 }
    }

    const fn fields(&mut self, fields: &'static [Field]) {
        let mut at = 0;
        while at < fields.len() {
            self.ty(&fields[at].ty);
            at += 1;
        }
    }

    const fn layout(&mut self, layout: &Layout) {
        match layout {
            Layout::Item(value) | Layout::List(value) => self.ty(value),
            Layout::Map(key, value) | Layout::EnumMap(key, value) => {
                self.ty(key);
                self.ty(value);
            }
        }
    }

    const fn ty(&mut self, ty: &Type) {
        match ty {
            Type::Option(inner) | Type::Vec(inner) => self.ty(inner),
            Type::Map(key, value) => {
                self.ty(key);
                self.ty(value);
            }
            Type::Tuple(parts) => {
                let mut at = 0;
                while at < parts.len() {
                    self.ty(&parts[at]);
                    at += 1;
                }
            }
            Type::Record(fields) => self.fields(fields),
            Type::Named(definition) => self.definition(definition),
            _ => {}
        }
    }

    const fn definition(&mut self, definition: &'static Definition) {
        let mut encoder = Encoder::<0>::new();
        encoder.definition(definition);
        let mut at = 0;
        while at < self.length {
            if let Some((known, hash)) = self.found[at]
                && same(known.name, definition.name)
            {
                assert!(
                    hash == encoder.hash,
                    "two types of different shape have the same name in this contract's ABI: rename one"
                );
                return;
            }
            at += 1;
        }
        assert!(self.length < TYPES, "a contract's ABI has more than 128 named types");
        self.found[self.length] = Some((definition, encoder.hash));
        self.length += 1;
        match definition.shape {
            Shape::Struct(fields) => self.fields(fields),
            Shape::Enum(variants) => {
                let mut at = 0;
                while at < variants.len() {
                    self.fields(variants[at].fields);
                    at += 1;
                }
            }
        }
    }

    const fn write<const N: usize>(&self, out: &mut Encoder<N>) {
        let mut at = 0;
        while at < self.length {
            if let Some((definition, _)) = self.found[at] {
                entry!(out, encoder => encoder.definition(definition));
            }
            at += 1;
        }
    }
}

/// The variants of all errors found so far, each once.
struct Errors {
    found: [Option<&'static Variant>; VARIANTS],
    length: usize,
}

impl Errors {
    const fn new() -> Self {
        Self { found: [None; VARIANTS], length: 0 }
    }

    const fn add(&mut self, variants: &'static [Variant]) {
        let mut at = 0;
        while at < variants.len() {
            self.variant(&variants[at]);
            at += 1;
        }
    }

    const fn variant(&mut self, variant: &'static Variant) {
        let mut at = 0;
        while at < self.length {
            if let Some(known) = self.found[at]
                && same(known.name, variant.name)
            {
                assert!(
                    hash(known) == hash(variant),
                    "two errors of this contract have the same name and different fields: rename one"
                );
                return;
            }
            at += 1;
        }
        assert!(self.length < VARIANTS, "a contract has more than 256 errors");
        self.found[self.length] = Some(variant);
        self.length += 1;
    }

    const fn write<const N: usize>(&self, out: &mut Encoder<N>) {
        out.byte(ENTRY_ERROR);
        out.count(self.length);
        let mut at = 0;
        while at < self.length {
            if let Some(variant) = self.found[at] {
                out.variant(variant);
            }
            at += 1;
        }
    }
}

const fn hash(variant: &Variant) -> u64 {
    let mut encoder = Encoder::<0>::new();
    encoder.variant(variant);
    encoder.hash
}

const fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}
