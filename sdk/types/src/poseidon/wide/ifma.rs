//! Eight hashes at a time on AVX-512 IFMA: one element in each 64-bit lane of five registers.
//!
//! ```text
//! element   x·2²⁶⁰ mod p as five digits of 52 bits, one 512-bit register each, for eight hashes side by side
//! product   vpmadd52luq, vpmadd52huq: 52 × 52 bits, and the low or high 52 of them are added to a lane
//! ```
//!
//! They read the low 52 bits of a lane, so a digit that was carried on from need not be masked: an element is settled when
//! each digit has the carries of those below it.
//!
//! A dot product is with constants, and of those there is one for each digit of a value: coefficient · 2^(52 k) mod p. Digit
//! times number, summed, is six digits, and Montgomery's division by 2⁵² leaves five. A product of two elements is ten
//! digits: the lowest four are carried and moved up by four, as multiples of 2^(52 (k − 4)) mod p, none waiting for another
//! as in Montgomery's product, and what is left is divided by 2⁵² as well. p is below 2²⁵⁴ and R ÷ p > 84 with R = 2²⁶⁰;
//! nothing needs to be reduced in between. What holds where:
//!
//! ```text
//! dot of n ≤ 4        any five digits      (5 n · 2⁵² p + p + (2⁵² − 1) p) ÷ 2⁵²    ≤ (5 n + 1) p
//! product             a·p and b·p          a·b·p² ÷ R + (4 · 2⁵² p + 2⁵² p) ÷ 2⁵²   < (5 + a·b ÷ 84) p
//! fifth power         30 p                 16 p, then 8.1 p, then                   < 8 p
//! fifth power + dot   8 p + 21 p           < 30 p
//! the hash            a dot of 3, 16 p, divided by 2⁵² once more                    < 2 p
//! ```
//!
//! All are below R, so the highest digit has 52 bits too. A lane cannot overflow: at most 43 numbers below 2⁵² meet in one
//! in a dot, 20 in a product, so the sum of the two is below 2⁵⁸, to which a carry adds less than 2⁷.
//!
//! A round is a chain of three products, so what waits for nothing is written between them: the terms of the next dot.
#![expect(unsafe_code, reason = "calling code that is compiled for AVX-512")]
#![expect(clippy::needless_range_loop, reason = "iterators keep digits in memory: half as fast")]

use core::arch::x86_64::{
    __m512i, _mm256_extract_epi64, _mm512_add_epi64, _mm512_and_si512, _mm512_extracti64x4_epi64,
    _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_set_epi64, _mm512_set1_epi64, _mm512_setzero_si512,
    _mm512_srli_epi64,
};

use super::{super::WIDTH, Format, Input, Tables, WideRow, digits, joined, mask, negative_inverse, power_of_two};
use crate::field::{
    Field,
    limbs::{self, Limbs},
};

/// Hashes side by side.
const LANES: usize = 8;
/// Eight at a time take as long as one and a fifth: less than two one by one.
pub(in crate::poseidon) const FEWEST: usize = 2;

cpufeatures::new!(machine, "avx512f", "avx512ifma");

const DIGITS: usize = 5;
const BITS: u32 = 52;

const FORMAT: Format = Format { bits: BITS, montgomery: 260, divided: BITS, narrowed: BITS };
static TABLES: Tables<DIGITS, DIGITS> = Tables::new(&FORMAT);

type Digits = [u64; DIGITS];
/// An element of each hash, settled.
type Wide = [__m512i; DIGITS];
/// An element of each hash, with carries still in its digits.
type Sum = [__m512i; DIGITS];
type Row<const N: usize> = WideRow<N, DIGITS, DIGITS>;

const P: Digits = digits(&limbs::P, BITS);
const NEGATIVE_INVERSE: u64 = negative_inverse(BITS);

/// 2^(52 (k − 4)) mod p: a product's digit k times this is the same residue, four digits up.
const UP: [Digits; DIGITS - 1] = {
    let mut up = [[0; DIGITS]; DIGITS - 1];
    let down = Field::from_integer(&power_of_two(BITS)).inverse();
    let mut power: Limbs = [1, 0, 0, 0];
    let mut digit = DIGITS - 1;
    while digit > 0 {
        digit -= 1;
        power = limbs::canonical(&limbs::multiply(&power, down.montgomery()));
        up[digit] = digits(&power, BITS);
    }
    up
};

/// Whether the machine has the instructions.
pub(in crate::poseidon) fn exists() -> bool {
    machine::get()
}

/// Eight hashes, or `None` on a machine without the instructions.
pub(in crate::poseidon) fn hash8(inputs: &[Input; LANES]) -> Option<[Field; LANES]> {
    // SAFETY: the machine has what the function is compiled for.
    if machine::get() { Some(unsafe { permute(inputs) }) } else { None }
}

permutation!("avx512f,avx512ifma");

