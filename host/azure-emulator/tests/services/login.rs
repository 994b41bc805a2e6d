//! Who is let in, and what the others are told.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::pkcs8::EncodePrivateKey as _;
use serde_json::{Value, json};

use crate::cloud::{APP, Came, Cloud, NOW, TENANT};
use crate::issuer::{self, Issuer};

const ARM: &str = "https://management.azure.com";
const BEARER: &str = "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn code(came: &Came) -> Option<u64> {
    came.body["error_codes"][0].as_u64()
}

#[tokio::test]
async fn strangers_are_told_what_is_wrong() {
    let cloud = Cloud::new();
    let of = |form: String| {
        let cloud = &cloud;
        async move { code(&cloud.login(&form, ARM).await) }
    };
    assert_eq!(of(format!("client_id={APP}&client_secret=wrong")).await, Some(7_000_215));
    assert_eq!(of(format!("client_id={TENANT}&client_secret=x")).await, Some(700_016));
    assert_eq!(of(format!("client_id={APP}")).await, Some(7_000_218));
    assert_eq!(of("client_secret=x".to_owned()).await, Some(900_144));
    assert_eq!(of(format!("client_id={APP}&client_assertion=x&{BEARER}")).await, Some(50027));
    assert_eq!(of(format!("client_id={APP}&client_assertion=x")).await, Some(50027));
    let came =
        cloud.login(&format!("client_id={APP}&client_secret=s3cr3t"), "https://evil.example").await;
    assert_eq!(code(&came), Some(500_011));
    let url = "https://login.microsoftonline.com/nowhere/oauth2/v2.0/token";
    assert_eq!(code(&cloud.send("POST", url, &[], "").await), Some(90002));
    let url = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
    let came = cloud.send("POST", &url, &[], "grant_type=password&username=a&password=b").await;
    assert_eq!(code(&came), Some(70003));
}

#[tokio::test]
async fn secrets_expire() {
    let cloud = Cloud::new();
    let (app, secret, _) = cloud.principal("short").await;
    cloud.token_of(&app, &secret, ARM).await;
    cloud.pass(3 * 365 * 24 * 3600);
    let came = cloud.login(&format!("client_id={app}&client_secret={secret}"), ARM).await;
    assert_eq!(code(&came), Some(7_000_222));
    assert!(!came.body.to_string().contains(&secret));
}

#[tokio::test]
async fn a_secret_is_shown_once_and_ends_when_it_is_removed() {
    let cloud = Cloud::new();
    let (app, secret, _) = cloud.principal("once").await;
    let listed =
        cloud.graph("GET", "/applications?$filter=displayName%20eq%20'once'", Value::Null).await;
    let app_shown = &listed.body["value"][0];
    assert!(!listed.body.to_string().contains(&secret));
    let state = fs_err::read_to_string(cloud.folder.path().join("state.json")).unwrap();
    assert!(!state.contains(&secret), "only a digest of it is kept");
    let (id, key) = (&app_shown["id"], &app_shown["passwordCredentials"][0]["keyId"]);
    let path = format!("/applications/{}/removePassword", id.as_str().unwrap());
    assert_eq!(cloud.graph("POST", &path, json!({ "keyId": key })).await.status, 204);
    let came = cloud.login(&format!("client_id={app}&client_secret={secret}"), ARM).await;
    assert_eq!(code(&came), Some(7_000_215));
}

/// A certificate with an RSA key, and the key.
fn certificate() -> (String, EncodingKey) {
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
    let pkcs8 = key.to_pkcs8_der().unwrap();
    let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(
        &pkcs8.as_bytes().into(),
        &rcgen::PKCS_RSA_SHA256,
    );
    let certificate = rcgen::CertificateParams::new(vec!["ci.example".to_owned()])
        .unwrap()
        .self_signed(&pair.unwrap())
        .unwrap();
    let der = key.to_pkcs1_der().unwrap();
    (BASE64_STANDARD.encode(certificate.der()), EncodingKey::from_rsa_der(der.as_bytes()))
}

