//! Every source that `az acr import` knows, imported by Azure.

use serde_json::{Value, json};
use support::{Access, DockerRegistry, Embedded, HTPASSWD, Image, PASSWORD, USERNAME};
use support::{TestHost, push_with_skopeo};

use super::{Emulator, SUBSCRIPTION, digest_at, fails, import, pair, put, run};
use crate::host;

/// A registry in another subscription of the same tenant.
pub(super) const ELSEWHERE: &str = "/subscriptions/00000000-0000-0000-0000-000000000000\
    /resourceGroups/sourceResourceGroup/providers/Microsoft.ContainerRegistry/registries\
    /mysourceregistry";

fn image(size: usize) -> Image {
    Image::multi_arch(&["linux/amd64", "linux/arm64/v8", "windows/amd64"], size)
}

/// Imports, and holds what is told and what is there against `image`.
#[track_caller]
fn imports(host: &TestHost, inputs: &str, target: &str, image: &Image) -> Value {
    let ran = run(host, "import", &import("server", inputs));
    ran.exits(0);
    let outputs = ran.finished("import")["outputs"].clone();
    assert_eq!(outputs["mode"], "server", "{outputs}");
    assert_eq!((&outputs["digest"], &outputs["bytes"]), (&json!(image.digest()), &json!(0)));
    assert_eq!(digest_at(host, target), image.digest(), "{target}");
    outputs
}

/// As `az acr repository show-manifests`: the index, and a manifest for each platform.
#[test]
fn an_official_image_of_docker_hub_comes_with_all_its_manifests() {
    let official = image(1000);
    let hub = DockerRegistry::start(Access::Token);
    push_with_skopeo(&official, &hub, Access::Token, "library/hello-world:latest");
    let host = host();
    let upstream = format!("docker.io=http://{}", hub.address());
    let emulator = Emulator::start(&host, &["--upstream", &upstream]);
    let host = emulator.seen_by(host, "s3cr3t");
    let target = "myregistry.azurecr.io/hello-world:latest";
    // Short names of Docker Hub are written out.
    for (number, source) in ["hello-world", "docker.io/hello-world:latest"].iter().enumerate() {
        let target = format!("myregistry.azurecr.io/hello-world:{number}");
        imports(&host, &pair(source, &target), &target, &official);
    }
    let inputs = pair("docker.io/library/hello-world:latest", target);
    let manifests = imports(&host, &inputs, target, &official)["manifests"].clone();
    let manifests = manifests.as_array().unwrap();
    let [index, children @ ..] = manifests.as_slice() else { panic!("{manifests:?}") };
    assert_eq!(index["digest"], official.digest());
    assert_eq!((&index["tags"], &index["platform"]), (&json!(["latest"]), &Value::Null));
    assert_eq!(index["size"], json!(official.index.len()));
    let found: Vec<(&str, &str, u64)> = children
        .iter()
        .map(|child| {
            let text = |key: &str| child[key].as_str().unwrap();
            (text("digest"), text("platform"), child["size"].as_u64().unwrap())
        })
        .collect();
    let platforms = ["linux/amd64", "linux/arm64/v8", "windows/amd64"];
    let expected: Vec<(&str, &str, u64)> = official
        .manifests
        .iter()
        .zip(platforms)
        .map(|((digest, bytes), platform)| (digest.as_str(), platform, bytes.len() as u64))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn private_images_are_imported_with_a_user_and_a_password() {
    let private = image(1000);
    let hub = DockerRegistry::start(Access::Token);
    push_with_skopeo(&private, &hub, Access::Token, "tensorflow/tensorflow:latest-gpu");
    let other = DockerRegistry::start(Access::Basic);
    push_with_skopeo(&private, &other, Access::Basic, "team/app:v1");
    let host = host();
    let hub = format!("docker.io=http://{}", hub.address());
    // One of another tenant is to this cloud what any registry of the outside is.
    let tenant = format!("elsewhere.azurecr.io=http://{}", other.address());
    let other = format!("registry.example.com=http://{}", other.address());
    let emulator =
        Emulator::start(&host, &["--upstream", &hub, "--upstream", &other, "--upstream", &tenant]);
    let host = emulator.seen_by(host, "s3cr3t").env("HUB_TOKEN", PASSWORD);
    let secret = "[secrets.hub]\nfrom = \"env\"\nname = \"HUB_TOKEN\"\n\n";
    let credentials = format!("username = \"{USERNAME}\"\npassword = \"hub\"\n");
    for (source, target) in [
        ("docker.io/tensorflow/tensorflow:latest-gpu", "tensorflow:latest-gpu"),
        ("registry.example.com/team/app:v1", "app:v1"),
        ("elsewhere.azurecr.io/team/app:v1", "from-a-tenant:v1"),
    ] {
        let target = format!("myregistry.azurecr.io/{target}");
        let inputs = format!("{}{credentials}", pair(source, &target));
        let steps = format!("{secret}{}", import("server", &inputs));
        let ran = run(&host, "private", &steps);
        ran.exits(0);
        assert_eq!(ran.finished("import")["outputs"]["digest"], private.digest());
        assert_eq!(digest_at(&host, &target), private.digest());
        // Without them, nobody is let in, and it is said what to do.
        let bare = import("server", &pair(source, "myregistry.azurecr.io/bare:v1"));
        let ran = run(&host, "bare", &bare);
        fails(&ran, &["`username` and `password`"]);
    }
    let host = host.env("HUB_TOKEN", "not-the-p4ssword");
    let inputs = format!(
        "{}{credentials}",
        pair("registry.example.com/team/app:v1", "myregistry.azurecr.io/wrong:v1")
    );
    let ran = run(&host, "wrong", &format!("{secret}{}", import("server", &inputs)));
    fails(&ran, &["Error copying blobs", "UNAUTHORIZED"]);
}

#[test]
fn registries_of_the_same_tenant_are_read_as_the_identity() {
    let source = image(1000);
    let host = host();
    let emulator =
        Emulator::start(&host, &["--registry", "sourceregistry", "--registry", ELSEWHERE]);
    let host = emulator.seen_by(host, "s3cr3t");
    let index = Image::media_type();
    put(&host, &source, index, "sourceregistry.azurecr.io/aci-helloworld:latest");
    put(&host, &source, index, "mysourceregistry.azurecr.io/samples/aci-helloworld:latest");
    let by_digest = format!("sourceregistry.azurecr.io/aci-helloworld@{}", source.digest());
    let here = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg1/providers\
         /Microsoft.ContainerRegistry/registries/sourceregistry"
    );
    let registry = |id: &str| format!("source-registry = \"{id}\"\n");
    for (name, source_name, more) in [
        ("login-server", "sourceregistry.azurecr.io/aci-helloworld:latest", String::new()),
        ("by-digest", by_digest.as_str(), String::new()),
        ("resource-id", "aci-helloworld:latest", registry(&here)),
        ("by-name", "aci-helloworld:latest", registry("sourceregistry")),
        ("subscription", "samples/aci-helloworld:latest", registry(ELSEWHERE)),
        (
            "with-its-name",
            "mysourceregistry.azurecr.io/samples/aci-helloworld",
            registry(ELSEWHERE),
        ),
    ] {
        let target = format!("myregistry.azurecr.io/{name}:v1");
        let inputs = format!("{}{more}", pair(source_name, &target));
        imports(&host, &inputs, &target, &source);
    }
}

