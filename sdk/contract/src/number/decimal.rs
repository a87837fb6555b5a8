//! Decimal fractions with 18 digits behind the point: prices, rates, shares. Contracts have no floats.
//!
//! ```text
//! Decimal   i128 of 10⁻¹⁸ths, borsh 16 bytes little-endian
//! ```
//!
//! Products and quotients are cut off towards zero. Operators fail on overflow.

use core::{
    fmt,
    ops::{Add, Div, Mul, Neg, Sub},
    str::FromStr,
};

use borsh::{BorshDeserialize, BorshSerialize};

use super::{ParseNumberError, U256};
use crate::abi::{AbiType, Type};

/// 10⁻¹⁸ths in one.
const SCALE: i128 = 1_000_000_000_000_000_000;
/// Digits behind the point.
const DIGITS: usize = 18;

/// A decimal fraction with 18 digits behind the point.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Decimal(i128);

impl Decimal {
    /// 0.
    pub const ZERO: Self = Self(0);
    /// 1.
    pub const ONE: Self = Self(SCALE);

    /// So many 10⁻¹⁸ths.
    pub const fn from_raw(raw: i128) -> Self {
        Self(raw)
    }

    /// How many 10⁻¹⁸ths.
    pub const fn raw(self) -> i128 {
        self.0
    }

    /// The fraction, or `None` for a divisor of zero and where it overflows: `ratio(1, 3)`.
    pub fn ratio(dividend: i128, divisor: i128) -> Option<Self> {
        scaled(dividend, SCALE, divisor)
    }

    /// The whole number, cut off towards zero.
    pub const fn trunc(self) -> i128 {
        self.0 / SCALE
    }

    /// The sum, or `None` where it overflows.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(raw) => Some(Self(raw)),
            None => None,
        }
    }

    /// The difference, or `None` where it overflows.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(raw) => Some(Self(raw)),
            None => None,
        }
    }

    /// The product, or `None` where it overflows.
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        scaled(self.0, other.0, SCALE)
    }

    /// The quotient, or `None` for a divisor of zero and where it overflows.
    pub fn checked_div(self, divisor: Self) -> Option<Self> {
        scaled(self.0, SCALE, divisor.0)
    }
}

/// `left · right ÷ divisor` without loss between the two.
fn scaled(left: i128, right: i128, divisor: i128) -> Option<Decimal> {
    let product = U256::from(left.unsigned_abs()).checked_mul(right.unsigned_abs().into())?;
    let (quotient, _) = product.checked_div_rem(divisor.unsigned_abs().into())?;
    let magnitude = u128::try_from(quotient).ok()?;
    signed((left < 0) ^ (right < 0) ^ (divisor < 0), magnitude).map(Decimal)
}

fn signed(negative: bool, magnitude: u128) -> Option<i128> {
    if negative { 0i128.checked_sub_unsigned(magnitude) } else { magnitude.try_into().ok() }
}

macro_rules! operators {
    ($($trait:ident $method:ident $checked:ident $why:literal;)*) => {$(
        impl $trait for Decimal {
            type Output = Self;

            fn $method(self, other: Self) -> Self {
                self.$checked(other).expect($why)
            }
        }
    )*};
}
operators! {
    Add add checked_add "Decimal: overflow in addition";
    Sub sub checked_sub "Decimal: overflow in subtraction";
    Mul mul checked_mul "Decimal: overflow in multiplication";
    Div div checked_div "Decimal: overflow in division, or division by zero";
}

impl Neg for Decimal {
    type Output = Self;

    fn neg(self) -> Self {
        Self::ZERO - self
    }
}

macro_rules! from_integers {
    ($($ty:ty)*) => {$(
        impl From<$ty> for Decimal {
            fn from(value: $ty) -> Self {
                Self(i128::from(value) * SCALE)
            }
        }
    )*};
}
from_integers! { u8 u16 u32 u64 i8 i16 i32 i64 }

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let (whole, part) = (magnitude / SCALE as u128, magnitude % SCALE as u128);
        let mut text = format!("{whole}");
        if part > 0 {
            text.push_str(format!(".{part:0DIGITS$}").trim_end_matches('0'));
        }
        f.pad_integral(self.0 >= 0, "", &text)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Decimal {
    type Err = ParseNumberError;

    fn from_str(text: &str) -> Result<Self, ParseNumberError> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(part) {
            return Err(ParseNumberError::Digits);
        }
        if part.len() > DIGITS {
            return Err(ParseNumberError::Range);
        }
        let parse = |digits: &str| digits.parse::<u128>().map_err(|_| ParseNumberError::Range);
        let part = parse(part)? * 10u128.pow((DIGITS - part.len()) as u32);
        let magnitude = parse(whole)?.checked_mul(SCALE as u128).and_then(|whole| whole.checked_add(part));
        magnitude.and_then(|magnitude| signed(negative, magnitude)).map(Self).ok_or(ParseNumberError::Range)
    }
}

impl AbiType for Decimal {
    const TYPE: Type = Type::Decimal;

    fn absent() -> Option<Self> {
        Some(Self::ZERO)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn text_round_trips() {
        for text in ["0", "1.25", "-1.25", "-0.000000000000000001", "170141183460469231731.687303715884105727"] {
            assert_eq!(decimal(text).to_string(), text);
        }
        assert_eq!(decimal("-170141183460469231731.687303715884105728"), Decimal(i128::MIN));
        for text in ["", ".5", "5.", "1.2.3", "+1", "1e3"] {
            assert_eq!(text.parse::<Decimal>(), Err(ParseNumberError::Digits), "{text}");
        }
        assert_eq!("0.0000000000000000001".parse::<Decimal>(), Err(ParseNumberError::Range));
        assert_eq!("170141183460469231731.687303715884105728".parse::<Decimal>(), Err(ParseNumberError::Range));
    }

    #[test]
    fn products_and_quotients_are_cut_off_towards_zero() {
        assert_eq!(decimal("1.5") * decimal("-2.25"), decimal("-3.375"));
        assert_eq!(Decimal::ratio(-2, 3), Some(decimal("-0.666666666666666666")));
        assert_eq!(Decimal::from(7u8) / decimal("-0.5"), Decimal::from(-14i8));
        assert_eq!(decimal("-7.9").trunc(), -7);
        assert_eq!(Decimal(i128::MAX).checked_mul(decimal("1.1")), None);
        assert_eq!(Decimal::ONE.checked_div(Decimal::ZERO), None);
    }
}
