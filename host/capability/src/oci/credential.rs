//! Who we are to a registry: the pipeline's `[registries]`, then podman's and docker's configuration
//! files, then nobody.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use ::oci::{
    Credential, Credentials, DockerConfig, Kept, RegistryHost, RepositoryName, client::Identity,
};
use futures::future::BoxFuture;
use report::{Fault, Kind, Mask, SafeUrl, Side};
use tokio::sync::OnceCell;
use url::{Host, Url};

use super::credential_program::CredentialHelpers;
use crate::secrets::{SecretHandle, Secrets};

/// The port that a registry without one is asked at; `only-to` without a port takes any.
const HTTPS_PORT: u16 = 443;

/// `[registries."HOST"]` of a pipeline, or `[registries."HOST/PREFIX"]`: credentials of the
/// repositories below a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistrySettings {
    /// The user.
    pub username: Option<TextOrSecret>,
    /// The name of the secret that is the password.
    pub password: Option<String>,
    /// The name of the secret that is a bearer token, instead of user and password.
    pub token: Option<String>,
    /// The name of the identity of Azure that logs in, instead of either.
    pub login: Option<String>,
    /// Whether plain HTTP is spoken; unsaid: on loopback only, and not where `ca` or
    /// `identity` is given.
    pub insecure: Option<bool>,
    /// A file of certificates (PEM) that count for this registry besides the machine's own.
    pub ca: Option<PathBuf>,
    /// What the registry knows us by, besides any credential.
    pub identity: Option<Identity>,
}

/// A text, or the name of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextOrSecret {
    /// The text itself.
    Text(String),
    /// The name of a secret of the pipeline.
    Secret(String),
}

/// Credentials by destination; no plugin ever sees one.
pub(super) struct RegistryCredentials {
    /// By host and path prefix; the empty one is for all of the host.
    pub(super) registries: BTreeMap<(RegistryHost, String), RegistrySettings>,
    pub(super) docker_configs: Vec<PathBuf>,
    pub(super) helpers: CredentialHelpers,
    pub(super) secrets: Secrets,
    /// Read at the first registry that wants to know who we are.
    pub(super) docker: OnceCell<Arc<[DockerConfig]>>,
}

impl Credentials for RegistryCredentials {
    fn credential<'a>(
        &'a self,
        registry: &'a RegistryHost,
        repository: &'a RepositoryName,
        service: Option<&'a Url>,
    ) -> BoxFuture<'a, Result<Credential, Fault>> {
        Box::pin(async move {
            if let Some(settings) = self.entry(registry, repository)
                && let Some(credential) = self.configured(registry, settings, service).await?
            {
                return Ok(credential);
            }
            let configs = self.docker.get_or_try_init(|| self.read_docker_configs()).await?;
            for config in configs.iter() {
                let found = match config.find(registry, repository) {
                    Some(Kept::InFile(credential)) => Some(credential),
                    Some(Kept::ByHelper(helper)) => self.helpers.ask(&helper, registry).await?,
                    None => None,
                };
                if let Some(credential) = found {
                    learn(self.secrets.mask(), &credential);
                    return Ok(credential);
                }
            }
            Ok(Credential::Anonymous)
        })
    }
}

impl RegistryCredentials {
    /// The entry with the longest prefix that says who we are.
    pub(super) fn entry(
        &self,
        registry: &RegistryHost,
        repository: &RepositoryName,
    ) -> Option<&RegistrySettings> {
        prefixes(repository.as_str())
            .filter_map(|prefix| self.registries.get(&(registry.clone(), prefix.to_owned())))
            .find(|settings| {
                let RegistrySettings { username, token, login, .. } = settings;
                username.is_some() || token.is_some() || login.is_some()
            })
    }

