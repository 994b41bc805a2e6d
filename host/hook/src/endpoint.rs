//! Endpoints, and whether a request may be heard at one.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use report::Secret;
use sha2::Sha256;

use crate::error::EndpointError;
use crate::form::{Form, UnknownWord};

/// Where GitHub, and who does as it does, puts a signature.
const SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature-256");

/// The parameter of the URL in which senders that know no headers have the token.
const PARAMETER: &str = "token";

/// How it is made sure that a sender knows the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Check {
    /// It sends the secret.
    Token,
    /// It signs the body with the secret.
    HmacSha256,
}

/// What is heard at a name, and from whom.
#[derive(Clone)]
pub struct Endpoint {
    form: Form,
    check: Check,
    header: HeaderName,
    secret: Secret,
}

impl Check {
    /// Both, in the order of the documentation.
    pub const ALL: [Self; 2] = [Self::Token, Self::HmacSha256];

    const WORDS: &[&str] = &["token", "hmac-sha256"];

    /// The word for it in pipeline files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::HmacSha256 => "hmac-sha256",
        }
    }

    /// What senders of `form` can do.
    pub fn usual(form: Form) -> Self {
        if form == Form::Github { Self::HmacSha256 } else { Self::Token }
    }

    /// Where it is looked for if nothing else is said.
    fn usual_header(self) -> HeaderName {
        match self {
            Self::Token => AUTHORIZATION,
            Self::HmacSha256 => SIGNATURE,
        }
    }
}

impl FromStr for Check {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let what = "a way to check a secret";
        let unknown = || UnknownWord { word: word.to_owned(), what, known: Self::WORDS };
        Self::ALL.into_iter().find(|check| check.as_str() == word).ok_or_else(unknown)
    }
}

impl Endpoint {
    /// An endpoint; what is not said is as senders of `form` usually do it.
    ///
    /// # Errors
    /// The secret is empty or could not be sent, or the header has no possible name.
    pub fn new(
        form: Form,
        check: Option<Check>,
        header: Option<&str>,
        secret: Secret,
    ) -> Result<Self, EndpointError> {
        let check = check.unwrap_or_else(|| Check::usual(form));
        let header = match header {
            Some(name) => name.parse().map_err(|_| EndpointError::Header(name.to_owned()))?,
            None => check.usual_header(),
        };
        if secret.is_empty() {
            return Err(EndpointError::Empty);
        }
        let bytes = secret.expose();
        let cannot_be_sent = bytes.trim_ascii() != bytes || bytes.iter().any(u8::is_ascii_control);
        if check == Check::Token && cannot_be_sent {
            return Err(EndpointError::Unsendable);
        }
        Ok(Self { form, check, header, secret })
    }

    /// Whether who may speak at one of them may speak at the other: the same sender, the same proof,
    /// the same secret.
    pub fn is_same(&self, other: &Self) -> bool {
        let Self { form, check, header, secret } = self;
        *form == other.form
            && *check == other.check
            && *header == other.header
            && secret.expose() == other.secret.expose()
    }

    /// Who speaks there.
    pub fn form(&self) -> Form {
        self.form
    }

    /// How the secret is checked.
    pub fn check(&self) -> Check {
        self.check
    }

    /// Whether the request is from somebody who knows the secret. The time that takes tells nothing
    /// about it.
    ///
    /// A header that is there twice proves nothing: somebody in between may go by the other one.
    pub fn holds(&self, head: &Parts, body: &[u8]) -> bool {
        match self.check {
            Check::Token => self.token(head),
            Check::HmacSha256 => self.signature(&head.headers, body),
        }
    }

    fn token(&self, head: &Parts) -> bool {
        let mut given = head.headers.get_all(&self.header).iter();
        match (given.next(), given.next()) {
            (Some(value), None) => self.token_in(value.as_bytes()),
            (None, _) if self.form.sends_only_a_url() => self.token_in_url(head),
            _ => false,
        }
    }

    /// The secret itself, behind `Bearer`, or the password of `Basic`. All are looked at, whichever
    /// it is.
    fn token_in(&self, value: &[u8]) -> bool {
        let bearer = behind(value, b"bearer ").is_some_and(|token| self.is_secret(token));
        let basic = behind(value, b"basic ")
            .and_then(|text| STANDARD.decode(text).ok())
            .map(zeroize::Zeroizing::new)
            .and_then(|pair| {
                let colon = pair.iter().position(|&byte| byte == b':')?;
                Some(self.is_secret(pair.get(colon + 1..)?))
            });
        self.is_secret(value) | bearer | basic.unwrap_or(false)
    }

    fn token_in_url(&self, head: &Parts) -> bool {
        let query = head.uri.query().unwrap_or_default();
        let mut given = url::form_urlencoded::parse(query.as_bytes())
            .filter(|(name, _)| name == PARAMETER)
            .map(|(_, value)| zeroize::Zeroizing::new(value.into_owned()));
        match (given.next(), given.next()) {
            (Some(token), None) => self.is_secret(token.as_bytes()),
            _ => false,
        }
    }

    /// Two signatures are compared in place of the texts: neither length nor first difference shows.
    fn is_secret(&self, given: &[u8]) -> bool {
        let sign = |text: &[u8]| self.key().map(|key| key.chain_update(text));
        match (sign(given), sign(self.secret.expose())) {
            (Some(given), Some(wanted)) => given.verify(&wanted.finalize().into_bytes()).is_ok(),
            _ => false,
        }
    }

    /// In hex or base64, behind `sha256=` or not.
    fn signature(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let mut given = headers.get_all(&self.header).iter();
        let (Some(value), None) = (given.next(), given.next()) else { return false };
        let value = value.as_bytes();
        let text = behind(value, b"sha256=").unwrap_or(value);
        let bytes = hex::decode(text).or_else(|_| STANDARD.decode(text));
        let bytes = bytes.or_else(|_| STANDARD_NO_PAD.decode(text));
        let (Ok(bytes), Some(key)) = (bytes, self.key()) else { return false };
        key.chain_update(body).verify_slice(&bytes).is_ok()
    }

    fn key(&self) -> Option<Hmac<Sha256>> {
        // There is no key that it would not take.
        Hmac::new_from_slice(self.secret.expose()).ok()
    }
}

/// What stands behind `prefix`, whose letters are of either case.
fn behind<'a>(value: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = value.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| rest.trim_ascii())
}
