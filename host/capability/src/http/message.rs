//! Requests and responses as `wit/deps/http/http.wit` has them, and how they are written.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue as HttpHeaderValue, Method};
use report::{Fault, Kind, Side};
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::secrets::{Placeholders, SecretHandle};

/// 16 MiB each way: more is an image, a layer or a file, and those have interfaces of their own.
pub(crate) const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `PUT`, …
    pub method: String,
    /// `https://host[:port]/path?query`; no user, no fragment.
    pub url: String,
    /// In the order in which they are sent.
    pub headers: Vec<Header>,
    /// Empty for none.
    pub body: Vec<Part>,
    /// What to do with redirects.
    pub redirects: Redirects,
    /// For the whole exchange, in milliseconds; none: 60 s.
    pub timeout_ms: Option<u32>,
}

/// A header to send.
#[derive(Clone, Debug)]
pub struct Header {
    /// The name, any case.
    pub name: String,
    /// The value.
    pub value: HeaderValue,
}

/// What a header holds.
#[derive(Clone, Debug)]
pub enum HeaderValue {
    /// Text.
    Plain(String),
    /// `prefix` value `suffix`.
    Sealed {
        /// Text before the value.
        prefix: String,
        /// The value.
        value: SecretHandle,
        /// Text behind it.
        suffix: String,
    },
    /// RFC 7617.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: SecretHandle,
    },
}

/// Bodies are sent as their parts, one after the other.
#[derive(Clone, Debug)]
pub enum Part {
    /// Bytes of the plugin's.
    Bytes(Vec<u8>),
    /// A secret.
    Sealed {
        /// The value.
        value: SecretHandle,
        /// How it is written.
        encoding: Encoding,
    },
}

/// How a secret is written into a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Raw,
    /// As the inside of a JSON string.
    Json,
    /// As a value of `application/x-www-form-urlencoded`.
    Form,
    /// Base64 with padding, RFC 4648 §4.
    Base64,
}

/// What to do with a 301, 302, 303, 307 or 308.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// Give it to the plugin.
    ReturnThem,
    /// Follow, at most ten times.
    Follow,
}

/// A response, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 100 to 599.
    pub status: u16,
    /// The URL of the last hop.
    pub url: String,
    /// Names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// At most 16 MiB.
    pub body: Vec<u8>,
}

/// Names that belong to the host: with them a guest could say one thing to us and another to the
/// server (request smuggling), or break the connection that others share. RFC 9110 §7.6.1.
const FORBIDDEN: [&str; 12] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "upgrade",
    "te",
    "trailer",
    "proxy-authorization",
    "proxy-authenticate",
    "proxy-connection",
    "http2-settings",
];

/// Whether `name` belongs to the host.
pub(crate) fn is_forbidden(name: &HeaderName) -> bool {
    FORBIDDEN.contains(&name.as_str()) || name.as_str().starts_with("proxy-")
}

/// Where one hop goes.
#[derive(Clone, Copy)]
pub(super) struct Destination<'a> {
    pub(super) host: &'a Host<&'a str>,
    pub(super) port: u16,
    /// Not the origin that the plugin asked for: a redirect led here.
    pub(super) is_foreign: bool,
}

impl Request {
    /// Method and URL, checked as text.
    pub(super) fn target(&self) -> Result<(Method, Url), Fault> {
        Ok((parse_method(&self.method)?, parse_url(&self.url)?))
    }

    /// The headers for one hop, with the secrets in them.
    ///
    /// On a foreign origin only plain headers that cannot be credentials are left.
    pub(super) fn write_headers(
        &self,
        to: Destination<'_>,
        placeholders: &Placeholders,
    ) -> Result<HeaderMap, Fault> {
        let mut headers = HeaderMap::with_capacity(self.headers.len());
        for Header { name, value } in &self.headers {
            let parsed = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| invalid(format!("`{}` is not the name of a header", shown(name))))?;
            if is_forbidden(&parsed) {
                return Err(invalid(format!("the header `{parsed}` belongs to the host"))
                    .help("leave it out: the host writes it from the URL and the body"));
            }
            if to.is_foreign && (!matches!(value, HeaderValue::Plain(_)) || is_credential(&parsed))
            {
                continue;
            }
            if let Some(value) = write_header(&parsed, value, to, placeholders)? {
                headers.append(parsed, value);
            }
        }
        Ok(headers)
    }

    /// The body for one hop, with the secrets in it.
    pub(super) fn write_body(&self, to: Destination<'_>) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let mut body = Zeroizing::new(Vec::new());
        for part in &self.body {
            match part {
                Part::Bytes(bytes) => body.extend_from_slice(bytes),
                Part::Sealed { value, encoding } => {
                    value.may_go_to(to.host, to.port)?;
                    body.extend_from_slice(&encoding.write(value)?);
                }
            }
            if body.len() > LARGEST_BODY {
                return Err(invalid("the body of a request has at most 16 MiB".to_owned()));
            }
        }
        Ok(body)
    }

    /// Whether a secret lies in the body.
    pub(super) fn has_sealed_body(&self) -> bool {
        self.body.iter().any(|part| matches!(part, Part::Sealed { .. }))
    }
}

