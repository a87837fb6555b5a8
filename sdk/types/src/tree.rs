//! How state is hashed: a path-compressed binary tree of Poseidon hashes over digests of keys.
//!
//! An entry `(contract, storage key) → value` is a leaf at the place that its key digest names. A branch stands
//! where the keys below it first differ, so the tree's shape depends on its keys alone:
//!
//! ```text
//! key      31 bytes: the first of blake3(state key domain │ contract 32 │ storage key)
//!          as a field element: their big-endian integer; bit 0 is the most significant, 0 goes left
//! leaf     P(LEAF + length; key, v₀), then for each further limb h ← P(CHAIN; h, vᵢ)
//!          value of at most 93 bytes: limbs of 31 bytes, little-endian, the last one padded with zeros
//!          (one limb, 0, if empty)
//!          P(LARGE + length; key, d₀), then P(CHAIN; h, d₁)
//!          larger value: limbs of 16 bytes, little-endian, of blake3(large value domain │ value)
//! branch   P(BRANCH + bit; left, right)
//! root     the hash of the top node; of a single leaf its own; 0 of the empty tree
//! ```
//!
//! P is [`hash2`] and the tags stand in its capacity lane, so a leaf never passes for a branch, nor a value for
//! one of another length. [`proof`] says what is in the tree and what is not.

use alloc::vec::Vec;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{
    field::{Field, LIMB_BYTES},
    hash::{Domain, hash},
    id::{ContractId, Hash},
    poseidon::{hash2, hash2_many},
};

pub mod proof;

pub use proof::{ProofError, Step, TreeProof};

/// Tag of a leaf with its value in it, plus the value's length.
pub const LEAF: u64 = 1 << 32;
/// Tag of a leaf with its value's digest in it, plus the value's length.
pub const LARGE: u64 = 2 << 32;
/// Tag of a leaf's further limbs.
pub const CHAIN: u64 = 3 << 32;
/// Tag of a branch, plus its bit.
pub const BRANCH: u64 = 4 << 32;

/// Bits of a key digest, and so the depth of the deepest leaf.
pub const KEY_BITS: u8 = 248;

/// Bytes of the largest value that a leaf holds as it is: three limbs.
pub const INLINE_BYTES: usize = 3 * LIMB_BYTES;

/// Where an entry is in the tree.
pub type KeyDigest = [u8; LIMB_BYTES];

/// The place of a contract's entry.
pub fn key_digest(contract: ContractId, key: &[u8]) -> KeyDigest {
    let digest = hash(Domain::StateKey, &[&contract.0, key]);
    core::array::from_fn(|index| digest.0[index])
}

/// Bit `index` of a key digest, the most significant first: `false` goes left.
pub fn key_bit(key: &KeyDigest, index: u8) -> bool {
    key.get(usize::from(index / 8)).is_some_and(|byte| byte >> (7 - index % 8) & 1 == 1)
}

/// The hash of an entry.
pub fn leaf_hash(key: &KeyDigest, value: &[u8]) -> Field {
    LeafContent::of(value).leaf_hash(key)
}

/// [`leaf_hash`] of many entries, in their order.
pub fn leaf_hashes(leaves: &[(KeyDigest, &[u8])]) -> Vec<Field> {
    let contents: Vec<_> = leaves.iter().map(|(_, value)| LeafContent::of(value)).collect();
    let starts: Vec<_> = leaves.iter().zip(&contents).map(|((key, _), content)| content.start(key)).collect();
    let mut hashes = hash2_many(&starts);
    // The leaves that still have limbs go on together.
    for index in 1.. {
        let further: Vec<_> =
            contents.iter().enumerate().filter_map(|(leaf, content)| Some((leaf, content.limb(index)?))).collect();
        if further.is_empty() {
            break;
        }
        let inputs: Vec<_> = further.iter().map(|(leaf, limb)| (CHAIN, hashes[*leaf], *limb)).collect();
        for ((leaf, _), hash) in further.iter().zip(hash2_many(&inputs)) {
            hashes[*leaf] = hash;
        }
    }
    hashes
}

/// The hash of two subtrees whose keys first differ in `bit`.
pub fn branch_hash(bit: u8, left: Field, right: Field) -> Field {
    hash2(BRANCH + u64::from(bit), left, right)
}

/// [`branch_hash`] of many, in their order.
pub fn branch_hashes(branches: &[(u8, Field, Field)]) -> Vec<Field> {
    let inputs: Vec<_> = branches.iter().map(|(bit, left, right)| (BRANCH + u64::from(*bit), *left, *right)).collect();
    hash2_many(&inputs)
}

/// What a leaf commits to beside its key: small values as they are, larger ones by their digest.
///
/// ```text
/// 0 │ length 4 │ value       at most 93 bytes
/// 1 │ length 4 │ digest 32   more than 93 bytes
/// ```
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum LeafContent {
    /// A value of at most [`INLINE_BYTES`].
    Inline(Vec<u8>),
    /// A value of more.
    Large {
        /// Its length in bytes.
        length: u32,
        /// Its digest.
        digest: Hash,
    },
}

