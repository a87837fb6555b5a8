//! Hashes side by side: one in each lane of vector registers.
//!
//! An element is a few digits, and a register holds the same digit of as many hashes as it has lanes:
//!
//! ```text
//! ifma   five digits of 52 bits   eight hashes   AVX-512 with its instructions for such digits
//! avx2   nine digits of 29 bits   four hashes    AVX2
//! ```
//!
//! The schedule is the scalar path's, carried over by the compiler; [`hash2`](super::hash2) is the reference. What both
//! share is here, how digits are multiplied is in the two modules. The one `unsafe` of each is the call into code that is
//! compiled for the machine's vectors: sound, because the machine is asked first. In there are arithmetic and arrays
//! only, no pointers.

use alloc::vec::Vec;

use super::{
    FULL_ROUNDS, PARTIAL_ROUNDS, WIDTH,
    schedule::{Row, SCHEDULE},
};
use crate::field::{
    Field,
    limbs::{self, Limbs},
};

/// The permutation over a module's `gather`, `scatter`, `dot`, `fifth_power`, `partial_round`, `add`, `settled` and
/// `narrow`. What is compiled for a machine cannot be a trait's function, hence a macro.
macro_rules! permutation {
    ($features:literal) => {
        #[target_feature(enable = $features)]
        fn permute(inputs: &[Input; LANES]) -> [Field; LANES] {
            let t = &TABLES;
            let tags = gather(&inputs.map(|(tag, ..)| digits(&[tag, 0, 0, 0], BITS)));
            let left = gather(&inputs.map(|(_, left, _)| digits(left.montgomery(), BITS)));
            let right = gather(&inputs.map(|(.., right)| digits(right.montgomery(), BITS)));
            let mut state = [dot(&t.tag, [&tags]), dot(&t.elements[0], [&left]), dot(&t.elements[1], [&right])];
            for round in &t.first_full {
                state = full_round(&state, round);
            }
            state = partial_rounds(&state);
            for round in &t.last_full {
                state = full_round(&state, round);
            }
            let [a, b, c] = fifth_powers(&state);
            scatter(&narrow(&dot(&t.output, [&a, &b, &c])))
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn fifth_powers(state: &[Sum; WIDTH]) -> [Wide; WIDTH] {
            let [a, b, c] = [settled(&state[0]), settled(&state[1]), settled(&state[2])];
            [settled(&fifth_power(&a)), settled(&fifth_power(&b)), settled(&fifth_power(&c))]
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn full_round(state: &[Sum; WIDTH], round: &[Row<WIDTH>; WIDTH]) -> [Sum; WIDTH] {
            let [a, b, c] = fifth_powers(state);
            let values = [&a, &b, &c];
            [dot(&round[0], values), dot(&round[1], values), dot(&round[2], values)]
        }

        /// All partial rounds, by the recurrence of the schedule.
        #[target_feature(enable = $features)]
        #[inline]
        fn partial_rounds(state: &[Sum; WIDTH]) -> [Sum; WIDTH] {
            let t = &TABLES;
            let y0 = fifth_power(&settled(&state[0]));
            let start = [&settled(&y0), &settled(&state[1]), &settled(&state[2])];
            let v0 = dot(&t.enter[0], start);
            let v1 = dot(&t.enter[1], start);
            let y1 = fifth_power(&settled(&add(&y0, &v0)));
            let mut x = settled(&add(&y1, &v1));
            // (Vⱼ, Vⱼ₋₁, Yⱼ, Yⱼ₋₁)
            let mut window = [settled(&v1), settled(&v0), settled(&y1), settled(&y0)];
            for row in &t.partial {
                let (v, y) = partial_round(row, &window, &x);
                window = [settled(&v), window[0], settled(&y), window[2]];
                x = settled(&add(&y, &v));
            }
            let [a, b, c, d] = &window;
            [dot(&t.leave[0], [a, b, c, d]), dot(&t.leave[1], [a, b, c, d]), dot(&t.leave[2], [a, b, c, d])]
        }
    };
}

pub(super) mod avx2;
pub(super) mod ifma;

/// What one hash is of: a tag and two elements.
pub(super) type Input = (u64, Field, Field);

/// Hashes the first of the inputs in groups, as long as there are enough for one and the machine can.
pub(super) fn hash_groups<const LANES: usize>(
    inputs: &[Input],
    fewest: usize,
    hash: impl Fn(&[Input; LANES]) -> Option<[Field; LANES]>,
    hashes: &mut Vec<Field>,
) {
    for group in inputs.chunks(LANES) {
        if group.len() < fewest {
            break;
        }
        // Lanes that are for nothing repeat the last hash.
        let lanes = core::array::from_fn(|lane| group[lane.min(group.len() - 1)]);
        let Some(computed) = hash(&lanes) else { break };
        hashes.extend(computed.into_iter().take(group.len()));
    }
}

/// The low bits of a digit.
const fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

/// The digits of a value, the lowest first.
const fn digits<const DIGITS: usize>(value: &Limbs, bits: u32) -> [u64; DIGITS] {
    let mut digits = [0; DIGITS];
    let mut digit = 0;
    while digit < DIGITS {
        let (limb, offset) = (bits as usize * digit / 64, bits as usize * digit % 64);
        let above = if offset > 0 && limb < 3 { value[limb + 1] << (64 - offset) } else { 0 };
        digits[digit] = (value[limb] >> offset | above) & mask(bits);
        digit += 1;
    }
    digits
}

/// Four limbs from the digits of a value below 2²⁵⁶.
const fn joined<const DIGITS: usize>(digits: &[u64; DIGITS], bits: u32) -> Limbs {
    let mut joined = [0; 4];
    let mut digit = 0;
    while digit < DIGITS {
        let (limb, offset) = (bits as usize * digit / 64, bits as usize * digit % 64);
        joined[limb] |= digits[digit] << offset;
        if offset > 64 - bits as usize && limb < 3 {
            joined[limb + 1] |= digits[digit] >> (64 - offset);
        }
        digit += 1;
    }
    joined
}

/// −p⁻¹ modulo a digit.
const fn negative_inverse(bits: u32) -> u64 {
    // Newton: each step doubles the number of right bits.
    let mut inverse = 1_u64;
    let mut step = 0;
    while step < 6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(limbs::P[0].wrapping_mul(inverse)));
        step += 1;
    }
    inverse.wrapping_neg() & mask(bits)
}

