//! A request, read once.

use std::borrow::Cow;

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body_util::{BodyExt as _, Limited};
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::answer::Refusal;
use crate::origin::Origin;

/// ARM takes 4 MiB; nobody else here takes more in a document.
const LARGEST_DOCUMENT: usize = 4 * 1024 * 1024;

/// Segments of a path: the longest id that any service here has is 15 long.
const MOST_SEGMENTS: usize = 64;

/// A request for one of the emulated services.
pub(crate) struct Call {
    pub(crate) method: Method,
    /// How the client came here, which is how links lead back.
    pub(crate) origin: Origin,
    /// The segments of the path, decoded; a slash at the end adds none.
    pub(crate) path: Vec<String>,
    /// The same in lower case: ARM does not tell them apart.
    folded: Vec<String>,
    query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    /// The document, if the service takes one.
    pub(crate) body: Bytes,
}

impl Call {
    /// Everything but the body.
    pub(crate) fn of(origin: Origin, request: Request) -> Result<(Self, Body), Refusal> {
        let (parts, body) = request.into_parts();
        let path = parts
            .uri
            .path()
            .split('/')
            .filter(|segment| !segment.is_empty())
            .take(MOST_SEGMENTS)
            .map(|segment| percent_decode_str(segment).decode_utf8().map(Cow::into_owned))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| Refusal::bad("BadRequest", "The path is not UTF-8."))?;
        let folded = path.iter().map(|segment| segment.to_ascii_lowercase()).collect();
        let query = parts.uri.query().unwrap_or_default();
        let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let (method, headers) = (parts.method, parts.headers);
        Ok((Self { method, origin, path, folded, query, headers, body: Bytes::new() }, body))
    }

    /// With its document read.
    pub(crate) async fn with_document(mut self, body: Body) -> Result<Self, Refusal> {
        let read = Limited::new(body, LARGEST_DOCUMENT).collect().await;
        self.body = read
            .map_err(|_| {
                let message = "The request content size exceeds the maximum size of 4194304 bytes.";
                Refusal::new(413, "RequestContentTooLarge", message)
            })?
            .to_bytes();
        Ok(self)
    }

    /// For `match`: the method, and the path in lower case.
    pub(crate) fn route(&self) -> (&str, Vec<&str>) {
        (self.method.as_str(), self.folded.iter().map(String::as_str).collect())
    }

    /// One segment as it was written; nothing behind the end.
    pub(crate) fn segment(&self, at: usize) -> &str {
        self.path.get(at).map_or("", String::as_str)
    }

    /// A parameter of the query. Names do not differ by case.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// All values of a parameter.
    pub(crate) fn queries<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A header, if it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The `Bearer` of the request.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }

    /// The document, as what it should be.
    pub(crate) fn document<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let message = format!(
                "The request content was invalid and could not be deserialized: '{error}'."
            );
            Refusal::bad("InvalidRequestContent", message)
        })
    }

    /// The document, which has to be an object.
    pub(crate) fn object(&self) -> Result<Value, Refusal> {
        let value: Value = self.document()?;
        match value.is_object() {
            true => Ok(value),
            false => Err(Refusal::bad(
                "InvalidRequestContent",
                "The request content was invalid and could not be deserialized: 'an object was expected'.",
            )),
        }
    }

    /// The document as a form. The first of a name counts.
    pub(crate) fn form(&self) -> Form {
        Form(url::form_urlencoded::parse(&self.body).into_owned().collect())
    }
}

/// A form, as the token services take it.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
