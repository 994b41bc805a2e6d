//! What can go wrong before anybody is heard.

use std::io;

use report::{Fault, Kind};

/// The listener could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for webhooks on `{address}`")]
pub struct HookError {
    /// Where it was to listen.
    pub address: String,
    /// Why it does not.
    #[source]
    pub source: io::Error,
}

/// An endpoint that nobody could ever send to. No message has the secret in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The secret is empty: anybody would have it.
    #[error("the secret is empty")]
    Empty,
    /// The secret cannot be a token: no header and no URL could carry it.
    #[error(
        "the secret has blanks at its ends, line breaks or other control characters, which no \
         header can carry"
    )]
    Unsendable,
    /// The header has no name that HTTP knows.
    #[error("`{0}` is not the name of a header")]
    Header(String),
}

impl From<HookError> for Fault {
    fn from(error: HookError) -> Self {
        let why = error.source.kind();
        let (kind, help) = if why == io::ErrorKind::AddrInUse {
            (Kind::Conflict, "end what listens there, or use another port")
        } else if why == io::ErrorKind::PermissionDenied {
            (Kind::Denied, "use a port above 1023, and a proxy in front of it")
        } else {
            (Kind::Invalid, "use an address of this machine and a port: `127.0.0.1:8300`")
        };
        Self::new(kind, error.to_string())
            .code("webhook.listen")
            .side(report::Side::User)
            .caused_by(&error.source)
            .help(help)
    }
}

impl From<EndpointError> for Fault {
    fn from(error: EndpointError) -> Self {
        let help = match &error {
            EndpointError::Empty | EndpointError::Unsendable => {
                "make one of letters and digits: `openssl rand -hex 32`"
            }
            EndpointError::Header(_) => "use a name such as `Authorization` or `X-Token`",
        };
        Self::new(Kind::Invalid, error.to_string()).code("webhook.endpoint").help(help)
    }
}