/// 2^exponent mod p.
const fn power_of_two(exponent: u32) -> Limbs {
    let mut power = [1, 0, 0, 0];
    let mut doubling = 0;
    while doubling < exponent {
        power = limbs::canonical(&limbs::add(&power, &power));
        doubling += 1;
    }
    power
}

/// How a module writes an element x: as x · 2^montgomery mod p in digits of so many bits.
struct Format {
    bits: u32,
    montgomery: u32,
    /// A dot product is divided by 2^divided, and once more by 2^narrowed when it is the hash.
    divided: u32,
    narrowed: u32,
}

/// What the schedule's numbers are multiplied by, and divided by 2²⁵⁶, to be a module's.
struct Scales<const SCALES: usize> {
    coefficient: [Limbs; SCALES],
    constant: Limbs,
    bits: u32,
}

impl<const SCALES: usize> Scales<SCALES> {
    /// For coefficients times 2^exponent.
    const fn new(format: &Format, exponent: u32) -> Self {
        let constant = power_of_two(format.montgomery + format.divided - 256);
        let mut scales = Self { coefficient: [[0; 4]; SCALES], constant, bits: format.bits };
        let mut index = 0;
        while index < SCALES {
            scales.coefficient[index] = power_of_two(exponent + format.bits * index as u32);
            index += 1;
        }
        scales
    }
}

/// A linear form over N elements and a constant. Of each coefficient there are SCALES numbers, each a digit
/// higher than the one before.
struct WideRow<const N: usize, const SCALES: usize, const DIGITS: usize> {
    coefficients: [[[u64; DIGITS]; SCALES]; N],
    constant: [u64; DIGITS],
}

impl<const N: usize, const SCALES: usize, const DIGITS: usize> WideRow<N, SCALES, DIGITS> {
    const ZERO: Self = Self { coefficients: [[[0; DIGITS]; SCALES]; N], constant: [0; DIGITS] };

