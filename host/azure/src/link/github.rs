//! The token of a job of GitHub Actions; Forgejo has the same contract.

use http::header::AUTHORIZATION;
use report::Secret;
use serde::Deserialize;
use url::Url;

use super::entra::Secrecy;
use super::{Found, Looked};
use crate::answer::Refusal;
use crate::error::Error;
use crate::identity::Identity;
use crate::link::Link;
use crate::wire::{Ask, bearer};

/// Where the token is asked for; the job has it with `permissions: id-token: write`.
pub(crate) const URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";

/// What it is asked with.
pub(crate) const TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

/// Whom Entra ID wants it to be for.
const AUDIENCE: &str = "api://AzureADTokenExchange";

#[derive(Deserialize)]
struct Given {
    value: Secrecy,
}

/// The token, for the exchange at Entra ID; it lives a few minutes, so it is asked for just before.
pub(crate) async fn token(identity: &Identity) -> Looked<Secret> {
    let (Some(url), Some(token)) = (identity.variable(URL), identity.variable(TOKEN)) else {
        return Ok(Found::nothing(
            format!("{URL} and {TOKEN} are not set"),
            "give the job `permissions: id-token: write`",
        ));
    };
    let wrong = || Error::Setting(format!("{URL} is not an `https` URL"));
    let mut url = Url::parse(&url).map_err(|_| wrong())?;
    // The job's token goes there.
    let is_loopback = url.host_str().is_some_and(|host| matches!(host, "127.0.0.1" | "localhost"));
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback) {
        return Err(wrong());
    }
    url.query_pairs_mut().append_pair("audience", AUDIENCE);
    let token = Secret::new(token);
    identity.mask().learn(&token);
    let ask = Ask::get(url.clone()).header(AUTHORIZATION, bearer(&token)?);
    let answer = identity.wire().send(&ask).await?;
    if !answer.is_success() {
        let (identity, refusal) = (identity.name().to_owned(), Box::new(Refusal::of(&answer)));
        return Err(Error::Login { identity, link: Link::GitHub, refusal });
    }
    let given: Given = serde_json::from_slice(&answer.body)
        .map_err(|_| Error::answer(&url, "holds no `value` with a token"))?;
    let token = given.value.into_secret();
    if token.is_empty() {
        return Err(Error::answer(&url, "holds an empty token"));
    }
    identity.mask().learn(&token);
    Ok(Found::Some(token))
}
