//! Durations and sizes as people write them: `90s`, `1h30m`, `16 MiB`.

use std::time::Duration;

use crate::limits;

const DURATION_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

const SIZE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// Why a text is not a duration or a size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct UnitError {
    /// A clause: `a duration needs a unit`.
    pub reason: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

/// The duration that `text` says: whole numbers with `d`, `h`, `m`, `s` or `ms`, largest first.
///
/// # Errors
/// [`UnitError`] if a unit is missing, unknown or out of order, or if it is longer than
/// [`limits::DURATION`].
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let fail = |reason: &str| UnitError { reason: reason.to_owned(), suggestion: None };
    let mut rest = text.trim();
    if !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()) {
        return Err(UnitError {
            reason: "a duration needs a unit: d, h, m, s or ms".to_owned(),
            suggestion: Some(format!("{rest}s")),
        });
    }
    if rest.is_empty() {
        return Err(fail("a duration cannot be empty"));
    }
    let mut total: u64 = 0;
    let mut smallest = u64::MAX;
    while !rest.is_empty() {
        let (number, unit, tail) = leading_amount(rest);
        let number: u64 =
            number.parse().map_err(|_| fail("a duration is whole numbers, each with a unit"))?;
        let Some(&(_, size)) = DURATION_UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(fail("the units of a duration are d, h, m, s and ms"));
        };
        if size >= smallest {
            return Err(fail("the units of a duration go from large to small, each once"));
        }
        smallest = size;
        total = number
            .checked_mul(size)
            .and_then(|millis| total.checked_add(millis))
            .ok_or_else(|| fail("a duration is at most 31d"))?;
        rest = tail.trim_start();
    }
    let duration = Duration::from_millis(total);
    if duration > limits::DURATION {
        return Err(fail("a duration is at most 31d"));
    }
    Ok(duration)
}

/// `duration` as [`parse_duration`] reads it, in whole milliseconds.
pub fn format_duration(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, size) in DURATION_UNITS {
        if millis >= size {
            text.push_str(&(millis / size).to_string());
            text.push_str(unit);
            millis %= size;
        }
    }
    text
}

/// The number of bytes that `text` says: a whole number with `B`, `kB`, `MB`, `GB`, `TB`, `KiB`,
/// `MiB`, `GiB` or `TiB`, with or without a space.
///
/// # Errors
/// [`UnitError`] if the unit is missing or unknown, or if the number does not fit.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let fail = |reason: &str| UnitError { reason: reason.to_owned(), suggestion: None };
    let (number, unit, tail) = leading_amount(text.trim());
    if !number.is_empty() && unit.is_empty() && tail.is_empty() {
        return Err(UnitError {
            reason: "a size needs a unit such as MiB".to_owned(),
            suggestion: Some(format!("{number} MiB")),
        });
    }
    let unit = SIZE_UNITS.iter().find(|(name, _)| tail.is_empty() && *name == unit);
    let (Some(&(_, size)), Ok(number)) = (unit, number.parse::<u64>()) else {
        return Err(fail("a size is a whole number and a unit such as MiB"));
    };
    number.checked_mul(size).ok_or_else(|| fail("a size has at most 64 bits"))
}

/// `bytes` as [`parse_size`] reads it, in the largest unit that divides it.
pub fn format_size(bytes: u64) -> String {
    let binary =
        SIZE_UNITS.iter().take(4).find(|(_, size)| bytes >= *size && bytes.is_multiple_of(*size));
    binary.map_or_else(|| format!("{bytes} B"), |(unit, size)| format!("{} {unit}", bytes / size))
}

/// Splits `10 MiB rest` into `10`, `MiB` and `rest`.
fn leading_amount(text: &str) -> (&str, &str, &str) {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    let rest = rest.trim_start();
    let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, tail) = rest.split_at(letters);
    (number, unit, tail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
    }

    #[test]
    fn a_wrong_duration_says_what_is_wrong() {
        let missing = parse_duration("90").unwrap_err();
        assert_eq!(missing.suggestion.as_deref(), Some("90s"));
        for wrong in ["", "s", "1w", "-1s", "1.5h", "30m1h", "1s1s", "32d", "99999999999999999999s"]
        {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_a_number_with_a_unit() {
        assert_eq!(parse_size("16 MiB"), Ok(16 << 20));
        assert_eq!(parse_size("1kB"), Ok(1000));
        assert_eq!(parse_size("16").unwrap_err().suggestion.as_deref(), Some("16 MiB"));
        for wrong in ["", "MiB", "16 mib", "1 MiB 2", "-1 B", "99999999999 TiB"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn durations_come_back_from_their_text(millis in 0_u64..31 * 86_400_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn sizes_come_back_from_their_text(bytes: u64) {
            prop_assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_makes_the_units_panic(text: String) {
            let _ = (parse_duration(&text), parse_size(&text));
        }
    }
}
