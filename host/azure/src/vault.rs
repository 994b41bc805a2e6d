//! Key Vault: one secret, read.

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
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

#[derive(Deserialize, Default)]
struct Failure {
    #[serde(default)]
    error: Part,
}

#[derive(Deserialize, Default)]
struct Part {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    innererror: Option<Box<Self>>,
}

#[derive(Deserialize, Default)]
struct Deleted {
    #[serde(default, rename = "scheduledPurgeDate")]
    purged: Option<i64>,
}

/// What a vault wants: RFC 6750, with the words of Key Vault.
#[derive(Debug, Default, PartialEq, Eq)]
struct Challenge {
    tenant: Option<String>,
    resource: Option<String>,
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

    fn other_tenant(&self, challenge: &Challenge, answer: &Answer) -> Error {
        let said = failure(answer);
        let own = self.identity.tenant();
        let other = challenge.tenant.as_deref().filter(|&tenant| Some(tenant) != own.as_deref());
        let name = self.identity.name();
        Error::Vault {
            kind: Kind::Unauthorized,
            what: format!("the vault `{}` does not know the identity `{name}`", self.host),
            causes: said.lines(),
            help: match other {
                Some(tenant) => format!(
                    "the vault belongs to the tenant `{}`: log in there, `tenant` of \
                     `[identity.{name}]`",
                    shown(tenant)
                ),
                None => "check `tenant` and `cloud` of the identity".to_owned(),
            },
            retry: false,
        }
    }

    fn check_times(&self, secret: &SecretName, attributes: &Attributes) -> Result<(), Error> {
        let now = self.identity.now();
        let (what, moment) = match (attributes.nbf, attributes.exp) {
            (_, Some(end)) if end <= now => ("is over since", end),
            (Some(begin), _) if begin > now => ("is not good before", begin),
            _ => return Ok(()),
        };
        Err(Error::Vault {
            kind: Kind::Failed,
            what: format!(
                "the secret `{}` of the vault `{}` {what} {}",
                secret.name,
                self.host,
                date(moment)
            ),
            causes: Vec::new(),
            help: "set a new version, or name another one: `version = \"…\"`".to_owned(),
            retry: false,
        })
    }

    async fn refused(
        &self,
        secret: &SecretName,
        answer: &Answer,
        secrets: &dyn SecretReader,
    ) -> Error {
        let (name, host, who) = (&secret.name, &self.host, self.identity.name());
        let vault = host.split('.').next().unwrap_or_default();
        let said = failure(answer);
        let make = |kind: Kind, what: String, help: String| Error::Vault {
            kind,
            what,
            causes: said.lines(),
            help,
            retry: kind == Kind::Transient,
        };
        let what = format!("the secret `{name}` of the vault `{host}`");
        let refuses = format!("the vault `{host}` does not let the identity `{who}` read `{name}`");
        match (answer.status, said.inner()) {
            (401, _) => make(
                Kind::Unauthorized,
                refuses,
                "check `tenant` and `cloud` of the identity".to_owned(),
            ),
            (403, "SecretDisabled") => make(
                Kind::Failed,
                format!("{what} is disabled"),
                format!(
                    "enable it, `az keyvault secret set-attributes --vault-name {vault} -n {name} \
                     --enabled true`, or name another version"
                ),
            ),
            (403, "ForbiddenByFirewall" | "ForbiddenByConnection") => make(
                Kind::Unauthorized,
                refuses,
                "the vault's firewall refuses this machine: allow its address, or run inside of \
                 the network"
                    .to_owned(),
            ),
            (403, "ForbiddenByPolicy" | "AccessDenied") => make(
                Kind::Unauthorized,
                refuses,
                format!(
                    "give it the permission: `az keyvault set-policy -n {vault} --spn APP \
                     --secret-permissions get`"
                ),
            ),
            (403, _) => make(
                Kind::Unauthorized,
                refuses,
                "give it the role `Key Vault Secrets User` on the vault: `az role assignment \
                 create`; it takes some minutes to count"
                    .to_owned(),
            ),
            (404, _) => match self.deleted(secret, secrets).await {
                Some(until) => make(
                    Kind::NotFound,
                    format!("{what} is deleted, and can be recovered{until}"),
                    format!("`az keyvault secret recover --vault-name {vault} -n {name}`"),
                ),
                None => make(
                    Kind::NotFound,
                    format!("there is no secret `{name}` in the vault `{host}`"),
                    format!("see what is there: `az keyvault secret list --vault-name {vault}`"),
                ),
            },
            (408 | 409 | 429 | 500..=599, _) => make(
                Kind::Transient,
                format!("the vault `{host}` has no time for `{name}`"),
                "try again in a minute".to_owned(),
            ),
            (status, _) => make(
                Kind::Failed,
                format!("the vault `{host}` answers {status} for `{name}`"),
                "check `vault`, `name` and `version` of the secret".to_owned(),
            ),
        }
    }

