//! Archives, with skopeo as the one who says whether they are: what we write it reads, and the reverse.

use serde_json::Value;
use support::{Access, DockerRegistry, Image, Skopeo, TempDir, TestHost, push_with_skopeo};

use crate::host;

const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64/v8"];

/// More than one read.
const SHARED_LAYER: usize = 700_000;

fn image() -> Image {
    Image::multi_arch(&PLATFORMS, SHARED_LAYER)
}

/// A pipeline that imports each of `pairs`, a source and a target with what else is said.
fn imports(host: &TestHost, pairs: &[(&str, &str)]) {
    let mut text = "schema = 1\n[pipeline]\nname = \"archives\"\n".to_owned();
    for (number, (source, rest)) in pairs.iter().enumerate() {
        text = format!(
            "{text}\n[[step]]\nid = \"s{number}\"\nuses = \"import-image\"\n\
             with = {{ source = \"{source}\", {rest} }}\n"
        );
    }
    host.write("p.toml", text);
}

fn assert_blobs(image: &Image, skopeo: &Skopeo, reference: &str) {
    let folder = TempDir::new().unwrap();
    skopeo.pull_whole(reference, folder.path());
    for (digest, bytes) in &image.blobs {
        let pulled = folder.path().join(digest.trim_start_matches("sha256:"));
        assert_eq!(&std::fs::read(pulled).unwrap(), bytes, "{digest} at {reference}");
    }
}

#[test]
fn skopeo_reads_the_oci_archive_that_we_write() {
    let (image, skopeo, host) = (image(), Skopeo::new(), host());
    let registry = DockerRegistry::start(Access::Anonymous);
    push_with_skopeo(&image, &registry, Access::Anonymous, "team/app:v1");
    let source = format!("{}/team/app:v1", registry.address());
    imports(
        &host,
        &[
            (&source, r#"target = "oci-archive:out/app.tar:v1""#),
            (&source, r#"target = "oci-archive:out/app.tar:v2""#),
        ],
    );
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    assert_eq!(ran.finished("s1")["outputs"]["digest"], image.digest());
    let archive = host.path("out/app.tar");
    for tag in ["v1", "v2"] {
        let reference = format!("oci-archive:{}:{tag}", archive.display());
        assert_eq!(skopeo.digest(&reference), image.digest());
        assert_blobs(&image, &skopeo, &reference);
    }
    let again = host.run(&["run", "p.toml", "--format", "json"]);
    again.exits(0);
    assert_eq!(again.finished("s0")["status"], "unchanged");
}

#[test]
fn we_read_the_oci_archive_that_skopeo_writes() {
    let (image, skopeo, host) = (image(), Skopeo::new(), host());
    let registry = DockerRegistry::start(Access::Anonymous);
    image.write_layout(&host.path("layout"), "v1");
    let layout = format!("oci:{}:v1", host.path("layout").display());
    skopeo.copy_all(&layout, &format!("oci-archive:{}:v7", host.path("app.tar").display()));
    let to = |tag: &str| format!("{}/team/app:{tag}", registry.address());
    let target = |tag: &str| format!("target = \"{}\"", to(tag));
    imports(
        &host,
        &[("oci-archive:app.tar:v7", &target("a")), ("oci-archive:app.tar", &target("b"))],
    );
    host.run(&["run", "p.toml"]).exits(0);
    for tag in ["a", "b"] {
        let reference = format!("docker://{}", to(tag));
        assert_eq!(skopeo.digest(&reference), image.digest());
        assert_blobs(&image, &skopeo, &reference);
    }
}

#[test]
fn skopeo_reads_the_docker_archive_that_we_write() {
    let (image, skopeo, host) = (image(), Skopeo::new(), host());
    let registry = DockerRegistry::start(Access::Anonymous);
    push_with_skopeo(&image, &registry, Access::Anonymous, "team/app:v1");
    let source = format!("{}/team/app:v1", registry.address());
    imports(
        &host,
        &[
            (
                &source,
                r#"target = "docker-archive:app.tar:team/app:v1", platforms = ["linux/amd64"]"#,
            ),
            (
                &source,
                r#"target = "docker-archive:app.tar:x.io/b:v2", platforms = ["linux/arm64"]"#,
            ),
        ],
    );
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    let archive = host.path("app.tar");
    for (name, (digest, manifest)) in ["team/app:v1", "x.io/b:v2"].iter().zip(&image.manifests) {
        let manifest: Value = serde_json::from_slice(manifest).unwrap();
        let reference = format!("docker-archive:{}:{name}", archive.display());
        let seen = skopeo.manifest(&reference);
        assert_eq!(seen["config"]["digest"], manifest["config"]["digest"], "{name}");
        // Skopeo unpacks every layer and holds it against the configuration.
        let copy = format!("{}/copied/{name}", registry.address());
        skopeo.copy_one(&reference, &format!("docker://{copy}"));
        let copied = skopeo.manifest(&format!("docker://{copy}"));
        assert_eq!(copied["config"]["digest"], manifest["config"]["digest"], "{name}");
        assert_eq!(copied["layers"].as_array().unwrap().len(), 2, "{name}");
        let step = if *name == "team/app:v1" { "s0" } else { "s1" };
        assert_eq!(ran.finished(step)["outputs"]["digest"], *digest, "the digest is kept");
    }
    let again = host.run(&["run", "p.toml", "--format", "json"]);
    again.exits(0);
    assert_eq!(again.finished("s0")["status"], "unchanged");
    assert_eq!(again.finished("s1")["status"], "unchanged");
}

#[test]
fn we_read_the_docker_archive_that_skopeo_writes() {
    let (image, skopeo, host) = (image(), Skopeo::new(), host());
    let registry = DockerRegistry::start(Access::Anonymous);
    image.write_layout(&host.path("layout"), "v1");
    let layout = format!("oci:{}:v1", host.path("layout").display());
    let archive = host.path("app.tar");
    // The image for this machine, of those in the index.
    skopeo.copy_one(&layout, &format!("docker-archive:{}:team/app:v1", archive.display()));
    let expected = skopeo.manifest(&format!("docker-archive:{}", archive.display()));
    let to = |tag: &str| format!("{}/team/app:{tag}", registry.address());
    let target = |tag: &str| format!("target = \"{}\"", to(tag));
    imports(
        &host,
        &[
            ("docker-archive:app.tar:team/app:v1", &target("a")),
            ("docker-archive:app.tar", &target("b")),
        ],
    );
    host.run(&["run", "p.toml"]).exits(0);
    for tag in ["a", "b"] {
        let reference = format!("docker://{}", to(tag));
        let copied = skopeo.manifest(&reference);
        assert_eq!(copied["config"]["digest"], expected["config"]["digest"]);
        let layers = |manifest: &Value| -> Vec<Value> {
            let layers = manifest["layers"].as_array().unwrap();
            layers.iter().map(|layer| layer["digest"].clone()).collect()
        };
        assert_eq!(layers(&copied), layers(&expected));
        let folder = TempDir::new().unwrap();
        skopeo.pull_whole(&reference, folder.path());
    }
}

#[test]
fn an_index_does_not_fit_into_a_docker_archive_and_leaves_none() {
    let (image, host) = (image(), host());
    image.write_layout(&host.path("layout"), "v1");
    imports(&host, &[("oci-layout:layout:v1", r#"target = "docker-archive:app.tar:app:v1""#)]);
    let ran = host.run(&["run", "p.toml", "--quiet"]);
    ran.exits(1);
    assert!(ran.stderr.contains("choose one with `platforms`"), "{}", ran.account());
    assert!(!host.path("app.tar").exists());
}
