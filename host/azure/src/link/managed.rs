//! The identity of the machine: App Service and what is like it, and the metadata service.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::entra::Secrecy;
use super::{Found, Looked};
use crate::answer::Refusal;
use crate::error::Error;
use crate::identity::{Identity, Managed};
use crate::link::Link;
use crate::token::Token;
use crate::wire::{Ask, Patience};

/// The metadata service of virtual machines and container groups.
const IMDS: &str = "http://169.254.169.254";

/// Where it is instead; the Azure CLI honours the same.
const IMDS_HOST: &str = "AZURE_POD_IDENTITY_AUTHORITY_HOST";

#[derive(Deserialize)]
struct Given {
    access_token: Secrecy,
    /// Seconds since 1970; text from some, a number from others.
    #[serde(default)]
    expires_on: Value,
    #[serde(default)]
    expires_in: Value,
}

/// Who answers on this machine.
enum Source {
    AppService {
        url: String,
        header: String,
    },
    Imds {
        host: String,
    },
    /// There is one that we do not know.
    Other(&'static str),
}

/// A token for `resource` of the identity that `which` says.
///
/// `is_asked` says that somebody wrote that there is one: then it is waited for.
pub(crate) async fn token(
    identity: &Identity,
    which: &Managed,
    resource: &str,
    is_asked: bool,
) -> Looked<Token> {
    let source = source(identity);
    let (mut ask, id_of_resource) = match &source {
        Source::Other(what) => {
            return Ok(Found::nothing(
                format!("this machine has the managed identity of {what}, which is not supported"),
                "log in by a federated token, or with the Azure CLI",
            ));
        }
        Source::AppService { url, header } => {
            let url = parse("IDENTITY_ENDPOINT", url)?;
            let name = HeaderName::from_static("x-identity-header");
            let mut value = HeaderValue::from_str(header)
                .map_err(|_| Error::Setting("IDENTITY_HEADER is no text of a header".to_owned()))?;
            value.set_sensitive(true);
            (Ask::get(with(url, "2019-08-01", resource)).header(name, value), "mi_res_id")
        }
        Source::Imds { host } => {
            let url = parse(
                IMDS_HOST,
                &format!("{}/metadata/identity/oauth2/token", host.trim_end_matches('/')),
            )?;
            let (name, value) =
                (HeaderName::from_static("metadata"), HeaderValue::from_static("true"));
            (Ask::get(with(url, "2018-02-01", resource)).header(name, value), "msi_res_id")
        }
    };
    ask.patience = if is_asked { Patience::Local } else { Patience::Probe };
    match which {
        Managed::System => {}
        Managed::ClientId(id) => _ = ask.url.query_pairs_mut().append_pair("client_id", id),
        Managed::ResourceId(id) => _ = ask.url.query_pairs_mut().append_pair(id_of_resource, id),
    }
    let asked = Instant::now();
    let answer = match identity.wire().send(&ask).await {
        Ok(answer) => answer,
        Err(Error::Unreachable { .. }) => return Ok(nobody()),
        Err(error) => return Err(error),
    };
    if !answer.is_success() {
        let refusal = Box::new(Refusal::of(&answer));
        let is_none = answer.status == 400 && refusal.said.contains("Identity not found");
        // Docker Desktop answers for an address that it cannot reach.
        let is_proxy =
            answer.status == 403 && String::from_utf8_lossy(&answer.body).contains("unreachable");
        if is_none || is_proxy {
            return Ok(Found::nothing(
                "this machine has no such managed identity",
                "assign one to it, or name another: `managed = { client-id = \"…\" }`",
            ));
        }
        // The metadata service of another cloud knows no such path.
        if !is_asked && matches!(answer.status, 400..=499) && refusal.code.is_empty() {
            return Ok(nobody());
        }
        let identity = identity.name().to_owned();
        return Err(Error::Login { identity, link: Link::Managed, refusal });
    }
    let given: Given = match serde_json::from_slice(&answer.body) {
        Ok(given) => given,
        Err(_) if !is_asked => return Ok(nobody()),
        Err(_) => return Err(Error::answer(&ask.url, "is no token as managed identities have it")),
    };
    let token = given.access_token.into_secret();
    if token.is_empty() {
        return Err(Error::answer(&ask.url, "holds an empty token"));
    }
    let left = number(&given.expires_on).map(|end| end.saturating_sub(identity.now()));
    let life = left.or_else(|| number(&given.expires_in)).unwrap_or_default();
    let life = Duration::from_secs(u64::try_from(life).unwrap_or_default());
    Ok(Found::Some(Token::new(token, asked, life)))
}

fn nobody() -> Found<Token> {
    Found::nothing(
        "nobody answers for the identity of this machine",
        "this machine is none of Azure's, or has no managed identity",
    )
}

/// In the order in which Microsoft's own libraries look.
fn source(identity: &Identity) -> Source {
    let variable = |name: &str| identity.variable(name);
    let endpoint = variable("IDENTITY_ENDPOINT");
    match (endpoint, variable("IDENTITY_HEADER"), variable("MSI_ENDPOINT")) {
        (Some(_), Some(_), _) if variable("IDENTITY_SERVER_THUMBPRINT").is_some() => {
            Source::Other("Service Fabric")
        }
        (Some(url), Some(header), _) => Source::AppService { url, header },
        (Some(_), None, _) if variable("IMDS_ENDPOINT").is_some() => Source::Other("Azure Arc"),
        (_, _, Some(_)) if variable("MSI_SECRET").is_some() => {
            Source::Other("Azure Machine Learning")
        }
        (_, _, Some(_)) => Source::Other("Cloud Shell"),
        (_, _, None) => {
            Source::Imds { host: variable(IMDS_HOST).unwrap_or_else(|| IMDS.to_owned()) }
        }
    }
}

fn parse(variable: &str, text: &str) -> Result<Url, Error> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| Error::Setting(format!("{variable} is not a URL")))
}

fn with(mut url: Url, version: &str, resource: &str) -> Url {
    url.query_pairs_mut().append_pair("api-version", version).append_pair("resource", resource);
    url
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}