    async fn configured(
        &self,
        registry: &RegistryHost,
        settings: &RegistrySettings,
        service: Option<&Url>,
    ) -> Result<Option<Credential>, Fault> {
        if let Some(token) = &settings.token {
            let token = self.secret_for(registry, None, token).await?;
            return Ok(Some(Credential::Bearer(token.value().clone())));
        }
        if let Some(login) = &settings.login {
            return self.by_identity(registry, service, login).await.map(Some);
        }
        let username = match &settings.username {
            None => return Ok(None),
            Some(TextOrSecret::Text(text)) => text.clone(),
            Some(TextOrSecret::Secret(name)) => {
                let handle = self.secret_for(registry, service, name).await?;
                handle.value().expose_text().map(str::to_owned).ok_or_else(|| {
                    Fault::new(Kind::Invalid, format!("the user `{name}` is no UTF-8 text"))
                        .code("invalid.secrets")
                })?
            }
        };
        let Some(password) = &settings.password else {
            let message = format!("the registry `{registry}` has a user and no password");
            return Err(Fault::new(Kind::Invalid, message)
                .code("invalid.oci")
                .help("add `password = { secret = \"…\" }` beside `username`"));
        };
        let password = self.secret_for(registry, service, password).await?.value().clone();
        Ok(Some(Credential::Basic { username, password }))
    }

    /// The refresh token that the registry gives the identity `login`: docker's identity token. It
    /// goes back to the registry alone, whatever token service the registry names.
    async fn by_identity(
        &self,
        host: &RegistryHost,
        service: Option<&Url>,
        login: &str,
    ) -> Result<Credential, Fault> {
        let identity = self.secrets.identities().get(login)?;
        let registry = identity.registry(host.as_str())?;
        if let Some(service) = service.filter(|service| !registry.is_own(service)) {
            let message = format!(
                "the registry `{host}` names another token service, {}, which gets nothing of the \
                 identity `{login}`",
                SafeUrl::new(service)
            );
            return Err(Fault::new(Kind::Denied, message)
                .code("denied.oci")
                .side(Side::Remote)
                .help("registries of Azure are their own token service: ask who runs this one"));
        }
        let token = Box::pin(registry.refresh_token(&self.secrets)).await?;
        Ok(Credential::IdentityToken(token.secret().clone()))
    }

    /// The secret `name`, if its `only-to` names where it will be sent: the token service that the
    /// registry has named, else the registry.
    async fn secret_for(
        &self,
        registry: &RegistryHost,
        service: Option<&Url>,
        name: &str,
    ) -> Result<SecretHandle, Fault> {
        let handle = self.secrets.resolve(name).await?;
        if let Some(service) = service {
            let host = service.host().unwrap_or(Host::Domain(""));
            let port = service.port_or_known_default().unwrap_or(HTTPS_PORT);
            handle.may_go_to(&host, port)?;
            return Ok(handle);
        }
        let may_go = |text: &str| {
            let (host, port) = split(text);
            handle.may_go_to(&Host::parse(host).as_ref().map_or(Host::Domain(host), borrow), port)
        };
        // Docker Hub answers under another name than the one that people write.
        may_go(registry.as_str())
            .or_else(|denied| may_go(registry.api_host()).map_err(|_| denied))?;
        Ok(handle)
    }

    async fn read_docker_configs(&self) -> Result<Arc<[DockerConfig]>, Fault> {
        let paths = self.docker_configs.clone();
        crate::blocking(move || {
            let configs = paths.iter().map(|path| DockerConfig::read(path));
            let configs = configs.collect::<Result<Vec<_>, _>>().map_err(|error| {
                Fault::new(Kind::Invalid, error.to_string()).code("invalid.oci").side(Side::Host)
            })?;
            Ok(configs.into())
        })
        .await
    }
}

/// `a/b/c`, `a/b`, `a`, and the empty one: the longest goes first.
fn prefixes(repository: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(repository), |prefix| match prefix.rsplit_once('/') {
        Some((shorter, _)) => Some(shorter),
        None if prefix.is_empty() => None,
        None => Some(""),
    })
}

fn learn(mask: &Mask, credential: &Credential) {
    match credential {
        Credential::Anonymous => {}
        Credential::Basic { password, .. } => mask.learn(password),
        Credential::IdentityToken(token) | Credential::Bearer(token) => mask.learn(token),
    }
}

fn split(text: &str) -> (&str, u16) {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, port.parse().unwrap_or(HTTPS_PORT))
        }
        _ => (text, HTTPS_PORT),
    }
}

fn borrow(host: &Host) -> Host<&str> {
    match host {
        Host::Domain(name) => Host::Domain(name),
        Host::Ipv4(address) => Host::Ipv4(*address),
        Host::Ipv6(address) => Host::Ipv6(*address),
    }
}
