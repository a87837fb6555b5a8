//! Borsh in, JSON out.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde_json::{Map, Value};

use super::number;
use crate::{
    abi::{
        Field, Shape, Type,
        error::{Problem, ValueError},
        order,
        parse::TAG,
        walk::Reader,
    },
    id::{Address, Hash, Timestamp},
    time::format_timestamp,
};

impl Reader<'_> {
    pub(super) fn json(&mut self, ty: &Type, left: usize) -> Result<Value, ValueError> {
        let inside = self.enter(left)?;
        Ok(match ty {
            Type::Unit => Value::Null,
            Type::Bool => self.flag("bool")?.into(),
            Type::U8 => u8::from_le_bytes(self.array()?).into(),
            Type::U16 => u16::from_le_bytes(self.array()?).into(),
            Type::U32 => u32::from_le_bytes(self.array()?).into(),
            Type::U64 => u64::from_le_bytes(self.array()?).to_string().into(),
            Type::U128 => u128::from_le_bytes(self.array()?).to_string().into(),
            Type::I8 => i8::from_le_bytes(self.array()?).into(),
            Type::I16 => i16::from_le_bytes(self.array()?).into(),
            Type::I32 => i32::from_le_bytes(self.array()?).into(),
            Type::I64 => i64::from_le_bytes(self.array()?).to_string().into(),
            Type::I128 => i128::from_le_bytes(self.array()?).to_string().into(),
            Type::U256 => {
                let mut bytes: [u8; 32] = self.array()?;
                bytes.reverse();
                number::format_u256(bytes).into()
            }
            Type::Field => {
                let bytes = Some(self.array()?).filter(number::is_scalar).ok_or(Problem::Encoding("field element"))?;
                number::format_u256(bytes).into()
            }
            Type::Decimal => number::format_decimal(i128::from_le_bytes(self.array()?)).into(),
            Type::String => {
                let text = core::str::from_utf8(self.bytes()?).map_err(|_| Problem::Encoding("string"))?;
                text.into()
            }
            Type::Bytes => hex_text(self.bytes()?),
            Type::FixedBytes(length) => hex_text(self.take(*length as usize)?),
            Type::Address => {
                let bytes = self.take(Address::LEN)?;
                let address: Address = borsh::from_slice(bytes).map_err(|_| Problem::Encoding("address"))?;
                address.to_string().into()
            }
            Type::Hash => Hash(self.array()?).to_string().into(),
            Type::Timestamp => format_timestamp(Timestamp(u64::from_le_bytes(self.array()?))).into(),
            _ => {
                Self::deeper(left)?;
                self.json_parts(ty, inside)?
            }
        })
    }

    fn json_parts(&mut self, ty: &Type, inside: usize) -> Result<Value, ValueError> {
        match ty {
            Type::Option(inner) => {
                if self.flag("option")? {
                    self.json(inner, inside)
                } else {
                    Ok(Value::Null)
                }
            }
            Type::Vec(inner) => {
                let mut elements = Vec::new();
                for index in 0..self.count()? {
                    elements.push(self.json(inner, inside).map_err(|error| error.in_list(index))?);
                }
                Ok(elements.into())
            }
            Type::Map(key, value) => self.json_map(key, value, inside),
            Type::Tuple(parts) => {
                let mut elements = Vec::new();
                for (index, part) in parts.iter().enumerate() {
                    elements.push(self.json(part, inside).map_err(|error| error.in_list(index))?);
                }
                Ok(elements.into())
            }
            Type::Record(fields) => self.json_fields(fields, inside, Map::new()),
            Type::Named(name) => match self.shape(name)? {
                Shape::Struct(fields) => self.json_fields(fields, inside, Map::new()),
                Shape::Enum(variants) => {
                    let variant = self.variant(variants)?;
                    let tagged = Map::from_iter([(TAG.into(), Value::from(variant.name.as_str()))]);
                    self.json_fields(&variant.fields, inside, tagged).map_err(|error| error.in_field(&variant.name))
                }
            },
            _ => Ok(Value::Null),
        }
    }

    pub(super) fn json_fields(
        &mut self,
        fields: &[Field],
        inside: usize,
        mut object: Map<String, Value>,
    ) -> Result<Value, ValueError> {
        for field in fields {
            let value = self.json(&field.ty, inside).map_err(|error| error.in_field(&field.name))?;
            object.insert(field.name.clone(), value);
        }
        Ok(object.into())
    }

    fn json_map(&mut self, key: &Type, value: &Type, inside: usize) -> Result<Value, ValueError> {
        let mut entries = Vec::new();
        let mut last: Option<Vec<u8>> = None;
        for index in 0..self.count()? {
            let start = self.rest;
            let entry_key = self.json(key, inside).map_err(|error| error.in_field("key").in_list(index))?;
            let mut order_key = Vec::new();
            order::append(self.abi, key, &start[..start.len() - self.rest.len()], &mut order_key)?;
            if last.is_some_and(|last| last >= order_key) {
                return Err(ValueError::from(Problem::Unsorted).in_list(index));
            }
            last = Some(order_key);
            let entry_value = self.json(value, inside).map_err(|error| error.in_field("value").in_list(index))?;
            entries.push(Map::from_iter([("key".into(), entry_key), ("value".into(), entry_value)]).into());
        }
        Ok(Value::Array(entries))
    }
}

fn hex_text(bytes: &[u8]) -> Value {
    format!("0x{}", hex::encode(bytes)).into()
}
