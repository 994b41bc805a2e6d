//! Sizes as Docker's options have them: `64m`, `1.5GiB`; a kilo is 1024.

/// The number of bytes, unless it is no size.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (whole, rest) = text.split_at_checked(digits)?;
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            rest.split_at_checked(digits).filter(|(fraction, _)| !fraction.is_empty())?
        }
        None => ("", rest),
    };
    let unit = rest.strip_prefix(' ').unwrap_or(rest).to_ascii_lowercase();
    let (exponent, rest) = match unit.split_at_checked(1) {
        Some(("k", rest)) => (1, rest),
        Some(("m", rest)) => (2, rest),
        Some(("g", rest)) => (3, rest),
        Some(("t", rest)) => (4, rest),
        Some(("p", rest)) => (5, rest),
        _ => (0, unit.as_str()),
    };
    if !["", "b", "ib"].contains(&rest) || (exponent == 0 && rest == "ib") {
        return None;
    }
    let scale = 1_u64 << (10 * exponent);
    let whole = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    // Three digits are more than a fraction of a megabyte needs.
    let thousandths: String = fraction.chars().chain("000".chars()).take(3).collect();
    whole.checked_add(thousandths.parse::<u64>().ok()?.checked_mul(scale)? / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_docker_reads_them() {
        let rows = [
            ("0", Some(0)),
            ("17", Some(17)),
            ("17b", Some(17)),
            ("64m", Some(64 << 20)),
            ("64M", Some(64 << 20)),
            ("64MB", Some(64 << 20)),
            ("64MiB", Some(64 << 20)),
            ("1.5g", Some(3 << 29)),
            ("2 k", Some(2048)),
            ("1p", Some(1 << 50)),
            ("", None),
            ("m", None),
            ("-1", None),
            ("1x", None),
            ("1.m", None),
            ("1ib", None),
            ("99999999999999999999", None),
            ("99999999999p", None),
        ];
        for (text, wanted) in rows {
            assert_eq!(bytes(text), wanted, "{text}");
        }
    }
}
