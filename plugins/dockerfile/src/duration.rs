//! Durations as Go writes them: `1m30s`, `1.5s`.

/// A nanosecond, and what others are of it.
const UNITS: [(&str, i64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Fifteen digits of a fraction count: of an hour too, more than nanoseconds have.
const PRECISION: i128 = 1_000_000_000_000_000;

/// The nanoseconds of a duration, unless it is none.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_i64;
    while !rest.is_empty() {
        let (whole, after) = digits(rest)?;
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => digits(after)?,
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(end)?;
        let scale = UNITS.iter().find(|(name, _)| *name == unit)?.1;
        let whole = if whole.is_empty() { 0 } else { whole.parse::<i64>().ok()? };
        total = total.checked_add(whole.checked_mul(scale)?)?;
        total = total.checked_add(part_of(fraction, scale))?;
        rest = after;
    }
    Some(sign * total)
}

fn digits(text: &str) -> Option<(&str, &str)> {
    text.split_at_checked(text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len())
}

/// So many tenths, hundredths and so on of a unit; what is less than a nanosecond is cut off.
fn part_of(fraction: &str, scale: i64) -> i64 {
    let (mut total, mut unit) = (0, i128::from(scale) * PRECISION);
    for digit in fraction.chars().filter_map(|c| c.to_digit(10)).take(15) {
        unit /= 10;
        total += unit * i128::from(digit);
    }
    i64::try_from(total / PRECISION).unwrap_or(i64::MAX)
}

/// As Go's `Duration.String` has it.
pub(crate) fn format(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let total = nanoseconds.unsigned_abs();
    if total == 0 {
        return "0s".to_owned();
    }
    for (limit, scale, unit) in [(1_000, 1, "ns"), (1_000_000, 1_000, "µs")] {
        if total < limit {
            return format!("{sign}{}{unit}", decimal(total, scale));
        }
    }
    if total < 1_000_000_000 {
        return format!("{sign}{}ms", decimal(total, 1_000_000));
    }
    let (minutes, seconds) = (total / 60_000_000_000, total % 60_000_000_000);
    let seconds = decimal(seconds, 1_000_000_000);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// `value / scale` without zeros at the end.
fn decimal(value: u64, scale: u64) -> String {
    let (whole, fraction) = (value / scale, value % scale);
    if fraction == 0 {
        return whole.to_string();
    }
    let width = scale.ilog10() as usize;
    let fraction = format!("{fraction:0width$}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let rows = [
            ("0", Some(0)),
            ("30s", Some(30_000_000_000)),
            ("1m30s", Some(90_000_000_000)),
            ("1.5s", Some(1_500_000_000)),
            (".5h", Some(1_800_000_000_000)),
            ("1ms", Some(1_000_000)),
            ("3us2ns", Some(3_002)),
            ("1.0000000001s", Some(1_000_000_000)),
            ("-2s", Some(-2_000_000_000)),
            ("", None),
            ("5", None),
            ("s", None),
            (".s", None),
            ("1x", None),
            ("1s ", None),
            ("9999999h", None),
        ];
        for (text, wanted) in rows {
            assert_eq!(parse(text), wanted, "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_go_writes_them() {
        let rows = [
            (0, "0s"),
            (7, "7ns"),
            (1_500, "1.5µs"),
            (2_000_000, "2ms"),
            (1_500_000_000, "1.5s"),
            (90_000_000_000, "1m30s"),
            (3_600_000_000_000, "1h0m0s"),
            (-2_000_000_000, "-2s"),
        ];
        for (nanoseconds, wanted) in rows {
            assert_eq!(format(nanoseconds), wanted);
        }
    }
}
