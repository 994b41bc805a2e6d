//! What is found in Dockerfiles, in annotations, and in what a build has read.

use serde_json::json;
use support::{Access, DockerRegistry, TestHost};

use super::{change, changes, image, pipeline, push, watch};
use crate::host;

/// A registry with these tags, all of one image.
fn registry(names: &[&str]) -> DockerRegistry {
    let registry = DockerRegistry::start(Access::Anonymous);
    for name in names {
        push(&image(1), &registry.address(), name);
    }
    registry
}

fn names(outputs: &serde_json::Value) -> Vec<String> {
    let images = outputs["images"].as_array().unwrap().iter();
    let mut names: Vec<String> =
        images.map(|image| image["image"].as_str().unwrap().to_owned()).collect();
    names.dedup();
    names
}

#[test]
fn the_images_of_a_dockerfile_are_watched() {
    let registry = registry(&["base:22", "tool:1", "lint:1", "unused:1"]);
    let address = registry.address();
    let file = format!(
        "ARG REGISTRY\nARG VERSION=22\nFROM {address}/unused:1 AS unused\n\
         FROM {address}/lint:1 AS lint\nFROM ${{REGISTRY}}/base:${{VERSION}}\n\
         COPY --from={address}/tool:1 /etc /etc\n\
         RUN --mount=type=bind,from=lint,target=/lint true\n"
    );
    let host = host().file("app/Dockerfile-app", file);
    let with = |stages: &str| {
        format!(
            "context = \"app\"\nfile = \"Dockerfile-app\"\nargs = {{ REGISTRY = \"{address}\" }}\n\
             bases = [\"{address}/**\"]\nstages = \"{stages}\"\nfirst-seen = \"fire\""
        )
    };
    let of = |name: &str| format!("{address}/{name}");
    assert_eq!(names(&watch(&host, &with("runtime"))), [of("base:22")]);
    // What was seen already is not new.
    assert_eq!(names(&watch(&host, &with("all"))), [of("lint:1"), of("tool:1")]);
    push(&image(2), &address, "tool:1");
    push(&image(2), &address, "unused:1");
    assert_eq!(names(&watch(&host, &with("runtime"))), [""; 0]);
    assert_eq!(names(&watch(&host, &with("all"))), [of("tool:1")]);
}

#[test]
fn a_dockerfile_leads_nowhere_that_was_not_granted() {
    let registry = registry(&["base:22"]);
    let address = registry.address();
    let host = host().file("Dockerfile", format!("FROM {address}/base:22\n"));
    host.write("p.toml", pipeline("file = \"Dockerfile\""));
    let ran = host.run(&["run", "p.toml", "--quiet"]);
    ran.exits(3).stderr_says(&[&format!("{address}/base"), "pull"]);
}

#[test]
fn a_dockerfile_that_is_wrong_is_told_with_its_line() {
    let host = host().file("Dockerfile", "FROM alpine\nCOPY --from=\n");
    host.write("p.toml", pipeline("file = \"Dockerfile\""));
    host.run(&["run", "p.toml", "--quiet"]).exits(1).stderr_says(&["Dockerfile:2:"]);
    host.write("p.toml", pipeline("file = \"File\""));
    host.run(&["run", "p.toml", "--quiet"]).exits(1).stderr_says(&["`File` does not exist"]);
}

/// A step that builds `app:1` from `base:1`, for the platform of the base's first image.
fn build(address: &str) -> String {
    format!(
        "[[step]]\nid = \"build\"\nuses = \"build-image\"\n[step.with]\n\
         dockerfile = \"FROM {address}/base:1\\nLABEL a=b\\n\"\nplatforms = \"linux/amd64\"\n\
         bases = [\"{address}/**\"]\ntags = [\"{address}/app:1\"]\n"
    )
}

fn build_app(host: &TestHost, address: &str) {
    let pipeline = format!("schema = 1\n[pipeline]\nname = \"build\"\n{}", build(address));
    host.write("build.toml", pipeline);
    host.run(&["run", "build.toml"]).exits(0);
}

#[test]
fn the_base_of_an_image_is_told_until_it_is_built_anew() {
    let registry = registry(&["base:1"]);
    let address = registry.address();
    let builds = tempfile();
    let host = host().env("WINDLASS_BUILD_DIR", builds.path());
    build_app(&host, &address);
    let with = format!("annotations-of = \"{address}/app:1\"\nbases = [\"{address}/**\"]");
    let first = watch(&host, &with);
    assert_eq!(changes(&first), []);
    assert_eq!(first["watched"][0]["image"], format!("{address}/base:1"));
    assert_eq!(watch(&host, &with)["requests"], json!({ "HEAD": 2 }));

    // Another platform than the image's does not matter.
    push(&super::index_of(&image(1), &image(2), ""), &address, "base:1");
    assert_eq!(changes(&watch(&host, &with)), []);
    assert_eq!(watch(&host, &with)["requests"], json!({ "HEAD": 2 }));

    push(&image(3), &address, "base:1");
    for _ in 0..2 {
        assert_eq!(changes(&watch(&host, &with)), [change(0, Some(&image(1)), &image(3))]);
    }
    build_app(&host, &address);
    assert_eq!(changes(&watch(&host, &with)), []);
}

#[test]
fn an_image_that_does_not_say_what_it_was_built_on_is_told() {
    let registry = registry(&["base:1"]);
    let with = format!("annotations-of = \"{}/base:1\"", registry.address());
    let host = host().file("p.toml", pipeline(&with));
    let ran = host.run(&["run", "p.toml", "--quiet"]);
    ran.exits(1).stderr_says(&["does not say what it was built on", "name its base with `images`"]);
}

#[test]
fn what_a_build_of_the_same_pipeline_has_read_is_watched() {
    let registry = registry(&["base:1"]);
    let address = registry.address();
    let builds = tempfile();
    let host = host().env("WINDLASS_BUILD_DIR", builds.path());
    let step = "[[step]]\nid = \"watch\"\nuses = \"watch-base-image\"\n\
                with = { bases-of = \"{{ steps.build.outputs.bases }}\" }\n";
    let with = format!("schema = 1\n[pipeline]\nname = \"both\"\n{}{step}", build(&address));
    host.write("p.toml", with);
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    let watched = ran.finished("watch")["outputs"].clone();
    assert_eq!((&watched["changed"], &watched["requests"]), (&json!(false), &json!({ "HEAD": 1 })));
    assert_eq!(watched["watched"][0]["image"], format!("{address}/base:1"));

    // What was built earlier, as it was told then.
    let bases = ran.finished("build")["outputs"]["bases"].clone();
    let base = &bases[0];
    let list = ["name", "digest", "platform", "manifest"]
        .map(|key| format!("{key} = {}", base[key]))
        .join(", ");
    let with = format!("bases-of = [{{ {list}, runtime = true }}]");
    push(&image(2), &address, "base:1");
    for _ in 0..2 {
        assert_eq!(changes(&watch(&host, &with)), [change(0, Some(&image(1)), &image(2))]);
    }
}

fn tempfile() -> support::TempDir {
    support::TempDir::new().unwrap()
}
