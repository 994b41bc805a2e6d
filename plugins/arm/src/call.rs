//! Calls.

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use windlass_plugin::Error;

use crate::body::Body;
use crate::endpoint;
use crate::explain;
use crate::http::{Http, Request, Response};
use crate::refusal::{Failure, Refusal, Result};

/// How often a request is sent again: az sends it up to ten times, three of them for a status.
const MOST_RETRIES: u32 = 5;

/// The first pause where Azure does not say how long; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The most that one call waits for its turn: ARM's windows of throttling are at most five minutes.
const PATIENCE: Duration = Duration::from_secs(300);

/// Pages that are read of a list; Azure's have a hundred items and more.
const MOST_PAGES: usize = 100;

/// Azure Resource Manager.
#[derive(Debug)]
pub struct Arm<'h, H> {
    pub(crate) http: &'h H,
    origin: String,
}

/// What Azure answered; its status is 200 to 299.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body; null where there is none.
    pub value: Value,
    pub(crate) method: &'static str,
    pub(crate) url: String,
    pub(crate) response: Response,
}

impl Answer {
    /// The first header of this name, any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.header(name)
    }
}

impl<'h, H: Http> Arm<'h, H> {
    /// Resource Manager at `endpoint`; that of the public cloud without one.
    ///
    /// # Errors
    /// `invalid.inputs` if it is more or less than `https://HOST[:PORT]`; this machine may be asked
    /// by http.
    pub fn new(http: &'h H, endpoint: Option<&str>) -> Result<Self, Error> {
        let origin = endpoint::origin(endpoint.unwrap_or(endpoint::PUBLIC))?;
        Ok(Self { http, origin })
    }

    /// What is at `path`, which may have a query of its own; `path` is mostly a [`crate::ResourceId`].
    ///
    /// # Errors
    /// Those of Azure and of the host.
    pub fn get(&self, path: impl fmt::Display, version: &str) -> Result<Value> {
        Ok(self.send("GET", self.url(path, version), None)?.value)
    }

    /// As [`Arm::get`]; none where Azure has no such resource. A resource group or subscription that
    /// is not there stays an error.
    ///
    /// # Errors
    /// Those of Azure and of the host.
    pub fn find(&self, path: impl fmt::Display, version: &str) -> Result<Option<Value>> {
        match self.get(path, version) {
            Ok(value) => Ok(Some(value)),
            Err(failure) => match (failure.status(), failure.azure_code()) {
                (Some(404), Some("ResourceGroupNotFound" | "SubscriptionNotFound")) => Err(failure),
                (Some(404), _) => Ok(None),
                _ => Err(failure),
            },
        }
    }

    /// All items of the list at `path`, page by page.
    ///
    /// # Errors
    /// Those of Azure and of the host; `azure.odd-answer` if it has no end.
    pub fn list(&self, path: impl fmt::Display, version: &str) -> Result<Vec<Value>> {
        let mut url = self.url(path, version);
        let mut items = Vec::new();
        for _ in 0..MOST_PAGES {
            let Answer { mut value, status, .. } = self.send("GET", url.clone(), None)?;
            let Some(Value::Array(page)) = value.get_mut("value").map(Value::take) else {
                return Err(odd("GET", &url, status, "without the list `value`"));
            };
            items.extend(page);
            match value.get("nextLink").and_then(Value::as_str) {
                Some(next) if !next.is_empty() => url = self.absolute(next),
                _ => return Ok(items),
            }
        }
        Err(odd("GET", &url, 200, "and its list has no end"))
    }

    /// Makes or replaces what is at `path`. What has begun is finished by [`Arm::finish`].
    ///
    /// # Errors
    /// Those of Azure and of the host.
    pub fn put(
        &self,
        path: impl fmt::Display,
        version: &str,
        body: &Body<H::Secret>,
    ) -> Result<Answer> {
        self.send("PUT", self.url(path, version), Some(body))
    }

    /// Changes a part of what is at `path`. What has begun is finished by [`Arm::finish`].
    ///
    /// # Errors
    /// Those of Azure and of the host.
    pub fn patch(
        &self,
        path: impl fmt::Display,
        version: &str,
        body: &Body<H::Secret>,
    ) -> Result<Answer> {
        self.send("PATCH", self.url(path, version), Some(body))
    }

    /// Does what `path` names. What has begun is finished by [`Arm::finish`].
    ///
    /// # Errors
    /// Those of Azure and of the host.
    pub fn post(
        &self,
        path: impl fmt::Display,
        version: &str,
        body: Option<&Body<H::Secret>>,
    ) -> Result<Answer> {
        self.send("POST", self.url(path, version), body)
    }

