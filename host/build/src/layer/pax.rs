//! Records of extended headers: `LENGTH KEY=VALUE\n`, where the length counts itself.

use std::io::Write as _;

/// A key and its value.
type Record<'a> = (&'a [u8], &'a [u8]);

/// Adds the record of `key` and `value` to `to`.
pub(super) fn push(to: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    // Space, `=` and line feed.
    let rest = key.len() + value.len() + 3;
    let mut length = rest + digits(rest);
    if digits(length) != digits(rest) {
        length = rest + digits(length);
    }
    // Writing to a vector does not fail.
    _ = write!(to, "{length} ");
    to.extend_from_slice(key);
    to.push(b'=');
    to.extend_from_slice(value);
    to.push(b'\n');
}

/// The records in `text`, in their order.
pub(super) fn parse(mut text: &[u8]) -> Result<Vec<Record<'_>>, &'static str> {
    const WRONG: &str = "an extended header that is none";
    let mut records = Vec::new();
    // Old writers pad with NUL.
    while !text.is_empty() && !text.iter().all(|byte| *byte == 0) {
        let space = text.iter().position(|byte| *byte == b' ').ok_or(WRONG)?;
        let (number, _) = text.split_at(space);
        let length: usize =
            std::str::from_utf8(number).ok().and_then(|text| text.parse().ok()).ok_or(WRONG)?;
        let record = text.get(..length).ok_or(WRONG)?;
        let body =
            record.get(space + 1..).and_then(|body| body.strip_suffix(b"\n")).ok_or(WRONG)?;
        let equals = body.iter().position(|byte| *byte == b'=').ok_or(WRONG)?;
        let (key, value) = body.split_at(equals);
        if key.is_empty() || key.contains(&0) {
            return Err(WRONG);
        }
        records.push((key, value.get(1..).unwrap_or_default()));
        text = text.get(length..).unwrap_or_default();
    }
    Ok(records)
}

/// Seconds of a time such as `1700000000.25` or `-1.5`, rounded down as file systems do.
pub(super) fn seconds(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    let below = whole.starts_with('-') && fraction.bytes().any(|byte| byte != b'0');
    seconds.checked_sub(i64::from(below))
}

fn digits(number: usize) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_counts_its_own_digits() {
        let record = |value: usize| {
            let mut text = Vec::new();
            push(&mut text, b"k", &vec![b'v'; value]);
            text
        };
        assert_eq!(record(1), b"6 k=v\n");
        // 9 would have one digit, 10 has two, which makes it 11: there is no record of 10 bytes.
        assert_eq!(record(4), b"9 k=vvvv\n");
        assert_eq!(record(5), b"11 k=vvvvv\n");
        for size in 0..2000 {
            let text = record(size);
            assert_eq!(parse(&text).unwrap(), [(&b"k"[..], &vec![b'v'; size][..])]);
        }
    }

    #[test]
    fn what_is_no_record_is_refused() {
        for text in [
            &b"6 k=v"[..],
            b"7 k=v\n",
            b"5 k=v\n",
            b"6 =vv\n",
            b"k=v\n",
            b"-6 k=v\n",
            b"6 kvv\n",
            b"99999999999999999999 k=v\n",
            b"0 k=v\n",
            b"2 k=v\n",
        ] {
            assert!(parse(text).is_err(), "{}", String::from_utf8_lossy(text));
        }
        assert_eq!(parse(b"6 k=v\n\0\0").unwrap(), [(&b"k"[..], &b"v"[..])]);
    }

    #[test]
    fn times_are_rounded_down() {
        let cases: [(&str, Option<i64>); 7] = [
            ("1.9", Some(1)),
            ("-1.5", Some(-2)),
            ("-1", Some(-1)),
            ("-1.000", Some(-1)),
            ("-0.5", Some(-1)),
            ("1.x", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(seconds(text.as_bytes()), expected, "{text}");
        }
    }
}
