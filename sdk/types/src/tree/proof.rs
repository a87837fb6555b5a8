//! Proofs that an entry is in the state tree, or that none is.
//!
//! ```text
//! TreeProof   0                                          nothing is in the tree
//!             1 │ count 4 │ steps                        the entry is there
//!             2 │ count 4 │ steps │ key 31 │ content     another leaf is where the entry would be
//! step        bit 1 │ sibling 32                         from the root down, bits rising
//! ```
//!
//! Who checks a proof of presence hashes the claimed leaf and climbs to the root. Who checks a proof of absence
//! does the same with the other leaf, but turns at each step as the *absent* key says: in a tree where branches
//! stand at the first bit in which keys differ, a search for that key passes exactly these branches, and ends
//! at a leaf that is not its own. The other leaf is hashed from its key and content under leaf tags, so a branch
//! never passes for it.

use alloc::vec::Vec;

use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

use super::{KEY_BITS, KeyDigest, LeafContent, branch_hash, key_bit, key_digest};
use crate::{
    field::Field,
    id::{ContractId, Hash},
};

/// A branch on the way down: where it turns, and the hash of the side not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Step {
    /// The branch's bit.
    pub bit: u8,
    /// The other side.
    pub sibling: Field,
}

/// What the tree says about one key.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum TreeProof {
    /// The tree is empty.
    Empty,
    /// The entry is there.
    Present {
        /// From the root down.
        path: Vec<Step>,
    },
    /// A search for the entry ends at another leaf.
    Absent {
        /// From the root down.
        path: Vec<Step>,
        /// The other leaf's key.
        key: KeyDigest,
        /// The other leaf's content.
        content: LeafContent,
    },
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProofError {
    /// A value is claimed and the proof is of absence, or the other way round.
    #[error("the proof is of the wrong kind: it does not speak of {}", if *.present { "a value that is there" } else { "a missing entry" })]
    Kind {
        /// Whether a value is claimed.
        present: bool,
    },
    /// The bits of the path do not rise, or are beyond the key's.
    #[error("step {step} of the path is not below the one before it")]
    Path {
        /// Which, from the root.
        step: usize,
    },
    /// The leaf shown instead of the missing entry is the entry's own.
    #[error("the leaf shown instead of the missing entry has the entry's own key")]
    SameKey,
    /// The leaf shown instead of the missing entry cannot be where it would be.
    #[error("the leaf shown instead of the missing entry turns elsewhere at bit {bit}")]
    Elsewhere {
        /// Where it turns.
        bit: u8,
    },
    /// The other leaf's content has a form that no value has.
    #[error("the leaf shown instead of the missing entry has no possible content")]
    Content,
    /// What the proof hashes to is not the root.
    #[error("the proof leads to root {found}, not to {expected}")]
    Root {
        /// What it leads to.
        found: Hash,
        /// The root that is trusted.
        expected: Hash,
    },
}

impl TreeProof {
    /// Checks that under `root` the contract's entry has this value, or, with `None`, that there is none.
    ///
    /// The work is bounded: at most 248 hashes for the path and three for the leaf, whatever was decoded.
    ///
    /// # Errors
    ///
    /// Says which check failed.
    pub fn verify(&self, root: Hash, contract: ContractId, key: &[u8], value: Option<&[u8]>) -> Result<(), ProofError> {
        self.verify_digest(root, &key_digest(contract, key), value)
    }

    /// As [`verify`](Self::verify), for who knows the digest of the key only.
    ///
    /// # Errors
    ///
    /// Says which check failed.
    pub fn verify_digest(&self, root: Hash, key: &KeyDigest, value: Option<&[u8]>) -> Result<(), ProofError> {
        let found = match (self, value) {
            (Self::Empty, None) => Field::ZERO,
            (Self::Present { path }, Some(value)) => {
                check_path(path)?;
                climb(path, key, super::leaf_hash(key, value))
            }
            (Self::Absent { path, key: other, content }, None) => {
                check_path(path)?;
                check_other(path, key, other, content)?;
                climb(path, key, content.leaf_hash(other))
            }
            _ => return Err(ProofError::Kind { present: value.is_some() }),
        };
        let found = Hash::from(found);
        if found == root { Ok(()) } else { Err(ProofError::Root { found, expected: root }) }
    }
}

/// Bits rise strictly and are the key's, so there are at most [`KEY_BITS`] of them.
fn check_path(path: &[Step]) -> Result<(), ProofError> {
    let mut lowest = 0;
    for (step, Step { bit, .. }) in path.iter().enumerate() {
        if *bit < lowest || *bit >= KEY_BITS {
            return Err(ProofError::Path { step });
        }
        lowest = bit + 1;
    }
    Ok(())
}

