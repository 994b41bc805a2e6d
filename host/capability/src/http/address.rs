//! Which addresses a request may reach.
//!
//! A table and a pure function over it. Names say where a person wants to go; only addresses say where
//! a connection goes. Everything that is not a public address of one machine is refused unless the rule
//! has `private = true`; the metadata services of clouds, which hand out credentials to whoever asks
//! from inside, are refused even then unless the rule names the very address.
//!
//! Source: IANA special-purpose address registries (RFC 6890); the clouds' own pages for metadata.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::grant::Reach;

/// What is special about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Special {
    /// Such as "a loopback address".
    pub(crate) what: &'static str,
    /// Whether it gives credentials to whoever asks.
    pub(crate) is_metadata: bool,
}

const METADATA: &str = "a cloud metadata address";

/// Metadata services: AWS, Azure, GCP, OpenStack and others; Azure's wire server; Alibaba; Oracle; ECS
/// task and EKS pod credentials.
const METADATA_V4: [Ipv4Addr; 6] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
];

/// The same over IPv6: AWS (metadata, EKS pod credentials), GCP.
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

/// First address, length of the prefix, what it is.
const SPECIAL_V4: [(Ipv4Addr, u32, &str); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "an unspecified address"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "a private address"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "a carrier's shared address"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "a loopback address"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "a link-local address"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "a private address"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "a protocol assignment"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "a documentation address"),
    (Ipv4Addr::new(192, 31, 196, 0), 24, "a protocol assignment"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "a 6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "a private address"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "a benchmarking address"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "a documentation address"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "a documentation address"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "a multicast address"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "a reserved address"),
];

/// The same over IPv6. What embeds an IPv4 address is looked at before.
const SPECIAL_V6: [(Ipv6Addr, u32, &str); 12] = [
    (Ipv6Addr::UNSPECIFIED, 128, "an unspecified address"),
    (Ipv6Addr::LOCALHOST, 128, "a loopback address"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, "a local NAT64 address"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, "a discard address"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "a protocol assignment"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "a documentation address"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "a documentation address"),
    (Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0), 16, "a segment-routing address"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "a private address"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "a link-local address"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, "a site-local address"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "a multicast address"),
];

/// What is special about `address`; none for a public address of one machine.
pub(crate) fn special(address: IpAddr) -> Option<Special> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

/// Whether a request with `reach` may go to `address`; if not, what the address is.
pub(crate) fn check(address: IpAddr, reach: Reach) -> Result<(), Special> {
    match special(address) {
        None => Ok(()),
        Some(special) if special.is_metadata && !reach.literal => Err(special),
        Some(special) if !reach.private => Err(special),
        Some(_) => Ok(()),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<Special> {
    if METADATA_V4.contains(&address) {
        return Some(Special { what: METADATA, is_metadata: true });
    }
    let bits = address.to_bits();
    let range = SPECIAL_V4.iter().find(|(first, length, _)| {
        let shift = u32::BITS - length;
        bits >> shift == first.to_bits() >> shift
    });
    range.map(|&(_, _, what)| Special { what, is_metadata: false })
}

fn special_v6(address: Ipv6Addr) -> Option<Special> {
    if METADATA_V6.contains(&address) {
        return Some(Special { what: METADATA, is_metadata: true });
    }
    let bits = address.to_bits();
    let range = SPECIAL_V6.iter().find(|(first, length, _)| {
        let shift = u128::BITS - length;
        bits >> shift == first.to_bits() >> shift
    });
    if let Some(&(_, _, what)) = range {
        return Some(Special { what, is_metadata: false });
    }
    embedded_v4(address).and_then(special_v4)
}

/// The IPv4 address that an IPv6 address leads to: mapped and compatible (RFC 4291 §2.5.5), translated
/// (RFC 7915), NAT64 (RFC 6052), 6to4 (RFC 3056). Teredo lies in 2001::/23, which is refused whole.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0 | 0xffff] | [0, 0, 0, 0, 0xffff, 0] | [0x64, 0xff9b, 0, 0, 0, 0] => {
            Some(join(g, h))
        }
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}
