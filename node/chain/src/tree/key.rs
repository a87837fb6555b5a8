//! Where entries live in the tree: 248-bit digests, their bits and the prefixes that they share.
//!
//! Bit 0 is the most significant of the first byte. A [`Prefix`] names a subtree: all digests that start with
//! its bits. As the key of a row it is its whole bytes, then how many of their bits count:
//!
//! ```text
//! prefix   ⌈depth / 8⌉ bytes, the bits behind depth are 0 │ depth, 1 byte
//! ```
//!
//! so that subtrees which are near in the tree are near in the table.

use rustorium_runtime::StateKey;
use rustorium_types::tree::{KEY_BITS, KeyDigest, key_bit, key_digest};

/// The digest of an entry's key.
pub(crate) fn digest(key: &StateKey) -> KeyDigest {
    key_digest(key.contract, &key.key)
}

/// How many bits two digests share at their start; [`KEY_BITS`] if they are equal.
pub(crate) fn common(a: &KeyDigest, b: &KeyDigest) -> u8 {
    let differs = a.iter().zip(b).position(|(a, b)| a != b);
    differs.map_or(KEY_BITS, |at| at as u8 * 8 + (a[at] ^ b[at]).leading_zeros() as u8)
}

/// The first bits of digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Prefix {
    bits: KeyDigest,
    depth: u8,
}

impl Prefix {
    /// The prefix of no bits.
    pub(crate) const ROOT: Self = Self { bits: [0; 31], depth: 0 };

    /// The first `depth` bits of a digest.
    pub(crate) fn of(digest: &KeyDigest, depth: u8) -> Self {
        let mut bits = [0; 31];
        let whole = usize::from(depth / 8);
        bits[..whole].copy_from_slice(&digest[..whole]);
        if !depth.is_multiple_of(8) {
            bits[whole] = digest[whole] & !(0xff >> (depth % 8));
        }
        Self { bits, depth }
    }

    /// How many bits.
    pub(crate) const fn depth(&self) -> u8 {
        self.depth
    }

    /// This prefix and further bits: the first `count` of `path`, from its most significant one. Zeros behind.
    pub(crate) fn extended(&self, path: u8, count: u8) -> KeyDigest {
        let mut bits = self.bits;
        for step in (0..count).filter(|step| path >> (7 - step) & 1 == 1) {
            let index = self.depth + step;
            bits[usize::from(index / 8)] |= 0x80 >> (index % 8);
        }
        bits
    }

    /// Bytes that count.
    pub(crate) fn whole_bytes(&self) -> &[u8] {
        &self.bits[..usize::from(self.depth.div_ceil(8))]
    }

    /// The key of its rows.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.whole_bytes().to_vec();
        bytes.push(self.depth);
        bytes
    }

    /// Reads what [`Prefix::to_bytes`] wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&depth, whole) = bytes.split_last()?;
        if depth > KEY_BITS || whole.len() != usize::from(depth.div_ceil(8)) {
            return None;
        }
        let mut bits = [0; 31];
        bits[..whole.len()].copy_from_slice(whole);
        let prefix = Self::of(&bits, depth);
        (prefix.bits == bits).then_some(prefix)
    }
}

/// Bits `from..to` of a digest, at most eight, most significant first.
pub(crate) fn path(digest: &KeyDigest, from: u8, to: u8) -> u8 {
    (from..to).enumerate().fold(0, |path, (step, index)| path | u8::from(key_bit(digest, index)) << (7 - step))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn prefixes_round_trip(digest in any::<KeyDigest>(), depth in 0..=KEY_BITS) {
            let prefix = Prefix::of(&digest, depth);
            prop_assert_eq!(Prefix::from_bytes(&prefix.to_bytes()).unwrap(), prefix);
            prop_assert!(common(&prefix.bits, &digest) >= depth);
            let further = (KEY_BITS - depth).min(5);
            let extended = prefix.extended(path(&digest, depth, depth + further), further);
            prop_assert_eq!(extended, Prefix::of(&digest, depth + further).bits);
        }

        #[test]
        fn digests_differ_behind_what_they_share(a in any::<KeyDigest>(), b in any::<KeyDigest>(), shared in 0..=KEY_BITS) {
            let mut b = b;
            for index in 0..shared {
                let mask = 0x80 >> (index % 8);
                let byte = usize::from(index / 8);
                b[byte] = b[byte] & !mask | a[byte] & mask;
            }
            let common = common(&a, &b);
            prop_assert!(common >= shared);
            prop_assert_eq!(common == KEY_BITS, a == b);
            prop_assert!((0..common).all(|index| key_bit(&a, index) == key_bit(&b, index)));
            prop_assert!(common == KEY_BITS || key_bit(&a, common) != key_bit(&b, common));
        }
    }

    #[test]
    fn stray_bits_are_refused() {
        assert_eq!(Prefix::from_bytes(&[0b1010_0000, 3]).unwrap(), Prefix::of(&[0xa0; 31], 3));
        assert_eq!(Prefix::from_bytes(&[0b1011_0000, 3]), None);
        assert_eq!(Prefix::from_bytes(&[0, 0, 3]), None);
        assert_eq!(Prefix::from_bytes(&[]), None);
    }
}
