//! Hosts and patterns over them.

use std::{fmt, net::IpAddr};

use url::Host;

use super::GrantError;

/// A host literal, or `*.suffix` for every name below a suffix; with or without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    name: Name,
    /// None: any port.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Literal(Host),
    /// The suffix with its leading dot, in lower case.
    Below(String),
}

impl HostPattern {
    /// Parses `host`, `*.suffix`, each perhaps with `:port`.
    ///
    /// # Errors
    /// If it is a URL, has a path, a user, or a `*` in any other place.
    pub(super) fn parse(text: &str) -> Result<Self, GrantError> {
        let refuse = |why: &str, help: String| {
            Err(GrantError::new(format!("`{text}` is not a host: {why}"), help))
        };
        if text == "*" || text == "**" {
            return refuse(
                "a bare `*` would be every host there is",
                "name the host, or a domain as `*.example.com`".to_owned(),
            );
        }
        if let Some((_, rest)) = text.split_once("://") {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            return refuse("it is a URL", format!("write `{host}`"));
        }
        if text.contains(['/', '?', '#', '@', '\\']) || text.chars().any(char::is_whitespace) {
            let host = text.split(['/', '?', '#', '@', '\\']).next().unwrap_or_default();
            return refuse("only a host and a port can stand there", format!("write `{host}`"));
        }
        let (name, port) = split_port(text);
        let port = match port {
            None => None,
            Some(port) => match port.parse::<u16>() {
                Ok(port) if port > 0 => Some(port),
                Ok(_) | Err(_) => {
                    return refuse(
                        "the port is no number from 1 to 65535",
                        "write it as `example.com:8443`".to_owned(),
                    );
                }
            },
        };
        let (below, literal) = match name.strip_prefix("*.") {
            Some(suffix) => (true, suffix),
            None => (false, name),
        };
        if literal.contains('*') {
            return refuse(
                "`*` can only stand for the first labels",
                "write `*.example.com`, or one rule for each host".to_owned(),
            );
        }
        // The same parser as for URLs, so that both spell a host in the same way.
        let host = match Host::parse(literal) {
            Ok(host) if !literal.is_empty() => host,
            Ok(_) | Err(_) => {
                return refuse("no such host can exist", "write it as `example.com`".to_owned());
            }
        };
        match (below, host) {
            (false, host) => Ok(Self { name: Name::Literal(host), port }),
            (true, Host::Domain(suffix)) => {
                Ok(Self { name: Name::Below(format!(".{suffix}")), port })
            }
            (true, Host::Ipv4(_) | Host::Ipv6(_)) => refuse(
                "an address has nothing below it",
                "write one rule for each address".to_owned(),
            ),
        }
    }

    /// Whether `host` at `port` is meant. A trailing dot of a name makes no difference.
    pub fn matches(&self, host: &Host<&str>, port: u16) -> bool {
        self.port.is_none_or(|own| own == port) && self.matches_name(host)
    }

    /// Whether it is one host, and no pattern over many.
    pub(super) fn is_literal(&self) -> bool {
        matches!(self.name, Name::Literal(_))
    }

    /// The address, if the pattern is just that.
    pub(crate) fn literal_address(&self) -> Option<IpAddr> {
        match &self.name {
            Name::Literal(Host::Ipv4(address)) => Some(IpAddr::V4(*address)),
            Name::Literal(Host::Ipv6(address)) => Some(IpAddr::V6(*address)),
            Name::Literal(Host::Domain(_)) | Name::Below(_) => None,
        }
    }

    /// The port that was written.
    pub(super) fn port(&self) -> Option<u16> {
        self.port
    }

    fn matches_name(&self, host: &Host<&str>) -> bool {
        match (&self.name, host) {
            (Name::Literal(Host::Domain(own)), Host::Domain(name)) => {
                without_dot(own) == without_dot(name)
            }
            (Name::Literal(Host::Ipv4(own)), Host::Ipv4(address)) => own == address,
            (Name::Literal(Host::Ipv6(own)), Host::Ipv6(address)) => own == address,
            (Name::Below(suffix), Host::Domain(name)) => {
                let (suffix, name) = (without_dot(suffix), without_dot(name));
                name.len() > suffix.len() && name.ends_with(suffix)
            }
            (Name::Literal(_) | Name::Below(_), _) => false,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Name::Literal(host) => write!(f, "{host}")?,
            Name::Below(suffix) => write!(f, "*{suffix}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// `host:port` and `[v6]:port` apart; an IPv6 address keeps its brackets.
fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    }
}
