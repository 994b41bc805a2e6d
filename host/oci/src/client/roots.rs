//! Trust: the machine's roots, read when the first certificate is to be judged, and further ones
//! for some hosts.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};

/// Roots besides the machine's own.
pub(super) struct Extra {
    pub(super) certificates: Vec<CertificateDer<'static>>,
    pub(super) only_for: Option<String>,
}

/// rustls' own verifier, made at the first use, one for each set of roots that hosts need.
pub(super) struct Lazy {
    provider: Arc<CryptoProvider>,
    extra: Vec<Extra>,
    native: OnceLock<Native>,
    /// By the indexes of the `extra` that count.
    verifiers: Mutex<BTreeMap<Vec<usize>, Arc<WebPkiServerVerifier>>>,
}

struct Native {
    certificates: Vec<CertificateDer<'static>>,
    /// Why there are none, or fewer.
    problem: Option<String>,
}

impl Lazy {
    pub(super) fn new(provider: Arc<CryptoProvider>, extra: Vec<Extra>) -> Self {
        Self { provider, extra, native: OnceLock::new(), verifiers: Mutex::default() }
    }

    fn verifier(
        &self,
        server: &ServerName<'_>,
    ) -> Result<Arc<WebPkiServerVerifier>, rustls::Error> {
        let name = server.to_str();
        let counts = |extra: &Extra| extra.only_for.as_ref().is_none_or(|host| is_for(host, &name));
        let chosen: Vec<usize> =
            (0..).zip(&self.extra).filter(|(_, extra)| counts(extra)).map(|(at, _)| at).collect();
        let mut verifiers = self.verifiers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(verifier) = verifiers.get(&chosen) {
            return Ok(Arc::clone(verifier));
        }
        let native = self.native.get_or_init(native);
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(native.certificates.iter().cloned());
        for extra in self.extra.iter().filter(|extra| counts(extra)) {
            roots.add_parsable_certificates(extra.certificates.iter().cloned());
        }
        if roots.is_empty() {
            let problem = native.problem.clone().unwrap_or_else(|| "none are installed".to_owned());
            return Err(no_roots(problem));
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::clone(&self.provider),
        )
        .build()
        .map_err(|error| no_roots(error.to_string()))?;
        verifiers.insert(chosen, Arc::clone(&verifier));
        Ok(verifier)
    }
}

/// Whether `name` is `host`, or lies below it, if it has a dot first.
fn is_for(host: &str, name: &str) -> bool {
    let (host, name) = (host.to_ascii_lowercase(), name.to_ascii_lowercase());
    match host.starts_with('.') {
        true => name.len() > host.len() && name.ends_with(&host),
        false => host == name,
    }
}

fn native() -> Native {
    let found = rustls_native_certs::load_native_certs();
    let problem = found.errors.first().map(ToString::to_string);
    if let Some(problem) = &problem {
        tracing::debug!(problem, "some of the machine's root certificates cannot be read");
    }
    Native { certificates: found.certs, problem }
}

#[derive(Debug, thiserror::Error)]
#[error("this machine has no root certificates ({0}); install `ca-certificates` or name a CA file")]
struct NoRoots(String);

fn no_roots(problem: String) -> rustls::Error {
    rustls::Error::Other(OtherError(Arc::new(NoRoots(problem))))
}

impl ServerCertVerifier for Lazy {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verifier(server_name)?.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for Lazy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lazy").field("extra", &self.extra.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_count_for_a_host_or_for_a_domain() {
        assert!(is_for("a.example", "A.example"));
        assert!(!is_for("a.example", "b.a.example"));
        assert!(is_for(".a.example", "b.A.example"));
        assert!(is_for(".a.example", "c.b.a.example"));
        for other in ["a.example", "ba.example", ".a.example", "b.a.example.evil"] {
            assert!(!is_for(".a.example", other), "{other}");
        }
    }
}
