//! What went wrong, in Azure's words.

use std::fmt;

use serde_json::{Value, json};
use windlass_plugin::Error;

use crate::explain;
use crate::http::Response;

/// What a call gives.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// The most of an answer that is no JSON that is shown.
const EXCERPT: usize = 200;

/// The most inner errors that are told; the first says what is wrong.
const MOST_INNER: usize = 8;

/// The most of a message that is shown.
const LONGEST_MESSAGE: usize = 2000;

/// Why a call did not succeed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Failure {
    /// The host did not send it, or nothing came back; or the inputs were wrong.
    #[error(transparent)]
    Host(#[from] Error),
    /// Azure said no.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The answer is not what the documents of Azure promise.
    #[error("{call} answered {status}, {why}")]
    Odd {
        /// The method and the URL, without its query.
        call: String,
        /// The status.
        status: u16,
        /// What is wrong with it.
        why: String,
    },
    /// An operation did not come to an end in time.
    #[error("{call} has begun, but was not done after {seconds} s; the last word was `{last}`")]
    Late {
        /// The method and the URL that began it.
        call: String,
        /// How long it was waited for.
        seconds: u64,
        /// The last status.
        last: String,
    },
}

/// What Azure said when it refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    /// The method and the URL, without its query.
    pub call: String,
    /// The status of the answer; 200 of an operation that failed.
    pub status: u16,
    /// `Failed` or `Canceled`, of an operation that ended so.
    pub ended: Option<String>,
    /// Azure's code, such as `AuthorizationFailed`; empty where it gave none.
    pub code: String,
    /// Azure's message; of an answer that is no JSON, how it begins.
    pub message: String,
    /// What it is about.
    pub target: Option<String>,
    /// Code and message of errors within it.
    pub inner: Vec<(String, String)>,
    /// Azure's name for this request, which its support asks for.
    pub request_id: Option<String>,
    /// Azure's name for all requests that belong together.
    pub correlation_id: Option<String>,
}

impl Failure {
    /// Azure's code, if it gave one.
    #[must_use]
    pub fn azure_code(&self) -> Option<&str> {
        self.refusal().map(|refusal| refusal.code.as_str()).filter(|code| !code.is_empty())
    }

    /// The status of Azure's refusal.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.refusal().map(|refusal| refusal.status)
    }

    /// Azure's refusal, if it is one.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Host(_) | Self::Odd { .. } | Self::Late { .. } => None,
        }
    }
}

impl Refusal {
    /// Reads an answer to `call`, whatever its body is.
    #[must_use]
    pub(crate) fn read(call: &str, response: &Response) -> Self {
        let mut refusal = match serde_json::from_slice::<Value>(&response.body) {
            Ok(body) => Self::of(&body),
            Err(_) => Self { message: excerpt(&response.body), ..Self::default() },
        };
        if refusal.code.is_empty() {
            // The gateway of ARM says it here when it sends no body.
            refusal.code = response.header("x-ms-error-code").unwrap_or_default().to_owned();
        }
        let header = |name: &str| response.header(name).map(str::to_owned);
        refusal.call = call.to_owned();
        refusal.status = response.status;
        refusal.request_id = header("x-ms-request-id");
        refusal.correlation_id = header("x-ms-correlation-request-id");
        refusal
    }

    /// What `{"error": {…}}`, `{"code", "message"}` and their relatives say.
    pub(crate) fn of(body: &Value) -> Self {
        let error = match body.get("error") {
            Some(error @ Value::Object(_)) => error,
            // OAuth's way, which gateways have too.
            Some(Value::String(code)) => {
                let message = text(body, "error_description");
                return Self { code: code.clone(), message, ..Self::default() };
            }
            _ => body,
        };
        let details = error.get("details").and_then(Value::as_array).into_iter().flatten();
        Self {
            code: text(error, "code"),
            message: text(error, "message"),
            target: Some(text(error, "target")).filter(|target| !target.is_empty()),
            inner: details
                .map(|inner| (text(inner, "code"), text(inner, "message")))
                .filter(|(code, message)| !(code.is_empty() && message.is_empty()))
                .take(MOST_INNER)
                .collect(),
            ..Self::default()
        }
    }

    fn details(&self) -> String {
        let inner = self.inner.iter();
        let inner: Vec<_> =
            inner.map(|(code, message)| json!({ "code": code, "message": message })).collect();
        let mut details = json!({
            "azure-code": self.code, "azure-message": self.message, "status": self.status,
            "call": self.call,
        });
        if let Value::Object(map) = &mut details {
            let more = [
                ("target", self.target.clone().map(Value::from)),
                ("inner", (!inner.is_empty()).then(|| Value::from(inner))),
                ("request-id", self.request_id.clone().map(Value::from)),
                ("correlation-id", self.correlation_id.clone().map(Value::from)),
            ];
            map.extend(more.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        }
        details.to_string()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ended {
            Some(word) => write!(f, "{} ended as `{word}`", self.call)?,
            None => write!(f, "{} answered {}", self.call, self.status)?,
        }
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        match self.message.trim_end_matches('.') {
            "" => {}
            message => write!(f, ": {message}")?,
        }
        match self.inner.first() {
            Some((_, inner)) if !inner.is_empty() && *inner != self.message => {
                write!(f, " ({})", inner.trim_end_matches('.'))
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let text = failure.to_string();
        match failure {
            Failure::Host(error) => error,
            Failure::Refused(refusal) => {
                let meaning = explain::meaning(&refusal);
                let error = Self::new(meaning.code, text).details(refusal.details());
                let error = if meaning.is_retryable { error.retryable() } else { error };
                match meaning.hint {
                    Some(hint) => error.hint(hint),
                    None => error,
                }
            }
            Failure::Odd { .. } => Self::new("azure.odd-answer", text)
                .hint("check `endpoint`; a proxy or another server may have answered"),
            Failure::Late { .. } => Self::new("timeout.azure", text).hint(
                "Azure goes on with it; give the step more time, or run it again to see the result",
            ),
        }
    }
}

fn text(value: &Value, key: &str) -> String {
    let text = value.get(key).and_then(Value::as_str).unwrap_or_default();
    tidy(text, LONGEST_MESSAGE)
}

/// How `body` begins, as one line: HTML and half a JSON document too.
fn excerpt(body: &[u8]) -> String {
    let head = body.get(..body.len().min(4 * EXCERPT)).unwrap_or_default();
    tidy(&String::from_utf8_lossy(head), EXCERPT)
}

fn tidy(text: &str, most: usize) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests;
