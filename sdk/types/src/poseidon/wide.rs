//! Four hashes at a time on AVX2: one element in each 64-bit lane of nine registers.
//!
//! ```text
//! element   x·2²⁶¹ mod p as nine digits of 29 bits, one 256-bit register each, for four hashes side by side
//! product   vpmuludq: 29 × 29 bits; 45 of them and all carries stay below 2⁶⁴
//! ```
//!
//! Montgomery's product with R = 2²⁶¹ (operand scanning, a digit at a time). p is below 2²⁵⁴, so R ÷ p > 168 and
//! nothing needs to be reduced in between: a product of operands below a·p and b·p is below (1 + a·b ÷ 168) p. What
//! holds where:
//!
//! ```text
//! input            64 p, digits below 2²⁹             fifth power of it   below 2.8 p
//! dot of n ≤ 4     values below 3 p                   result              below 1.1 p, digits below 2²⁹
//! sum of two       digits below 2³⁰, only ever squared and multiplied: 9·2⁶⁰ + 9·2⁵⁸ < 2⁶⁴
//! ```
//!
//! The schedule is the scalar path's, carried over by the compiler; [`hash2`](super::hash2) is the reference. The one
//! `unsafe` is the call into code that is compiled for AVX2: sound, because the machine is asked first. In there
//! are arithmetic and arrays only, no pointers. Products are not inlined: it gains nothing, and what would come of it takes
//! the compiler minutes.
#![expect(unsafe_code, reason = "calling code that is compiled for AVX2")]

use core::arch::x86_64::{
    __m256i, _mm256_add_epi64, _mm256_and_si256, _mm256_extract_epi64, _mm256_mul_epu32, _mm256_set_epi64x,
    _mm256_set1_epi64x, _mm256_setzero_si256, _mm256_srli_epi64,
};

use super::{
    FULL_ROUNDS, PARTIAL_ROUNDS, WIDTH,
    schedule::{Row, SCHEDULE},
};
use crate::field::{
    Field,
    limbs::{self, Limbs},
};

/// Hashes side by side.
pub(super) const LANES: usize = 4;
/// What one hash is of: a tag and two elements.
pub(super) type Input = (u64, Field, Field);

cpufeatures::new!(avx2, "avx2");

const DIGITS: usize = 9;
const BITS: u32 = 29;
const MASK: u64 = (1 << BITS) - 1;

type Digits = [u64; DIGITS];
/// An element of each hash.
type Wide = [__m256i; DIGITS];

const P: Digits = digits(&limbs::P, 0);

/// −p⁻¹ mod 2²⁹.
const NEGATIVE_INVERSE: u64 = {
    // Newton: each step doubles the number of right bits.
    let mut inverse = 1_u64;
    let mut step = 0;
    while step < 5 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(limbs::P[0].wrapping_mul(inverse)));
        step += 1;
    }
    inverse.wrapping_neg() & MASK
};

/// The digits of value · 2^shift, which must be below 2²⁶¹.
const fn digits(value: &Limbs, shift: usize) -> Digits {
    let mut digits = [0; DIGITS];
    digits[0] = (value[0] << shift) & MASK;
    let mut digit = 1;
    while digit < DIGITS {
        let start = BITS as usize * digit - shift;
        let (limb, offset) = (start / 64, start % 64);
        let above = if offset > 0 && limb < 3 { value[limb + 1] << (64 - offset) } else { 0 };
        digits[digit] = (value[limb] >> offset | above) & MASK;
        digit += 1;
    }
    digits
}

/// Times 2⁵: from R = 2²⁵⁶ to R = 2²⁶¹.
const fn times_32(value: &Limbs) -> Limbs {
    let mut value = *value;
    let mut doubling = 0;
    while doubling < 5 {
        value = limbs::canonical(&limbs::add(&value, &value));
        doubling += 1;
    }
    value
}

/// A linear form over N elements and a constant.
struct WideRow<const N: usize> {
    coefficients: [Digits; N],
    constant: Digits,
}

impl<const N: usize> WideRow<N> {
    const ZERO: Self = Self { coefficients: [[0; DIGITS]; N], constant: [0; DIGITS] };

    const fn new(row: &Row<N>) -> Self {
        let mut coefficients = [[0; DIGITS]; N];
        let mut index = 0;
        while index < N {
            coefficients[index] = digits(&times_32(&row.coefficients[index]), 0);
            index += 1;
        }
        Self { coefficients, constant: digits(&times_32(&times_32(&row.constant)), 0) }
    }
}

const fn rows<const N: usize, const M: usize>(rows: &[Row<N>; M]) -> [WideRow<N>; M] {
    let mut wide = [const { WideRow::ZERO }; M];
    let mut index = 0;
    while index < M {
        wide[index] = WideRow::new(&rows[index]);
        index += 1;
    }
    wide
}

