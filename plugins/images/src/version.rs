//! Tags that are versions, and the order of those that are not.

use std::cmp::Ordering;

use semver::Version;

/// The version that a tag says, if it says one: `v` in front is left out, missing parts are 0, and
/// what stands behind a dash is a pre-release, as in `1.22-alpine`.
#[must_use]
pub fn parse(tag: &str) -> Option<Version> {
    let text = tag.strip_prefix('v').unwrap_or(tag);
    let (core, rest) = text.split_at(text.find(['-', '+']).unwrap_or(text.len()));
    let mut numbers: Vec<u64> =
        core.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    if numbers.len() > 3 {
        return None;
    }
    numbers.resize(3, 0);
    let core: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    Version::parse(&format!("{}{rest}", core.join("."))).ok()
}

/// Sorts tags from the oldest to the newest: by version if all of them are versions, else by name.
pub fn sort(tags: &mut [String]) {
    match tags.iter().all(|tag| parse(tag).is_some()) {
        // Of `1` and `1.0.0` the one that says more is the newer one.
        true => tags.sort_by_cached_key(|tag| (parse(tag), tag.len(), tag.clone())),
        false => tags.sort_by(|a, b| natural(a, b).then_with(|| a.cmp(b))),
    }
}

/// By name, with the numbers in it by their value.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (one, other) = (number(a), number(b));
        if let (Some((one, rest_a)), Some((other, rest_b))) = (one, other) {
            match one.len().cmp(&other.len()).then_with(|| one.cmp(other)) {
                Ordering::Equal => (a, b) = (rest_a, rest_b),
                order @ (Ordering::Less | Ordering::Greater) => return order,
            }
            continue;
        }
        let (mut left, mut right) = (a.chars(), b.chars());
        match (left.next(), right.next()) {
            (Some(x), Some(y)) if x == y => (a, b) = (left.as_str(), right.as_str()),
            (x, y) => return x.cmp(&y),
        }
    }
}

/// The digits that `text` begins with, without leading zeros, and what follows.
fn number(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    (!digits.is_empty()).then(|| (digits.trim_start_matches('0'), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_version_if_it_looks_like_one() {
        for (tag, expect) in [
            ("1.2.3", "1.2.3"),
            ("v1.2", "1.2.0"),
            ("22", "22.0.0"),
            ("1.22-alpine", "1.22.0-alpine"),
            ("2024.01.05", "2024.1.5"),
        ] {
            assert_eq!(parse(tag).expect(tag).to_string(), expect);
        }
        for tag in ["latest", "", "v", "1.2.3.4", "1..2", "1.x", "99999999999999999999", "1.2-_"] {
            assert_eq!(parse(tag), None, "{tag}");
        }
    }

    fn sorted(tags: &[&str]) -> Vec<String> {
        let mut tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        sort(&mut tags);
        tags
    }

    #[test]
    fn the_newest_comes_last() {
        assert_eq!(sorted(&["1.10", "v1.9", "1.9-rc.1"]), ["1.9-rc.1", "v1.9", "1.10"]);
        assert_eq!(sorted(&["1.0.0", "1", "1.0"]), ["1", "1.0", "1.0.0"]);
        assert_eq!(
            sorted(&["build-10", "build-9", "latest", "build-009-x"]),
            ["build-9", "build-009-x", "build-10", "latest"]
        );
    }
}
