//! Unsigned integers of 256 bits, as other chains have them.
//!
//! ```text
//! borsh         32 bytes, little-endian
//! storage key   32 bytes, big-endian
//! ```
//!
//! Operators fail on overflow, as Rust's do in contracts.

use core::{
    cmp::Ordering,
    fmt,
    ops::{Add, Div, Mul, Rem, Sub},
    str::FromStr,
};

use borsh::{BorshDeserialize, BorshSerialize};
use rustorium_types::key::StorageKey;

use crate::abi::{AbiType, Type};

/// An unsigned integer of 256 bits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct U256([u64; 4]);

impl U256 {
    /// 0.
    pub const ZERO: Self = Self([0; 4]);
    /// 1.
    pub const ONE: Self = Self([1, 0, 0, 0]);
    /// 2²⁵⁶ − 1.
    pub const MAX: Self = Self([u64::MAX; 4]);

    /// The sum, or `None` where it overflows.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        let mut limbs = [0; 4];
        let mut carry = false;
        let mut at = 0;
        while at < 4 {
            let (sum, first) = self.0[at].overflowing_add(other.0[at]);
            let (sum, second) = sum.overflowing_add(carry as u64);
            limbs[at] = sum;
            carry = first || second;
            at += 1;
        }
        if carry { None } else { Some(Self(limbs)) }
    }

    /// The difference, or `None` below zero.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        let mut limbs = [0; 4];
        let mut borrow = false;
        let mut at = 0;
        while at < 4 {
            let (difference, first) = self.0[at].overflowing_sub(other.0[at]);
            let (difference, second) = difference.overflowing_sub(borrow as u64);
            limbs[at] = difference;
            borrow = first || second;
            at += 1;
        }
        if borrow { None } else { Some(Self(limbs)) }
    }

    /// The product, or `None` where it overflows.
    pub const fn checked_mul(self, other: Self) -> Option<Self> {
        let mut limbs = [0; 4];
        let mut left = 0;
        while left < 4 {
            let mut carry = 0u128;
            let mut right = 0;
            while right < 4 {
                let product = self.0[left] as u128 * other.0[right] as u128;
                if left + right < 4 {
                    let sum = product + limbs[left + right] as u128 + carry;
                    limbs[left + right] = sum as u64;
                    carry = sum >> 64;
                } else if product + carry > 0 {
                    return None;
                }
                right += 1;
            }
            if left == 0 && carry > 0 {
                return None;
            }
            left += 1;
        }
        Some(Self(limbs))
    }

    /// The quotient and the remainder, or `None` for a divisor of zero.
    pub fn checked_div_rem(self, divisor: Self) -> Option<(Self, Self)> {
        if divisor == Self::ZERO {
            return None;
        }
        if let Ok(divisor) = u64::try_from(divisor) {
            let (quotient, remainder) = self.div_rem_small(divisor);
            return Some((quotient, remainder.into()));
        }
        // Shift and subtract: at most 192 steps, because the divisor has more than 64 bits.
        let mut quotient = Self::ZERO;
        let mut remainder = self;
        let mut shift = self.bits().saturating_sub(divisor.bits());
        let mut shifted = divisor.shifted_left(shift);
        loop {
            if let Some(difference) = remainder.checked_sub(shifted) {
                remainder = difference;
                quotient.0[(shift / 64) as usize] |= 1 << (shift % 64);
            }
            if shift == 0 {
                return Some((quotient, remainder));
            }
            shift -= 1;
            shifted = shifted.halved();
        }
    }

    /// The integer's bytes, the most significant first.
    pub fn to_be_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, limb) in bytes.chunks_exact_mut(8).zip(self.0.iter().rev()) {
            chunk.copy_from_slice(&limb.to_be_bytes());
        }
        bytes
    }

    /// The integer of bytes, the most significant first.
    pub fn from_be_bytes(bytes: [u8; 32]) -> Self {
        let mut limbs = [0; 4];
        for (limb, chunk) in limbs.iter_mut().rev().zip(bytes.chunks_exact(8)) {
            *limb = chunk.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        }
        Self(limbs)
    }

    fn div_rem_small(self, divisor: u64) -> (Self, u64) {
        let mut limbs = [0; 4];
        let mut remainder = 0u64;
        for at in (0..4).rev() {
            let dividend = u128::from(remainder) << 64 | u128::from(self.0[at]);
            limbs[at] = (dividend / u128::from(divisor)) as u64;
            remainder = (dividend % u128::from(divisor)) as u64;
        }
        (Self(limbs), remainder)
    }

    fn bits(self) -> u32 {
        let top = (0..4).rev().find(|at| self.0[*at] != 0);
        top.map_or(0, |at| at as u32 * 64 + 64 - self.0[at].leading_zeros())
    }

    fn shifted_left(self, bits: u32) -> Self {
        let (whole, part) = ((bits / 64) as usize, bits % 64);
        let mut limbs = [0; 4];
        for (at, limb) in limbs.iter_mut().enumerate().skip(whole) {
            *limb = self.0[at - whole] << part;
            if part > 0 && at > whole {
                *limb |= self.0[at - whole - 1] >> (64 - part);
            }
        }
        Self(limbs)
    }

    fn halved(self) -> Self {
        let [a, b, c, d] = self.0;
        Self([a >> 1 | b << 63, b >> 1 | c << 63, c >> 1 | d << 63, d >> 1])
    }
}

impl Ord for U256 {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.iter().rev().cmp(other.0.iter().rev())
    }
}

