//! The grammar of distribution/reference, string by string: what its own tests ask of it, and what
//! docker makes of a name that leaves something out.
//!
//! Stricter than it on purpose, since nobody could be asked for such a thing: a port is a number up
//! to 65535, an address in brackets is one, and a digest is a whole one of an algorithm that can be
//! verified.

use super::super::*;

/// 64 digits.
const HEX: &str = "dbcc1c35ac38df41fd2f5e4130b32ffdb93ebae8b3dbe638c23575912276fc9c";

/// References, and what each is with everything written out. `<64>` stands for so many
/// hexadecimal digits.
const READ: &[(&str, &str)] = &[
    // Whatever has no registry is on Docker Hub, and whatever has one word there is its own.
    ("a", "docker.io/library/a"),
    ("short", "docker.io/library/short"),
    ("foo", "docker.io/library/foo"),
    ("redis", "docker.io/library/redis"),
    ("busybox", "docker.io/library/busybox"),
    ("debian", "docker.io/library/debian"),
    ("ubuntu", "docker.io/library/ubuntu"),
    ("ubuntu-12.04-base", "docker.io/library/ubuntu-12.04-base"),
    ("foo_bar", "docker.io/library/foo_bar"),
    ("test_com", "docker.io/library/test_com"),
    ("redis:latest", "docker.io/library/redis:latest"),
    ("busybox:latest", "docker.io/library/busybox:latest"),
    ("lowercase:Uppercase", "docker.io/library/lowercase:Uppercase"),
    ("redis@sha256:<64>", "docker.io/library/redis@sha256:<64>"),
    ("busybox:latest@sha256:<64>", "docker.io/library/busybox:latest@sha256:<64>"),
    ("docker.io/foo", "docker.io/library/foo"),
    ("docker.io/debian", "docker.io/library/debian"),
    ("docker.io/busybox:latest", "docker.io/library/busybox:latest"),
    ("docker.io/library/foo", "docker.io/library/foo"),
    ("docker.io/library/debian", "docker.io/library/debian"),
    ("docker.io/library/redis:latest", "docker.io/library/redis:latest"),
    ("docker.io/library/redis@sha256:<64>", "docker.io/library/redis@sha256:<64>"),
    ("docker.io/library/foo/bar", "docker.io/library/foo/bar"),
    ("docker.io/docker/docker", "docker.io/docker/docker"),
    ("docker.io/mcgowan/myapp:latest", "docker.io/mcgowan/myapp:latest"),
    ("docker.io/dmcgowan/myapp@sha256:<64>", "docker.io/dmcgowan/myapp@sha256:<64>"),
    ("docker.io/fooo/bar", "docker.io/fooo/bar"),
    ("index.docker.io/debian", "docker.io/library/debian"),
    ("index.docker.io/library/debian", "docker.io/library/debian"),
    ("index.docker.io/library/ubuntu-12.04-base", "docker.io/library/ubuntu-12.04-base"),
    ("index.docker.io/docker/docker", "docker.io/docker/docker"),
    ("index.docker.io/fooo/bar", "docker.io/fooo/bar"),
    ("docker/docker", "docker.io/docker/docker"),
    ("docker/migrator", "docker.io/docker/migrator"),
    ("library/debian", "docker.io/library/debian"),
    ("library/ubuntu", "docker.io/library/ubuntu"),
    ("library/foo/bar", "docker.io/library/foo/bar"),
    ("library/busybox:latest", "docker.io/library/busybox:latest"),
    ("nonlibrary/ubuntu", "docker.io/nonlibrary/ubuntu"),
    ("other/library", "docker.io/other/library"),
    ("store/foo/bar", "docker.io/store/foo/bar"),
    ("fooo/bar", "docker.io/fooo/bar"),
    ("dmcgowan/myapp", "docker.io/dmcgowan/myapp"),
    ("dmcgowan/myapp:latest", "docker.io/dmcgowan/myapp:latest"),
    ("dmcgowan/myapp@sha256:<64>", "docker.io/dmcgowan/myapp@sha256:<64>"),
    ("simple/name", "docker.io/simple/name"),
    ("docker/stevvooe/app", "docker.io/docker/stevvooe/app"),
    ("test_com/foo", "docker.io/test_com/foo"),
    ("a/aa", "docker.io/a/aa"),
    ("a/aa/a", "docker.io/a/aa/a"),
    ("a/a/a/a", "docker.io/a/a/a/a"),
    ("aa-a/a", "docker.io/aa-a/a"),
    ("aa/aa/bb/bb/bb", "docker.io/aa/aa/bb/bb/bb"),
    (
        "aa/aa/aa/aa/aa/aa/aa/aa/aa/bb/bb/bb/bb/bb/bb",
        "docker.io/aa/aa/aa/aa/aa/aa/aa/aa/aa/bb/bb/bb/bb/bb/bb",
    ),
    ("d/docker", "docker.io/d/docker"),
    ("doc/docker", "docker.io/doc/docker"),
    ("jess/t", "docker.io/jess/t"),
    ("docker-rules/docker", "docker.io/docker-rules/docker"),
    ("docker---rules/docker", "docker.io/docker---rules/docker"),
    ("dock__er/docker", "docker.io/dock__er/docker"),
    ("do__cker/docker", "docker.io/do__cker/docker"),
    ("foo/foo_bar.com:8080", "docker.io/foo/foo_bar.com:8080"),
    // A name alone is no host, whatever it looks like.
    ("foo.com", "docker.io/library/foo.com"),
    ("test.com", "docker.io/library/test.com"),
    ("test.com:tag", "docker.io/library/test.com:tag"),
    ("test.com:5000", "docker.io/library/test.com:5000"),
    ("foo_bar.com", "docker.io/library/foo_bar.com"),
    ("foo_bar.com:8080", "docker.io/library/foo_bar.com:8080"),
    ("192.168.1.1", "docker.io/library/192.168.1.1"),
    ("192.168.1.1:tag", "docker.io/library/192.168.1.1:tag"),
    ("192.168.1.1:5000", "docker.io/library/192.168.1.1:5000"),
    ("192.168.0.1:80", "docker.io/library/192.168.0.1:80"),
    ("localhost", "docker.io/library/localhost"),
    ("localhost@sha256:<64>", "docker.io/library/localhost@sha256:<64>"),
    ("localhost:8080@sha256:<64>", "docker.io/library/localhost:8080@sha256:<64>"),
    // Of 64 characters, but no image id; of other lengths than one; with what makes it a name.
    (
        "thisisthesongthatneverendsitgoesonandonandonthisisthesongthatnev",
        "docker.io/library/thisisthesongthatneverendsitgoesonandonandonthisisthesongthatnev",
    ),
    ("dbcc1", "docker.io/library/dbcc1"),
    ("docker.io/<64>", "docker.io/library/<64>"),
    ("<64>:tag", "docker.io/library/<64>:tag"),
    ("<64>@sha256:<64>", "docker.io/library/<64>@sha256:<64>"),
    ("<64>0", "docker.io/library/<64>0"),
    // A dot, a colon, `localhost` or an upper-case letter make the first word a host.
    ("test.com/foo", "test.com/foo"),
    ("test.com/repo", "test.com/repo"),
    ("test.com/repo:tag", "test.com/repo:tag"),
    ("test.com:8080/foo", "test.com:8080/foo"),
    ("test.com:8000/foo:tag4", "test.com:8000/foo:tag4"),
    ("test.com:8000/foo:TAG5", "test.com:8000/foo:TAG5"),
    ("test:5000/repo", "test:5000/repo"),
    ("test:5000/repo:tag", "test:5000/repo:tag"),
    ("test:5000/repo@sha256:<64>", "test:5000/repo@sha256:<64>"),
    ("test:5000/repo:tag@sha256:<64>", "test:5000/repo:tag@sha256:<64>"),
    ("test:8080/foo", "test:8080/foo"),
    ("test-com:8080/foo", "test-com:8080/foo"),
    ("foo.com/bar", "foo.com/bar"),
    ("foo.com/bar/baz", "foo.com/bar/baz"),
    ("foo.com/foo_bar", "foo.com/foo_bar"),
    ("foo.com:8080/bar", "foo.com:8080/bar"),
    ("blog.foo.com/bar/baz", "blog.foo.com/bar/baz"),
    ("sub-dom1.foo.com/bar/baz/quux", "sub-dom1.foo.com/bar/baz/quux"),
    ("sub-dom1.foo.com/bar/baz/quux:some-long-tag", "sub-dom1.foo.com/bar/baz/quux:some-long-tag"),
    (
        "b.gcr.io/test.example.com/my-app:test.example.com",
        "b.gcr.io/test.example.com/my-app:test.example.com",
    ),
    ("b.gcr.io/test.example.com/my-app", "b.gcr.io/test.example.com/my-app"),
    ("xn--n3h.com/myimage", "xn--n3h.com/myimage"),
    ("xn--n3h.com/myimage:xn--n3h.com", "xn--n3h.com/myimage:xn--n3h.com"),
    ("xn--n3h.com:18080/foo", "xn--n3h.com:18080/foo"),
    (
        "xn--7o8h.com/myimage:xn--7o8h.com@sha512:<128>",
        "xn--7o8h.com/myimage:xn--7o8h.com@sha512:<128>",
    ),
    ("example.com/xn--7o8h.com/myimage", "example.com/xn--7o8h.com/myimage"),
    (
        "example.com/some_separator__underscore/myimage",
        "example.com/some_separator__underscore/myimage",
    ),
    ("example.com/private/moonbase", "example.com/private/moonbase"),
    ("example.com:8000/private/moonbase", "example.com:8000/private/moonbase"),
    ("example.com:8000/privatebasee", "example.com:8000/privatebasee"),
    ("example.com:8000/named:tagged", "example.com:8000/named:tagged"),
    ("other.com/named@sha256:<64>", "other.com/named@sha256:<64>"),
    ("gcr.io/library/busybox", "gcr.io/library/busybox"),
    ("gcr.io/library/busybox:latest@sha256:<64>", "gcr.io/library/busybox:latest@sha256:<64>"),
    (
        "registry.io/foo/project--id.module--name.ver---sion--name",
        "registry.io/foo/project--id.module--name.ver---sion--name",
    ),
    ("registry.com:8080/myapp:tag", "registry.com:8080/myapp:tag"),
    ("registry.com:8080/myapp@sha256:<64>", "registry.com:8080/myapp@sha256:<64>"),
    ("registry.com:8080/myapp:tag2@sha256:<64>", "registry.com:8080/myapp:tag2@sha256:<64>"),
    ("localhost/app", "localhost/app"),
    ("localhost:8080/bar", "localhost:8080/bar"),
    ("localhost:8080/name@sha256:<64>", "localhost:8080/name@sha256:<64>"),
    ("127.0.0.1:5000/debian", "127.0.0.1:5000/debian"),
    ("127.0.0.1:5000/library/debian", "127.0.0.1:5000/library/debian"),
    ("127.0.0.1:8000/private/moonbase", "127.0.0.1:8000/private/moonbase"),
    ("192.168.1.1/repo", "192.168.1.1/repo"),
    ("192.168.1.1:5000/repo:5050", "192.168.1.1:5000/repo:5050"),
    ("192.168.0.1:8/debian", "192.168.0.1:8/debian"),
    ("192.168.0.2:25000/debian", "192.168.0.2:25000/debian"),
    ("[2001:db8::1]/repo", "[2001:db8::1]/repo"),
    ("[2001:db8:1:2:3:4:5:6]/repo:tag", "[2001:db8:1:2:3:4:5:6]/repo:tag"),
    ("[2001:db8::1]:5000/repo:tag@sha256:<64>", "[2001:db8::1]:5000/repo:tag@sha256:<64>"),
    ("[2001:db8::]:5000/repo", "[2001:db8::]:5000/repo"),
    ("[::1]:5000/repo", "[::1]:5000/repo"),
    ("[fc00::1]:5000/docker/docker", "[fc00::1]:5000/docker/docker"),
    ("[fc00:1:2:3:4:5:6:7]:5000/library/debian", "[fc00:1:2:3:4:5:6:7]:5000/library/debian"),
    // Hosts have no case. Of one that is a host by its case alone it has to stay.
    ("Asdf.com/foo/bar", "asdf.com/foo/bar"),
    ("Docker.IO/foo", "docker.io/library/foo"),
    ("Docker/docker", "Docker/docker"),
    ("DOCKER/docker", "DOCKER/docker"),
    ("Foo/bar", "Foo/bar"),
    ("FOO/bar", "FOO/bar"),
    ("Uppercase/lowercase:tag", "Uppercase/lowercase:tag"),
];

