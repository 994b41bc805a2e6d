//! The one gate: every request, and every hop of it, passes here before anything is sent.

use std::net::IpAddr;

use http::Method;
use report::Fault;
use url::{Host, Url};

use super::{
    address,
    message::check_url,
    resolver::{RefusedAddress, only_allowed},
};
use crate::{
    call::{Call, Effect},
    grant::{Reach, Want},
    http::Http,
};

/// Decides, and remembers what it needs to explain a refusal.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) call: Call,
    pub(super) http: Http,
}

impl Gate {
    /// Whether `method` may be sent to `url`, and how far the connection may go.
    ///
    /// A name is checked when the client resolves it; with a proxy, which resolves it itself, it is
    /// looked up here first, as far as this machine knows it.
    pub(super) async fn authorize(&self, url: &Url, method: &Method) -> Result<Reach, Fault> {
        check_url(url)?;
        let effect = match method.is_safe() {
            true => Effect::Look,
            false => Effect::Change,
        };
        self.call.check(&Want::Http { url, method }, effect)?;
        let reach = self.call.grant.reach(url, method);
        match url.host() {
            Some(Host::Ipv4(address)) => self.check(IpAddr::V4(address), reach, url, method)?,
            Some(Host::Ipv6(address)) => self.check(IpAddr::V6(address), reach, url, method)?,
            Some(Host::Domain(name)) if self.http.has_proxy() => {
                if let Ok(found) = self.http.names().addresses(name.to_owned()).await {
                    only_allowed(found, reach)
                        .map_err(|refused| self.refusal(refused, url, method))?;
                }
            }
            Some(Host::Domain(_)) | None => {}
        }
        Ok(reach)
    }

    /// The refusal of an address that `url` led to.
    pub(super) fn refusal(&self, refused: RefusedAddress, url: &Url, method: &Method) -> Fault {
        let RefusedAddress { address, special } = refused;
        let is_literal = matches!(url.host(), Some(Host::Ipv4(_) | Host::Ipv6(_)));
        // A name that leads to credentials is never let through: the rule has to name the address.
        let may_be_granted = is_literal || !special.is_metadata;
        self.call
            .grant
            .denied_address(url, method, address.to_string(), special.what, may_be_granted)
            .into()
    }

    fn check(
        &self,
        address: IpAddr,
        reach: Reach,
        url: &Url,
        method: &Method,
    ) -> Result<(), Fault> {
        address::check(address, reach)
            .map_err(|special| self.refusal(RefusedAddress { address, special }, url, method))
    }
}
