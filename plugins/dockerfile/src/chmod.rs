//! `--chmod`: whether a text is a mode. What it makes of a file is the builder's affair.

/// Whether `text` is permission bits as a number (`0755`) or in words (`u=rwX,go=rX`):
/// `[ugoa]*([+-=][rwxXstugo]*)+`, with commas between.
pub(crate) fn is_mode(text: &str) -> bool {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return u32::from_str_radix(text, 8).is_ok_and(|bits| bits <= 0o7777);
    }
    text.split(',').all(is_clause)
}

fn is_clause(clause: &str) -> bool {
    let changes = clause.trim_start_matches(['u', 'g', 'o', 'a']);
    changes.starts_with(['+', '-', '='])
        && changes.split(['+', '-', '=']).all(|bits| {
            bits.chars().all(|c| matches!(c, 'r' | 'w' | 'x' | 'X' | 's' | 't' | 'u' | 'g' | 'o'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_numbers_or_words() {
        for text in ["0", "755", "4755", "+x", "u+x", "go=", "u=rwX,go=rX", "u-x+w", "go=u-w"] {
            assert!(is_mode(text), "{text}");
        }
        for text in ["", "8", "10000", "99999999999", "u", "u+q", "x+r", "u+r,", "r", "0o755"] {
            assert!(!is_mode(text), "{text}");
        }
    }
}
