//! Logging in with a certificate: its key signs an assertion that Entra ID knows by the thumbprint.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use report::Secret;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::jwt;

/// A certificate and its key.
pub(crate) struct Signer {
    key: RsaKeyPair,
    /// SHA-256 of the certificate, `x5t#S256`.
    thumbprint: String,
}

/// Why it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CertificateError {
    #[error("it is a PKCS#12 file")]
    Pkcs12,
    #[error("its private key is encrypted")]
    Encrypted,
    #[error("it has no certificate in PEM form")]
    NoCertificate,
    #[error("it has no private key in PEM form")]
    NoKey,
    #[error("its private key is none of RSA with 2048 to 8192 bits, which Entra ID asks for")]
    NotRsa,
    #[error("its private key is the key of another certificate")]
    OtherKey,
    #[error("this machine has no random numbers")]
    NoRandom,
}

impl CertificateError {
    pub(crate) fn help(self) -> &'static str {
        match self {
            Self::Pkcs12 => "convert it: `openssl pkcs12 -in client.pfx -nodes -out client.pem`",
            Self::Encrypted => {
                "decrypt it: `openssl pkey -in client.pem -out client.key`, and keep the result in \
                 a secret"
            }
            Self::NoCertificate | Self::NoKey | Self::OtherKey => {
                "put both into one text: `cat client.key client.crt > client.pem`"
            }
            Self::NotRsa => "make one with `openssl req -x509 -newkey rsa:2048`",
            Self::NoRandom => "try again in a moment",
        }
    }
}

impl Signer {
    /// Reads a certificate and its private key, in PEM form and any order.
    pub(crate) fn parse(pem: &Secret) -> Result<Self, CertificateError> {
        let bytes = pem.expose();
        // A DER sequence; PEM is text.
        if bytes.starts_with(&[0x30, 0x82]) || bytes.starts_with(&[0x30, 0x80]) {
            return Err(CertificateError::Pkcs12);
        }
        let has = |words: &str| bytes.windows(words.len()).any(|at| at == words.as_bytes());
        if has("ENCRYPTED PRIVATE KEY") || has("Proc-Type: 4,ENCRYPTED") {
            return Err(CertificateError::Encrypted);
        }
        let certificate =
            CertificateDer::from_pem_slice(bytes).map_err(|_| CertificateError::NoCertificate)?;
        let key = PrivateKeyDer::from_pem_slice(bytes).map_err(|_| CertificateError::NoKey)?;
        let key = match &key {
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            // The list of kinds may grow; none of the others is RSA.
            PrivateKeyDer::Sec1(_) | _ => return Err(CertificateError::NotRsa),
        };
        let key = key.map_err(|_| CertificateError::NotRsa)?;
        // The public key stands in the certificate as it is.
        let public = key.public().as_ref();
        if !certificate.windows(public.len()).any(|at| at == public) {
            return Err(CertificateError::OtherKey);
        }
        let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(&certificate));
        Ok(Self { key, thumbprint })
    }

    /// The assertion that `client` is who asks `audience`, from `now` on.
    pub(crate) fn assertion(
        &self,
        client: &str,
        audience: &str,
        now: i64,
    ) -> Result<Secret, CertificateError> {
        let id = format!("{:032x}", rand::random::<u128>());
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint });
        let text = jwt::unsigned(&header, &jwt::assertion(client, audience, now, &id));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PSS_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
            .map_err(|_| CertificateError::NoRandom)?;
        Ok(Secret::new(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

#[cfg(test)]
mod tests;
