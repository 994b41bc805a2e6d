//! Registries that are down, refuse, lie or cut the stream; disks that are full.
//!
//! Each gives one clear error and the right exit code, and nothing is tagged in the target.

use support::{
    Access, DockerRegistry, Embedded, HostileRegistry, Image, Mischief, Output, Skopeo, TestHost,
    push_with_skopeo,
};

use crate::host;

fn image() -> Image {
    Image::multi_arch(&["linux/amd64", "linux/arm64"], 1_000_000)
}

/// A world whose pipeline copies `source` to `target`.
fn importing(source: &str, target: &str) -> TestHost {
    let step = format!(
        "schema = 1\n[pipeline]\nname = \"import\"\n[[step]]\nid = \"import\"\n\
         uses = \"import-image\"\ntimeout = \"20s\"\n\
         with = {{ source = \"{source}\", target = \"{target}\" }}\n"
    );
    host().file("p.toml", step)
}

/// Copies from a registry with `mischief` into an honest one, where no tag may be found behind.
fn from(mischief: Mischief) -> Output {
    let source = HostileRegistry::with(&image(), mischief);
    let target = HostileRegistry::empty(Mischief::None);
    let host =
        importing(&format!("{}/app:v1", source.address()), &format!("{}/app:v1", target.address()));
    let ran = host.run(&["run", "p.toml", "--quiet"]);
    assert!(target.tags().is_empty(), "{:?}\n{}", target.tags(), ran.account());
    ran.stderr_says(&["error: step `import`", &source.address()]);
    ran
}

/// Copies from an honest registry into one with `mischief`.
fn to(mischief: Mischief) -> Output {
    let source = HostileRegistry::with(&image(), Mischief::None);
    let target = HostileRegistry::empty(mischief);
    let host =
        importing(&format!("{}/app:v1", source.address()), &format!("{}/app:v1", target.address()));
    let ran = host.run(&["run", "p.toml", "--quiet"]);
    assert!(target.tags().is_empty(), "{:?}\n{}", target.tags(), ran.account());
    ran.stderr_says(&["error: step `import`", &target.address()]);
    ran
}

#[test]
fn the_registries_of_these_tests_are_honest_if_asked_to_be() {
    let image = image();
    let source = HostileRegistry::with(&image, Mischief::None);
    let target = HostileRegistry::empty(Mischief::None);
    let (from, to) = (source.address(), target.address());
    let host = importing(&format!("{from}/app:v1"), &format!("{to}/app:v1"));
    host.run(&["run", "p.toml"]).exits(0);
    assert_eq!(target.tags(), ["v1"]);
    assert_eq!(Skopeo::new().digest(&format!("docker://{to}/app:v1")), image.digest());
}

#[test]
fn a_registry_that_is_down_is_transient() {
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let host = importing(&format!("{address}/app:v1"), "oci-layout:saved:v1");
    let ran = host.run(&["run", "p.toml", "--quiet"]);
    ran.exits(5).stderr_says(&[&address.to_string()]);
    assert!(!host.path("saved/index.json").exists());
}

#[test]
fn a_registry_in_trouble_is_transient() {
    for status in [429, 500, 502, 503] {
        from(Mischief::Always(status)).exits(5).stderr_says(&[&status.to_string()]);
    }
}

#[test]
fn a_registry_that_refuses_says_why() {
    from(Mischief::Always(401)).exits(4).stderr_says(&["401"]);
    from(Mischief::Always(403)).exits(4).stderr_says(&["403"]);
}

#[test]
fn a_manifest_that_is_not_its_digest_is_a_mismatch() {
    from(Mischief::OtherManifest).exits(6).stderr_says(&["sha256:"]);
}

#[test]
fn a_blob_that_is_not_its_digest_is_a_mismatch() {
    from(Mischief::OtherBlob).exits(6).stderr_says(&["sha256:"]);
}

#[test]
fn a_stream_that_is_cut_is_transient() {
    from(Mischief::CutManifest).exits(5);
    from(Mischief::CutBlob).exits(5);
}

