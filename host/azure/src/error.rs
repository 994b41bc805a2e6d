//! What can go wrong here.

use report::{Fault, Kind, SafeUrl, Side};
use url::Url;

use crate::answer::Refusal;
use crate::cloud::{Audience, CloudError};
use crate::link::Link;

/// Why there is no token, or nothing for one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Nobody answers, or nobody who can be trusted.
    #[error("{why} from {url}")]
    Unreachable {
        url: SafeUrl,
        why: String,
        /// From the outside in.
        causes: Vec<String>,
        is_tls: bool,
        /// Whether trying again may help.
        is_passing: bool,
    },
    /// Somebody answered with something else than was agreed.
    #[error("the answer of {url} {why}")]
    Answer { url: SafeUrl, why: String },
    /// A login was refused.
    #[error("Azure refused the {link} of the identity `{identity}`{}", code(.refusal))]
    Login { identity: String, link: Link, refusal: Box<Refusal> },
    /// A registry refused the token.
    #[error("the registry `{host}` refused the identity `{identity}`{}", code(.refusal))]
    Registry { identity: String, host: String, refusal: Box<Refusal> },
    /// Azure Resource Manager refused.
    #[error("Azure does not show {what} to the identity `{identity}`{}", code(.refusal))]
    Arm { identity: String, what: String, refusal: Box<Refusal> },
    /// There is no such registry, as far as the identity sees.
    #[error("Azure has no registry `{word}` {}", where_searched(*.searched))]
    NoRegistry {
        word: String,
        /// Subscriptions.
        searched: usize,
        /// Login servers of others.
        seen: Vec<String>,
    },
    /// A link that was asked for has not what it needs.
    #[error("the identity `{identity}` cannot use its {link}: {why}")]
    Missing { identity: String, link: Link, why: String, help: String },
    /// No link has what it needs.
    #[error("the identity `{identity}` has no way to log in to Azure")]
    NoLink { identity: String, tried: Vec<(Link, String)> },
    /// A vault refused.
    #[error("{what}")]
    Vault { kind: Kind, what: String, causes: Vec<String>, help: String, retry: bool },
    /// A token would go where it does not belong.
    #[error("the identity `{identity}` gives no token for {to}")]
    Foreign { identity: String, to: String, help: String },
    /// A setting is wrong.
    #[error("{0}")]
    Setting(String),
    /// What others found wrong: a secret, a client.
    #[error("{0}")]
    Other(#[from] Fault),
}

impl Error {
    pub(crate) fn answer(url: &Url, why: &str) -> Self {
        Self::Answer { url: SafeUrl::new(url), why: why.to_owned() }
    }
}

impl From<CloudError> for Error {
    fn from(error: CloudError) -> Self {
        Self::Other(error.into())
    }
}

impl From<CloudError> for Fault {
    fn from(error: CloudError) -> Self {
        Self::new(Kind::Invalid, error.to_string()).code("invalid.azure").help(error.help)
    }
}

fn code(refusal: &Refusal) -> String {
    match refusal.code.is_empty() {
        true => format!(" (status {})", refusal.status),
        false => format!(" ({})", refusal.code),
    }
}

fn where_searched(subscriptions: usize) -> String {
    match subscriptions {
        0 => "that this identity sees: it sees no subscription".to_owned(),
        1 => "in the subscription".to_owned(),
        more => format!("in the {more} subscriptions that this identity sees"),
    }
}

/// The code of each kind is `KIND.azure`, as those of other capabilities are.
fn fault(kind: Kind, message: String) -> Fault {
    Fault::new(kind, message).code(format!("{kind}.azure"))
}

fn of_refusal(message: String, refusal: &Refusal, otherwise: Kind, advice: &str) -> Fault {
    let kind = if refusal.is_passing() { Kind::Transient } else { otherwise };
    let mut fault = fault(kind, message).side(Side::Remote);
    if !refusal.said.is_empty() {
        fault = fault.cause(&refusal.said);
    }
    if let Some(trace) = &refusal.trace {
        fault = fault.cause(format!("trace id {trace}"));
    }
    fault.help(advice)
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Unreachable { causes, is_tls, is_passing, .. } => {
                let kind = if is_passing { Kind::Transient } else { Kind::Failed };
                let fault = causes.iter().fold(fault(kind, message), Self::cause);
                let fault = fault.side(Side::Remote);
                match is_tls {
                    true => fault.help(
                        "if the certificate is from your own authority, name its file: `ca` of the \
                         identity, or SSL_CERT_FILE",
                    ),
                    false => fault.help("check the network, HTTPS_PROXY and NO_PROXY"),
                }
            }
            Error::Answer { .. } => fault(Kind::Failed, message)
                .side(Side::Remote)
                .help("something else than Azure answers there: check `endpoints` and the proxy"),
            Error::Login { refusal, .. } => {
                let advice = refusal.advice();
                of_refusal(message, &refusal, Kind::Unauthorized, advice)
            }
            Error::Registry { refusal, host, .. } => {
                let advice = match refusal.status {
                    403 => {
                        "the registry's firewall refuses this machine: allow its address, or run \
                         inside of the network"
                            .to_owned()
                    }
                    404 => format!("`{host}` is no registry of Azure: check its login server"),
                    _ => "give it a role there: AcrPull or AcrPush, or Container Registry \
                          Repository Reader or Writer where the registry has ABAC permissions"
                        .to_owned(),
                };
                of_refusal(message, &refusal, Kind::Unauthorized, &advice)
            }
            Error::Arm { refusal, .. } => {
                let (kind, advice) = match refusal.status {
                    404 => (Kind::NotFound, "check `--subscription`, and that nobody deleted it"),
                    401 | 403 => (
                        Kind::Unauthorized,
                        "give the identity the role `Reader` on the registry, or ask as another one",
                    ),
                    _ => (
                        Kind::Failed,
                        "try again in a minute; then check `endpoints` and the proxy",
                    ),
                };
                of_refusal(message, &refusal, kind, advice)
            }
            Error::NoRegistry { seen, .. } => {
                let help = match seen.as_slice() {
                    [] => "give the identity the role `Reader` on the registry, or name another \
                           `--subscription`"
                        .to_owned(),
                    seen => format!(
                        "there are {}; name another `--subscription` if it is elsewhere",
                        seen.join(", ")
                    ),
                };
                fault(Kind::NotFound, message).help(help)
            }
            Error::Missing { help, .. } => fault(Kind::Unauthorized, message).help(help),
            Error::NoLink { tried, .. } => {
                let fault = fault(Kind::Unauthorized, message);
                let tried = tried.iter().map(|(link, why)| format!("{link}: {why}"));
                tried.fold(fault, Self::cause).help(
                    "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or run `az \
                     login`, or give the identity a credential in `[identity.NAME]`",
                )
            }
            Error::Vault { kind, causes, help, retry, .. } => {
                let fault = fault(kind, message).side(Side::Remote).retry(retry);
                causes.iter().fold(fault, Self::cause).help(help)
            }
            Error::Foreign { help, .. } => fault(Kind::Denied, message).help(help),
            Error::Setting(_) => fault(Kind::Invalid, message),
            Error::Other(fault) => fault,
        }
    }
}

/// The refusal to give a token for what is not the identity's.
pub(crate) fn foreign(identity: &str, audience: &Audience, help: &str) -> Error {
    let (identity, to) = (identity.to_owned(), audience.to_string());
    Error::Foreign { identity, to, help: help.to_owned() }
}
