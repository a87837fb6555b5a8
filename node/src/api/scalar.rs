//! How single values look in JSON, the same in REST, GraphQL and WebSocket messages.
//!
//! ```text
//! Address      "acc1…" or "con1…", bech32m          Hash     "0x" and 64 digits
//! Amount       "1000", decimal in base units        Bytes    "0x…"
//! Height Uint  a number below 2⁵³                    DateTime RFC 3339 in UTC, to the millisecond
//! Cursor       text that clients treat as opaque    JSON     any value
//! ```
//!
//! Parsing happens here once: behind this border there are only typed values.

use std::{borrow::Cow, str::FromStr};

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use rustorium_types::{id, time};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

use super::cursor;

/// The largest number that every JSON reader keeps exact.
const EXACT: u64 = (1 << 53) - 1;

macro_rules! text_scalar {
    ($(#[$doc:meta])* $name:ident($inner:ty), $example:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(pub $inner);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.text())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                Self::from_text(&text).map_err(D::Error::custom)
            }
        }

        $(#[$doc])*
        #[Scalar]
        impl ScalarType for $name {
            fn parse(value: Value) -> InputValueResult<Self> {
                match &value {
                    Value::String(text) => Self::from_text(text).map_err(InputValueError::custom),
                    _ => Err(InputValueError::expected_type(value)),
                }
            }

            fn to_value(&self) -> Value {
                Value::String(self.text())
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let schema = ObjectBuilder::new().schema_type(Type::String).examples([$example]);
                RefOr::T(Schema::Object(schema.build()))
            }
        }

        impl ToSchema for $name {}

        impl From<$inner> for $name {
            fn from(inner: $inner) -> Self {
                Self(inner)
            }
        }
    };
}

macro_rules! parsed_text {
    ($name:ident($inner:ty)) => {
        impl $name {
            fn text(&self) -> String {
                self.0.to_string()
            }

            fn from_text(text: &str) -> Result<Self, String> {
                <$inner>::from_str(text).map(Self).map_err(|error| error.to_string())
            }
        }
    };
}

text_scalar!(
    /// An account (`acc1…`) or a contract (`con1…`), in bech32m.
    Address(id::Address),
    "acc1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnzs23v9ccrydpk8qarc0sf6rlxa"
);
parsed_text!(Address(id::Address));
text_scalar!(
    /// A hash of a transaction, block, code or root: `0x` and 64 lower-case hex digits.
    Hash(id::Hash),
    "0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
);
parsed_text!(Hash(id::Hash));
text_scalar!(
    /// A place in a stream or list. Opaque: keep it and give it back.
    Cursor(String),
    "42.0.1.9f86d081"
);

impl Cursor {
    fn text(&self) -> String {
        self.0.clone()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }
}

impl From<cursor::Cursor> for Cursor {
    fn from(cursor: cursor::Cursor) -> Self {
        Self(cursor.to_string())
    }
}

text_scalar!(
    /// Native value in base units, a decimal text.
    Amount(id::Amount),
    "1000000"
);

impl Amount {
    fn text(&self) -> String {
        self.0.to_string()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("`{text}` is not an amount: a decimal text below 2^128 is needed"))
    }
}

text_scalar!(
    /// Bytes: `0x` and two hex digits each.
    Bytes(bytes::Bytes),
    "0x00ff"
);

impl Bytes {
    fn text(&self) -> String {
        hex_text(&self.0)
    }