    const fn new(row: &Row<N>, scales: &Scales<SCALES>) -> Self {
        let mut wide = Self { constant: scaled(&row.constant, &scales.constant, scales.bits), ..Self::ZERO };
        let mut index = 0;
        while index < N * SCALES {
            let (term, scale) = (index / SCALES, index % SCALES);
            wide.coefficients[term][scale] = scaled(&row.coefficients[term], &scales.coefficient[scale], scales.bits);
            index += 1;
        }
        wide
    }

    const fn all<const M: usize>(rows: &[Row<N>; M], scales: &Scales<SCALES>) -> [Self; M] {
        let mut wide = [const { Self::ZERO }; M];
        let mut index = 0;
        while index < M {
            wide[index] = Self::new(&rows[index], scales);
            index += 1;
        }
        wide
    }
}

/// The digits of value · scale ÷ 2²⁵⁶.
const fn scaled<const DIGITS: usize>(value: &Limbs, scale: &Limbs, bits: u32) -> [u64; DIGITS] {
    digits(&limbs::canonical(&limbs::multiply(value, scale)), bits)
}

type FullRound<const SCALES: usize, const DIGITS: usize> = [WideRow<WIDTH, SCALES, DIGITS>; WIDTH];

/// What [`SCHEDULE`] says, in digits.
struct Tables<const SCALES: usize, const DIGITS: usize> {
    /// The first lane before its S-box, from the tag as an integer.
    tag: WideRow<1, SCALES, DIGITS>,
    /// The other two, from the elements as they are kept in memory.
    elements: [WideRow<1, SCALES, DIGITS>; 2],
    first_full: [FullRound<SCALES, DIGITS>; FULL_ROUNDS / 2],
    enter: [WideRow<WIDTH, SCALES, DIGITS>; 2],
    partial: [WideRow<4, SCALES, DIGITS>; PARTIAL_ROUNDS - 2],
    leave: [WideRow<4, SCALES, DIGITS>; WIDTH],
    last_full: [FullRound<SCALES, DIGITS>; FULL_ROUNDS / 2 - 1],
    /// The hash as elements are kept in memory.
    output: WideRow<WIDTH, SCALES, DIGITS>,
}

impl<const SCALES: usize, const DIGITS: usize> Tables<SCALES, DIGITS> {
    const fn new(format: &Format) -> Self {
        let s = &SCHEDULE;
        let [tag, left, right] = [lane(&s.before[0]), lane(&s.before[1]), lane(&s.before[2])];
        let output = Row { coefficients: s.output, constant: [0; 4] };
        let scales = &Scales::new(format, format.divided);
        let from_integer = &Scales::new(format, format.divided + format.montgomery);
        let from_memory = &Scales::new(format, format.divided + format.montgomery - 256);
        let to_memory = &Scales::new(format, format.divided + format.narrowed + 256 - format.montgomery);
        Self {
            tag: WideRow::new(&tag, from_integer),
            elements: [WideRow::new(&left, from_memory), WideRow::new(&right, from_memory)],
            first_full: full_rounds(&s.first_full, scales),
            enter: WideRow::all(&s.enter, scales),
            partial: WideRow::all(&s.partial, scales),
            leave: WideRow::all(&s.leave, scales),
            last_full: full_rounds(&s.last_full, scales),
            output: WideRow::new(&output, to_memory),
        }
    }
}

/// A lane and the first round's constant.
const fn lane(constant: &Limbs) -> Row<1> {
    Row::new([Field::ONE], Field::from_montgomery(constant))
}

const fn full_rounds<const M: usize, const SCALES: usize, const DIGITS: usize>(
    rounds: &[[Row<WIDTH>; WIDTH]; M],
    scales: &Scales<SCALES>,
) -> [FullRound<SCALES, DIGITS>; M] {
    let mut wide = [const { [const { WideRow::ZERO }; WIDTH] }; M];
    let mut index = 0;
    while index < M {
        wide[index] = WideRow::all(&rounds[index], scales);
        index += 1;
    }
    wide
}
