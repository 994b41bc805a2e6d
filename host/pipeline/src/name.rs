//! Names that a pipeline file gives: ids of steps, names of inputs, secrets and matrix variables.
//!
//! One rule for all of them: lower-case letters, digits and dashes, a letter first. In a template a
//! dash would be a minus, so each name with dashes is also known there with underscores: the step
//! `build-app` is `steps.build_app` or `steps["build-app"]`. As a name has no underscores of its
//! own, the two never collide.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::limits;

/// The id of a step, as `id = "…"` gives it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepId(Arc<str>);

impl StepId {
    /// The id that `text` is.
    ///
    /// # Errors
    /// [`NameError`] if it does not follow the rule for names.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check_name(text)?;
        Ok(Self(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for StepId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for StepId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl AsRef<str> for StepId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for StepId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NameError {
    /// A clause that follows "because": `names start with a lower-case letter`.
    pub reason: &'static str,
    /// The nearest name that would do.
    pub suggestion: Option<String>,
}

/// Checks the rule for names.
pub(crate) fn check_name(text: &str) -> Result<(), NameError> {
    let reason = if text.is_empty() {
        "a name cannot be empty"
    } else if text.chars().count() > limits::NAME_CHARS {
        "a name has at most 64 characters"
    } else if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        "a name starts with a lower-case letter"
    } else if !text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') {
        "a name has only lower-case letters, digits and dashes"
    } else {
        return Ok(());
    };
    Err(NameError { reason, suggestion: suggest(text) })
}

/// Whether `written` in a template means `name`.
pub(crate) fn means(written: &str, name: &str) -> bool {
    written == name
        || (written.len() == name.len()
            && written.bytes().zip(name.bytes()).all(|(w, n)| w == n || (w == b'_' && n == b'-')))
}

/// `text` bent into a name.
fn suggest(text: &str) -> Option<String> {
    let bent: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(limits::NAME_CHARS)
        .collect();
    let bent = bent.trim_start_matches(|c: char| !c.is_ascii_lowercase()).trim_end_matches('-');
    (!bent.is_empty() && bent != text).then(|| bent.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_name_says_why_and_what_would_do() {
        let error = StepId::parse("Build App").unwrap_err();
        assert_eq!(error.reason, "a name starts with a lower-case letter");
        assert_eq!(error.suggestion.as_deref(), Some("build-app"));
        assert_eq!(StepId::parse("my_step").unwrap_err().suggestion.as_deref(), Some("my-step"));
        assert_eq!(StepId::parse("7").unwrap_err().suggestion, None);
        assert_eq!(StepId::parse("").unwrap_err().reason, "a name cannot be empty");
        assert!(StepId::parse(&"a".repeat(65)).is_err());
        assert!(StepId::parse("build-2").is_ok());
    }

    #[test]
    fn underscores_in_templates_stand_for_dashes() {
        assert!(means("build_app", "build-app"));
        assert!(means("build-app", "build-app"));
        assert!(!means("build_apps", "build-app"));
        assert!(!means("build-app", "build_app"));
    }
}
