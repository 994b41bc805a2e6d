//! Patterns of repositories, and what they are held against.

use std::fmt;

use super::{GrantError, folder, name::matches_wildcard};

/// The registry that a reference without a host means.
const DOCKER_HUB: &str = "docker.io";

/// What Docker Hub's own images are under.
const DOCKER_LIBRARY: &str = "library";

/// Other names of Docker Hub.
const DOCKER_ALIASES: [&str; 2] = ["index.docker.io", "registry-1.docker.io"];

/// How a layout is told from a registry.
const LAYOUT: &str = "oci-layout:";

/// One repository of a registry, or one layout directory: the value that a grant is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
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
}

/// `host[:port]/repository` with `*` (a segment, or part of one) and `**` (any segments).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RepositoryPattern(RepositoryId);

impl RepositoryId {
    /// The repository that a reference names; tag and digest are left aside.
    ///
    /// # Errors
    /// If there is no repository in it, or a layout's path would leave the workspace.
    pub fn parse(reference: &str) -> Result<Self, GrantError> {
        let repository = split(reference)?;
        // A directory may have a star in its name; a repository cannot.
        let is_pattern = match &repository {
            Self::Registry { host, name } => host.contains('*') || name.contains('*'),
            Self::Layout { .. } => false,
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
            (RepositoryId::Registry { .. }, RepositoryId::Layout { .. })
            | (RepositoryId::Layout { .. }, RepositoryId::Registry { .. }) => false,
        }
    }
}

/// Host and name, as `docker` reads a reference: the first part is a host if it has a dot or a colon,
/// or is `localhost`.
fn split(text: &str) -> Result<RepositoryId, GrantError> {
    let refuse =
        |help: &str| Err(GrantError::new(format!("`{text}` is not a repository"), help.to_owned()));
    if let Some(path) = text.strip_prefix(LAYOUT) {
        let path = folder::normalize(without_selector(path)).map_err(|problem| {
            GrantError::new(format!("`{text}` is not a layout: {problem}"), folder::HELP)
        })?;
        return Ok(RepositoryId::Layout { path });
    }
    if let Some((_, rest)) = text.split_once("://") {
        return refuse(&format!("leave the scheme away: `{rest}`"));
    }
    let bare = without_selector(text);
    let (host, name) = match bare.split_once('/') {
        Some((host, name)) if host.contains(['.', ':']) || host == "localhost" => (host, name),
        Some(_) | None => (DOCKER_HUB, bare),
    };
    let host = host.to_ascii_lowercase();
    let is_hub = host == DOCKER_HUB || DOCKER_ALIASES.contains(&host.as_str());
    let name = match is_hub && !name.contains('/') && name != "**" {
        true => format!("{DOCKER_LIBRARY}/{name}"),
        false => name.to_owned(),
    };
    let host = if is_hub { DOCKER_HUB.to_owned() } else { host };
    let is_host =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '*');
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '*');
    let segments_are_names =
        name.split('/').all(|part| !part.is_empty() && part.chars().all(is_name));
    match host.chars().all(is_host) && segments_are_names {
        true => Ok(RepositoryId::Registry { host, name }),
        false => refuse("write it as `registry.example/team/app`, with `*` or `**` for parts"),
    }
}

/// Cuts `@DIGEST`, and `:TAG` behind the last slash.
fn without_selector(text: &str) -> &str {
    let text = text.split_once('@').map_or(text, |(name, _)| name);
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
