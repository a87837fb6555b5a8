//! The arithmetic under [`Field`](super::Field): four 64-bit limbs, Montgomery form, lazily reduced.
//!
//! A residue x is kept as x·R mod p with R = 2²⁵⁶, not always below p: because p < 2²⁵⁴, four limbs hold
//! values up to 5.29 p, and most reductions can be left out. What holds where:
//!
//! ```text
//! multiply, square   operands < 2.6 p                     result < 2.3 p
//! fifth_power        operand < 2.6 p                      result < 2 p
//! dot of n ≤ 4       coefficients ≤ p, values < 2 p       result < (1 + 0.38 n) p
//! reduce             anything                             result < 1.67 p
//! canonical          anything                             result < p
//! ```
//!
//! Products are Montgomery's by operand scanning (Koç, Acar and Kaliski, "Analyzing and Comparing Montgomery
//! Multiplication Algorithms", 1996): after each limb the sum is divided by 2⁶⁴ modulo p. A sum of four
//! products is divided as one, so it costs a single reduction; the sum t stays within five limbs because four
//! coefficients of at most p and one multiple of p by a limb are below 5 p · 2⁶⁴ < 2³²⁰. The first two divisions
//! are the quicker kind that leaves a larger t, the last two the kind that makes it small again.
//!
//! All of it is `const`, so that tables are computed by the compiler, and `inline(always)`, because a hash is
//! one long run of these with everything in registers.

/// Little-endian limbs.
pub(crate) type Limbs = [u64; 4];

/// The order of BN254's scalar field.
pub(crate) const P: Limbs =
    [0x43e1_f593_f000_0001, 0x2833_e848_79b9_7091, 0xb850_45b6_8181_585d, 0x3064_4e72_e131_a029];

/// −p⁻¹ mod 2⁶⁴.
const NEGATIVE_INVERSE: u64 = {
    // Newton: each step doubles the number of right bits.
    let mut inverse = 1_u64;
    let mut step = 0;
    while step < 6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(P[0].wrapping_mul(inverse)));
        step += 1;
    }
    inverse.wrapping_neg()
};

/// 2⁻⁶⁴ mod p = (p · (−p⁻¹ mod 2⁶⁴) + 1) ÷ 2⁶⁴.
const INVERSE_OF_LIMB: Limbs = {
    let (low, carry) = multiply_add(NEGATIVE_INVERSE, P[0], 1, 0);
    assert!(low == 0, "the product with the inverse is minus one");
    let (q0, carry) = multiply_add(NEGATIVE_INVERSE, P[1], 0, carry);
    let (q1, carry) = multiply_add(NEGATIVE_INVERSE, P[2], 0, carry);
    let (q2, q3) = multiply_add(NEGATIVE_INVERSE, P[3], 0, carry);
    [q0, q1, q2, q3]
};

/// For the top three bits q of a value: the largest multiple of p up to q·2²⁵³.
const MULTIPLES: [Limbs; 8] = {
    let mut table = [[0; 4]; 8];
    let mut q = 1;
    while q < 8 {
        // Each 2²⁵³ is less than one p more.
        let (next, carry) = add_carry(&table[q - 1], &P);
        let above = carry || !less(&next, &[0, 0, 0, (q as u64) << 61]);
        table[q] = if above { table[q - 1] } else { next };
        q += 1;
    }
    table
};

/// R mod p: one in Montgomery form.
pub(crate) const ONE: Limbs = {
    // 2²⁵⁶ − 5 p fits four limbs: 5 p < 2²⁵⁶ < 6 p.
    let mut rest = [0; 4];
    let mut times = 0;
    while times < 5 {
        rest = subtract(&rest, &P).0;
        times += 1;
    }
    rest
};

/// R² mod p: what takes an integer to Montgomery form.
pub(crate) const R_SQUARED: Limbs = {
    let mut power = ONE;
    let mut doubling = 0;
    while doubling < 256 {
        power = canonical(&add(&power, &power));
        doubling += 1;
    }
    power
};

