//! Tokens: made with the emulator's own key, and believed only if they were.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64URL};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _};
use rsa::traits::PublicKeyParts as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::error::EmulatorError;

/// What Microsoft's own keys have.
const KEY_BITS: usize = 2048;

/// A token is a few KiB; nobody sends a larger one in good faith.
const LARGEST_TOKEN: usize = 64 * 1024;

/// The emulator's signing key.
pub(crate) struct Keys {
    id: String,
    signing: EncodingKey,
    verifying: DecodingKey,
    modulus: String,
    exponent: String,
    seal: [u8; 32],
}

/// Why a token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// Ours, but no longer.
    Expired,
    /// Not ours, or broken.
    Invalid,
}

impl Keys {
    /// The key in `folder`, made at the first start.
    pub(crate) fn open(folder: &Path) -> Result<Self, EmulatorError> {
        let file = folder.join("signing-key.der");
        let fail = |source| EmulatorError::Folder { folder: folder.to_owned(), source };
        let der = match fs_err::read(&file) {
            Ok(der) => der,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, KEY_BITS)
                    .map_err(EmulatorError::key("signing key"))?;
                let der = key.to_pkcs1_der().map_err(EmulatorError::key("signing key"))?;
                crate::net::write_private(&file, der.as_bytes()).map_err(fail)?;
                der.as_bytes().to_vec()
            }
            Err(error) => return Err(fail(error)),
        };
        let key = rsa::RsaPrivateKey::from_pkcs1_der(&der)
            .map_err(|error| EmulatorError::State { file: file.clone(), why: error.to_string() })?;
        let modulus = BASE64URL.encode(key.n().to_bytes_be());
        let exponent = BASE64URL.encode(key.e().to_bytes_be());
        let verifying = DecodingKey::from_rsa_components(&modulus, &exponent)
            .map_err(EmulatorError::key("signing key"))?;
        let id = oci::Digest::of(modulus.as_bytes()).hex().chars().take(27).collect();
        let seal = Sha256::new().chain_update(b"seal").chain_update(&der).finalize().into();
        Ok(Self {
            id,
            seal,
            signing: EncodingKey::from_rsa_der(&der),
            verifying,
            modulus,
            exponent,
        })
    }

    /// A signed token with these claims.
    pub(crate) fn sign(&self, claims: &impl Serialize) -> Result<String, crate::answer::Refusal> {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.id.clone());
        jsonwebtoken::encode(&header, claims, &self.signing).map_err(|error| {
            tracing::warn!(%error, "a token could not be signed");
            crate::answer::Refusal::internal()
        })
    }

    /// The claims of a token of ours, if it is one and `now` (seconds) is before its end.
    pub(crate) fn verify<T: DeserializeOwned>(
        &self,
        token: &str,
        now: i64,
    ) -> Result<T, TokenError> {
        if token.len() > LARGEST_TOKEN {
            return Err(TokenError::Invalid);
        }
        let claims: Value = jsonwebtoken::decode(token, &self.verifying, &lenient())
            .map_err(|_| TokenError::Invalid)?
            .claims;
        match claims.get("exp").and_then(Value::as_i64) {
            Some(end) if end > now => {
                serde_json::from_value(claims).map_err(|_| TokenError::Invalid)
            }
            Some(_) => Err(TokenError::Expired),
            None => Err(TokenError::Invalid),
        }
    }

    /// What only the holder of the key can make of a text: twice hashed, so that nothing can be added.
    pub(crate) fn seal(&self, text: &str) -> String {
        let inner = Sha256::new().chain_update(self.seal).chain_update(text).finalize();
        let outer = Sha256::new().chain_update(self.seal).chain_update(inner).finalize();
        BASE64_STANDARD.encode(outer)
    }

    /// The public half, as the login service publishes it.
    pub(crate) fn jwks(&self, issuer: &str) -> Value {
        json!({ "keys": [{
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.id, "x5t": self.id,
            "n": self.modulus, "e": self.exponent, "issuer": issuer,
        }] })
    }
}

/// The signature alone: ends are judged by our own clock, audiences by who is asked.
fn lenient() -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation
}

/// A part of a token, decoded.
pub(crate) fn decode(part: &str) -> Option<Vec<u8>> {
    BASE64URL.decode(part).ok()
}

/// The claims of a token whose signature somebody else judges.
pub(crate) fn unverified(token: &str) -> Option<(Header, Value)> {
    if token.len() > LARGEST_TOKEN {
        return None;
    }
    let header = jsonwebtoken::decode_header(token).ok()?;
    let payload = token.split('.').nth(1)?;
    let claims = serde_json::from_slice(&decode(payload)?).ok()?;
    Some((header, claims))
}
