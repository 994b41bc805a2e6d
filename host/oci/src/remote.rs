//! Registries over HTTP: the client side of the OCI distribution specification.
//!
//! [`Remote`] is all registries seen with the same client and credentials; it remembers how each
//! host wants to be talked to and the tokens it gave. [`RemoteRepository`] is one repository: a
//! [`crate::Store`]. `request` sends (authorization, redirects, retries), `transfer` knows the API.
//!
//! Never: a credential sent to another origin than the one that asked for it, plain HTTP outside
//! loopback unless somebody said so, an answer believed without its digest.

mod auth;
mod budget;
mod challenge;
mod error;
mod fallback;
mod journal;
mod page;
mod request;
mod resume;
pub(crate) mod retry;
mod store;
mod tally;
mod transfer;
mod upload;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use budget::Budgets;
pub use error::{Problem, RemoteError, Tried};
pub use journal::Journal;
use report::Fault;
pub use tally::RequestTally;
use url::Url;

use crate::{Credentials, Error, Reference, RegistryHost, RepositoryName};

/// All registries, seen with the same credentials. Cheap to clone.
#[derive(Clone)]
pub struct Remote(Arc<Shared>);

/// What a [`Remote`] may be told.
#[derive(Clone, Debug, Default)]
pub struct RemoteOptions {
    /// Hosts (`HOST[:PORT]`) that are spoken to over plain HTTP; loopback is without being named.
    pub insecure: BTreeSet<String>,
    /// Hosts that are spoken to over TLS although they are loopback.
    pub tls: BTreeSet<String>,
    /// The clients of hosts that know us by a certificate. Nobody else is spoken to with them, not
    /// even where such a host sends us.
    pub clients: BTreeMap<RegistryHost, reqwest::Client>,
    /// Says no to addresses that no registry may send us to. Only asked about addresses that a
    /// registry wrote as such; those of names are the client's resolver's.
    pub check_address: Option<fn(IpAddr) -> Result<(), Fault>>,
    /// What is done about passing trouble.
    pub retry: Retry,
    /// Where uploads of large blobs are remembered beyond this process; `None`: nowhere.
    pub journal: Option<Arc<Journal>>,
    /// How fast each registry may be asked; clones share it, so that several clients can.
    pub budgets: Budgets,
}

/// How often, and how soon, a request is sent again when the registry is in passing trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all.
    pub attempts: u32,
    /// The longest first pause; it doubles, and the actual one is a random part of it.
    pub base: Duration,
    /// No pause is longer, but for what `Retry-After` says.
    pub cap: Duration,
    /// A `Retry-After` that is longer is not waited for: the error says so, and the step's own
    /// retry decides.
    pub patience: Duration,
}

/// One repository of a registry: a [`crate::Store`].
#[derive(Clone)]
pub struct RemoteRepository {
    remote: Arc<Shared>,
    host: Arc<Host>,
    name: RepositoryName,
    writes: bool,
    tally: Option<Arc<RequestTally>>,
}

struct Shared {
    http: reqwest::Client,
    credentials: Arc<dyn Credentials>,
    options: RemoteOptions,
    hosts: Mutex<BTreeMap<RegistryHost, Arc<Host>>>,
}

/// One registry, and what was learned about it.
struct Host {
    registry: RegistryHost,
    /// `https://HOST/v2/`
    base: Url,
    auth: auth::Learned,
    /// What goes to the registry itself.
    traffic: Arc<budget::Traffic>,
    /// What goes where it sends us: token services, stores of blobs.
    elsewhere: budget::Traffic,
}

impl Remote {
    /// Over `http`, made by [`crate::client::build`].
    pub fn new(
        http: reqwest::Client,
        credentials: Arc<dyn Credentials>,
        options: RemoteOptions,
    ) -> Self {
        Self(Arc::new(Shared { http, credentials, options, hosts: Mutex::default() }))
    }

    /// The repository that `reference` names. Asks the registry nothing yet.
    ///
    /// # Errors
    /// A host that makes no URL.
    pub fn repository(&self, reference: &Reference) -> Result<RemoteRepository, Error> {
        Ok(RemoteRepository {
            host: self.0.host(reference.registry())?,
            remote: Arc::clone(&self.0),
            name: reference.repository().clone(),
            writes: false,
            tally: None,
        })
    }
}

impl RemoteRepository {
    /// Says that it will be written to: the first token is then asked for with the right to push,
    /// and no second one is needed.
    #[must_use]
    pub fn for_writing(self) -> Self {
        Self { writes: true, ..self }
    }

    /// Counts the requests that it, and clones of it, will send, in `tally`: retries, redirects and
    /// requests for tokens included. One tally may be shared by several handles.
    #[must_use]
    pub fn counted_by(self, tally: Arc<RequestTally>) -> Self {
        Self { tally: Some(tally), ..self }
    }
}

impl Shared {
    /// The client for `url`.
    fn http(&self, url: &Url) -> &reqwest::Client {
        let host = (url.scheme() == "https").then(|| url.host_str()).flatten();
        let own = self.options.clients.iter().find(|(registry, _)| {
            let port = url.port_or_known_default();
            host.is_some_and(|host| registry.is_at(host, port))
        });
        own.map_or(&self.http, |(_, client)| client)
    }

    /// Whether a registry at `base` may send us to `url`: to itself, or to no address that is refused.
    fn may_go(&self, base: &Url, url: &Url) -> Result<(), Error> {
        let Some(check) = self.options.check_address.filter(|_| base.origin() != url.origin())
        else {
            return Ok(());
        };
        match url.host() {
            Some(url::Host::Ipv4(address)) => check(address.into())?,
            Some(url::Host::Ipv6(address)) => check(address.into())?,
            Some(url::Host::Domain(_)) | None => {}
        }
        Ok(())
    }

    fn host(&self, registry: &RegistryHost) -> Result<Arc<Host>, Error> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(registry) {
            return Ok(Arc::clone(host));
        }
        let named = |hosts: &BTreeSet<String>| hosts.contains(registry.as_str());
        let is_plain =
            named(&self.options.insecure) || (registry.is_loopback() && !named(&self.options.tls));
        let scheme = if is_plain { "http" } else { "https" };
        let base = Url::parse(&format!("{scheme}://{}/v2/", registry.api_host()))
            .map_err(|e| Error::invalid(format!("the registry `{registry}`"), e.to_string()))?;
        let auth = auth::Learned::default();
        let traffic = self.options.budgets.of(registry.api_host());
        let elsewhere = budget::Traffic::new("");
        let host = Arc::new(Host { registry: registry.clone(), base, auth, traffic, elsewhere });
        hosts.insert(registry.clone(), Arc::clone(&host));
        Ok(host)
    }
}
