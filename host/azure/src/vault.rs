//! Key Vault: one secret, read.

mod challenge;
mod refusal;

use challenge::Challenge;
use http::header::AUTHORIZATION;
use report::{Fault, Kind, Secret};
use serde::Deserialize;
use url::Url;

use crate::answer::shown;
use crate::cloud::{Audience, CloudError, authority};
use crate::error::Error;
use crate::identity::{Identity, SecretReader};
use crate::link::entra::Secrecy;
use crate::wire::{Answer, Ask, bearer};

/// The version of the data plane that the Azure CLI speaks.
const API_VERSION: &str = "7.4";

/// The longest name of a secret in a vault.
const LONGEST_NAME: usize = 127;

/// The digits of a version.
const VERSION_DIGITS: usize = 32;

/// The name of a secret in a vault, and perhaps a version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretName {
    name: String,
    version: Option<String>,
}

/// A vault, as an identity sees it.
pub struct Vault<'a> {
    identity: &'a Identity,
    base: Url,
    host: String,
}

/// What a vault has.
pub struct VaultSecret {
    /// The value.
    pub value: Secret,
    /// Its version: 32 hexadecimal digits.
    pub version: String,
}

#[derive(Deserialize)]
struct Bundle {
    #[serde(default)]
    value: Option<Secrecy>,
    #[serde(default)]
    id: String,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Deserialize, Default)]
struct Attributes {
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    exp: Option<i64>,
}

impl SecretName {
    /// The secret `name`, in `version` if one is given.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for what no vault would take.
    pub fn new(name: &str, version: Option<&str>) -> Result<Self, Fault> {
        let wrong = |message: String, help: &str| {
            Err(Fault::new(Kind::Invalid, message).code("invalid.azure").help(help))
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(is_name) {
            return wrong(
                format!("`{}` cannot name a secret of a vault", shown(name)),
                "use letters, digits and dashes, at most 127",
            );
        }
        let is_version = |version: &str| {
            version.len() == VERSION_DIGITS && version.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        match version {
            Some(version) if !is_version(version) => wrong(
                format!("`{}` cannot be a version of a secret", shown(version)),
                "a version is 32 hexadecimal digits: `az keyvault secret list-versions`",
            ),
            _ => Ok(Self { name: name.to_owned(), version: version.map(str::to_owned) }),
        }
    }
}

impl Identity {
    /// The vault that `text` names: `mykeyvault`, or its URL.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if it is none, or none of the identity's cloud.
    pub fn vault(&self, text: &str) -> Result<Vault<'_>, Fault> {
        let base = self.cloud().vault(text).map_err(|error: CloudError| {
            Fault::from(error).cause(format!("with the identity `{}`", self.name()))
        })?;
        let host = authority(&base).unwrap_or_default();
        Ok(Vault { identity: self, base, host })
    }
}

impl Vault<'_> {
    /// Reads `secret`.
    ///
    /// # Errors
    /// `unauthorized.azure` (no role, another tenant), `not-found.azure` (never there, or deleted and
    /// to be recovered), `failed.azure` (disabled, over, not yet good), `transient.azure`; and as
    /// [`Identity::token`].
    pub async fn read(
        &self,
        secret: &SecretName,
        secrets: &dyn SecretReader,
    ) -> Result<VaultSecret, Fault> {
        Box::pin(self.read_checked(secret, secrets)).await.map_err(Fault::from)
    }

    async fn read_checked(
        &self,
        secret: &SecretName,
        secrets: &dyn SecretReader,
    ) -> Result<VaultSecret, Error> {
        let version = secret.version.as_deref().unwrap_or_default();
        let url = self.url(&format!("secrets/{}/{version}", secret.name))?;
        let answer = self.ask(&url, secrets).await?;
        if !answer.is_success() {
            return Err(self.refused(secret, &answer, secrets).await);
        }
        let bundle: Bundle = serde_json::from_slice(&answer.body)
            .map_err(|_| Error::answer(&url, "is no secret of a vault"))?;
        self.check_times(secret, &bundle.attributes)?;
        let value = bundle.value.ok_or_else(|| Error::answer(&url, "holds no value"))?;
        let value = value.into_secret();
        let version = bundle.id.rsplit('/').next().unwrap_or_default().to_owned();
        self.identity.mask().learn(&value);
        Ok(VaultSecret { value, version })
    }

    /// The token goes along at once: who the vault belongs to is known by its host. A vault that
    /// wants another one says so; it is believed only if it lies in the domain of what it names.
    async fn ask(&self, url: &Url, secrets: &dyn SecretReader) -> Result<Answer, Error> {
        let audience = Audience::Vault(self.host.clone());
        if self.identity.cloud().audience_of(url).as_ref() != Some(&audience) {
            let help = "the URL of the secret is not the vault's own";
            return Err(crate::error::foreign(self.identity.name(), &audience, help));
        }
        let usual = self.identity.cloud().resource(&audience);
        let token = self.identity.token_for(usual, secrets).await?;
        let send = |token: &Secret| {
            let ask = bearer(token).map(|value| Ask::get(url.clone()).header(AUTHORIZATION, value));
            async { self.identity.wire().send(&ask?).await }
        };
        let answer = send(token.secret()).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        let challenge = Challenge::of(&answer);
        let resource = challenge.resource.as_deref().unwrap_or(usual);
        let parsed = Url::parse(resource).ok();
        let host = self.base.host_str().unwrap_or_default();
        if !parsed.is_some_and(|resource| self.identity.cloud().may_ask(host, &resource)) {
            return Err(Error::Vault {
                kind: Kind::Denied,
                what: format!("the vault `{}` asks for a token that is not its own", self.host),
                causes: vec![format!("it wants one for {}", shown(resource))],
                help: "something else answers in its place: check the proxy and `endpoints`"
                    .to_owned(),
                retry: false,
            });
        }
        let same =
            |one: &str, other: &str| one.trim_end_matches('/') == other.trim_end_matches('/');
        if same(resource, usual) {
            return Err(self.other_tenant(&challenge, &answer));
        }
        let token = self.identity.token_for(resource.trim_end_matches('/'), secrets).await?;
        send(token.secret()).await
    }

    fn url(&self, path: &str) -> Result<Url, Error> {
        let url = self.base.join(path);
        let mut url = url.map_err(|_| Error::Setting("the vault has no URL".to_owned()))?;
        url.query_pairs_mut().append_pair("api-version", API_VERSION);
        Ok(url)
    }
}

#[cfg(test)]
mod tests;
