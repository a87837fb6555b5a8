//! Many hashes that do not depend on each other, as of a level in a tree's update: side by side where the machine has
//! vectors for it, else one by one.

use alloc::vec::Vec;

use super::hash2;
#[cfg(target_arch = "x86_64")]
use super::wide::{self, avx2, ifma};
use crate::field::Field;

/// [`hash2`] of many, in their order: each of a tag and two elements.
///
/// What it gains depends on the machine and on how many there are: with AVX-512 IFMA, two to eight take little more time
/// than one.
pub fn hash2_many(inputs: &[(u64, Field, Field)]) -> Vec<Field> {
    let best = [Path::Ifma, Path::Avx2].into_iter().find(|path| path.exists());
    best.unwrap_or(Path::Scalar).hash2_many(inputs)
}

/// The code that computes a batch. [`hash2_many`] takes the best; tests and benchmarks compare them.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// One by one.
    Scalar,
    /// Four side by side.
    Avx2,
    /// Eight side by side.
    Ifma,
}

impl Path {
    /// Every one, on this machine or not.
    pub const ALL: [Self; 3] = [Self::Scalar, Self::Avx2, Self::Ifma];

    /// Whether the machine can.
    pub fn exists(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => avx2::exists(),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma => ifma::exists(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Ifma => false,
        }
    }

    /// [`hash2_many`] by this code; one by one what is too few for it, or all where the machine cannot.
    pub fn hash2_many(self, inputs: &[(u64, Field, Field)]) -> Vec<Field> {
        let mut hashes = Vec::with_capacity(inputs.len());
        #[cfg(target_arch = "x86_64")]
        match self {
            Self::Scalar => {}
            Self::Avx2 => wide::hash_groups(inputs, avx2::FEWEST, avx2::hash4, &mut hashes),
            Self::Ifma => wide::hash_groups(inputs, ifma::FEWEST, ifma::hash8, &mut hashes),
        }
        hashes.extend(inputs[hashes.len()..].iter().map(|(tag, left, right)| hash2(*tag, *left, *right)));
        hashes
    }
}

#[cfg(test)]
mod tests {
    use alloc::{string::ToString, vec::Vec};

    use proptest::prelude::*;

    use super::{super::tests::any_element, *};

    fn paths() -> impl Iterator<Item = Path> {
        Path::ALL.into_iter().filter(|path| path.exists())
    }

    fn any_tag() -> impl Strategy<Value = u64> {
        prop_oneof![proptest::sample::select([0, 1, u64::MAX - 1, u64::MAX].to_vec()), any::<u64>()]
    }

    fn singly(inputs: &[(u64, Field, Field)]) -> Vec<Field> {
        inputs.iter().map(|(tag, left, right)| hash2(*tag, *left, *right)).collect()
    }

    proptest! {
        #[test]
        fn many_are_as_one_by_one(inputs in proptest::collection::vec((any_tag(), any_element(), any_element()), 0..=17)) {
            let singly = singly(&inputs);
            prop_assert_eq!(&hash2_many(&inputs), &singly);
            for path in paths() {
                prop_assert_eq!(&path.hash2_many(&inputs), &singly, "{:?}", path);
            }
        }
    }

    #[test]
    fn any_number_of_edges() {
        let edges = [Field::ZERO, Field::ONE, -Field::ONE, -Field::from_u64(2)];
        let tags = [0, u64::MAX, 1 << 32, (1 << 52) - 1, 1 << 52];
        let inputs: Vec<_> = (0..17).map(|n: usize| (tags[n % 5], edges[n % 4], edges[n / 4 % 4])).collect();
        let singly = singly(&inputs);
        for path in paths() {
            for count in 0..=inputs.len() {
                assert_eq!(path.hash2_many(&inputs[..count]), singly[..count], "{path:?}, {count}");
            }
        }
    }

    #[test]
    fn golden_by_every_path() {
        let golden = [
            (0, "0x115cc0f5e7d690413df64c6b9662e9cf2a3617f2743245519e19607a4417189a"),
            (1 << 32, "0x2d4f3c261d4b1bb203ee5b43f72f235cd6481d4fb5b7ecc75f6c1b9694c614ee"),
            (u64::MAX, "0x0848995bbf6a0a4e9a8f958fc154ca46ee0c6acadc34f6f414f24c408bfa0da0"),
        ];
        let inputs = golden.map(|(tag, _)| (tag, Field::from_u64(1), Field::from_u64(2)));
        for path in paths() {
            let hashes: Vec<_> = path.hash2_many(&inputs).iter().map(Field::to_string).collect();
            assert_eq!(hashes, golden.map(|(_, hash)| hash), "{path:?}");
        }
    }
}
