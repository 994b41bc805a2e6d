//! What Azure is told of a source.

use std::net::IpAddr;

use images::Place;

/// A reference, taken apart as Azure wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// The registry's host; none where the reference names none.
    pub host: Option<String>,
    /// The repository.
    pub repository: String,
    /// What of it: `:TAG` or `@DIGEST`; of both the digest counts.
    pub selector: String,
}

/// The registry that is meant where none is named.
pub const HUB: &str = "docker.io";

/// Other names of it.
const HUBS: [&str; 3] = ["index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"];

/// Takes `reference` apart.
#[must_use]
pub fn split(reference: &str) -> Parts {
    let place = Place::split(reference);
    let (host, repository) = match place.name.split_once('/') {
        Some((host, rest)) if is_host(host) => (Some(host.to_ascii_lowercase()), rest),
        Some(_) | None => (None, place.name),
    };
    let selector = match (place.digest, place.tag) {
        (Some(digest), _) => format!("@{digest}"),
        (None, Some(tag)) => format!(":{tag}"),
        (None, None) => ":latest".to_owned(),
    };
    Parts { host, repository: repository.to_owned(), selector }
}

impl Parts {
    /// The registry, and the image in it; of Docker Hub in full.
    #[must_use]
    pub fn on_registry(&self) -> (String, String) {
        let host = self.host.as_deref().unwrap_or(HUB);
        let host = if HUBS.contains(&host) { HUB } else { host };
        let is_short = host == HUB && !self.repository.contains('/');
        let library = if is_short { "library/" } else { "" };
        (host.to_owned(), format!("{library}{}{}", self.repository, self.selector))
    }

    /// The image in the registry that is called `name`: without its login server, if it begins so.
    #[must_use]
    pub fn in_registry(&self, name: &str) -> String {
        let Self { host, repository, selector } = self;
        match host {
            Some(host) if !is_server_of(host, name) => format!("{host}/{repository}{selector}"),
            Some(_) | None => format!("{repository}{selector}"),
        }
    }
}

/// Whether `host` can be the login server of the registry `name`: `NAME.…`, or `NAME-HASH.…`.
fn is_server_of(host: &str, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    host.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with(['.', '-']))
}

/// Docker's rule for what is a registry and no part of a repository.
fn is_host(word: &str) -> bool {
    word.contains(['.', ':']) || word == "localhost"
}

/// Whether `host` is this machine or on a network of its own, where Azure does not get.
#[must_use]
pub fn is_near(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    let plain = name.trim_start_matches('[').trim_end_matches(']');
    match plain.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            let [first, second, ..] = address.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            address.is_loopback() || address.is_private() || address.is_link_local() || is_shared
        }
        Ok(IpAddr::V6(address)) => {
            address.is_loopback()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.to_ipv4_mapped().is_some_and(|v4| is_near(&v4.to_string()))
        }
        // A name without a dot, and those that are kept for networks of one's own.
        Err(_) => {
            !name.contains('.')
                || [".localhost", ".local", ".internal", ".lan", ".home.arpa"]
                    .iter()
                    .any(|suffix| name.ends_with(suffix))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_told_in_full() {
        for (source, registry, image) in [
            ("hello-world", "docker.io", "library/hello-world:latest"),
            ("docker.io/hello-world:1", "docker.io", "library/hello-world:1"),
            ("index.docker.io/a/b", "docker.io", "a/b:latest"),
            ("a/b:1", "docker.io", "a/b:1"),
            (
                "MCR.microsoft.com/windows/servercore:ltsc2019",
                "mcr.microsoft.com",
                "windows/servercore:ltsc2019",
            ),
            ("r.example.com:8443/a@sha256:aa", "r.example.com:8443", "a@sha256:aa"),
            ("r.example.com/a:1@sha256:aa", "r.example.com", "a@sha256:aa"),
            ("localhost/a", "localhost", "a:latest"),
        ] {
            let expected = (registry.to_owned(), image.to_owned());
            assert_eq!(split(source).on_registry(), expected, "{source}");
        }
    }

    #[test]
    fn the_login_server_of_a_named_registry_is_not_said_twice() {
        for (source, image) in [
            ("aci-helloworld:latest", "aci-helloworld:latest"),
            ("src.azurecr.io/samples/a", "samples/a:latest"),
            ("src-d5fhe2.azurecr.io/a:1", "a:1"),
            // A repository may look like a host.
            ("my.app/web:1", "my.app/web:1"),
            ("source.azurecr.io/a:1", "source.azurecr.io/a:1"),
        ] {
            assert_eq!(split(source).in_registry("Src"), image);
        }
    }

    #[test]
    fn what_azure_does_not_reach_is_known_by_its_name() {
        for host in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:5000",
            "[::1]:5000",
            "10.1.2.3",
            "192.168.1.1:80",
            "172.20.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "[fd00::1]",
            "[::ffff:10.0.0.1]",
            "registry",
            "registry:5000",
            "r.local",
            "r.internal:443",
        ] {
            assert!(is_near(host), "{host}");
        }
        for host in [
            "docker.io",
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "r.example.com:5000",
            "[2001:db8::1]",
        ] {
            assert!(!is_near(host), "{host}");
        }
    }
}
