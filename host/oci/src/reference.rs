//! References: how an image is named.
//!
//! The grammar is that of distribution/reference:
//! `[HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]`, and Docker Hub's rules fill in what is left out: no
//! host is `docker.io`, one word there is `library/WORD`, `index.docker.io` is `docker.io`.
//! A [`Reference`] is checked once, here, and never a string again.

use std::fmt;
use std::str::FromStr;

use crate::{Digest, DigestError};

/// What is meant where no registry is named.
const DOCKER_HUB: &str = "docker.io";
/// Where the API of Docker Hub answers.
const DOCKER_HUB_API: &str = "registry-1.docker.io";
/// Docker Hub's older name.
const DOCKER_HUB_OLD: &str = "index.docker.io";
/// distribution/reference, `RepositoryNameTotalLengthMax`.
const LONGEST_REPOSITORY: usize = 255;
/// distribution/reference, `TagRegexp`.
const LONGEST_TAG: usize = 128;
/// As many hexadecimal digits as an image id has.
const ID_LENGTH: usize = 64;

/// The name of something in a registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    registry: RegistryHost,
    repository: RepositoryName,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

/// `HOST[:PORT]` of a registry, as a person writes it: Docker Hub is `docker.io`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegistryHost(String);

/// The name of a repository within a registry: `library/node`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryName(String);

/// A tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(String);

/// What points at a manifest within a repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Selector {
    /// A name that can move.
    Tag(Tag),
    /// The content itself.
    Digest(Digest),
}

/// Why a text is not a reference; [`ReferenceError::help`] says what to type instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Nothing there.
    #[error("the reference is empty, expected `HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]`")]
    Empty,
    /// `https://…`, `docker://…`.
    #[error("`{text}` starts with `{scheme}://`, expected a reference without a scheme")]
    Scheme {
        /// The whole text.
        text: String,
        /// What stands before `://`.
        scheme: String,
    },
    /// The host is none.
    #[error("`{host}` is not a registry host, expected `HOST` or `HOST:PORT`")]
    Host {
        /// What stood before the first slash.
        host: String,
    },
    /// Upper case in a repository.
    #[error("the repository `{repository}` has upper-case letters, only lower case is allowed")]
    UpperCase {
        /// The repository as written.
        repository: String,
    },
    /// A repository that breaks the grammar.
    #[error(
        "`{repository}` is not a repository, expected lower-case letters and digits, separated by \
         `.`, `_`, `__`, `-` or `/`"
    )]
    Repository {
        /// The repository as written.
        repository: String,
    },
    /// A repository of more than 255 characters.
    #[error("the repository has {length} characters, at most 255 are allowed")]
    RepositoryLength {
        /// Its length.
        length: usize,
    },
    /// A tag that breaks the grammar.
    #[error(
        "`{tag}` is not a tag, expected at most 128 letters, digits, `_`, `.` and `-`, the first \
         of them no `.` or `-`"
    )]
    Tag {
        /// The tag as written.
        tag: String,
    },
    /// 64 hexadecimal digits or a bare digest: an image id, which names nothing in a registry.
    #[error("`{text}` looks like an image id, expected a repository")]
    ImageId {
        /// The whole text.
        text: String,
    },
    /// What stands behind `@` is no digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

impl ReferenceError {
    /// What to type instead, where it is known.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Scheme { text, scheme } => {
                let rest = text.get(scheme.len() + 3..).unwrap_or_default();
                Some(format!("write `{rest}`"))
            }
            Self::UpperCase { repository } => {
                Some(format!("write `{}`", repository.to_ascii_lowercase()))
            }
            Self::ImageId { .. } => Some("to name content, write `REPOSITORY@sha256:…`".to_owned()),
            Self::Empty
            | Self::Host { .. }
            | Self::Repository { .. }
            | Self::RepositoryLength { .. }
            | Self::Tag { .. }
            | Self::Digest(_) => None,
        }
    }
}

impl Reference {
    /// The parts, each of which is checked already.
    pub fn new(registry: RegistryHost, repository: RepositoryName) -> Self {
        Self { registry, repository, tag: None, digest: None }
    }

    /// The registry.
    pub fn registry(&self) -> &RegistryHost {
        &self.registry
    }

    /// The repository: `library/node`.
    pub fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    /// The tag, if one was written.
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// The digest, if one was written.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What to ask for: the digest, else the tag, else `latest`.
    pub fn selector(&self) -> Selector {
        Selector::of(self.tag.as_ref(), self.digest.as_ref())
    }

    /// `HOST[:PORT]/REPOSITORY`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// The same repository with another tag and no digest.
    #[must_use]
    pub fn with_tag(&self, tag: Tag) -> Self {
        Self { tag: Some(tag), digest: None, ..self.clone() }
    }

    /// The same repository with a digest and no tag.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }
}

impl RegistryHost {
    /// Where the API answers: `registry-1.docker.io` for Docker Hub, else the host itself.
    pub fn api_host(&self) -> &str {
        if self.0 == DOCKER_HUB { DOCKER_HUB_API } else { &self.0 }
    }

    /// The name for people of a host that answers for another.
    pub(crate) fn as_written(&self) -> &str {
        if self.0 == DOCKER_HUB_API { DOCKER_HUB } else { &self.0 }
    }

    /// The text, `HOST[:PORT]`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether its API is at this host, as a URL has it, and port, over TLS.
    pub(crate) fn is_at(&self, host: &str, port: Option<u16>) -> bool {
        let url = url::Url::parse(&format!("https://{}", self.api_host()));
        url.is_ok_and(|url| url.host_str() == Some(host) && url.port_or_known_default() == port)
    }

