//! What the host keeps for a step: registries, state, files.

use serde_json::json;
use support::{Access, DockerRegistry, Image, Skopeo, TestHost, push_with_skopeo, str};

use crate::{fails, host_with, outputs};

/// A guest that does `act` at `at`, with the lines `grant` under `[step.grant]`.
fn hands(act: &str, at: &str, more: &str, grant: &str) -> TestHost {
    let grant = if grant.is_empty() { String::new() } else { format!("\n[step.grant]\n{grant}") };
    host_with("hands", &format!("with = {{ act = \"{act}\", at = \"{at}\"{more} }}{grant}"))
}

fn registry_with(image: &Image) -> DockerRegistry {
    let registry = DockerRegistry::start(Access::Anonymous);
    push_with_skopeo(image, &registry, Access::Anonymous, "team/app:v1");
    registry
}

#[test]
fn a_granted_repository_can_be_read() {
    let image = Image::multi_arch(&["linux/amd64", "linux/arm64"], 100);
    let registry = registry_with(&image);
    let at = format!("{}/team/app:v1", registry.address());
    let grant = format!("oci.pull = [\"{}/team/*\"]", registry.address());
    let resolved = outputs(&hands("resolve", &at, "", &grant));
    let name = format!("{}/team/app", registry.address());
    assert_eq!(resolved, json!({ "digest": image.digest(), "name": name }));
    let manifest = outputs(&hands("manifest", &at, "", &grant));
    let bytes: serde_json::Value = serde_json::from_slice(&image.index).unwrap();
    assert_eq!(manifest["manifest"], bytes);
    assert_eq!(outputs(&hands("tags", &at, "", &grant))["tags"], json!(["v1"]));
}

#[test]
fn several_references_are_looked_up_each_by_its_grant() {
    let image = Image::multi_arch(&["linux/amd64"], 100);
    let registry = registry_with(&image);
    let at = |name: &str| format!("{}/{name}", registry.address());
    let grant = format!("oci.pull = [\"{}\"]", at("team/*"));
    let look = |other: &str| {
        let more = format!(", to = \"{}\"", at(other));
        outputs(&hands("lookup", &at("team/app:v1"), &more, &grant))
    };
    assert_eq!(look("team/none:v1")["found"], json!([image.digest(), null]));
    let before = registry.requests().len();
    let found = look("other/app:v1");
    assert_eq!(found["found"], json!([image.digest(), { "code": "denied.oci" }]));
    assert_eq!(found["requests"], json!({ "HEAD": 1 }));
    assert_eq!(registry.requests().len(), before + 1);
}

