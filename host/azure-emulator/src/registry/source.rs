//! Where images come from: a registry of this cloud, or one of the outside that the configuration
//! names.

use std::sync::Arc;

use futures::future::BoxFuture;
use oci::{
    Credential, Credentials, Registry as _, RegistryHost, Remote, RemoteOptions, RepositoryName,
    Store,
};
use report::{Fault, Secret};
use url::Url;

use crate::azure::Azure;

/// A name and a password for a registry. Without a name, the password is a token.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) username: String,
    pub(crate) password: Secret,
}

/// Why there is no such place.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoSource {
    #[error("the emulator is not told where '{0}' is")]
    Unknown(String),
    #[error("'{0}' is not a name of a repository")]
    Name(String),
    #[error("{0}")]
    Other(String),
}

/// The repository of a host.
pub(crate) fn outside(
    azure: &Azure,
    host: &str,
    repository: &str,
    login: Option<Login>,
) -> Result<Arc<dyn Store>, NoSource> {
    let host = host.to_ascii_lowercase();
    let url = azure.config.upstreams.get(&host).ok_or_else(|| NoSource::Unknown(host.clone()))?;
    let place = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let at = format!("{place}{port}");
    let mut options = RemoteOptions::default();
    match url.scheme() {
        "http" => options.insecure.insert(at.clone()),
        _ => options.tls.insert(at.clone()),
    };
    let credentials = Arc::new(Given(login));
    let remote = Remote::new(azure.http.clone(), credentials, options);
    let reference = format!("{at}/{repository}:latest").parse::<oci::Reference>();
    let reference = reference.map_err(|_| NoSource::Name(repository.to_owned()))?;
    let found = remote.repository(&reference).map_err(|error| NoSource::Other(chain(&error)))?;
    Ok(Arc::new(found))
}

/// The repository of a registry of this cloud.
pub(crate) fn inside(
    azure: &Azure,
    registry: &str,
    repository: &str,
) -> Result<Arc<dyn Store>, NoSource> {
    let name = repository.parse::<RepositoryName>();
    let name = name.map_err(|_| NoSource::Name(repository.to_owned()))?;
    let opened = azure.registries.get(registry).map_err(|error| NoSource::Other(chain(&error)))?;
    Ok(opened.layouts.repository(&name))
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// What the client gave, for whichever host it was given for.
struct Given(Option<Login>);

impl Credentials for Given {
    fn credential<'a>(
        &'a self,
        _registry: &'a RegistryHost,
        _repository: &'a RepositoryName,
        _service: Option<&'a Url>,
    ) -> BoxFuture<'a, Result<Credential, Fault>> {
        let credential = match self.0.clone() {
            None => Credential::Anonymous,
            Some(login) if login.username.is_empty() => Credential::IdentityToken(login.password),
            Some(Login { username, password }) => Credential::Basic { username, password },
        };
        Box::pin(async move { Ok(credential) })
    }
}
