//! Sending: authorization, redirects, retries.
//!
//! A request that can be sent again (no body, or one in memory) is, when the registry is in passing
//! trouble; one with a stream is not, its caller starts over. Redirects are followed by hand,
//! because a credential must not follow them to another origin.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, LOCATION};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use report::SafeUrl;
use reqwest::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use url::Url;

use super::RemoteRepository;
use super::auth::Scope;
use super::budget::{Allowance, Traffic};
use super::challenge::challenge;
use super::error::{LARGEST_ERROR_BODY, Problem, RemoteError, Tried, read_body, refusal};
use super::retry::retry_after;
use crate::{BlobStream, Error};

/// A registry sends to a CDN, perhaps over one more door.
const MOST_REDIRECTS: usize = 5;

/// A request that can be sent again.
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    pub(super) scope: Scope,
}

impl Ask {
    pub(super) fn error(&self, problem: Problem) -> Error {
        error(&self.method, &self.url, problem)
    }
}

pub(super) fn error(method: &Method, url: &Url, problem: Problem) -> Error {
    RemoteError { method: method.clone(), url: SafeUrl::new(url), problem, tried: None }.into()
}

impl RemoteRepository {
    /// Sends, with what the registry wants to see; the answer may have any status but those that
    /// are worth a retry.
    pub(super) async fn send(&self, ask: &Ask) -> Result<Response, Error> {
        let header = self.authorize(&ask.scope, None).await?;
        let response = self.follow(ask, header.clone()).await?;
        if response.status() != StatusCode::UNAUTHORIZED || !self.learn(&response) {
            return Ok(response);
        }
        // Nothing, or something old, was refused; what is fresh is tried once.
        match self.authorize(&ask.scope, header.as_ref()).await? {
            Some(fresh) if Some(&fresh) != header.as_ref() => self.follow(ask, Some(fresh)).await,
            Some(_) | None => Ok(response),
        }
    }

    /// Sends a stream, once. A status of 401 means that the caller may start over: what the
    /// registry wants has been learned, and a fresh token fetched.
    pub(super) async fn send_stream(
        &self,
        ask: &Ask,
        size: u64,
        content: BlobStream,
    ) -> Result<Response, Error> {
        self.remote.may_go(&self.host.base, &ask.url)?;
        let own = same_origin(&self.host.base, &ask.url);
        let header = if own { self.authorize(&ask.scope, None).await? } else { None };
        let mut request = self.remote.http(&ask.url).request(ask.method.clone(), ask.url.clone());
        request = request.headers(ask.headers.clone()).header(http::header::CONTENT_LENGTH, size);
        if let Some(header) = &header {
            request = request.header(AUTHORIZATION, header);
        }
        let request = request.body(reqwest::Body::wrap_stream(content));
        let response = self.send_now(&ask.method, &ask.url, request).await?;
        if own && response.status() == StatusCode::UNAUTHORIZED && self.learn(&response) {
            self.authorize(&ask.scope, header.as_ref()).await?;
        }
        Ok(response)
    }

    /// Waits before an answer that broke off is asked for again, unless that was done often enough.
    pub(super) async fn pause_after_break(&self, attempt: u32, broken: Error) -> Result<(), Error> {
        let retry = self.remote.options.retry;
        if attempt >= retry.attempts {
            return Err(broken);
        }
        tracing::debug!(attempt, error = %broken, "asked again: the answer broke off");
        tokio::time::sleep(retry.pause(attempt)).await;
        Ok(())
    }

    async fn authorize(
        &self,
        scope: &Scope,
        refused: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, Error> {
        self.authorization(scope, refused).await
    }

    fn learn(&self, response: &Response) -> bool {
        let found = challenge(response.headers());
        let is_known = found.is_some();
        if let Some(found) = found {
            self.host.auth.learn(found);
        }
        is_known
    }

    async fn follow(&self, ask: &Ask, header: Option<HeaderValue>) -> Result<Response, Error> {
        let mut url = ask.url.clone();
        for _ in 0..=MOST_REDIRECTS {
            self.remote.may_go(&self.host.base, &url)?;
            let mut request = self.remote.http(&url).request(ask.method.clone(), url.clone());
            request = request.headers(ask.headers.clone());
            if let Some(header) = header.as_ref().filter(|_| same_origin(&self.host.base, &url)) {
                request = request.header(AUTHORIZATION, header);
            }
            if let Some(body) = &ask.body {
                request = request.body(body.clone());
            }
            let response = self.retrying(&ask.method, &url, request).await?;
            let is_read = matches!(ask.method, Method::GET | Method::HEAD);
            if !is_read || !is_redirect(response.status()) {
                return Ok(response);
            }
            url = self
                .redirect(&url, &response)
                .map_err(|why| error(&ask.method, &url, Problem::Protocol(why.to_owned())))?;
        }
        let why = format!("more than {MOST_REDIRECTS} redirects");
        Err(ask.error(Problem::Protocol(why)))
    }

    fn redirect(&self, url: &Url, response: &Response) -> Result<Url, &'static str> {
        let text = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let next = text.and_then(|text| url.join(text).ok()).ok_or("a redirect to nowhere")?;
        match (url.scheme(), next.scheme()) {
            (_, "https") => Ok(next),
            ("http", "http") => Ok(next),
            _ => Err("a redirect away from TLS"),
        }
    }

