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
//! dot of n ≤ 4        values below 1.1 p      result below 1.1 p, digits below 2²⁹
//! fifth power         of a value below 2.2 p  result below 1.1 p, digits below 2²⁹
//! sum of the two      digits below 2³⁰, only ever squared and multiplied: 9·2⁶⁰ + 9·2⁵⁸ < 2⁶⁴
//! ```
//!
//! Products are not inlined: it gains nothing, and what would come of it takes the compiler minutes.
#![expect(unsafe_code, reason = "calling code that is compiled for AVX2")]

use core::arch::x86_64::{
    __m256i, _mm256_add_epi64, _mm256_and_si256, _mm256_extract_epi64, _mm256_mul_epu32, _mm256_set_epi64x,
    _mm256_set1_epi64x, _mm256_setzero_si256, _mm256_srli_epi64,
};

use super::{super::WIDTH, Format, Input, Tables, WideRow, digits, joined, mask, negative_inverse};
use crate::field::{Field, limbs};

/// Hashes side by side.
const LANES: usize = 4;
/// Four at a time take as long as two (AMD) or three (Intel) one by one.
pub(in crate::poseidon) const FEWEST: usize = 3;

cpufeatures::new!(machine, "avx2");

const DIGITS: usize = 9;
const BITS: u32 = 29;

type Digits = [u64; DIGITS];
/// An element of each hash.
type Wide = [__m256i; DIGITS];
/// The same, with digits of up to 30 bits.
type Sum = Wide;
type Row<const N: usize> = WideRow<N, 1, DIGITS>;

const FORMAT: Format = Format { bits: BITS, montgomery: 261, divided: 261, narrowed: 0 };
static TABLES: Tables<1, DIGITS> = Tables::new(&FORMAT);

const P: Digits = digits(&limbs::P, BITS);
const NEGATIVE_INVERSE: u64 = negative_inverse(BITS);

/// Whether the machine has AVX2.
pub(in crate::poseidon) fn exists() -> bool {
    machine::get()
}

/// Four hashes, or `None` on a machine without AVX2.
pub(in crate::poseidon) fn hash4(inputs: &[Input; LANES]) -> Option<[Field; LANES]> {
    // SAFETY: the machine has what the function is compiled for.
    if machine::get() { Some(unsafe { permute(inputs) }) } else { None }
}

permutation!("avx2");

#[target_feature(enable = "avx2")]
#[inline]
fn partial_round(row: &Row<4>, window: &[Wide; 4], x: &Wide) -> (Sum, Sum) {
    let [a, b, c, d] = window;
    (dot(row, [a, b, c, d]), fifth_power(x))
}

/// Products are carried when they are made, and the sum of two need not be.
#[target_feature(enable = "avx2")]
#[inline]
fn settled(a: &Sum) -> Wide {
    *a
}

/// A hash needs nothing more to fit four limbs.
#[target_feature(enable = "avx2")]
#[inline]
fn narrow(a: &Sum) -> Sum {
    *a
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
    let m = _mm256_and_si256(_mm256_mul_epu32(t[0], splat(NEGATIVE_INVERSE)), splat(mask(BITS)));
    let carry = _mm256_srli_epi64::<{ BITS as i32 }>(_mm256_add_epi64(t[0], _mm256_mul_epu32(m, splat(P[0]))));
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
        t[digit + 1] = _mm256_add_epi64(t[digit + 1], _mm256_srli_epi64::<{ BITS as i32 }>(t[digit]));
        t[digit] = _mm256_and_si256(t[digit], splat(mask(BITS)));
    }
    t
}

/// (constant + Σ coefficientₖ · valueₖ) ÷ R.
#[target_feature(enable = "avx2")]
#[inline(never)]
#[expect(clippy::needless_range_loop, reason = "digits and columns of several numbers, as on paper")]
fn dot<const N: usize>(row: &Row<N>, values: [&Wide; N]) -> Wide {
    let mut t = [_mm256_setzero_si256(); DIGITS];
    for digit in 0..DIGITS {
        t[digit] = splat(row.constant[digit]);
    }
    for digit in 0..DIGITS {
        for k in 0..N {
            let coefficient = splat(row.coefficients[k][0][digit]);
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
fn gather(hashes: &[Digits; LANES]) -> Wide {
    let mut wide = [_mm256_setzero_si256(); DIGITS];
    for digit in 0..DIGITS {
        let [a, b, c, d] = hashes.each_ref().map(|digits| digits[digit].cast_signed());
        wide[digit] = _mm256_set_epi64x(d, c, b, a);
    }
    wide
}

#[target_feature(enable = "avx2")]
#[inline]
fn scatter(wide: &Wide) -> [Field; LANES] {
    let mut hashes = [[0_u64; DIGITS]; LANES];
    for (digit, lanes) in wide.iter().enumerate() {
        hashes[0][digit] = _mm256_extract_epi64::<0>(*lanes).cast_unsigned();
        hashes[1][digit] = _mm256_extract_epi64::<1>(*lanes).cast_unsigned();
        hashes[2][digit] = _mm256_extract_epi64::<2>(*lanes).cast_unsigned();
        hashes[3][digit] = _mm256_extract_epi64::<3>(*lanes).cast_unsigned();
    }
    hashes.map(|digits| Field::from_montgomery(&joined(&digits, BITS)))
}