    fn from_text(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix("0x").ok_or("bytes start with 0x")?;
        let mut bytes = vec![0; digits.len() / 2];
        hex::decode_to_slice(digits, &mut bytes).map_err(|error| format!("not hex: {error}"))?;
        Ok(bytes.into())
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

text_scalar!(
    /// A time: RFC 3339 in UTC, to the millisecond.
    DateTime(id::Timestamp),
    "2026-01-01T00:00:00.000Z"
);

impl DateTime {
    fn text(&self) -> String {
        time::format_timestamp(self.0)
    }

    fn from_text(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not an RFC 3339 time from 1970 on, as 2026-01-01T00:00:00Z");
        time::parse_timestamp(text).map(Self).ok_or_else(wrong)
    }
}

/// The text of bytes.
pub(crate) fn hex_text(bytes: &[u8]) -> String {
    let mut text = vec![b'0'; 2 + 2 * bytes.len()];
    text[1] = b'x';
    // Twice as long as the bytes, and ASCII.
    _ = hex::encode_to_slice(bytes, &mut text[2..]);
    String::from_utf8(text).unwrap_or_default()
}

/// What a JSON number counts.
trait Number: Copy {
    fn of(number: u64) -> Self;
    fn number(self) -> u64;
}

impl Number for u64 {
    fn of(number: u64) -> Self {
        number
    }

    fn number(self) -> u64 {
        self
    }
}

impl Number for id::Height {
    fn of(number: u64) -> Self {
        Self(number)
    }

    fn number(self) -> u64 {
        self.0
    }
}

macro_rules! number_scalar {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(pub $inner);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u64(self.0.number())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                exact(u64::deserialize(deserializer)?).map(|number| Self(Number::of(number))).map_err(D::Error::custom)
            }
        }

        $(#[$doc])*
        #[Scalar]
        impl ScalarType for $name {
            fn parse(value: Value) -> InputValueResult<Self> {
                match &value {
                    Value::Number(number) if number.is_u64() => exact(number.as_u64().unwrap_or_default())
                        .map(|number| Self(Number::of(number)))
                        .map_err(InputValueError::custom),
                    _ => Err(InputValueError::expected_type(value)),
                }
            }

            fn to_value(&self) -> Value {
                Value::from(self.0.number())
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let schema = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).examples([42]);
                RefOr::T(Schema::Object(schema.build()))
            }
        }

        impl ToSchema for $name {}

        impl From<$inner> for $name {
            fn from(inner: $inner) -> Self {
                Self(inner)
            }
        }
    };
}

number_scalar!(
    /// A block's height, or the height of the state after that block: a number below 2⁵³.
    Height(id::Height)
);
number_scalar!(
    /// A count, an index, gas or a nonce: a number below 2⁵³.
    Uint(u64)
);

impl From<id::Gas> for Uint {
    fn from(gas: id::Gas) -> Self {
        Self(gas.0)
    }
}

impl From<id::Nonce> for Uint {
    fn from(nonce: id::Nonce) -> Self {
        Self(nonce.0)
    }
}

fn exact(number: u64) -> Result<u64, &'static str> {
    if number > EXACT { Err("the number is not below 2^53") } else { Ok(number) }
}

/// Any JSON value: what an ABI makes of a contract's bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(pub serde_json::Value);

/// Any JSON value: what an ABI makes of a contract's bytes.
#[Scalar(name = "JSON")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value.into_json()?))
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or_default()
    }
}

impl PartialSchema for Json {
    fn schema() -> RefOr<Schema> {
        RefOr::T(Schema::Object(
            ObjectBuilder::new().schema_type(utoipa::openapi::schema::SchemaType::AnyValue).build(),
        ))
    }
}

impl ToSchema for Json {}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;

    #[test]
    fn json_forms() {
        assert_eq!(to_value(Amount(id::Amount(u128::MAX))).unwrap(), json!("340282366920938463463374607431768211455"));
        assert_eq!(to_value(Height(id::Height(7))).unwrap(), json!(7));
        assert_eq!(to_value(Bytes(vec![0, 255].into())).unwrap(), json!("0x00ff"));
        assert_eq!(to_value(DateTime(id::Timestamp(1_500))).unwrap(), json!("1970-01-01T00:00:01.500Z"));
        assert_eq!(from_value::<DateTime>(json!("1970-01-01T01:00:01.5+01:00")).unwrap().0, id::Timestamp(1_500));
    }

    #[test]
    fn wrong_values_say_what_is_needed() {
        let error = |value| from_value::<Amount>(value).unwrap_err().to_string();
        assert!(error(json!("1.5")).contains("decimal text"));
        assert!(from_value::<Uint>(json!(1u64 << 53)).unwrap_err().to_string().contains("2^53"));
        assert!(from_value::<Bytes>(json!("00")).unwrap_err().to_string().contains("0x"));
        assert!(from_value::<Height>(json!(-1)).is_err());
        assert!(from_value::<DateTime>(json!("1969-12-31T23:59:59Z")).unwrap_err().to_string().contains("1970"));
    }
}
