//! Answers, and how the specification says no (distribution-spec, "Error Codes").

use axum::body::Body;
use axum::response::Response;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use report::Kind;

use crate::Error;

/// Docker's clients look for it to know a registry.
const API_VERSION: (HeaderName, HeaderValue) = (
    HeaderName::from_static("docker-distribution-api-version"),
    HeaderValue::from_static("registry/2.0"),
);

/// A request that is refused.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    headers: Vec<(HeaderName, String)>,
}

/// What somebody was looking for, so that it can be called unknown.
#[derive(Clone, Copy)]
pub(super) enum Sought {
    Repository,
    Manifest,
    Blob,
    Upload,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), headers: Vec::new() }
    }

    pub(super) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// `fitting` are the methods that would do.
    pub(super) fn method(fitting: &str) -> Self {
        let message = format!("the resource knows {fitting}");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message)
            .with(ALLOW, fitting.to_owned())
    }

    pub(super) fn unknown(sought: Sought, message: impl Into<String>) -> Self {
        let code = match sought {
            Sought::Repository => "NAME_UNKNOWN",
            Sought::Manifest => "MANIFEST_UNKNOWN",
            Sought::Blob => "BLOB_UNKNOWN",
            Sought::Upload => "BLOB_UPLOAD_UNKNOWN",
        };
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    pub(super) fn with(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// An error of the backend. What is ours to know stays in our log.
    pub(super) fn of(error: &Error, sought: Sought) -> Self {
        let message = error.to_string();
        match error {
            Error::NotFound { .. } => Self::unknown(sought, message),
            Error::Mismatch { mismatch, .. } => Self::bad("DIGEST_INVALID", mismatch.to_string()),
            Error::Invalid { .. } | Error::Schema1 { .. } => Self::bad("MANIFEST_INVALID", message),
            Error::Io { source, .. } => {
                tracing::warn!(error = %message, cause = %source, "a request failed");
                match source.kind() {
                    io_kind if is_full(io_kind) => {
                        let message = "the registry's disk is full";
                        Self::new(StatusCode::INSUFFICIENT_STORAGE, "UNKNOWN", message)
                    }
                    _ => Self::internal(),
                }
            }
            Error::Conflict { .. }
            | Error::NoSuchPlatform { .. }
            | Error::Referrers { .. }
            | Error::Sparse { .. }
            | Error::Remote(_)
            | Error::Fault(_)
            | Error::Root { .. } => {
                tracing::warn!(error = %message, "a request failed");
                if error.kind() == Kind::NotFound {
                    return Self::unknown(sought, "not found");
                }
                Self::internal()
            }
        }
    }

    fn internal() -> Self {
        let message = "the registry could not do this";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", message)
    }

    fn into_response(self) -> Response {
        let mut response = self.body();
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            set(&mut response, name, &value);
        }
        response
    }

    fn body(&self) -> Response {
        if self.status == StatusCode::NOT_MODIFIED {
            return empty(self.status);
        }
        let errors = serde_json::json!({
            "errors": [{ "code": self.code, "message": self.message, "detail": null }]
        });
        json(&errors)
    }
}

fn is_full(kind: std::io::ErrorKind) -> bool {
    matches!(kind, std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

/// `Error` for repositories that cannot be told from empty ones.
pub(super) fn sought(what: Sought) -> impl Fn(Error) -> Refusal {
    move |error| Refusal::of(&error, what)
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// An answer in JSON.
pub(super) fn json(value: &serde_json::Value) -> Response {
    bytes("application/json", value.to_string())
}

/// An answer of some bytes.
pub(super) fn bytes(content_type: &str, body: impl Into<bytes::Bytes>) -> Response {
    let body = body.into();
    let length = body.len();
    let mut response = Response::new(Body::from(body));
    set(&mut response, CONTENT_TYPE, content_type);
    set(&mut response, CONTENT_LENGTH, &length.to_string());
    response
}

/// Sets a header; what no header can hold is left out.
pub(super) fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// What every answer has; for `HEAD` without the body but with its length.
pub(super) fn finish(answer: Result<Response, Refusal>, is_head: bool) -> Response {
    let mut response = answer.unwrap_or_else(Refusal::into_response);
    let (name, value) = API_VERSION;
    response.headers_mut().insert(name, value);
    if is_head {
        *response.body_mut() = Body::empty();
    }
    response
}