const fn rounds<const M: usize>(rounds: &[[Row<WIDTH>; WIDTH]; M]) -> [[WideRow<WIDTH>; WIDTH]; M] {
    let mut wide = [const { [const { WideRow::ZERO }; WIDTH] }; M];
    let mut index = 0;
    while index < M {
        wide[index] = rows(&rounds[index]);
        index += 1;
    }
    wide
}

/// What [`SCHEDULE`] says, in digits.
static FIRST_FULL: [[WideRow<WIDTH>; WIDTH]; FULL_ROUNDS / 2] = rounds(&SCHEDULE.first_full);
static ENTER: [WideRow<WIDTH>; 2] = rows(&SCHEDULE.enter);
static PARTIAL: [WideRow<4>; PARTIAL_ROUNDS - 2] = rows(&SCHEDULE.partial);
static LEAVE: [WideRow<4>; WIDTH] = rows(&SCHEDULE.leave);
static LAST_FULL: [[WideRow<WIDTH>; WIDTH]; FULL_ROUNDS / 2 - 1] = rounds(&SCHEDULE.last_full);
/// The coefficients stay those of R = 2²⁵⁶, which takes the result back to it.
static OUTPUT: WideRow<WIDTH> = WideRow {
    coefficients: [digits(&SCHEDULE.output[0], 0), digits(&SCHEDULE.output[1], 0), digits(&SCHEDULE.output[2], 0)],
    constant: [0; DIGITS],
};

/// Four hashes, or `None` on a machine without AVX2.
pub(super) fn hash4(inputs: &[Input; LANES]) -> Option<[Field; LANES]> {
    // SAFETY: the machine has what the function is compiled for.
    if avx2::get() { Some(unsafe { permute(inputs) }) } else { None }
}

#[target_feature(enable = "avx2")]
fn permute(inputs: &[Input; LANES]) -> [Field; LANES] {
    let before = &SCHEDULE.before;
    let sums = inputs.map(|(tag, left, right)| {
        let lanes = [Field::from_u64(tag), left, right];
        [0, 1, 2].map(|lane: usize| digits(&limbs::add(lanes[lane].montgomery(), &before[lane]), 5))
    });
    let mut state = [0, 1, 2].map(|lane: usize| gather(&sums, lane));
    for round in &FIRST_FULL {
        state = full_round(&state, round);
    }
    state = partial_rounds(&state);
    for round in &LAST_FULL {
        state = full_round(&state, round);
    }
    let powers = [fifth_power(&state[0]), fifth_power(&state[1]), fifth_power(&state[2])];
    scatter(&dot(&OUTPUT, [&powers[0], &powers[1], &powers[2]]))
}

#[target_feature(enable = "avx2")]
#[inline]
fn full_round(state: &[Wide; WIDTH], round: &[WideRow<WIDTH>; WIDTH]) -> [Wide; WIDTH] {
    let powers = [fifth_power(&state[0]), fifth_power(&state[1]), fifth_power(&state[2])];
    let values = [&powers[0], &powers[1], &powers[2]];
    [dot(&round[0], values), dot(&round[1], values), dot(&round[2], values)]
}

#[target_feature(enable = "avx2")]
#[inline]
fn partial_rounds(state: &[Wide; WIDTH]) -> [Wide; WIDTH] {
    let y0 = fifth_power(&state[0]);
    let start = [&y0, &state[1], &state[2]];
    let v0 = dot(&ENTER[0], start);
    let v1 = dot(&ENTER[1], start);
    let y1 = fifth_power(&add(&y0, &v0));
    let mut x = add(&y1, &v1);
    // (Vⱼ, Vⱼ₋₁, Yⱼ, Yⱼ₋₁)
    let mut window = [v1, v0, y1, y0];
    for row in &PARTIAL {
        let v = dot(row, [&window[0], &window[1], &window[2], &window[3]]);
        let y = fifth_power(&x);
        window = [v, window[0], y, window[2]];
        x = add(&y, &v);
    }
    let window = [&window[0], &window[1], &window[2], &window[3]];
    [dot(&LEAVE[0], window), dot(&LEAVE[1], window), dot(&LEAVE[2], window)]
}

#[target_feature(enable = "avx2")]
#[inline]
fn add(a: &Wide, b: &Wide) -> Wide {
    let mut sum = *a;
    for digit in 0..DIGITS {
        sum[digit] = _mm256_add_epi64(a[digit], b[digit]);
    }
    sum
}

#[target_feature(enable = "avx2")]
#[inline]
fn fifth_power(a: &Wide) -> Wide {
    let square_ = square(a);
    multiply(a, &square(&square_))
}

#[target_feature(enable = "avx2")]
#[inline]
fn splat(digit: u64) -> __m256i {
    _mm256_set1_epi64x(digit.cast_signed())
}

