//! Durations as people write them, `1h30m`, and sizes as they read them, `16 MiB`.

use std::time::Duration;

use crate::limits;

const DURATION_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

const SIZE_UNITS: [(&str, u64); 4] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// Why a text is not a duration.
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

/// Reads a size: a whole number with a unit, `10GB`, `512MiB`.
///
/// # Errors
/// [`UnitError`] for what is none.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim();
    let decimal = [("B", 1), ("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000)];
    let found = SIZE_UNITS.iter().copied().chain(decimal).find(|(name, _)| *name == unit);
    let number: Option<u64> = number.parse().ok();
    number.zip(found).and_then(|(number, (_, size))| number.checked_mul(size)).ok_or_else(|| {
        let reason = "a size is a number with a unit, such as `10GB` or `512MiB`".to_owned();
        UnitError { reason, suggestion: None }
    })
}

/// `bytes` in the largest unit that divides them: `16 MiB`.
pub fn format_size(bytes: u64) -> String {
    let binary = SIZE_UNITS.iter().find(|(_, size)| bytes >= *size && bytes.is_multiple_of(*size));
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
    fn sizes_are_shown_in_the_largest_unit_that_divides_them() {
        assert_eq!(format_size(16 << 20), "16 MiB");
        assert_eq!(format_size(3 << 9), "1536 B");
        assert_eq!(format_size(0), "0 B");
    }

    proptest! {
        #[test]
        fn durations_come_back_from_their_text(millis in 0_u64..31 * 86_400_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_makes_the_units_panic(text: String) {
            let _ = parse_duration(&text);
        }
    }
}
