//! Client credentials at Entra ID: a secret, or an assertion in the place of one.

use std::time::Duration;

use report::Secret;
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use crate::answer::Refusal;
use crate::error::Error;
use crate::identity::Identity;
use crate::link::Link;
use crate::token::Token;
use crate::wire::Ask;

/// What an application proves itself with.
pub(crate) enum Proof {
    /// `client_secret`.
    Secret(Secret),
    /// `client_assertion`.
    Assertion(Secret),
}

/// RFC 6749 §5.1.
#[derive(Deserialize)]
struct Granted {
    access_token: Secrecy,
    #[serde(default)]
    expires_in: u64,
}

/// Text that is wiped, whatever becomes of it.
pub(crate) struct Secrecy(Zeroizing<String>);

impl<'de> Deserialize<'de> for Secrecy {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(Zeroizing::new(text)))
    }
}

impl Secrecy {
    pub(crate) fn into_secret(self) -> Secret {
        Secret::new(self.0.as_bytes())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// How the assertion is one (RFC 7523).
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Logs the application `client` in at `url`, for a token for `resource`.
pub(crate) async fn login(
    identity: &Identity,
    link: Link,
    url: Url,
    client: &str,
    proof: &Proof,
    resource: &str,
) -> Result<Token, Error> {
    let form = form(link, client, proof, resource)?;
    let asked = Instant::now();
    let answer = identity.wire().send(&Ask::post(url.clone(), form)).await?;
    if !answer.is_success() {
        let (identity, refusal) = (identity.name().to_owned(), Box::new(Refusal::of(&answer)));
        return Err(Error::Login { identity, link, refusal });
    }
    let granted: Granted = serde_json::from_slice(&answer.body)
        .map_err(|_| Error::answer(&url, "is no token as OAuth 2.0 has it"))?;
    let token = granted.access_token.into_secret();
    if token.is_empty() {
        return Err(Error::answer(&url, "holds an empty token"));
    }
    Ok(Token::new(token, asked, Duration::from_secs(granted.expires_in)))
}

/// RFC 6749 §4.4.2, and RFC 7521 §4.2 for assertions.
fn form(
    link: Link,
    client: &str,
    proof: &Proof,
    resource: &str,
) -> Result<Zeroizing<String>, Error> {
    let mut form = Serializer::new(String::new());
    form.append_pair("client_id", client)
        .append_pair("grant_type", "client_credentials")
        .append_pair("scope", &format!("{resource}/.default"));
    let text = |secret: &Secret| {
        let text = secret.expose_text().map(|text| Zeroizing::new(text.to_owned()));
        text.ok_or_else(|| Error::Setting(format!("the {link} is no UTF-8 text")))
    };
    match proof {
        Proof::Secret(secret) => form.append_pair("client_secret", &text(secret)?),
        Proof::Assertion(assertion) => form
            .append_pair("client_assertion", &text(assertion)?)
            .append_pair("client_assertion_type", ASSERTION),
    };
    Ok(form.finish().into())
}
