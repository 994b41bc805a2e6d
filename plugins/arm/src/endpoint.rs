//! Where Resource Manager is.

use windlass_plugin::Error;

/// Resource Manager of the public cloud. China has `https://management.chinacloudapi.cn`, the US
/// government `https://management.usgovcloudapi.net`.
pub const PUBLIC: &str = "https://management.azure.com";

/// This machine, to which a request may go without TLS.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// `url` as `scheme://host[:port]`.
pub(crate) fn origin(url: &str) -> Result<String, Error> {
    let wrong = |why: &str| {
        Error::invalid(format!("`{url}` is no endpoint of Azure Resource Manager: {why}"))
            .hint(format!("write it as `{PUBLIC}`"))
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
    let place = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (place, None),
    };
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '[' | ']' | ':');
    if host.is_empty() || !host.chars().all(named) {
        return Err(wrong("it is more or less than a host and a port"));
    }
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err(wrong("its port is no port"));
    }
    match scheme {
        "https" => Ok(format!("https://{place}")),
        "http" if LOOPBACK.contains(&host) => Ok(format!("http://{place}")),
        "http" => Err(wrong("tokens only travel by https")),
        _ => Err(wrong("its scheme is not https")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_origin() {
        for (url, expected) in [
            ("https://management.azure.com/", "https://management.azure.com"),
            ("https://127.0.0.1:9444", "https://127.0.0.1:9444"),
            ("http://127.0.0.1:80/", "http://127.0.0.1:80"),
            ("http://[::1]:80", "http://[::1]:80"),
            ("http://[::1]", "http://[::1]"),
        ] {
            assert_eq!(origin(url).as_deref(), Ok(expected));
        }
        for (url, why) in [
            ("", "no scheme"),
            ("management.azure.com", "no scheme"),
            ("https://", "more or less"),
            ("https://me@host", "more or less"),
            ("https://host/path", "more or less"),
            ("https://host?a", "more or less"),
            ("https://host:99999", "no port"),
            ("http://management.azure.com", "by https"),
            ("http://localhost.example.org", "by https"),
            ("ftp://host", "not https"),
        ] {
            let error = origin(url).expect_err(url);
            assert!(error.is("invalid") && error.message().contains(why), "{url}: {error}");
        }
    }
}
