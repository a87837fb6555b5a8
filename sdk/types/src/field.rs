//! The scalar field of BN254: what Poseidon hashes and circuits over BN254 compute with.
//!
//! A [`Field`] is always canonical, so equal elements are equal in memory. In bytes it is the integer below
//! p, 32 bytes big-endian; bytes of p and above are refused, so that no element has two encodings:
//!
//! ```text
//! Field   32 bytes, big-endian, < p
//! p = 21888242871839275222246405745257275088548364400416034343698204186575808495617
//! ```

use core::{
    fmt,
    ops::{Add, Mul, Neg, Sub},
};

use borsh::{
    BorshDeserialize, BorshSerialize,
    io::{Error, ErrorKind, Read, Result as IoResult, Write},
};
use thiserror::Error;

use crate::id::Hash;

pub(crate) mod limbs;

/// Bytes that always fit an element: any 31 bytes are below p.
pub const LIMB_BYTES: usize = 31;

/// An integer modulo the order of BN254's scalar field.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Field(limbs::Limbs);

impl Field {
    /// Zero.
    pub const ZERO: Self = Self([0; 4]);
    /// One.
    pub const ONE: Self = Self(limbs::ONE);

    /// The element of a small integer.
    pub const fn from_u64(value: u64) -> Self {
        Self::from_integer(&[value, 0, 0, 0])
    }

    /// The element of a 31-byte big-endian integer, as key digests are read.
    pub fn from_be_31(bytes: &[u8; LIMB_BYTES]) -> Self {
        let mut padded = [0; 32];
        padded[1..].copy_from_slice(bytes);
        Self::from_integer(&read_be(&padded))
    }

    /// The element of a little-endian integer of at most 31 bytes, as values are read.
    ///
    /// # Panics
    ///
    /// If there are more than 31 bytes.
    pub fn from_le_limb(bytes: &[u8]) -> Self {
        assert!(bytes.len() <= LIMB_BYTES, "a limb has at most 31 bytes");
        let mut padded = [0; 32];
        padded[..bytes.len()].copy_from_slice(bytes);
        padded.reverse();
        Self::from_integer(&read_be(&padded))
    }

    /// Reads canonical big-endian bytes.
    ///
    /// # Errors
    ///
    /// If the integer is p or more.
    pub fn from_be_bytes(bytes: &[u8; 32]) -> Result<Self, NotCanonical> {
        let integer = read_be(bytes);
        if !limbs::subtract(&integer, &limbs::P).1 {
            return Err(NotCanonical);
        }
        Ok(Self::from_integer(&integer))
    }

    /// Reads canonical little-endian bytes.
    ///
    /// # Errors
    ///
    /// If the integer is p or more.
    pub fn from_le_bytes(bytes: &[u8; 32]) -> Result<Self, NotCanonical> {
        let mut reversed = *bytes;
        reversed.reverse();
        Self::from_be_bytes(&reversed)
    }

