//! Names to addresses, as the system has them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The resolver of a client that is given none.
pub(super) struct System;

/// Whether `name` is below `localhost`.
fn is_below_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name.ends_with(".localhost")
}

/// All addresses of `name`: hosts file, search list, name servers.
///
/// What is below `localhost` is this machine, and no name server is asked, who could say otherwise
/// (RFC 6761 §6.3).
///
/// # Errors
/// As the system's resolver.
pub async fn addresses(name: &str) -> io::Result<Vec<IpAddr>> {
    if is_below_localhost(name) {
        return Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]);
    }
    let found = tokio::net::lookup_host((name, 0)).await?;
    Ok(found.map(|address| address.ip()).collect())
}

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = addresses(name.as_str()).await?;
            let addresses = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_below_localhost_is_this_machine() {
        for name in ["a.localhost", "b.a.LOCALHOST", "a.localhost."] {
            let found = addresses(name).await.unwrap();
            assert!(found.iter().all(IpAddr::is_loopback) && found.len() == 2, "{name}");
        }
        for other in ["localhost", "alocalhost", "a.localhost.example", "localhost.example", ""] {
            assert!(!is_below_localhost(other), "{other}");
        }
    }
}
