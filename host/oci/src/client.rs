//! The one constructor of HTTP clients.
//!
//! TLS, roots, proxy, timeouts and redirects are decided here and nowhere else; who wants another
//! resolver (to pin and check addresses) hands one in. Making a client is cheap: the machine's
//! roots are read at the first TLS handshake, so plain HTTP on loopback never reads them. Files with
//! further roots are read at once, so that a mistake is found before anything runs.
//!
//! Never: redirects followed unseen, the environment, an accepted invalid certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use report::{Fault, Kind};
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use url::Url;
use zeroize::Zeroizing;

mod names;
mod roots;

pub use crate::remote::retry::retry_after;
pub use names::addresses;

/// How long a connection may take to be made. There is no limit to a whole request: a layer may
/// take an hour, and the step has its own deadline.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a server may say nothing while an answer is awaited or read. Uploads of large blobs are
/// answered when the registry has stored them, which takes a while.
pub const SILENCE_TIMEOUT: Duration = Duration::from_secs(300);

/// More than one blob at a time needs, few enough not to annoy a registry.
const IDLE_CONNECTIONS_PER_HOST: usize = 16;

/// A quarter more than a fast link with 100 ms of latency has in flight (200 Mbit/s).
const HTTP2_WINDOW: u32 = 4 * 1024 * 1024;

/// Hosts that are never reached through a proxy: the proxy's loopback is not ours.
const NEVER_PROXIED: &str = "localhost,127.0.0.0/8,::1";

/// What a client needs to know.
#[derive(Clone)]
pub struct ClientOptions {
    /// Files with roots that are trusted besides the machine's own.
    pub ca_files: Vec<CaFile>,
    /// What servers that ask for it know us by. It is shown to all of them: who has one makes a
    /// client for the one host that it is meant for.
    pub identity: Option<Identity>,
    /// `HTTPS_PROXY` and its like, as values.
    pub proxy: ProxyOptions,
    /// See [`CONNECT_TIMEOUT`].
    pub connect_timeout: Duration,
    /// Resolves names instead of [`addresses`]; may refuse addresses.
    pub resolver: Option<Arc<dyn reqwest::dns::Resolve>>,
}

/// Roots in a PEM file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaFile {
    /// Where they are.
    pub path: PathBuf,
    /// The only host (without port) for which they count, or, with a dot first, the domain below
    /// which they do; `None`: for all.
    pub only_for: Option<String>,
}

/// A client certificate, in PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The chain, the client's own certificate first.
    pub certificates: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Which proxy, and for whom not.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProxyOptions {
    /// For `https://`; may hold a user and a password.
    pub https: Option<String>,
    /// For `http://`.
    pub http: Option<String>,
    /// `NO_PROXY`: hosts, domains, networks, with commas. Loopback never goes through a proxy.
    pub none_for: Option<String>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A file with roots cannot be read.
    #[error("the CA file cannot be read")]
    CaFile(#[source] std::io::Error),
    /// It holds something else.
    #[error("`{path}` holds no usable certificate in PEM form{detail}")]
    NoCertificate {
        /// The file.
        path: PathBuf,
        /// What the parser said, or nothing.
        detail: String,
    },
    /// A file of a client certificate cannot be read.
    #[error("a file of the client certificate cannot be read")]
    Identity(#[source] std::io::Error),
    /// It is no certificate, no key, or the key of another certificate.
    #[error("`{}` cannot be used for a client certificate: {why}", path.display())]
    UselessIdentity {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A proxy that is not a URL. Its text may hold a password, so it is not shown.
    #[error("the proxy for `{scheme}` is not a URL such as `http://proxy.example:3128`")]
    Proxy {
        /// `http` or `https`.
        scheme: &'static str,
    },
    /// The libraries disagree; a bug of ours.
    #[error("the HTTP client cannot be made")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            ca_files: Vec::new(),
            identity: None,
            proxy: ProxyOptions::default(),
            connect_timeout: CONNECT_TIMEOUT,
            resolver: None,
        }
    }
}

/// Makes a client. It follows no redirects and has no cookies; whoever uses it decides on both.
///
/// # Errors
/// [`ClientError`] for a CA file, a client certificate or a proxy that cannot be used; none is ever
/// left out silently.
pub fn build(options: &ClientOptions) -> Result<reqwest::Client, ClientError> {
    let extra = options.ca_files.iter().map(read_roots).collect::<Result<Vec<_>, _>>()?;
    let tls = tls(extra, options.identity.as_ref())?;
    #[expect(clippy::disallowed_methods, reason = "this is the one constructor")]
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("windlass/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(options.connect_timeout)
        .read_timeout(SILENCE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_PER_HOST)
        .http2_initial_stream_window_size(HTTP2_WINDOW)
        .http2_initial_connection_window_size(HTTP2_WINDOW)
        .tcp_nodelay(true)
        .no_proxy();
    for proxy in proxies(&options.proxy)? {
        builder = builder.proxy(proxy);
    }
    let system = || Arc::new(names::System) as Arc<dyn reqwest::dns::Resolve>;
    builder = builder.dns_resolver(options.resolver.clone().unwrap_or_else(system));
    builder.build().map_err(|error| ClientError::Internal(Box::new(error)))
}

fn tls(extra: Vec<roots::Extra>, identity: Option<&Identity>) -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(roots::Lazy::new(Arc::clone(&provider), extra));
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Internal(Box::new(error)))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = read_identity(identity)?;
            let useless = |why: rustls::Error| ClientError::UselessIdentity {
                path: identity.key.clone(),
                why: why.to_string(),
            };
            builder.with_client_auth_cert(chain, key).map_err(useless)?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn read_identity(
    identity: &Identity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), ClientError> {
    let useless =
        |path: &Path, why: String| ClientError::UselessIdentity { path: path.to_owned(), why };
    let pem = fs_err::read(&identity.certificates).map_err(ClientError::Identity)?;
    let chain = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| useless(&identity.certificates, error.to_string()))?;
    if chain.is_empty() {
        return Err(useless(&identity.certificates, "it has no certificate".to_owned()));
    }
    let pem = Zeroizing::new(fs_err::read(&identity.key).map_err(ClientError::Identity)?);
    let key = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|error| useless(&identity.key, format!("it has no private key: {error}")))?;
    Ok((chain, key))
}

