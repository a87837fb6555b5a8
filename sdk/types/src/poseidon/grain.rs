//! Poseidon's round constants and matrix, drawn from the Grain LFSR by the compiler.
//!
//! The reference is `generate_parameters_grain.sage 1 0 254 3 8 57 p` of the Poseidon paper (appendix F),
//! which is where circomlib's numbers come from. The 80-bit register starts with the parameters and 160
//! bits are thrown away; then bits come in pairs, and the second counts if the first is 1.
//!
//! ```text
//! register   field 2 │ S-box 4 │ bits 12 │ t 12 │ full 10 │ partial 10 │ ones 30      bit 0 first
//! next bit   b62 ⊕ b51 ⊕ b38 ⊕ b23 ⊕ b13 ⊕ b0
//! ```
//!
//! Round constants are 254-bit integers, drawn again when not below p. The matrix is Cauchy's,
//! 1 ÷ (xᵢ + yⱼ), over six integers reduced modulo p.

use super::{FULL_ROUNDS, PARTIAL_ROUNDS, WIDTH};
use crate::field::{Field, limbs};

/// Bits of an element.
const BITS: usize = 254;

/// What a permutation of width 3 is made of.
pub(super) struct Parameters {
    /// What is added to each lane at the start of each round.
    pub(super) constants: [[Field; WIDTH]; FULL_ROUNDS + PARTIAL_ROUNDS],
    /// What mixes the lanes at the end of each round.
    pub(super) matrix: [[Field; WIDTH]; WIDTH],
}

/// Circom's parameters.
pub(super) const fn parameters() -> Parameters {
    let mut grain = Grain::new();
    let mut constants = [[Field::ZERO; WIDTH]; FULL_ROUNDS + PARTIAL_ROUNDS];
    let mut index = 0;
    while index < WIDTH * constants.len() {
        let integer = grain.integer();
        if limbs::subtract(&integer, &limbs::P).1 {
            constants[index / WIDTH][index % WIDTH] = Field::from_integer(&integer);
            index += 1;
        }
    }
    let mut seeds = [Field::ZERO; 2 * WIDTH];
    let mut index = 0;
    while index < seeds.len() {
        seeds[index] = Field::from_integer(&grain.integer());
        index += 1;
    }
    Parameters { constants, matrix: cauchy(&seeds) }
}

/// 1 ÷ (xᵢ + yⱼ), with one inversion: each entry is the product of the sums before it, times the inverse of
/// the product up to it.
const fn cauchy(seeds: &[Field; 2 * WIDTH]) -> [[Field; WIDTH]; WIDTH] {
    let mut sums = [Field::ZERO; WIDTH * WIDTH];
    let mut before = [Field::ONE; WIDTH * WIDTH + 1];
    let mut cell = 0;
    while cell < sums.len() {
        sums[cell] = seeds[cell / WIDTH].plus(seeds[WIDTH + cell % WIDTH]);
        before[cell + 1] = before[cell].times(sums[cell]);
        cell += 1;
    }
    let mut matrix = [[Field::ZERO; WIDTH]; WIDTH];
    let mut inverse = before[cell].inverse();
    while cell > 0 {
        cell -= 1;
        matrix[cell / WIDTH][cell % WIDTH] = inverse.times(before[cell]);
        inverse = inverse.times(sums[cell]);
    }
    matrix
}

/// The register, bit 0 lowest, and bits of its output not used yet, the first lowest.
struct Grain {
    register: u128,
    ready: u32,
    count: usize,
}

impl Grain {
    /// Bits made at once: no tap is nearer than 18 to the register's end.
    const STEP: usize = 16;

    const fn new() -> Self {
        // The parameters are written with their most significant bit first.
        let fields = [
            (1_u128, 2),
            (0, 4),
            (BITS as u128, 12),
            (WIDTH as u128, 12),
            (FULL_ROUNDS as u128, 10),
            (PARTIAL_ROUNDS as u128, 10),
            ((1 << 30) - 1, 30),
        ];
        let (mut register, mut position, mut field) = (0_u128, 0, 0);
        while field < fields.len() {
            let (value, mut bit) = fields[field];
            while bit > 0 {
                bit -= 1;
                register |= (value >> bit & 1) << position;
                position += 1;
            }
            field += 1;
        }
        let mut grain = Self { register, ready: 0, count: 0 };
        let mut discarded = 0;
        while discarded < 160 {
            grain.step();
            discarded += Self::STEP;
        }
        grain.count = 0;
        grain
    }

    /// Shifts the register by a step; what is shifted in is ready.
    const fn step(&mut self) {
        let r = self.register;
        let next = (r ^ r >> 13 ^ r >> 23 ^ r >> 38 ^ r >> 51 ^ r >> 62) & ((1 << Self::STEP) - 1);
        self.register = r >> Self::STEP | next << (80 - Self::STEP);
        self.ready = next as u32;
        self.count = Self::STEP;
    }

    /// The next bit that counts. A step holds whole pairs.
    const fn bit(&mut self) -> u64 {
        loop {
            if self.count == 0 {
                self.step();
            }
            let pair = self.ready & 3;
            self.ready >>= 2;
            self.count -= 2;
            if pair & 1 == 1 {
                return (pair >> 1) as u64;
            }
        }
    }

    /// The next 254 bits as an integer, the most significant first.
    const fn integer(&mut self) -> limbs::Limbs {
        let mut integer = [0; 4];
        let mut bit = BITS;
        while bit > 0 {
            bit -= 1;
            integer[bit / 64] |= self.bit() << (bit % 64);
        }
        integer
    }
}
