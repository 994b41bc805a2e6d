//! Texts of places: bases that others lie below, suffixes of hosts, names.

use url::{Host, Url};

use super::CloudError;

/// A URL that others lie below: a scheme, a host, perhaps a port and a path.
pub(super) fn base(key: &str, text: &str) -> Result<Url, CloudError> {
    let wrong = |why: &str, help: &str| {
        Err(CloudError { why: format!("`{key}` is `{text}`, which {why}"), help: help.to_owned() })
    };
    let Ok(url) = Url::parse(text) else {
        return wrong("is no URL", "write it as `https://management.example`");
    };
    let is_plain = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    match (url.scheme(), url.host()) {
        (_, Some(_)) if !is_plain => {
            wrong("has more than a host and a path", "leave the rest away")
        }
        ("https", Some(_)) => Ok(url),
        ("http", Some(host)) if is_loopback(&host) => Ok(url),
        ("http", Some(_)) => wrong(
            "would send tokens without TLS",
            "write `https`; plain HTTP is for this machine alone",
        ),
        _ => wrong("is not an `https` URL", "write it as `https://management.example`"),
    }
}

pub(super) fn suffix(key: &str, text: &str) -> Result<String, CloudError> {
    let labels = text.strip_prefix('.').unwrap_or_default();
    // One label would make a whole top-level domain ours.
    let is_domain = labels.contains('.') && labels.split('.').all(is_label);
    match is_domain {
        true => Ok(text.to_ascii_lowercase()),
        false => Err(CloudError {
            why: format!("`{key}` is `{text}`, which no host of anybody's ends with"),
            help: format!("write it with a dot first and one inside: `{key} = \".vault.example\"`"),
        }),
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// `host[:port]`, the port where it is not the scheme's own.
pub(crate) fn authority(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// Whether `url` has the origin of `base` and a path below its path.
pub(super) fn is_below(base: &Url, url: &Url) -> bool {
    let path = base.path().trim_end_matches('/');
    let rest = url.path().strip_prefix(path);
    base.scheme() == url.scheme()
        && base.host() == url.host()
        && base.port_or_known_default() == url.port_or_known_default()
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What tokens for a base of one's own are asked for: the base itself.
pub(super) fn resource_of(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

pub(super) fn with_slash(mut url: Url) -> Url {
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

pub(super) fn is_vault_host(host: &str, suffix: &str) -> bool {
    host.strip_suffix(suffix).is_some_and(is_vault_name)
}

/// `name`, `name-hash`, or `name.REGION.geo` of an endpoint in a region.
pub(super) fn is_registry_host(host: &str, suffix: &str) -> bool {
    let Some(name) = host.strip_suffix(suffix) else { return false };
    match name.split('.').collect::<Vec<_>>().as_slice() {
        [name] => is_label(name),
        [name, region, "geo"] => is_label(name) && is_label(region),
        _ => false,
    }
}

/// 3 to 24 letters, digits and single dashes; a letter first, no dash last.
pub(super) fn is_vault_name(name: &str) -> bool {
    (3..=24).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && is_label(name)
        && !name.contains("--")
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}