    /// Whether it is this machine: `localhost`, `*.localhost`, `127.0.0.0/8` or `[::1]`. Only there
    /// is plain HTTP spoken unasked.
    pub fn is_loopback(&self) -> bool {
        let host = self.without_port().trim_matches(['[', ']']);
        let host = host.to_ascii_lowercase();
        host == "localhost"
            || host.ends_with(".localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    fn without_port(&self) -> &str {
        match self.0.rfind(':') {
            Some(colon) if !self.0.ends_with(']') => self.0.get(..colon).unwrap_or_default(),
            _ => &self.0,
        }
    }
}

impl FromStr for RegistryHost {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let wrong = || ReferenceError::Host { host: text.to_owned() };
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, behind) = rest.split_once(']').ok_or_else(wrong)?;
                let is_plain = address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
                let is_address = address.parse::<std::net::Ipv6Addr>().is_ok();
                if !is_plain || !is_address {
                    return Err(wrong());
                }
                let port = match behind {
                    "" => None,
                    behind => Some(behind.strip_prefix(':').ok_or_else(wrong)?),
                };
                (None, port)
            }
            None => match text.split_once(':') {
                Some((host, port)) => (Some(host), Some(port)),
                None => (Some(text), None),
            },
        };
        let is_label = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let host_fits = host.is_none_or(|host| host.split('.').all(is_label));
        let port_fits = port.is_none_or(|port| {
            port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok()
        });
        if !host_fits || !port_fits {
            return Err(wrong());
        }
        let host = text.to_ascii_lowercase();
        Ok(Self(match host.as_str() {
            DOCKER_HUB_OLD => DOCKER_HUB.to_owned(),
            // By its case alone: in lower case it would be the first word of a repository.
            word if !stands_for_a_host(word) => text.to_owned(),
            _ => host,
        }))
    }
}

/// Docker's rule: what stands before the first slash is a registry if it has a dot, a colon or an
/// upper-case letter, or is `localhost`.
fn stands_for_a_host(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.to_ascii_lowercase() != first
}

impl RepositoryName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RepositoryName {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let repository = text.to_owned();
        if text.len() > LONGEST_REPOSITORY {
            return Err(ReferenceError::RepositoryLength { length: text.len() });
        }
        if text.split('/').all(is_path_component) {
            return Ok(Self(repository));
        }
        match text.to_ascii_lowercase().split('/').all(is_path_component) {
            true => Err(ReferenceError::UpperCase { repository }),
            false => Err(ReferenceError::Repository { repository }),
        }
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_component(text: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends_fit =
        bytes.first().is_some_and(|&b| is_word(b)) && bytes.last().is_some_and(|&b| is_word(b));
    ends_fit
        && bytes.split(|&b| is_word(b)).all(|separator| {
            matches!(separator, b"" | b"." | b"_" | b"__") || separator.iter().all(|&b| b == b'-')
        })
}

impl Tag {
    /// `latest`: what is meant where nothing is said.
    pub fn latest() -> Self {
        Self("latest".to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let fits = text.len() <= LONGEST_TAG
            && text.bytes().next().is_some_and(is_word)
            && text.bytes().all(|b| is_word(b) || b == b'.' || b == b'-');
        match fits {
            true => Ok(Self(text.to_owned())),
            false => Err(ReferenceError::Tag { tag: text.to_owned() }),
        }
    }
}

impl Selector {
    /// The digest, else the tag, else `latest`.
    pub fn of(tag: Option<&Tag>, digest: Option<&Digest>) -> Self {
        match (digest, tag) {
            (Some(digest), _) => Self::Digest(*digest),
            (None, Some(tag)) => Self::Tag(tag.clone()),
            (None, None) => Self::Tag(Tag::latest()),
        }
    }
}

/// A digest if there is a colon in it (no tag has one), else a tag.
impl FromStr for Selector {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        match text.contains(':') {
            true => Ok(Self::Digest(text.parse()?)),
            false => text.parse().map(Self::Tag),
        }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(ReferenceError::Scheme {
                text: text.to_owned(),
                scheme: scheme.to_owned(),
            });
        }
        let is_id = text.len() == ID_LENGTH
            && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if is_id || text.parse::<Digest>().is_ok() {
            return Err(ReferenceError::ImageId { text: text.to_owned() });
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse::<Digest>()?)),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.parse::<Tag>()?)),
            _ => (rest, None),
        };
        let (registry, repository) = split_registry(name)?;
        Ok(Self { registry, repository, tag, digest })
    }
}

/// Docker Hub is meant where no registry is named, and its `library` where one word is.
fn split_registry(name: &str) -> Result<(RegistryHost, RepositoryName), ReferenceError> {
    let (registry, repository) = match name.split_once('/') {
        Some((first, rest)) if stands_for_a_host(first) => (first.parse()?, rest),
        _ => (RegistryHost(DOCKER_HUB.to_owned()), name),
    };
    let repository = match registry.0 == DOCKER_HUB && !repository.contains('/') {
        true if !repository.is_empty() => format!("library/{repository}").parse(),
        _ => repository.parse(),
    };
    Ok((registry, repository?))
}

/// Everything written out: `docker.io/library/node:9-alpine`.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

macro_rules! display_as_text {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}
display_as_text!(RegistryHost, RepositoryName, Tag);

#[cfg(test)]
mod tests;