/// t ÷ 2²⁹, by adding the multiple of p that makes the lowest digit zero.
#[target_feature(enable = "avx2")]
#[inline]
fn divide(t: &mut Wide) {
    let m = _mm256_and_si256(_mm256_mul_epu32(t[0], splat(NEGATIVE_INVERSE)), splat(MASK));
    let carry = _mm256_srli_epi64::<29>(_mm256_add_epi64(t[0], _mm256_mul_epu32(m, splat(P[0]))));
    for digit in 1..DIGITS {
        t[digit - 1] = _mm256_add_epi64(t[digit], _mm256_mul_epu32(m, splat(P[digit])));
    }
    t[0] = _mm256_add_epi64(t[0], carry);
    t[DIGITS - 1] = _mm256_setzero_si256();
}

/// The same value with digits below 2²⁹.
#[target_feature(enable = "avx2")]
#[inline]
fn carried(mut t: Wide) -> Wide {
    for digit in 0..DIGITS - 1 {
        t[digit + 1] = _mm256_add_epi64(t[digit + 1], _mm256_srli_epi64::<29>(t[digit]));
        t[digit] = _mm256_and_si256(t[digit], splat(MASK));
    }
    t
}

/// (constant + Σ coefficientₖ · valueₖ) ÷ R.
#[target_feature(enable = "avx2")]
#[inline(never)]
#[expect(clippy::needless_range_loop, reason = "digits and columns of several numbers, as on paper")]
fn dot<const N: usize>(row: &WideRow<N>, values: [&Wide; N]) -> Wide {
    let mut t = [_mm256_setzero_si256(); DIGITS];
    for digit in 0..DIGITS {
        t[digit] = splat(row.constant[digit]);
    }
    for digit in 0..DIGITS {
        for k in 0..N {
            let coefficient = splat(row.coefficients[k][digit]);
            for column in 0..DIGITS {
                t[column] = _mm256_add_epi64(t[column], _mm256_mul_epu32(coefficient, values[k][column]));
            }
        }
        divide(&mut t);
    }
    carried(t)
}

/// a · b ÷ R.
#[target_feature(enable = "avx2")]
#[inline(never)]
#[expect(clippy::needless_range_loop, reason = "digits and columns of several numbers, as on paper")]
fn multiply(a: &Wide, b: &Wide) -> Wide {
    let mut t = [_mm256_setzero_si256(); DIGITS];
    for digit in 0..DIGITS {
        for column in 0..DIGITS {
            t[column] = _mm256_add_epi64(t[column], _mm256_mul_epu32(a[digit], b[column]));
        }
        divide(&mut t);
    }
    carried(t)
}

/// a² ÷ R, with the products off the diagonal made once. The lowest column is complete when its row is added.
#[target_feature(enable = "avx2")]
#[inline(never)]
fn square(a: &Wide) -> Wide {
    let mut t = [_mm256_setzero_si256(); DIGITS];
    macro_rules! row {
        ($digit:literal) => {
            t[$digit] = _mm256_add_epi64(t[$digit], _mm256_mul_epu32(a[$digit], a[$digit]));
            let twice = _mm256_add_epi64(a[$digit], a[$digit]);
            let mut column = $digit + 1;
            while column < DIGITS {
                t[column] = _mm256_add_epi64(t[column], _mm256_mul_epu32(twice, a[column]));
                column += 1;
            }
            divide(&mut t);
        };
    }
    row!(0);
    row!(1);
    row!(2);
    row!(3);
    row!(4);
    row!(5);
    row!(6);
    row!(7);
    row!(8);
    carried(t)
}

#[target_feature(enable = "avx2")]
#[inline]
fn gather(sums: &[[Digits; WIDTH]; LANES], lane: usize) -> Wide {
    let mut wide = [_mm256_setzero_si256(); DIGITS];
    for digit in 0..DIGITS {
        let [a, b, c, d] = [0, 1, 2, 3].map(|hash: usize| sums[hash][lane][digit].cast_signed());
        wide[digit] = _mm256_set_epi64x(d, c, b, a);
    }
    wide
}

#[target_feature(enable = "avx2")]
#[inline]
fn scatter(wide: &Wide) -> [Field; LANES] {
    let mut fields = [[0_u64; DIGITS]; LANES];
    for digit in 0..DIGITS {
        fields[0][digit] = _mm256_extract_epi64::<0>(wide[digit]).cast_unsigned();
        fields[1][digit] = _mm256_extract_epi64::<1>(wide[digit]).cast_unsigned();
        fields[2][digit] = _mm256_extract_epi64::<2>(wide[digit]).cast_unsigned();
        fields[3][digit] = _mm256_extract_epi64::<3>(wide[digit]).cast_unsigned();
    }
    fields.map(|digits| Field::from_montgomery(&joined(&digits)))
}

/// Four limbs from digits below 2²⁹ of a value below 2²⁵⁶.
fn joined(digits: &Digits) -> Limbs {
    let mut joined = [0; 4];
    for (index, digit) in digits.iter().enumerate() {
        let (limb, offset) = (BITS as usize * index / 64, BITS as usize * index % 64);
        joined[limb] |= digit << offset;
        if offset > 64 - BITS as usize && limb < 3 {
            joined[limb + 1] |= digit >> (64 - offset);
        }
    }
    joined
}
