//! Images go into registries of Azure: by this machine, and by Azure itself.

use serde_json::Value;
use support::{Access, DockerRegistry, Image, push_with_skopeo};

use super::{Emulator, pipeline};
use crate::host;

#[test]
fn an_image_goes_into_a_registry_as_an_identity() {
    let image = Image::multi_arch(&["linux/amd64", "linux/arm64"], 1000);
    let host = host();
    image.write_layout(&host.path("image"), "v1");
    let copy = |source: &str, target: &str| {
        pipeline(&format!(
            "[[step]]\nid = \"copy\"\nuses = \"import-image\"\n\
             with = {{ source = \"{source}\", target = \"{target}\" }}\n"
        ))
    };
    let there = "myregistry.azurecr.io/base/node:22";
    let host = host.file("push.toml", copy("oci-layout:image:v1", there));
    let host = host.file("pull.toml", copy(there, "oci-layout:back:v1"));
    let emulator = Emulator::start(&host, &[]);
    let host = emulator.seen_by(host, "s3cr3t");
    let ran = host.run(&["run", "push.toml", "--format", "json", "-v"]);
    ran.exits(0);
    host.run(&["run", "pull.toml"]).exits(0);
    let index: Value = serde_json::from_str(&host.read("back/index.json")).unwrap();
    assert_eq!(index["manifests"][0]["digest"], image.digest());
    let host = host.env("APP_SECRET", "wr0ng-s3cret");
    let ran = host.run(&["run", "push.toml"]);
    ran.exits(4).stderr_says(&["AADSTS7000215", "give the value of the client secret"]);
}

/// Azure imports by itself: no byte of the image passes this machine's hands.
#[test]
fn azure_imports_an_image_from_a_registry_of_the_outside() {
    let image = Image::multi_arch(&["linux/amd64", "linux/arm64"], 1000);
    let hub = DockerRegistry::start(Access::Anonymous);
    push_with_skopeo(&image, &hub, Access::Anonymous, "library/hello-world:latest");
    let upstream = format!("docker.io=http://{}", hub.address());
    let import = |mode: &str, target: &str| {
        pipeline(&format!(
            "[[step]]\nid = \"import\"\nuses = \"import-image\"\n[step.with]\nmode = \"{mode}\"\n\
             identity = \"prod\"\nsource = \"docker.io/library/hello-world:latest\"\n\
             target = \"{target}\"\n"
        ))
    };
    let target = "myregistry.azurecr.io/hello-world:latest";
    let host = host()
        .file("server.toml", import("server", target))
        .file("auto.toml", import("auto", "myregistry.azurecr.io/again:latest"))
        .file("nowhere.toml", import("server", "nosuchregistry.azurecr.io/a:1"));
    let emulator = Emulator::start(&host, &["--upstream", &upstream]);
    let host = emulator.seen_by(host, "s3cr3t");
    let ran = host.run(&["run", "server.toml", "--format", "json", "-v"]);
    ran.exits(0);
    let finished = ran.finished("import");
    assert!(finished["outputs"].to_string().contains(&image.digest()), "{}", finished["outputs"]);
    host.run(&["run", "auto.toml"]).exits(0);
    let ran = host.run(&["run", "nowhere.toml"]);
    assert_ne!(ran.code, Some(0));
    ran.stderr_says(&["nosuchregistry"]);
}
