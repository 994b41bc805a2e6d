//! Why an emulator could not be started.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use report::{Fault, Kind};

/// Why there is no emulator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmulatorError {
    /// The state folder, or a file in it, cannot be used.
    #[error("the emulator's folder `{}` cannot be used", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of the state folder holds something else.
    #[error("`{}` was not written by this version of the emulator: {why}", file.display())]
    State {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The address is taken, or not ours.
    #[error("nothing can listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A name in the configuration breaks the rules of Azure.
    #[error("the {what} `{name}` is not usable: {why}")]
    Name {
        /// What it names.
        what: &'static str,
        /// The name.
        name: String,
        /// The rule.
        why: &'static str,
    },
    /// A key or a certificate could not be made; a bug of ours.
    #[error("the emulator's {what} could not be made")]
    Key {
        /// Which.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The folder of a registry cannot be opened.
    #[error("the registry's folder cannot be opened")]
    Registry(#[source] oci::Error),
    /// The client for what lies outside could not be made.
    #[error("the HTTP client could not be made")]
    Client(#[source] oci::client::ClientError),
}

impl EmulatorError {
    pub(crate) fn key<E: std::error::Error + Send + Sync + 'static>(
        what: &'static str,
    ) -> impl Fn(E) -> Self {
        move |source| Self::Key { what, source: Box::new(source) }
    }
}

impl From<EmulatorError> for Fault {
    fn from(error: EmulatorError) -> Self {
        let (kind, help) = match &error {
            EmulatorError::Folder { .. } | EmulatorError::Registry(_) => {
                (Kind::Invalid, Some("name a folder of your own with `--state`"))
            }
            EmulatorError::State { .. } => {
                (Kind::Invalid, Some("start with an empty folder, or delete that file"))
            }
            EmulatorError::Listen { .. } => {
                (Kind::Conflict, Some("use `--listen 127.0.0.1:0` for a port that is free"))
            }
            EmulatorError::Name { .. } => (Kind::Invalid, None),
            EmulatorError::Key { .. } | EmulatorError::Client(_) => (Kind::Internal, None),
        };
        let mut fault = Self::new(kind, error.to_string()).code(format!("azure-emulator.{kind}"));
        if let Some(source) = std::error::Error::source(&error) {
            fault = fault.caused_by(source);
        }
        match help {
            Some(help) => fault.help(help),
            None => fault,
        }
    }
}
