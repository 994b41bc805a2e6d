//! Patterns of tags: `*` for any characters, `?` for one.

/// Whether `tag` is one that `pattern` means.
///
/// Goes back to the last `*` at most, so that no pattern takes longer than the product of both
/// lengths.
#[must_use]
pub fn matches(pattern: &str, tag: &str) -> bool {
    let (pattern, tag) = (pattern.as_bytes(), tag.as_bytes());
    let (mut at, mut next) = (0, 0);
    let mut star = None;
    while let Some(byte) = tag.get(at) {
        match pattern.get(next) {
            Some(b'*') => {
                star = Some((next, at));
                next += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == byte => {
                next += 1;
                at += 1;
            }
            Some(_) | None => {
                let Some((place, from)) = star else { return false };
                star = Some((place, from + 1));
                next = place + 1;
                at = from + 1;
            }
        }
    }
    pattern.iter().skip(next).all(|rest| *rest == b'*')
}

/// Whether it can mean more than one tag.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_characters_and_a_question_mark_is_one() {
        for (pattern, tag, expect) in [
            ("1.*", "1.2", true),
            ("1.*", "1", false),
            ("1.*", "11.2", false),
            ("*", "", true),
            ("*-alpine", "3.20-alpine", true),
            ("*-alpine", "3.20-alpine3", false),
            ("v?.*.0", "v1.22.0", true),
            ("v?.*.0", "v12.0", false),
            ("a*b*c", "aXbXbXc", true),
            ("latest", "latest", true),
            ("latest", "Latest", false),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, tag), expect, "{pattern} {tag}");
        }
        assert!(!matches(&"*a".repeat(64), &"a".repeat(60)));
    }
}
