//! Names to addresses, and only to those that a request may reach.
//!
//! The client connects to what this answers and to nothing else, so that the address which was checked
//! is the address which is used: a name that resolves otherwise a moment later changes nothing.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use futures::future::BoxFuture;
use report::Fault;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::{self, Special};
use crate::grant::Reach;

/// How a name is looked up: the system's resolver, or a table in tests.
pub(crate) trait Names: Send + Sync {
    /// All addresses of `name`.
    fn addresses(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The system's resolver: see [`::oci::client::addresses`].
pub(crate) struct SystemNames;

/// Answers with the addresses that `reach` allows.
pub(crate) struct PinnedResolver {
    pub(crate) names: Arc<dyn Names>,
    pub(crate) reach: Reach,
    /// Names that go through whatever they lead to: the proxies that the person set.
    pub(crate) trusted: Vec<String>,
}

/// No address of a name may be reached. Travels through the client's error chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {}", special.what)]
pub(crate) struct RefusedAddress {
    pub(crate) address: IpAddr,
    pub(crate) special: Special,
}

impl Names for SystemNames {
    fn addresses(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move { ::oci::client::addresses(&name).await })
    }
}

impl Resolve for PinnedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        let is_trusted = self.trusted.iter().any(|trusted| trusted.eq_ignore_ascii_case(&name));
        let (names, reach) = (Arc::clone(&self.names), self.reach);
        Box::pin(async move {
            let found = names.addresses(name).await?;
            let allowed = if is_trusted { found } else { only_allowed(found, reach)? };
            let addresses = allowed.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// A resolver whose refusals are a decision for whoever asked, not trouble with a name.
pub(crate) struct Refusing {
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) refuse: fn(&str, RefusedAddress) -> Fault,
}

impl Resolve for Refusing {
    fn resolve(&self, name: Name) -> Resolving {
        let (text, refuse) = (name.as_str().to_owned(), self.refuse);
        let found = self.resolver.resolve(name);
        Box::pin(async move {
            found.await.map_err(|error| match error.downcast::<RefusedAddress>() {
                Ok(refused) => refuse(&text, *refused).into(),
                Err(other) => other,
            })
        })
    }
}

/// The addresses that may be reached.
///
/// # Errors
/// [`RefusedAddress`] if there are some, and none of them may be reached.
pub(crate) fn only_allowed(
    found: Vec<IpAddr>,
    reach: Reach,
) -> Result<Vec<IpAddr>, RefusedAddress> {
    let mut allowed = Vec::with_capacity(found.len());
    let mut refused = None;
    for address in found {
        match address::check(address, reach) {
            Ok(()) => allowed.push(address),
            Err(special) => refused = refused.or(Some(RefusedAddress { address, special })),
        }
    }
    match (allowed.is_empty(), refused) {
        (true, Some(refused)) => Err(refused),
        _ => Ok(allowed),
    }
}
