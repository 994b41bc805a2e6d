//! Rules of `http` in a grant.

use http::Method;
use url::Url;

use super::{GrantError, HostPattern, HttpText};

/// `scheme://host[:port]` with methods: where requests may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpRule {
    scheme: Scheme,
    host: HostPattern,
    port: u16,
    /// Empty: all methods.
    methods: Vec<Method>,
    private: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl HttpRule {
    pub(super) fn parse(text: &HttpText) -> Result<Self, GrantError> {
        let url = text.url.trim();
        let Some((scheme, rest)) = url.split_once("://") else {
            let help = match url {
                "*" | "**" => {
                    "name each host as `https://example.com`, or a domain as `https://*.example.com`"
                        .to_owned()
                }
                _ => format!("write `https://{url}`"),
            };
            let why = format!("`{url}` is not a rule: the scheme is missing");
            return Err(GrantError::new(why, help));
        };
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => {
                let why = format!("`{url}` is not a rule: the scheme is neither http nor https");
                return Err(GrantError::new(why, format!("write `https://{rest}`")));
            }
        };
        // One final slash is how people and browsers write an origin.
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if let Some(host) = authority.split(['/', '?', '#']).next()
            && host != authority
        {
            let why = format!("`{url}` is not a rule: a rule names a host and never a path");
            return Err(GrantError::new(why, format!("write `{}://{host}`", scheme.as_str())));
        }
        let host = HostPattern::parse(authority)?;
        let port = host.port().unwrap_or(scheme.usual_port());
        let methods =
            text.methods.iter().map(|name| parse_method(name)).collect::<Result<_, _>>()?;
        Ok(Self { scheme, host, port, methods, private: text.private })
    }

    /// Whether the rule is for this scheme, host and port.
    pub(super) fn is_for(&self, url: &Url) -> bool {
        url.scheme() == self.scheme.as_str()
            && url.port_or_known_default() == Some(self.port)
            && url.host().is_some_and(|host| self.host.matches(&host, self.port))
    }

    /// Whether the rule names `method`, or none at all.
    pub(super) fn takes(&self, method: &Method) -> bool {
        self.methods.is_empty() || self.methods.contains(method)
    }

    pub(super) fn methods(&self) -> &[Method] {
        &self.methods
    }

    pub(super) fn is_private(&self) -> bool {
        self.private
    }

    /// Whether the rule's host is one host, written out.
    pub(super) fn names_a_host(&self) -> bool {
        self.host.is_literal()
    }

    /// Whether the rule's host is an address, written out.
    pub(super) fn names_an_address(&self) -> bool {
        self.host.literal_address().is_some()
    }
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn usual_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

fn parse_method(name: &str) -> Result<Method, GrantError> {
    let upper = name.trim().to_ascii_uppercase();
    if upper == "*" {
        return Err(GrantError::new(
            "`*` is not a method",
            "leave `methods` out: a rule without it takes every method",
        ));
    }
    Method::from_bytes(upper.as_bytes()).map_err(|_| {
        GrantError::new(
            format!("`{name}` is not a method"),
            "write methods as `methods = [\"GET\", \"HEAD\"]`",
        )
    })
}
