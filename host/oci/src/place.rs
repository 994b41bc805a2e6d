//! Places: where an image comes from and where it goes.
//!
//! A place is written as one text, which says by a word in front what it is; without one it is a
//! reference. The words of other tools are understood well enough to say what to write instead.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::{Digest, Reference, ReferenceError, Selector, Tag};

/// What marks a layout directory.
const LAYOUT: &str = "oci-layout:";
/// What marks a layout in a tar archive.
const OCI_ARCHIVE: &str = "oci-archive:";
/// What marks an archive as `docker save` writes it.
const DOCKER_ARCHIVE: &str = "docker-archive:";

/// A place that holds images, and which of them is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// In a registry: `HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]`.
    Registry(Reference),
    /// In an OCI layout directory: `oci-layout:PATH[:TAG][@DIGEST]`.
    Layout(LayoutPlace),
    /// In a tar archive of an OCI layout: `oci-archive:FILE[:TAG][@DIGEST]`.
    OciArchive(LayoutPlace),
    /// In an archive as `docker save` writes it: `docker-archive:FILE[:REPOSITORY[:TAG]][@DIGEST]`.
    DockerArchive(DockerArchivePlace),
}

/// A layout, and which of its images is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LayoutPlace {
    /// The directory, or the file of an archive. As written; what it is relative to is the caller's
    /// business.
    pub path: PathBuf,
    /// The tag, if one was written.
    pub tag: Option<Tag>,
    /// The digest, if one was written.
    pub digest: Option<Digest>,
}

/// An archive of images that have names of their own, and which of them is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DockerArchivePlace {
    /// The file; has no colon. As written, as with a layout.
    pub path: PathBuf,
    /// What the image is called in it, without tag and digest, if that was written.
    pub repository: Option<Reference>,
    /// The tag, if one was written; only with a repository.
    pub tag: Option<Tag>,
    /// The digest, if one was written: that of the manifest that is made for the image.
    pub digest: Option<Digest>,
}

/// Why a text is not a place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Not a reference either.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The word, and no path behind it.
    #[error("`{text}` names no {noun}, expected `{expected}`")]
    NoPath {
        /// The whole text.
        text: String,
        /// What is missing: a file, a directory.
        noun: &'static str,
        /// The shape of such a place.
        expected: &'static str,
    },
    /// Another tool's word for a place.
    #[error(
        "`{text}` is not a place, expected a reference, or `oci-layout:`, `oci-archive:` or \
         `docker-archive:` and a path"
    )]
    Transport {
        /// The whole text.
        text: String,
        /// What to do instead.
        help: String,
    },
}

impl PlaceError {
    /// What to type instead, where it is known.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Reference(error) => error.help(),
            Self::NoPath { .. } => None,
            Self::Transport { help, .. } => Some(help.clone()),
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
            Self::Layout(layout) | Self::OciArchive(layout) => layout.tag.as_ref(),
            Self::DockerArchive(archive) => archive.tag.as_ref(),
        }
    }

    /// The digest, if one was written.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Registry(reference) => reference.digest(),
            Self::Layout(layout) | Self::OciArchive(layout) => layout.digest.as_ref(),
            Self::DockerArchive(archive) => archive.digest.as_ref(),
        }
    }

    /// The place without tag and digest: `HOST[:PORT]/REPOSITORY`, `oci-layout:PATH`,
    /// `oci-archive:FILE`, `docker-archive:FILE[:REPOSITORY]`.
    pub fn name(&self) -> String {
        match self {
            Self::Registry(reference) => reference.name(),
            Self::Layout(layout) => format!("{LAYOUT}{}", layout.path.display()),
            Self::OciArchive(layout) => format!("{OCI_ARCHIVE}{}", layout.path.display()),
            Self::DockerArchive(archive) => {
                let file = format!("{DOCKER_ARCHIVE}{}", archive.path.display());
                match &archive.repository {
                    Some(repository) => format!("{file}:{}", repository.name()),
                    None => file,
                }
            }
        }
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        if let Some(rest) = text.strip_prefix(LAYOUT) {
            let no_path = || no_path(text, "directory", "oci-layout:PATH[:TAG][@DIGEST]");
            return layout(rest)?.ok_or_else(no_path).map(Self::Layout);
        }
        if let Some(rest) = text.strip_prefix(OCI_ARCHIVE) {
            let no_path = || no_path(text, "file", "oci-archive:FILE[:TAG][@DIGEST]");
            return layout(rest)?.ok_or_else(no_path).map(Self::OciArchive);
        }
        if let Some(rest) = text.strip_prefix(DOCKER_ARCHIVE) {
            let expected = "docker-archive:FILE[:REPOSITORY[:TAG]][@DIGEST]";
            let no_path = || no_path(text, "file", expected);
            return docker_archive(text, rest)?.ok_or_else(no_path).map(Self::DockerArchive);
        }
        match instead(text) {
            Some(help) => Err(PlaceError::Transport { text: text.to_owned(), help }),
            None => Ok(Self::Registry(text.parse()?)),
        }
    }
}

