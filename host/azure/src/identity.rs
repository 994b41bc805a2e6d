//! An identity of a pipeline: a cloud, and the ways to log in there.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use http::{HeaderValue, Method};
use oci::client::ClientOptions;
use report::{Fault, Mask, Secret};
use tokio::io::AsyncReadExt as _;
use url::Url;
use zeroize::Zeroizing;

use crate::certificate::Signer;
use crate::cloud::{Audience, Cloud, CloudName, Endpoints};
use crate::error::{Error, foreign};
use crate::link::entra::{self, Proof};
use crate::link::{Found, Link, Looked, cli, found, github, managed};
use crate::registry::{Registry, scopes_of};
use crate::token::{Slot, Token};
use crate::wire::{self, Wire};

/// A certificate with its key, or a token, has less.
const LARGEST_FILE: u64 = 64 * 1024;

/// How an environment variable is looked up; the only room that knows the environment hands it in.
pub type Environment = Arc<dyn Fn(&str) -> Option<OsString> + Send + Sync>;

/// Seconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Reads the secrets that identities name.
pub trait SecretReader: Send + Sync {
    /// The secret `name`, which proves something to `to`.
    ///
    /// # Errors
    /// It is not there, or may not go there.
    fn read<'a>(&'a self, name: &'a str, to: &'a Url) -> BoxFuture<'a, Result<Secret, Fault>>;
}

/// Where no secrets are.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSecrets;

impl SecretReader for NoSecrets {
    fn read<'a>(&'a self, name: &'a str, _: &'a Url) -> BoxFuture<'a, Result<Secret, Fault>> {
        let fault = Error::Setting(format!("there is no secret `{name}`")).into();
        Box::pin(std::future::ready(Err(fault)))
    }
}

/// Where a certificate and its key are, in PEM form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// In a secret, by name.
    Secret(String),
    /// In a file.
    File(PathBuf),
}

/// Which identity of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Managed {
    /// The one that the machine has of itself.
    #[default]
    System,
    /// One that was assigned to it, by the id of its application.
    ClientId(String),
    /// The same, by the id of its resource.
    ResourceId(String),
}

/// What an identity is told.
pub struct IdentityOptions {
    /// How the pipeline calls it.
    pub name: String,
    /// The tenant, by id or domain; unsaid: `AZURE_TENANT_ID`.
    pub tenant: Option<String>,
    /// The application, by id; unsaid: `AZURE_CLIENT_ID`.
    pub client_id: Option<String>,
    /// Its secret, by name.
    pub client_secret: Option<String>,
    /// Its certificate.
    pub certificate: Option<Certificate>,
    /// A file with a token of whoever it trusts.
    pub federated_token_file: Option<PathBuf>,
    /// The identity of the machine.
    pub managed: Option<Managed>,
    /// The only links, in this order; none: those that something was said of, or else all.
    pub links: Vec<Link>,
    /// The cloud; unsaid: that of `AZURE_AUTHORITY_HOST`, else the public one.
    pub cloud: Option<CloudName>,
    /// What is elsewhere.
    pub endpoints: Endpoints,
    /// Roots, proxy, timeouts.
    pub client: ClientOptions,
    /// The environment.
    pub environment: Environment,
    /// The time.
    pub clock: Clock,
    /// Learns every token.
    pub mask: Mask,
    /// The Azure CLI, if it is installed.
    pub az: Option<PathBuf>,
}

/// Who we are to Azure. Clones share tokens and connections.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    options: IdentityOptions,
    cloud: Cloud,
    wire: Wire,
    /// By what the token is for.
    slots: Mutex<BTreeMap<String, Arc<Slot>>>,
    /// The link that worked; the others are not asked again.
    chosen: Mutex<Option<Link>>,
}

impl Identity {
    /// Takes what the pipeline says; asks nobody yet.
    ///
    /// # Errors
    /// [`report::Kind::Invalid`] for endpoints that are none.
    pub fn new(options: IdentityOptions) -> Result<Self, Fault> {
        let wire = Wire::new(options.client.clone());
        Self::with_wire(options, wire)
    }

