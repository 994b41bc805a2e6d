//! The main job: an image with all its platforms goes from registry to registry.

use serde_json::Value;
use support::{
    Access, Authority, DockerRegistry, Embedded, Image, PASSWORD, Skopeo, TempDir, push_with_skopeo,
};

use crate::host;

const PLATFORMS: [&str; 4] = ["linux/amd64", "linux/arm64/v8", "linux/arm/v7", "windows/amd64"];

/// Large enough that it does not fit into one buffer anywhere.
const SHARED_LAYER: usize = 3 << 20;

fn image() -> Image {
    Image::multi_arch(&PLATFORMS, SHARED_LAYER)
}

/// Checks, with somebody else's eyes, that all of `image` is at `reference`.
fn assert_whole(image: &Image, skopeo: &Skopeo, reference: &str) {
    assert_eq!(skopeo.digest(reference), image.digest(), "the index at {reference}");
    let folder = TempDir::new().unwrap();
    skopeo.pull_whole(reference, folder.path());
    for (digest, bytes) in &image.blobs {
        let pulled = folder.path().join(digest.trim_start_matches("sha256:"));
        assert_eq!(&std::fs::read(pulled).unwrap(), bytes, "{digest} at {reference}");
    }
    let platforms: Vec<Value> = skopeo.manifest(reference)["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["platform"]["architecture"].clone())
        .collect();
    assert_eq!(platforms, ["amd64", "arm64", "arm", "amd64"]);
}

#[test]
fn an_image_goes_through_every_kind_of_place_and_arrives_whole() {
    let image = image();
    let first = DockerRegistry::start(Access::Anonymous);
    let last = DockerRegistry::start(Access::Anonymous);
    let host = host();
    let embedded = Embedded::start(&host, &host.path("registry"));
    push_with_skopeo(&image, &first, Access::Anonymous, "team/app:v1");
    host.write(
        "chain.toml",
        format!(
            r#"
schema = 1
[pipeline]
name = "chain"

[[step]]
id = "in"
uses = "import-image"
with = {{ source = "{first}/team/app:v1", target = "{embedded}/cache/app:v1" }}

[[step]]
id = "out"
uses = "import-image"
with = {{ source = "{embedded}/cache/app:v1", target = "oci-layout:saved:v1" }}

[[step]]
id = "on"
uses = "import-image"
with = {{ source = "oci-layout:saved:v1", target = "{last}/prod/app:v1" }}

[[step]]
id = "beside"
uses = "import-image"
with = {{ source = "{last}/prod/app@{{{{ steps.on.outputs.digest }}}}", target = "{last}/spare/app:v1" }}
"#,
            first = first.address(),
            last = last.address(),
            embedded = embedded.address(),
        ),
    );

    let ran = host.run(&["run", "chain.toml", "--format", "json"]);
    ran.exits(0);
    for step in ["in", "out", "on", "beside"] {
        let finished = ran.finished(step);
        assert_eq!(finished["status"], "changed", "{step}\n{}", ran.account());
        assert_eq!(finished["outputs"]["digest"], image.digest(), "{step}");
        assert_eq!(finished["outputs"]["media-type"], Image::media_type(), "{step}");
        assert_eq!(finished["outputs"]["platforms"], serde_json::json!(PLATFORMS), "{step}");
    }
    let blobs = &ran.finished("beside")["outputs"]["blobs"];
    assert_eq!(blobs["mounted"], image.blobs.len(), "what one registry has is not sent again");

    let skopeo = Skopeo::new();
    assert_whole(&image, &skopeo, &format!("docker://{}/cache/app:v1", embedded.address()));
    assert_whole(&image, &skopeo, &format!("oci:{}:v1", host.path("saved").display()));
    assert_whole(&image, &skopeo, &format!("docker://{}/prod/app:v1", last.address()));
    assert_whole(&image, &skopeo, &format!("docker://{}/spare/app:v1", last.address()));

    let again = host.run(&["run", "chain.toml", "--format", "json"]);
    again.exits(0);
    for step in ["in", "out", "on", "beside"] {
        let finished = again.finished(step);
        assert_eq!(finished["status"], "unchanged", "{step}\n{}", again.account());
        assert_eq!(finished["outputs"]["changed"], false, "{step}");
        assert_eq!(finished["outputs"]["bytes"], 0, "{step}");
    }
}

#[test]
fn a_second_run_writes_nothing_to_the_target() {
    let image = image();
    let source = DockerRegistry::start(Access::Anonymous);
    let target = DockerRegistry::start(Access::Anonymous);
    push_with_skopeo(&image, &source, Access::Anonymous, "app:v1");
    let host = host().file("p.toml", import(&source.address(), "app:v1", &target.address(), ""));
    host.run(&["run", "p.toml"]).exits(0);
    let written = writes(&target);
    host.run(&["run", "p.toml"]).exits(0);
    assert_eq!(writes(&target), written);
    assert!(!written.is_empty());
}

/// The requests that changed something.
fn writes(registry: &DockerRegistry) -> Vec<String> {
    let is_write = |request: &String| !request.starts_with("GET ") && !request.starts_with("HEAD ");
    registry.requests().into_iter().filter(is_write).collect()
}

#[test]
fn a_choice_of_one_platform_leaves_the_index_out() {
    let image = image();
    let source = DockerRegistry::start(Access::Anonymous);
    let target = DockerRegistry::start(Access::Anonymous);
    push_with_skopeo(&image, &source, Access::Anonymous, "app:v1");
    let more = r#", platforms = ["linux/arm64/v8"]"#;
    let host = host().file("p.toml", import(&source.address(), "app:v1", &target.address(), more));
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    let (arm64, _) = &image.manifests[1];
    assert_eq!(ran.finished("import")["outputs"]["digest"], *arm64);
    let copied = format!("docker://{}/app:v1", target.address());
    assert_eq!(Skopeo::new().digest(&copied), *arm64);
}

#[test]
fn a_tag_that_points_elsewhere_moves_only_by_force() {
    let (old, new) = (Image::multi_arch(&["linux/amd64"], 10), image());
    let source = DockerRegistry::start(Access::Anonymous);
    let target = DockerRegistry::start(Access::Anonymous);
    push_with_skopeo(&new, &source, Access::Anonymous, "app:v1");
    push_with_skopeo(&old, &target, Access::Anonymous, "app:v1");
    let copied = format!("docker://{}/app:v1", target.address());

    let host = host().file("p.toml", import(&source.address(), "app:v1", &target.address(), ""));
    host.run(&["run", "p.toml"]).exits(1).stderr_says(&["`force"]);
    assert_eq!(Skopeo::new().digest(&copied), old.digest());

    host.write("p.toml", import(&source.address(), "app:v1", &target.address(), ", force = true"));
    host.run(&["run", "p.toml"]).exits(0);
    assert_eq!(Skopeo::new().digest(&copied), new.digest());
}

#[test]
fn an_image_that_is_not_there_is_named() {
    let source = DockerRegistry::start(Access::Anonymous);
    let host = host()
        .file("p.toml", from_to(&format!("{}/app:v9", source.address()), "oci-layout:out:v1", ""));
    let ran = host.run(&["run", "p.toml"]);
    ran.exits(1).stderr_says(&["app:v9", "error: step `import` failed"]);
}

#[test]
fn credentials_of_the_pipeline_reach_the_registry_and_nothing_else() {
    let image = image();
    let source = DockerRegistry::start(Access::Basic);
    let target = DockerRegistry::start(Access::Anonymous);
    push_with_skopeo(&image, &source, Access::Basic, "app:v1");
    let pipeline = with_login(&import(&source.address(), "app:v1", &target.address(), ""), &source);
    let host = host().file("p.toml", pipeline).env("REGISTRY_PASSWORD", PASSWORD);
    let ran = host.run(&["run", "p.toml", "--format", "json", "-v"]);
    ran.exits(0);
    assert!(!ran.account().contains(PASSWORD), "{}", ran.account());
    let copied = format!("docker://{}/app:v1", target.address());
    assert_whole(&image, &Skopeo::new(), &copied);
}

#[test]
fn credentials_of_docker_are_used_where_the_pipeline_has_none() {
    let image = image();
    let source = DockerRegistry::start(Access::Basic);
    let target = DockerRegistry::start(Access::Basic);
    push_with_skopeo(&image, &source, Access::Basic, "app:v1");
    // `anchor:hunter-and-gatherer`, as `docker login` writes it.
    let login = "YW5jaG9yOmh1bnRlci1hbmQtZ2F0aGVyZXI=";
    let (from, to) = (source.address(), target.address());
    let config =
        format!(r#"{{"auths":{{"{from}":{{"auth":"{login}"}},"{to}":{{"auth":"{login}"}}}}}}"#);
    let host = host()
        .file("p.toml", import(&from, "app:v1", &to, ""))
        .file(".home/.docker/config.json", config);
    host.run(&["run", "p.toml"]).exits(0);
    let copied = format!("docker://{to}/app:v1");
    assert_whole(&image, &Skopeo::of(&target, Access::Basic), &copied);
}

#[test]
fn a_wrong_password_is_an_authentication_failure() {
    let source = DockerRegistry::start(Access::Basic);
    push_with_skopeo(&image(), &source, Access::Basic, "app:v1");
    let pipeline = with_login(
        &from_to(&format!("{}/app:v1", source.address()), "oci-layout:out:v1", ""),
        &source,
    );
    let host = host().file("p.toml", pipeline).env("REGISTRY_PASSWORD", "not-the-password");
    let ran = host.run(&["run", "p.toml"]);
    ran.exits(4).stderr_says(&["error: step `import` failed", &source.address(), "UNAUTHORIZED"]);
    assert!(!ran.account().contains("not-the-password"), "{}", ran.account());
}

#[test]
fn a_registry_that_wants_credentials_says_where_to_write_them() {
    let source = DockerRegistry::start(Access::Basic);
    push_with_skopeo(&image(), &source, Access::Basic, "app:v1");
    let host = host()
        .file("p.toml", from_to(&format!("{}/app:v1", source.address()), "oci-layout:out:v1", ""));
    let help = format!("[registries.\"{}\"]", source.address());
    host.run(&["run", "p.toml"]).exits(4).stderr_says(&[&help]);
}

#[test]
fn a_private_authority_is_trusted_where_the_pipeline_says_so() {
    let image = image();
    let source = DockerRegistry::start(Access::Tls);
    push_with_skopeo(&image, &source, Access::Tls, "app:v1");
    let target = DockerRegistry::start(Access::Anonymous);
    let pipeline = import(&source.address(), "app:v1", &target.address(), "");
    let trust =
        format!("\n[registries.\"{}\"]\nca = \"{}\"\n", source.address(), source.ca().display());
    let host = host().file("p.toml", pipeline + &trust);
    host.run(&["run", "p.toml"]).exits(0);
    let copied = format!("docker://{}/app:v1", target.address());
    assert_whole(&image, &Skopeo::new(), &copied);
}

#[test]
fn an_unknown_authority_is_refused_and_the_error_says_what_to_write() {
    let source = DockerRegistry::start(Access::Tls);
    let host = host();
    // Trusts somebody, and not the one who signed.
    let other = Authority::new(&host.path(""));
    let trust =
        format!("\n[registries.\"{}\"]\nca = \"{}\"\n", source.address(), other.ca.display());
    let from = format!("{}/app:v1", source.address());
    host.write("p.toml", from_to(&from, "oci-layout:out:v1", "") + &trust);
    let ran = host.run(&["run", "p.toml", "--quiet"]);
    ran.stderr_says(&["certificate", "ca = "]);
    assert!(matches!(ran.code, Some(1 | 5)), "{}", ran.account());
}

#[test]
fn a_registry_of_this_machine_is_spoken_to_over_tls_if_insecure_is_false() {
    let source = DockerRegistry::start(Access::Tls);
    let secure = format!("\n[registries.\"{}\"]\ninsecure = false\n", source.address());
    let from = format!("{}/app:v1", source.address());
    let host = host().file("p.toml", from_to(&from, "oci-layout:out:v1", "") + &secure);
    let ran = host.run(&["run", "p.toml", "--quiet"]);
    ran.stderr_says(&["https://", "certificate"]);
    assert!(matches!(ran.code, Some(1 | 5)), "{}", ran.account());
}

/// A pipeline with one step `import`, between places of one name in two registries.
fn import(source: &str, name: &str, target: &str, more: &str) -> String {
    from_to(&format!("{source}/{name}"), &format!("{target}/{name}"), more)
}

/// A pipeline with one step `import`.
fn from_to(source: &str, target: &str, more: &str) -> String {
    format!(
        r#"
schema = 1
[pipeline]
name = "import"

[[step]]
id = "import"
uses = "import-image"
with = {{ source = "{source}", target = "{target}"{more} }}
"#
    )
}

/// `pipeline` with credentials for `registry` out of the variable `REGISTRY_PASSWORD`.
fn with_login(pipeline: &str, registry: &DockerRegistry) -> String {
    format!(
        r#"{pipeline}
[secrets]
login = {{ from = "env", name = "REGISTRY_PASSWORD", only-to = ["127.0.0.1"] }}

[registries."{}"]
username = "anchor"
password = {{ secret = "login" }}
"#,
        registry.address()
    )
}
