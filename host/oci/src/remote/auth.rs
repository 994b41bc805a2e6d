//! Authorization: what a registry wants, and the tokens it gave (distribution's token
//! specification; the `refresh_token` grant of its OAuth2 form).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use http::{HeaderValue, Method};
use report::{Fault, Kind};
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;
use zeroize::Zeroizing;

use super::challenge::Challenge;
use super::error::Problem;
use super::request::{self, failure, read_limited};
use super::{Host, RemoteRepository};
use crate::{Credential, Error, RepositoryName};

/// What a token lives if its service does not say (distribution's token specification: 60 s).
const USUAL_LIFE: Duration = Duration::from_secs(60);

/// A token is renewed this long before it ends, so that it does not end on its way.
const MARGIN: Duration = Duration::from_secs(10);

/// A short life is used all the same: the margin is no more than this part of it, a quarter.
const MARGIN_PART: u32 = 4;

/// Tokens are long where they list many rights; no more is read.
const LARGEST_TOKEN_ANSWER: usize = 1024 * 1024;

/// The actions that a token allows, each including those before it where it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    Pull,
    Push,
    Delete,
}

/// What a request needs to be allowed to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scope {
    pub(super) repository: RepositoryName,
    pub(super) action: Action,
    /// A repository that must be readable too: blobs are mounted from it.
    pub(super) from: Option<RepositoryName>,
}

/// What was learned about one registry.
#[derive(Default)]
pub(super) struct Learned {
    challenge: Mutex<Option<Challenge>>,
    /// One slot for each scope; its lock is held while a token is fetched, so that a scope is asked
    /// for once however many requests wait for it.
    tokens: Mutex<BTreeMap<(Challenge, Scope), Slot>>,
}

type Slot = Arc<tokio::sync::Mutex<Option<Token>>>;

#[derive(Clone)]
struct Token {
    header: HeaderValue,
    until: Option<Instant>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
            Self::Delete => "pull,delete",
        }
    }
}

impl Scope {
    fn texts(&self) -> Vec<String> {
        let own = format!("repository:{}:{}", self.repository, self.action.as_str());
        let other = self.from.as_ref().filter(|from| **from != self.repository);
        std::iter::once(own).chain(other.map(|from| format!("repository:{from}:pull"))).collect()
    }
}

