//! Azure Container Registry: a token of Entra ID becomes one of the registry's own.

use std::time::Duration;

use http::Method;
use report::Fault;
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use crate::answer::Refusal;
use crate::cloud::Audience;
use crate::error::{Error, foreign};
use crate::identity::{Identity, SecretReader};
use crate::jwt;
use crate::link::entra::Secrecy;
use crate::token::Token;
use crate::wire::Ask;

/// The user whose password is a refresh token of the registry.
pub const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// What a token lives if nobody says (distribution's token specification).
const USUAL_LIFE: Duration = Duration::from_secs(60);

/// A registry, as an identity sees it.
pub struct Registry<'a> {
    identity: &'a Identity,
    host: String,
    base: Url,
}

#[derive(Deserialize)]
struct Exchanged {
    refresh_token: Secrecy,
}

#[derive(Deserialize)]
struct Granted {
    #[serde(alias = "token")]
    access_token: Secrecy,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl<'a> Registry<'a> {
    pub(crate) fn of(identity: &'a Identity, host: &str) -> Result<Self, Error> {
        match identity.cloud().registry_at(host) {
            Some(base) => Ok(Self { identity, host: host.to_owned(), base }),
            None => Err(foreign(
                identity.name(),
                &Audience::Registry(host.to_owned()),
                "registries of Azure are `NAME.azurecr.io`; another cloud is `cloud` of the \
                 identity, another place is `registry` of its `endpoints`",
            )),
        }
    }

    /// Whether `service`, which the registry names for its tokens, is the registry itself.
    pub fn is_own(&self, service: &Url) -> bool {
        service.origin() == self.base.origin()
    }

    /// The registry's refresh token: docker's identity token, or the password of [`NOBODY`].
    ///
    /// # Errors
    /// As [`Identity::token`]; `unauthorized.azure` where the identity has no role there.
    pub async fn refresh_token(&self, secrets: &dyn SecretReader) -> Result<Token, Fault> {
        let slot = self.identity.slot(&format!("exchange {}", self.host));
        slot.get(Box::pin(self.exchange(secrets))).await
    }

    /// An access token for all of `scopes`, asked for at once: a registry with ABAC permissions
    /// gives a token for what its scopes name, and a second token does not add to the first.
    ///
    /// # Errors
    /// As [`Registry::refresh_token`].
    pub async fn access_token(
        &self,
        scopes: &[String],
        secrets: &dyn SecretReader,
    ) -> Result<Token, Fault> {
        let slot = self.identity.slot(&format!("access {} {}", self.host, scopes.join(" ")));
        slot.get(Box::pin(self.grant(scopes, secrets))).await
    }

    async fn exchange(&self, secrets: &dyn SecretReader) -> Result<Token, Error> {
        let audience = Audience::Registry(self.host.clone());
        let token = self.identity.token(&audience, secrets).await?;
        let tenant = self.identity.tenant();
        let form = form("access_token", &self.host, |form| {
            if let Some(tenant) = &tenant {
                form.append_pair("tenant", tenant);
            }
            form.append_pair("access_token", token.secret().expose_text().unwrap_or_default());
        });
        let asked = Instant::now();
        let (url, body) = self.ask("oauth2/exchange", form).await?;
        let given: Exchanged = serde_json::from_slice(&body)
            .map_err(|_| Error::answer(&url, "holds no `refresh_token`"))?;
        self.learned(given.refresh_token, asked, None)
    }

    async fn grant(&self, scopes: &[String], secrets: &dyn SecretReader) -> Result<Token, Error> {
        let refresh = self.refresh_token(secrets).await?;
        let form = form("refresh_token", &self.host, |form| {
            for scope in scopes {
                form.append_pair("scope", scope);
            }
            form.append_pair("refresh_token", refresh.secret().expose_text().unwrap_or_default());
        });
        let asked = Instant::now();
        let (url, body) = self.ask("oauth2/token", form).await?;
        let given: Granted = serde_json::from_slice(&body)
            .map_err(|_| Error::answer(&url, "holds no `access_token`"))?;
        self.learned(given.access_token, asked, given.expires_in.map(Duration::from_secs))
    }

    async fn ask(
        &self,
        path: &str,
        form: Zeroizing<String>,
    ) -> Result<(Url, Zeroizing<Vec<u8>>), Error> {
        let url = self.base.join(path).map_err(|_| Error::Setting("no URL".to_owned()))?;
        let answer = self.identity.wire().send(&Ask::post(url.clone(), form)).await?;
        if answer.is_success() {
            return Ok((url, answer.body));
        }
        let (identity, refusal) = (self.identity.name().to_owned(), Box::new(Refusal::of(&answer)));
        Err(Error::Registry { identity, host: self.host.clone(), refusal })
    }

    fn learned(
        &self,
        token: Secrecy,
        asked: Instant,
        life: Option<Duration>,
    ) -> Result<Token, Error> {
        let now = self.identity.now();
        let left = jwt::expiry(token.as_str()).map(|end| end.saturating_sub(now));
        let left = left.and_then(|left| u64::try_from(left).ok()).map(Duration::from_secs);
        let token = token.into_secret();
        if token.is_empty() {
            return Err(Error::answer(&self.base, "holds an empty token"));
        }
        self.identity.mask().learn(&token);
        Ok(Token::new(token, asked, left.or(life).unwrap_or(USUAL_LIFE)))
    }
}

/// A form of the token service, with what `more` adds.
fn form(
    grant: &str,
    host: &str,
    more: impl FnOnce(&mut Serializer<'_, String>),
) -> Zeroizing<String> {
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", grant).append_pair("service", host);
    more(&mut form);
    form.finish().into()
}

/// The scopes that a request to a registry needs; none for what gives tokens itself, or is unknown.
pub fn scopes_of(method: &Method, url: &Url) -> Option<Vec<String>> {
    let parts: Vec<&str> = url.path_segments()?.collect();
    let is_look = matches!(*method, Method::GET | Method::HEAD);
    let repository = |name: &[&str], actions: &str| {
        let name = name.join("/");
        // An encoded character would be one thing here and another there.
        let is_plain =
            !name.is_empty() && !name.contains('%') && !name.split('/').any(str::is_empty);
        is_plain.then(|| vec![format!("repository:{name}:{actions}")])
    };
    match parts.as_slice() {
        ["v2", "_catalog"] | ["acr", "v1", "_catalog"] if is_look => {
            Some(vec!["registry:catalog:*".to_owned()])
        }
        ["acr", "v1", "_catalog", ..] => None,
        ["acr", "v1", rest @ ..] => {
            let end = rest.iter().position(|part| part.starts_with('_')).unwrap_or(rest.len());
            let actions = match *method {
                Method::DELETE => "delete",
                Method::PATCH => "metadata_write",
                _ if is_look => "metadata_read",
                _ => return None,
            };
            repository(rest.get(..end)?, actions)
        }
        ["v2", rest @ ..] => {
            let name = match rest {
                [name @ .., "blobs", "uploads", _] => name,
                [name @ .., "manifests" | "blobs" | "referrers", _] => name,
                [name @ .., "tags", "list"] => name,
                _ => return None,
            };
            let actions = match *method {
                Method::DELETE => "pull,delete",
                _ if is_look => "pull",
                _ => "pull,push",
            };
            repository(name, actions)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
