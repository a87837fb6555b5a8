//! Ids and numbers as the API's JSON has them, for serde: `#[serde(with = "text")]` and its siblings.
//!
//! The types themselves know nothing of JSON, since contracts and consensus do not.

use std::{fmt::Display, str::FromStr};

use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// Through `Display` and `FromStr`: addresses, hashes, amounts.
pub fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Through `Display` and `FromStr`.
pub fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr,
    T::Err: Display,
    D: Deserializer<'de>,
{
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// The same, or `null`.
pub mod option {
    use super::{Deserialize, Deserializer, Display, Error, FromStr, Serializer};

    /// Through `Display`, or `null`.
    pub fn serialize<T: Display, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    /// Through `FromStr`, or `null`.
    pub fn deserialize<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr,
        T::Err: Display,
        D: Deserializer<'de>,
    {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

/// Heights, as JSON numbers.
pub mod height {
    use rustorium_types::id::Height;

    use super::{Deserialize, Deserializer, Serializer};

    /// As a number.
    pub fn serialize<S: Serializer>(height: &Height, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(height.0)
    }

    /// From a number.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Height, D::Error> {
        u64::deserialize(deserializer).map(Height)
    }

    /// The same, or `null`.
    pub mod option {
        use super::{Deserialize, Deserializer, Height, Serializer};

        /// As a number, or `null`.
        pub fn serialize<S: Serializer>(height: &Option<Height>, serializer: S) -> Result<S::Ok, S::Error> {
            match height {
                Some(height) => serializer.serialize_some(&height.0),
                None => serializer.serialize_none(),
            }
        }

        /// From a number, or `null`.
        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Height>, D::Error> {
            Ok(Option::<u64>::deserialize(deserializer)?.map(Height))
        }
    }
}

/// Bytes as `0x` and hex digits.
pub mod hex {
    use super::{Deserialize, Deserializer, Error, Serializer};

    /// As `0x…`.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format(bytes))
    }

    /// From `0x…`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).ok_or_else(|| D::Error::custom("bytes are 0x and pairs of hex digits"))
    }

    /// The text of bytes.
    pub fn format(bytes: &[u8]) -> String {
        format!("0x{}", ::hex::encode(bytes))
    }

    /// The bytes of a text; `None` if it is not `0x…`.
    pub fn parse(text: &str) -> Option<Vec<u8>> {
        ::hex::decode(text.strip_prefix("0x")?).ok()
    }

    /// The same, or `null`.
    pub mod option {
        use super::{Deserialize, Deserializer, Error, Serializer};

        /// As `0x…`, or `null`.
        pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
            match bytes {
                Some(bytes) => super::serialize(bytes, serializer),
                None => serializer.serialize_none(),
            }
        }

        /// From `0x…`, or `null`.
        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
            let text = Option::<String>::deserialize(deserializer)?;
            let wrong = || D::Error::custom("bytes are 0x and pairs of hex digits");
            text.map(|text| super::parse(&text).ok_or_else(wrong)).transpose()
        }
    }
}
