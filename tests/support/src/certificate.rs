//! A private certificate authority, as a company has one.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};

/// An authority that has signed one server's certificate, for `localhost` and `127.0.0.1`.
#[derive(Debug)]
pub struct Authority {
    /// The authority's own certificate, PEM.
    pub ca: PathBuf,
    /// The server's certificate, PEM.
    pub certificate: PathBuf,
    /// The server's key, PEM.
    pub key: PathBuf,
}

impl Authority {
    /// Makes keys and certificates and writes them below `folder`.
    ///
    /// # Panics
    /// `folder` cannot be written.
    pub fn new(folder: &Path) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are valid names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(rcgen::DnType::CommonName, "windlass test authority");
        let key = KeyPair::generate().expect("a key can be made");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate can be made");

        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).expect("both names are valid");
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().expect("a key can be made");
        let server = params.signed_by(&key, &issuer).expect("a certificate can be signed");

        let write = |name: &str, text: String| {
            let path = folder.join(name);
            std::fs::write(&path, text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            path
        };
        // `.crt` is the ending that skopeo looks for in a folder of authorities.
        let ca = write("ca.crt", issuer.pem());
        let certificate = write("server.pem", server.pem());
        Self { ca, certificate, key: write("server-key.pem", key.serialize_pem()) }
    }
}
