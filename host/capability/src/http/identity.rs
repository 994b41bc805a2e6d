//! Who a request is from: the token of an identity, written by the host.

use azure::{Audience, Identity};
use http::{HeaderMap, HeaderValue, Method, header::AUTHORIZATION};
use report::Fault;
use url::Url;

use super::GrantedHttp;
use crate::grant::{Denied, Layer, origin};

/// An identity, and what a URL is of its cloud.
type Owner<'a> = Option<(&'a Identity, Audience)>;

impl GrantedHttp {
    /// Writes `authorization` into `headers` of a request to `url`, where an identity that the step
    /// is granted owns that URL. A hop that a redirect from elsewhere led to is nobody's.
    ///
    /// # Errors
    /// `denied.identity` where the plugin has an `authorization` of its own, or where only a pattern
    /// allows the host; and what logging in fails with.
    pub(super) async fn sign(
        &self,
        url: &Url,
        method: &Method,
        is_foreign: bool,
        headers: &mut HeaderMap,
    ) -> Result<(), Fault> {
        if is_foreign {
            return Ok(());
        }
        let Some((identity, audience)) = self.owner(url)? else { return Ok(()) };
        let refuse = |layer, toml| -> Result<(), Fault> {
            let value = format!("{method} {}", origin(url));
            Err(Denied { key: "identity", value, layer, toml }.into())
        };
        let name = || identity.name().to_owned();
        if headers.contains_key(AUTHORIZATION) {
            return refuse(Layer::OwnAuthorization { identity: name() }, None);
        }
        if audience.host().is_some() && !self.gate.call.grant.names_host(url, method) {
            let toml = format!("\"{}\" in the list of `http`", origin(url));
            return refuse(Layer::UnnamedHost { identity: name() }, Some(toml));
        }
        let value = self.authorization(identity, &audience, method, url).await?;
        headers.insert(AUTHORIZATION, value);
        Ok(())
    }

    /// The first identity of the grant that owns `url`.
    fn owner(&self, url: &Url) -> Result<Owner<'_>, Fault> {
        for name in self.gate.call.grant.identities() {
            let identity = self.secrets.identities().get(name)?;
            if let Some(audience) = identity.cloud().audience_of(url) {
                return Ok(Some((identity, audience)));
            }
        }
        Ok(None)
    }

    async fn authorization(
        &self,
        identity: &Identity,
        audience: &Audience,
        method: &Method,
        url: &Url,
    ) -> Result<HeaderValue, Fault> {
        Box::pin(identity.authorization(audience, method, url, &self.secrets)).await
    }
}
