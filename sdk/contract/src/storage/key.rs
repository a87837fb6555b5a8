//! What a map takes for a key: the key, a reference to it, or a `&str` for a `String`.

use borsh::BorshSerialize;
use rustorium_types::key::StorageKey;

use super::serialize;

/// A value that names an entry of a map whose keys are `K`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a key of this map, whose keys are `{K}`",
    label = "expected `{K}`, or a reference to one"
)]
pub trait KeyOf<K> {
    /// Appends the key as storage keys have it.
    fn write_key(&self, out: &mut Vec<u8>);

    /// Appends the key as values have it.
    fn write_value(&self, out: &mut Vec<u8>);
}

impl<K: StorageKey + BorshSerialize> KeyOf<K> for K {
    fn write_key(&self, out: &mut Vec<u8>) {
        StorageKey::encode_key(self, out);
    }

    fn write_value(&self, out: &mut Vec<u8>) {
        serialize(self, out);
    }
}

impl<K: StorageKey + BorshSerialize> KeyOf<K> for &K {
    fn write_key(&self, out: &mut Vec<u8>) {
        StorageKey::encode_key(*self, out);
    }

    fn write_value(&self, out: &mut Vec<u8>) {
        serialize(*self, out);
    }
}

impl KeyOf<String> for &str {
    fn write_key(&self, out: &mut Vec<u8>) {
        StorageKey::encode_key(*self, out);
    }

    fn write_value(&self, out: &mut Vec<u8>) {
        serialize(*self, out);
    }
}