// The standard library's carrying operations are not const yet. Wide operations wrap because they cannot
// overflow, which the compiler does not always see.

/// a · b + c + carry, low limb first.
#[inline(always)]
const fn multiply_add(a: u64, b: u64, c: u64, carry: u64) -> (u64, u64) {
    let wide = (a as u128).wrapping_mul(b as u128).wrapping_add(c as u128).wrapping_add(carry as u128);
    (wide as u64, (wide >> 64) as u64)
}

#[inline(always)]
const fn add_limb(a: u64, b: u64, carry: bool) -> (u64, bool) {
    let (sum, first) = a.overflowing_add(b);
    let (sum, second) = sum.overflowing_add(carry as u64);
    (sum, first | second)
}

#[inline(always)]
const fn subtract_limb(a: u64, b: u64, borrow: bool) -> (u64, bool) {
    let (difference, first) = a.overflowing_sub(b);
    let (difference, second) = difference.overflowing_sub(borrow as u64);
    (difference, first | second)
}

const fn less(a: &Limbs, b: &Limbs) -> bool {
    subtract(a, b).1
}

const fn add_carry(a: &Limbs, b: &Limbs) -> (Limbs, bool) {
    let (r0, carry) = add_limb(a[0], b[0], false);
    let (r1, carry) = add_limb(a[1], b[1], carry);
    let (r2, carry) = add_limb(a[2], b[2], carry);
    let (r3, carry) = add_limb(a[3], b[3], carry);
    ([r0, r1, r2, r3], carry)
}

/// a + b, which must stay below 2²⁵⁶.
#[inline(always)]
pub(crate) const fn add(a: &Limbs, b: &Limbs) -> Limbs {
    add_carry(a, b).0
}

/// a − b modulo 2²⁵⁶, and whether it went below zero.
#[inline(always)]
pub(crate) const fn subtract(a: &Limbs, b: &Limbs) -> (Limbs, bool) {
    let (r0, borrow) = subtract_limb(a[0], b[0], false);
    let (r1, borrow) = subtract_limb(a[1], b[1], borrow);
    let (r2, borrow) = subtract_limb(a[2], b[2], borrow);
    let (r3, borrow) = subtract_limb(a[3], b[3], borrow);
    ([r0, r1, r2, r3], borrow)
}

/// Any four limbs to the same residue below 1.67 p, without a branch.
#[inline(always)]
pub(crate) const fn reduce(a: &Limbs) -> Limbs {
    subtract(a, &MULTIPLES[(a[3] >> 61) as usize]).0
}

/// Any four limbs to the same residue below p.
#[inline(always)]
pub(crate) const fn canonical(a: &Limbs) -> Limbs {
    let reduced = reduce(a);
    let (below, borrow) = subtract(&reduced, &P);
    if borrow { reduced } else { below }
}

/// t + digit · row, as four limbs and the rest above them.
#[inline(always)]
const fn add_row(t: &Limbs, top: u64, digit: u64, row: &Limbs) -> (Limbs, u64) {
    let (t0, carry) = multiply_add(digit, row[0], t[0], 0);
    let (t1, carry) = multiply_add(digit, row[1], t[1], carry);
    let (t2, carry) = multiply_add(digit, row[2], t[2], carry);
    let (t3, carry) = multiply_add(digit, row[3], t[3], carry);
    ([t0, t1, t2, t3], top.wrapping_add(carry))
}

/// t ÷ 2⁶⁴ by moving the lowest limb up as a multiple of 2⁻⁶⁴ mod p: quick, but a fifth limb stays.
#[inline(always)]
const fn move_up(t: &Limbs, top: u64) -> (Limbs, u64) {
    add_row(&[t[1], t[2], t[3], top], 0, t[0], &INVERSE_OF_LIMB)
}