/// The next V and this round's Y: neither waits for the other.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn partial_round(row: &Row<4>, window: &[Wide; 4], x: &Wide) -> (Sum, Sum) {
    let mut v = Columns::of(&row.constant);
    v.add_term(&row.coefficients[0], &window[0]);
    let second = settled(&square(x));
    v.add_term(&row.coefficients[1], &window[1]);
    let fourth = settled(&square(&second));
    v.add_term(&row.coefficients[2], &window[2]);
    let y = multiply(x, &fourth);
    v.add_term(&row.coefficients[3], &window[3]);
    (v.divided(), y)
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline(never)]
fn fifth_power(a: &Wide) -> Sum {
    let second = settled(&square(a));
    multiply(a, &settled(&square(&second)))
}

/// (constant + Σ coefficientₖ · valueₖ) ÷ 2⁵².
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline(never)]
fn dot<const N: usize>(row: &Row<N>, values: [&Wide; N]) -> Sum {
    let mut t = Columns::of(&row.constant);
    for (coefficient, value) in row.coefficients.iter().zip(values) {
        t.add_term(coefficient, value);
    }
    t.divided()
}

/// a ÷ 2⁵², as the last row's coefficients are for.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn narrow(a: &Sum) -> Sum {
    let zero = _mm512_setzero_si512();
    Columns { low: [a[0], a[1], a[2], a[3], a[4], zero], high: [zero; DIGITS + 1] }.divided()
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn add(a: &Sum, b: &Sum) -> Sum {
    let mut sum = *a;
    for digit in 0..DIGITS {
        sum[digit] = _mm512_add_epi64(a[digit], b[digit]);
    }
    sum
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn settled(a: &Sum) -> Wide {
    let mut digits = *a;
    for digit in 0..DIGITS - 1 {
        digits[digit + 1] = _mm512_add_epi64(digits[digit + 1], _mm512_srli_epi64::<BITS>(digits[digit]));
    }
    digits
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn splat(digit: u64) -> __m512i {
    _mm512_set1_epi64(digit.cast_signed())
}

/// Six digits while products are added to them, in two parts that do not wait for each other.
struct Columns {
    low: [__m512i; DIGITS + 1],
    high: [__m512i; DIGITS + 1],
}

impl Columns {
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn of(constant: &Digits) -> Self {
        let zero = [_mm512_setzero_si512(); DIGITS + 1];
        let mut columns = Self { low: zero, high: zero };
        for digit in 0..DIGITS {
            columns.low[digit] = splat(constant[digit]);
        }
        columns
    }

    /// Adds coefficient · value, by what the coefficient is for each digit.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn add_term(&mut self, coefficient: &[Digits; DIGITS], value: &Wide) {
        for digit in 0..DIGITS {
            self.add_multiple(&coefficient[digit], value[digit]);
        }
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn add_multiple(&mut self, number: &Digits, digit: __m512i) {
        for column in 0..DIGITS {
            let factor = splat(number[column]);
            self.low[column] = _mm512_madd52lo_epu64(self.low[column], digit, factor);
            self.high[column + 1] = _mm512_madd52hi_epu64(self.high[column + 1], digit, factor);
        }
    }

    /// Divides by 2⁵², by adding the multiple of p that makes the lowest digit zero: what that adds to the digit rounds it up.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn divided(mut self) -> Sum {
        let lowest = self.low[0];
        let m = _mm512_madd52lo_epu64(_mm512_setzero_si512(), lowest, splat(NEGATIVE_INVERSE));
        let carry = _mm512_srli_epi64::<BITS>(_mm512_add_epi64(lowest, splat(mask(BITS))));
        self.low[1] = _mm512_add_epi64(self.low[1], carry);
        self.high[1] = _mm512_madd52hi_epu64(self.high[1], m, splat(P[0]));
        for column in 1..DIGITS {
            self.low[column] = _mm512_madd52lo_epu64(self.low[column], m, splat(P[column]));
            self.high[column + 1] = _mm512_madd52hi_epu64(self.high[column + 1], m, splat(P[column]));
        }
        let mut sum = [_mm512_setzero_si512(); DIGITS];
        for digit in 0..DIGITS {
            sum[digit] = _mm512_add_epi64(self.low[digit + 1], self.high[digit + 1]);
        }
        sum
    }
}

/// a · b ÷ R; b may be the one that comes late.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn multiply(a: &Wide, b: &Wide) -> Sum {
    let mut low = [_mm512_setzero_si512(); 2 * DIGITS];
    let mut high = low;
    for j in 0..DIGITS {
        for i in 0..DIGITS {
            low[i + j] = _mm512_madd52lo_epu64(low[i + j], a[i], b[j]);
            high[i + j + 1] = _mm512_madd52hi_epu64(high[i + j + 1], a[i], b[j]);
        }
    }
    reduced(&low, &high)
}

/// a² ÷ R. The products off the diagonal are made once and count in both parts.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn square(a: &Wide) -> Sum {
    let mut low = [_mm512_setzero_si512(); 2 * DIGITS];
    for j in 1..DIGITS {
        for i in 0..j {
            low[i + j] = _mm512_madd52lo_epu64(low[i + j], a[i], a[j]);
            low[i + j + 1] = _mm512_madd52hi_epu64(low[i + j + 1], a[i], a[j]);
        }
    }
    let mut high = low;
    for i in 0..DIGITS {
        high[2 * i] = _mm512_madd52lo_epu64(high[2 * i], a[i], a[i]);
        high[2 * i + 1] = _mm512_madd52hi_epu64(high[2 * i + 1], a[i], a[i]);
    }
    reduced(&low, &high)
}

