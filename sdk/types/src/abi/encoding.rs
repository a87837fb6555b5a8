//! Decoding types from hostile bytes.
//!
//! A type is a number byte, by its place in [`Type`], and what is inside it. The bytes are those of borsh's
//! derive; the decoder is written by hand because types hold types: it counts depth, so that a section of
//! nested options does not exhaust the stack, and memory grows only with bytes that are there.

use alloc::{boxed::Box, string::String, vec::Vec};

use borsh::{
    BorshDeserialize,
    io::{Error, ErrorKind, Read, Result as IoResult},
};

use super::{Field, TYPE_DEPTH, Type};

/// The depth counter starts anew where a type stands in an entry.
impl BorshDeserialize for Type {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        read_type(reader, TYPE_DEPTH)
    }
}

fn read_type<R: Read>(reader: &mut R, left: usize) -> IoResult<Type> {
    Ok(match u8::deserialize_reader(reader)? {
        0 => Type::Unit,
        1 => Type::Bool,
        2 => Type::U8,
        3 => Type::U16,
        4 => Type::U32,
        5 => Type::U64,
        6 => Type::U128,
        7 => Type::I8,
        8 => Type::I16,
        9 => Type::I32,
        10 => Type::I64,
        11 => Type::I128,
        12 => Type::U256,
        13 => Type::Field,
        14 => Type::Decimal,
        15 => Type::String,
        16 => Type::Bytes,
        17 => Type::FixedBytes(u32::deserialize_reader(reader)?),
        18 => Type::Address,
        19 => Type::Hash,
        20 => Type::Timestamp,
        21 => Type::Option(read_part(reader, left)?),
        22 => Type::Vec(read_part(reader, left)?),
        23 => Type::Map(read_part(reader, left)?, read_part(reader, left)?),
        24 => Type::Tuple(read_parts(reader, |reader| Ok(*read_part(reader, left)?))?),
        25 => Type::Record(read_parts(reader, |reader| {
            Ok(Field {
                name: String::deserialize_reader(reader)?,
                ty: *read_part(reader, left)?,
                doc: String::deserialize_reader(reader)?,
                indexed: bool::deserialize_reader(reader)?,
            })
        })?),
        26 => Type::Named(String::deserialize_reader(reader)?),
        _ => return Err(Error::new(ErrorKind::InvalidData, "no such type")),
    })
}

fn read_part<R: Read>(reader: &mut R, left: usize) -> IoResult<Box<Type>> {
    match left.checked_sub(1) {
        Some(left) => read_type(reader, left).map(Box::new),
        None => Err(Error::new(ErrorKind::InvalidData, "types nest too deep")),
    }
}

fn read_parts<R: Read, T>(reader: &mut R, read: impl Fn(&mut R) -> IoResult<T>) -> IoResult<Vec<T>> {
    let count = u32::deserialize_reader(reader)?;
    let mut parts = Vec::new();
    for _ in 0..count {
        parts.push(read(reader)?);
    }
    Ok(parts)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use alloc::vec;

    use super::*;

    fn field(name: &str) -> Field {
        Field { name: name.into(), ty: Type::U8, doc: "d".into(), indexed: true }
    }

    #[test]
    fn every_type_round_trips() {
        let leaf = || Box::new(Type::U8);
        let types = vec![
            Type::Unit,
            Type::Bool,
            Type::U8,
            Type::U16,
            Type::U32,
            Type::U64,
            Type::U128,
            Type::I8,
            Type::I16,
            Type::I32,
            Type::I64,
            Type::I128,
            Type::U256,
            Type::Field,
            Type::Decimal,
            Type::String,
            Type::Bytes,
            Type::FixedBytes(7),
            Type::Address,
            Type::Hash,
            Type::Timestamp,
            Type::Option(leaf()),
            Type::Vec(leaf()),
            Type::Map(leaf(), leaf()),
            Type::Tuple(vec![Type::U8, Type::Bool]),
            Type::Record(vec![field("a"), field("b")]),
            Type::Named("N".into()),
        ];
        for (index, ty) in types.iter().enumerate() {
            let bytes = borsh::to_vec(ty).unwrap();
            assert_eq!(usize::from(bytes[0]), index, "{ty:?}");
            assert_eq!(&borsh::from_slice::<Type>(&bytes).unwrap(), ty);
        }
    }

    /// A hand-made section of 100,000 nested options once would have been 100,000 frames of the decoder.
    #[test]
    fn nesting_is_bounded_while_decoding() {
        let mut bytes = vec![21; 100_000];
        bytes.push(0);
        assert!(borsh::from_slice::<Type>(&bytes).is_err());
        let mut deepest = vec![21; TYPE_DEPTH];
        deepest.push(0);
        assert!(borsh::from_slice::<Type>(&deepest).is_ok());
        deepest.insert(0, 21);
        assert!(borsh::from_slice::<Type>(&deepest).is_err());
    }
}
