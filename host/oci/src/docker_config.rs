//! Credentials in docker's and podman's configuration files.
//!
//! `config.json` of docker and `auth.json` of the containers tools are one format: `auths` maps
//! registries, or (containers only) repositories, to credentials; the longest match counts.
//! Which files are read, and in which order, is the caller's business.
//!
//! Never: a credential helper is started here. It is somebody else's program, so it is opt-in, and
//! whoever may start it is told its name; a registry that depends on one is otherwise refused with a
//! word about it rather than asked without a name.

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

/// What a configuration file knows of a repository's credential.
#[derive(Clone)]
pub enum Kept {
    /// The credential itself.
    InFile(Credential),
    /// Another program has it.
    ByHelper(Helper),
}

/// A program that keeps credentials (docker's `credHelpers` and `credsStore`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Helper {
    /// `NAME` of the program `docker-credential-NAME`, as the file has it: anything at all.
    pub name: String,
    /// What it is asked for: the host of the registry, or docker's own word for `docker.io`.
    pub server: String,
    /// The file that names it.
    pub file: PathBuf,
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

    /// The credential for a repository, or who has it, if the file says so.
    pub fn find(&self, registry: &RegistryHost, repository: &RepositoryName) -> Option<Kept> {
        if let Some(helper) = self.helpers.get(registry.as_str()) {
            return Some(Kept::ByHelper(self.helper(helper, registry)));
        }
        let whole = format!("{registry}/{repository}");
        let mut prefix = whole.as_str();
        loop {
            match (self.auths.get(prefix), &self.store) {
                (Some(Some(credential)), _) => return Some(Kept::InFile(credential.clone())),
                (Some(None), Some(store)) => {
                    return Some(Kept::ByHelper(self.helper(store, registry)));
                }
                (Some(None), None) | (None, _) => {}
            }
            prefix = prefix.rsplit_once('/')?.0;
        }
    }

    fn helper(&self, name: &str, registry: &RegistryHost) -> Helper {
        let server = match registry.as_str() {
            "docker.io" => DOCKER_HUB_KEY.to_owned(),
            host => host.to_owned(),
        };
        Helper { name: name.to_owned(), server, file: self.path.clone() }
    }
}

impl Helper {
    /// What is said where it may not be started.
    pub fn not_enabled(&self, registry: &RegistryHost) -> Fault {
        let message = format!(
            "the credential for `{registry}` is kept by the helper `docker-credential-{}`, which \
             is not enabled",
            self.name
        );
        Fault::new(Kind::Unauthorized, message)
            .code("oci.unauthorized")
            .cause(format!("`{}` names it", self.file.display()))
            .help(format!("set `WINDLASS_CREDENTIAL_HELPERS={}` to let it be started", self.name))
            .help(format!(
                "or add `[registries.\"{registry}\"]` with a username and a password to the pipeline"
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
        let found = match self.find(registry, repository) {
            None => Ok(Credential::Anonymous),
            Some(Kept::InFile(credential)) => Ok(credential),
            Some(Kept::ByHelper(helper)) => Err(helper.not_enabled(registry)),
        };
        Box::pin(async { found })
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

impl Credential {
    /// A name and a password as docker and its helpers keep them: an identity token may come in the
    /// place of a password.
    pub fn kept(username: String, password: String) -> Self {
        credential(username, password)
    }
}

impl fmt::Debug for DockerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DockerConfig").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