    /// The canonical big-endian bytes.
    pub fn to_be_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, limb) in bytes.chunks_exact_mut(8).zip(self.to_integer().iter().rev()) {
            chunk.copy_from_slice(&limb.to_be_bytes());
        }
        bytes
    }

    /// The canonical little-endian bytes.
    pub fn to_le_bytes(self) -> [u8; 32] {
        let mut bytes = self.to_be_bytes();
        bytes.reverse();
        bytes
    }

    /// The square.
    pub const fn square(self) -> Self {
        Self(limbs::canonical(&limbs::square(&self.0)))
    }

    /// The inverse, or zero for zero.
    pub const fn inverse(self) -> Self {
        // Fermat: x^(p − 2).
        let exponent = limbs::subtract(&limbs::P, &[2, 0, 0, 0]).0;
        let mut result = Self::ONE;
        let mut bit = 256;
        while bit > 0 {
            bit -= 1;
            result = result.square();
            if exponent[bit / 64] >> (bit % 64) & 1 == 1 {
                result = result.times(self);
            }
        }
        result
    }

    /// The sum; `+` in constants.
    pub(crate) const fn plus(self, other: Self) -> Self {
        Self(limbs::canonical(&limbs::add(&self.0, &other.0)))
    }

    /// The product; `*` in constants.
    pub(crate) const fn times(self, other: Self) -> Self {
        Self(limbs::canonical(&limbs::multiply(&self.0, &other.0)))
    }

    /// The negative; unary `-` in constants.
    pub(crate) const fn negative(self) -> Self {
        Self(limbs::canonical(&limbs::subtract(&limbs::P, &self.0).0))
    }

    /// The element of any 256-bit integer, reduced.
    pub(crate) const fn from_integer(integer: &limbs::Limbs) -> Self {
        Self(limbs::canonical(&limbs::multiply(&limbs::R_SQUARED, &limbs::reduce(integer))))
    }

    /// An element from Montgomery limbs, reduced.
    #[cfg(feature = "crypto")]
    pub(crate) const fn from_montgomery(value: &limbs::Limbs) -> Self {
        Self(limbs::canonical(value))
    }

    /// The Montgomery limbs, below p.
    #[cfg(feature = "crypto")]
    pub(crate) const fn montgomery(&self) -> &limbs::Limbs {
        &self.0
    }

    fn to_integer(self) -> limbs::Limbs {
        limbs::canonical(&limbs::multiply(&self.0, &[1, 0, 0, 0]))
    }
}

fn read_be(bytes: &[u8; 32]) -> limbs::Limbs {
    let mut integer = [0; 4];
    for (limb, chunk) in integer.iter_mut().rev().zip(bytes.chunks_exact(8)) {
        *limb = chunk.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
    }
    integer
}

/// An integer of p or more where a canonical element is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a canonical field element: the integer is not below the field's order")]
pub struct NotCanonical;

impl Add for Field {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.plus(other)
    }
}

impl Sub for Field {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self.plus(other.negative())
    }
}

impl Mul for Field {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        self.times(other)
    }
}

impl Neg for Field {
    type Output = Self;

    fn neg(self) -> Self {
        self.negative()
    }
}

impl From<u64> for Field {
    fn from(value: u64) -> Self {
        Self::from_u64(value)
    }
}

impl From<Field> for Hash {
    fn from(element: Field) -> Self {
        Self(element.to_be_bytes())
    }
}

impl TryFrom<Hash> for Field {
    type Error = NotCanonical;

    fn try_from(hash: Hash) -> Result<Self, NotCanonical> {
        Self::from_be_bytes(&hash.0)
    }
}

impl BorshSerialize for Field {
    fn serialize<W: Write>(&self, writer: &mut W) -> IoResult<()> {
        writer.write_all(&self.to_be_bytes())
    }
}

impl BorshDeserialize for Field {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        let bytes = <[u8; 32]>::deserialize_reader(reader)?;
        Self::from_be_bytes(&bytes)
            .map_err(|_| Error::new(ErrorKind::InvalidData, "a field element is not below the field's order"))
    }
}