impl Encoding {
    fn write(self, secret: &SecretHandle) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let bytes = secret.value().expose();
        let text = || {
            secret.value().expose_text().ok_or_else(|| {
                invalid(format!("the secret `{}` is no UTF-8 text", secret.name()))
                    .help("send it as base64, or raw")
            })
        };
        Ok(Zeroizing::new(match self {
            Self::Raw => bytes.to_vec(),
            Self::Json => json_inside(text()?).into_bytes(),
            Self::Form => {
                url::form_urlencoded::byte_serialize(bytes).collect::<String>().into_bytes()
            }
            Self::Base64 => STANDARD.encode(bytes).into_bytes(),
        }))
    }
}

/// A method that may be asked for; CONNECT would open a tunnel past the gate.
pub(super) fn parse_method(method: &str) -> Result<Method, Fault> {
    match Method::from_bytes(method.as_bytes()) {
        Ok(method) if method != Method::CONNECT && method != Method::TRACE => Ok(method),
        Ok(_) | Err(_) => Err(invalid(format!("`{}` is not a method to send", shown(method)))),
    }
}

/// A URL that may be asked for: http or https, a host, no user; what it means is what it shows.
pub(super) fn parse_url(text: &str) -> Result<Url, Fault> {
    // The parser drops tabs and line breaks silently; nobody means them.
    if text.chars().any(|c| c.is_control() || c == '\\') || text.trim() != text {
        return Err(invalid("the URL has characters that no URL has".to_owned()));
    }
    let url = Url::parse(text)
        .map_err(|error| invalid("the request's URL is not one".to_owned()).caused_by(&error))?;
    check_url(&url)?;
    match url.fragment() {
        None => Ok(url),
        Some(_) => Err(invalid("the URL of a request has no fragment".to_owned())
            .help("leave `#` and what follows away")),
    }
}

/// What every hop has to be.
pub(super) fn check_url(url: &Url) -> Result<(), Fault> {
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(invalid(format!("`{}:` is not http or https", url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("the URL of a request has no user".to_owned())
            .help("send credentials in the header `authorization`"));
    }
    Ok(())
}

pub(super) fn invalid(message: String) -> Fault {
    Fault::new(Kind::Invalid, message).code("invalid.http").side(Side::Plugin)
}

fn write_header(
    name: &HeaderName,
    value: &HeaderValue,
    to: Destination<'_>,
    placeholders: &Placeholders,
) -> Result<Option<HttpHeaderValue>, Fault> {
    let (bytes, secret) = match value {
        HeaderValue::Plain(text) if to.is_foreign && placeholders.is_in(text.as_bytes()) => {
            return Ok(None);
        }
        HeaderValue::Plain(text) => match placeholders.fill(text.as_bytes(), to.host, to.port) {
            Some(filled) => (filled, true),
            None => (Zeroizing::new(text.as_bytes().to_vec()), false),
        },
        HeaderValue::Sealed { prefix, value, suffix } => {
            value.may_go_to(to.host, to.port)?;
            let parts = [prefix.as_bytes(), value.value().expose(), suffix.as_bytes()];
            (Zeroizing::new(parts.concat()), true)
        }
        HeaderValue::Basic { username, password } => {
            password.may_go_to(to.host, to.port)?;
            if username.contains(':') {
                return Err(invalid("the user of Basic credentials has no colon".to_owned()));
            }
            let parts = [username.as_bytes(), b":", password.value().expose()];
            let pair = Zeroizing::new(parts.concat());
            (Zeroizing::new(format!("Basic {}", STANDARD.encode(&*pair)).into_bytes()), true)
        }
    };
    let mut written = HttpHeaderValue::from_bytes(&bytes).map_err(|_| {
        invalid(format!("the value of the header `{name}` has characters that no header has"))
            .help("a line break at the end of a secret is the usual reason")
    })?;
    // Kept out of `Debug` of the client, and out of HTTP/2's compression tables.
    written.set_sensitive(secret || is_credential(name));
    Ok(Some(written))
}

/// Headers that are credentials whatever is in them.
pub(super) fn is_credential(name: &HeaderName) -> bool {
    matches!(name.as_str(), "authorization" | "cookie")
}

/// RFC 8259 §7.
fn json_inside(text: &str) -> String {
    let mut inside = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => inside.push_str("\\\""),
            '\\' => inside.push_str("\\\\"),
            '\n' => inside.push_str("\\n"),
            '\r' => inside.push_str("\\r"),
            '\t' => inside.push_str("\\t"),
            c if u32::from(c) < 0x20 => {
                inside.extend(format!("\\u{:04x}", u32::from(c)).chars());
            }
            c => inside.push(c),
        }
    }
    inside
}

/// Text of a guest in a message: short, and without what a terminal would obey.
fn shown(text: &str) -> String {
    text.chars().take(64).map(|c| if c.is_control() { '�' } else { c }).collect()
}
