//! What a registry said when it said no, and what could not even be asked.

use std::fmt;
use std::time::Duration;

use report::{Fault, Kind, SafeUrl};
use rustls::AlertDescription;
use serde::Deserialize;

/// No more of an error's body is read.
pub(super) const LARGEST_ERROR_BODY: usize = 64 * 1024;

/// No more of a registry's own words is shown.
const LONGEST_MESSAGE: usize = 300;

/// A request to a registry that failed.
#[derive(Debug)]
pub struct RemoteError {
    /// What was asked.
    pub method: http::Method,
    /// Of whom.
    pub url: SafeUrl,
    /// What went wrong.
    pub problem: Problem,
    /// How often it went wrong, if it was tried again.
    pub tried: Option<Tried>,
}

/// Attempts that all failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tried {
    /// How many.
    pub attempts: u32,
    /// From the first to the end of the last.
    pub over: Duration,
}

/// What went wrong with a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum Problem {
    /// The registry answered, and the answer is no.
    Status {
        /// The status.
        status: http::StatusCode,
        /// The specification's code (distribution-spec, "Error Codes"), `MANIFEST_UNKNOWN`.
        code: Option<String>,
        /// The registry's own words.
        message: Option<String>,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// Not even asked: the host wants to be left alone for longer than is waited.
    Busy {
        /// For how long still.
        wait: Duration,
    },
    /// No connection, or none that lasted.
    Transport(reqwest::Error),
    /// An answer that ended, as if it were whole, before its end.
    Short {
        /// The bytes that were to come.
        expected: u64,
        /// Those that came.
        found: u64,
    },
    /// An answer that breaks the specification.
    Protocol(String),
    /// An answer to a question for a manifest that is none, such as a page to sign in.
    NoManifest {
        /// What it says it is.
        content_type: Option<String>,
    },
}

impl RemoteError {
    /// The status decides; codes refine it.
    pub fn kind(&self) -> Kind {
        match &self.problem {
            Problem::Status { .. } if self.is_digest_of_a_tag() => Kind::Transient,
            Problem::Status { status, code, .. } => {
                kind_of_status(status.as_u16(), code.as_deref().unwrap_or_default())
            }
            Problem::Transport(error) if is_certificate_error(error) => Kind::Failed,
            Problem::Transport(error) if identity_alert(error).is_some() => Kind::Unauthorized,
            Problem::Transport(error) if error.is_builder() => Kind::Internal,
            Problem::Transport(_) | Problem::Busy { .. } | Problem::Short { .. } => Kind::Transient,
            Problem::Protocol(_) => Kind::Failed,
            Problem::NoManifest { .. } => Kind::Invalid,
        }
    }

    /// Whether a manifest that was written under a tag, where no digest was said, is refused for its
    /// digest: docker-registry read the link of a blob while another request was writing it.
    pub(super) fn is_digest_of_a_tag(&self) -> bool {
        let url = self.url.to_string();
        let reference = url.rsplit_once("/manifests/").map(|(_, reference)| reference);
        self.method == http::Method::PUT
            && self.code() == Some("DIGEST_INVALID")
            && reference
                .is_some_and(|reference| !reference.contains(':') && !reference.contains("%3A"))
    }

    /// Whether the body of an answer ended before its end.
    pub(crate) fn broke_off(&self) -> bool {
        matches!(&self.problem, Problem::Transport(error) if error.is_body() || error.is_decode())
    }

    /// The status, if the registry answered at all.
    pub fn status(&self) -> Option<http::StatusCode> {
        match &self.problem {
            Problem::Status { status, .. } => Some(*status),
            Problem::Busy { .. }
            | Problem::Short { .. }
            | Problem::Transport(_)
            | Problem::Protocol(_)
            | Problem::NoManifest { .. } => None,
        }
    }

    /// The specification's code, if the registry gave one.
    pub fn code(&self) -> Option<&str> {
        match &self.problem {
            Problem::Status { code, .. } => code.as_deref(),
            Problem::Busy { .. }
            | Problem::Short { .. }
            | Problem::Transport(_)
            | Problem::Protocol(_)
            | Problem::NoManifest { .. } => None,
        }
    }

