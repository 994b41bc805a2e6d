//! What a server is set up with: files that a person names, and what is wrong with them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use report::{Fault, Kind};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// A certificate with its key, ready to serve with.
#[derive(Clone)]
pub struct Tls(pub(super) TlsAcceptor);

/// A file that a server cannot be set up with.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// It cannot be read; the error names it.
    #[error("a file of the registry cannot be read")]
    Unreadable(#[source] io::Error),
    /// It is no certificate, or none that its key fits.
    #[error("`{}` cannot be used for TLS: {why}", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// It is no list of users.
    #[error("line {line} of `{}` is not a user: {why}", path.display())]
    User {
        /// The file.
        path: PathBuf,
        /// Which line, the first is 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
}

impl Tls {
    /// Reads the chain (the server's own certificate first) and the key, both in PEM.
    ///
    /// # Errors
    /// A file cannot be read, has no certificate or key, or the key is another certificate's.
    pub fn open(certificates: &Path, key: &Path) -> Result<Self, SetupError> {
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |why: String| SetupError::Tls { path: path.clone(), why }
        };
        let pem = fs_err::read(certificates).map_err(SetupError::Unreadable)?;
        let chain = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unusable(certificates)(error.to_string()))?;
        if chain.is_empty() {
            return Err(unusable(certificates)("it has no certificate".to_owned()));
        }
        let pem = zeroize::Zeroizing::new(fs_err::read(key).map_err(SetupError::Unreadable)?);
        let secret = PrivateKeyDer::from_pem_slice(&pem)
            .map_err(|error| unusable(key)(format!("it has no private key: {error}")))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(certificates)(error.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, secret)
            .map_err(|error| unusable(key)(error.to_string()))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }
}

impl From<SetupError> for Fault {
    fn from(error: SetupError) -> Self {
        let help = match &error {
            SetupError::Unreadable(_) => None,
            SetupError::Tls { .. } => Some(
                "name PEM files: the certificate chain, the server's own first, and its private key",
            ),
            SetupError::User { .. } => Some("make one with `htpasswd -B FILE NAME`"),
        };
        let mut fault = Self::new(Kind::Invalid, error.to_string()).code("registry.setup");
        if let Some(source) = std::error::Error::source(&error) {
            fault = fault.caused_by(source);
        }
        match help {
            Some(help) => fault.help(help),
            None => fault,
        }
    }
}
