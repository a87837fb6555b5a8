//! From the bytes of the custom section to a checked [`Abi`].
//!
//! The section comes from whoever deploys, so nothing in it is trusted: types are [decoded](super::encoding)
//! with a depth counter, and how deep named types nest is computed once for each of them, since wide types
//! that name each other must not cost exponential time.

use alloc::{
    collections::{BTreeMap, BTreeSet, btree_map},
    string::String,
    vec::Vec,
};

use thiserror::Error;

use super::{
    Abi, Contract, Entry, Field, Layout, Method, SECTION_BYTES, Shape, TYPE_DEPTH, Type, TypeDefinition, VERSION,
};
use crate::limits;

/// Variants of an enum: its index is one byte.
const VARIANTS: usize = 256;
/// The field of an enum's JSON that names the variant; no field of a variant can have this name.
pub(super) const TAG: &str = "type";

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
    /// Two storage fields have their values under the same keys.
    #[error("two storage fields are stored as `{0}`")]
    StoredTwice(String),
    /// A name is empty, too long or not printable.
    #[error("a name in the ABI is empty, longer than {limit} bytes or has control characters", limit = limits::NAME_BYTES)]
    Name,
    /// A field of an enum's variant has the name that JSON uses for the variant.
    #[error("variant `{0}` has a field named `type`, which its JSON needs for the variant's name")]
    Reserved(String),
    /// More variants than an index byte can tell apart.
    #[error("enum `{0}` has more than {VARIANTS} variants")]
    Variants(String),
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
        let mut entries = Vec::new();
        let mut rest = section;
        while !rest.is_empty() {
            let at = section.len() - rest.len();
            entries.push(take_entry(&mut rest).ok_or(AbiError::Encoding(at))?);
        }
        Self::from_entries(entries)
    }

    /// Checks entries, in any order, and sorts them.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn from_entries(entries: Vec<Entry>) -> Result<Self, AbiError> {
        let mut contract = None;
        let mut stored = BTreeSet::new();
        let mut abi = Self {
            contract: Contract { abi_version: 0, name: String::new(), version: String::new(), doc: String::new() },
            methods: BTreeMap::new(),
            events: BTreeMap::new(),
            errors: BTreeMap::new(),
            types: BTreeMap::new(),
            storage: BTreeMap::new(),
        };
        for entry in entries {
            match entry {
                Entry::Contract(entry) if contract.is_none() => contract = Some(entry),
                Entry::Contract(_) => return Err(AbiError::Contract),
                Entry::Method(method) => {
                    check_fields(&method.arguments)?;
                    insert(&mut abi.methods, (method.kind, method.name.clone()), method, |(_, name)| name)?;
                }
                Entry::Event(event) => {
                    check_fields(&event.fields)?;
                    if event.fields.iter().filter(|field| field.indexed).count() > limits::INDEXED_FIELDS {
                        return Err(AbiError::Indexed(event.name));
                    }
                    insert(&mut abi.events, event.name.clone(), event, |name| name)?;
                }
                Entry::Error(variants) => {
                    for variant in variants {
                        check_fields(&variant.fields)?;
                        insert(&mut abi.errors, variant.name.clone(), variant, |name| name)?;
                    }
                }
                Entry::Type(definition) => abi.add_type(definition)?,
                Entry::Storage(field) => {
                    check_name(&field.stored_as)?;
                    if !stored.insert(field.stored_as.clone()) {
                        return Err(AbiError::StoredTwice(field.stored_as));
                    }
                    insert(&mut abi.storage, field.name.clone(), field, |name| name)?;
                }
            }
        }
        abi.contract = contract.ok_or(AbiError::Contract)?;
        if abi.contract.abi_version > VERSION {
            return Err(AbiError::Version(abi.contract.abi_version));
        }
        abi.check_types()?;
        Ok(abi)
    }

    fn add_type(&mut self, definition: TypeDefinition) -> Result<(), AbiError> {
        // The same type may be described by several items; it is refused only where they differ.
        if self.types.get(&definition.name) == Some(&definition) {
            return Ok(());
        }
        match &definition.shape {
            Shape::Struct(fields) => check_fields(fields)?,
            Shape::Enum(variants) => {
                if variants.len() > VARIANTS {
                    return Err(AbiError::Variants(definition.name));
                }
                check_names(variants.iter().map(|variant| variant.name.as_str()))?;
                for variant in variants {
                    check_fields(&variant.fields)?;
                    if variant.fields.iter().any(|field| field.name == TAG) {
                        return Err(AbiError::Reserved(variant.name.clone()));
                    }
                }
            }
        }
        insert(&mut self.types, definition.name.clone(), definition, |name| name)
    }

    fn check_types<'a>(&'a self) -> Result<(), AbiError> {
        let mut known = BTreeMap::new();
        for name in self.types.keys() {
            self.height_of_named(name, TYPE_DEPTH, &mut known)?;
        }
        let mut check = |ty: &'a Type| self.height(ty, TYPE_DEPTH, &mut known).map(|_| ());
        for Method { arguments, returns, .. } in self.methods.values() {
            arguments.iter().map(|field| &field.ty).try_for_each(&mut check)?;
            check(returns)?;
        }
        self.events.values().flat_map(|event| &event.fields).map(|field| &field.ty).try_for_each(&mut check)?;
        self.errors.values().flat_map(|error| &error.fields).map(|field| &field.ty).try_for_each(&mut check)?;
        for field in self.storage.values() {
            match &field.layout {
                Layout::Item(value) | Layout::List(value) => check(value)?,
                Layout::Map(key, value) | Layout::EnumMap(key, value) => {
                    check(key)?;
                    check(value)?;
                }
            }
        }
        Ok(())
    }

    /// How many levels are below a type, at most `left`.
    fn height<'a>(
        &'a self,
        ty: &'a Type,
        left: usize,
        known: &mut BTreeMap<&'a str, usize>,
    ) -> Result<usize, AbiError> {
        if let Type::Named(name) = ty {
            return self.height_of_named(name, left, known);
        }
        let parts: Vec<&Type> = match ty {
            Type::Option(inner) | Type::Vec(inner) => Vec::from([&**inner]),
            Type::Map(key, value) => Vec::from([&**key, &**value]),
            Type::Tuple(parts) => parts.iter().collect(),
            Type::Record(fields) => {
                check_fields(fields)?;
                fields.iter().map(|field| &field.ty).collect()
            }
            _ => return Ok(0),
        };
        self.height_above(parts, "", left, known)
    }

    fn height_of_named<'a>(
        &'a self,
        name: &'a str,
        left: usize,
        known: &mut BTreeMap<&'a str, usize>,
    ) -> Result<usize, AbiError> {
        if let Some(&height) = known.get(name) {
            return if height <= left { Ok(height) } else { Err(AbiError::TooDeep(name.into())) };
        }
        let parts = match self.shape(name) {
            None => return Err(AbiError::Undefined(name.into())),
            Some(Shape::Struct(fields)) => fields.iter().map(|field| &field.ty).collect(),
            Some(Shape::Enum(variants)) => {
                variants.iter().flat_map(|variant| &variant.fields).map(|field| &field.ty).collect()
            }
        };
        let height = self.height_above(parts, name, left, known)?;
        known.insert(name, height);
        Ok(height)
    }

    fn height_above<'a>(
        &'a self,
        parts: Vec<&'a Type>,
        name: &str,
        left: usize,
        known: &mut BTreeMap<&'a str, usize>,
    ) -> Result<usize, AbiError> {
        let Some(left) = left.checked_sub(1) else {
            return Err(AbiError::TooDeep(name.into()));
        };
        parts.into_iter().try_fold(1, |height, part| Ok(height.max(1 + self.height(part, left, known)?)))
    }
}

