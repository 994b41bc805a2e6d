//! Places: where an image comes from and where it goes.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::{Digest, Reference, ReferenceError, Selector, Tag};

/// What marks a layout directory.
const LAYOUT: &str = "oci-layout:";

/// A place that holds images, and which of them is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// In a registry: `HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]`.
    Registry(Reference),
    /// In an OCI layout directory: `oci-layout:PATH[:TAG][@DIGEST]`.
    Layout(LayoutPlace),
}

/// A layout directory, and which of its images is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LayoutPlace {
    /// As written; what it is relative to is the caller's business.
    pub path: PathBuf,
    /// The tag, if one was written.
    pub tag: Option<Tag>,
    /// The digest, if one was written.
    pub digest: Option<Digest>,
}

/// Why a text is not a place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Not a reference either.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// `oci-layout:` and nothing behind it.
    #[error("`{0}` names no directory, expected `oci-layout:PATH[:TAG][@DIGEST]`")]
    NoPath(String),
    /// Another tool's word for a place.
    #[error("`{text}` is not a place, expected a reference or `oci-layout:PATH[:TAG][@DIGEST]`")]
    Transport {
        /// The whole text.
        text: String,
        /// How it is written here.
        instead: Option<String>,
    },
}

impl PlaceError {
    /// What to type instead, where it is known.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Reference(error) => error.help(),
            Self::NoPath(_) => None,
            Self::Transport { instead, .. } => {
                instead.as_ref().map(|instead| format!("write `{instead}`"))
            }
        }
    }
}

impl Place {
    /// The digest, else the tag, else `latest`.
    pub fn selector(&self) -> Selector {
        Selector::of(self.tag(), self.digest())
    }

    /// The tag, if one was written.
    pub fn tag(&self) -> Option<&Tag> {
        match self {
            Self::Registry(reference) => reference.tag(),
            Self::Layout(layout) => layout.tag.as_ref(),
        }
    }

    /// The digest, if one was written.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Registry(reference) => reference.digest(),
            Self::Layout(layout) => layout.digest.as_ref(),
        }
    }

    /// The place without tag and digest: `HOST[:PORT]/REPOSITORY`, `oci-layout:PATH`.
    pub fn name(&self) -> String {
        match self {
            Self::Registry(reference) => reference.name(),
            Self::Layout(layout) => format!("{LAYOUT}{}", layout.path.display()),
        }
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        if let Some(rest) = text.strip_prefix(LAYOUT) {
            return layout(text, rest).map(Self::Layout);
        }
        // Skopeo's words, which people have in their fingers.
        if let Some(path) = text.strip_prefix("oci:") {
            let instead = Some(format!("{LAYOUT}{path}"));
            return Err(PlaceError::Transport { text: text.to_owned(), instead });
        }
        if text.starts_with(['.', '/']) {
            let instead = Some(format!("{LAYOUT}{text}"));
            return Err(PlaceError::Transport { text: text.to_owned(), instead });
        }
        Ok(Self::Registry(text.parse()?))
    }
}

fn layout(whole: &str, rest: &str) -> Result<LayoutPlace, PlaceError> {
    // A path may hold `@` and `:`; only what looks like a digest or stands behind the last slash is
    // taken off.
    let (rest, digest) = match rest.rsplit_once('@') {
        Some((rest, digest)) if digest.contains(':') => {
            (rest, Some(digest.parse().map_err(ReferenceError::from)?))
        }
        _ => (rest, None),
    };
    let (path, tag) = match rest.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag.parse::<Tag>()?)),
        _ => (rest, None),
    };
    if path.is_empty() {
        return Err(PlaceError::NoPath(whole.to_owned()));
    }
    Ok(LayoutPlace { path: PathBuf::from(path), tag, digest })
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        if let Some(tag) = self.tag() {
            write!(f, ":{tag}")?;
        }
        self.digest().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_place_is_a_reference_or_a_layout() {
        let check = |text: &str, name: &str, selector: &str| {
            let place: Place = text.parse().unwrap();
            assert_eq!(
                (place.name().as_str(), place.selector().to_string().as_str()),
                (name, selector)
            );
        };
        check("localhost:5000/a/b:1", "localhost:5000/a/b", "1");
        check("node:9-alpine", "docker.io/library/node", "9-alpine");
        check("oci-layout:out", "oci-layout:out", "latest");
        check("oci-layout:./a/b:v1", "oci-layout:./a/b", "v1");
        check("oci-layout:/a:b/c", "oci-layout:/a:b/c", "latest");
        check(&format!("oci-layout:a@b:v1@{DIGEST}"), "oci-layout:a@b", DIGEST);
    }

    #[test]
    fn other_spellings_are_refused_with_ours() {
        let help = |text: &str| text.parse::<Place>().unwrap_err().help();
        assert_eq!(help("oci:dir:v1").unwrap(), "write `oci-layout:dir:v1`");
        assert_eq!(help("./dir").unwrap(), "write `oci-layout:./dir`");
        assert_eq!(help("docker://a/b").unwrap(), "write `a/b`");
        assert!("oci-layout:".parse::<Place>().is_err());
        assert!("oci-layout::v1".parse::<Place>().is_err());
        assert!("oci-layout:a:b c".parse::<Place>().is_err());
        assert!("oci-layout:a@sha256:12".parse::<Place>().is_err());
    }
}
