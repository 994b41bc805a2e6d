//! `http`: requests through the one gate.
//!
//! [`Http`] is the backend: clients, made on first use and shared by all steps, so that connections
//! are too. [`GrantedHttp`] is that, seen through a step's grant. It has two doors: [`GrantedHttp::send`]
//! for our own interface (whole messages, sealed parts, redirects), [`GrantedHttp::forward`] for
//! `wasi:http` (streams both ways). Both go through the gate, hop by hop.
//!
//! Order of one hop: rule, address policy, `only-to` of every secret, then the secrets are written into
//! the message, then the token of an identity where the hop goes to a host of its cloud, then it leaves. Nothing looks at the message after the secrets are in it.
//!
//! Deliberately absent: retries (the plugin or the step's `retry` owns time), cookies, caches,
//! decompression.

pub(crate) mod address;
mod fault;
mod forward;
mod gate;
mod identity;
mod keep;
mod message;
mod resolver;
mod send;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use ::oci::client::ClientOptions;
use report::Fault;
use url::Url;

use crate::{
    call::Call,
    grant::Reach,
    secrets::{Placeholders, Secrets},
};
use gate::Gate;
use resolver::{Names, PinnedResolver, SystemNames};

pub(crate) use message::is_forbidden;
pub(crate) use resolver::RefusedAddress;

pub use forward::{Body, BodyError, Timeouts};
pub use keep::Kept;
pub use message::{Encoding, Header, HeaderValue, Part, Redirects, Request, Response};

/// The clients of one process. Clones share them.
#[derive(Clone)]
pub struct Http(Arc<Inner>);

struct Inner {
    options: ClientOptions,
    names: Arc<dyn Names>,
    /// Host names of the proxies: they may be anywhere.
    proxies: Vec<String>,
    public: Mutex<Option<reqwest::Client>>,
    private: Mutex<Option<reqwest::Client>>,
}

/// HTTP, seen through the grant of one step.
#[derive(Clone)]
pub struct GrantedHttp {
    gate: Gate,
    placeholders: Placeholders,
    /// With the identities that requests may be sent as.
    secrets: Secrets,
}

impl Http {
    /// With the roots, proxy and timeouts of `options`; its resolver is not used. Makes no client yet.
    pub fn new(options: ClientOptions) -> Self {
        Self::with_names(options, Arc::new(SystemNames))
    }

    pub(crate) fn with_names(options: ClientOptions, names: Arc<dyn Names>) -> Self {
        let proxies = [&options.proxy.https, &options.proxy.http];
        let proxies = proxies.into_iter().flatten().filter_map(|proxy| proxy_host(proxy)).collect();
        let (public, private) = (Mutex::new(None), Mutex::new(None));
        Self(Arc::new(Inner { options, names, proxies, public, private }))
    }

    /// The client whose connections go no further than `reach`.
    fn client(&self, reach: Reach) -> Result<reqwest::Client, Fault> {
        let slot = if reach.private { &self.0.private } else { &self.0.public };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*slot {
            return Ok(client.clone());
        }
        let resolver = Some(self.resolver(reach.private));
        let options = ClientOptions { resolver, ..self.0.options.clone() };
        let client = ::oci::client::build(&options)?;
        Ok(slot.insert(client).clone())
    }

    /// A resolver that answers with any address but those of metadata services; of a name that
    /// leads to such alone, `refuse` makes the error.
    pub(crate) fn private_resolver(
        &self,
        refuse: fn(&str, RefusedAddress) -> Fault,
    ) -> Arc<dyn reqwest::dns::Resolve> {
        Arc::new(resolver::Refusing { resolver: self.resolver(true), refuse })
    }

    fn resolver(&self, private: bool) -> Arc<dyn reqwest::dns::Resolve> {
        Arc::new(PinnedResolver {
            names: Arc::clone(&self.0.names),
            // A name may never lead to metadata: only an address that the rule names may.
            reach: Reach { private, literal: false },
            trusted: self.0.proxies.clone(),
        })
    }

    fn has_proxy(&self) -> bool {
        !self.0.proxies.is_empty()
    }

    fn names(&self) -> &dyn Names {
        &*self.0.names
    }
}

impl GrantedHttp {
    pub(crate) fn new(
        call: Call,
        http: Http,
        placeholders: Placeholders,
        secrets: Secrets,
    ) -> Self {
        Self { gate: Gate { call, http }, placeholders, secrets }
    }
}

/// The host of a proxy, which may be written without a scheme.
fn proxy_host(proxy: &str) -> Option<String> {
    let url = match proxy.contains("://") {
        true => Url::parse(proxy),
        false => Url::parse(&format!("http://{proxy}")),
    };
    url.ok()?.host_str().map(str::to_owned)
}
