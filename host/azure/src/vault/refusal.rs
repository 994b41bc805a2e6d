//! Why a vault does not give a secret, and what to do about it.

use report::Kind;
use serde::Deserialize;

use super::challenge::Challenge;
use super::{Attributes, SecretName, Vault};
use crate::answer::shown;
use crate::error::Error;
use crate::identity::SecretReader;
use crate::wire::Answer;

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

impl Vault<'_> {
    pub(super) fn other_tenant(&self, challenge: &Challenge, answer: &Answer) -> Error {
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

    pub(super) fn check_times(
        &self,
        secret: &SecretName,
        attributes: &Attributes,
    ) -> Result<(), Error> {
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

    pub(super) async fn refused(
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
