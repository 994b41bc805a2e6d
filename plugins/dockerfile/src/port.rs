//! Ports of `EXPOSE`: `80`, `80/udp`, `8000-8010`.
//!
//! An address and a port of the host (`127.0.0.1:80:8080`) are read and left out, as BuildKit does,
//! which warns of them.

use std::net::IpAddr;

/// 65536 names for one range are allowed; they are what the config then holds.
const HIGHEST: u32 = 65535;

/// A port or range, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    /// `80/tcp`, one for each port.
    pub(crate) names: Vec<String>,
    /// Whether the protocol is written in small letters.
    pub(crate) is_lower_case: bool,
    /// Whether an address or a port of the host is said.
    pub(crate) has_host: bool,
}

/// Reads a port or range; or says why it is none.
pub(crate) fn read(text: &str) -> Result<Ports, String> {
    let (host, inner) =
        text.rsplit_once(':').map_or((None, text), |(host, inner)| (Some(host), inner));
    let (address, outer) = match host {
        Some(host) => host.rsplit_once(':').unwrap_or(("", host)),
        None => ("", ""),
    };
    let (ports, protocol) = inner.split_once('/').unwrap_or((inner, ""));
    let name = protocol.to_ascii_lowercase();
    let name = if name.is_empty() { "tcp".to_owned() } else { name };
    if !["tcp", "udp", "sctp"].contains(&name.as_str()) {
        return Err(format!("`{text}` has the protocol `{protocol}`, expected tcp, udp or sctp"));
    }
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let bare = bare.unwrap_or(address);
    if !bare.is_empty() && bare.parse::<IpAddr>().is_err() {
        return Err(format!("`{text}` has the address `{address}`, which is none"));
    }
    let wrong = || format!("`{text}` is no port, expected a number up to {HIGHEST} or a range");
    let (first, last) = range(ports).ok_or_else(wrong)?;
    if !outer.is_empty() {
        let (outer_first, outer_last) = range(outer).ok_or_else(wrong)?;
        if last != first && last - first != outer_last - outer_first {
            return Err(format!("`{text}` has ranges of different length"));
        }
    }
    Ok(Ports {
        names: (first..=last).map(|port| format!("{port}/{name}")).collect(),
        is_lower_case: !protocol.chars().any(|c| c.is_ascii_uppercase()),
        has_host: host.is_some_and(|host| !host.is_empty()),
    })
}

fn range(text: &str) -> Option<(u32, u32)> {
    let number = |text: &str| {
        let digits = text.strip_prefix('+').unwrap_or(text);
        digits.parse::<u32>().ok().filter(|port| *port <= HIGHEST)
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, number(text)?),
    };
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_as_buildkit_reads_them() {
        let names = |text: &str| read(text).map(|ports| ports.names.join(" "));
        assert_eq!(names("80").as_deref(), Ok("80/tcp"));
        assert_eq!(names("80/udp").as_deref(), Ok("80/udp"));
        assert_eq!(names("80/TCP").as_deref(), Ok("80/tcp"));
        assert_eq!(names("8000-8002/sctp").as_deref(), Ok("8000/sctp 8001/sctp 8002/sctp"));
        assert_eq!(names("127.0.0.1:80:8080").as_deref(), Ok("8080/tcp"));
        assert_eq!(names("[::1]:80:8080").as_deref(), Ok("8080/tcp"));
        assert_eq!(names("80:8080").as_deref(), Ok("8080/tcp"));
        assert!(read("80:8080").unwrap().has_host);
        assert!(!read("80/Udp").unwrap().is_lower_case);
        for text in ["", "a", "80/", "65536", "9-8", "80/icmp", "x:1:2", "1-3:5-6", "-1", "1-"] {
            let wanted_good = text == "80/";
            assert_eq!(read(text).is_ok(), wanted_good, "{text}");
        }
    }
}
