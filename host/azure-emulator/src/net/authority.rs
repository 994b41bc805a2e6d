//! The emulator's certificate authority: made at the first start, and a certificate for each
//! emulated host when somebody asks for it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use url::Url;

use super::host::{self, Service};
use crate::error::EmulatorError;

/// Certificates kept for hosts; more make the cache start anew. A test meets five.
const MOST_AT_HAND: usize = 256;

/// The years in which certificates count: as long as anybody keeps a folder of an emulator. Nothing
/// would be gained by their end.
const FROM: i32 = 2024;
const TO: i32 = 2099;

/// The names of the emulator's own address.
const OWN: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Signs for the emulated hosts, and for those of the outside that the proxy leads to.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    outside: BTreeMap<String, Url>,
    at_hand: Mutex<BTreeMap<String, Arc<CertifiedKey>>>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    /// The authority in `folder`: `ca.pem` is for clients to trust, `ca-key.pem` for nobody.
    pub(crate) fn open(
        folder: &Path,
        outside: BTreeMap<String, Url>,
    ) -> Result<Self, EmulatorError> {
        let (certificate, key) = (folder.join("ca.pem"), folder.join("ca-key.pem"));
        let fail = |source| EmulatorError::Folder { folder: folder.to_owned(), source };
        let made = EmulatorError::key("certificate authority");
        if !key.exists() {
            let pair = KeyPair::generate().map_err(&made)?;
            let own = parameters().self_signed(&pair).map_err(&made)?;
            fs_err::write(&certificate, own.pem()).map_err(fail)?;
            super::write_private(&key, pair.serialize_pem().as_bytes()).map_err(fail)?;
        }
        let pem = fs_err::read_to_string(&certificate).map_err(fail)?;
        let pair = fs_err::read_to_string(&key).map_err(fail)?;
        let pair = KeyPair::from_pem(&pair)
            .map_err(|error| EmulatorError::State { file: key, why: error.to_string() })?;
        // All certificates of ours have the same parameters, so the issuer need not be parsed.
        let issuer = Issuer::new(parameters(), pair);
        Ok(Self { issuer, pem, outside, at_hand: Mutex::default() })
    }

    /// What clients have to trust.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// TLS for all emulated hosts, HTTP/1.1 alone.
    pub(crate) fn tls(self: Arc<Self>) -> Result<ServerConfig, EmulatorError> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(EmulatorError::key("TLS configuration"))?
            .with_no_client_auth()
            .with_cert_resolver(self);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn certificate(&self, name: &str) -> Result<Arc<CertifiedKey>, EmulatorError> {
        let mut at_hand = self.at_hand.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(certificate) = at_hand.get(name) {
            return Ok(Arc::clone(certificate));
        }
        let failed = EmulatorError::key("certificate");
        let names: Vec<String> = match OWN.contains(&name) {
            true => OWN.iter().map(|name| (*name).to_owned()).collect(),
            false => vec![name.to_owned()],
        };
        let pair = KeyPair::generate().map_err(&failed)?;
        let mut leaf = CertificateParams::new(names).map_err(&failed)?;
        leaf.distinguished_name.push(DnType::CommonName, "windlass azure-emulator");
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.use_authority_key_identifier_extension = true;
        (leaf.not_before, leaf.not_after) = (date_time_ymd(FROM, 1, 1), date_time_ymd(TO, 1, 1));
        let certificate = leaf.signed_by(&pair, &self.issuer).map_err(&failed)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.serialize_der()));
        let key =
            ring::sign::any_supported_type(&key).map_err(EmulatorError::key("certificate"))?;
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let certificate = Arc::new(CertifiedKey::new(chain, key));
        if at_hand.len() >= MOST_AT_HAND {
            at_hand.clear();
        }
        at_hand.insert(name.to_owned(), Arc::clone(&certificate));
        Ok(certificate)
    }
}

impl ResolvesServerCert for Authority {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Who names nobody came to our own address: IP addresses are not sent.
        let name = hello.server_name().unwrap_or("localhost").to_ascii_lowercase();
        let service = host::service(&name);
        if service.is_none() && host::upstream(&self.outside, &name).is_none() {
            return None;
        }
        let is_own = service == Some(Service::Own);
        let name = if is_own { "localhost".to_owned() } else { name };
        self.certificate(&name)
            .inspect_err(|error| tracing::warn!(%error, "no certificate could be made"))
            .ok()
    }
}

fn parameters() -> CertificateParams {
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "windlass azure-emulator CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (ca.not_before, ca.not_after) = (date_time_ymd(FROM, 1, 1), date_time_ymd(TO, 1, 1));
    ca
}