/// (low + high) ÷ R.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn reduced(low: &[__m512i; 2 * DIGITS], high: &[__m512i; 2 * DIGITS]) -> Sum {
    let mut lowest = [_mm512_setzero_si512(); DIGITS];
    for digit in 0..DIGITS {
        lowest[digit] = _mm512_add_epi64(low[digit], high[digit]);
    }
    let lowest = settled(&lowest);
    let zero = _mm512_setzero_si512();
    let mut t = Columns {
        low: [zero, low[5], low[6], low[7], low[8], low[9]],
        high: [zero, high[5], high[6], high[7], high[8], high[9]],
    };
    for digit in 0..DIGITS - 1 {
        t.add_multiple(&UP[digit], lowest[digit]);
    }
    // The last to be settled, so it is added last.
    t.low[0] = _mm512_add_epi64(t.low[0], lowest[DIGITS - 1]);
    t.divided()
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn gather(hashes: &[Digits; LANES]) -> Wide {
    let mut wide = [_mm512_setzero_si512(); DIGITS];
    for digit in 0..DIGITS {
        let [a, b, c, d, e, f, g, h] = hashes.each_ref().map(|digits| digits[digit].cast_signed());
        wide[digit] = _mm512_set_epi64(h, g, f, e, d, c, b, a);
    }
    wide
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn scatter(sum: &Sum) -> [Field; LANES] {
    let mut hashes = [[0_u64; DIGITS]; LANES];
    for (digit, lanes) in settled(sum).into_iter().enumerate() {
        let lanes = _mm512_and_si512(lanes, splat(mask(BITS)));
        let halves = [_mm512_extracti64x4_epi64::<0>(lanes), _mm512_extracti64x4_epi64::<1>(lanes)];
        for (hashes, half) in hashes.chunks_exact_mut(LANES / 2).zip(halves) {
            hashes[0][digit] = _mm256_extract_epi64::<0>(half).cast_unsigned();
            hashes[1][digit] = _mm256_extract_epi64::<1>(half).cast_unsigned();
            hashes[2][digit] = _mm256_extract_epi64::<2>(half).cast_unsigned();
            hashes[3][digit] = _mm256_extract_epi64::<3>(half).cast_unsigned();
        }
    }
    hashes.map(|digits| Field::from_montgomery(&joined(&digits, BITS)))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            super::schedule::{self, SCHEDULE},
            Scales,
        },
        *,
    };

    /// What takes an element from memory to digits, and back by way of `narrow`.
    fn rows() -> (Row<1>, Row<1>) {
        let same = schedule::Row::new([Field::ONE], Field::ZERO);
        (WideRow::new(&same, &Scales::new(&FORMAT, 56)), WideRow::new(&same, &Scales::new(&FORMAT, 100)))
    }

    fn elements() -> [Field; LANES] {
        let random = Field::from_u64(0x9e37_79b9_7f4a_7c15).inverse();
        [
            Field::ZERO,
            Field::ONE,
            -Field::ONE,
            Field::from_u64(u64::MAX),
            random,
            -random,
            random.square(),
            random.inverse(),
        ]
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    fn fifth_powers_of(elements: &[Field; LANES], multiple: u64) -> [Field; LANES] {
        let (enter, leave) = rows();
        let x = dot(&enter, [&gather(&elements.map(|element| digits(element.montgomery(), BITS)))]);
        let x = settled(&add(&x, &P.map(|digit| splat(multiple * digit))));
        scatter(&narrow(&dot(&leave, [&settled(&fifth_power(&x))])))
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    fn rows_of_all_ones() -> [Field; LANES] {
        let (_, leave) = rows();
        let ones = gather(&[[mask(BITS); DIGITS]; LANES]);
        scatter(&narrow(&dot(&leave, [&settled(&dot(&TABLES.partial[0], [&ones; 4]))])))
    }

    #[test]
    fn values_far_above_p() {
        if !exists() {
            return;
        }
        // Up to 6 p come from the row, so the largest is near 30 p.
        for multiple in 0..=24 {
            // SAFETY: the machine has what the function is compiled for.
            let powers = unsafe { fifth_powers_of(&elements(), multiple) };
            assert_eq!(powers, elements().map(|x| x.square().square() * x), "{multiple} p more");
        }
    }

    #[test]
    fn digits_that_are_all_ones() {
        if !exists() {
            return;
        }
        // (2²⁶⁰ − 1) ÷ 2²⁶⁰
        let value = Field::ONE - Field::from_integer(&power_of_two(260)).inverse();
        let expected = Field::from_montgomery(&SCHEDULE.partial[0].apply(&[*value.montgomery(); 4]));
        // SAFETY: the machine has what the function is compiled for.
        assert_eq!(unsafe { rows_of_all_ones() }, [expected; LANES]);
    }
}
