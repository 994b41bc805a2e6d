//! Paths and queries of the API. Names of repositories have slashes, so paths are read from their
//! end.

use http::Uri;

use super::answer::Refusal;
use crate::{Algorithm, Digest, DigestError, RepositoryName, Selector};

/// What a path means.
pub(super) enum Route {
    Base,
    Catalog,
    Tags(RepositoryName),
    Referrers(RepositoryName, Digest),
    Manifest(RepositoryName, Selector),
    Blob(RepositoryName, Digest),
    Uploads(RepositoryName),
    Upload(RepositoryName, String),
}

impl Route {
    pub(super) fn of(path: &str) -> Result<Self, Refusal> {
        let nowhere =
            || Refusal::new(http::StatusCode::NOT_FOUND, "UNSUPPORTED", "no such resource");
        // Nothing in a valid path needs an escape but the colon of a digest.
        let path = path.replace("%3A", ":").replace("%3a", ":");
        let rest = match path.as_str() {
            "/v2" | "/v2/" => return Ok(Self::Base),
            "/v2/_catalog" => return Ok(Self::Catalog),
            path => path.strip_prefix("/v2/").ok_or_else(nowhere)?,
        };
        let parts: Vec<&str> = rest.split('/').collect();
        match parts.as_slice() {
            [at @ .., "blobs", "uploads"] | [at @ .., "blobs", "uploads", ""] => {
                Ok(Self::Uploads(name(at)?))
            }
            [at @ .., "blobs", "uploads", id] => Ok(Self::Upload(name(at)?, (*id).to_owned())),
            [at @ .., "blobs", digest] => Ok(Self::Blob(name(at)?, self::digest(digest)?)),
            [at @ .., "manifests", selector] => {
                Ok(Self::Manifest(name(at)?, self::selector(selector)?))
            }
            [at @ .., "tags", "list"] => Ok(Self::Tags(name(at)?)),
            [at @ .., "referrers", digest] => Ok(Self::Referrers(name(at)?, self::digest(digest)?)),
            _ => Err(nowhere()),
        }
    }

    /// What it answers, for who tried something else.
    pub(super) fn methods(&self) -> &'static str {
        match self {
            Self::Base | Self::Catalog | Self::Tags(_) | Self::Referrers(..) => "GET, HEAD",
            Self::Manifest(..) => "GET, HEAD, PUT, DELETE",
            Self::Blob(..) => "GET, HEAD, DELETE",
            Self::Uploads(_) => "POST",
            Self::Upload(..) => "GET, HEAD, PATCH, PUT, DELETE",
        }
    }
}

fn name(parts: &[&str]) -> Result<RepositoryName, Refusal> {
    let text = parts.join("/");
    text.parse()
        .map_err(|error: crate::ReferenceError| Refusal::bad("NAME_INVALID", error.to_string()))
}

pub(super) fn digest(text: &str) -> Result<Digest, Refusal> {
    text.parse().map_err(|error: DigestError| Refusal::bad("DIGEST_INVALID", error.to_string()))
}

fn selector(text: &str) -> Result<Selector, Refusal> {
    match text.contains(':') {
        true => digest(text).map(Selector::Digest),
        // A tag that breaks the grammar names nothing that could be here.
        false => text.parse().map(Selector::Tag).map_err(|error: crate::ReferenceError| {
            Refusal::bad("MANIFEST_INVALID", error.to_string())
        }),
    }
}

/// The query of a request.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(uri: &Uri) -> Self {
        let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// `digest-algorithm`: by what the digest of an upload will be made.
    pub(super) fn algorithm(&self) -> Result<Algorithm, Refusal> {
        let Some(word) = self.get("digest-algorithm") else { return Ok(Algorithm::Sha256) };
        let unknown = || DigestError::Algorithm(word.to_owned()).to_string();
        Algorithm::parse(word).ok_or_else(|| Refusal::bad("DIGEST_INVALID", unknown()))
    }

    pub(super) fn digest(&self, name: &str) -> Result<Option<Digest>, Refusal> {
        self.get(name).map(digest).transpose()
    }
}
