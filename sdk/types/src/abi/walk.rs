//! Where a value of borsh ends, by its type: what field indexes and storage readers need without JSON.
//!
//! Bytes and types may both be hostile: an empty struct takes no bytes, so a list of a billion of them is four
//! bytes long, and wide structs of empty ones multiply. A reader therefore counts the parts that it has met
//! and stops at [`PARTS`].

use alloc::vec::Vec;

use super::{
    Abi, Field, Shape, TYPE_DEPTH, Type,
    error::{Problem, ValueError},
};
use crate::limits;

/// Parts of a value at the most: four times the bytes of the largest stored value or return data.
pub const PARTS: usize = 4 * limits::VALUE_BYTES;

/// One field of an event, an error or arguments, still encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldBytes<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its `borsh`.
    pub value: &'a [u8],
    /// Can be searched for.
    pub indexed: bool,
}

/// How many of the bytes, from the first, are one value of a type.
///
/// # Errors
/// If they do not start with such a value.
pub fn length(abi: &Abi, ty: &Type, bytes: &[u8]) -> Result<usize, ValueError> {
    let mut reader = Reader::new(abi, bytes);
    reader.skip(ty, TYPE_DEPTH)?;
    Ok(bytes.len() - reader.rest.len())
}

/// The fields of a struct's `borsh`, each still encoded; exactly, no bytes behind them.
///
/// # Errors
/// If the bytes are not those fields.
pub fn fields<'a>(abi: &Abi, fields: &'a [Field], bytes: &'a [u8]) -> Result<Vec<FieldBytes<'a>>, ValueError> {
    let mut reader = Reader::new(abi, bytes);
    let mut found = Vec::with_capacity(fields.len());
    for field in fields {
        let start = bytes.len() - reader.rest.len();
        reader.skip(&field.ty, TYPE_DEPTH).map_err(|error| error.in_field(&field.name))?;
        let value = &bytes[start..bytes.len() - reader.rest.len()];
        found.push(FieldBytes { name: &field.name, value, indexed: field.indexed });
    }
    reader.finish()?;
    Ok(found)
}

/// The fields of an event, each still encoded.
///
/// # Errors
/// If the ABI has no such event, or the bytes are not its fields.
pub fn event_fields<'a>(abi: &'a Abi, name: &str, bytes: &'a [u8]) -> Result<Vec<FieldBytes<'a>>, ValueError> {
    let event = abi.events.get(name).ok_or_else(|| Problem::Undefined(name.into()))?;
    fields(abi, &event.fields, bytes)
}

/// Reads borsh of hostile origin.
pub(super) struct Reader<'a> {
    pub(super) abi: &'a Abi,
    pub(super) rest: &'a [u8],
    parts_left: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(abi: &'a Abi, bytes: &'a [u8]) -> Self {
        Self { abi, rest: bytes, parts_left: PARTS }
    }

    pub(super) fn finish(self) -> Result<(), ValueError> {
        if self.rest.is_empty() { Ok(()) } else { Err(Problem::Behind(self.rest.len()).into()) }
    }

    /// Counts one more part; answers the depth that is left for what is inside it.
    pub(super) fn enter(&mut self, left: usize) -> Result<usize, Problem> {
        self.parts_left = self.parts_left.checked_sub(1).ok_or(Problem::TooMany(PARTS))?;
        Ok(left.saturating_sub(1))
    }

    /// Refuses to go below the deepest type.
    pub(super) const fn deeper(left: usize) -> Result<(), Problem> {
        if left == 0 { Err(Problem::TooDeep) } else { Ok(()) }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Problem> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Problem::End)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Problem::End)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn count(&mut self) -> Result<usize, Problem> {
        self.array().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Problem> {
        let count = self.count()?;
        self.take(count)
    }

    /// A byte that is 0 or 1.
    pub(super) fn flag(&mut self, what: &'static str) -> Result<bool, Problem> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(Problem::Encoding(what)),
        }
    }

    /// The name of the variant and its fields.
    pub(super) fn variant(&mut self, variants: &'a [super::Variant]) -> Result<&'a super::Variant, Problem> {
        let [index] = self.array()?;
        variants.get(usize::from(index)).ok_or(Problem::Encoding("variant"))
    }

    pub(super) fn shape(&self, name: &str) -> Result<&'a Shape, Problem> {
        self.abi.shape(name).ok_or_else(|| Problem::Undefined(name.into()))
    }

    fn skip(&mut self, ty: &Type, left: usize) -> Result<(), ValueError> {
        let inside = self.enter(left)?;
        if let Some(size) = fixed_size(ty) {
            self.take(size)?;
            return Ok(());
        }
        if !matches!(ty, Type::Bool | Type::String | Type::Bytes | Type::Address) {
            Self::deeper(left)?;
        }
        match ty {
            Type::Bool => drop(self.flag("bool")?),
            Type::String | Type::Bytes => drop(self.bytes()?),
            Type::Address => {
                self.flag("address")?;
                self.take(32)?;
            }
            Type::Option(inner) => {
                let is_there = self.flag("option")?;
                if is_there {
                    self.skip(inner, inside)?;
                }
            }
            Type::Vec(inner) => {
                for index in 0..self.count()? {
                    self.skip(inner, inside).map_err(|error| error.in_list(index))?;
                }
            }
            Type::Map(key, value) => {
                for index in 0..self.count()? {
                    self.skip(key, inside).map_err(|error| error.in_field("key").in_list(index))?;
                    self.skip(value, inside).map_err(|error| error.in_field("value").in_list(index))?;
                }
            }
            Type::Tuple(parts) => {
                for (index, part) in parts.iter().enumerate() {
                    self.skip(part, inside).map_err(|error| error.in_list(index))?;
                }
            }
            Type::Record(fields) => self.skip_fields(fields, inside)?,
            Type::Named(name) => match self.shape(name)? {
                Shape::Struct(fields) => self.skip_fields(fields, inside)?,
                Shape::Enum(variants) => {
                    let variant = self.variant(variants)?;
                    self.skip_fields(&variant.fields, inside)?;
                }
            },
            _ => {}
        }
        Ok(())
    }

    fn skip_fields(&mut self, fields: &[Field], inside: usize) -> Result<(), ValueError> {
        fields.iter().try_for_each(|field| self.skip(&field.ty, inside).map_err(|error| error.in_field(&field.name)))
    }
}

