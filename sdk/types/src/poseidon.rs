//! Poseidon over BN254 with circom's parameters: t = 3, x⁵, 8 full and 57 partial rounds.
//!
//! `hash2(0, left, right)` is circomlib's `Poseidon(2)`, and `hash2(tag, left, right)` the first output of
//! its `PoseidonEx` with `initialState = tag`: the tag starts the capacity lane, so that hashes made for
//! different purposes never meet. Light clients, circuits and scripts recompute it with circomlib.
//!
//! ```text
//! lanes (tag, left, right) → 4 full rounds → 57 partial rounds → 4 full rounds → first lane
//! full round      add constants, x⁵ on each lane, multiply by the matrix
//! partial round   add constants, x⁵ on the first lane, multiply by the matrix
//! ```
//!
//! As `schedule` rewrites it, a partial round costs one S-box and one sum of four products instead of one
//! S-box and nine products. Nothing here is secret, so nothing is masked. Many hashes that do not depend on each
//! other go side by side where the machine can (`wide`).

use crate::field::{
    Field,
    limbs::{self, Limbs},
};

mod batch;
mod grain;
mod schedule;
#[cfg(target_arch = "x86_64")]
mod wide;

pub use batch::{Path, hash2_many};
use schedule::SCHEDULE;

/// Lanes of the permutation.
const WIDTH: usize = 3;
/// Rounds with an S-box on every lane; half come first, half last.
const FULL_ROUNDS: usize = 8;
/// Rounds with an S-box on the first lane only.
const PARTIAL_ROUNDS: usize = 57;

/// Hashes two elements under a tag.
///
/// # Example
///
/// ```
/// use rustorium_types::{field::Field, poseidon::hash2};
///
/// // circomlib: poseidon([1, 2])
/// let hash = hash2(0, Field::from_u64(1), Field::from_u64(2));
/// assert_eq!(hash.to_string(), "0x115cc0f5e7d690413df64c6b9662e9cf2a3617f2743245519e19607a4417189a");
/// ```
pub fn hash2(tag: u64, left: Field, right: Field) -> Field {
    let s = &SCHEDULE;
    let tag = Field::from_u64(tag);
    let lanes = [tag, left, right];
    let mut state = [[0; 4]; WIDTH];
    for lane in 0..WIDTH {
        // Below 2 p: the sum of two canonical values.
        state[lane] = limbs::add(lanes[lane].montgomery(), &s.before[lane]);
    }
    for round in &s.first_full {
        state = full_round(&state, round);
    }
    state = partial_rounds(&state);
    for round in &s.last_full {
        state = full_round(&state, round);
    }
    let powers = state.map(|lane| limbs::fifth_power(&lane));
    Field::from_montgomery(&limbs::dot(&s.output, &powers, &[0; 4]))
}

/// x⁵ on each lane, the matrix, and the next round's constants.
#[inline(always)]
fn full_round(state: &[Limbs; WIDTH], round: &[schedule::Row<WIDTH>; WIDTH]) -> [Limbs; WIDTH] {
    let powers = [limbs::fifth_power(&state[0]), limbs::fifth_power(&state[1]), limbs::fifth_power(&state[2])];
    [round[0].apply(&powers), round[1].apply(&powers), round[2].apply(&powers)]
}