    /// Until when a deleted secret can be recovered, if it is one and we may know.
    async fn deleted(&self, secret: &SecretName, secrets: &dyn SecretReader) -> Option<String> {
        let url = self.url(&format!("deletedsecrets/{}", secret.name)).ok()?;
        let answer = self.ask(&url, secrets).await.ok().filter(Answer::is_success)?;
        let deleted: Deleted = serde_json::from_slice(&answer.body).unwrap_or_default();
        Some(deleted.purged.map(|at| format!(" until {}", date(at))).unwrap_or_default())
    }

    fn url(&self, path: &str) -> Result<Url, Error> {
        let url = self.base.join(path);
        let mut url = url.map_err(|_| Error::Setting("the vault has no URL".to_owned()))?;
        url.query_pairs_mut().append_pair("api-version", API_VERSION);
        Ok(url)
    }
}

impl Challenge {
    fn of(answer: &Answer) -> Self {
        let Some(text) = answer.header(&WWW_AUTHENTICATE) else { return Self::default() };
        let mut challenge = Self::default();
        let parts = text.strip_prefix("Bearer ").unwrap_or_default().split(',');
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match key.trim() {
                "authorization" | "authorization_uri" => {
                    let url = Url::parse(value).ok();
                    let tenant = url.as_ref().and_then(|url| url.path_segments()?.next());
                    challenge.tenant = tenant.filter(|t| !t.is_empty()).map(str::to_owned);
                }
                "resource" => challenge.resource = Some(value.to_owned()),
                "scope" => {
                    let resource = value.strip_suffix("/.default").unwrap_or(value);
                    challenge.resource = Some(resource.to_owned());
                }
                _ => {}
            }
        }
        challenge
    }
}

impl Failure {
    fn inner(&self) -> &str {
        self.error.innererror.as_ref().map_or("", |inner| &inner.code)
    }

    /// Its own words: the first line of them, the others name what the caller knows.
    fn lines(&self) -> Vec<String> {
        let message = shown(self.error.message.lines().next().unwrap_or_default());
        let code = if self.inner().is_empty() { &self.error.code } else { self.inner() };
        let code = shown(code);
        match (code.is_empty(), message.is_empty()) {
            (true, true) => Vec::new(),
            (false, true) => vec![code],
            (true, false) => vec![message],
            (false, false) => vec![format!("{code}: {message}")],
        }
    }
}

fn failure(answer: &Answer) -> Failure {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

/// The day of a moment in seconds since 1970.
fn date(moment: i64) -> String {
    let moment = u64::try_from(moment).unwrap_or_default();
    // What dates cannot be written of lies far behind every pipeline.
    let moment = std::time::Duration::from_secs(moment.min(253_402_300_799));
    let time = std::time::UNIX_EPOCH + moment;
    let text = humantime::format_rfc3339_seconds(time).to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