fn check_other(path: &[Step], key: &KeyDigest, other: &KeyDigest, content: &LeafContent) -> Result<(), ProofError> {
    if other == key {
        return Err(ProofError::SameKey);
    }
    if !content.is_well_formed() {
        return Err(ProofError::Content);
    }
    match path.iter().find(|step| key_bit(key, step.bit) != key_bit(other, step.bit)) {
        Some(step) => Err(ProofError::Elsewhere { bit: step.bit }),
        None => Ok(()),
    }
}

/// From a leaf to the root, on the side that the key says.
fn climb(path: &[Step], key: &KeyDigest, leaf: Field) -> Field {
    path.iter().rev().fold(leaf, |hash, step| {
        if key_bit(key, step.bit) {
            branch_hash(step.bit, step.sibling, hash)
        } else {
            branch_hash(step.bit, hash, step.sibling)
        }
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use alloc::{collections::BTreeMap, vec};

    use proptest::{collection::btree_map, prelude::*};

    use super::{super::leaf_hash, *};

    type Entries = BTreeMap<KeyDigest, Vec<u8>>;

    /// The tree as its definition says, found by splitting the keys at the first bit in which they differ.
    fn plain_root(entries: &[(&KeyDigest, &Vec<u8>)]) -> Field {
        match entries {
            [] => Field::ZERO,
            [(key, value)] => leaf_hash(key, value),
            _ => {
                let (bit, left, right) = split(entries);
                branch_hash(bit, plain_root(&left), plain_root(&right))
            }
        }
    }

    type Side<'a> = Vec<(&'a KeyDigest, &'a Vec<u8>)>;

    fn split<'a>(entries: &[(&'a KeyDigest, &'a Vec<u8>)]) -> (u8, Side<'a>, Side<'a>) {
        let bit = (0..KEY_BITS)
            .find(|bit| entries.iter().any(|(key, _)| key_bit(key, *bit) != key_bit(entries[0].0, *bit)))
            .unwrap();
        let (right, left) = entries.iter().partition(|(key, _)| key_bit(key, bit));
        (bit, left, right)
    }

    fn prove(entries: &[(&KeyDigest, &Vec<u8>)], key: &KeyDigest, mut path: Vec<Step>) -> TreeProof {
        match entries {
            [] => TreeProof::Empty,
            [(other, _)] if *other == key => TreeProof::Present { path },
            [(other, value)] => TreeProof::Absent { path, key: **other, content: LeafContent::of(value) },
            _ => {
                let (bit, left, right) = split(entries);
                let (near, far) = if key_bit(key, bit) { (right, left) } else { (left, right) };
                path.push(Step { bit, sibling: plain_root(&far) });
                prove(&near, key, path)
            }
        }
    }

    fn tree(entries: &Entries) -> (Hash, Vec<(&KeyDigest, &Vec<u8>)>) {
        let list: Vec<_> = entries.iter().collect();
        (plain_root(&list).into(), list)
    }

    fn any_key() -> impl Strategy<Value = KeyDigest> {
        // Long common prefixes are what a compressed tree is about.
        prop_oneof![
            any::<[u8; 31]>(),
            (0_usize..248).prop_map(|bit| {
                let mut key = [0; 31];
                key[bit / 8] = 0x80 >> (bit % 8);
                key
            }),
        ]
    }

    fn any_entries() -> impl Strategy<Value = Entries> {
        btree_map(any_key(), proptest::collection::vec(any::<u8>(), 0..120), 0..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_entry_is_proven_present_and_every_other_absent(entries in any_entries(), others in proptest::collection::vec(any_key(), 8)) {
            let (root, list) = tree(&entries);
            for key in entries.keys().chain(&others) {
                let value = entries.get(key).map(Vec::as_slice);
                let proof = prove(&list, key, vec![]);
                prop_assert_eq!(proof.verify_digest(root, key, value), Ok(()));
                let bytes = borsh::to_vec(&proof).unwrap();
                prop_assert_eq!(borsh::from_slice::<TreeProof>(&bytes).unwrap(), proof.clone());
                // Neither the opposite nor another value.
                let lie: Option<&[u8]> = if value.is_some() { None } else { Some(b"lie") };
                prop_assert!(proof.verify_digest(root, key, lie).is_err());
                if let Some(value) = value {
                    let mut longer = value.to_vec();
                    longer.push(0);
                    prop_assert!(proof.verify_digest(root, key, Some(&longer)).is_err());
                }
                prop_assert!(proof.verify_digest(Hash([1; 32]), key, value).is_err());
            }
        }

        #[test]
        fn no_entry_is_proven_absent_by_any_leaf(entries in any_entries()) {
            let (root, list) = tree(&entries);
            for key in entries.keys() {
                let TreeProof::Present { path } = prove(&list, key, vec![]) else { unreachable!("it is there") };
                for (other, value) in &entries {
                    for length in 0..=path.len() {
                        let forged = TreeProof::Absent {
                            path: path[..length].to_vec(),
                            key: *other,
                            content: LeafContent::of(value),
                        };
                        prop_assert!(forged.verify_digest(root, key, None).is_err());
                    }
                }
            }
        }
    }

    /// Two keys that part at bit 3, and the value 5 under the first.
    fn two() -> (KeyDigest, KeyDigest, Hash, Vec<Step>) {
        let (mut a, mut b) = ([0; 31], [0; 31]);
        a[30] = 1;
        b[0] = 0b0001_0000;
        let path = vec![Step { bit: 3, sibling: leaf_hash(&b, b"b") }];
        (a, b, branch_hash(3, leaf_hash(&a, &[5]), leaf_hash(&b, b"b")).into(), path)
    }

    #[test]
    fn altered_paths_are_refused() {
        let (a, _, root, path) = two();
        let check = |path: Vec<Step>| TreeProof::Present { path }.verify_digest(root, &a, Some(&[5]));
        assert_eq!(check(path.clone()), Ok(()));
        let step = path[0];
        assert!(matches!(check(vec![Step { bit: 4, ..step }]), Err(ProofError::Root { .. })));
        assert!(matches!(check(vec![Step { sibling: Field::ONE, ..step }]), Err(ProofError::Root { .. })));
        assert!(matches!(check(vec![]), Err(ProofError::Root { .. })));
        assert_eq!(check(vec![step, step]), Err(ProofError::Path { step: 1 }));
        assert_eq!(check(vec![step, Step { bit: 2, ..step }]), Err(ProofError::Path { step: 1 }));
        assert_eq!(check(vec![Step { bit: 248, ..step }]), Err(ProofError::Path { step: 0 }));
        assert_eq!(check(vec![Step { bit: 7, ..step }; 100_000]), Err(ProofError::Path { step: 1 }));
    }

    #[test]
    fn forged_absence_is_refused() {
        let (a, b, root, path) = two();
        let mut missing = a;
        missing[30] = 2;
        let check = |query: &KeyDigest, key, content| {
            TreeProof::Absent { path: path.clone(), key, content }.verify_digest(root, query, None)
        };
        let content = LeafContent::of(&[5]);
        assert_eq!(check(&missing, a, content.clone()), Ok(()));
        assert_eq!(check(&a, a, content.clone()), Err(ProofError::SameKey));
        assert_eq!(check(&missing, b, LeafContent::of(b"b")), Err(ProofError::Elsewhere { bit: 3 }));
        // Another key for the same leaf.
        let mut near = a;
        near[30] = 3;
        assert!(matches!(check(&a, near, content.clone()), Err(ProofError::Root { .. })));
        assert!(matches!(check(&missing, a, LeafContent::of(&[6])), Err(ProofError::Root { .. })));
        assert_eq!(check(&missing, a, LeafContent::Inline(vec![0; 94])), Err(ProofError::Content));
        assert_eq!(
            check(&missing, a, LeafContent::Large { length: 93, digest: Hash([0; 32]) }),
            Err(ProofError::Content)
        );
        assert_eq!(TreeProof::Empty.verify_digest(root, &missing, Some(&[5])), Err(ProofError::Kind { present: true }));
        assert!(matches!(TreeProof::Empty.verify_digest(root, &missing, None), Err(ProofError::Root { .. })));
        assert_eq!(TreeProof::Empty.verify_digest(Hash::ZERO, &missing, None), Ok(()));
        let present = TreeProof::Present { path: path.clone() };
        assert_eq!(present.verify_digest(root, &missing, None), Err(ProofError::Kind { present: false }));
    }

    /// The branch's children posing as a leaf's key and limb: the tag gives it away.
    #[test]
    fn a_branch_does_not_pass_for_a_leaf() {
        let (_, b, root, _) = two();
        let missing = [0xff; 31];
        let limb = leaf_hash(&b, b"b").to_le_bytes();
        for length in 0..=93 {
            let mut value = limb.to_vec();
            value.resize(length, 0);
            let forged = TreeProof::Absent { path: vec![], key: b, content: LeafContent::Inline(value) };
            assert!(matches!(forged.verify_digest(root, &missing, None), Err(ProofError::Root { .. })));
        }
    }
}