#[test]
fn a_repository_that_is_not_granted_is_denied_with_the_line_to_add() {
    let registry = DockerRegistry::start(Access::Anonymous);
    let at = format!("{}/team/app:v1", registry.address());
    fails(&hands("resolve", &at, "", "")).exits(3).stderr_is(str![[r#"
step  denied after [TOOK]: the step is not granted `oci.pull` for `127.0.0.1:[PORT]/team/app`

error: step `step` was denied
 --> p.toml:6:6
  |
6 | id = "step"
  |      ^^^^^^
  |
  = cause: the step is not granted `oci.pull` for `127.0.0.1:[PORT]/team/app`
  = help: add to `[step.grant]` of the step: oci.pull = ["127.0.0.1:[PORT]/team/app"]

"#]]);
    let other = format!("oci.pull = [\"{}/other/**\"]", registry.address());
    fails(&hands("resolve", &at, "", &other)).exits(3);
    assert!(registry.requests().is_empty(), "{:?}", registry.requests());
}

#[test]
fn pull_does_not_give_push() {
    let image = Image::multi_arch(&["linux/amd64"], 100);
    let registry = registry_with(&image);
    let address = registry.address();
    let (at, to) = (format!("{address}/team/app:v1"), format!("{address}/team/copy:v1"));
    let more = format!(", to = \"{to}\"");
    let denied = fails(&hands("copy", &at, &more, &format!("oci.pull = [\"{address}/team/*\"]")));
    denied.exits(3).stderr_says(&["oci.push"]);
    assert_eq!(Skopeo::new().tags(&format!("docker://{address}/team/copy")), [""; 0]);

    let grant = format!("oci.pull = [\"{address}/team/*\"]\noci.push = [\"{address}/team/copy\"]");
    let copied = outputs(&hands("copy", &at, &more, &grant));
    assert_eq!(copied["digest"], image.digest());
    assert_eq!(copied["mounted"], image.blobs.len());
    assert_eq!(Skopeo::new().digest(&format!("docker://{to}")), image.digest());
}

#[test]
fn what_the_plugin_never_asked_for_is_denied_though_it_is_granted() {
    let image = Image::multi_arch(&["linux/amd64"], 100);
    let registry = registry_with(&image);
    let at = format!("{}/team/app:v1", registry.address());
    let grant = format!("oci.delete = [\"{}/team/app\"]", registry.address());
    fails(&hands("delete", &at, "", &grant)).exits(3).stderr_is(str![[r#"
step  denied after [TOOK]: the plugin never asked for `oci.delete` and may not use it for `127.0.0.1:[PORT]/team/app`

error: step `step` was denied
 --> p.toml:6:6
  |
6 | id = "step"
  |      ^^^^^^
  |
  = cause: the plugin never asked for `oci.delete` and may not use it for `127.0.0.1:[PORT]/team/app`
  = help: the plugin's author adds a request for `oci.delete` to its `describe`

"#]]);
    assert_eq!(Skopeo::new().digest(&format!("docker://{at}")), image.digest());
}

#[test]
fn state_lasts_from_run_to_run_and_belongs_to_one_step() {
    let host = hands("count", "visits", "", "state = true");
    assert_eq!(outputs(&host), json!({ "count": 1, "version": 1, "keys": ["visits"] }));
    assert_eq!(outputs(&host), json!({ "count": 2, "version": 2, "keys": ["visits"] }));
    let other = host.read("p.toml").replace("name = \"one\"", "name = \"another\"");
    host.write("p.toml", other);
    assert_eq!(outputs(&host)["count"], 1, "another pipeline has a state of its own");
}

#[test]
fn a_write_that_expects_another_state_is_a_conflict() {
    let host = hands("claim", "lock", "", "state = true");
    assert_eq!(outputs(&host)["version"], 1);
    fails(&host).exits(1).stderr_is(str![[r#"
step  failed after [TOOK]: `lock` is not in the state that was expected

error: step `step` failed
 --> p.toml:6:6
  |
6 | id = "step"
  |      ^^^^^^
  |
  = cause: `lock` is not in the state that was expected
  = cause: it has version 1 now

"#]]);
}

#[test]
fn state_is_denied_without_a_grant() {
    fails(&hands("count", "visits", "", "")).exits(3).stderr_is(str![[r#"
step  denied after [TOOK]: the step is not granted `state` for `this step`

error: step `step` was denied
 --> p.toml:6:6
  |
6 | id = "step"
  |      ^^^^^^
  |
  = cause: the step is not granted `state` for `this step`
  = help: add to `[step.grant]` of the step: state = true

"#]]);
}

#[test]
fn files_are_read_and_written_where_the_grant_says_so() {
    let grant = "workspace = { read = [\"in\"], write = [\"out\"] }";
    let host = hands("read", "in/a.txt", "", grant).file("in/a.txt", "hello");
    assert_eq!(outputs(&host)["text"], "hello");
    let host = hands("entries", "in", "", grant).file("in/b", "").file("in/a", "");
    assert_eq!(outputs(&host)["names"], json!(["a", "b"]));
    let host = hands("write", "out/new/c.txt", ", to = \"text\"", grant);
    std::fs::create_dir(host.path("out")).unwrap();
    std::fs::create_dir(host.path("in")).unwrap();
    outputs(&host);
    assert_eq!(host.read("out/new/c.txt"), "text");
}

#[test]
fn a_file_that_is_not_granted_is_denied_with_the_line_to_add() {
    let host = hands("read", "in/a.txt", "", "").file("in/a.txt", "hello");
    fails(&host).exits(3).stderr_is(str![[r#"
step  denied after [TOOK]: the step is not granted `workspace.read` for `in/a.txt`

error: step `step` was denied
 --> p.toml:6:6
  |
6 | id = "step"
  |      ^^^^^^
  |
  = cause: the step is not granted `workspace.read` for `in/a.txt`
  = help: add to `[step.grant]` of the step: workspace.read = ["in/a.txt"]

"#]]);
    let host = hands("write", "in/a.txt", ", to = \"x\"", "workspace = { read = [\"in\"] }");
    host.write("in/a.txt", "hello");
    fails(&host).exits(3);
    assert_eq!(host.read("in/a.txt"), "hello");
}

#[test]
fn no_path_leads_out_of_a_granted_folder() {
    for path in ["in/../outside.txt", "../outside.txt", "/etc/passwd", "in/link"] {
        let host = hands("read", path, "", "workspace = { read = [\"in\"] }");
        host.write("in/a.txt", "hello");
        host.write("outside.txt", "not for you");
        std::os::unix::fs::symlink("../outside.txt", host.path("in/link")).unwrap();
        let failed = fails(&host);
        assert!(matches!(failed.code, Some(1 | 3)), "{path}: {}", failed.account());
        assert!(!failed.account().contains("not for you"), "{path}: {}", failed.account());
    }
}

#[test]
fn a_new_secret_is_kept_and_never_shown() {
    let host = hands("keep", "fresh", "", "secrets = { write = [\"fresh\"] }");
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    host.run(&["secret", "list"]).exits(0).stdout_is("fresh\n");
    let denied = hands("keep", "fresh", "", "secrets = { write = [\"other\"] }");
    fails(&denied).exits(3);
    denied.run(&["secret", "list"]).exits(0).stdout_is("");
}