/// t ÷ 2⁶⁴ by adding the multiple of p that makes the lowest limb zero.
#[inline(always)]
const fn divide(t: &Limbs, top: u64) -> (Limbs, u64) {
    let m = t[0].wrapping_mul(NEGATIVE_INVERSE);
    // The lowest limb of the sum is zero: it carries unless it was zero before.
    let carry = multiply_add(m, P[0], 0, 0).1.wrapping_add((t[0] != 0) as u64);
    let (t0, carry) = multiply_add(m, P[1], t[1], carry);
    let (t1, carry) = multiply_add(m, P[2], t[2], carry);
    let (t2, carry) = multiply_add(m, P[3], t[3], carry);
    let (t3, carry) = top.overflowing_add(carry);
    ([t0, t1, t2, t3], carry as u64)
}

/// (constant + Σ coefficientₖ · valueₖ) ÷ R, for at most four terms.
#[inline(always)]
pub(crate) const fn dot<const N: usize>(coefficients: &[Limbs; N], values: &[Limbs; N], constant: &Limbs) -> Limbs {
    let (mut t, mut top) = (*constant, 0);
    let mut limb = 0;
    while limb < 4 {
        let mut k = 0;
        while k < N {
            (t, top) = add_row(&t, top, values[k][limb], &coefficients[k]);
            k += 1;
        }
        (t, top) = if limb < 2 { move_up(&t, top) } else { divide(&t, top) };
        limb += 1;
    }
    t
}

/// a · b ÷ R.
#[inline(always)]
pub(crate) const fn multiply(a: &Limbs, b: &Limbs) -> Limbs {
    dot(&[*a], &[*b], &[0; 4])
}

/// a² ÷ R, with the products off the diagonal made once.
#[inline(always)]
pub(crate) const fn square(a: &Limbs) -> Limbs {
    let (w1, carry) = multiply_add(a[0], a[1], 0, 0);
    let (w2, carry) = multiply_add(a[0], a[2], carry, 0);
    let (w3, w4) = multiply_add(a[0], a[3], carry, 0);
    let (w3, carry) = multiply_add(a[1], a[2], w3, 0);
    let (w4, w5) = multiply_add(a[1], a[3], w4, carry);
    let (w5, w6) = multiply_add(a[2], a[3], w5, 0);
    let high = [w4 << 1 | w3 >> 63, w5 << 1 | w4 >> 63, w6 << 1 | w5 >> 63, w6 >> 63];
    let low = [w1 << 1, w2 << 1 | w1 >> 63, w3 << 1 | w2 >> 63];
    let (w0, d0) = multiply_add(a[0], a[0], 0, 0);
    let (d1, d2) = multiply_add(a[1], a[1], 0, 0);
    let (d3, d4) = multiply_add(a[2], a[2], 0, 0);
    let (d5, d6) = multiply_add(a[3], a[3], 0, 0);
    let (w1, carry) = add_limb(low[0], d0, false);
    let (w2, carry) = add_limb(low[1], d1, carry);
    let (w3, carry) = add_limb(low[2], d2, carry);
    let (w4, carry) = add_limb(high[0], d3, carry);
    let (w5, carry) = add_limb(high[1], d4, carry);
    let (w6, carry) = add_limb(high[2], d5, carry);
    let (w7, _) = add_limb(high[3], d6, carry);
    let (t, top) = move_up(&[w0, w1, w2, w3], 0);
    let (t, top) = move_up(&t, top);
    let (t, top) = divide(&t, top);
    add(&divide(&t, top).0, &[w4, w5, w6, w7])
}

/// a⁵ ÷ R⁴, Poseidon's S-box.
#[inline(always)]
#[cfg(feature = "crypto")]
pub(crate) const fn fifth_power(a: &Limbs) -> Limbs {
    let square_ = square(a);
    multiply(a, &square(&square_))
}
