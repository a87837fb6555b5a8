//! From a storage key back to the field and the keys that it is of, and from a JSON value to what is stored there.
//!
//! The way back goes through `borsh`: the sorting bytes of a key ([`order`](crate::abi::order)) are turned into the
//! bytes that they came from, and those are decoded as any others. What does not come out exactly is no such key.

use alloc::{string::String, vec::Vec};

use serde_json::Value;

use super::{Place, decode, encode};
use crate::{
    abi::{
        Abi, Field, Layout, Shape, TYPE_DEPTH, Type,
        error::{Problem, ValueError},
        walk::Reader,
    },
    key,
};

/// A storage key, by the names of the source.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The field.
    pub field: String,
    /// The map keys or the index; none of an item, or of how many there are.
    pub keys: Vec<Value>,
    /// Where it is, and what.
    pub place: Place,
}

impl Place {
    /// What a storage key is of: the reverse of [`Place::find`]. `None` if no field of the ABI has such a key, or it
    /// is one by which a collection keeps its own order.
    pub fn named(abi: &Abi, key: &[u8]) -> Option<Named> {
        let (&length, rest) = key.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(length))?;
        let field = abi.storage.values().find(|field| field.stored_as.as_bytes() == name)?;
        let keys = match (&field.layout, rest) {
            (Layout::Item(_) | Layout::List(_), []) | (Layout::EnumMap(..), [b'n']) => Vec::new(),
            (Layout::List(_), index) => keys(abi, &Type::U32, index)?,
            (Layout::Map(ty, _), key) => keys(abi, ty, key)?,
            (Layout::EnumMap(ty, _), [b'v', key @ ..]) => keys(abi, ty, key)?,
            _ => return None,
        };
        let place = Self::find(abi, field, &keys, &|_| None).ok()?;
        (place.key == key).then(|| Named { field: field.name.clone(), keys, place })
    }

    /// What must be stored there for this value to be read; `stored` is what is there now.
    ///
    /// # Errors
    /// Where the value does not fit the type, or where a map that can be paged has no such key yet: a new key is
    /// more than one entry.
    pub fn stored(&self, abi: &Abi, value: &Value, stored: Option<&[u8]>) -> Result<Vec<u8>, ValueError> {
        let (Some(part), Type::Tuple(types)) = (self.part, &self.ty) else { return encode(abi, &self.ty, value) };
        let mut whole = decode(abi, &self.ty, stored.ok_or(Problem::End)?)?;
        if let (Some(slot), true) = (whole.get_mut(part), part < types.len()) {
            *slot = value.clone();
        }
        encode(abi, &self.ty, &whole)
    }
}

/// The keys of sorting bytes, as [`Place::find`] takes them: a tuple's parts one by one.
fn keys(abi: &Abi, ty: &Type, bytes: &[u8]) -> Option<Vec<Value>> {
    let mut reader = Reader::new(abi, bytes);
    let mut out = Vec::new();
    reader.unorder(ty, TYPE_DEPTH, &mut out).ok()?;
    reader.finish().ok()?;
    Some(match (ty, decode(abi, ty, &out).ok()?) {
        (Type::Tuple(_), Value::Array(parts)) => parts,
        (_, value) => Vec::from([value]),
    })
}