    /// The `Location` of an upload. A registry behind a proxy may say `http` of itself where it was
    /// reached over TLS: it is taken by its host.
    pub(super) fn upload_url(&self, ask: &Ask, response: &Response) -> Result<Url, Error> {
        let text = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let mut url = text.and_then(|text| response.url().join(text).ok()).ok_or_else(|| {
            ask.error(Problem::Protocol("the answer has no usable `Location`".to_owned()))
        })?;
        let base = &self.host.base;
        if base.scheme() == "https" && url.scheme() == "http" {
            if url.host_str() != base.host_str() {
                let why = "the upload is to go to another host without TLS".to_owned();
                return Err(ask.error(Problem::Protocol(why)));
            }
            let port = base.port();
            let changed = url.set_scheme("https").and_then(|()| url.set_port(port));
            changed.map_err(|()| {
                ask.error(Problem::Protocol("the `Location` is not a web address".to_owned()))
            })?;
        }
        Ok(url)
    }
}

impl RemoteRepository {
    /// Sends a request until it is answered by something else than passing trouble, or too often.
    pub(super) async fn retrying(
        &self,
        method: &Method,
        url: &Url,
        request: reqwest::RequestBuilder,
    ) -> Result<Response, Error> {
        let retry = self.remote.options.retry;
        let _room = room(&self.traffic(url).questions).await;
        let (mut attempt, started) = (1, Instant::now());
        loop {
            let again = request.try_clone().ok_or_else(|| {
                let why = "a request that cannot be repeated was to be repeated".to_owned();
                error(method, url, Problem::Protocol(why))
            })?;
            let (failed, told) = match self.send_now(method, url, again).await {
                Ok(response) if !is_passing(response.status()) => return Ok(response),
                Ok(mut response) if attempt >= retry.attempts => {
                    let tried = Tried { attempts: attempt, over: started.elapsed() };
                    // For `failure`, which has the last word.
                    response.extensions_mut().insert(tried);
                    return Ok(response);
                }
                Ok(response) => {
                    let told = retry_after(response.headers());
                    (error(method, url, status_problem(&response)), told)
                }
                Err(failed) => (failed, None),
            };
            let is_hopeless = attempt >= retry.attempts || !failed.is_transient();
            if is_hopeless || told.is_some_and(|pause| pause > retry.patience) || is_busy(&failed) {
                return Err(failed.tried(attempt, started.elapsed()));
            }
            tracing::debug!(attempt, ?told, error = %failed, "asked again");
            tokio::time::sleep(told.unwrap_or_else(|| retry.pause(attempt))).await;
            attempt += 1;
        }
    }

    /// The one place where requests leave: in their turn, counted, and with an eye on what the host
    /// says about its limits.
    async fn send_now(
        &self,
        method: &Method,
        url: &Url,
        request: reqwest::RequestBuilder,
    ) -> Result<Response, Error> {
        let retry = self.remote.options.retry;
        let traffic = self.traffic(url);
        traffic
            .turn(is_for_referrers(url), retry.patience)
            .await
            .map_err(|wait| error(method, url, Problem::Busy { wait }))?;
        if let Some(tally) = &self.tally {
            tally.add(method);
        }
        let sent = Instant::now();
        let response = request.send().await.map_err(|failed| match refusal(&failed) {
            Some(fault) => fault.into(),
            None => error(method, url, Problem::Transport(failed)),
        })?;
        let (now, told) = (Instant::now(), retry_after(response.headers()));
        let mut budget = traffic.budget();
        match (response.status(), told) {
            (StatusCode::TOO_MANY_REQUESTS, _) | (StatusCode::SERVICE_UNAVAILABLE, Some(_)) => {
                budget.refused(sent, now, told.unwrap_or_else(|| retry.pause(1)));
            }
            _ => budget.answered(now, Allowance::read(response.headers())),
        }
        drop(budget);
        Ok(response)
    }

    /// What is shared by all that goes to the host of `url`.
    pub(super) fn traffic(&self, url: &Url) -> &Traffic {
        match url.host() == self.host.base.host() {
            true => &self.host.traffic,
            false => &self.host.elsewhere,
        }
    }
}

/// Room among what a host is asked at one time; given back when it is dropped.
pub(super) async fn room(of: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    // Nobody closes it, so there is always an answer.
    Arc::clone(of).acquire_owned().await.ok()
}

fn is_for_referrers(url: &Url) -> bool {
    url.path_segments().and_then(|mut parts| parts.nth_back(1)) == Some("referrers")
}

fn is_busy(error: &Error) -> bool {
    matches!(error, Error::Remote(error) if matches!(error.problem, Problem::Busy { .. }))
}

fn status_problem(response: &Response) -> Problem {
    Problem::Status {
        status: response.status(),
        code: None,
        message: None,
        retry_after: retry_after(response.headers()),
    }
}

/// What an answer that is not wanted says.
pub(super) async fn failure(method: &Method, url: &Url, response: Response) -> RemoteError {
    let mut problem = status_problem(&response);
    let tried = response.extensions().get().copied();
    // What is left of a body that breaks off is as good as none.
    let body = read_limited(response, LARGEST_ERROR_BODY).await.unwrap_or_default();
    if let Problem::Status { code, message, .. } = &mut problem {
        (*code, *message) = read_body(&body);
    }
    RemoteError { method: method.clone(), url: SafeUrl::new(url), problem, tried }
}

/// At most `limit` bytes of a body; the rest is not read.
pub(super) async fn read_limited(
    mut response: Response,
    limit: usize,
) -> Result<Bytes, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = limit.saturating_sub(body.len());
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if body.len() >= limit {
            break;
        }
    }
    Ok(Bytes::from(body))
}

fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn same_origin(a: &Url, b: &Url) -> bool {
    a.origin() == b.origin()
}
