use ring::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;

use super::*;

/// Made with `openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=windlass-test`; known to nobody.
const PEM: &str = include_str!("client.pem");

fn parse(pem: impl Into<Vec<u8>>) -> Result<Signer, CertificateError> {
    Signer::parse(&Secret::new(pem))
}

#[test]
fn an_assertion_says_who_we_are_and_is_signed() {
    let signer = parse(PEM).unwrap();
    let assertion = signer.assertion("app", "https://login.example/t", 1000).unwrap();
    let text = assertion.expose_text().unwrap();
    let (signed, signature) = text.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let json = |part: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let header = json(header);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("PS256"), &json!("JWT")));
    let certificate = CertificateDer::from_pem_slice(PEM.as_bytes()).unwrap();
    assert_eq!(header["x5t#S256"], URL_SAFE_NO_PAD.encode(Sha256::digest(&certificate)));
    let claims = json(claims);
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("app"), &json!("app")));
    assert_eq!(claims["aud"], "https://login.example/t");
    assert_eq!((&claims["nbf"], &claims["exp"]), (&json!(1000), &json!(1600)));
    let public = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, signer.key.public().as_ref());
    public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    // No assertion is used twice.
    let again = signer.assertion("app", "https://login.example/t", 1000).unwrap();
    assert_ne!(again.expose(), assertion.expose());
}

#[test]
fn what_is_no_certificate_says_what_it_is() {
    let key = PEM.get(..PEM.find("-----BEGIN CERTIFICATE").unwrap()).unwrap();
    let certificate = PEM.get(key.len()..).unwrap();
    let other = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
    let ec = format!("{}{}", other.signing_key.serialize_pem(), other.cert.pem());
    for (pem, error) in [
        ("", CertificateError::NoCertificate),
        ("nothing", CertificateError::NoCertificate),
        (key, CertificateError::NoCertificate),
        (certificate, CertificateError::NoKey),
        (&ec, CertificateError::NotRsa),
        (&format!("{key}{}", other.cert.pem()), CertificateError::OtherKey),
        (&PEM.replace("BEGIN PRIVATE", "BEGIN ENCRYPTED PRIVATE"), CertificateError::Encrypted),
        (&PEM.replacen("MII", "AAA", 1), CertificateError::NotRsa),
    ] {
        let found = parse(pem).err();
        assert_eq!(found, Some(error), "{pem:.40}");
        assert!(!error.help().is_empty());
    }
    assert_eq!(parse([0x30, 0x82, 0x0a, 0x00]).err(), Some(CertificateError::Pkcs12));
    assert_eq!(parse([0xff; 100]).err(), Some(CertificateError::NoCertificate));
    let (before, after) = (format!("{certificate}{key}"), format!("{key}\r\n{certificate}"));
    assert!(parse(before).is_ok() && parse(after).is_ok());
}
