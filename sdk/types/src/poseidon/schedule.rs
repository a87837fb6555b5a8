//! The permutation's constants, rewritten so that a partial round is one S-box and one four-term sum.
//!
//! Write the matrix as d, c (rest of the first row), b (rest of the first column) and A (the lower right
//! 2 × 2 block). In partial round j the first lane goes through the S-box, yⱼ = xⱼ⁵, and the other two
//! lanes u only through linear maps:
//!
//! ```text
//! xⱼ₊₁ = d yⱼ + c·uⱼ + constant        uⱼ₊₁ = b yⱼ + A uⱼ + constant
//! ```
//!
//! The round constants that reach u are carried beside it: uⱼ = ūⱼ + kⱼ with kⱼ₊₁ = A kⱼ + constant, and
//! κⱼ₊₁ = c·kⱼ + constant is what they add to xⱼ₊₁. Of ū only Uⱼ = c·ūⱼ matters, and by Cayley–Hamilton,
//! A² = τA − δ with τ the trace and δ the determinant, it is a linear recurrence of order two:
//!
//! ```text
//! Uⱼ₊₁ = τ Uⱼ − δ Uⱼ₋₁ + β₀ yⱼ + β₁ yⱼ₋₁        β₀ = c·b,  β₁ = c·(A − τ) b
//! ```
//!
//! Rescaling xⱼ = gⱼ Xⱼ, yⱼ = gⱼ⁵ Yⱼ, with g₀ = 1 and gⱼ₊₁ = d gⱼ⁵, makes the factor of Yⱼ one:
//!
//! ```text
//! Xⱼ₊₁ = Yⱼ + Vⱼ,   gⱼ₊₁ Vⱼ = Uⱼ + κⱼ₊₁
//! ```
//!
//! At the end ū is solved from U₅₇ = c·ū₅₇ and c·A ū₅₇. The tests compare the whole with the permutation
//! as the paper writes it, and with another implementation.

use super::{
    FULL_ROUNDS, PARTIAL_ROUNDS, WIDTH,
    grain::{Parameters, parameters},
};
use crate::field::{
    Field,
    limbs::{self, Limbs},
};

/// A linear form over N lanes and a constant.
pub(super) struct Row<const N: usize> {
    pub(super) coefficients: [Limbs; N],
    /// Times R, because a dot product divides by it.
    pub(super) constant: Limbs,
}

impl<const N: usize> Row<N> {
    pub(super) const fn new(coefficients: [Field; N], constant: Field) -> Self {
        let mut row =
            Self { coefficients: [[0; 4]; N], constant: *Field::from_integer(constant.montgomery()).montgomery() };
        let mut index = 0;
        while index < N {
            row.coefficients[index] = *coefficients[index].montgomery();
            index += 1;
        }
        row
    }

    /// The form's value, reduced once.
    #[inline(always)]
    pub(super) const fn apply(&self, values: &[Limbs; N]) -> Limbs {
        limbs::dot(&self.coefficients, values, &self.constant)
    }
}

/// Everything that [`hash2`](super::hash2) multiplies by and adds, 15 KB.
pub(super) struct Schedule {
    /// The first round's constants.
    pub(super) before: [Limbs; WIDTH],
    /// Matrix and next constants of the first full rounds.
    pub(super) first_full: [[Row<WIDTH>; WIDTH]; FULL_ROUNDS / 2],
    /// V₀ and V₁ from (y₀, u₀).
    pub(super) enter: [Row<WIDTH>; 2],
    /// Vⱼ₊₁ from (Vⱼ, Vⱼ₋₁, Yⱼ, Yⱼ₋₁), j from 1.
    pub(super) partial: [Row<4>; PARTIAL_ROUNDS - 2],
    /// The three lanes from the last (Vⱼ, Vⱼ₋₁, Yⱼ, Yⱼ₋₁).
    pub(super) leave: [Row<4>; WIDTH],
    /// Matrix and next constants of the last full rounds but the very last.
    pub(super) last_full: [[Row<WIDTH>; WIDTH]; FULL_ROUNDS / 2 - 1],
    /// The matrix's first row: of the last round only the first lane is wanted.
    pub(super) output: [Limbs; WIDTH],
}

