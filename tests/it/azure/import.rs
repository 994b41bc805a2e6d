//! Images go into registries of Azure: by this machine, and by Azure itself.

mod faults;
mod sources;
mod story;

use serde_json::Value;
use support::{Image, Output, TestHost};

use super::{Emulator, pipeline};
use crate::host;

/// The subscription of the emulator, which steps may leave out.
const SUBSCRIPTION: &str = "11111111-1111-1111-1111-111111111111";

/// A step `import` of `mode`, with more inputs.
fn import(mode: &str, inputs: &str) -> String {
    format!(
        "[[step]]\nid = \"import\"\nuses = \"import-image\"\n[step.with]\nmode = \"{mode}\"\n\
         identity = \"prod\"\n{inputs}\n"
    )
}

/// `source` and `target`.
fn pair(source: &str, target: &str) -> String {
    format!("source = \"{source}\"\ntarget = \"{target}\"\n")
}

/// Registries that the identity may use as well.
const OTHERS: &str = r#"
[registries."sourceregistry.azurecr.io"]
identity = "prod"

[registries."mysourceregistry.azurecr.io"]
identity = "prod"
"#;

/// Runs a pipeline of `steps`; it is kept as `NAME.toml`.
fn run(host: &TestHost, name: &str, steps: &str) -> Output {
    let file = format!("{name}.toml");
    host.write(&file, pipeline(&format!("{OTHERS}\n{steps}")));
    host.run(&["run", &file, "--format", "json", "-v"])
}

/// A run that failed, and said all of `parts`.
#[track_caller]
fn fails(ran: &Output, parts: &[&str]) {
    let account = ran.account();
    assert_ne!(ran.code, Some(0), "{account}");
    for part in parts {
        assert!(account.contains(part), "it does not say {part:?}\n{account}");
    }
}

/// Puts `image` where `target` is, by this machine.
fn put(host: &TestHost, image: &Image, media_type: &str, target: &str) {
    let folder = format!("layouts/{}", target.replace(['/', ':'], "-"));
    image.write_layout_as(media_type, &host.path(&folder), "it");
    let step = import("client", &pair(&format!("oci-layout:{folder}:it"), target));
    let step = step.replace("identity = \"prod\"\n", "");
    run(host, "put", &step).exits(0);
}

/// The digest that is at `reference` of the emulated registries, by what a client reads there.
fn digest_at(host: &TestHost, reference: &str) -> Value {
    let folder = format!("back/{}", reference.replace(['/', ':', '@'], "-"));
    let target = format!("oci-layout:{folder}:it");
    let step = import("client", &pair(reference, &target));
    let step = step.replace("identity = \"prod\"", "force = true");
    run(host, "back", &step).exits(0);
    let index: Value = serde_json::from_str(&host.read(&format!("{folder}/index.json"))).unwrap();
    index["manifests"][0]["digest"].clone()
}

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