    pub(crate) fn with_wire(options: IdentityOptions, wire: Wire) -> Result<Self, Fault> {
        let (mut name, mut endpoints) = (options.cloud, options.endpoints.clone());
        let authority = variable(&options, "AZURE_AUTHORITY_HOST");
        if let (None, None, Some(authority)) = (name, &endpoints.login, authority) {
            let url = Url::parse(&authority).ok();
            name = url.as_ref().and_then(CloudName::of_authority);
            if name.is_none() {
                endpoints.login = Some(authority);
            }
        }
        let cloud = Cloud::new(name.unwrap_or_default(), &endpoints).map_err(|error| {
            Fault::from(error).cause(format!("in the identity `{}`", options.name))
        })?;
        let (slots, chosen) = (Mutex::default(), Mutex::default());
        Ok(Self(Arc::new(Inner { options, cloud, wire, slots, chosen })))
    }

    /// How the pipeline calls it.
    pub fn name(&self) -> &str {
        &self.0.options.name
    }

    /// Where it logs in, and whose hosts are whose there.
    pub fn cloud(&self) -> &Cloud {
        &self.0.cloud
    }

    /// A token for `audience`; kept until it is nearly over.
    ///
    /// # Errors
    /// `unauthorized.azure` (no credential, or refused: with the code of Entra ID and what to do),
    /// `transient.azure`, `failed.azure`, `invalid.azure`.
    pub async fn token(
        &self,
        audience: &Audience,
        secrets: &dyn SecretReader,
    ) -> Result<Token, Fault> {
        let resource = self.0.cloud.resource(audience);
        self.token_for(resource, secrets).await
    }

    pub(crate) async fn token_for(
        &self,
        resource: &str,
        secrets: &dyn SecretReader,
    ) -> Result<Token, Fault> {
        self.slot(resource).get(Box::pin(self.fetch(resource, secrets))).await
    }

    /// What goes into `authorization` of a request to `url`, which has to be `audience`'s own.
    ///
    /// # Errors
    /// As [`Identity::token`]; `denied.azure` for a URL that is not the audience's own, and for a
    /// path of a registry that gives tokens itself.
    pub async fn authorization(
        &self,
        audience: &Audience,
        method: &Method,
        url: &Url,
        secrets: &dyn SecretReader,
    ) -> Result<HeaderValue, Fault> {
        if self.0.cloud.audience_of(url).as_ref() != Some(audience) {
            let help = "the URL of the request is not its own";
            return Err(foreign(self.name(), audience, help).into());
        }
        let token = match audience {
            Audience::Arm | Audience::Graph | Audience::Vault(_) => {
                self.token(audience, secrets).await?
            }
            Audience::Registry(host) => {
                let Some(scopes) = scopes_of(method, url) else {
                    let help = "only `/v2/` and `/acr/v1/` of a registry are asked with a token";
                    return Err(foreign(self.name(), audience, help).into());
                };
                self.registry(host)?.access_token(&scopes, secrets).await?
            }
        };
        wire::bearer(token.secret()).map_err(Fault::from)
    }