impl Learned {
    pub(super) fn challenge(&self) -> Option<Challenge> {
        self.challenge.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn learn(&self, challenge: Challenge) {
        *self.challenge.lock().unwrap_or_else(PoisonError::into_inner) = Some(challenge);
    }

    fn slot(&self, challenge: &Challenge, scope: &Scope) -> Slot {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (challenge.clone(), scope.clone());
        Arc::clone(tokens.entry(key).or_default())
    }
}

impl RemoteRepository {
    /// What to send along, as far as the registry has said what it wants. `refused` is what it has
    /// just refused: a token that equals it is not used again.
    pub(super) async fn authorization(
        &self,
        scope: &Scope,
        refused: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, Error> {
        let host = &self.host;
        let Some(challenge) = host.auth.challenge() else { return Ok(None) };
        let slot = host.auth.slot(&challenge, scope);
        let mut token = slot.lock().await;
        if let Some(known) = token.as_ref() {
            let is_fresh = known.until.is_none_or(|until| Instant::now() < until);
            if is_fresh && refused != Some(&known.header) {
                return Ok(Some(known.header.clone()));
            }
        }
        let service = match &challenge {
            Challenge::Bearer { realm, .. } => Some(realm_url(host, realm)?),
            Challenge::Basic => None,
        };
        let credential = self
            .remote
            .credentials
            .credential(&host.registry, &scope.repository, service.as_ref())
            .await
            .map_err(Error::from)?;
        let fresh = match (&challenge, credential) {
            (_, Credential::Bearer(secret)) => {
                Some(Token { header: header("Bearer ", secret.expose())?, until: None })
            }
            (Challenge::Basic, Credential::Basic { username, password }) => {
                Some(Token { header: basic(&username, password.expose())?, until: None })
            }
            (Challenge::Basic, Credential::Anonymous | Credential::IdentityToken(_)) => None,
            (Challenge::Bearer { realm, service }, credential) => {
                Some(self.token(realm, service.as_deref(), scope, credential).await?)
            }
        };
        token.clone_from(&fresh);
        Ok(fresh.map(|token| token.header))
    }

    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: &Scope,
        credential: Credential,
    ) -> Result<Token, Error> {
        let url = realm_url(&self.host, realm)?;
        self.remote.may_go(&self.host.base, &url)?;
        let (request, method, shown) = match credential {
            Credential::IdentityToken(refresh) => {
                let refresh = refresh.expose_text().unwrap_or_default();
                let body = refresh_form(service, scope, refresh);
                let request = self
                    .remote
                    .http(&url)
                    .post(url.clone())
                    .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(body);
                (request, Method::POST, url)
            }
            Credential::Anonymous | Credential::Basic { .. } | Credential::Bearer(_) => {
                let mut url = url;
                if let Some(service) = service {
                    url.query_pairs_mut().append_pair("service", service);
                }
                for text in scope.texts() {
                    url.query_pairs_mut().append_pair("scope", &text);
                }
                let mut request = self.remote.http(&url).get(url.clone());
                if let Credential::Basic { username, password } = &credential {
                    let header = basic(username, password.expose())?;
                    request = request.header(http::header::AUTHORIZATION, header);
                }
                (request, Method::GET, url)
            }
        };
        let error = |problem| request::error(&method, &shown, problem);
        let asked_at = Instant::now();
        let response = self.retrying(&method, &shown, request).await?;
        if !response.status().is_success() {
            return Err(failure(&method, &shown, response).await.into());
        }
        let body = read_limited(response, LARGEST_TOKEN_ANSWER)
            .await
            .map_err(|e| error(Problem::Transport(e)))?;
        let answer: TokenAnswer = serde_json::from_slice(&body).map_err(|_| {
            error(Problem::Protocol(
                "the token service's answer is not JSON as specified".to_owned(),
            ))
        })?;
        let text = answer.token.or(answer.access_token).filter(|token| !token.is_empty());
        let text = Zeroizing::new(text.ok_or_else(|| {
            error(Problem::Protocol("the token service's answer holds no token".to_owned()))
        })?);
        let life = answer.expires_in.map_or(USUAL_LIFE, Duration::from_secs);
        let until = asked_at.checked_add(life - MARGIN.min(life / MARGIN_PART));
        Ok(Token { header: header("Bearer ", text.as_bytes())?, until })
    }
}

/// A token service must be as private as the registry: it is given a password.
fn realm_url(host: &Host, realm: &str) -> Result<Url, Error> {
    let wrong = |why: &str| {
        let why = format!("the registry names a token service that {why}");
        request::error(&Method::GET, &host.base, Problem::Protocol(why))
    };
    let url = Url::parse(realm).map_err(|_| wrong("is not a URL"))?;
    let is_private =
        url.scheme() == "https" || (url.scheme() == "http" && host.base.scheme() == "http");
    if !is_private {
        return Err(wrong("is not behind TLS"));
    }
    Ok(url)
}

fn refresh_form(service: Option<&str>, scope: &Scope, refresh: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "refresh_token")
        .append_pair("client_id", "windlass")
        .append_pair("service", service.unwrap_or_default())
        .append_pair("scope", &scope.texts().join(" "))
        .append_pair("refresh_token", refresh)
        .finish()
}

fn basic(username: &str, password: &[u8]) -> Result<HeaderValue, Error> {
    let pair = Zeroizing::new([username.as_bytes(), b":", password].concat());
    let encoded = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(&*pair));
    header("Basic ", encoded.as_bytes())
}

fn header(scheme: &str, value: &[u8]) -> Result<HeaderValue, Error> {
    let text = Zeroizing::new([scheme.as_bytes(), value].concat());
    let mut header = HeaderValue::from_bytes(&text).map_err(|_| {
        Error::from(
            Fault::new(Kind::Unauthorized, "the credential holds characters that no header can")
                .code("oci.unauthorized")
                .help("check it for a line break at its end"),
        )
    })?;
    header.set_sensitive(true);
    Ok(header)
}