/// Derived by the compiler, instead of being a table that nobody can read.
pub(super) static SCHEDULE: Schedule = schedule(&parameters());

const fn schedule(parameters: &Parameters) -> Schedule {
    let constants = &parameters.constants;
    let m = &parameters.matrix;
    let partial = Partial::new(parameters);
    Schedule {
        before: [*constants[0][0].montgomery(), *constants[0][1].montgomery(), *constants[0][2].montgomery()],
        first_full: [full(m, &constants[1]), full(m, &constants[2]), full(m, &constants[3]), full(m, &constants[4])],
        enter: partial.enter(),
        partial: partial.rounds(),
        leave: partial.leave(),
        last_full: [full(m, &constants[62]), full(m, &constants[63]), full(m, &constants[64])],
        output: [*m[0][0].montgomery(), *m[0][1].montgomery(), *m[0][2].montgomery()],
    }
}

const fn full(matrix: &[[Field; WIDTH]; WIDTH], constants: &[Field; WIDTH]) -> [Row<WIDTH>; WIDTH] {
    [Row::new(matrix[0], constants[0]), Row::new(matrix[1], constants[1]), Row::new(matrix[2], constants[2])]
}

/// A pair of lanes, and the 2 × 2 maps on them.
type Pair = [Field; 2];

const fn inner(a: &Pair, b: &Pair) -> Field {
    a[0].times(b[0]).plus(a[1].times(b[1]))
}

const fn minus(a: Field, b: Field) -> Field {
    a.plus(b.negative())
}

/// The symbols of the module's text.
struct Partial {
    b: Pair,
    c: Pair,
    a: [Pair; 2],
    trace: Field,
    determinant: Field,
    beta0: Field,
    beta1: Field,
    /// gⱼ, its fifth power and its inverse.
    g: [Field; PARTIAL_ROUNDS + 1],
    g_fifth: [Field; PARTIAL_ROUNDS + 1],
    g_inverse: [Field; PARTIAL_ROUNDS + 1],
    /// κⱼ, the first unused.
    kappa: [Field; PARTIAL_ROUNDS + 1],
    /// k₅₇.
    k_last: Pair,
}

impl Partial {
    const fn new(parameters: &Parameters) -> Self {
        let [[d, c0, c1], [b0, a00, a01], [b1, a10, a11]] = parameters.matrix;
        let (a, b, c) = ([[a00, a01], [a10, a11]], [b0, b1], [c0, c1]);
        let trace = a00.plus(a11);
        let determinant = minus(a00.times(a11), a01.times(a10));
        let beta0 = inner(&c, &b);
        // c·(A − τ)b = c·Ab − τ c·b
        let beta1 = minus(inner(&c, &[inner(&a[0], &b), inner(&a[1], &b)]), trace.times(beta0));
        let mut g = [Field::ONE; PARTIAL_ROUNDS + 1];
        let (mut g_fifth, mut g_inverse) = (g, g);
        let mut kappa = [Field::ZERO; PARTIAL_ROUNDS + 1];
        let mut k = [Field::ZERO; 2];
        let d_inverse = d.inverse();
        let mut j = 0;
        while j < PARTIAL_ROUNDS {
            g[j + 1] = d.times(g_fifth[j]);
            g_fifth[j + 1] = fifth(g[j + 1]);
            g_inverse[j + 1] = d_inverse.times(fifth(g_inverse[j]));
            let next = &parameters.constants[FULL_ROUNDS / 2 + 1 + j];
            kappa[j + 1] = inner(&c, &k).plus(next[0]);
            k = [inner(&a[0], &k).plus(next[1]), inner(&a[1], &k).plus(next[2])];
            j += 1;
        }
        Self { b, c, a, trace, determinant, beta0, beta1, g, g_fifth, g_inverse, kappa, k_last: k }
    }

    /// c·A.
    const fn c_a(&self) -> Pair {
        let [[a00, a01], [a10, a11]] = self.a;
        [inner(&self.c, &[a00, a10]), inner(&self.c, &[a01, a11])]
    }