#[test]
fn a_service_principal_and_a_token_of_a_registry_may_pull_for_azure() {
    let source = image(1000);
    let host = host();
    let emulator = Emulator::start(&host, &["--registry", "sourceregistry"]);
    let host = emulator.seen_by(host, "s3cr3t");
    put(&host, &source, Image::media_type(), "sourceregistry.azurecr.io/sourcerepo:tag");
    let id = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg1/providers\
         /Microsoft.ContainerRegistry/registries/sourceregistry"
    );
    // The secret is made by the step before: it is read when it is used.
    let vault = |name: &str| {
        format!(
            "[secrets.pwd]\nfrom = \"azure-key-vault\"\nvault = \"mykeyvault\"\nname = \"{name}\"\n\n"
        )
    };
    let store = "[[step]]\nid = \"store\"\nuses = \"store-secret\"\n[step.with]\n\
                 vault = \"mykeyvault\"\nidentity = \"prod\"\n";
    for (way, name, user) in [
        (
            format!("service-principal = {{ scope = \"{id}\", role = \"AcrPull\" }}\n\n"),
            "sourceregistry-pull-pwd",
            "{{ steps.store.outputs['app-id'] }}",
        ),
        (
            format!(
                "scope-map-token = {{ registry = \"{id}\", name = \"puller\", \
                 repositories = [\"sourcerepo\"] }}\n\n"
            ),
            "puller-pwd",
            "puller",
        ),
    ] {
        let target = format!("myregistry.azurecr.io/{name}:tag");
        let inputs = format!(
            "{}username = \"{user}\"\npassword = \"pwd\"\n",
            pair("sourceregistry.azurecr.io/sourcerepo:tag", &target)
        );
        let steps = format!("{}{store}{way}{}", vault(name), import("server", &inputs));
        let ran = run(&host, "principal", &steps);
        ran.exits(0);
        assert_eq!(ran.finished("import")["outputs"]["digest"], source.digest());
        assert_eq!(digest_at(&host, &target), source.digest());
    }
}

