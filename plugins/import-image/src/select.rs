//! Which tags of a repository are meant.
//!
//! Names and patterns, a regular expression and a range of versions are held against each tag, and
//! all that are given must agree; then the excluded ones go, then the newest are taken. A name in
//! `tags` is taken as it is, so that one that is not there fails by itself, and where there are only
//! names no list is asked for.
//!
//! Tags that stand for what refers to other images (`sha256-…`) are never meant: `referrers` decides
//! about those.

use images::{Choice, is_referrer_tag, version};
use regex_lite::Regex;
use semver::VersionReq;
use windlass_plugin::{Error, Result};

use crate::glob;
use crate::inputs::Inputs;

/// Some tags of a repository are shown if none of them was meant.
const SHOWN: usize = 5;

/// What the inputs say of tags.
#[derive(Debug)]
pub struct Selection<'a> {
    tags: &'a [String],
    all: bool,
    regex: Option<Regex>,
    range: Option<VersionReq>,
    exclude: &'a [String],
    newest: Option<usize>,
}

impl<'a> Selection<'a> {
    /// What the inputs say; none if they speak of single images.
    ///
    /// # Errors
    /// `invalid.inputs` for what is no expression or range, or contradicts itself.
    pub fn new(inputs: &'a Inputs) -> Result<Option<Self>> {
        let chooses = inputs.all_tags
            || !inputs.tags.is_empty()
            || inputs.tag_regex.is_some()
            || inputs.semver.is_some()
            || inputs.newest.is_some();
        if !chooses {
            return match inputs.exclude_tags.is_empty() {
                true => Ok(None),
                false => Err(Error::invalid("`exclude-tags` leaves tags out of none")
                    .hint("add `all-tags = true`, or choose with `tags`, `semver` or `newest`")),
            };
        }
        if inputs.all_tags && !inputs.tags.is_empty() {
            return Err(Error::invalid("`all-tags` and `tags` contradict each other")
                .hint("leave `all-tags` away"));
        }
        if inputs.newest == Some(0) {
            return Err(Error::invalid("`newest = 0` means no tag").hint("write at least 1"));
        }
        if let Some(empty) =
            inputs.tags.iter().chain(&inputs.exclude_tags).find(|tag| tag.is_empty())
        {
            return Err(Error::invalid(format!("`{empty}` is no tag and no pattern")));
        }
        Ok(Some(Self {
            tags: &inputs.tags,
            all: inputs.tags.is_empty(),
            regex: inputs.tag_regex.as_deref().map(whole_regex).transpose()?,
            range: inputs.semver.as_deref().map(range).transpose()?,
            exclude: &inputs.exclude_tags,
            newest: inputs.newest.map(|count| usize::try_from(count).unwrap_or(usize::MAX)),
        }))
    }

    /// Whether the tags that are there must be known.
    #[must_use]
    pub fn needs_list(&self) -> bool {
        self.all || self.tags.iter().any(|tag| glob::is_pattern(tag))
    }

    /// The tags of `repository` that are meant, the oldest first; `present` are those that are there.
    ///
    /// # Errors
    /// `not-found.tags` if there is none: a pattern with a slip in it would copy nothing, quietly.
    pub fn choose(&self, repository: &str, present: &[String]) -> Result<Vec<String>> {
        let named = self.tags.iter().filter(|tag| !glob::is_pattern(tag));
        let found = present.iter().filter(|tag| {
            !is_referrer_tag(tag)
                && (self.all || self.tags.iter().any(|own| glob::matches(own, tag)))
        });
        let mut chosen: Vec<String> =
            named.chain(found).filter(|tag| self.fits(tag)).cloned().collect();
        version::sort(&mut chosen);
        chosen.dedup();
        if let Some(newest) = self.newest {
            let older = chosen.len().saturating_sub(newest);
            chosen.drain(..older);
        }
        if chosen.is_empty() {
            return Err(self.nothing(repository, present));
        }
        Ok(chosen)
    }

    fn fits(&self, tag: &str) -> bool {
        self.regex.as_ref().is_none_or(|regex| regex.is_match(tag))
            && self.range.as_ref().is_none_or(|range| {
                version::parse(tag).is_some_and(|version| range.matches(&version))
            })
            && !self.exclude.iter().any(|pattern| glob::matches(pattern, tag))
    }

    fn nothing(&self, repository: &str, present: &[String]) -> Error {
        let error = Error::new("not-found.tags", format!("no tag of `{repository}` is meant"));
        let mut tags: Vec<String> =
            present.iter().filter(|tag| !is_referrer_tag(tag)).cloned().collect();
        version::sort(&mut tags);
        let count = tags.len();
        let shown: Vec<String> =
            tags.iter().rev().take(SHOWN).map(|tag| format!("`{tag}`")).collect();
        match (self.needs_list(), count) {
            (false, _) => {
                error.hint("`exclude-tags`, `tag-regex` or `semver` leaves all of `tags` out")
            }
            (true, 0) => error.hint("there are no tags at all"),
            (true, 1) => error.hint(format!("its one tag is {}", shown.join(", "))),
            (true, count) => {
                error.hint(format!("it has {count} tags, the newest are {}", shown.join(", ")))
            }
        }
    }
}

fn whole_regex(text: &str) -> Result<Regex> {
    Choice::regex(text)
        .map_err(|wrong| Error::invalid(wrong).hint(r#"write it like `tag-regex = '1\.\d+'`"#))
}

fn range(text: &str) -> Result<VersionReq> {
    Choice::range(text).map_err(|wrong| {
        Error::invalid(wrong).hint(r#"write it like `semver = ">=1.2, <2"` or `semver = "~3.20"`"#)
    })
}

#[cfg(test)]
mod tests;
