//! References: what is read, what is refused, and that both go together.

mod grammar;

use proptest::prelude::*;

use super::*;

const HEX: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

#[track_caller]
fn check(text: &str, registry: &str, repository: &str, rest: &str) {
    let reference: Reference = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
    assert_eq!(reference.registry().as_str(), registry, "{text}");
    assert_eq!(reference.repository().as_str(), repository, "{text}");
    assert_eq!(reference.to_string(), format!("{registry}/{repository}{rest}"), "{text}");
}

#[test]
fn references_are_read_as_docker_reads_them() {
    check("node", "docker.io", "library/node", "");
    check("node:9-alpine", "docker.io", "library/node", ":9-alpine");
    check("docker.io/node", "docker.io", "library/node", "");
    check("index.docker.io/node:1", "docker.io", "library/node", ":1");
    check("index.docker.io/me/app", "docker.io", "me/app", "");
    check("me/app", "docker.io", "me/app", "");
    check("a/b/c/d", "docker.io", "a/b/c/d", "");
    check("localhost/app", "localhost", "app", "");
    check("localhost:5000/app:1", "localhost:5000", "app", ":1");
    check("test:5000/repo:tag", "test:5000", "repo", ":tag");
    check("test.com/repo", "test.com", "repo", "");
    check(
        "sub-dom1.foo.com/bar/baz/quux:some-long-tag",
        "sub-dom1.foo.com",
        "bar/baz/quux",
        ":some-long-tag",
    );
    check("127.0.0.1:5000/a", "127.0.0.1:5000", "a", "");
    check("[2001:db8::1]:5000/repo", "[2001:db8::1]:5000", "repo", "");
    check("[::1]/repo:1", "[::1]", "repo", ":1");
    check("HOST:5000/repo", "host:5000", "repo", "");
    check("HOST/repo", "HOST", "repo", "");
    check("xn--n3h.com/myimage:xn--n3h.com", "xn--n3h.com", "myimage", ":xn--n3h.com");
    check("a__b/c-d---e.f_g", "docker.io", "a__b/c-d---e.f_g", "");
    check(&format!("a:1@sha256:{HEX}"), "docker.io", "library/a", &format!(":1@sha256:{HEX}"));
    check(&format!("r.io/a@sha512:{HEX}{HEX}"), "r.io", "a", &format!("@sha512:{HEX}{HEX}"));
    check(&format!("r.io/{}", "a".repeat(255)), "r.io", &"a".repeat(255), "");
    check(
        &format!("a:{}", "t".repeat(128)),
        "docker.io",
        "library/a",
        &format!(":{}", "t".repeat(128)),
    );
}

#[test]
fn what_is_no_reference_is_refused_with_the_reason() {
    let check = |text: &str, part: &str| match text.parse::<Reference>() {
        Ok(reference) => panic!("{text} was read as {reference}"),
        Err(error) => assert!(error.to_string().contains(part), "{text}: {error}"),
    };
    check("", "is empty");
    check(":justtag", "is not a repository");
    check(&format!("@sha256:{HEX}"), "is not a repository");
    check("repo@sha256:ffff", "64 lower-case");
    check(&format!("repo@sha1:{HEX}"), "`sha1` is not known");
    check("repo@", "is not a digest");
    check("https://ghcr.io/a/b", "without a scheme");
    check("docker://a/b", "starts with `docker://`");
    check("Uppercase:tag", "upper-case");
    check("r.io/App:1", "upper-case");
    check("test:5000/Uppercase/lowercase:tag", "upper-case");
    check(&format!("r.io/{}", "a".repeat(256)), "256 characters");
    check(&format!("a:{}", "t".repeat(129)), "is not a tag");
    check("aa/asdf$$^/aa", "is not a repository");
    check("a//b", "is not a repository");
    check("a/", "is not a repository");
    check("a/b/", "is not a repository");
    check("r.io/", "is not a repository");
    check("r.io/a/../b", "is not a repository");
    check("r.io/./a", "is not a repository");
    check("a___b", "is not a repository");
    check("a..b", "is not a repository");
    check("-a", "is not a repository");
    check("a b", "is not a repository");
    check("a:b c", "is not a tag");
    check("a:.b", "is not a tag");
    check("a:", "is not a tag");
    check("-foo.com/bar", "is not a registry host");
    check("foo_bar.com/a", "is not a registry host");
    check("r.io:99999/a", "is not a registry host");
    check("r.io:x/a", "is not a registry host");
    check("[::1/a", "is not a registry host");
    check("[fe80::1%25eth0]:80/a", "is not a registry host");
    check("user@r.io/a", "is not a digest");
    check(HEX, "image id");
}

#[test]
fn the_error_says_what_to_type() {
    let help = |text: &str| text.parse::<Reference>().unwrap_err().help();
    assert_eq!(help("https://ghcr.io/a/b:1").unwrap(), "write `ghcr.io/a/b:1`");
    assert_eq!(help("r.io/My/App").unwrap(), "write `my/app`");
    assert_eq!(help("a b"), None);
}

#[test]
fn docker_hub_and_loopback_are_known() {
    let host = |text: &str| text.parse::<RegistryHost>().unwrap();
    assert_eq!(host("docker.io").api_host(), "registry-1.docker.io");
    assert_eq!(host("ghcr.io").api_host(), "ghcr.io");
    for loopback in [
        "localhost",
        "localhost:5000",
        "127.0.0.1",
        "127.9.9.9:80",
        "[::1]",
        "[::1]:80",
        "a.localhost",
    ] {
        assert!(host(loopback).is_loopback(), "{loopback}");
    }
    for other in ["localhost.example.com", "128.0.0.1", "[::2]:80", "0.0.0.0", "notlocalhost"] {
        assert!(!host(other).is_loopback(), "{other}");
    }
}

#[test]
fn a_digest_goes_before_a_tag() {
    let selector = |text: &str| text.parse::<Reference>().unwrap().selector().to_string();
    assert_eq!(selector("a"), "latest");
    assert_eq!(selector("a:1"), "1");
    assert_eq!(selector(&format!("a:1@sha256:{HEX}")), format!("sha256:{HEX}"));
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        registry in "([a-z][a-z0-9]{0,5}(-[a-z0-9]{1,3})?\\.){1,2}[a-z]{2,5}(:[1-9][0-9]{0,3})?",
        repository in "[a-z0-9]{1,5}((\\.|_|__|-{1,3}|/)[a-z0-9]{1,5}){0,4}",
        tag in proptest::option::of("[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}"),
        digest in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..8)),
    ) {
        let mut text = format!("{registry}/{repository}");
        if let Some(tag) = &tag {
            text = format!("{text}:{tag}");
        }
        if let Some(content) = &digest {
            text = format!("{text}@{}", Digest::of(content));
        }
        let reference: Reference = text.parse().unwrap();
        prop_assert_eq!(reference.to_string(), text);
        prop_assert_eq!(reference.to_string().parse::<Reference>().unwrap(), reference);
    }

    #[test]
    fn what_could_be_a_reference_means_the_same_when_written_out(
        text in "[aA.:/@_-]{1,12}|[aA]{1,3}(/[aA.]{1,3}){0,2}(:[aA0]{1,3})?",
    ) {
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert_eq!(reference.to_string().parse::<Reference>().unwrap(), reference);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,60}") {
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert_eq!(reference.to_string().parse::<Reference>().unwrap(), reference);
        }
    }
}
