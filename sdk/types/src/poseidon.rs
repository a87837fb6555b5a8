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
//! As [`schedule`] rewrites it, a partial round costs one S-box and one sum of four products instead of one
//! S-box and nine products. Nothing here is secret, so nothing is masked; there is no `unsafe`.

use crate::field::{
    Field,
    limbs::{self, Limbs},
};

mod grain;
mod schedule;

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
