//! An identity of a pipeline: a cloud, and the ways to log in there.

mod login;
mod options;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderValue, Method};
use report::{Fault, Mask};
use url::Url;

use crate::cloud::{Audience, Cloud, CloudName};
use crate::error::{Error, foreign};
use crate::link::{Found, Link, Looked, cli, managed};
use crate::registry::{Registry, scopes_of};
use crate::token::{Slot, Token};
use crate::wire::{self, Wire};

pub use options::{
    Certificate, Clock, Environment, IdentityOptions, Managed, NoSecrets, SecretReader,
};

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