impl LeafContent {
    /// The content of a value's leaf. Lengths are counted modulo 2³², which no value reaches; the digest
    /// covers the whole of it.
    pub fn of(value: &[u8]) -> Self {
        if value.len() <= INLINE_BYTES {
            Self::Inline(value.to_vec())
        } else {
            Self::Large { length: value.len() as u32, digest: hash(Domain::LargeValue, &[value]) }
        }
    }

    /// Whether a value has this content: the forms for small and large values do not overlap.
    fn is_well_formed(&self) -> bool {
        match self {
            Self::Inline(value) => value.len() <= INLINE_BYTES,
            Self::Large { length, .. } => *length as usize > INLINE_BYTES,
        }
    }

    /// The hash of the leaf with this content.
    pub fn leaf_hash(&self, key: &KeyDigest) -> Field {
        let (tag, key, first) = self.start(key);
        let limbs = (1..).map_while(|index| self.limb(index));
        limbs.fold(hash2(tag, key, first), |hash, limb| hash2(CHAIN, hash, limb))
    }

    /// What the leaf's first hash is of.
    fn start(&self, key: &KeyDigest) -> (u64, Field, Field) {
        let tag = match self {
            Self::Inline(value) => LEAF + value.len() as u64,
            Self::Large { length, .. } => LARGE + u64::from(*length),
        };
        (tag, Field::from_be_31(key), self.limb(0).unwrap_or(Field::ZERO))
    }

    fn limb(&self, index: usize) -> Option<Field> {
        let (bytes, limb_bytes) = match self {
            Self::Inline(value) => (value.as_slice(), LIMB_BYTES),
            Self::Large { digest, .. } => (digest.0.as_slice(), 16),
        };
        bytes.chunks(limb_bytes).nth(index).map(Field::from_le_limb)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The leaf as the module's text writes it.
    fn plain(key: &KeyDigest, tag: u64, limbs: &[Field]) -> Field {
        let mut hash = hash2(tag, Field::from_be_31(key), limbs[0]);
        for limb in &limbs[1..] {
            hash = hash2(CHAIN, hash, *limb);
        }
        hash
    }

    #[test]
    fn keys_go_by_their_most_significant_bit() {
        let mut key = [0; 31];
        key[0] = 0b1000_0001;
        key[30] = 1;
        let ones: Vec<u8> = (0..KEY_BITS).filter(|index| key_bit(&key, *index)).collect();
        assert_eq!(ones, [0, 7, 247]);
    }

    #[test]
    fn a_key_is_the_start_of_a_digest() {
        let contract = ContractId([7; 32]);
        let digest = hash(Domain::StateKey, &[&contract.0, b"supply"]);
        assert_eq!(key_digest(contract, b"supply"), digest.0[..31]);
        assert_ne!(key_digest(ContractId([8; 32]), b"supply"), digest.0[..31]);
    }

    #[test]
    fn values_are_cut_into_limbs() {
        let key = [3; 31];
        let value: Vec<u8> = (1..=94).collect();
        assert_eq!(leaf_hash(&key, &[]), plain(&key, LEAF, &[Field::ZERO]));
        assert_eq!(leaf_hash(&key, &[5]), plain(&key, LEAF + 1, &[Field::from_u64(5)]));
        assert_eq!(leaf_hash(&key, &[5, 0]), plain(&key, LEAF + 2, &[Field::from_u64(5)]));
        assert_eq!(leaf_hash(&key, &value[..31]), plain(&key, LEAF + 31, &[Field::from_le_limb(&value[..31])]));
        let limbs = [0..31, 31..62, 62..93].map(|range| Field::from_le_limb(&value[range]));
        assert_eq!(leaf_hash(&key, &value[..62]), plain(&key, LEAF + 62, &limbs[..2]));
        assert_eq!(leaf_hash(&key, &value[..93]), plain(&key, LEAF + 93, &limbs));
        let lengths = [94, 0, 1, 31, 93, 62, 32, 2].map(|length| (key, &value[..length]));
        assert_eq!(leaf_hashes(&lengths), lengths.map(|(key, value)| leaf_hash(&key, value)));
        let digest = hash(Domain::LargeValue, &[&value]);
        let halves = [0..16, 16..32].map(|range| Field::from_le_limb(&digest.0[range]));
        assert_eq!(leaf_hash(&key, &value), plain(&key, LARGE + 94, &halves));
    }

    #[test]
    fn no_two_leaves_or_branches_meet() {
        let key = [3; 31];
        let zero = Field::ZERO;
        let mut seen: Vec<Field> = (0..=94).map(|length| leaf_hash(&key, &alloc::vec![0; length])).collect();
        seen.extend((0..KEY_BITS).map(|bit| branch_hash(bit, zero, zero)));
        let count = seen.len();
        seen.sort_by_key(|hash| hash.to_be_bytes());
        seen.dedup();
        assert_eq!(seen.len(), count);
    }
}
