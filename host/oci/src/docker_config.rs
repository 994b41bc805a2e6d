//! Credentials in docker's and podman's configuration files.
//!
//! `config.json` of docker and `auth.json` of the containers tools are one format: `auths` maps
//! registries, or (containers only) repositories, to credentials; the longest match counts.
//! Which files are read, and in which order, is the caller's business.
//!
//! Never: a credential helper is started. It is somebody else's program, so it is opt-in, and a
//! registry that depends on one is refused with a word about it rather than asked without a name.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use futures::future::BoxFuture;
use report::{Fault, Kind, Secret};
use serde::Deserialize;
use url::Url;

use crate::{Credential, Credentials, RegistryHost, RepositoryName};

/// What docker writes where `docker.io` is meant.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// The name under which some registries hand out identity tokens (Azure's do).
const TOKEN_USER: &str = "00000000-0000-0000-0000-000000000000";

/// The credentials of one configuration file.
#[derive(Clone, Default)]
pub struct DockerConfig {
    path: PathBuf,
    auths: BTreeMap<String, Entry>,
    helpers: BTreeMap<String, String>,
    store: Option<String>,
}

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DockerConfigError {
    /// It cannot be read.
    #[error("the registry credentials cannot be read")]
    Io(#[source] std::io::Error),
    /// It is something else.
    #[error("`{path}` is not a docker `config.json`: line {line}, column {column}")]
    Json {
        /// The file.
        path: PathBuf,
        /// Where the parser stopped; its own words could quote a password.
        line: usize,
        /// See `line`.
        column: usize,
    },
    /// An `auth` that is not `base64(user:password)`.
    #[error("`auth` of `{registry}` in `{path}` is not base64 of `USER:PASSWORD`")]
    Auth {
        /// The file.
        path: PathBuf,
        /// The key under `auths`.
        registry: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    #[serde(default)]
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
struct Auth {
    #[serde(default)]
    auth: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    identitytoken: Option<String>,
    #[serde(default)]
    registrytoken: Option<String>,
}

/// `None`: the registry is listed, and its credential lies in the store.
type Entry = Option<Credential>;

impl DockerConfig {
    /// Reads `path`; a file that is not there has no credentials.
    pub fn read(path: &Path) -> Result<Self, DockerConfigError> {
        match fs_err::read(path) {
            Ok(bytes) => Self::parse(path, &bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self { path: path.to_owned(), ..Self::default() })
            }
            Err(error) => Err(DockerConfigError::Io(error)),
        }
    }

    /// Reads the text of a configuration file; `path` is named in errors.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, DockerConfigError> {
        let file: File =
            serde_json::from_slice(bytes).map_err(|error| DockerConfigError::Json {
                path: path.to_owned(),
                line: error.line(),
                column: error.column(),
            })?;
        let mut auths = BTreeMap::new();
        for (registry, auth) in file.auths {
            let entry = entry(auth).ok_or_else(|| DockerConfigError::Auth {
                path: path.to_owned(),
                registry: registry.clone(),
            })?;
            auths.insert(key(&registry), entry);
        }
        let helpers =
            file.cred_helpers.into_iter().map(|(host, name)| (key(&host), name)).collect();
        Ok(Self { path: path.to_owned(), auths, helpers, store: file.creds_store })
    }

    /// The credential for a repository, if the file has one.
    ///
    /// # Errors
    /// Only a credential helper could tell.
    pub fn find(
        &self,
        registry: &RegistryHost,
        repository: &RepositoryName,
    ) -> Result<Option<Credential>, Fault> {
        if let Some(helper) = self.helpers.get(registry.as_str()) {
            return Err(self.helper(helper, registry));
        }
        let whole = format!("{registry}/{repository}");
        let mut prefix = whole.as_str();
        loop {
            match self.auths.get(prefix) {
                Some(Some(credential)) => return Ok(Some(credential.clone())),
                Some(None) if self.store.is_some() => {
                    let helper = self.store.as_deref().unwrap_or_default();
                    return Err(self.helper(helper, registry));
                }
                Some(None) | None => {}
            }
            match prefix.rsplit_once('/') {
                Some((shorter, _)) => prefix = shorter,
                None => return Ok(None),
            }
        }
    }

    fn helper(&self, helper: &str, registry: &RegistryHost) -> Fault {
        let message = format!(
            "the credential for `{registry}` is kept by the helper `docker-credential-{helper}`, \
             which is not enabled"
        );
        Fault::new(Kind::Unauthorized, message)
            .code("oci.unauthorized")
            .cause(format!("`{}` names it", self.path.display()))
            .help(format!(
                "add `[registries.\"{registry}\"]` with a username and a password to the pipeline"
            ))
    }
}

impl Credentials for DockerConfig {
    fn credential<'a>(
        &'a self,
        registry: &'a RegistryHost,
        repository: &'a RepositoryName,
        _service: Option<&'a Url>,
    ) -> BoxFuture<'a, Result<Credential, Fault>> {
        let found = self.find(registry, repository);
        Box::pin(async { found.map(|found| found.unwrap_or(Credential::Anonymous)) })
    }
}

/// `HOST[/PATH]`, as docker and the containers tools compare: without scheme and API version.
fn key(written: &str) -> String {
    if written == DOCKER_HUB_KEY {
        return "docker.io".to_owned();
    }
    let bare = written.split_once("://").map_or(written, |(_, rest)| rest).trim_end_matches('/');
    let bare = bare.strip_suffix("/v1").or_else(|| bare.strip_suffix("/v2")).unwrap_or(bare);
    let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
    let host = match host {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        host => host,
    };
    match path {
        "" => host.to_ascii_lowercase(),
        path => format!("{}/{path}", host.to_ascii_lowercase()),
    }
}

/// `None` if `auth` makes no sense; `Some(None)` if nothing is in the file.
fn entry(auth: Auth) -> Option<Entry> {
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    if let Some(token) = filled(auth.identitytoken) {
        return Some(Some(Credential::IdentityToken(Secret::new(token))));
    }
    if let Some(token) = filled(auth.registrytoken) {
        return Some(Some(Credential::Bearer(Secret::new(token))));
    }
    let (username, password) = match filled(auth.auth) {
        Some(encoded) => {
            let engine = base64::engine::GeneralPurpose::new(
                &base64::alphabet::STANDARD,
                base64::engine::GeneralPurposeConfig::new()
                    .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
            );
            let decoded = String::from_utf8(engine.decode(encoded.trim()).ok()?).ok()?;
            let (username, password) = decoded.split_once(':')?;
            // Old versions of docker padded the password with zeros.
            (username.to_owned(), password.trim_end_matches('\0').to_owned())
        }
        None => match (filled(auth.username), auth.password) {
            (Some(username), Some(password)) => (username, password),
            _ => return Some(None),
        },
    };
    Some(Some(credential(username, password)))
}

/// An identity token may come in the place of a password.
fn credential(username: String, password: String) -> Credential {
    match username.as_str() {
        "<token>" | TOKEN_USER => Credential::IdentityToken(Secret::new(password)),
        _ => Credential::Basic { username, password: Secret::new(password) },
    }
}

impl fmt::Debug for DockerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DockerConfig").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
