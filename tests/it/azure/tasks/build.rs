//! `build-image` with `builder = "acr-tasks"`.

use std::time::Instant;

use serde_json::json;

use super::{World, log, outputs};

/// What nobody may see.
const TOKEN: &str = "npm-t0ken-0f-this-test";

const DOCKERFILE: &str = "\
FROM myregistry.azurecr.io/base/busybox:1 AS build
ARG VERSION
ARG NPM_TOKEN
COPY . /src
RUN test \"$NPM_TOKEN\" = npm-t0ken-0f-this-test && echo \"version $VERSION\" | tee /src/version
ENV VERSION=$VERSION
LABEL stage=build

FROM build AS other
LABEL stage=other
";

fn world() -> World {
    let world = World::new(&[]).env("NPM_TOKEN", TOKEN);
    world.make_busybox("myregistry.azurecr.io");
    world
}

/// The step's table, and the secret that it names.
fn build(with: &str) -> String {
    format!(
        "[secrets.npm]\nfrom = \"env\"\nname = \"NPM_TOKEN\"\n\n[[step]]\nid = \"step\"\n\
         uses = \"build-image\"\n[step.with]\nbuilder = \"acr-tasks\"\nidentity = \"prod\"\n{with}\n"
    )
}

#[test]
fn azure_builds_what_it_is_sent_and_nothing_else() {
    let world = world();
    let host = &world.host;
    host.write("app/Dockerfile.app", DOCKERFILE.replace(TOKEN, "$(cat /src/expected)"));
    host.write("app/expected", TOKEN);
    host.write("app/.dockerignore", "private\n*.log\n!kept.log\n");
    host.write("app/private/key", "this never leaves the machine");
    host.write("app/debug.log", "nor does this");
    host.write("app/kept.log", "kept");
    let with = r#"context = "app"
file = "Dockerfile.app"
target = "build"
platforms = ["linux/amd64"]
args = { VERSION = "1.2" }
secret-args = { NPM_TOKEN = "npm" }
tags = ["myregistry.azurecr.io/app:{% raw %}{{.Run.ID}}{% endraw %}", "myregistry.azurecr.io/app:latest"]"#;
    let ran = world.run(&build(with));
    let outputs = outputs(&ran);
    // The base was the first run.
    assert_eq!(outputs["run-id"], "ca2", "{outputs}");
    assert_eq!(outputs["changed"], true);
    let digest = outputs["digest"].clone();
    let target = |tag: &str| json!({ "reference": format!("myregistry.azurecr.io/app:{tag}"), "digest": digest, "changed": true });
    assert_eq!(outputs["targets"], json!([target("ca2"), target("latest")]));
    assert_eq!(outputs["images"][0]["platform"], "linux/amd64");

    // The log was told, as the command has said it.
    let log = log(&ran);
    for part in ["Downloading source code", "version 1.2", "Run ID: ca2 was successful"] {
        assert!(log.contains(part), "{part}\n{log}");
    }
    let (tree, config) = world.image("myregistry.azurecr.io/app:ca2");
    let there: Vec<&str> = tree.keys().filter_map(|path| path.strip_prefix("src/")).collect();
    assert_eq!(there, [".dockerignore", "Dockerfile.app", "expected", "kept.log", "version"]);
    assert_eq!(config["config"]["Labels"]["stage"], "build");
    assert_eq!((&config["os"], &config["architecture"]), (&json!("linux"), &json!("amd64")));
    let env = config["config"]["Env"].as_array().unwrap();
    assert!(env.contains(&json!("VERSION=1.2")), "{env:?}");
    // What was given in clear text is not to be found by the search for secrets.
    std::fs::remove_file(host.path("app/expected")).unwrap();
}