#[test]
fn a_registry_that_falls_silent_ends_at_the_steps_timeout() {
    let source = HostileRegistry::with(&image(), Mischief::SilentBlob);
    let host = importing(&format!("{}/app:v1", source.address()), "oci-layout:saved:v1");
    let short = host.read("p.toml").replace("20s", "1s");
    host.write("p.toml", short);
    host.run(&["run", "p.toml", "--quiet"]).exits(124);
}

#[test]
fn a_target_that_refuses_is_told() {
    to(Mischief::Always(503)).exits(5);
    to(Mischief::RefuseUpload(403)).exits(4);
    to(Mischief::RefuseUpload(507)).stderr_says(&["507"]);
    to(Mischief::RefuseManifest(400)).exits(1);
    to(Mischief::OtherDigestOfUpload).stderr_says(&["DIGEST_INVALID"]);
}

#[test]
fn what_a_registry_says_is_bounded_when_it_is_shown() {
    let source = support::HttpServer::start(|_| {
        support::Answer::status(400).with("\u{1b}[31mx".repeat(1 << 20))
    });
    let host = importing(&format!("{}/app:v1", source.address()), "oci-layout:saved:v1");
    let ran = host.run(&["run", "p.toml", "--quiet"]);
    ran.exits(1);
    assert!(ran.stderr.len() < 16 << 10, "{} bytes", ran.stderr.len());
    assert!(!ran.stderr.contains('\u{1b}'), "escape codes of a server reach the terminal");
}

#[test]
fn answers_that_are_no_registrys_are_refused() {
    let source = support::HttpServer::start(|_| {
        support::Answer::body("<html>sign in</html>").header("content-type", "text/html")
    });
    let host = importing(&format!("{}/app:v1", source.address()), "oci-layout:saved:v1");
    let ran = host.run(&["run", "p.toml", "--quiet"]);
    assert!(matches!(ran.code, Some(1 | 6)), "{}", ran.account());
    assert!(!host.path("saved/index.json").exists());
}

/// As a shell does it: what is written over the limit fails as it does on a full disk, and the
/// signal that goes with it is ignored. Enough room for what the program itself writes, in blocks of
/// 512 bytes; a layer does not fit.
const FULL_DISK: &str = "trap '' XFSZ; ulimit -f 1024";

#[test]
fn a_full_disk_leaves_no_tag_in_a_layout() {
    let source = HostileRegistry::with(&image(), Mischief::None);
    let host = importing(&format!("{}/app:v1", source.address()), "oci-layout:saved:v1");
    let ran = host.run_below(FULL_DISK, &["run", "p.toml", "--quiet"]);
    ran.exits(1).stderr_says(&["error: step `import` failed", "File too large"]);
    let index = std::fs::read_to_string(host.path("saved/index.json")).unwrap_or_default();
    assert!(!index.contains("ref.name"), "{index}");
    // With room again the same layout is good.
    host.run(&["run", "p.toml", "--quiet"]).exits(0);
    let saved = format!("oci:{}:v1", host.path("saved").display());
    assert_eq!(Skopeo::new().digest(&saved), image().digest());
}

#[test]
fn a_full_disk_under_the_embedded_registry_leaves_no_tag() {
    let image = image();
    let source = DockerRegistry::start(Access::Anonymous);
    push_with_skopeo(&image, &source, Access::Anonymous, "app:v1");
    let host = host();
    let registry = Embedded::start_below(&host, FULL_DISK, &host.path("registry"));
    let target = format!("{}/app:v1", registry.address());
    host.write(
        "p.toml",
        importing(&format!("{}/app:v1", source.address()), &target).read("p.toml"),
    );
    let ran = host.run(&["run", "p.toml", "--quiet"]);
    assert!(matches!(ran.code, Some(1 | 5)), "{}", ran.account());
    ran.stderr_says(&["error: step `import` failed", registry.address()]);
    let tags = Skopeo::new().tags(&format!("docker://{}/app", registry.address()));
    assert!(tags.is_empty(), "{tags:?}");
}