    /// Deletes what is at `path`; an answer of 204 says that there was nothing. What has begun is
    /// finished by [`Arm::finish`].
    ///
    /// # Errors
    /// Those of Azure and of the host.
    pub fn delete(&self, path: impl fmt::Display, version: &str) -> Result<Answer> {
        self.send("DELETE", self.url(path, version), None)
    }

    fn url(&self, path: impl fmt::Display, version: &str) -> String {
        let path = path.to_string();
        let join = if path.contains('?') { '&' } else { '?' };
        format!("{}{}{join}api-version={version}", self.origin, escaped(&path))
    }

    /// A URL that Azure gave; it may be without the origin.
    pub(crate) fn absolute(&self, url: &str) -> String {
        if url.starts_with('/') { format!("{}{url}", self.origin) } else { url.to_owned() }
    }

    /// Sends, and again while Azure is throttled, busy or broken; at most [`MOST_RETRIES`] times and
    /// for [`PATIENCE`]. What may have been done already is not sent twice.
    pub(crate) fn send(
        &self,
        method: &'static str,
        url: String,
        body: Option<&Body<H::Secret>>,
    ) -> Result<Answer> {
        let mut waited = Duration::ZERO;
        let mut retries = 0;
        loop {
            let (failure, asked) = match self.once(method, &url, body) {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let pause = asked.unwrap_or_else(|| FIRST_PAUSE * 2_u32.saturating_pow(retries));
            let in_time = waited.saturating_add(pause) <= PATIENCE;
            if retries == MOST_RETRIES || !in_time || !may_repeat(method, &failure) {
                return Err(failure);
            }
            self.http.say(&format!("{failure}; again in {} s", pause.as_secs_f32().ceil()));
            self.http.sleep(pause);
            waited += pause;
            retries += 1;
        }
    }

    /// Sends once; beside a failure stands how long Azure asks to wait.
    fn once(
        &self,
        method: &'static str,
        url: &str,
        body: Option<&Body<H::Secret>>,
    ) -> Result<Answer, (Failure, Option<Duration>)> {
        let plain = |failure: Failure| (failure, None);
        let mut headers = vec![("accept", "application/json".to_owned())];
        let body = match body {
            Some(body) => {
                headers.push(("content-type", "application/json".to_owned()));
                body.parts().ok_or_else(|| {
                    plain(Error::failed("a secret has no place in the request's body").into())
                })?
            }
            None => Vec::new(),
        };
        let request = Request { method, url: url.to_owned(), headers, body };
        let response = self.http.send(&request).map_err(|error| plain(error.into()))?;
        let status = response.status;
        if !(200..=299).contains(&status) {
            let asked = response.retry_after();
            let refusal = Refusal::read(&call(method, url), &response);
            return Err((Failure::Refused(Box::new(refusal)), asked));
        }
        let value = match response.body.trim_ascii() {
            [] => Value::Null,
            text => serde_json::from_slice(text).map_err(|error| {
                plain(odd(method, url, status, &format!("with a body that is no JSON: {error}")))
            })?,
        };
        Ok(Answer { status, value, method, url: url.to_owned(), response })
    }
}

/// Whether the request may be sent again: nothing was done, or doing it twice is as good as once.
fn may_repeat(method: &str, failure: &Failure) -> bool {
    let is_idempotent = method != "POST" && method != "PATCH";
    match failure {
        Failure::Refused(refusal) => match refusal.status {
            429 => true,
            // A gateway's word that it has not handed it on, unless a code says what is missing.
            503 => refusal.code.is_empty() || refusal.code == "ServerBusy" || is_idempotent,
            408 | 500 | 502 | 504 => is_idempotent,
            _ => explain::is_busy(refusal),
        },
        Failure::Host(error) => is_idempotent && error.is("transient"),
        Failure::Odd { .. } | Failure::Late { .. } => false,
    }
}

/// What was called, for a person: the query says nothing that helps.
pub(crate) fn call(method: &str, url: &str) -> String {
    format!("{method} {}", url.split('?').next().unwrap_or_default())
}

pub(crate) fn odd(method: &str, url: &str, status: u16, why: &str) -> Failure {
    Failure::Odd { call: call(method, url), status, why: why.to_owned() }
}

/// A path and query with what no URL holds written as `%XX`; names of groups have letters of any
/// language.
fn escaped(path: &str) -> String {
    let mut url = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.extend(['%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
    url
}

fn hex(nibble: u8) -> char {
    char::from_digit(nibble.into(), 16).unwrap_or_default().to_ascii_uppercase()
}

#[cfg(test)]
mod tests;
