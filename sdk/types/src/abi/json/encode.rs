//! JSON in, borsh out.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::str::FromStr;

use borsh::BorshSerialize;
use serde_json::{Map, Value};

use super::{LIMIT, Names, number, order};
use crate::{
    abi::{
        Abi, Field, Shape, Type, Variant,
        error::{Problem, ValueError},
        parse::TAG,
    },
    id::{Address, Hash},
    time::parse_timestamp,
};

/// Characters of a wrong value that a message shows.
const SHOWN: usize = 40;

pub(super) struct Encoder<'a> {
    pub(super) abi: &'a Abi,
    pub(super) names: Names<'a>,
    pub(super) out: Vec<u8>,
}

impl Encoder<'_> {
    pub(super) fn value(&mut self, ty: &Type, value: &Value, left: usize) -> Result<(), ValueError> {
        let inside = left.checked_sub(1);
        let wrong = || expected(ty, value);
        match ty {
            Type::Unit => value.is_null().then_some(()).ok_or_else(wrong)?,
            Type::Bool => self.put(&value.as_bool().ok_or_else(wrong)?),
            Type::U8 => self.put(&integer::<u8>(value).ok_or_else(wrong)?),
            Type::U16 => self.put(&integer::<u16>(value).ok_or_else(wrong)?),
            Type::U32 => self.put(&integer::<u32>(value).ok_or_else(wrong)?),
            Type::U64 => self.put(&integer::<u64>(value).ok_or_else(wrong)?),
            Type::U128 => self.put(&integer::<u128>(value).ok_or_else(wrong)?),
            Type::I8 => self.put(&integer::<i8>(value).ok_or_else(wrong)?),
            Type::I16 => self.put(&integer::<i16>(value).ok_or_else(wrong)?),
            Type::I32 => self.put(&integer::<i32>(value).ok_or_else(wrong)?),
            Type::I64 => self.put(&integer::<i64>(value).ok_or_else(wrong)?),
            Type::I128 => self.put(&integer::<i128>(value).ok_or_else(wrong)?),
            Type::U256 => {
                let mut bytes = digits(value).and_then(|text| number::parse_u256(&text)).ok_or_else(wrong)?;
                bytes.reverse();
                self.put(&bytes);
            }
            Type::Field => {
                let bytes = digits(value).and_then(|text| number::parse_u256(&text)).ok_or_else(wrong)?;
                self.put(&Some(bytes).filter(number::is_scalar).ok_or_else(wrong)?);
            }
            Type::Decimal => {
                let text = value.as_str().map(Into::into).or_else(|| digits(value)).ok_or_else(wrong)?;
                self.put(&number::parse_decimal(&text).ok_or_else(wrong)?);
            }
            Type::String => self.put(value.as_str().ok_or_else(wrong)?),
            Type::Bytes => self.put(&hex_digits(value).ok_or_else(wrong)?),
            Type::FixedBytes(length) => {
                let bytes = hex_digits(value).filter(|bytes| bytes.len() == *length as usize).ok_or_else(wrong)?;
                self.out.extend_from_slice(&bytes);
            }
            Type::Address => {
                let text = value.as_str().ok_or_else(wrong)?;
                let address = Address::from_str(text).ok().or_else(|| (self.names)(text)).ok_or_else(wrong)?;
                self.put(&address);
            }
            Type::Hash => self.put(&value.as_str().and_then(|text| Hash::from_str(text).ok()).ok_or_else(wrong)?),
            Type::Timestamp => {
                let text = value.as_str().map(Into::into).or_else(|| digits(value)).ok_or_else(wrong)?;
                self.put(&parse_timestamp(&text).ok_or_else(wrong)?.0);
            }
            _ => self.parts(ty, value, inside.ok_or(Problem::TooDeep)?)?,
        }
        if self.out.len() > LIMIT { Err(Problem::TooLarge(LIMIT).into()) } else { Ok(()) }
    }

    fn parts(&mut self, ty: &Type, value: &Value, inside: usize) -> Result<(), ValueError> {
        let array = || value.as_array().ok_or_else(|| expected(ty, value));
        match ty {
            Type::Option(_) if value.is_null() => self.out.push(0),
            Type::Option(inner) => {
                self.out.push(1);
                self.value(inner, value, inside)?;
            }
            Type::Vec(inner) => {
                let elements = array()?;
                self.count(elements.len())?;
                for (index, element) in elements.iter().enumerate() {
                    self.value(inner, element, inside).map_err(|error| error.in_list(index))?;
                }
            }
            Type::Map(key, value) => self.map(key, value, array()?, inside)?,
            Type::Tuple(parts) => {
                let elements = array()?;
                if elements.len() != parts.len() {
                    return Err(expected(ty, value));
                }
                for (index, (part, element)) in parts.iter().zip(elements).enumerate() {
                    self.value(part, element, inside).map_err(|error| error.in_list(index))?;
                }
            }
            Type::Record(fields) => self.fields(fields, value, inside)?,
            Type::Named(name) => match self.abi.shape(name).ok_or_else(|| Problem::Undefined(name.clone()))? {
                Shape::Struct(fields) => self.fields(fields, value, inside)?,
                Shape::Enum(variants) => self.variant(ty, variants, value, inside)?,
            },
            _ => {}
        }
        Ok(())
    }

    /// An object of the fields, none missing but optional ones, none that is not known.
    pub(super) fn fields(&mut self, fields: &[Field], value: &Value, inside: usize) -> Result<(), ValueError> {
        match value {
            Value::Object(object) => self.members(fields, object, None, inside),
            Value::Null if fields.is_empty() => Ok(()),
            _ => Err(expected(&Type::Record(fields.into()), value)),
        }
    }

    fn members(
        &mut self,
        fields: &[Field],
        object: &Map<String, Value>,
        tag: Option<&str>,
        inside: usize,
    ) -> Result<(), ValueError> {
        let is_known = |key: &str| tag == Some(key) || fields.iter().any(|field| field.name == key);
        if let Some(unknown) = object.keys().find(|key| !is_known(key)) {
            let known = fields.iter().map(|field| field.name.clone()).collect();
            return Err(ValueError::from(Problem::Unknown(known)).in_field(unknown));
        }
        for field in fields {
            let encoded = match object.get(&field.name) {
                Some(value) => self.value(&field.ty, value, inside),
                None if matches!(field.ty, Type::Option(_) | Type::Unit) => self.value(&field.ty, &Value::Null, inside),
                None => Err(Problem::Missing(format!("{}, {}", field.ty, field.ty.json_form())).into()),
            };
            encoded.map_err(|error| error.in_field(&field.name))?;
        }
        Ok(())
    }

    fn variant(&mut self, ty: &Type, variants: &[Variant], value: &Value, inside: usize) -> Result<(), ValueError> {
        let name = value.get(TAG).unwrap_or(value).as_str().ok_or_else(|| expected(ty, value))?;
        let index = variants.iter().position(|variant| variant.name == name).ok_or_else(|| {
            let known = variants.iter().map(|variant| variant.name.clone()).collect();
            ValueError::from(Problem::Variant(known)).in_field(name)
        })?;
        self.out.push(u8::try_from(index).map_err(|_| Problem::Encoding("variant"))?);
        match value {
            Value::Object(object) => self.members(&variants[index].fields, object, Some(TAG), inside),
            _ => self.members(&variants[index].fields, &Map::new(), None, inside),
        }
        .map_err(|error| error.in_field(name))
    }

    /// Sorted by the order of the keys' values, as borsh wants it.
    fn map(&mut self, key: &Type, value: &Type, entries: &[Value], inside: usize) -> Result<(), ValueError> {
        let ty = || Type::Map(key.clone().into(), value.clone().into());
        let mut sorted = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let member = |name| entry.get(name).ok_or_else(|| expected(&ty(), entry));
            let (entry_key, entry_value) = (member("key")?, member("value")?);
            let part = |ty: &Type, value: &Value, name: &str| {
                let mut encoder = Encoder { abi: self.abi, names: self.names, out: Vec::new() };
                let encoded = encoder.value(ty, value, inside);
                encoded.map_err(|error| error.in_field(name).in_list(index)).map(|()| encoder.out)
            };
            let encoded_key = part(key, entry_key, "key")?;
            let encoded_value = part(value, entry_value, "value")?;
            let mut order_key = Vec::new();
            order::append(self.abi, key, &encoded_key, &mut order_key)?;
            sorted.push((order_key, encoded_key, encoded_value));
        }
        sorted.sort();
        if sorted.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(Problem::Duplicate.into());
        }
        self.count(sorted.len())?;
        for (_, key, value) in sorted {
            self.out.extend_from_slice(&key);
            self.out.extend_from_slice(&value);
            if self.out.len() > LIMIT {
                return Err(Problem::TooLarge(LIMIT).into());
            }
        }
        Ok(())
    }

    fn count(&mut self, count: usize) -> Result<(), Problem> {
        self.put(&u32::try_from(count).map_err(|_| Problem::TooMany(LIMIT))?);
        Ok(())
    }

    /// Writing to memory does not fail.
    fn put(&mut self, value: &(impl BorshSerialize + ?Sized)) {
        let _ = value.serialize(&mut self.out);
    }
}

fn expected(ty: &Type, value: &Value) -> ValueError {
    let mut found = value.to_string();
    if found.len() > SHOWN {
        found.truncate(found.floor_char_boundary(SHOWN));
        found.push('…');
    }
    Problem::Expected { expected: format!("{ty}, {}", ty.json_form()), found }.into()
}

/// The decimal text of an integer, from either of its forms.
fn digits(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_u64() || number.is_i64() => number.to_string(),
        _ => return None,
    };
    let unsigned = text.strip_prefix('-').unwrap_or(&text);
    (!unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

fn integer<T: FromStr>(value: &Value) -> Option<T> {
    digits(value)?.parse().ok()
}

fn hex_digits(value: &Value) -> Option<Vec<u8>> {
    hex::decode(value.as_str()?.strip_prefix("0x")?).ok()
}
