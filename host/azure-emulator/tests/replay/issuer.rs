//! A CI service that gives its jobs tokens, as GitHub does.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;

pub(crate) const NAME: &str = "https://token.actions.example";
pub(crate) const SUBJECT: &str = "repo:me/it:ref:refs/heads/main";
pub(crate) const AUDIENCE: &str = "api://AzureADTokenExchange";

pub(crate) struct Issuer {
    key: rcgen::KeyPair,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        Self { key: rcgen::KeyPair::generate().unwrap() }
    }

    pub(crate) fn keys(&self) -> JwkSet {
        let point = self.key.public_key_raw();
        let (x, y) = point[1..].split_at(32);
        let [x, y] = [x, y].map(|half| BASE64URL.encode(half));
        let key = json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "x": x, "y": y });
        serde_json::from_value(json!({ "keys": [key] })).unwrap()
    }

    pub(crate) fn token(&self, expires: i64) -> String {
        let claims = json!({ "iss": NAME, "sub": SUBJECT, "aud": AUDIENCE, "exp": expires });
        let key = EncodingKey::from_ec_der(&self.key.serialize_der());
        jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &key).unwrap()
    }
}