fn take_entry(rest: &mut &[u8]) -> Option<Entry> {
    let (length, behind) = rest.split_first_chunk::<4>()?;
    let (entry, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *rest = behind;
    borsh::from_slice(entry).ok()
}

fn insert<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: V, name: fn(&K) -> &str) -> Result<(), AbiError> {
    check_name(name(&key))?;
    match map.entry(key) {
        btree_map::Entry::Vacant(place) => {
            place.insert(value);
            Ok(())
        }
        btree_map::Entry::Occupied(place) => Err(AbiError::Duplicate(name(place.key()).into())),
    }
}

fn check_name(name: &str) -> Result<(), AbiError> {
    let is_name = !name.is_empty() && name.len() <= limits::NAME_BYTES && !name.contains(char::is_control);
    if is_name { Ok(()) } else { Err(AbiError::Name) }
}

fn check_fields(fields: &[Field]) -> Result<(), AbiError> {
    check_names(fields.iter().map(|field| field.name.as_str()))
}

fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), AbiError> {
    let mut seen = BTreeSet::new();
    for name in names {
        check_name(name)?;
        if !seen.insert(name) {
            return Err(AbiError::Duplicate(name.into()));
        }
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use alloc::{boxed::Box, format, vec};

    use super::{
        super::{Storage, Variant},
        *,
    };

    fn contract() -> Entry {
        Entry::Contract(Contract { abi_version: VERSION, name: "C".into(), version: "1".into(), doc: String::new() })
    }

    fn field(name: &str, ty: Type) -> Field {
        Field { name: name.into(), ty, doc: String::new(), indexed: false }
    }

    fn structure(name: &str, fields: Vec<Field>) -> Entry {
        Entry::Type(TypeDefinition { name: name.into(), doc: String::new(), shape: Shape::Struct(fields) })
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

    #[test]
    fn wide_types_that_name_each_other_cost_linear_time() {
        let mut entries = vec![contract(), structure("T0", vec![field("x", Type::U8)])];
        for level in 1..TYPE_DEPTH {
            let below = Type::Named(format!("T{}", level - 1));
            entries.push(structure(
                &format!("T{level}"),
                (0..100).map(|part| field(&format!("f{part}"), below.clone())).collect(),
            ));
        }
        assert!(Abi::from_section(&section(&entries)).is_ok());
        entries.push(structure("Top", vec![field("x", Type::Named(format!("T{}", TYPE_DEPTH - 1)))]));
        assert!(matches!(Abi::from_section(&section(&entries)), Err(AbiError::TooDeep(_))));
    }

    #[test]
    fn what_is_refused() {
        let refused = |entries: &[Entry]| Abi::from_section(&section(entries)).unwrap_err();
        assert_eq!(refused(&[]), AbiError::Contract);
        assert_eq!(refused(&[contract(), contract()]), AbiError::Contract);
        let circle = structure("A", vec![field("a", Type::Vec(Box::new(Type::Named("A".into()))))]);
        assert!(matches!(refused(&[contract(), circle]), AbiError::TooDeep(_)));
        let unknown = structure("A", vec![field("a", Type::Named("B".into()))]);
        assert_eq!(refused(&[contract(), unknown]), AbiError::Undefined("B".into()));
        let twice = structure("A", vec![field("a", Type::U8), field("a", Type::U8)]);
        assert_eq!(refused(&[contract(), twice]), AbiError::Duplicate("a".into()));
        let variant = |name: &str| Variant {
            name: name.into(),
            doc: String::new(),
            message: String::new(),
            fields: vec![field(TAG, Type::U8)],
        };
        let shape = Shape::Enum(vec![variant("V")]);
        let reserved = Entry::Type(TypeDefinition { name: "E".into(), doc: String::new(), shape });
        assert_eq!(refused(&[contract(), reserved]), AbiError::Reserved("V".into()));
        assert_eq!(
            refused(&[contract(), Entry::Error(vec![variant("V"), variant("V")])]),
            AbiError::Duplicate("V".into())
        );
        let stored = |name: &str| {
            let layout = Layout::Item(Type::U8);
            Entry::Storage(Storage { name: name.into(), stored_as: "s".into(), doc: String::new(), layout })
        };
        assert_eq!(refused(&[contract(), stored("a"), stored("b")]), AbiError::StoredTwice("s".into()));
        assert_eq!(Abi::from_section(&[9, 0, 0, 0, 1]), Err(AbiError::Encoding(0)));
        assert_eq!(Abi::from_section(&vec![0; SECTION_BYTES + 1]), Err(AbiError::TooLarge(SECTION_BYTES + 1)));
    }

    #[test]
    fn a_type_may_be_described_twice_if_alike() {
        let entry = structure("A", vec![field("a", Type::U8)]);
        assert!(Abi::from_section(&section(&[entry.clone(), contract(), entry.clone()])).is_ok());
        let other = structure("A", vec![field("a", Type::U16)]);
        let refused = Abi::from_section(&section(&[contract(), entry, other]));
        assert_eq!(refused, Err(AbiError::Duplicate("A".into())));
    }
}