/// All partial rounds, by the recurrence of [`schedule`].
#[inline(always)]
fn partial_rounds(state: &[Limbs; WIDTH]) -> [Limbs; WIDTH] {
    let s = &SCHEDULE;
    let y0 = limbs::fifth_power(&state[0]);
    let start = [y0, state[1], state[2]];
    let v0 = limbs::reduce(&s.enter[0].apply(&start));
    let v1 = limbs::reduce(&s.enter[1].apply(&start));
    let x1 = limbs::reduce(&limbs::add(&y0, &v0));
    let y1 = limbs::fifth_power(&x1);
    let mut x = limbs::reduce(&limbs::add(&y1, &v1));
    // (Vⱼ, Vⱼ₋₁, Yⱼ, Yⱼ₋₁)
    let mut window = [v1, v0, y1, y0];
    for row in &s.partial {
        let v = limbs::reduce(&row.apply(&window));
        let y = limbs::fifth_power(&x);
        window = [v, window[0], y, window[2]];
        x = limbs::reduce(&limbs::add(&y, &v));
    }
    [s.leave[0].apply(&window), s.leave[1].apply(&window), s.leave[2].apply(&window)]
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use alloc::{string::ToString, vec::Vec};
    use core::str::FromStr;

    use ark_bn254::Fr;
    use ark_ff::{BigInteger, PrimeField};
    use light_poseidon::{Poseidon, PoseidonHasher, parameters::bn254_x5::get_poseidon_parameters};
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Field {
        from_ark(Fr::from_str(text).unwrap())
    }

    fn from_ark(element: Fr) -> Field {
        Field::from_be_bytes(&element.into_bigint().to_bytes_be().try_into().unwrap()).unwrap()
    }

    fn ark(element: Field) -> Fr {
        Fr::from_be_bytes_mod_order(&element.to_be_bytes())
    }

    /// The permutation as the paper writes it.
    fn plain(tag: u64, left: Field, right: Field) -> Field {
        let parameters = grain::parameters();
        let mut state = [Field::from_u64(tag), left, right];
        for (round, constants) in parameters.constants.iter().enumerate() {
            for lane in 0..WIDTH {
                state[lane] = state[lane] + constants[lane];
            }
            let partial = FULL_ROUNDS / 2..FULL_ROUNDS / 2 + PARTIAL_ROUNDS;
            for lane in state.iter_mut().take(if partial.contains(&round) { 1 } else { WIDTH }) {
                *lane = *lane * *lane * *lane * *lane * *lane;
            }
            state = parameters.matrix.map(|row| row[0] * state[0] + row[1] * state[1] + row[2] * state[2]);
        }
        state[0]
    }

    pub(super) fn any_element() -> impl Strategy<Value = Field> {
        prop_oneof![
            proptest::sample::select([Field::ZERO, Field::ONE, -Field::ONE].to_vec()),
            any::<[u64; 4]>().prop_map(|integer| Field::from_integer(&integer)),
        ]
    }

    #[test]
    fn grain_draws_circoms_parameters() {
        let reference = get_poseidon_parameters::<Fr>(3).unwrap();
        let parameters = grain::parameters();
        let constants: Vec<Fr> = parameters.constants.iter().flatten().map(|element| ark(*element)).collect();
        assert_eq!(constants, reference.ark);
        let matrix: Vec<Vec<Fr>> =
            parameters.matrix.iter().map(|row| row.iter().map(|cell| ark(*cell)).collect()).collect();
        assert_eq!(matrix, reference.mds);
        // circomlib, poseidon_constants.circom: the first round constant of t = 3.
        assert_eq!(
            parameters.constants[0][0].to_string(),
            "0x0ee9a592ba9a9518d05986d656f40c2114c4993c11bb29938d21d47304cd8e6e"
        );
    }

    #[test]
    fn circomlibs_published_vectors() {
        // circomlib, test/poseidoncircuit.js
        let vectors = [
            (0, 1, 2, "7853200120776062878684798364095072458815029376092732009249414926327459813530"),
            (0, 3, 4, "14763215145315200506921711489642608356394854266165572616578112107564877678998"),
        ];
        for (tag, left, right, hash) in vectors {
            assert_eq!(hash2(tag, Field::from_u64(left), Field::from_u64(right)), decimal(hash));
        }
    }

    #[test]
    fn golden() {
        let hash = |tag| hash2(tag, Field::from_u64(1), Field::from_u64(2)).to_string();
        assert_eq!(hash(1 << 32), "0x2d4f3c261d4b1bb203ee5b43f72f235cd6481d4fb5b7ecc75f6c1b9694c614ee");
        assert_eq!(hash(u64::MAX), "0x0848995bbf6a0a4e9a8f958fc154ca46ee0c6acadc34f6f414f24c408bfa0da0");
    }

    proptest! {
        #[test]
        fn equals_light_poseidon(left in any_element(), right in any_element()) {
            let expected = Poseidon::<Fr>::new_circom(2).unwrap().hash(&[ark(left), ark(right)]).unwrap();
            prop_assert_eq!(hash2(0, left, right), from_ark(expected));
        }

        #[test]
        fn equals_the_plain_permutation_under_any_tag(tag in any::<u64>(), left in any_element(), right in any_element()) {
            prop_assert_eq!(hash2(tag, left, right), plain(tag, left, right));
        }
    }
}
