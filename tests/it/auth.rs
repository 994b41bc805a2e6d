//! Registries that want to know who comes, by tokens of a service of their own.

use support::{Access, DockerRegistry, Image, PASSWORD, Skopeo, TempDir, push_with_skopeo};

use crate::host;

fn image() -> Image {
    Image::multi_arch(&["linux/amd64", "linux/arm64/v8"], 300_000)
}

fn assert_whole(image: &Image, skopeo: &Skopeo, reference: &str) {
    assert_eq!(skopeo.digest(reference), image.digest(), "the index at {reference}");
    let folder = TempDir::new().unwrap();
    skopeo.pull_whole(reference, folder.path());
    for (digest, bytes) in &image.blobs {
        let pulled = folder.path().join(digest.trim_start_matches("sha256:"));
        assert_eq!(&std::fs::read(pulled).unwrap(), bytes, "{digest} at {reference}");
    }
}

/// A pipeline that copies `source` to `target`, with credentials for `registries` out of the variable
/// `REGISTRY_PASSWORD`.
fn import(source: &str, target: &str, registries: &[&DockerRegistry]) -> String {
    let mut text = format!(
        r#"
schema = 1
[pipeline]
name = "import"

[secrets]
login = {{ from = "env", name = "REGISTRY_PASSWORD", only-to = ["127.0.0.1"] }}

[[step]]
id = "import"
uses = "import-image"
with = {{ source = "{source}", target = "{target}" }}
"#
    );
    for registry in registries {
        text = format!(
            "{text}\n[registries.\"{}\"]\nusername = \"anchor\"\npassword = {{ secret = \"login\" }}\n",
            registry.address()
        );
    }
    text
}

#[test]
fn tokens_open_the_source_and_the_target() {
    let image = image();
    let source = DockerRegistry::start(Access::Token);
    let target = DockerRegistry::start(Access::Token);
    push_with_skopeo(&image, &source, Access::Token, "team/app:v1");
    let from = format!("{}/team/app:v1", source.address());
    let to = format!("{}/prod/app:v1", target.address());
    let host = host()
        .file("p.toml", import(&from, &to, &[&source, &target]))
        .env("REGISTRY_PASSWORD", PASSWORD);
    let before = source.token_requests().len();
    let ran = host.run(&["run", "p.toml", "--format", "json", "-v"]);
    ran.exits(0);
    assert_eq!(ran.finished("import")["outputs"]["digest"], image.digest());
    assert!(!ran.account().contains(PASSWORD), "{}", ran.account());
    // One token for each repository, whatever the number of requests.
    assert_eq!(source.token_requests().len() - before, 1, "{:?}", source.token_requests());
    assert_eq!(target.token_requests().len(), 1, "{:?}", target.token_requests());
    assert_whole(&image, &Skopeo::of(&target, Access::Token), &format!("docker://{to}"));
}

#[test]
fn what_is_public_needs_no_credentials_and_the_rest_says_that_it_does() {
    let image = image();
    let source = DockerRegistry::start(Access::Token);
    for name in ["public/app:v1", "team/app:v1"] {
        push_with_skopeo(&image, &source, Access::Token, name);
    }
    let at = |name: &str| format!("{}/{name}", source.address());
    let host = host()
        .file("public.toml", import(&at("public/app:v1"), "oci-layout:out:v1", &[]))
        .file("private.toml", import(&at("team/app:v1"), "oci-layout:no:v1", &[]))
        .file("push.toml", import("oci-layout:out:v1", &at("public/app:v2"), &[]))
        .env("REGISTRY_PASSWORD", PASSWORD);
    host.run(&["run", "public.toml"]).exits(0);
    let saved = format!("oci:{}:v1", host.path("out").display());
    assert_whole(&image, &Skopeo::new(), &saved);
    for refused in ["private.toml", "push.toml"] {
        let ran = host.run(&["run", refused, "--quiet"]);
        ran.exits(4);
        ran.stderr_says(&[&source.address()]);
    }
    let repository = format!("docker://{}", at("public/app"));
    assert_eq!(Skopeo::of(&source, Access::Token).tags(&repository), ["v1"]);
}

#[test]
fn a_token_service_that_knows_another_password_is_an_authentication_failure() {
    let source = DockerRegistry::start(Access::Token);
    push_with_skopeo(&image(), &source, Access::Token, "team/app:v1");
    let from = format!("{}/team/app:v1", source.address());
    let host = host()
        .file("p.toml", import(&from, "oci-layout:out:v1", &[&source]))
        .env("REGISTRY_PASSWORD", "not-the-password");
    let ran = host.run(&["run", "p.toml", "--quiet"]);
    ran.exits(4);
    assert!(!ran.account().contains("not-the-password"), "{}", ran.account());
    assert!(!host.path("out").join("index.json").exists());
}