impl Reader<'_> {
    /// Appends the `borsh` of a value of sorting bytes.
    fn unorder(&mut self, ty: &Type, left: usize, out: &mut Vec<u8>) -> Result<(), Problem> {
        let inside = self.enter(left)?;
        match ty {
            Type::Unit => {}
            Type::Bool => out.push(u8::from(self.flag("bool")?)),
            Type::U8 => self.unorder_integer(1, false, out)?,
            Type::U16 => self.unorder_integer(2, false, out)?,
            Type::U32 => self.unorder_integer(4, false, out)?,
            Type::U64 | Type::Timestamp => self.unorder_integer(8, false, out)?,
            Type::U128 => self.unorder_integer(16, false, out)?,
            Type::U256 => self.unorder_integer(32, false, out)?,
            Type::I8 => self.unorder_integer(1, true, out)?,
            Type::I16 => self.unorder_integer(2, true, out)?,
            Type::I32 => self.unorder_integer(4, true, out)?,
            Type::I64 => self.unorder_integer(8, true, out)?,
            Type::I128 | Type::Decimal => self.unorder_integer(16, true, out)?,
            Type::Field | Type::Hash => out.extend_from_slice(self.take(32)?),
            Type::FixedBytes(length) => out.extend_from_slice(self.take(*length as usize)?),
            Type::String | Type::Bytes => {
                let (bytes, rest) = key::decode_bytes(self.rest).ok_or(Problem::Encoding("key"))?;
                self.rest = rest;
                out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                out.extend_from_slice(&bytes);
            }
            Type::Address => {
                out.push(u8::from(self.flag("address")?));
                out.extend_from_slice(self.take(32)?);
            }
            _ => {
                Self::deeper(left)?;
                self.unorder_parts(ty, inside, out)?;
            }
        }
        Ok(())
    }

    fn unorder_parts(&mut self, ty: &Type, inside: usize, out: &mut Vec<u8>) -> Result<(), Problem> {
        match ty {
            Type::Option(inner) => {
                let some = self.flag("option")?;
                out.push(u8::from(some));
                if some { self.unorder(inner, inside, out) } else { Ok(()) }
            }
            Type::Vec(inner) => self.unorder_all(out, |reader, out| reader.unorder(inner, inside, out)),
            Type::Map(key, value) => self.unorder_all(out, |reader, out| {
                reader.unorder(key, inside, out)?;
                reader.unorder(value, inside, out)
            }),
            Type::Tuple(parts) => parts.iter().try_for_each(|part| self.unorder(part, inside, out)),
            Type::Record(fields) => self.unorder_fields(fields, inside, out),
            Type::Named(name) => match self.shape(name)? {
                Shape::Struct(fields) => self.unorder_fields(fields, inside, out),
                Shape::Enum(variants) => {
                    out.extend(self.rest.first());
                    let variant = self.variant(variants)?;
                    self.unorder_fields(&variant.fields, inside, out)
                }
            },
            _ => Ok(()),
        }
    }

    fn unorder_fields(&mut self, fields: &[Field], inside: usize, out: &mut Vec<u8>) -> Result<(), Problem> {
        fields.iter().try_for_each(|field| self.unorder(&field.ty, inside, out))
    }

    /// Elements with a 1 before each and a 0 behind the last become a count and the elements.
    fn unorder_all(
        &mut self,
        out: &mut Vec<u8>,
        mut element: impl FnMut(&mut Self, &mut Vec<u8>) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let (mut count, mut elements) = (0_u32, Vec::new());
        while self.flag("key")? {
            element(self, &mut elements)?;
            count = count.saturating_add(1);
        }
        out.extend_from_slice(&count.to_le_bytes());
        out.append(&mut elements);
        Ok(())
    }

    fn unorder_integer(&mut self, size: usize, signed: bool, out: &mut Vec<u8>) -> Result<(), Problem> {
        out.extend(self.take(size)?.iter().rev());
        if let (true, Some(highest)) = (signed, out.last_mut()) {
            *highest ^= 0x80;
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use alloc::vec;

    use serde_json::json;

    use super::*;
    use crate::abi::{order, testing};

    #[test]
    fn sorting_bytes_go_back_to_what_they_came_from() {
        let abi = testing::abi();
        for (ty, bytes, _) in testing::values() {
            let mut sorting = Vec::new();
            order::append(&abi, &ty, &bytes, &mut sorting).unwrap();
            let mut reader = Reader::new(&abi, &sorting);
            let mut back = Vec::new();
            reader.unorder(&ty, TYPE_DEPTH, &mut back).unwrap();
            reader.finish().unwrap();
            assert_eq!(back, bytes, "{ty}");
        }
    }

    #[test]
    fn a_storage_key_says_which_field_it_is_of() {
        let abi = testing::abi();
        let seven = json!(testing::SEVEN_TEXT);
        for (name, keys) in [
            ("owner", vec![]),
            ("balances", vec![seven.clone()]),
            ("balances", vec![]),
            ("allowances", vec![seven.clone(), seven]),
            ("notes", vec![json!(258)]),
            ("notes", vec![]),
        ] {
            let place = Place::find(&abi, &abi.storage[name], &keys, &|_| None).unwrap();
            let named = Place::named(&abi, &place.key).unwrap();
            assert_eq!((named.field.as_str(), named.keys), (name, keys));
            assert_eq!(named.place, place);
        }
        for key in [&b""[..], b"\x05", b"\x05other", b"\x05owner\0", b"\x05notes\0", b"\x08balancesk\0\0\0\0", b"\xff"]
        {
            assert_eq!(Place::named(&abi, key), None, "{key:?}");
        }
    }

    #[test]
    fn a_value_is_put_where_it_is_read() {
        let abi = testing::abi();
        let find = |name: &str, keys: &[Value]| Place::find(&abi, &abi.storage[name], keys, &|_| None).unwrap();
        let balance = find("balances", &[json!(testing::SEVEN_TEXT)]);
        let stored = borsh::to_vec(&(4u32, 9u128)).unwrap();
        let changed = balance.stored(&abi, &json!("10"), Some(&stored)).unwrap();
        assert_eq!(changed, borsh::to_vec(&(4u32, 10u128)).unwrap(), "its position stays");
        assert!(balance.stored(&abi, &json!("10"), None).is_err(), "a new key is more than one entry");
        let owner = find("owner", &[]);
        let value = json!(testing::SEVEN_TEXT);
        let stored = owner.stored(&abi, &value, None).unwrap();
        assert_eq!(owner.value(&abi, Some(&stored)), Ok(value));
        assert!(owner.stored(&abi, &json!(5), None).is_err());
    }
}
