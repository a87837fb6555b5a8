//! Bytes that the ABI knows as bytes, `"0x…"` in JSON; a `Vec<u8>` is a list of small numbers.

use core::{fmt, ops::Deref};

use borsh::{BorshDeserialize, BorshSerialize};
use rustorium_types::key::{StorageKey, encode_bytes};

use crate::abi::{AbiType, Type};

/// Bytes of any number.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Bytes(pub Vec<u8>);

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl StorageKey for Bytes {
    fn encode_key(&self, out: &mut Vec<u8>) {
        encode_bytes(&self.0, out);
    }
}

impl AbiType for Bytes {
    const TYPE: Type = Type::Bytes;

    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}
