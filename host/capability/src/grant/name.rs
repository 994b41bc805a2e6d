//! Names of secrets and patterns over them.

use super::GrantError;

/// Longest name of a secret, in bytes: file systems take 255, `.age` and a temporary suffix included.
const LONGEST_NAME: usize = 128;

/// A name such as `pull-pwd`, or a pattern over names, in which `*` stands for any characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamePattern(String);

impl NamePattern {
    /// Parses a name or a pattern.
    pub(crate) fn parse(text: &str) -> Result<Self, GrantError> {
        match text.is_empty() || !text.chars().all(|c| is_name_character(c) || c == '*') {
            true => Err(GrantError::new(
                format!("`{text}` is not the name of a secret"),
                "write the name from `[secrets]`, such as `pull-pwd`, or a pattern such as `deploy-*`",
            )),
            false => Ok(Self(text.to_owned())),
        }
    }

    /// Whether `name` is meant.
    pub(crate) fn matches(&self, name: &str) -> bool {
        matches_wildcard(&self.0, name)
    }
}

/// Whether `name` can be the name of a secret: letters, digits, `-`, `_` and `.`, a letter or digit
/// first, at most 128 characters. Such a name is also a safe file name.
pub(crate) fn is_secret_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(is_name_character)
}

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// Whether `text` is `pattern`, in which `*` stands for any characters, also none.
///
/// Linear in the number of stars times the length: the pieces between stars are found from the left.
pub fn matches_wildcard(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some((_, behind)) = text.split_once(piece) else { return false };
        text = behind;
    }
    text.ends_with(last)
}