    pub(crate) fn help(&self) -> Option<String> {
        let table = format!("`[registries.\"{}\"]`", self.host());
        match (&self.problem, self.kind()) {
            (Problem::Status { .. }, Kind::Unauthorized) => Some(format!(
                "give the registry a credential in {table}, or check that yours may do this"
            )),
            (
                Problem::Busy { wait } | Problem::Status { retry_after: Some(wait), .. },
                Kind::Transient,
            ) => Some(format!(
                "try again in {}, or give the host a credential with a higher limit in {table}",
                rounded(*wait)
            )),
            (Problem::Transport(error), _) if is_certificate_error(error) => {
                Some(format!("name the registry's CA with `ca = \"FILE.pem\"` in {table}"))
            }
            (Problem::Transport(error), _) if identity_alert(error).is_some() => Some(format!(
                "set `cert = \"client.pem\"` and `key = \"client.key\"` in {table} to a certificate \
                 that the registry accepts"
            )),
            (Problem::Transport(error), _) if is_plain_http(error) => {
                Some(format!("if the registry speaks plain HTTP, set `insecure = true` in {table}"))
            }
            (Problem::Transport(error), _) if error.is_connect() => {
                Some("check that the registry is running and that its name is right".to_owned())
            }
            (Problem::NoManifest { .. }, _) => Some(format!(
                "check that `{}` is a registry, and that no proxy or page to sign in answers for it",
                self.host()
            )),
            _ => None,
        }
    }

    /// As a person writes it.
    fn host(&self) -> String {
        let url = url::Url::parse(&self.url.to_string()).ok();
        let authority = url.as_ref().map(url::Url::authority).unwrap_or_default();
        match authority.parse::<crate::RegistryHost>() {
            Ok(host) => host.as_written().to_owned(),
            Err(_) => "HOST".to_owned(),
        }
    }
}

fn kind_of_status(status: u16, code: &str) -> Kind {
    match (status, code) {
        (_, "TOOMANYREQUESTS") => Kind::Transient,
        (401 | 403 | 407, _) => Kind::Unauthorized,
        (404, _) => Kind::NotFound,
        (409 | 412, _) => Kind::Conflict,
        (_, "DIGEST_INVALID" | "SIZE_INVALID") => Kind::Mismatch,
        (408 | 425 | 429, _) => Kind::Transient,
        // A full disk does not empty itself between two attempts.
        (501 | 505 | 507, _) => Kind::Failed,
        (500.., _) => Kind::Transient,
        (400 | 405 | 413 | 414 | 415 | 422, _) => Kind::Invalid,
        _ => Kind::Failed,
    }
}

/// Looks for a typed error, not for text.
fn find<T: std::error::Error + 'static>(error: &reqwest::Error) -> Option<&T> {
    let mut link: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(current) = link {
        if let Some(found) = current.downcast_ref::<T>() {
            return Some(found);
        }
        // An `io::Error` hides what it wraps from `source`.
        let inside = current.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(found) = inside.and_then(|inner| inner.downcast_ref::<T>()) {
            return Some(found);
        }
        link = inside.map(|inner| inner as _).or_else(|| current.source());
    }
    None
}

/// What the client's resolver has against where a name leads: no trouble of the line, and no other
/// the next time.
pub(super) fn refusal(error: &reqwest::Error) -> Option<Fault> {
    find::<Fault>(error).cloned()
}

/// What a server has against our certificate, or that we show none: it speaks about nobody else's.
fn identity_alert(error: &reqwest::Error) -> Option<AlertDescription> {
    let Some(rustls::Error::AlertReceived(alert)) = find::<rustls::Error>(error) else {
        return None;
    };
    let is_of_identity = matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError
    );
    is_of_identity.then_some(*alert)
}

fn is_certificate_error(error: &reqwest::Error) -> bool {
    matches!(
        find::<rustls::Error>(error),
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::Other(_))
    )
}

fn is_plain_http(error: &reqwest::Error) -> bool {
    matches!(find::<rustls::Error>(error), Some(rustls::Error::InvalidMessage(_)))
}

/// The errors of a registry's answer (distribution-spec, "Error Codes").
#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<ErrorEntry>,
}

#[derive(Deserialize)]
struct ErrorEntry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: Option<String>,
}

