use report::Fault;

use super::{
    ClientOptions, Http,
    address::{check, special},
    names,
    resolver::only_allowed,
};
use crate::grant::Reach;

const PUBLIC: Reach = Reach { private: false, literal: false };
const PRIVATE: Reach = Reach { private: true, literal: false };
const LITERAL: Reach = Reach { private: true, literal: true };

fn allowed(address: &str, reach: Reach) -> bool {
    check(address.parse().unwrap(), reach).is_ok()
}

#[test]
fn public_addresses_are_reached() {
    for address in [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.1",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "168.63.129.15",
        "2606:4700:4700::1111",
        "2a00:1450::1",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
    ] {
        assert_eq!(special(address.parse().unwrap()), None, "{address}");
        assert!(allowed(address, PUBLIC), "{address}");
    }
}

#[test]
fn special_addresses_need_a_rule_that_says_private() {
    for (address, what) in [
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "carrier"),
        ("100.127.255.255", "carrier"),
        ("169.254.1.1", "link-local"),
        ("192.0.2.1", "documentation"),
        ("198.51.100.7", "documentation"),
        ("203.0.113.9", "documentation"),
        ("198.18.0.1", "benchmarking"),
        ("198.19.255.255", "benchmarking"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.255", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("fc00::1", "private"),
        ("fdff::1", "private"),
        ("fe80::1", "link-local"),
        ("febf::1", "link-local"),
        ("fec0::1", "site-local"),
        ("ff02::1", "multicast"),
        ("2001:db8::1", "documentation"),
        ("3fff::1", "documentation"),
        ("2001::1", "protocol"),
        ("100::1", "discard"),
        // Every way to write an IPv4 address inside an IPv6 one.
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:10.0.0.1", "private"),
        ("::127.0.0.1", "loopback"),
        ("::ffff:0:192.168.0.1", "private"),
        ("64:ff9b::10.0.0.1", "private"),
        ("64:ff9b:1::1", "NAT64"),
        ("2002:7f00:1::", "loopback"),
        ("2002:c0a8:101::1", "private"),
    ] {
        let found = special(address.parse().unwrap()).unwrap_or_else(|| panic!("{address}"));
        assert!(found.what.contains(what) && !found.is_metadata, "{address}: {}", found.what);
        assert!(!allowed(address, PUBLIC) && allowed(address, PRIVATE), "{address}");
    }
}

#[test]
fn metadata_addresses_need_a_rule_that_names_them() {
    for address in [
        "169.254.169.254",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "169.254.170.2",
        "169.254.170.23",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
        "::ffff:168.63.129.16",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "::169.254.169.254",
    ] {
        assert!(special(address.parse().unwrap()).unwrap().is_metadata, "{address}");
        assert!(!allowed(address, PUBLIC) && !allowed(address, PRIVATE), "{address}");
        assert!(allowed(address, LITERAL), "{address}");
    }
}

#[test]
fn of_mixed_addresses_only_the_allowed_ones_are_left() {
    let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let left = only_allowed(parse(&["10.0.0.1", "8.8.8.8", "::1"]), PUBLIC).unwrap();
    assert_eq!(left, [std::net::IpAddr::from([8, 8, 8, 8])]);
    let refused = only_allowed(parse(&["10.0.0.1", "::1"]), PUBLIC).unwrap_err();
    assert_eq!(refused.to_string(), "10.0.0.1 is a private address");
    assert!(only_allowed(Vec::new(), PUBLIC).unwrap().is_empty());
}

#[tokio::test]
async fn a_registry_whose_name_leads_to_metadata_is_denied_and_not_a_broken_line() {
    let http = Http::with_names(ClientOptions::default(), names());
    let resolver = http.private_resolver(|name, refused| {
        Fault::new(report::Kind::Denied, format!("{name}: {refused}"))
    });
    let error = resolver.resolve("metadata.test".parse().unwrap()).await.err().unwrap();
    let fault = error.downcast::<Fault>().unwrap();
    assert_eq!(fault.message, "metadata.test: 169.254.169.254 is a cloud metadata address");
    assert!(resolver.resolve("private.test".parse().unwrap()).await.is_ok());
    let unknown = resolver.resolve("nowhere.test".parse().unwrap()).await.err().unwrap();
    assert!(unknown.downcast::<Fault>().is_err());
}