/// The bytes of each value of a type whose values all have as many, any bytes being a value.
const fn fixed_size(ty: &Type) -> Option<usize> {
    Some(match ty {
        Type::Unit => 0,
        Type::U8 | Type::I8 => 1,
        Type::U16 | Type::I16 => 2,
        Type::U32 | Type::I32 => 4,
        Type::U64 | Type::I64 | Type::Timestamp => 8,
        Type::U128 | Type::I128 | Type::Decimal => 16,
        Type::U256 | Type::Field | Type::Hash => 32,
        Type::FixedBytes(length) => *length as usize,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use alloc::{boxed::Box, vec};

    use super::{super::testing, *};

    fn named(name: &str) -> Type {
        Type::Named(name.into())
    }

    #[test]
    fn a_value_ends_where_its_type_says() {
        let abi = testing::abi();
        let tail = [9; 3];
        for (ty, value, _) in testing::values() {
            let mut bytes = value.clone();
            bytes.extend(tail);
            assert_eq!(length(&abi, &ty, &bytes), Ok(value.len()), "{ty}");
            for cut in 0..value.len() {
                assert!(length(&abi, &ty, &value[..cut]).is_err(), "{ty} cut at {cut}");
            }
        }
    }

    #[test]
    fn the_fields_of_an_event_are_told_apart() {
        let abi = testing::abi();
        let bytes = testing::transfer();
        let fields = event_fields(&abi, "Transfer", &bytes).expect("decodes");
        assert_eq!(
            fields.iter().map(|field| (field.name, field.value.len(), field.indexed)).collect::<Vec<_>>(),
            [("from", 1, true), ("to", 34, true), ("amount", 16, false),]
        );
        assert_eq!(
            event_fields(&abi, "Transfer", &bytes[..50]),
            Err(ValueError::from(Problem::End).in_field("amount"))
        );
        assert_eq!(event_fields(&abi, "Nothing", &[]), Err(Problem::Undefined("Nothing".into()).into()));
    }

    #[test]
    fn values_without_bytes_do_not_cost_time() {
        let abi = testing::abi();
        let nothings = Type::Vec(Box::new(Type::Unit));
        assert_eq!(length(&abi, &nothings, &[0xff; 4]).map_err(|error| error.problem), Err(Problem::TooMany(PARTS)));
        let wide = (0..12).fold(Type::Unit, |inner, _| Type::Tuple(vec![inner; 4]));
        assert!(matches!(length(&abi, &wide, &[]), Err(ValueError { problem: Problem::TooMany(_), .. })));
        let deep = (0..=TYPE_DEPTH).fold(Type::Unit, |inner, _| Type::Option(Box::new(inner)));
        assert!(matches!(length(&abi, &deep, &[1; 40]), Err(ValueError { problem: Problem::TooDeep, .. })));
        assert!(length(&abi, &named("Unknown"), &[]).is_err());
    }
}