fn assertion(key: &EncodingKey, algorithm: Algorithm, expires: i64) -> String {
    let audience = format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token");
    let claims = json!({ "iss": APP, "sub": APP, "aud": audience, "exp": expires, "jti": "1" });
    jsonwebtoken::encode(&Header::new(algorithm), &claims, key).unwrap()
}

#[tokio::test]
async fn a_certificate_proves_who_holds_its_key() {
    let cloud = Cloud::new();
    let (certificate, key) = certificate();
    let apps = cloud.graph("GET", "/applications", Value::Null).await.body;
    let id = apps["value"][0]["id"].as_str().unwrap().to_owned();
    let body = json!({ "keyCredentials": [{ "type": "AsymmetricX509Cert", "usage": "Verify", "key": certificate }] });
    assert_eq!(cloud.graph("PATCH", &format!("/applications/{id}"), body).await.status, 204);
    for algorithm in [Algorithm::RS256, Algorithm::PS256] {
        let form = format!(
            "client_id={APP}&client_assertion={}&{BEARER}",
            assertion(&key, algorithm, NOW + 60)
        );
        assert_eq!(cloud.login(&form, ARM).await.status, 200, "{algorithm:?}");
    }
    let (_, other) = self::certificate();
    let form = format!(
        "client_id={APP}&client_assertion={}&{BEARER}",
        assertion(&other, Algorithm::RS256, NOW + 60)
    );
    assert_eq!(code(&cloud.login(&form, ARM).await), Some(700_027));
    let form = format!(
        "client_id={APP}&client_assertion={}&{BEARER}",
        assertion(&key, Algorithm::RS256, NOW - 1)
    );
    assert_eq!(code(&cloud.login(&form, ARM).await), Some(700_024));
}

#[tokio::test]
async fn federation_takes_one_subject_of_one_issuer_whose_keys_are_known() {
    let trusted = Issuer::new();
    let keys = trusted.keys();
    let cloud = Cloud::with(|config| {
        config.issuers.insert(issuer::NAME.to_owned(), keys);
    });
    let apps = cloud.graph("GET", "/applications", Value::Null).await.body;
    let path = format!(
        "/applications/{}/federatedIdentityCredentials",
        apps["value"][0]["id"].as_str().unwrap()
    );
    let form = |issuer: &Issuer| {
        format!("client_id={APP}&client_assertion={}&{BEARER}", issuer.token(NOW + 60))
    };
    assert_eq!(
        code(&cloud.login(&form(&trusted), ARM).await),
        Some(700_213),
        "nothing is trusted yet"
    );
    let trust = json!({ "name": "ci", "issuer": issuer::NAME, "subject": issuer::SUBJECT, "audiences": [issuer::AUDIENCE] });
    assert_eq!(cloud.graph("POST", &path, trust.clone()).await.status, 201);
    assert_eq!(cloud.graph("POST", &path, trust).await.status, 409);
    assert_eq!(cloud.login(&form(&trusted), ARM).await.status, 200);
    assert_eq!(code(&cloud.login(&form(&Issuer::new()), ARM).await), Some(50013), "another key");
}

#[tokio::test]
async fn machines_have_identities() {
    let cloud = Cloud::new();
    let imds = "https://127.0.0.1/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net";
    let came = cloud.send("GET", imds, &[("metadata", "true")], "").await;
    assert_eq!((came.status, came.body["token_type"].as_str()), (200, Some("Bearer")));
    assert_eq!(cloud.send("GET", imds, &[], "").await.status, 400);
    let other = format!("{imds}&client_id={APP}");
    let came = cloud.send("GET", &other, &[("metadata", "true")], "").await;
    assert_eq!(came.body["error_description"], "Identity not found");
    let app_service =
        "https://127.0.0.1/msi/token?api-version=2019-08-01&resource=https://vault.azure.net";
    assert_eq!(
        cloud.send("GET", app_service, &[("x-identity-header", "wrong")], "").await.status,
        401
    );
}