/// As a hash: `0x` and 64 hex digits, big-endian.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Hash::from(*self), f)
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use ark_bn254::Fr;
    use ark_ff::{BigInteger, Field as _, PrimeField};
    use proptest::prelude::*;

    use super::{limbs, *};

    fn ark(element: Field) -> Fr {
        Fr::from_be_bytes_mod_order(&element.to_be_bytes())
    }

    fn be(element: Fr) -> [u8; 32] {
        element.into_bigint().to_bytes_be().try_into().unwrap()
    }

    fn any_element() -> impl Strategy<Value = Field> {
        let edges = [Field::ZERO, Field::ONE, -Field::ONE, Field::from_u64(u64::MAX), Field::from_u64(2).inverse()];
        prop_oneof![
            proptest::sample::select(edges.to_vec()),
            any::<[u64; 4]>().prop_map(|integer| Field::from_integer(&integer)),
        ]
    }

    proptest! {
        #[test]
        fn arithmetic_is_arkworks(a in any_element(), b in any_element()) {
            prop_assert_eq!((a + b).to_be_bytes(), be(ark(a) + ark(b)));
            prop_assert_eq!((a - b).to_be_bytes(), be(ark(a) - ark(b)));
            prop_assert_eq!((a * b).to_be_bytes(), be(ark(a) * ark(b)));
            prop_assert_eq!((-a).to_be_bytes(), be(-ark(a)));
            prop_assert_eq!(a.square().to_be_bytes(), be(ark(a).square()));
            prop_assert_eq!(a.inverse().to_be_bytes(), be(ark(a).inverse().unwrap_or_default()));
        }

        #[test]
        fn lazy_values_stay_in_their_bounds(a in any::<[[u64; 4]; 4]>(), b in any::<[[u64; 4]; 4]>(), c in any::<[u64; 4]>()) {
            // Coefficients below p, values just below 2 p where they can be.
            let coefficients = a.map(|x| limbs::canonical(&x));
            let values = b.map(|x| limbs::add(&limbs::canonical(&x), &limbs::subtract(&limbs::P, &[1, 0, 0, 0]).0));
            let constant = limbs::canonical(&c);
            let sum = limbs::dot(&coefficients, &values, &constant);
            let terms = coefficients.iter().zip(&values).map(|(x, y)| limbs::canonical(&limbs::multiply(x, y)));
            let unit = limbs::multiply(&constant, &[1, 0, 0, 0]);
            let expected = terms.fold(limbs::canonical(&unit), |sum, term| limbs::canonical(&limbs::add(&sum, &term)));
            prop_assert_eq!(limbs::canonical(&sum), expected);
            let largest = Fr::from(ark_ff::BigInt::new(limbs::canonical(&values[0])));
            prop_assert_eq!(
                limbs::canonical(&limbs::square(&values[0])),
                limbs::canonical(&limbs::multiply(&values[0], &values[0]))
            );
            let reduced = limbs::canonical(&limbs::multiply(&limbs::R_SQUARED, &limbs::square(&values[0])));
            prop_assert_eq!(Fr::from(ark_ff::BigInt::new(reduced)), largest.square());
        }

        #[test]
        fn bytes_round_trip(a in any_element()) {
            prop_assert_eq!(Field::from_be_bytes(&a.to_be_bytes()), Ok(a));
            prop_assert_eq!(Field::from_le_bytes(&a.to_le_bytes()), Ok(a));
            prop_assert_eq!(borsh::from_slice::<Field>(&borsh::to_vec(&a).unwrap()).unwrap(), a);
        }

        #[test]
        fn thirty_one_bytes_fit(bytes in any::<[u8; 31]>(), short in 0_usize..=31) {
            prop_assert_eq!(ark(Field::from_be_31(&bytes)), Fr::from_be_bytes_mod_order(&bytes));
            prop_assert_eq!(ark(Field::from_le_limb(&bytes[..short])), Fr::from_le_bytes_mod_order(&bytes[..short]));
        }
    }

    #[test]
    fn extremes_reduce() {
        for top in [0, 1 << 61, u64::MAX >> 2, u64::MAX] {
            for low in [0, 1, u64::MAX] {
                let value = [low, low, low, top];
                let element = Fr::from_le_bytes_mod_order(&value.map(u64::to_le_bytes).concat());
                assert_eq!(Field::from_integer(&value).to_be_bytes(), be(element));
                assert!(limbs::subtract(&limbs::canonical(&value), &limbs::P).1);
            }
        }
    }

    #[test]
    fn the_order_and_above_are_refused() {
        let order: [u8; 32] = be(-Fr::from(1)).map(|byte| byte);
        let mut above = order;
        above[31] += 1;
        assert_eq!(Field::from_be_bytes(&order), Ok(-Field::ONE));
        assert_eq!(Field::from_be_bytes(&above), Err(NotCanonical));
        assert_eq!(Field::from_be_bytes(&[0xff; 32]), Err(NotCanonical));
        assert!(borsh::from_slice::<Field>(&above).is_err());
    }
}
