//! The example that comes with the program, against real registries.

use serde_json::{Value, json};
use support::{Access, DockerRegistry, Embedded, Image, PASSWORD, push_with_skopeo};

use super::sources::{ELSEWHERE, users};
use super::{Emulator, digest_at, put};
use crate::host;

#[test]
fn the_pipeline_of_the_story_imports_all_its_images() {
    let example = support::repository_root().join("pipelines/azure/import.toml");
    let host = host().file("import.toml", std::fs::read(example).unwrap());
    let image = |size| Image::multi_arch(&["linux/amd64", "windows/amd64"], size);
    let images = [1000, 2000, 3000, 4000, 5000].map(image);
    let [hello, tensorflow, servercore, samples, tenant] = &images;
    let hub = DockerRegistry::start(Access::Token);
    push_with_skopeo(hello, &hub, Access::Token, "library/hello-world:latest");
    push_with_skopeo(tensorflow, &hub, Access::Token, "tensorflow/tensorflow:latest-gpu");
    let chart = json!({
        "schemaVersion": 2, "mediaType": Image::manifest_media_type(),
        "config": Image::descriptor_of("application/vnd.cncf.helm.config.v1+json", b"{}"),
        "layers": [Image::descriptor_of("application/vnd.cncf.helm.chart.content.v1.tar+gzip", b"chart")],
    });
    let chart = Image::of_parts(&chart, &[b"{}", b"chart"]);
    let mcr = Embedded::start(&host, &host.path("mcr"));
    let at_mcr = |name: &str| format!("{}/{name}", mcr.address());
    put(&host, servercore, Image::media_type(), &at_mcr("windows/servercore:ltsc2019"));
    let manifest = Image::manifest_media_type();
    put(&host, &chart, manifest, &at_mcr("oryx/charts/hello:1.0.0"));
    // Of another tenant: its registry knows the principal by its id.
    let principal = "33333333-3333-3333-3333-333333333333";
    let open = Embedded::start(&host, &host.path("tenant"));
    put(&host, tenant, Image::media_type(), &format!("{}/sourcerepo:tag", open.address()));
    drop(open);
    let host = host.file("users", users(principal));
    let root = host.path("tenant");
    let closed = Embedded::start_with(&host, &root, &["--htpasswd", "users"]);
    let upstreams = [
        format!("docker.io=http://{}", hub.address()),
        format!("mcr.microsoft.com=http://{}", mcr.address()),
        format!("sourceregistry.azurecr.io=http://{}", closed.address()),
    ];
    let mut arguments = vec!["--registry", ELSEWHERE];
    upstreams.iter().for_each(|upstream| arguments.extend(["--upstream", upstream]));
    let emulator = Emulator::start(&host, &arguments);
    let host = emulator
        .seen_by(host, "s3cr3t")
        .env("AZURE_TENANT_ID", "22222222-2222-2222-2222-222222222222")
        .env("AZURE_CLIENT_ID", principal)
        .env("AZURE_CLIENT_SECRET", "s3cr3t")
        .env("DOCKERHUB_TOKEN", PASSWORD)
        .env("SP_PASSWORD", PASSWORD);
    let source = "mysourceregistry.azurecr.io/samples/aci-helloworld:latest";
    put(&host, samples, Image::media_type(), source);
    let arguments = ["run", "import.toml", "--input", "hub-user=anchor", "--format", "json", "-v"];
    let ran = host.run(&arguments);
    ran.exits(0);
    for (step, repository, image) in [
        ("hello-world", "hello-world:latest", hello),
        ("tensorflow", "tensorflow:latest-gpu", tensorflow),
        ("servercore", "servercore:ltsc2019", servercore),
        ("same-tenant", "aci-hello-world:latest", samples),
        ("other-tenant", "targetimage:tag", tenant),
        ("chart", "charts/hello:1.0.0", &chart),
    ] {
        let outputs = ran.finished(step)["outputs"].clone();
        assert_eq!((&outputs["mode"], &outputs["bytes"]), (&json!("server"), &json!(0)), "{step}");
        assert_eq!(outputs["digest"], image.digest(), "{step}");
        let there = digest_at(&host, &format!("myregistry.azurecr.io/{repository}"));
        assert_eq!(there, image.digest(), "{step}");
    }
    assert_ne!(ran.finished("hello-world")["outputs"]["manifests"], Value::Null);
}
