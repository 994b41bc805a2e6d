//! HTTP through the host's one gate.
//!
//! Needs the grant `http`, rule by rule. A secret goes into a header or a body as its handle; the
//! host writes the value.
//!
//! ```ignore
//! let token = secrets::get("token")?;
//! let answer = http::Request::post("https://api.example.org/items")
//!     .bearer(&token)
//!     .json(&item)?
//!     .send()?
//!     .success()?;
//! let made: Item = answer.json()?;
//! ```

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::windlass::http::http as wit;
use crate::secrets::Secret;
use crate::{Error, Result};

pub use wit::{Encoding, Redirects};

/// A request that is being put together. Its body is at most 16 MiB.
#[derive(Debug)]
#[must_use = "a request does nothing before `send`"]
pub struct Request<'a>(wit::Request<'a>);

impl<'a> Request<'a> {
    /// A request by any method; redirects are given to the plugin, the host's timeout applies.
    ///
    /// `url` is `https://host[:port]/path?query`; no user, no fragment.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self(wit::Request {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            redirects: Redirects::ReturnThem,
            timeout_ms: None,
        })
    }

    /// A `GET`.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A `POST`.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// A `PUT`.
    pub fn put(url: impl Into<String>) -> Self {
        Self::new("PUT", url)
    }

    /// A `DELETE`.
    pub fn delete(url: impl Into<String>) -> Self {
        Self::new("DELETE", url)
    }

    /// With a header.
    pub fn header(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.with(name.into(), wit::HeaderValue::Plain(value.into()))
    }

    /// With a header that is `prefix`, then the value of `secret`, then `suffix`.
    pub fn sealed_header(
        self,
        name: impl Into<String>,
        prefix: impl Into<String>,
        secret: &'a Secret,
        suffix: impl Into<String>,
    ) -> Self {
        let (prefix, suffix) = (prefix.into(), suffix.into());
        let value = wit::HeaderValue::Sealed(wit::Sealed { prefix, value: &secret.0, suffix });
        self.with(name.into(), value)
    }

    /// With `authorization: Bearer` and the value of `secret`.
    pub fn bearer(self, secret: &'a Secret) -> Self {
        self.sealed_header("authorization", "Bearer ", secret, "")
    }

    /// With `authorization: Basic` of `username` and the value of `password`.
    pub fn basic(self, username: impl Into<String>, password: &'a Secret) -> Self {
        let basic = wit::Basic { username: username.into(), password: &password.0 };
        self.with("authorization".to_owned(), wit::HeaderValue::Basic(basic))
    }

    /// With these bytes behind what the body holds already.
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.0.body.push(wit::Part::Bytes(bytes.into()));
        self
    }

    /// With the value of `secret` behind what the body holds already.
    pub fn sealed_body(mut self, secret: &'a Secret, encoding: Encoding) -> Self {
        self.0.body.push(wit::Part::Sealed(wit::SealedPart { value: &secret.0, encoding }));
        self
    }

    /// With `value` as the body, and `content-type: application/json`.
    ///
    /// # Errors
    /// `invalid.json` if `value` cannot be written as JSON.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Result<Self> {
        self.0.body = vec![wit::Part::Bytes(serde_json::to_vec(value)?)];
        Ok(self.header("content-type", "application/json"))
    }

    /// Says what to do with redirects.
    pub fn redirects(mut self, redirects: Redirects) -> Self {
        self.0.redirects = redirects;
        self
    }

    /// Limits the whole exchange; to the millisecond, and never longer than the step has left.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout_ms = Some(u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX));
        self
    }

    /// Sends it and reads the whole response. A status of 4xx or 5xx is no error here.
    ///
    /// # Errors
    /// `denied.http` (names the rule to add), `invalid.http`, `timeout.http`, `transient.http`,
    /// `failed.http`.
    pub fn send(self) -> Result<Response> {
        let method = self.0.method.clone();
        Ok(Response::of(method, wit::send(&self.0)?))
    }

    /// Sends it, and has the host keep the strings of the response's JSON body at `pointers` (RFC
    /// 6901): `null` stands in their place. If the status is no 2xx there are no secrets.
    ///
    /// # Errors
    /// As [`Request::send`]; `failed.http` if a response of 2xx has no string there.
    pub fn send_keeping(self, pointers: &[&str]) -> Result<(Response, Vec<Secret>)> {
        let method = self.0.method.clone();
        let pointers: Vec<String> = pointers.iter().map(|&pointer| pointer.to_owned()).collect();
        let kept = wit::send_keeping(&self.0, &pointers)?;
        let secrets = (0..).map_while(|index| kept.secret(index)).map(Secret).collect();
        Ok((Response::of(method, kept.response()), secrets))
    }

    fn with(mut self, name: String, value: wit::HeaderValue<'a>) -> Self {
        self.0.headers.push(wit::Header { name, value });
        self
    }
}

/// A response, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    method: String,
    status: u16,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Response {
    fn of(method: String, response: wit::Response) -> Self {
        let wit::Response { status, url, headers, body } = response;
        let headers = headers.into_iter().map(|header| (header.name, header.value)).collect();
        Self { method, status, url, headers, body }
    }

    /// The status, 100 to 599.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The URL of the last hop.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The first header of this name, any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// All headers in the order in which they came, names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The body, at most 16 MiB.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as text; bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body, read from JSON.
    ///
    /// # Errors
    /// `invalid.json` if it is no `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_slice(&self.body)?)
    }

    /// This response if its status is 200 to 299.
    ///
    /// # Errors
    /// `http.unauthorized` for 401 and 403, `http.not-found` for 404 and 410, `http.conflict` for
    /// 409 and 412, `http.transient` (retryable) for 408, 429 and 5xx, else `http.failed`.
    pub fn success(self) -> Result<Self> {
        let Self { method, status, url, .. } = &self;
        let code = match status {
            200..=299 => return Ok(self),
            401 | 403 => "http.unauthorized",
            404 | 410 => "http.not-found",
            409 | 412 => "http.conflict",
            408 | 429 | 500..=599 => "http.transient",
            _ => "http.failed",
        };
        let place = url.split('?').next().unwrap_or_default();
        let error = Error::new(code, format!("{method} {place} answered {status}"));
        Err(if code == "http.transient" { error.retryable() } else { error })
    }
}

#[cfg(test)]
mod tests;
