//! Decimal text of numbers that no Rust integer holds: 256 bits, and fixed point of 18 places.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// Decimal places of the type `Decimal`.
pub const PLACES: usize = 18;
const ONE: u128 = 10u128.pow(PLACES as u32);
/// Decimal digits that are converted at once.
const CHUNK: usize = 9;
/// The order of BN254's scalar field, big-endian.
const MODULUS: [u8; 32] = [
    0x30, 0x64, 0x4e, 0x72, 0xe1, 0x31, 0xa0, 0x29, 0xb8, 0x50, 0x45, 0xb6, 0x81, 0x81, 0x58, 0x5d, //
    0x28, 0x33, 0xe8, 0x48, 0x79, 0xb9, 0x70, 0x91, 0x43, 0xe1, 0xf5, 0x93, 0xf0, 0x00, 0x00, 0x01,
];

/// Whether 32 bytes, big-endian, are a BN254 scalar in its canonical form.
pub fn is_scalar(bytes: &[u8; 32]) -> bool {
    *bytes < MODULUS
}

/// The decimal text of 32 bytes, big-endian.
pub fn format_u256(bytes: [u8; 32]) -> String {
    let mut limbs: Vec<u32> = bytes.as_chunks::<4>().0.iter().map(|limb| u32::from_be_bytes(*limb)).collect();
    let mut chunks = Vec::new();
    while limbs.iter().any(|limb| *limb != 0) {
        let mut remainder = 0u64;
        for limb in &mut limbs {
            let value = (remainder << 32) | u64::from(*limb);
            *limb = (value / 10u64.pow(CHUNK as u32)) as u32;
            remainder = value % 10u64.pow(CHUNK as u32);
        }
        chunks.push(remainder);
    }
    let mut text = chunks.pop().unwrap_or_default().to_string();
    text.extend(chunks.iter().rev().map(|chunk| format!("{chunk:09}")));
    text
}

/// The 32 bytes, big-endian, of a decimal text; `None` if it is none or too large.
pub fn parse_u256(text: &str) -> Option<[u8; 32]> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = text.trim_start_matches('0');
    // 2²⁵⁶ has 78 digits; a text of megabytes is not worth a multiplication a digit.
    if significant.len() > 78 {
        return None;
    }
    let mut limbs = [0u32; 8];
    for digit in significant.bytes() {
        let mut carry = u64::from(digit - b'0');
        for limb in limbs.iter_mut().rev() {
            let value = u64::from(*limb) * 10 + carry;
            *limb = value as u32;
            carry = value >> 32;
        }
        if carry != 0 {
            return None;
        }
    }
    let mut bytes = [0; 32];
    for (place, limb) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(limbs) {
        *place = limb.to_be_bytes();
    }
    Some(bytes)
}

/// The shortest decimal text of 10⁻¹⁸ths.
pub fn format_decimal(value: i128) -> String {
    let (sign, size) = (if value < 0 { "-" } else { "" }, value.unsigned_abs());
    let fraction = format!("{:018}", size % ONE);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", size / ONE)
}

/// The 10⁻¹⁸ths of a decimal text; `None` if it is none, too large, or has more places.
pub fn parse_decimal(text: &str) -> Option<i128> {
    let (negative, size) = text.strip_prefix('-').map_or((false, text), |size| (true, size));
    let (whole, fraction) = match size.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (size, ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > PLACES || !digits(whole) || !digits(fraction) {
        return None;
    }
    let fraction: u128 = format!("{fraction:0<18}").parse().ok()?;
    let size = whole.parse::<u128>().ok()?.checked_mul(ONE)?.checked_add(fraction)?;
    if negative { 0i128.checked_sub_unsigned(size) } else { i128::try_from(size).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_numbers() {
        let largest = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
        assert_eq!(format_u256([0xff; 32]), largest);
        assert_eq!(parse_u256(largest), Some([0xff; 32]));
        assert_eq!(parse_u256("115792089237316195423570985008687907853269984665640564039457584007913129639936"), None);
        assert_eq!(format_u256([0; 32]), "0");
        let modulus = "21888242871839275222246405745257275088548364400416034343698204186575808495617";
        assert_eq!(parse_u256(modulus), Some(MODULUS));
        assert!(!is_scalar(&MODULUS));
        for wrong in ["", "-1", "+1", "1e3", "0x1"] {
            assert_eq!(parse_u256(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn known_decimals() {
        for (value, text) in [
            (0, "0"),
            (1, "0.000000000000000001"),
            (1_250_000_000_000_000_000, "1.25"),
            (-500_000_000_000_000_000, "-0.5"),
            (i128::MAX, "170141183460469231731.687303715884105727"),
            (i128::MIN, "-170141183460469231731.687303715884105728"),
        ] {
            assert_eq!(format_decimal(value), text);
            assert_eq!(parse_decimal(text), Some(value));
        }
        for wrong in [
            "",
            "-",
            ".",
            "1.",
            ".5",
            "1.0000000000000000001",
            "170141183460469231731.687303715884105728",
            "1e3",
            "1_0",
        ] {
            assert_eq!(parse_decimal(wrong), None, "{wrong}");
        }
    }

    #[cfg(feature = "crypto")]
    #[test]
    fn the_modulus_is_the_field_s() {
        let mut below = MODULUS;
        below[31] -= 1;
        assert!(is_scalar(&below) && crate::field::Field::from_be_bytes(&below).is_ok());
        assert!(crate::field::Field::from_be_bytes(&MODULUS).is_err());
    }
}