impl PartialOrd for U256 {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident $why:literal: $checked:expr;)*) => {$(
        impl $trait for U256 {
            type Output = Self;

            fn $method(self, other: Self) -> Self {
                let checked: fn(Self, Self) -> Option<Self> = $checked;
                checked(self, other).expect($why)
            }
        }
    )*};
}
operators! {
    Add add "U256: overflow in addition": Self::checked_add;
    Sub sub "U256: overflow in subtraction": Self::checked_sub;
    Mul mul "U256: overflow in multiplication": Self::checked_mul;
    Div div "U256: division by zero": |left, right| left.checked_div_rem(right).map(|(quotient, _)| quotient);
    Rem rem "U256: division by zero": |left, right| left.checked_div_rem(right).map(|(_, remainder)| remainder);
}

macro_rules! conversions {
    ($($ty:ty)*) => {$(
        impl From<$ty> for U256 {
            fn from(value: $ty) -> Self {
                let value = u128::from(value);
                Self([value as u64, (value >> 64) as u64, 0, 0])
            }
        }

        impl TryFrom<U256> for $ty {
            type Error = ParseNumberError;

            fn try_from(value: U256) -> Result<Self, ParseNumberError> {
                let [low, high, 0, 0] = value.0 else { return Err(ParseNumberError::Range) };
                (u128::from(high) << 64 | u128::from(low)).try_into().map_err(|_| ParseNumberError::Range)
            }
        }
    )*};
}
conversions! { u8 u16 u32 u64 u128 }

/// Why a text or a number is not one of another type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseNumberError {
    /// Not digits.
    Digits,
    /// Too large or too small.
    Range,
}

impl fmt::Display for ParseNumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Digits => "not a number",
            Self::Range => "the number is out of range",
        })
    }
}

impl core::error::Error for ParseNumberError {}

impl fmt::Display for U256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 78];
        let mut start = digits.len();
        let mut rest = *self;
        loop {
            let (quotient, digit) = rest.div_rem_small(10);
            start -= 1;
            digits[start] = b'0' + digit as u8;
            rest = quotient;
            if rest == Self::ZERO {
                break;
            }
        }
        f.pad_integral(true, "", core::str::from_utf8(&digits[start..]).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for U256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for U256 {
    type Err = ParseNumberError;

    fn from_str(text: &str) -> Result<Self, ParseNumberError> {
        if text.is_empty() {
            return Err(ParseNumberError::Digits);
        }
        text.bytes().try_fold(Self::ZERO, |value, byte| {
            let digit = if byte.is_ascii_digit() { byte - b'0' } else { return Err(ParseNumberError::Digits) };
            let tenfold = value.checked_mul(Self::from(10u8)).ok_or(ParseNumberError::Range)?;
            tenfold.checked_add(digit.into()).ok_or(ParseNumberError::Range)
        })
    }
}

impl StorageKey for U256 {
    fn encode_key(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
}

impl AbiType for U256 {
    const TYPE: Type = Type::U256;

    fn absent() -> Option<Self> {
        Some(Self::ZERO)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_u128_where_both_can() {
        let numbers = [0, 1, 2, 10, u128::from(u64::MAX), 1 << 64, (1 << 64) + 7, 1 << 100, u128::MAX];
        for left in numbers {
            for right in numbers {
                let (wide_left, wide_right) = (U256::from(left), U256::from(right));
                assert_eq!(wide_left.cmp(&wide_right), left.cmp(&right));
                assert_eq!(wide_left.checked_sub(wide_right), left.checked_sub(right).map(U256::from));
                if let Some(product) = left.checked_mul(right) {
                    assert_eq!(wide_left * wide_right, product.into());
                }
                let parts = wide_left.checked_div_rem(wide_right);
                assert_eq!(parts, left.checked_div(right).map(|quotient| (quotient.into(), (left % right).into())));
            }
        }
    }

    #[test]
    fn division_undoes_multiplication_in_full_width() {
        let left: U256 = "340282366920938463463374607431768211507".parse().unwrap();
        let right: U256 = "170141183460469231731687303715884105757".parse().unwrap();
        let product = left.checked_mul(right).unwrap();
        assert_eq!(product / right, left);
        assert_eq!((product - U256::ONE).checked_div_rem(left), Some((right - U256::ONE, left - U256::ONE)));
    }

    #[test]
    fn overflow_is_noticed() {
        let half: U256 = U256([0, 0, 0, 1 << 63]);
        assert_eq!(U256::MAX.checked_add(U256::ONE), None);
        assert_eq!(U256::ZERO.checked_sub(U256::ONE), None);
        assert_eq!(half.checked_mul(U256::from(2u8)), None);
        assert_eq!(U256([0, 0, 1, 0]).checked_mul(U256([0, 0, 1, 0])), None);
        assert_eq!(U256([0, 0, u64::MAX, 0]).checked_mul(U256([u64::MAX, u64::MAX, 0, 0])), None);
        assert_eq!(U256::MAX.checked_div_rem(U256::ZERO), None);
    }

    #[test]
    fn text_is_decimal() {
        let text = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
        assert_eq!(U256::MAX.to_string(), text);
        assert_eq!(text.parse(), Ok(U256::MAX));
        assert_eq!(text.replace("935", "936").parse::<U256>(), Err(ParseNumberError::Range));
        assert_eq!("1_0".parse::<U256>(), Err(ParseNumberError::Digits));
        assert_eq!(U256::from_be_bytes(U256::MAX.to_be_bytes()), U256::MAX);
    }
}
