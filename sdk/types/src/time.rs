//! Timestamps as RFC 3339 text in UTC, without a clock or a time zone database.
//!
//! Days are turned into dates by the algorithms of Howard Hinnant, "chrono-compatible low-level date
//! algorithms" (`civil_from_days`, `days_from_civil`). RFC 3339 ends with the year 9999: a timestamp beyond
//! it is written as its decimal milliseconds, which are also accepted, so that every timestamp has a text.

use alloc::{
    format,
    string::{String, ToString},
};

use crate::id::Timestamp;

const DAY: u64 = 86_400_000;
/// The first millisecond of the year 10000.
const END: u64 = 253_402_300_800_000;

/// The text, as `2023-11-14T22:13:20.000Z`.
pub fn format_timestamp(time: Timestamp) -> String {
    if time.0 >= END {
        return time.0.to_string();
    }
    let (year, month, day) = civil_from_days(time.0 / DAY);
    let ms = time.0 % DAY;
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1_000)
}

/// The timestamp of an RFC 3339 text of any offset, or of decimal milliseconds; digits behind the
/// milliseconds are cut. `None` if it is neither, or before 1970.
pub fn parse_timestamp(text: &str) -> Option<Timestamp> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Timestamp);
    }
    let (date, rest) = text.split_at_checked(10)?;
    let (separator, rest) = rest.split_at_checked(1)?;
    let (clock, rest) = rest.split_at_checked(8)?;
    let [year, month, day] = numbers(date, b'-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, b':', [2, 2, 2])?;
    if !matches!(separator, "T" | "t" | " ") || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_from_civil(year, month, day)?;
    let (fraction, offset) = match rest.strip_prefix('.') {
        None => (0, rest),
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let milliseconds = (0..3).try_fold(0, |sum, at| match rest.as_bytes().get(at) {
                Some(digit) if at < digits => Some(sum * 10 + u64::from(digit - b'0')),
                _ if digits > 0 => Some(sum * 10),
                _ => None,
            })?;
            (milliseconds, &rest[digits..])
        }
    };
    let local = days * DAY + hour * 3_600_000 + minute * 60_000 + second * 1_000 + fraction;
    let sign = match offset.as_bytes().first()? {
        b'Z' | b'z' if offset.len() == 1 => return Some(Timestamp(local)),
        sign @ (b'+' | b'-') => *sign,
        _ => return None,
    };
    let [hours, minutes] = numbers(&offset[1..], b':', [2, 2])?;
    let shift = (hours < 24 && minutes < 60).then_some((hours * 60 + minutes) * 60_000)?;
    let utc = if sign == b'+' { local.checked_sub(shift) } else { local.checked_add(shift) };
    utc.map(Timestamp)
}

/// Numbers of those many digits, `separator` between them.
fn numbers<const N: usize>(text: &str, separator: u8, digits: [usize; N]) -> Option<[u64; N]> {
    let mut parts = text.as_bytes().split(|byte| *byte == separator);
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits && part.iter().all(u8::is_ascii_digit))?;
        *number = part.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    }
    parts.next().is_none().then_some(numbers)
}

/// Year, month and day of the days since 1970-01-01.
const fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + (month <= 2) as u64, month, day)
}

/// Days since 1970-01-01; `None` if there is no such date, or it is before.
fn days_from_civil(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || day == 0 || year < 1970 {
        return None;
    }
    let from_march = year - u64::from(month <= 2);
    let (era, year_of_era) = (from_march / 400, from_march % 400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    (civil_from_days(days) == (year, month, day)).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        for (milliseconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (END - 1, "9999-12-31T23:59:59.999Z"),
            (END, "253402300800000"),
            (u64::MAX, "18446744073709551615"),
        ] {
            assert_eq!(format_timestamp(Timestamp(milliseconds)), text);
            assert_eq!(parse_timestamp(text), Some(Timestamp(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_accepted_and_what_is_not() {
        let at = Some(Timestamp(1_700_000_000_000));
        for text in [
            "2023-11-14T22:13:20Z",
            "2023-11-14t22:13:20.0000009z",
            "2023-11-15T00:13:20+02:00",
            "2023-11-14 17:13:20-05:00",
        ] {
            assert_eq!(parse_timestamp(text), at, "{text}");
        }
        for text in [
            "",
            "Z",
            "2023-11-14",
            "2023-11-14T22:13:20",
            "2023-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-11-14T24:00:00Z",
            "2023-11-14T22:13:20.Z",
            "2023-11-14T22:13:20+2:00",
            "1969-12-31T23:59:59Z",
            "ä023-11-14T22:13:20Z",
            "99999999999999999999",
            "2023-11-14T22:13:20Zé",
        ] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_eight_centuries_round_trips() {
        for day in 0..8 * 36_525 {
            let time = Timestamp(day * DAY + 1);
            assert_eq!(parse_timestamp(&format_timestamp(time)), Some(time));
        }
    }
}
