//! Which tags are meant, and which of them is the newest.

use regex_lite::Regex;
use semver::{Version, VersionReq};

use crate::version;

/// The hexadecimal digits of the shortest digest that is in use.
const SHORTEST_HEX: usize = 64;

/// A rule for tags: a regular expression, a range of versions, or both.
///
/// The expression matches a tag as a whole. If it has a group, the version of the tag is what the
/// first one holds, so that `(.*)-alpine` makes the version 3.20.1 of `3.20.1-alpine`; else the
/// version is the tag.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    regex: Option<Regex>,
    range: Option<VersionReq>,
}

impl Choice {
    /// Reads both.
    ///
    /// # Errors
    /// A clause that says what is wrong with which key.
    pub fn new(regex: Option<&str>, range: Option<&str>) -> Result<Self, String> {
        Ok(Self {
            regex: regex.map(Self::regex).transpose()?,
            range: range.map(Self::range).transpose()?,
        })
    }

    /// An expression that matches a whole tag.
    ///
    /// # Errors
    /// A clause that says what is wrong.
    pub fn regex(text: &str) -> Result<Regex, String> {
        Regex::new(&format!("^(?:{text})$"))
            .map_err(|error| format!("`tag-regex` is no regular expression: {error}"))
    }

    /// A range of versions.
    ///
    /// # Errors
    /// A clause that says what is wrong.
    pub fn range(text: &str) -> Result<VersionReq, String> {
        VersionReq::parse(text)
            .map_err(|error| format!("`semver` is no range of versions: {error}"))
    }

    /// Whether `tag` is meant.
    #[must_use]
    pub fn allows(&self, tag: &str) -> bool {
        self.key(tag).is_some()
    }

    /// The newest of the tags that are meant: by version where all of these are versions, else by
    /// name, numbers in it by their value. Tags that stand for referrers are never meant.
    #[must_use]
    pub fn newest<'a>(&self, tags: &'a [String]) -> Option<&'a str> {
        let meant = tags.iter().filter_map(|tag| Some((self.key(tag)?, tag.as_str())));
        let meant: Vec<(String, &str)> = meant.collect();
        let mut keys: Vec<String> = meant.iter().map(|(key, _)| key.clone()).collect();
        version::sort(&mut keys);
        let newest = keys.last()?;
        // Of two tags with one key the longer name says more.
        let best = meant.iter().filter(|(key, _)| key == newest).map(|(_, tag)| *tag);
        best.max_by_key(|tag| (tag.len(), *tag))
    }

    /// Whether `tag` comes behind `other`, both of them being meant.
    #[must_use]
    pub fn is_newer(&self, tag: &str, other: &str) -> bool {
        let both = [tag.to_owned(), other.to_owned()];
        tag != other && self.newest(&both) == Some(tag)
    }

    /// What a tag is ordered by; none if it is not meant.
    fn key(&self, tag: &str) -> Option<String> {
        if is_referrer_tag(tag) {
            return None;
        }
        let key = match &self.regex {
            Some(regex) => {
                let found = regex.captures(tag)?;
                found.get(1).map_or(tag, |group| group.as_str()).to_owned()
            }
            None => tag.to_owned(),
        };
        let fits = |range: &VersionReq| {
            version::parse(&key).is_some_and(|version: Version| range.matches(&version))
        };
        self.range.as_ref().is_none_or(fits).then_some(key)
    }
}

/// Whether a tag stands for what refers to another image: `sha256-HEX`, with `.sig` and the like
/// behind it or without.
#[must_use]
pub fn is_referrer_tag(tag: &str) -> bool {
    let Some((algorithm, rest)) = tag.split_once('-') else { return false };
    let hex = rest.split('.').next().unwrap_or_default();
    matches!(algorithm, "sha256" | "sha512")
        && hex.len() >= SHORTEST_HEX
        && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(regex: Option<&str>, range: Option<&str>, tags: &[&str]) -> Option<String> {
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        Choice::new(regex, range).unwrap().newest(&tags).map(str::to_owned)
    }

    #[test]
    fn the_newest_version_of_a_range_is_chosen() {
        let tags = ["1.9", "1.10", "v1.10.1", "2.0", "latest", "1.11-rc.1"];
        assert_eq!(newest(None, Some(">=1, <2"), &tags).as_deref(), Some("v1.10.1"));
        assert_eq!(newest(None, Some(">=3"), &tags), None);
        assert_eq!(newest(None, Some("^1.11.0-rc"), &tags).as_deref(), Some("1.11-rc.1"));
    }

    #[test]
    fn a_group_of_the_expression_is_the_version() {
        let tags = ["3.9-alpine", "3.10-alpine", "3.11", "3.12-slim", "4.0-alpine"];
        let alpine = newest(Some("(.*)-alpine"), Some("<4"), &tags);
        assert_eq!(alpine.as_deref(), Some("3.10-alpine"));
        assert_eq!(newest(Some(r"build-\d+"), None, &["build-9", "build-10"]).unwrap(), "build-10");
        // One that takes no part in the match leaves the tag.
        assert_eq!(newest(Some(r"(v)?\d+"), None, &["8", "9"]).as_deref(), Some("9"));
    }

    #[test]
    fn newer_is_what_would_be_chosen() {
        let choice = Choice::new(None, Some(">=1")).unwrap();
        assert!(choice.is_newer("1.10", "1.9") && !choice.is_newer("1.9", "1.10"));
        assert!(!choice.is_newer("1.9", "1.9"));
    }

    #[test]
    fn referrers_are_never_meant() {
        let tag = format!("sha256-{}.sig", "a".repeat(64));
        assert!(is_referrer_tag(&tag) && !is_referrer_tag("sha256-short"));
        assert_eq!(newest(None, None, &[&tag, "1"]).as_deref(), Some("1"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert!(Choice::new(Some("("), None).unwrap_err().contains("`tag-regex`"));
        assert!(Choice::new(None, Some("newest")).unwrap_err().contains("`semver`"));
    }
}
