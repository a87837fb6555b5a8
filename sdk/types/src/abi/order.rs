//! Bytes that sort as values do, by their type: the map keys in storage keys ([`crate::key`]), and the order
//! of a map's entries.
//!
//! Types that cannot be storage keys have an encoding too, because they can be keys of a map inside a value:
//!
//! ```text
//! Decimal        as i128                     Field            as it is
//! struct         its fields, one by one      enum             variant index, fields
//! Vec, Map       ( 01 │ element ) … │ 00
//! ```

use alloc::vec::Vec;

use super::{
    Abi, Field, Shape, TYPE_DEPTH, Type,
    error::{Problem, ValueError},
    walk::Reader,
};
use crate::key;

/// Appends the sorting bytes of a value of `borsh`, exactly.
///
/// # Errors
/// If the bytes are not one value of the type.
pub fn append(abi: &Abi, ty: &Type, value: &[u8], out: &mut Vec<u8>) -> Result<(), ValueError> {
    let mut reader = Reader::new(abi, value);
    reader.order(ty, TYPE_DEPTH, out)?;
    reader.finish()
}

impl Reader<'_> {
    fn order(&mut self, ty: &Type, left: usize, out: &mut Vec<u8>) -> Result<(), Problem> {
        let inside = self.enter(left)?;
        match ty {
            Type::Unit => {}
            Type::Bool => out.push(u8::from(self.flag("bool")?)),
            Type::U8 => self.order_integer(1, false, out)?,
            Type::U16 => self.order_integer(2, false, out)?,
            Type::U32 => self.order_integer(4, false, out)?,
            Type::U64 | Type::Timestamp => self.order_integer(8, false, out)?,
            Type::U128 => self.order_integer(16, false, out)?,
            Type::U256 => self.order_integer(32, false, out)?,
            Type::I8 => self.order_integer(1, true, out)?,
            Type::I16 => self.order_integer(2, true, out)?,
            Type::I32 => self.order_integer(4, true, out)?,
            Type::I64 => self.order_integer(8, true, out)?,
            Type::I128 | Type::Decimal => self.order_integer(16, true, out)?,
            Type::Field | Type::Hash => out.extend_from_slice(self.take(32)?),
            Type::FixedBytes(length) => out.extend_from_slice(self.take(*length as usize)?),
            Type::String | Type::Bytes => key::encode_bytes(self.bytes()?, out),
            Type::Address => {
                out.push(u8::from(self.flag("address")?));
                out.extend_from_slice(self.take(32)?);
            }
            _ => {
                Self::deeper(left)?;
                self.order_parts(ty, inside, out)?;
            }
        }
        Ok(())
    }

    fn order_parts(&mut self, ty: &Type, inside: usize, out: &mut Vec<u8>) -> Result<(), Problem> {
        match ty {
            Type::Option(inner) => {
                let some = self.flag("option")?;
                out.push(u8::from(some));
                if some { self.order(inner, inside, out) } else { Ok(()) }
            }
            Type::Vec(inner) => {
                for _ in 0..self.count()? {
                    out.push(1);
                    self.order(inner, inside, out)?;
                }
                out.push(0);
                Ok(())
            }
            Type::Map(key, value) => {
                for _ in 0..self.count()? {
                    out.push(1);
                    self.order(key, inside, out)?;
                    self.order(value, inside, out)?;
                }
                out.push(0);
                Ok(())
            }
            Type::Tuple(parts) => parts.iter().try_for_each(|part| self.order(part, inside, out)),
            Type::Record(fields) => self.order_fields(fields, inside, out),
            Type::Named(name) => match self.shape(name)? {
                Shape::Struct(fields) => self.order_fields(fields, inside, out),
                Shape::Enum(variants) => {
                    out.extend(self.rest.first());
                    let variant = self.variant(variants)?;
                    self.order_fields(&variant.fields, inside, out)
                }
            },
            _ => Ok(()),
        }
    }

    fn order_fields(&mut self, fields: &[Field], inside: usize, out: &mut Vec<u8>) -> Result<(), Problem> {
        fields.iter().try_for_each(|field| self.order(&field.ty, inside, out))
    }

    /// Little-endian becomes big-endian; the sign bit is flipped, so that negative numbers come first.
    fn order_integer(&mut self, size: usize, signed: bool, out: &mut Vec<u8>) -> Result<(), Problem> {
        let start = out.len();
        out.extend(self.take(size)?.iter().rev());
        if signed {
            out[start] ^= 0x80;
        }
        Ok(())
    }
}
