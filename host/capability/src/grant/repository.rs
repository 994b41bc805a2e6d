//! Patterns of repositories, and what they are held against.

use std::{collections::BTreeSet, fmt};

use super::{GrantError, folder, name::matches_wildcard};

/// The registry that a reference without a host means.
const DOCKER_HUB: &str = "docker.io";

/// What Docker Hub's own images are under.
const DOCKER_LIBRARY: &str = "library";

/// Other names of Docker Hub.
const DOCKER_ALIASES: [&str; 2] = ["index.docker.io", "registry-1.docker.io"];

/// How a layout is told from a registry.
const LAYOUT: &str = "oci-layout:";

/// How the archives are told, which are files.
const OCI_ARCHIVE: &str = "oci-archive:";
const DOCKER_ARCHIVE: &str = "docker-archive:";

/// One repository of a registry, one layout directory or one archive: the value that a grant is asked
/// for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RepositoryId {
    /// `HOST[:PORT]/REPOSITORY`.
    Registry {
        /// Host and port, lower case; Docker Hub is always `docker.io`.
        host: String,
        /// The repository's name; Docker's own images with their `library/`.
        name: String,
    },
    /// A directory relative to the workspace, without `.` and `..`.
    Layout {
        /// The path with `/`; empty for the workspace itself.
        path: String,
    },
    /// A file relative to the workspace, without `.` and `..`. All that is in it is one: whoever
    /// writes one image writes the file.
    Archive {
        /// How the file is built.
        format: ArchiveFormat,
        /// The path with `/`.
        path: String,
    },
}

/// How a file of images is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ArchiveFormat {
    /// An OCI layout in a tar archive.
    Oci,
    /// What `docker save` writes.
    Docker,
}

/// `host[:port]/repository` with `*` (a segment, or part of one) and `**` (any segments).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RepositoryPattern(RepositoryId);

/// The repositories that a grant names. A step may name ten thousand and ask for each of them, so
/// those that are written out are not gone through one by one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repositories {
    named: BTreeSet<RepositoryId>,
    patterns: Vec<RepositoryPattern>,
}

impl Repositories {
    /// Whether `repository` is among them.
    pub(crate) fn have(&self, repository: &RepositoryId) -> bool {
        self.named.contains(repository)
            || self.patterns.iter().any(|pattern| pattern.matches(repository))
    }
}

impl FromIterator<RepositoryPattern> for Repositories {
    fn from_iter<I: IntoIterator<Item = RepositoryPattern>>(patterns: I) -> Self {
        let mut all = Self::default();
        for pattern in patterns {
            match pattern.is_literal() {
                true => _ = all.named.insert(pattern.0),
                false => all.patterns.push(pattern),
            }
        }
        all
    }
}

impl RepositoryId {
    /// The repository of a place. Read once: what is held against a grant is what is opened.
    ///
    /// # Errors
    /// If a path would leave the workspace.
    pub fn of(place: &oci::Place) -> Result<Self, GrantError> {
        match place {
            oci::Place::Registry(reference) => {
                let (host, name) = (reference.registry(), reference.repository());
                Ok(registry(host.as_str(), name.as_str()))
            }
            oci::Place::Layout(_) | oci::Place::OciArchive(_) | oci::Place::DockerArchive(_) => {
                Self::parse(&place.name())
            }
        }
    }

    /// The repository that a reference names; tag and digest are left aside.
    ///
    /// # Errors
    /// If there is no repository in it, or a layout's path would leave the workspace.
    pub fn parse(reference: &str) -> Result<Self, GrantError> {
        let repository = split(reference)?;
        // A directory may have a star in its name; a repository cannot.
        let is_pattern = match &repository {
            Self::Registry { host, name } => host.contains('*') || name.contains('*'),
            Self::Layout { .. } | Self::Archive { .. } => false,
        };
        match is_pattern {
            true => Err(GrantError::new(
                format!("`{reference}` is a pattern, not one repository"),
                "write the repository out",
            )),
            false => Ok(repository),
        }
    }
}

impl fmt::Display for RepositoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry { host, name } => write!(f, "{host}/{name}"),
            Self::Layout { path } if path.is_empty() => write!(f, "{LAYOUT}."),
            Self::Layout { path } => write!(f, "{LAYOUT}{path}"),
            Self::Archive { format, path } => write!(f, "{}{path}", format.prefix()),
        }
    }
}

impl ArchiveFormat {
    fn prefix(self) -> &'static str {
        match self {
            Self::Oci => OCI_ARCHIVE,
            Self::Docker => DOCKER_ARCHIVE,
        }
    }

    /// The file that `text` without its prefix names, as [`oci::Place`] reads it.
    fn file(self, text: &str) -> &str {
        match self {
            Self::Oci => without_selector(text),
            // A name of an image may follow, which has colons of its own; or a digest alone.
            Self::Docker => {
                let file = text.split(':').next().unwrap_or_default();
                let digest = ["@sha256", "@sha512"].into_iter();
                digest.filter_map(|word| file.strip_suffix(word)).next().unwrap_or(file)
            }
        }
    }
}

impl RepositoryPattern {
    /// Parses a pattern; a whole reference is narrowed to its repository.
    pub(crate) fn parse(text: &str) -> Result<Self, GrantError> {
        if text.chars().all(|c| matches!(c, '*' | '/')) {
            return Err(GrantError::new(
                format!("`{text}` would be every repository of every registry"),
                "name the registry, such as `registry.example/**`",
            ));
        }
        let pattern = split(text)?;
        if let RepositoryId::Registry { host, .. } = &pattern
            && host.strip_prefix("*.").unwrap_or(host).contains('*')
        {
            return Err(GrantError::new(
                format!("`{text}` has a `*` inside the host"),
                "`*` can only stand for the first labels of a host: `*.registry.example/**`",
            ));
        }
        Ok(Self(pattern))
    }

