//! The arithmetic under [`Field`](super::Field): four 64-bit limbs, Montgomery form, lazily reduced.
//!
//! A residue x is kept as x·R mod p with R = 2²⁵⁶, not always below p: because p < 2²⁵⁴, four limbs hold
//! values up to 5.29 p, and most reductions can be left out. What holds where:
//!
//! ```text
//! multiply, square   operands < 2 p                       result < 1.76 p
//! dot of n ≤ 4       coefficients ≤ p, values < 2 p       result < (1 + 0.38 n) p
//! reduce             anything                             result < 1.67 p
//! canonical          anything                             result < p
//! ```
//!
//! The products are Koç's coarsely integrated operand scanning ("Analyzing and Comparing Montgomery
//! Multiplication Algorithms", 1996): after each limb the sum is divided by 2⁶⁴ exactly. If t ≤ Σ aₖ + p
//! before a step then t ≤ Σ aₖ + p after it, so a sum of four products needs no fifth limb between steps
//! and a single reduction. All of it is `const`, so that tables are computed by the compiler.

/// Little-endian limbs.
pub(crate) type Limbs = [u64; 4];

/// The order of BN254's scalar field.
pub(crate) const P: Limbs = [0x43e1_f593_f000_0001, 0x2833_e848_79b9_7091, 0xb850_45b6_8181_585d, 0x3064_4e72_e131_a029];

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

const fn less(a: &Limbs, b: &Limbs) -> bool {
    subtract(a, b).1
}

const fn add_carry(a: &Limbs, b: &Limbs) -> (Limbs, bool) {
    let (r0, carry) = a[0].carrying_add(b[0], false);
    let (r1, carry) = a[1].carrying_add(b[1], carry);
    let (r2, carry) = a[2].carrying_add(b[2], carry);
    let (r3, carry) = a[3].carrying_add(b[3], carry);
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
    let (r0, borrow) = a[0].borrowing_sub(b[0], false);
    let (r1, borrow) = a[1].borrowing_sub(b[1], borrow);
    let (r2, borrow) = a[2].borrowing_sub(b[2], borrow);
    let (r3, borrow) = a[3].borrowing_sub(b[3], borrow);
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

/// One step of operand scanning: adds m·p, so that the lowest limb becomes zero, and drops it.
#[inline(always)]
const fn fold(t: &Limbs, top: u64) -> Limbs {
    let m = t[0].wrapping_mul(NEGATIVE_INVERSE);
    let (_, carry) = m.carrying_mul_add(P[0], t[0], 0);
    let (t0, carry) = m.carrying_mul_add(P[1], t[1], carry);
    let (t1, carry) = m.carrying_mul_add(P[2], t[2], carry);
    let (t2, carry) = m.carrying_mul_add(P[3], t[3], carry);
    [t0, t1, t2, top.wrapping_add(carry)]
}

/// (constant + Σ coefficientₖ · valueₖ) ÷ R.
#[inline(always)]
pub(crate) const fn dot<const N: usize>(coefficients: &[Limbs; N], values: &[Limbs; N], constant: &Limbs) -> Limbs {
    let mut t = *constant;
    let mut limb = 0;
    while limb < 4 {
        let mut top = 0_u64;
        let mut k = 0;
        while k < N {
            let (row, digit) = (&coefficients[k], values[k][limb]);
            let carry;
            (t[0], carry) = digit.carrying_mul_add(row[0], t[0], 0);
            let (t1, carry) = digit.carrying_mul_add(row[1], t[1], carry);
            let (t2, carry) = digit.carrying_mul_add(row[2], t[2], carry);
            let (t3, carry) = digit.carrying_mul_add(row[3], t[3], carry);
            t = [t[0], t1, t2, t3];
            top = top.wrapping_add(carry);
            k += 1;
        }
        t = fold(&t, top);
        limb += 1;
    }
    t
}

/// a · b ÷ R.
#[inline(always)]
pub(crate) const fn multiply(a: &Limbs, b: &Limbs) -> Limbs {
    dot(&[*a], &[*b], &[0; 4])
}

/// a² ÷ R, sharing the products off the diagonal.
#[inline(always)]
pub(crate) const fn square(a: &Limbs) -> Limbs {
    multiply(a, a)
}

/// a⁵ ÷ R⁴, Poseidon's S-box.
#[inline(always)]
pub(crate) const fn fifth_power(a: &Limbs) -> Limbs {
    let square_ = square(a);
    multiply(a, &square(&square_))
}
