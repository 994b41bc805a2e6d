//! The one error of a plugin and of the host's interfaces.

use std::fmt;

use crate::bindings::windlass::types::errors;

/// What a fallible function of a plugin returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a step, or a call of the host, did not succeed.
///
/// The code decides the exit code of the runner and whether `retry.on` of the pipeline applies: its
/// first or last word may be `denied`, `not-found`, `unauthorized`, `conflict`, `invalid`,
/// `timeout`, `cancelled`, `transient` or `mismatch`; anything else counts as failed.
///
/// Must never hold a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    code: String,
    message: String,
    hint: Option<String>,
    is_retryable: bool,
    details: Option<String>,
}

impl Error {
    /// An error with an open code, such as `azure.quota`, and one clause for a person: lower case,
    /// no final stop.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            hint: None,
            is_retryable: false,
            details: None,
        }
    }

    /// The inputs are wrong: code `invalid.inputs`.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new("invalid.inputs", message)
    }

    /// The step could not do its work: code `failed`.
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new("failed", message)
    }

    /// With what to try, as text to type.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same call may succeed later.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.is_retryable = true;
        self
    }

    /// With more facts: the text of a JSON object.
    #[must_use]
    pub fn details(mut self, json: impl Into<String>) -> Self {
        self.details = Some(json.into());
        self
    }

    /// With what was being done put before the message: `what: message`. Code and hint stay.
    #[must_use]
    pub fn during(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// The open code; compare it, or ask [`Error::is`].
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Whether the code's first or last word is `kind`, as in `error.is("not-found")`.
    #[must_use]
    pub fn is(&self, kind: &str) -> bool {
        let mut words = self.code.split('.');
        words.next() == Some(kind) || words.next_back() == Some(kind)
    }

    /// One clause for a person.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to try; none where nobody knows. Named apart from the builder [`Error::hint`].
    #[must_use]
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.is_retryable
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<errors::Error> for Error {
    fn from(error: errors::Error) -> Self {
        let errors::Error { code, message, hint, retryable, details } = error;
        Self { code, message, hint, is_retryable: retryable, details }
    }
}

impl From<Error> for errors::Error {
    fn from(error: Error) -> Self {
        let Error { code, message, hint, is_retryable, details } = error;
        Self { code, message, hint, retryable: is_retryable, details }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the rest of a foreign, growing enum has no kind of ours"
        )]
        let code = match error.kind() {
            ErrorKind::NotFound => "not-found.io",
            ErrorKind::PermissionDenied => "denied.io",
            ErrorKind::AlreadyExists => "conflict.io",
            ErrorKind::InvalidInput | ErrorKind::InvalidData => "invalid.io",
            ErrorKind::TimedOut => "timeout.io",
            _ => "failed.io",
        };
        Self::new(code, error.to_string())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::new("invalid.json", format!("not the JSON that was expected: {error}"))
    }
}

#[cfg(test)]
mod tests;
