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

/// `manifest.json` of an archive.
fn docker_list(host: &TestHost, archive: &str) -> Value {
    let read = std::process::Command::new("tar")
        .args(["--extract", "--to-stdout", "--file"])
        .arg(host.path(archive))
        .arg("manifest.json")
        .output()
        .unwrap();
    assert!(read.status.success(), "{read:?}");
    serde_json::from_slice(&read.stdout).unwrap()
}

#[test]
fn a_docker_archive_holds_several_images_under_several_names() {
    let (image, skopeo, host) = (image(), Skopeo::new(), host());
    let registry = DockerRegistry::start(Access::Anonymous);
    image.write_layout(&host.path("layout"), "v1");
    let names = ["team/app:v1", "team/app:latest", "x.io/other:v2"];
    let targets = names.map(|name| format!("\"docker-archive:all.tar:{name}\"")).join(", ");
    let amd64 = format!("targets = [{targets}], platforms = [\"linux/amd64\"]");
    let arm64 = r#"target = "docker-archive:all.tar:app", platforms = ["linux/arm64"]"#;
    imports(&host, &[("oci-layout:layout:v1", &amd64), ("oci-layout:layout:v1", arm64)]);
    host.run(&["run", "p.toml"]).exits(0);

    // One entry for each image, with all of its names, as `docker save` has it.
    let list = docker_list(&host, "all.tar");
    let mut tags: Vec<Vec<&str>> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let tags = entry["RepoTags"].as_array().unwrap().iter();
            let mut tags: Vec<&str> = tags.map(|tag| tag.as_str().unwrap()).collect();
            tags.sort_unstable();
            tags
        })
        .collect();
    tags.sort();
    let app = ["docker.io/team/app:latest", "docker.io/team/app:v1", "x.io/other:v2"];
    assert_eq!(tags, [&["docker.io/library/app:v1"][..], &app]);
    let at = |name: &str| format!("docker-archive:{}:{name}", host.path("all.tar").display());
    for name in names.into_iter().chain(["app:v1"]) {
        let of = usize::from(name == "app:v1");
        let manifest: Value = serde_json::from_slice(&image.manifests[of].1).unwrap();
        let seen = skopeo.manifest(&at(name));
        assert_eq!(seen["config"]["digest"], manifest["config"]["digest"], "{name}");
    }

    // And the other way: by name, by all the tags of a name.
    let to = registry.address();
    let below = format!("target = \"{to}/in/\"");
    host.write(
        "p.toml",
        format!(
            "schema = 1\n[pipeline]\nname = \"back\"\n\n[[step]]\nid = \"named\"\n\
             uses = \"import-image\"\n\
             with = {{ sources = [\"docker-archive:all.tar:app:v1\", \
             \"docker-archive:all.tar:x.io/other:v2\"], {below} }}\n\n[[step]]\nid = \"all\"\n\
             uses = \"import-image\"\nwith = {{ source = \"docker-archive:all.tar:team/app\", \
             all-tags = true, target = \"{to}/app\" }}\n"
        ),
    );
    host.run(&["run", "p.toml"]).exits(0);
    for (name, of) in [("in/app:v1", 1), ("in/other:v2", 0), ("app:v1", 0), ("app:latest", 0)] {
        let digest = skopeo.digest(&format!("docker://{to}/{name}"));
        assert_eq!(digest, image.manifests[of].0, "{name}: the digest is kept");
    }
    imports(&host, &[("docker-archive:all.tar", &format!("{below}, all-tags = true"))]);
    host.run(&["run", "p.toml", "--quiet"]).exits(1).stderr_says(&[
        "tags are those of one repository in it, and it holds",
        "`docker.io/team/app:v1`",
    ]);
}

#[test]
fn fifty_tags_go_into_an_archive_that_is_written_once() {
    let (image, host) = (image(), host());
    let registry = DockerRegistry::start(Access::Anonymous);
    let tags: Vec<String> = (0..50).map(|number| format!("v{number}")).collect();
    for tag in &tags {
        push_with_skopeo(&image, &registry, Access::Anonymous, &format!("app:{tag}"));
    }
    let source = format!("{}/app", registry.address());
    imports(&host, &[(&source, r#"target = "oci-archive:all.tar", all-tags = true"#)]);
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    assert_eq!(ran.finished("s0")["outputs"]["targets"].as_array().unwrap().len(), 50);
    let archive = host.path("all.tar");
    for tag in ["v0", "v49"] {
        let reference = format!("oci-archive:{}:{tag}", archive.display());
        assert_eq!(Skopeo::new().digest(&reference), image.digest());
    }
}

#[test]
fn a_layout_or_archive_that_is_read_without_a_tag_is_its_only_image() {
    let (image, host) = (image(), host());
    image.write_layout(&host.path("only"), "v1");
    // As BuildKit leaves it, if it is told no name.
    image.write_layout(&host.path("unnamed"), "v1");
    let index = host.read("unnamed/index.json").replace("org.opencontainers.image.ref.name", "x");
    host.write("unnamed/index.json", index);
    let to = |name: &str| format!("target = \"oci-archive:{name}.tar:v1\"");
    imports(
        &host,
        &[
            ("oci-layout:only", &to("a")),
            ("oci-layout:unnamed", &to("b")),
            ("oci-archive:b.tar", r#"target = "oci-layout:many:v1""#),
            ("oci-layout:only", r#"target = "oci-layout:many:v2", platforms = ["linux/amd64"]"#),
        ],
    );
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    for step in ["s0", "s1", "s2"] {
        assert_eq!(ran.finished(step)["outputs"]["digest"], image.digest(), "{step}");
    }
    imports(&host, &[("oci-layout:many", &to("c"))]);
    host.run(&["run", "p.toml", "--quiet"])
        .exits(1)
        .stderr_says(&["oci-layout:many", "it holds 2 images, choose `v1` or `v2`"]);
    // What is written is meant.
    imports(&host, &[("oci-layout:only:latest", &to("c"))]);
    host.run(&["run", "p.toml", "--quiet"]).exits(1).stderr_says(&["no manifest latest"]);
    assert!(!host.path("c.tar").exists());
}