/// What is refused, and a part of the reason.
const REFUSED: &[(&str, &str)] = &[
    ("", "is empty"),
    (":justtag", "not a repository"),
    ("@sha256:<64>", "not a repository"),
    ("https://github.com/docker/docker", "without a scheme"),
    // A bare digest names nothing in a registry, and an image id neither.
    ("<64>", "image id"),
    ("sha256:<64>", "image id"),
    // Digests.
    ("repo@sha256:ffffffffffffffffffffffffffffffffff", "64 lower-case"),
    ("test.com/foo@sha256:1234567890098765432112345667890098765", "64 lower-case"),
    ("test.com:8000/foo:TAG5@sha256:1234567890098765432112345667890098765", "64 lower-case"),
    ("validname@invaliddigest:<64>", "`invaliddigest` is not known"),
    ("registry.com:8080/myapp@sha256:badbadbadbad", "64 lower-case"),
    ("registry.com:8080/myapp@bad", "not a digest"),
    ("registry.com:8080/myapp@2bad", "not a digest"),
    // Tags.
    ("registry.com:8080/myapp:invalid~tag", "not a tag"),
    ("busybox:-foo", "not a tag"),
    // Upper case.
    ("Uppercase:tag", "upper-case"),
    ("7EC43B381E5AEFE6E04EFB0B3F0693FF2A4A50652D64AEC573905F2DB5889A1C", "upper-case"),
    ("test:5000/Uppercase/lowercase:tag", "upper-case"),
    ("docker/Docker", "upper-case"),
    ("docker.io/docker/Docker", "upper-case"),
    ("Foo/FarB", "upper-case"),
    // Repositories.
    ("a^a", "not a repository"),
    ("aa/asdf$$^/aa", "not a repository"),
    ("asdf$$^/aa", "not a repository"),
    ("a//a/a", "not a repository"),
    ("a/a/a/a/", "not a repository"),
    ("docker/", "not a repository"),
    ("docker///docker", "not a repository"),
    ("docker.io/docker///docker", "not a repository"),
    ("foo.com/", "not a repository"),
    ("-foo", "not a repository"),
    ("-docker", "not a repository"),
    ("-docker/docker", "not a repository"),
    ("docker-/docker", "not a repository"),
    ("-docker-/docker", "not a repository"),
    ("-foo/bar", "not a repository"),
    ("foo/bar-", "not a repository"),
    ("foo-/bar", "not a repository"),
    ("foo/-bar", "not a repository"),
    ("a-/a/a/a", "not a repository"),
    ("foo.com/a-/a/a", "not a repository"),
    ("_foo/bar", "not a repository"),
    ("____/____", "not a repository"),
    ("_docker/_docker", "not a repository"),
    ("docker_/docker_", "not a repository"),
    ("example.com/__underscore/myimage", "not a repository"),
    ("example.com/..dots/myimage", "not a repository"),
    ("example.com/.dots/myimage", "not a repository"),
    ("example.com/nodouble..dots/myimage", "not a repository"),
    ("[fc00::1]", "not a tag"),
    ("[2001:db8::1]", "not a tag"),
    ("[2001:db8::1]:5000", "not a repository"),
    ("[2001:db8::1]:tag", "not a repository"),
    // Hosts.
    ("foo.com:http/bar", "not a registry host"),
    ("localhost:http/name@sha256:<64>", "not a registry host"),
    ("foo_bar.com:8080/app", "not a registry host"),
    ("bad_hostname.com:8080/myapp:tag", "not a registry host"),
    ("do__cker:8080/docker", "not a registry host"),
    ("do..cker/docker", "not a registry host"),
    ("docker./docker", "not a registry host"),
    (".docker/docker", "not a registry host"),
    ("-docker.io/docker/docker", "not a registry host"),
    ("dock..er/docker", "not a registry host"),
    ("dock_.er/docker", "not a registry host"),
    ("dock-.er/docker", "not a registry host"),
    ("fc00::1:5000/debian", "not a registry host"),
    ("[fe80::1%eth0]:5000/repo", "not a registry host"),
    ("[2001:db8:3:4::192.0.2.33]:5000/debian", "not a registry host"),
    ("[fe80::1%@invalidzone]:5000/repo", "not a digest"),
];

