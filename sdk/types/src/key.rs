//! Storage keys: a length-prefixed field name, then map keys in an encoding that keeps their order, so that
//! ordered scans can come later. Never borsh, whose little-endian integers sort by their lowest byte.
//!
//! ```text
//! storage key   length of the name, 1 byte │ name │ map key │ map key …
//! bool, u8…u128, U256      big-endian
//! i8…i128                  big-endian, the sign bit flipped
//! String, Bytes            00 becomes 00 FF; ended by 00 00
//! [u8; N], Address, Hash   as they are
//! Option                   00, or 01 and the value
//! tuple                    one after the other
//! ```

use alloc::{string::String, vec::Vec};

use crate::id::{AccountId, Address, ContractId, Hash, Timestamp};

/// The start of every storage key of a field. Names are at most 64 bytes long by the ABI's rule.
pub fn field(name: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + name.len() + 40);
    bytes.push(name.len() as u8);
    bytes.extend_from_slice(name.as_bytes());
    bytes
}

/// What can be a map's key: its encoding sorts as its values do.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the key of a map",
    label = "not a key",
    note = "keys are bool, integers, U256, String, Bytes, [u8; N], Address, Hash, Timestamp, and Option and tuples of these",
    note = "mark your own struct or enum with `#[abi(key)]`"
)]
pub trait StorageKey {
    /// Appends the encoding.
    fn encode_key(&self, out: &mut Vec<u8>);
}

/// Appends bytes of variable length: escaped and ended.
pub fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    for &byte in bytes {
        out.push(byte);
        if byte == 0 {
            out.push(0xff);
        }
    }
    out.extend_from_slice(&[0, 0]);
}

/// Bytes of variable length back from their encoding, and what stands behind them; `None` if they do not end.
pub fn decode_bytes(encoded: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut bytes = Vec::new();
    let mut rest = encoded;
    loop {
        match rest {
            [0, 0, behind @ ..] => return Some((bytes, behind)),
            [0, 0xff, behind @ ..] => {
                bytes.push(0);
                rest = behind;
            }
            [0, ..] | [] => return None,
            [byte, behind @ ..] => {
                bytes.push(*byte);
                rest = behind;
            }
        }
    }
}

macro_rules! integers {
    ($($unsigned:ty, $signed:ty;)*) => {$(
        impl StorageKey for $unsigned {
            fn encode_key(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
        }

        impl StorageKey for $signed {
            fn encode_key(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&((*self as $unsigned) ^ (1 << (<$unsigned>::BITS - 1))).to_be_bytes());
            }
        }
    )*};
}
integers! { u8, i8; u16, i16; u32, i32; u64, i64; u128, i128; }

impl StorageKey for bool {
    fn encode_key(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl StorageKey for str {
    fn encode_key(&self, out: &mut Vec<u8>) {
        encode_bytes(self.as_bytes(), out);
    }
}

impl StorageKey for String {
    fn encode_key(&self, out: &mut Vec<u8>) {
        encode_bytes(self.as_bytes(), out);
    }
}

impl<const N: usize> StorageKey for [u8; N] {
    fn encode_key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl StorageKey for Address {
    fn encode_key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_bytes());
    }
}

impl StorageKey for AccountId {
    fn encode_key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl StorageKey for ContractId {
    fn encode_key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl StorageKey for Hash {
    fn encode_key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl StorageKey for Timestamp {
    fn encode_key(&self, out: &mut Vec<u8>) {
        self.0.encode_key(out);
    }
}

impl<T: StorageKey> StorageKey for Option<T> {
    fn encode_key(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(value) => {
                out.push(1);
                value.encode_key(out);
            }
        }
    }
}

impl<T: StorageKey + ?Sized> StorageKey for &T {
    fn encode_key(&self, out: &mut Vec<u8>) {
        (**self).encode_key(out);
    }
}

impl<A: StorageKey, B: StorageKey> StorageKey for (A, B) {
    fn encode_key(&self, out: &mut Vec<u8>) {
        self.0.encode_key(out);
        self.1.encode_key(out);
    }
}

impl<A: StorageKey, B: StorageKey, C: StorageKey> StorageKey for (A, B, C) {
    fn encode_key(&self, out: &mut Vec<u8>) {
        self.0.encode_key(out);
        self.1.encode_key(out);
        self.2.encode_key(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(key: impl StorageKey) -> Vec<u8> {
        let mut out = Vec::new();
        key.encode_key(&mut out);
        out
    }

    #[test]
    fn encodings_sort_as_values_do() {
        assert!([i64::MIN, -2, -1, 0, 1, i64::MAX].map(encoded).is_sorted());
        assert!([0u128, 255, 256, u128::MAX].map(encoded).is_sorted());
        assert!(["", "\0", "\0\0", "\0a", "a", "a\0", "ab", "b"].map(encoded).is_sorted());
        assert!([None, Some(0u8), Some(255)].map(encoded).is_sorted());
    }

    #[test]
    fn bytes_come_back_with_what_is_behind_them() {
        for bytes in [&b""[..], b"\0", b"a\0\0b", b"\xff\0"] {
            let mut encoded = Vec::new();
            encode_bytes(bytes, &mut encoded);
            encoded.push(7);
            assert_eq!(decode_bytes(&encoded), Some((bytes.to_vec(), &[7][..])));
            assert_eq!(decode_bytes(&encoded[..encoded.len() - 2]), None);
        }
        assert_eq!(decode_bytes(&[0, 1]), None);
    }

    #[test]
    fn no_key_is_a_prefix_of_another() {
        assert_ne!(encoded(("a", "bc")), encoded(("ab", "c")));
        assert!(!encoded("a\0b").starts_with(&encoded("a")));
    }
}
