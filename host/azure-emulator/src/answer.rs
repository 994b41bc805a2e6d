//! Answers, and the ways in which Azure says no.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

/// What a service answers.
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Option<Value>,
}

impl Answer {
    /// With a document.
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Some(body) }
    }

    /// 200 with a document.
    pub(crate) fn ok(body: Value) -> Self {
        Self::json(200, body)
    }

    /// Without a document.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None }
    }

    /// One page that has all there is.
    pub(crate) fn list(values: Vec<Value>) -> Self {
        Self::ok(json!({ "value": values }))
    }

    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let body = self.body.as_ref().map(Value::to_string);
        let mut response = Response::new(body.map_or_else(Body::empty, Body::from));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if self.body.is_some() {
            let json = HeaderValue::from_static("application/json; charset=utf-8");
            headers.insert(CONTENT_TYPE, json);
        }
        for (name, value) in self.headers {
            // What a client sent may come back here, such as a name with a line break in it.
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
                headers.append(name, value);
            }
        }
        response
    }
}

/// A refusal: a status, and the error's document in the service's own shape.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) body: Value,
    headers: Vec<(&'static str, String)>,
}

impl Refusal {
    /// In the shape of ARM: `{"error": {"code", "message"}}`.
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self::shaped(status, json!({ "error": { "code": code, "message": message.into() } }))
    }

    /// With a document of its own shape.
    pub(crate) fn shaped(status: u16, body: Value) -> Self {
        Self { status, body, headers: Vec::new() }
    }

    /// 400.
    pub(crate) fn bad(code: &str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// What this emulator does not know; said as such, for it is no answer of Azure's.
    pub(crate) fn unknown(method: &str, path: &[String]) -> Self {
        let message = format!("The emulator has no answer to {method} /{}.", path.join("/"));
        Self::new(404, "NotEmulated", message)
    }

    /// Too many requests.
    pub(crate) fn throttled(seconds: u64) -> Self {
        let message = "The request is being throttled as the limit has been reached.";
        Self::new(429, "TooManyRequests", message).with(RETRY_AFTER.as_str(), seconds.to_string())
    }

    /// The state could not be written.
    pub(crate) fn internal() -> Self {
        Self::new(500, "InternalServerError", "The emulator's state could not be written.")
    }

    /// With a `target`, which some services name.
    #[must_use]
    pub(crate) fn target(mut self, target: &str) -> Self {
        if let Some(error) = self.body.get_mut("error").and_then(Value::as_object_mut) {
            error.insert("target".to_owned(), json!(target));
        }
        self
    }

    /// With an inner error, as Key Vault has them.
    #[must_use]
    pub(crate) fn inner(mut self, code: &str) -> Self {
        if let Some(error) = self.body.get_mut("error").and_then(Value::as_object_mut) {
            error.insert("innererror".to_owned(), json!({ "code": code }));
        }
        self
    }

    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// `{"code", "message"}` alone, as operations carry it.
    pub(crate) fn error(&self) -> Value {
        self.body.get("error").cloned().unwrap_or_else(|| self.body.clone())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let answer = Answer { status: self.status, headers: self.headers, body: Some(self.body) };
        answer.into_response()
    }
}

/// What every handler gives.
pub(crate) type Answered = Result<Answer, Refusal>;