/// Code and message of an error body, which may be anything at all.
pub(super) fn read_body(body: &[u8]) -> (Option<String>, Option<String>) {
    let Ok(parsed) = serde_json::from_slice::<Errors>(body) else {
        return (None, None);
    };
    let Some(first) = parsed.errors.into_iter().next() else { return (None, None) };
    let is_code = !first.code.is_empty()
        && first.code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    (
        is_code.then_some(first.code),
        first.message.map(|text| printable(&text)).filter(|m| !m.is_empty()),
    )
}

/// One short line: a registry's words go to a terminal.
pub(super) fn printable(text: &str) -> String {
    let line: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_MESSAGE).collect();
    line.trim().to_owned()
}

/// `METHOD URL: STATUS CODE: message`
impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.method, self.url)?;
        self.problem.fmt(f)?;
        match self.tried {
            Some(Tried { attempts, over }) if attempts > 1 => {
                write!(f, " (tried {attempts} times in {})", rounded(over))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { status, code, message, .. } => {
                write!(f, "{}", status.as_u16())?;
                match (code, status.canonical_reason()) {
                    (Some(code), _) => write!(f, " {code}")?,
                    (None, Some(reason)) => write!(f, " {reason}")?,
                    (None, None) => {}
                }
                message.as_ref().map_or(Ok(()), |message| write!(f, ": {message}"))
            }
            Self::Busy { wait } => {
                write!(f, "not asked, the host wants no requests for {} s", wait.as_secs())
            }
            Self::Transport(error) if identity_alert(error).is_some() => {
                f.write_str("the registry wants another client certificate, or one at all")
            }
            Self::Short { expected, found } => {
                write!(f, "the answer ended after {found} of {expected} bytes")
            }
            Self::Transport(error) if error.is_connect() => f.write_str("no connection"),
            Self::Transport(error) if error.is_timeout() => f.write_str("no answer in time"),
            Self::Transport(_) => f.write_str("the connection broke"),
            Self::Protocol(why) => f.write_str(why),
            Self::NoManifest { content_type } => {
                f.write_str("answered with something that is no manifest")?;
                content_type.as_ref().map_or(Ok(()), |what| write!(f, " (`{what}`)"))
            }
        }
    }
}

/// For people: seconds, minutes or hours.
fn rounded(time: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    match time.as_secs() {
        0 => "less than 1 s".to_owned(),
        // Two of a kind are exact enough.
        seconds if seconds < 2 * MINUTE => format!("{seconds} s"),
        seconds if seconds < 2 * HOUR => format!("{} min", seconds.div_ceil(MINUTE)),
        seconds => format!("{} h", seconds.div_ceil(HOUR)),
    }
}

impl std::error::Error for RemoteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            // Its own text repeats the URL; what it wraps is the cause.
            Problem::Transport(error) => std::error::Error::source(error),
            Problem::Status { .. }
            | Problem::Busy { .. }
            | Problem::Short { .. }
            | Problem::Protocol(_)
            | Problem::NoManifest { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_body_is_read_whatever_it_is() {
        let body = br#"{"errors":[{"code":"DENIED","message":"no\n\u001b[31mway"}]}"#;
        assert_eq!(read_body(body), (Some("DENIED".to_owned()), Some("no  [31mway".to_owned())));
        for body in [&b"<html>"[..], b"", b"{}", br#"{"errors":[]}"#, br#"{"errors":{}}"#] {
            assert_eq!(read_body(body), (None, None));
        }
        let long = format!(r#"{{"errors":[{{"code":"a b","message":"{}"}}]}}"#, "x".repeat(9999));
        let (code, message) = read_body(long.as_bytes());
        assert_eq!((code, message.unwrap().len()), (None, LONGEST_MESSAGE));
    }

    #[test]
    fn the_status_decides_the_kind() {
        let check = |status, code, kind| assert_eq!(kind_of_status(status, code), kind, "{status}");
        check(401, "UNAUTHORIZED", Kind::Unauthorized);
        check(403, "DENIED", Kind::Unauthorized);
        check(403, "TOOMANYREQUESTS", Kind::Transient);
        check(404, "NAME_UNKNOWN", Kind::NotFound);
        check(400, "DIGEST_INVALID", Kind::Mismatch);
        check(400, "MANIFEST_INVALID", Kind::Invalid);
        check(429, "", Kind::Transient);
        check(503, "", Kind::Transient);
        check(501, "UNSUPPORTED", Kind::Failed);
        check(302, "", Kind::Failed);
    }
}
