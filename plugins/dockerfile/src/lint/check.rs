//! What `# check=` says.

use super::Rule;
use crate::word::Word;

/// What `# check=` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// `skip=all`
    pub skip_all: bool,
    /// `skip=`, by name.
    pub skip: Vec<String>,
    /// `experimental=all`
    pub experimental_all: bool,
    /// `experimental=`, by name.
    pub experimental: Vec<String>,
    /// `error=true`: a warning fails the build.
    pub error: bool,
}

impl Check {
    /// Reads `skip=A,B;experimental=C;error=true`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut check = Self::default();
        // What follows a blank is a remark.
        let text = text.split_whitespace().next().unwrap_or_default();
        for option in text.splitn(3, ';').filter(|_| !text.is_empty()) {
            let names = |value: &str| value.split(',').map(|name| name.trim().to_owned()).collect();
            match option.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
                Some(("skip", "all")) => check.skip_all = true,
                Some(("skip", value)) => check.skip = names(value),
                Some(("experimental", "all")) => check.experimental_all = true,
                Some(("experimental", value)) => check.experimental = names(value),
                Some(("error", value)) => {
                    check.error = crate::flag::boolean(value)
                        .ok_or_else(|| format!("`error` is `{value}`, expected true or false"))?;
                }
                _ => return Err(format!("`{option}` is no option of `check`")),
            }
        }
        Ok(check)
    }

    /// Whether a warning of this rule is shown.
    pub fn shows(&self, rule: Rule) -> bool {
        let named = |names: &[String]| names.iter().any(|name| name == rule.name());
        if rule == Rule::InvalidDefinitionDescription {
            self.experimental_all || named(&self.experimental)
        } else {
            !self.skip_all && !named(&self.skip)
        }
    }

    /// With what the first `# check=` among the comments above an instruction adds.
    #[must_use]
    pub(crate) fn with_comments(&self, comments: &[Word]) -> Self {
        let mut merged = self.clone();
        let said = comments.iter().find_map(|comment| {
            let (key, value) = comment.text.split_once('=')?;
            (key.trim().eq_ignore_ascii_case("check")).then(|| value.trim())
        });
        if let Some(more) = said.and_then(|said| Self::parse(said).ok()) {
            merged.skip_all |= more.skip_all;
            merged.skip.extend(more.skip);
            merged.experimental_all |= more.experimental_all;
            merged.experimental.extend(more.experimental);
        }
        merged
    }
}