/// Hosts, and whether each is one. Those with `// strict` would be read by the grammar alone.
const HOSTS: &[(&str, bool)] = &[
    ("test.com", true),
    ("test.com:10304", true),
    ("test.com:http", false),
    ("localhost", true),
    ("localhost:8080", true),
    ("a", true),
    ("a.b", true),
    ("ab.cd.com", true),
    ("a-b.com", true),
    ("-ab.com", false),
    ("ab-.com", false),
    ("ab.c-om", true),
    ("ab.-com", false),
    ("ab.com-", false),
    ("0101.com", true),
    ("001a.com", true),
    ("b.gbc.io:443", true),
    ("b.gbc.io", true),
    ("xn--n3h.com", true),
    ("Asdf.com", true),
    ("192.168.1.1:65535", true),
    ("192.168.1.1:75050", false),  // strict
    ("192.168.1.1:750050", false), // strict
    ("[fd00:1:2::3]:7505", true),
    ("[fd00:1:2::3]:75050", false), // strict
    ("[fd00:1:2::3]7505", false),
    ("[fd00:1:2::3]::7505", false),
    ("[fd00:1:2::3%eth0]:7505", false),
    ("[fd00123123123]:7505", false), // strict
    ("[2001:0db8:85a3:0000:0000:8a2e:0370:7334]:7505", true),
    ("[2001:0db8:85a3:0000:0000:8a2e:0370:7334]:750505", false), // strict
    ("fd00:1:2::3:7505", false),
    ("", false),
    ("a:", false),
    ("a b", false),
    ("a/b", false),
];

