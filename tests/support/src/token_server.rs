//! A token service, of the kind that stands beside large registries (distribution's token
//! specification): it knows one user, and signs what that user may do.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

use crate::docker_registry::{PASSWORD, USERNAME};
use crate::http::{Answer, HttpServer, Request};

/// What the registry and the service call each other.
pub(crate) const SERVICE: &str = "test-registry";
pub(crate) const ISSUER: &str = "test-issuer";

/// The certificate that the registry trusts, PEM, in the folder of the registry.
pub(crate) const CERTIFICATE: &str = "token.crt";

/// As long as a token lives; distribution's specification wants at least a minute.
const LIFE: Duration = Duration::from_secs(300);

/// Clocks differ.
const LEEWAY: Duration = Duration::from_secs(60);

/// What anybody may pull: as at Docker Hub, what is `library/` there too.
const PUBLIC: [&str; 2] = ["public/", "library/"];

/// A token service. Ends when dropped.
#[derive(Debug)]
pub(crate) struct TokenServer {
    server: HttpServer,
}

impl TokenServer {
    /// Starts a service and writes its certificate into `folder`.
    ///
    /// # Panics
    /// `folder` cannot be written.
    pub(crate) fn start(folder: &Path) -> Self {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::new(Vec::new()).expect("no names are valid names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate can be made");
        std::fs::write(folder.join(CERTIFICATE), certificate.pem()).expect("the folder is ours");
        let random = SystemRandom::new();
        let signer = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &key.serialize_der(),
            &random,
        )
        .expect("rcgen makes keys for P-256");
        let header = json!({
            "typ": "JWT", "alg": "ES256", "x5c": [STANDARD.encode(certificate.der())],
        });
        let server = HttpServer::start(move |request| {
            let Some(claims) = claims(request) else {
                return Answer::status(401).with(r#"{"details":"incorrect username or password"}"#);
            };
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let signed = format!("{}.{}", part(&header), part(&claims));
            let signature = signer.sign(&random, signed.as_bytes()).expect("a key can sign");
            let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()));
            let body = json!({ "token": token, "expires_in": LIFE.as_secs() }).to_string();
            Answer::body(body).header("content-type", "application/json")
        });
        Self { server }
    }

    /// Where tokens are asked for.
    pub(crate) fn realm(&self) -> String {
        self.server.url("/token")
    }

    /// The requests for tokens so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.server.requests()
    }
}

/// What whoever asks may do; none for a wrong password.
fn claims(request: &Request) -> Option<Value> {
    let query = request.path.split_once('?').map_or("", |(_, query)| query);
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let fields: Vec<(String, String)> =
        query.split('&').chain(body.split('&')).filter_map(field).collect();
    let value = |name: &str| fields.iter().find(|(own, _)| own == name).map(|(_, value)| value);
    let basic = request.header("authorization").and_then(basic);
    let form = value("username")
        .map(|user| (user.clone(), value("password").cloned().unwrap_or_default()));
    let is_known = match basic.or(form) {
        Some((user, password)) if user == USERNAME && password == PASSWORD => true,
        Some(_) => return None,
        None => false,
    };
    let scopes = fields.iter().filter(|(name, _)| name == "scope");
    let access: Vec<Value> = scopes
        .flat_map(|(_, scopes)| scopes.split(' '))
        .filter_map(|scope| access(scope, is_known))
        .collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    Some(json!({
        "iss": ISSUER, "aud": SERVICE, "sub": if is_known { USERNAME } else { "" },
        "iat": now.as_secs(), "nbf": (now - LEEWAY).as_secs(), "exp": (now + LIFE).as_secs(),
        "jti": now.as_nanos().to_string(), "access": access,
    }))
}

/// `repository:NAME:pull,push`, as far as it is granted.
fn access(scope: &str, is_known: bool) -> Option<Value> {
    let (kind, rest) = scope.split_once(':')?;
    let (name, actions) = rest.rsplit_once(':')?;
    let is_public = PUBLIC.iter().any(|folder| name.starts_with(folder));
    let is_granted = |action: &&str| is_known || (*action == "pull" && is_public);
    let actions: Vec<&str> = actions.split(',').filter(is_granted).collect();
    Some(json!({ "type": kind, "name": name, "actions": actions }))
}

fn basic(authorization: &str) -> Option<(String, String)> {
    let bytes = STANDARD.decode(authorization.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

fn field(pair: &str) -> Option<(String, String)> {
    let (name, value) = pair.split_once('=')?;
    Some((name.to_owned(), decode(value)))
}

/// Percent-encoding, of which only what is broken stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let escaped = behind.get(..2).and_then(|digits| hex::decode(digits).ok());
        match (first, escaped) {
            (b'%', Some(byte)) => {
                bytes.extend(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = behind;
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