#[test]
fn artifacts_untagged_images_and_several_targets_are_imported_as_they_are() {
    let chart = json!({
        "schemaVersion": 2, "mediaType": Image::manifest_media_type(),
        "config": Image::descriptor_of("application/vnd.cncf.helm.config.v1+json", b"{}"),
        "layers": [Image::descriptor_of("application/vnd.cncf.helm.chart.content.v1.tar+gzip", b"chart")],
        "annotations": { "org.opencontainers.image.title": "hello" },
    });
    let chart = Image::of_parts(&chart, &[b"{}", b"chart"]);
    let plain = image(1000);
    let host = host();
    let registry = Embedded::start(&host, &host.path("mcr"));
    put(
        &host,
        &chart,
        Image::manifest_media_type(),
        &format!("{}/charts/hello:1.0.0", registry.address()),
    );
    put(
        &host,
        &plain,
        Image::media_type(),
        &format!("{}/windows/servercore:ltsc2019", registry.address()),
    );
    let upstream = format!("mcr.microsoft.com=http://{}", registry.address());
    let emulator = Emulator::start(&host, &["--upstream", &upstream]);
    let host = emulator.seen_by(host, "s3cr3t");
    let target = "myregistry.azurecr.io/charts/hello:1.0.0";
    let inputs = pair("mcr.microsoft.com/charts/hello:1.0.0", target);
    let manifests = imports(&host, &inputs, target, &chart)["manifests"].clone();
    assert_eq!(manifests.as_array().unwrap().len(), 1, "{manifests}");
    let servercore = "mcr.microsoft.com/windows/servercore:ltsc2019";
    let target = "myregistry.azurecr.io/servercore:ltsc2019";
    imports(&host, &pair(servercore, target), target, &plain);
    // `--repository`: the manifests alone, without a tag.
    let untagged = format!("{}untagged = true\n", pair(servercore, "myregistry.azurecr.io/bare"));
    run(&host, "untagged", &import("server", &untagged)).exits(0);
    let bare = format!("myregistry.azurecr.io/bare@{}", plain.digest());
    assert_eq!(digest_at(&host, &bare), plain.digest());
    // One import for both.
    let both = format!(
        "source = \"{servercore}\"\n\
         targets = [\"myregistry.azurecr.io/a:1\", \"myregistry.azurecr.io/b/c:2\"]\n"
    );
    run(&host, "both", &import("server", &both)).exits(0);
    for target in ["myregistry.azurecr.io/a:1", "myregistry.azurecr.io/b/c:2"] {
        assert_eq!(digest_at(&host, target), plain.digest());
    }
}

#[test]
fn a_tag_that_is_taken_is_moved_only_if_that_is_said() {
    let (first, second) = (image(1000), image(2000));
    let host = host();
    let registry = Embedded::start_with(&host, &host.path("mcr"), &[]);
    let at = |tag: &str| format!("{}/app:{tag}", registry.address());
    put(&host, &first, Image::media_type(), &at("first"));
    put(&host, &second, Image::media_type(), &at("second"));
    let upstream = format!("mcr.microsoft.com=http://{}", registry.address());
    let emulator = Emulator::start(&host, &["--upstream", &upstream]);
    let host = emulator.seen_by(host, "s3cr3t");
    let target = "myregistry.azurecr.io/app:v1";
    imports(&host, &pair("mcr.microsoft.com/app:first", target), target, &first);
    for mode in ["server", "auto"] {
        let taken = import(mode, &pair("mcr.microsoft.com/app:second", target));
        let ran = run(&host, "taken", &taken);
        fails(&ran, &["the tag `v1` points at", "force = true"]);
        assert_eq!(ran.finished("import")["fault"]["code"], "oci.conflict", "{}", ran.account());
        assert_eq!(digest_at(&host, target), first.digest(), "{mode}");
    }
    let forced = format!("{}force = true\n", pair("mcr.microsoft.com/app:second", target));
    imports(&host, &forced, target, &second);
}

/// The file of users with one that is called `name`.
pub(super) fn users(name: &str) -> String {
    HTPASSWD.replace(USERNAME, name)
}