/// The text with the digits in it.
fn written(text: &str) -> String {
    text.replace("<64>", HEX).replace("<128>", &HEX.repeat(2))
}

#[test]
fn every_reference_is_read_as_docker_reads_it() {
    for (text, expect) in READ {
        let (text, expect) = (written(text), written(expect));
        let reference: Reference = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(reference.to_string(), expect, "{text}");
        let again: Reference = expect.parse().unwrap_or_else(|e| panic!("{expect}: {e}"));
        assert_eq!(again, reference, "{text} is the same when it is written out");
    }
}

#[test]
fn what_the_grammar_refuses_is_refused_with_the_reason() {
    for (text, part) in REFUSED {
        let text = written(text);
        match text.parse::<Reference>() {
            Ok(reference) => panic!("{text} was read as {reference}"),
            Err(error) => assert!(error.to_string().contains(part), "{text}: {error}"),
        }
    }
}

#[test]
fn hosts_are_names_or_addresses_with_a_port() {
    for (text, is_host) in HOSTS {
        assert_eq!(text.parse::<RegistryHost>().is_ok(), *is_host, "{text}");
    }
}

#[test]
fn lengths_are_those_of_the_grammar() {
    let read = |text: &str| text.parse::<Reference>().map(|reference| reference.to_string());
    let longest = format!("{}a", "a/".repeat(127));
    assert_eq!(
        read(&format!("{longest}:tag-puts-this-over-max")).unwrap(),
        format!("docker.io/{longest}:tag-puts-this-over-max")
    );
    assert_eq!(read(&format!("r.io/{longest}")).unwrap(), format!("r.io/{longest}"));
    for too_long in [
        format!("{}a:tag", "a/".repeat(128)),
        format!("r.io/{}a", "a/".repeat(128)),
        format!("{}/docker", "this_is_not_a_valid_namespace_".repeat(9)),
        // With what docker puts before it.
        "a".repeat(255),
    ] {
        let error = read(&too_long).unwrap_err();
        assert!(matches!(error, ReferenceError::RepositoryLength { .. }), "{too_long}: {error}");
    }
    assert!(read(&format!("a:{}", "t".repeat(128))).is_ok());
    assert!(read(&format!("a:{}", "t".repeat(129))).is_err());
}

#[test]
fn a_tag_and_a_digest_go_together_and_the_digest_counts() {
    let busybox = written("busybox:latest@sha256:<64>").parse::<Reference>().unwrap();
    assert_eq!(busybox.tag().unwrap().as_str(), "latest");
    assert_eq!(busybox.digest().unwrap().hex(), HEX);
    assert_eq!(busybox.selector().to_string(), format!("sha256:{HEX}"));
    assert_eq!("busybox".parse::<Reference>().unwrap().selector().to_string(), "latest");
}