    /// V₀ from U₀ = c·u₀, and V₁ from U₁ = c·A u₀ + c·b y₀.
    const fn enter(&self) -> [Row<WIDTH>; 2] {
        let c_a = self.c_a();
        let (g1, g2) = (self.g_inverse[1], self.g_inverse[2]);
        [
            Row::new([Field::ZERO, self.c[0].times(g1), self.c[1].times(g1)], self.kappa[1].times(g1)),
            Row::new([inner(&self.c, &self.b).times(g2), c_a[0].times(g2), c_a[1].times(g2)], self.kappa[2].times(g2)),
        ]
    }

    /// Uⱼ₊₁ over (Vⱼ, Vⱼ₋₁, Yⱼ, Yⱼ₋₁) and one.
    const fn next_u(&self, j: usize) -> ([Field; 4], Field) {
        let (trace, determinant) = (self.trace, self.determinant);
        let coefficients = [
            trace.times(self.g[j + 1]),
            determinant.times(self.g[j]).negative(),
            self.beta0.times(self.g_fifth[j]),
            self.beta1.times(self.g_fifth[j - 1]),
        ];
        (coefficients, minus(determinant.times(self.kappa[j]), trace.times(self.kappa[j + 1])))
    }

    /// Vⱼ₊₁ = (Uⱼ₊₁ + κⱼ₊₂) ÷ gⱼ₊₂.
    const fn rounds(&self) -> [Row<4>; PARTIAL_ROUNDS - 2] {
        let mut rows = [const { Row { coefficients: [[0; 4]; 4], constant: [0; 4] } }; PARTIAL_ROUNDS - 2];
        let mut j = 1;
        while j < PARTIAL_ROUNDS - 1 {
            let (u, constant) = self.next_u(j);
            let scale = self.g_inverse[j + 2];
            rows[j - 1] = Row::new(
                [u[0].times(scale), u[1].times(scale), u[2].times(scale), u[3].times(scale)],
                constant.plus(self.kappa[j + 2]).times(scale),
            );
            j += 1;
        }
        rows
    }

    /// The lanes after the last partial round: x₅₇ = g₅₇ (Y₅₆ + V₅₆), and u₅₇ = ū₅₇ + k₅₇ with
    /// c·ū₅₇ = U₅₇ and c·A ū₅₇ = U₅₈ − β₀ y₅₇ = τ U₅₇ − δ U₅₆ + β₁ y₅₆.
    const fn leave(&self) -> [Row<4>; WIDTH] {
        let last = PARTIAL_ROUNDS - 1;
        let g = self.g[last + 1];
        let (u, u_constant) = self.next_u(last);
        let mut v = [Field::ZERO; 4];
        let mut lane = 0;
        while lane < 4 {
            v[lane] = self.trace.times(u[lane]);
            lane += 1;
        }
        // U₅₆ = g₅₇ V₅₆ − κ₅₇
        v[0] = minus(v[0], self.determinant.times(g));
        v[2] = v[2].plus(self.beta1.times(self.g_fifth[last]));
        let v_constant = self.trace.times(u_constant).plus(self.determinant.times(self.kappa[last + 1]));
        let c_a = self.c_a();
        let scale = minus(self.c[0].times(c_a[1]), self.c[1].times(c_a[0])).inverse();
        let solve = [
            [c_a[1].times(scale), self.c[1].times(scale).negative()],
            [c_a[0].times(scale).negative(), self.c[0].times(scale)],
        ];
        [
            Row::new([g, Field::ZERO, g, Field::ZERO], Field::ZERO),
            combine(&solve[0], &u, &v, inner(&solve[0], &[u_constant, v_constant]).plus(self.k_last[0])),
            combine(&solve[1], &u, &v, inner(&solve[1], &[u_constant, v_constant]).plus(self.k_last[1])),
        ]
    }
}

const fn combine(by: &Pair, u: &[Field; 4], v: &[Field; 4], constant: Field) -> Row<4> {
    Row::new(
        [inner(by, &[u[0], v[0]]), inner(by, &[u[1], v[1]]), inner(by, &[u[2], v[2]]), inner(by, &[u[3], v[3]])],
        constant,
    )
}

const fn fifth(x: Field) -> Field {
    x.square().square().times(x)
}