    /// Whether it means one repository, the one that it spells.
    fn is_literal(&self) -> bool {
        match &self.0 {
            RepositoryId::Registry { host, name } => !host.contains('*') && !name.contains('*'),
            RepositoryId::Layout { path } | RepositoryId::Archive { path, .. } => {
                !path.contains('*')
            }
        }
    }

    /// Whether `repository` is meant.
    pub(crate) fn matches(&self, repository: &RepositoryId) -> bool {
        match (&self.0, repository) {
            (
                RepositoryId::Registry { host: own_host, name: own_name },
                RepositoryId::Registry { host, name },
            ) => matches_host(own_host, host) && matches_path(own_name, name),
            (RepositoryId::Layout { path: own }, RepositoryId::Layout { path }) => {
                matches_path(own, path)
            }
            (
                RepositoryId::Archive { format: own_format, path: own },
                RepositoryId::Archive { format, path },
            ) => own_format == format && matches_path(own, path),
            (
                RepositoryId::Registry { .. }
                | RepositoryId::Layout { .. }
                | RepositoryId::Archive { .. },
                _,
            ) => false,
        }
    }
}

/// A repository of a registry. Docker Hub has several names, and one word there is its own.
fn registry(host: &str, name: &str) -> RepositoryId {
    let lower = host.to_ascii_lowercase();
    let is_hub = lower == DOCKER_HUB || DOCKER_ALIASES.contains(&lower.as_str());
    let name = match is_hub && !name.contains('/') && name != "**" {
        true => format!("{DOCKER_LIBRARY}/{name}"),
        false => name.to_owned(),
    };
    let host = match (is_hub, is_named(&lower)) {
        (true, _) => DOCKER_HUB.to_owned(),
        (false, true) => lower,
        // A host by its case alone.
        (false, false) => host.to_owned(),
    };
    RepositoryId::Registry { host, name }
}

/// Whether `first`, in lower case, is a host where it stands before a slash.
fn is_named(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost"
}

/// Host and name, as `docker` reads a reference: the first part is a host if it has a dot, a colon or
/// an upper-case letter, or is `localhost`.
fn split(text: &str) -> Result<RepositoryId, GrantError> {
    let refuse =
        |help: &str| Err(GrantError::new(format!("`{text}` is not a repository"), help.to_owned()));
    if let Some(path) = text.strip_prefix(LAYOUT) {
        let path = folder::normalize(without_selector(path)).map_err(|problem| {
            GrantError::new(format!("`{text}` is not a layout: {problem}"), folder::HELP)
        })?;
        return Ok(RepositoryId::Layout { path });
    }
    for format in [ArchiveFormat::Oci, ArchiveFormat::Docker] {
        if let Some(rest) = text.strip_prefix(format.prefix()) {
            let path = match folder::normalize(format.file(rest)) {
                Ok(path) if path.is_empty() => Err("it is a folder"),
                path => path,
            };
            let path = path.map_err(|problem| {
                GrantError::new(format!("`{text}` is not an archive: {problem}"), folder::HELP)
            })?;
            return Ok(RepositoryId::Archive { format, path });
        }
    }
    if let Some((_, rest)) = text.split_once("://") {
        return refuse(&format!("leave the scheme away: `{rest}`"));
    }
    let bare = without_selector(text);
    let (host, name) = match bare.split_once('/') {
        Some((host, name)) if is_named(host) || host.to_ascii_lowercase() != host => (host, name),
        Some(_) | None => (DOCKER_HUB, bare),
    };
    let repository = registry(host, name);
    let RepositoryId::Registry { host, name } = &repository else { return Ok(repository) };
    let is_host =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '*');
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '*');
    let segments_are_names =
        name.split('/').all(|part| !part.is_empty() && part.chars().all(is_name));
    match host.chars().all(is_host) && segments_are_names {
        true => Ok(repository),
        false => refuse("write it as `registry.example/team/app`, with `*` or `**` for parts"),
    }
}

/// Cuts `@DIGEST`, and `:TAG` behind the last slash. A path may hold an `@` of its own.
fn without_selector(text: &str) -> &str {
    let text = match text.rsplit_once('@') {
        Some((name, digest)) if digest.contains(':') && !digest.contains('/') => name,
        _ => text,
    };
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') && !is_port(name, tag) => name,
        _ => text,
    }
}

/// `localhost:5000` alone is a host with its port, which the caller refuses for having no repository.
fn is_port(name: &str, tag: &str) -> bool {
    !name.contains('/') && name == "localhost" && tag.chars().all(|c| c.is_ascii_digit())
}

fn matches_host(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        None => pattern == host,
    }
}

/// Segment by segment; `**` stands for any number of them. Goes back only to the last `**`.
pub(super) fn matches_path(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    let (mut at, mut in_path) = (0, 0);
    let mut last_stars: Option<(usize, usize)> = None;
    while let Some(&segment) = path.get(in_path) {
        match pattern.get(at) {
            Some(&"**") => {
                last_stars = Some((at, in_path));
                at += 1;
            }
            Some(own) if matches_wildcard(own, segment) => {
                at += 1;
                in_path += 1;
            }
            Some(_) | None => match &mut last_stars {
                Some((stars, taken)) => {
                    *taken += 1;
                    at = *stars + 1;
                    in_path = *taken;
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|segment| *segment == "**"))
}
