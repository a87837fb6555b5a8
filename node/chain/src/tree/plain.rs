//! The tree as its definition says, made anew from all entries each time: obviously right, and slow.

use std::collections::BTreeMap;

use rustorium_types::{
    field::Field,
    id::Hash,
    tree::{KEY_BITS, KeyDigest, branch_hash, key_bit, leaf_hash},
};

/// The root over entries.
pub(crate) fn root(entries: &BTreeMap<KeyDigest, Vec<u8>>) -> Hash {
    let entries: Vec<_> = entries.iter().collect();
    if entries.is_empty() { Hash::ZERO } else { subtree(&entries).into() }
}

fn subtree(entries: &[(&KeyDigest, &Vec<u8>)]) -> Field {
    if let [(key, value)] = entries {
        return leaf_hash(key, value);
    }
    let differs = |bit: &u8| entries.iter().any(|(key, _)| key_bit(key, *bit) != key_bit(entries[0].0, *bit));
    let bit = (0..KEY_BITS).find(differs).expect("keys are distinct");
    let (ones, zeros): (Vec<_>, Vec<_>) = entries.iter().partition(|(key, _)| key_bit(key, bit));
    branch_hash(bit, subtree(&zeros), subtree(&ones))
}
