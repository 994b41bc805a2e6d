//! Assertions: tokens by which a client says who it is, signed by its own key or by an issuer that
//! the application trusts.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use serde_json::Value;
use webpki::ring as verifiers;

use super::refuse;
use crate::answer::Refusal;
use crate::azure::Azure;
use crate::call::Call;
use crate::graph::Application;
use crate::token;

/// Whether an assertion proves that the client is `app`.
pub(super) fn check(
    azure: &Azure,
    call: &Call,
    assertion: &str,
    app: &Application,
) -> Result<(), Refusal> {
    let invalid = |text: &str| refuse(azure, 401, "invalid_client", 50027, text);
    let Some((header, claims)) = token::unverified(assertion) else {
        return Err(invalid("JWT token is invalid or malformed."));
    };
    let now = azure.clock().seconds();
    if claims.get("exp").and_then(Value::as_i64).is_none_or(|end| end <= now) {
        let text = "Client assertion is not within its valid time range.";
        return Err(refuse(azure, 401, "invalid_client", 700_024, text));
    }
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("iss") == app.app_id {
        return by_certificate(azure, call, assertion, header.alg, &claims, app);
    }
    federated(azure, assertion, header.alg, &claims, app)
}

/// By a key whose certificate the application has.
fn by_certificate(
    azure: &Azure,
    call: &Call,
    assertion: &str,
    algorithm: Algorithm,
    claims: &Value,
    app: &Application,
) -> Result<(), Refusal> {
    let audience = claims.get("aud").and_then(Value::as_str).unwrap_or_default();
    let path = format!("/{}/", call.path.join("/"));
    let audience_path = url::Url::parse(audience).map(|url| format!("{}/", url.path()));
    let is_ours =
        audience_path.is_ok_and(|at| at == path || path.starts_with(&at) || at.ends_with("/v2.0/"));
    if !is_ours {
        let text =
            format!("Client assertion audience claim does not match Realm issuer: '{audience}'.");
        return Err(refuse(azure, 401, "invalid_client", 700_023, &text));
    }
    let now = azure.clock().seconds();
    let known = app.keys.iter().filter(|key| key.end > now);
    let signed = assertion.rsplit_once('.');
    let verified = signed.is_some_and(|(message, signature)| {
        let signature = token::decode(signature);
        let algorithms = algorithms(algorithm);
        known.map(|key| CertificateDer::from(key.der())).any(|certificate| {
            let Ok(certificate) = webpki::EndEntityCert::try_from(&certificate) else {
                return false;
            };
            let (message, signature) = (message.as_bytes(), signature.as_deref());
            signature.is_some_and(|signature| {
                let by = |with: &&'static dyn SignatureVerificationAlgorithm| {
                    certificate.verify_signature(*with, message, signature).is_ok()
                };
                algorithms.iter().any(by)
            })
        })
    });
    match verified {
        true => Ok(()),
        false => Err(refuse(
            azure,
            401,
            "invalid_client",
            700_027,
            "Client assertion failed signature validation: the certificate that signed it is not registered on application, or has expired.",
        )),
    }
}

fn algorithms(algorithm: Algorithm) -> Vec<&'static dyn SignatureVerificationAlgorithm> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "others are not taken")]
    match algorithm {
        Algorithm::RS256 => vec![verifiers::RSA_PKCS1_2048_8192_SHA256],
        Algorithm::PS256 => vec![verifiers::RSA_PSS_2048_8192_SHA256_LEGACY_KEY],
        _ => Vec::new(),
    }
}

/// By an issuer whose tokens the application takes, for one subject.
fn federated(
    azure: &Azure,
    assertion: &str,
    algorithm: Algorithm,
    claims: &Value,
    app: &Application,
) -> Result<(), Refusal> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let (issuer, subject, audience) = (text("iss"), text("sub"), text("aud"));
    let matching = app.federated.iter().any(|trust| {
        trust.issuer == issuer
            && trust.subject == subject
            && trust.audiences.iter().any(|known| known == audience)
    });
    if !matching {
        let text = format!(
            "No matching federated identity record found for presented assertion subject '{subject}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation Assertion Issuer: '{issuer}' Assertion Subject: '{subject}' Assertion Audience: '{audience}'"
        );
        return Err(refuse(azure, 401, "invalid_client", 700_213, &text));
    }
    let Some(keys) = azure.config.issuers.get(issuer) else {
        let text = format!(
            "Request to External OIDC endpoint failed: the emulator was not told the keys of '{issuer}'."
        );
        return Err(refuse(azure, 401, "invalid_client", 90061, &text));
    };
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let verified = keys
        .keys
        .iter()
        .filter_map(|key| DecodingKey::from_jwk(key).ok())
        .any(|key| jsonwebtoken::decode::<Value>(assertion, &key, &validation).is_ok());
    match verified {
        true => Ok(()),
        false => {
            let text = "Signature validation failed on the presented federated assertion.";
            Err(refuse(azure, 401, "invalid_client", 50013, text))
        }
    }
}