#[test]
fn secret_arguments_are_neither_said_nor_kept() {
    let world = world();
    // The command compares digests, so that the value stands nowhere else, and says it, as commands
    // do that mean no harm.
    let digest = "$(echo \"$NPM_TOKEN\" | sha256sum | cut -c1-8)";
    world.host.write(
        "app/Dockerfile",
        format!(
            "FROM myregistry.azurecr.io/base/busybox:1\nARG NPM_TOKEN\n\
             RUN echo \"token $NPM_TOKEN is there, {digest}\"\n"
        ),
    );
    let with = "context = \"app\"\nsecret-args = { NPM_TOKEN = \"npm\" }\n\
                tags = [\"myregistry.azurecr.io/app:1\"]";
    let ran = world.run(&build(with));
    outputs(&ran);
    let log = log(&ran);
    assert!(log.contains("is there"), "the command has run\n{log}");
    let kept = world.kept();
    for form in [TOKEN, "bnBtLXQwa2VuLTBmLXRoaXMtdGVzd"] {
        assert!(!ran.account().contains(form), "{form} was said\n{}", ran.account());
        assert!(!kept.contains(form), "{form} is kept");
    }
    assert!(!ran.account().contains(super::SECRET));
}

#[test]
fn a_build_that_fails_says_how_its_log_ends() {
    let world = world();
    let ran = |dockerfile: &str| {
        world.host.write("app/Dockerfile", dockerfile);
        world.host.write(
            "p.toml",
            super::pipeline(&build(
                "context = \"app\"\ntags = [\"myregistry.azurecr.io/app:1\"]\n",
            )),
        );
        let ran = world.host.run(&["run", "p.toml"]);
        ran.exits(1);
        ran
    };
    ran("FROM myregistry.azurecr.io/base/busybox:1\nRUN echo last words && exit 3\n").stderr_says(
        &["last words", "run `ca2` failed in Azure", "exit code 3", "its log says why"],
    );
    ran("FROM myregistry.azurecr.io/base/nothing:1\n")
        .stderr_says(&["run `ca3` failed in Azure", "myregistry.azurecr.io/base/nothing"]);
    ran("FORM scratch\n").stderr_says(&["run `ca4` failed in Azure", "FORM"]);
}

#[test]
fn where_azure_permits_no_tasks_the_way_out_is_told() {
    let world = World::new(&[]);
    world.host.write("app/Dockerfile", "FROM scratch\nCOPY . /\n");
    world.fault(
        &json!({ "fault": { "kind": "tasks-not-allowed" }, "on": "myregistry", "times": 10 }),
    );
    let with = "context = \"app\"\ntags = [\"myregistry.azurecr.io/app:1\"]\n";
    world.host.write(
        "p.toml",
        super::pipeline(
            &build(with).replace("[secrets.npm]\nfrom = \"env\"\nname = \"NPM_TOKEN\"\n", ""),
        ),
    );
    let ran = world.host.run(&["run", "p.toml"]);
    ran.exits(3).stderr_says(&[
        "ACR Tasks requests for the registry myregistry",
        "are not permitted",
        "`builder = \"local\"`",
    ]);
    // The way out is one.
    let local = with.replace("identity", "");
    let ran = world.run(&format!(
        "[[step]]\nid = \"step\"\nuses = \"build-image\"\n[step.with]\nbuilder = \"local\"\n{local}"
    ));
    assert!(outputs(&ran)["digest"].as_str().unwrap().starts_with("sha256:"));
}

#[test]
fn who_is_throttled_waits() {
    let world = World::new(&[]);
    world.host.write("app/Dockerfile", "FROM scratch\nCOPY . /\n");
    world.fault(&json!({
        "fault": { "kind": "throttle", "retry-after": 2 }, "on": "POST arm/subscriptions", "times": 1,
    }));
    world.fault(&json!({
        "fault": { "kind": "throttle", "retry-after": 1 }, "on": "scheduleRun", "times": 2,
    }));
    let began = Instant::now();
    let built = world.build("context = \"app\"\ntags = [\"myregistry.azurecr.io/app:1\"]");
    assert!(built["run-id"].as_str().unwrap().starts_with("ca"), "{built}");
    // Two seconds for the place of the context, one for each of two refusals of the run.
    assert!(began.elapsed().as_secs() >= 4, "{:?}", began.elapsed());
}