fn no_path(text: &str, noun: &'static str, expected: &'static str) -> PlaceError {
    PlaceError::NoPath { text: text.to_owned(), noun, expected }
}

/// What to do about skopeo's words, which people have in their fingers, and about bare paths.
fn instead(text: &str) -> Option<String> {
    if let Some(path) = text.strip_prefix("oci:") {
        return Some(format!("write `{LAYOUT}{path}`"));
    }
    if let Some(path) = text.strip_prefix("dir:") {
        return Some(format!(
            "copy it into a layout with `skopeo copy dir:{path} oci:layout:v1`, and write \
             `{LAYOUT}layout:v1`"
        ));
    }
    if let Some(image) = text.strip_prefix("docker-daemon:") {
        return Some(format!(
            "save it with `docker save --output image.tar {image}`, and write \
             `{DOCKER_ARCHIVE}image.tar:{image}`"
        ));
    }
    if let Some(image) = text.strip_prefix("containers-storage:") {
        return Some(format!(
            "save it with `podman save --format oci-archive --output image.tar {image}`, and write \
             `{OCI_ARCHIVE}image.tar`"
        ));
    }
    if text.starts_with(['.', '/']) {
        return Some(match text.ends_with(".tar") {
            true => format!("write `{OCI_ARCHIVE}{text}` or `{DOCKER_ARCHIVE}{text}`"),
            false => format!("write `{LAYOUT}{text}`"),
        });
    }
    None
}

/// Takes `@DIGEST` off. A path may hold an `@` too, so that only what has a colon is taken for one.
fn split_digest(text: &str) -> Result<(&str, Option<Digest>), PlaceError> {
    match text.rsplit_once('@') {
        Some((rest, digest)) if digest.contains(':') && !digest.contains('/') => {
            Ok((rest, Some(digest.parse().map_err(ReferenceError::from)?)))
        }
        _ => Ok((text, None)),
    }
}

fn layout(rest: &str) -> Result<Option<LayoutPlace>, PlaceError> {
    let (rest, digest) = split_digest(rest)?;
    // A path may hold a colon too; a tag stands behind the last slash.
    let (path, tag) = match rest.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag.parse::<Tag>()?)),
        _ => (rest, None),
    };
    let place = LayoutPlace { path: PathBuf::from(path), tag, digest };
    Ok((!path.is_empty()).then_some(place))
}

fn docker_archive(whole: &str, rest: &str) -> Result<Option<DockerArchivePlace>, PlaceError> {
    // Here the path ends with the first colon: what follows may hold some itself.
    let (path, image) = match rest.split_once(':') {
        // The colon of a digest, with the file alone before it.
        Some((before, _)) if ends_in_algorithm(before) => (rest, None),
        Some((path, image)) => (path, Some(image)),
        None => (rest, None),
    };
    if image.is_some_and(|image| image.starts_with('@')) {
        let help = "name the image by its repository and tag, or write the archive alone if it has \
                    only one";
        return Err(PlaceError::Transport { text: whole.to_owned(), help: help.to_owned() });
    }
    let place = match image {
        Some(image) => {
            let reference: Reference = image.parse()?;
            DockerArchivePlace {
                path: PathBuf::from(path),
                tag: reference.tag().cloned(),
                digest: reference.digest().copied(),
                repository: Some(Reference::new(
                    reference.registry().clone(),
                    reference.repository().clone(),
                )),
            }
        }
        None => {
            let (path, digest) = split_digest(path)?;
            DockerArchivePlace { path: PathBuf::from(path), repository: None, tag: None, digest }
        }
    };
    let is_none = place.path.as_os_str().is_empty();
    Ok((!is_none).then_some(place))
}

/// `FILE@sha256`, of which the digits follow.
fn ends_in_algorithm(text: &str) -> bool {
    let behind = text.rsplit_once('@').map(|(_, word)| word);
    behind.is_some_and(|word| crate::Algorithm::parse(word).is_some())
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
mod tests;