    /// The registry with this login server.
    ///
    /// # Errors
    /// `denied.azure` if it is none of the identity's cloud.
    pub fn registry(&self, host: &str) -> Result<Registry<'_>, Fault> {
        Registry::of(self, host).map_err(Fault::from)
    }

    async fn fetch(&self, resource: &str, secrets: &dyn SecretReader) -> Result<Token, Error> {
        let chosen = *self.0.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        let links = chosen.map_or_else(|| self.links(), |link| vec![link]);
        let mut tried = Vec::new();
        for &link in &links {
            match self.ask(link, resource, secrets).await? {
                Found::Some(token) => {
                    self.mask().learn(token.secret());
                    *self.0.chosen.lock().unwrap_or_else(PoisonError::into_inner) = Some(link);
                    return Ok(token);
                }
                Found::Nothing { why, help } if links.len() == 1 => {
                    let identity = self.name().to_owned();
                    return Err(Error::Missing { identity, link, why, help });
                }
                Found::Nothing { why, .. } => tried.push((link, why)),
            }
        }
        Err(Error::NoLink { identity: self.name().to_owned(), tried })
    }

    /// The links to try, in order.
    fn links(&self) -> Vec<Link> {
        let options = &self.0.options;
        if !options.links.is_empty() {
            return options.links.clone();
        }
        let all = Link::ALL.map(|(_, link)| link);
        let said: Vec<Link> = all.into_iter().filter(|link| self.is_said(*link)).collect();
        if said.is_empty() { all.to_vec() } else { said }
    }

    /// Whether the pipeline says something of `link`.
    fn is_said(&self, link: Link) -> bool {
        let options = &self.0.options;
        match link {
            Link::ClientSecret => options.client_secret.is_some(),
            Link::Certificate => options.certificate.is_some(),
            Link::FederatedToken => options.federated_token_file.is_some(),
            Link::Managed => options.managed.is_some(),
            Link::GitHub | Link::Cli => false,
        }
    }

    async fn ask(&self, link: Link, resource: &str, secrets: &dyn SecretReader) -> Looked<Token> {
        let options = &self.0.options;
        match link {
            Link::ClientSecret | Link::Certificate | Link::GitHub | Link::FederatedToken => {
                self.login(link, resource, secrets).await
            }
            Link::Managed => {
                let client = || self.client_id().map(Managed::ClientId);
                let which = options.managed.clone().or_else(client).unwrap_or_default();
                let is_asked = options.managed.is_some() || options.links.contains(&link);
                managed::token(self, &which, resource, is_asked).await
            }
            Link::Cli => cli::token(self, resource).await,
        }
    }

    /// Logs an application in at Entra ID.
    async fn login(&self, link: Link, resource: &str, secrets: &dyn SecretReader) -> Looked<Token> {
        // What has to be there is looked for first, so that nothing is asked in vain.
        found!(self.material(link));
        let (client, tenant) = (self.client_id(), self.tenant());
        let (Some(client), Some(tenant)) = (client, tenant) else {
            return Ok(Found::nothing(
                "AZURE_CLIENT_ID and AZURE_TENANT_ID are not both set",
                "give the identity `client-id` and `tenant`",
            ));
        };
        let url = self.0.cloud.token_url(&tenant);
        let url = url.ok_or_else(|| Error::Setting("logins have no URL".to_owned()))?;
        let proof = found!(self.proof(link, &client, &url, secrets).await?);
        let token = entra::login(self, link, url, &client, &proof, resource).await?;
        Ok(Found::Some(token))
    }

    /// Whether `link` has something to prove who we are.
    fn material(&self, link: Link) -> Found<()> {
        let variables: &[&str] = match link {
            Link::ClientSecret => &["AZURE_CLIENT_SECRET"],
            Link::Certificate => &["AZURE_CLIENT_CERTIFICATE_PATH"],
            Link::FederatedToken => &["AZURE_FEDERATED_TOKEN_FILE"],
            Link::GitHub => &[github::URL, github::TOKEN],
            Link::Managed | Link::Cli => &[],
        };
        let missing = variables.iter().find(|name| self.variable(name).is_none());
        match missing {
            Some(name) if !self.is_said(link) => {
                let help = match link {
                    Link::GitHub => "give the job `permissions: id-token: write`".to_owned(),
                    Link::ClientSecret
                    | Link::Certificate
                    | Link::FederatedToken
                    | Link::Managed
                    | Link::Cli => format!("set {name}, or say it in `[identity.{}]`", self.name()),
                };
                Found::nothing(format!("{name} is not set"), help)
            }
            _ => Found::Some(()),
        }
    }

    async fn proof(
        &self,
        link: Link,
        client: &str,
        url: &Url,
        secrets: &dyn SecretReader,
    ) -> Looked<Proof> {
        let options = &self.0.options;
        Ok(Found::Some(match link {
            Link::ClientSecret => Proof::Secret(match &options.client_secret {
                Some(name) => secrets.read(name, url).await?,
                None => self.secret_variable("AZURE_CLIENT_SECRET"),
            }),
            Link::Certificate => {
                let path = || self.variable("AZURE_CLIENT_CERTIFICATE_PATH").map(PathBuf::from);
                let pem = match (&options.certificate, path()) {
                    (Some(Certificate::Secret(name)), _) => secrets.read(name, url).await?,
                    (Some(Certificate::File(path)), _) => self.file(link, path).await?,
                    (None, path) => self.file(link, &path.unwrap_or_default()).await?,
                };
                let wrong = |error: crate::certificate::CertificateError| Error::Missing {
                    identity: self.name().to_owned(),
                    link,
                    why: error.to_string(),
                    help: error.help().to_owned(),
                };
                let signer = Signer::parse(&pem).map_err(wrong)?;
                let signed = signer.assertion(client, url.as_str(), self.now()).map_err(wrong)?;
                Proof::Assertion(signed)
            }
            Link::GitHub => Proof::Assertion(found!(github::token(self).await?)),
            // Read each time: whoever writes it replaces it when it is nearly over.
            Link::FederatedToken | Link::Managed | Link::Cli => {
                let path = || self.variable("AZURE_FEDERATED_TOKEN_FILE").map(PathBuf::from);
                let path = options.federated_token_file.clone().or_else(path).unwrap_or_default();
                let token = self.file(link, &path).await?;
                self.mask().learn(&token);
                Proof::Assertion(token)
            }
        }))
    }

    /// The text of a file, without space around it.
    async fn file(&self, link: Link, path: &Path) -> Result<Secret, Error> {
        let missing = |why: String| Error::Missing {
            identity: self.name().to_owned(),
            link,
            why,
            help: format!("check the path `{}`", path.display()),
        };
        let mut bytes = Zeroizing::new(Vec::new());
        let file = fs_err::tokio::File::open(path).await;
        let file = file.map_err(|error| missing(error.to_string()))?;
        let read = file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).await;
        read.map_err(|error| missing(error.to_string()))?;
        if bytes.len() as u64 > LARGEST_FILE {
            return Err(missing("its file has more than 64 KiB".to_owned()));
        }
        match bytes.trim_ascii() {
            [] => Err(missing("its file is empty".to_owned())),
            text => Ok(Secret::new(text)),
        }
    }

    fn secret_variable(&self, name: &str) -> Secret {
        let secret = Secret::new(self.variable(name).unwrap_or_default());
        self.mask().learn(&secret);
        secret
    }

    /// What an environment variable holds, if it holds anything.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        variable(&self.0.options, name)
    }

    /// The tenant that was said.
    pub(crate) fn own_tenant(&self) -> Option<&str> {
        self.0.options.tenant.as_deref()
    }

    pub(crate) fn tenant(&self) -> Option<String> {
        self.own_tenant().map(str::to_owned).or_else(|| self.variable("AZURE_TENANT_ID"))
    }

    pub(crate) fn client_id(&self) -> Option<String> {
        self.0.options.client_id.clone().or_else(|| self.variable("AZURE_CLIENT_ID"))
    }

    pub(crate) fn az(&self) -> Option<&Path> {
        self.0.options.az.as_deref()
    }

    pub(crate) fn mask(&self) -> &Mask {
        &self.0.options.mask
    }

    pub(crate) fn now(&self) -> i64 {
        (self.0.options.clock)()
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.0.wire
    }

    /// Where the token for `what` is kept.
    pub(crate) fn slot(&self, what: &str) -> Arc<Slot> {
        let mut slots = self.0.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(what.to_owned()).or_default())
    }
}

fn variable(options: &IdentityOptions, name: &str) -> Option<String> {
    let value = (options.environment)(name)?.into_string().ok()?;
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests;
