//! Types and methods as people read them: `Vec<(Address, u128)>`, `transfer(to: Address, amount: u128)`.

use core::fmt::{Display, Formatter, Result};

use super::{Event, Field, Method, Type, Variant};

impl Display for Type {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Unit => f.write_str("()"),
            Self::Bool => f.write_str("bool"),
            Self::U8 => f.write_str("u8"),
            Self::U16 => f.write_str("u16"),
            Self::U32 => f.write_str("u32"),
            Self::U64 => f.write_str("u64"),
            Self::U128 => f.write_str("u128"),
            Self::I8 => f.write_str("i8"),
            Self::I16 => f.write_str("i16"),
            Self::I32 => f.write_str("i32"),
            Self::I64 => f.write_str("i64"),
            Self::I128 => f.write_str("i128"),
            Self::U256 => f.write_str("U256"),
            Self::Field => f.write_str("Field"),
            Self::Decimal => f.write_str("Decimal"),
            Self::String => f.write_str("String"),
            Self::Bytes => f.write_str("Bytes"),
            Self::FixedBytes(length) => write!(f, "[u8; {length}]"),
            Self::Address => f.write_str("Address"),
            Self::Hash => f.write_str("Hash"),
            Self::Timestamp => f.write_str("Timestamp"),
            Self::Option(inner) => write!(f, "Option<{inner}>"),
            Self::Vec(inner) => write!(f, "Vec<{inner}>"),
            Self::Map(key, value) => write!(f, "Map<{key}, {value}>"),
            Self::Tuple(parts) => {
                f.write_str("(")?;
                list(f, parts)?;
                f.write_str(if parts.len() == 1 { ",)" } else { ")" })
            }
            Self::Record(fields) => {
                f.write_str("{ ")?;
                list(f, fields)?;
                f.write_str(" }")
            }
            Self::Named(name) => f.write_str(name),
        }
    }
}

impl Type {
    /// How values of the type look in JSON, for those who wrote something else.
    pub const fn json_form(&self) -> &'static str {
        match self {
            Self::Unit => "null",
            Self::Bool => "true or false",
            Self::U8 | Self::U16 | Self::U32 | Self::I8 | Self::I16 | Self::I32 => "a number",
            Self::U64 | Self::U128 | Self::I64 | Self::I128 | Self::U256 | Self::Field => "a decimal string",
            Self::Decimal => "a decimal string of at most 18 places",
            Self::String => "a string",
            Self::Bytes | Self::FixedBytes(_) => "0x and hex digits",
            Self::Address => "acc1… or con1…",
            Self::Hash => "0x and 64 hex digits",
            Self::Timestamp => "RFC 3339, as 2026-01-31T12:00:00Z",
            Self::Option(_) => "null or the value",
            Self::Vec(_) | Self::Tuple(_) => "an array",
            Self::Map(..) => "an array of {\"key\",\"value\"}",
            Self::Record(_) | Self::Named(_) => "an object",
        }
    }
}

impl Display for Field {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}: {}", self.name, self.ty)
    }
}

impl Display for Method {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(&self.name)?;
        f.write_str("(")?;
        list(f, &self.arguments)?;
        f.write_str(")")?;
        if self.returns == Type::Unit { Ok(()) } else { write!(f, " -> {}", self.returns) }
    }
}

impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        named(f, &self.name, &self.fields)
    }
}

impl Display for Variant {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        named(f, &self.name, &self.fields)
    }
}

fn named(f: &mut Formatter<'_>, name: &str, fields: &[Field]) -> Result {
    f.write_str(name)?;
    if fields.is_empty() {
        return Ok(());
    }
    f.write_str(" { ")?;
    list(f, fields)?;
    f.write_str(" }")
}

fn list<T: Display>(f: &mut Formatter<'_>, parts: &[T]) -> Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        part.fmt(f)?;
    }
    Ok(())
}