fn read_roots(file: &CaFile) -> Result<roots::Extra, ClientError> {
    let pem = fs_err::read(&file.path).map_err(ClientError::CaFile)?;
    let useless = |detail: String| ClientError::NoCertificate { path: file.path.clone(), detail };
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| useless(format!(": {error}")))?;
    if certificates.is_empty() {
        return Err(useless(String::new()));
    }
    let mut store = rustls::RootCertStore::empty();
    for certificate in &certificates {
        store.add(certificate.clone()).map_err(|error| useless(format!(": {error}")))?;
    }
    Ok(roots::Extra { certificates, only_for: file.only_for.clone() })
}

fn proxies(options: &ProxyOptions) -> Result<Vec<reqwest::Proxy>, ClientError> {
    let exceptions = match &options.none_for {
        Some(list) => format!("{NEVER_PROXIED},{list}"),
        None => NEVER_PROXIED.to_owned(),
    };
    let mut proxies = Vec::new();
    for (scheme, value) in [("https", &options.https), ("http", &options.http)] {
        let Some(value) = value.as_deref().filter(|value| !value.is_empty()) else { continue };
        // As curl does: a bare `proxy:3128` is meant as `http://proxy:3128`.
        let text = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
        let wrong = ClientError::Proxy { scheme };
        let Ok(url) = Url::parse(&text) else { return Err(wrong) };
        let proxy = match scheme {
            "https" => reqwest::Proxy::https(url),
            _ => reqwest::Proxy::http(url),
        };
        let proxy = proxy.map_err(|_| wrong)?;
        proxies.push(proxy.no_proxy(reqwest::NoProxy::from_string(&exceptions)));
    }
    Ok(proxies)
}

/// A client that cannot be made is a setting that is wrong, except for our own bugs.
impl From<ClientError> for Fault {
    fn from(error: ClientError) -> Self {
        let (kind, help) = match &error {
            ClientError::CaFile(_) | ClientError::NoCertificate { .. } => {
                (Kind::Invalid, Some("name a file with `-----BEGIN CERTIFICATE-----`"))
            }
            ClientError::Identity(_) | ClientError::UselessIdentity { .. } => (
                Kind::Invalid,
                Some(
                    "name PEM files: with `cert` the certificate, with `key` its private key, not \
                     encrypted",
                ),
            ),
            ClientError::Proxy { .. } => (Kind::Invalid, None),
            ClientError::Internal(_) => (Kind::Internal, None),
        };
        let mut fault = Self::new(kind, error.to_string()).code(format!("client.{kind}"));
        if let Some(source) = std::error::Error::source(&error) {
            fault = fault.caused_by(source);
        }
        match help {
            Some(help) => fault.help(help),
            None => fault,
        }
    }
}

#[cfg(test)]
mod tests;
