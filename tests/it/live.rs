//! `windlass plan --live` and steps with `dry-run`: what would change, by looking alone.

use serde_json::Value;
use support::{
    Access, DockerRegistry, Embedded, Image, Output, Skopeo, TempDir, TestHost, push_with_skopeo,
    str,
};

use crate::host;
use crate::import::pipeline;

fn image() -> Image {
    Image::multi_arch(&["linux/amd64", "linux/arm64"], 10_000)
}

/// The verdicts, `STEP: VERDICT` each.
fn verdicts(ran: &Output) -> Vec<String> {
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    let word = |step: &Value, key: &str| step[key].as_str().unwrap().to_owned();
    let steps = told["steps"].as_array().unwrap().iter();
    steps.map(|step| format!("{}: {}", word(step, "step"), word(step, "verdict"))).collect()
}

/// Everything that was asked of `registry` changed nothing.
#[track_caller]
fn assert_untouched(registry: &DockerRegistry, before: usize) {
    let requests = registry.requests();
    let writes: Vec<&String> = requests
        .iter()
        .skip(before)
        .filter(|line| !line.starts_with("GET ") && !line.starts_with("HEAD "))
        .collect();
    assert_eq!(writes, [""; 0]);
}

#[test]
fn a_live_plan_tells_each_image_apart_and_changes_nothing() {
    let (image, old) = (image(), Image::multi_arch(&["linux/amd64"], 10));
    let source = DockerRegistry::start(Access::Anonymous);
    let target = DockerRegistry::start(Access::Anonymous);
    let (from, to) = (source.address(), target.address());
    for tag in ["same", "new", "moved"] {
        push_with_skopeo(&image, &source, Access::Anonymous, &format!("app:{tag}"));
    }
    push_with_skopeo(&image, &target, Access::Anonymous, "app:same");
    push_with_skopeo(&old, &target, Access::Anonymous, "app:moved");
    let before = target.requests().len();
    let with = format!(
        "source = \"{from}/app\"\ntarget = \"{to}/app\"\ntags = [\"same\", \"new\", \"moved\"]\nforce = true"
    );
    let host = host().file("p.toml", pipeline(&with));
    let ran = host.run(&["plan", "p.toml", "--live"]);
    ran.exits(0);
    let (digest, old) = (image.digest(), old.digest());
    let moved = format!("moves tag `moved` from {} to {}", &old[..19], &digest[..19]);
    let same = format!("`{to}/app:same` has the same digest as `{from}/app:same`");
    for part in
        ["import  would change: 2 of 3 images would be copied", "new tag `new`", &moved, &same]
    {
        assert!(ran.stdout.contains(part), "{part}\n{}", ran.account());
    }
    assert_untouched(&target, before);
    host.run(&["plan", "p.toml", "--live", "--detailed-exitcode"]).exits(10);
    let json = host.run(&["plan", "p.toml", "--live", "--format", "json"]);
    assert_eq!(verdicts(json.exits(0)), ["import: would-change"]);
    assert_untouched(&target, before);

    host.run(&["run", "p.toml"]).exits(0);
    host.run(&["plan", "p.toml", "--live", "--detailed-exitcode"]).exits(0);
}

/// An image like no other of the same test.
fn numbered(number: usize) -> Image {
    Image::multi_arch(&["linux/amd64"], 100_000 + number)
}

#[test]
fn there_is_a_line_for_each_case() {
    let source = DockerRegistry::start(Access::Anonymous);
    let target = DockerRegistry::start(Access::Anonymous);
    let closed = DockerRegistry::start(Access::Basic);
    let (from, to) = (source.address(), target.address());
    for (number, tag) in ["same", "new", "moved", "known"].into_iter().enumerate() {
        let name = format!("app:{tag}");
        push_with_skopeo(&numbered(number), &source, Access::Anonymous, &name);
    }
    for (number, tag) in [(0, "same"), (7, "moved"), (3, "another")] {
        let name = format!("app:{tag}");
        push_with_skopeo(&numbered(number), &target, Access::Anonymous, &name);
    }
    push_with_skopeo(&numbered(8), &target, Access::Anonymous, "elsewhere:v1");
    push_with_skopeo(&numbered(8), &source, Access::Anonymous, "library:v1");
    let before = target.requests().len();
    let host = host();
    let plan = |with: &str| {
        host.write("p.toml", pipeline(with));
        host.run(&["plan", "p.toml", "--live"])
    };
    // The same digest, something to send, a tag that moves, an image that is there under another tag.
    let tags = "tags = [\"same\", \"new\", \"moved\", \"known\"]";
    let app = format!("source = \"{from}/app\"\ntarget = \"{to}/app\"\n{tags}");
    plan(&format!("{app}\nforce = true")).exits(0).stderr_is("").stdout_is(str![[r#"
import: 1 step, nothing is changed

import  would change: 3 of 4 images would be copied, 202.1 KiB to send
  would copy `127.0.0.1:[PORT]/app:known` to `127.0.0.1:[PORT]/app:known` (sha256:[DIGEST]): it exists there under its digest, new tag `known`
  would copy `127.0.0.1:[PORT]/app:moved` to `127.0.0.1:[PORT]/app:moved` (sha256:[DIGEST]): 100.6 KiB to send, 1 there already, moves tag `moved` from sha256:[DIGEST] to sha256:[DIGEST]
  would copy `127.0.0.1:[PORT]/app:new` to `127.0.0.1:[PORT]/app:new` (sha256:[DIGEST]): 100.6 KiB to send, 1 there already, new tag `new`
  `127.0.0.1:[PORT]/app:same` has the same digest as `127.0.0.1:[PORT]/app:same` (sha256:[DIGEST])

"#]]);
    // Without `force` the tag stays where it is.
    plan(&app).exits(1).stderr_is("").stdout_is(str![[r#"
import: 1 step, nothing is changed

import  failed: 1 of 4 images could not be copied
  help: each has a line of its own that says why
  would copy `127.0.0.1:[PORT]/app:known` to `127.0.0.1:[PORT]/app:known` (sha256:[DIGEST]): it exists there under its digest, new tag `known`
  would copy `127.0.0.1:[PORT]/app:new` to `127.0.0.1:[PORT]/app:new` (sha256:[DIGEST]): 100.6 KiB to send, 1 there already, new tag `new`
  `127.0.0.1:[PORT]/app:same` has the same digest as `127.0.0.1:[PORT]/app:same` (sha256:[DIGEST])
  error: copy `127.0.0.1:[PORT]/app:moved` to `127.0.0.1:[PORT]/app:moved`: the tag `moved` points at sha256:[DIGEST], not at sha256:[DIGEST] (set `force = true` to move the tag)

"#]]);
    // What the registry has, it need not be sent: from its own repository, and from one that is named.
    plan(&format!("source = \"{to}/app:same\"\ntarget = \"{to}/mirror/app\""))
        .exits(0)
        .stderr_is("")
        .stdout_is(str![[r#"
import: 1 step, nothing is changed

import  would change: 1 of 1 image would be copied, 848 B to send, 101.8 KiB to mount
  would copy `127.0.0.1:[PORT]/app:same` to `127.0.0.1:[PORT]/mirror/app:same` (sha256:[DIGEST]): 848 B to send, 3 to mount (101.8 KiB), new tag `same`

"#]]);
    let named = format!("mount-from = \"{to}/elsewhere\"");
    plan(&format!("source = \"{from}/library:v1\"\ntarget = \"{to}/mirror/library\"\n{named}"))
        .exits(0)
        .stderr_is("")
        .stdout_is(str![[r#"
import: 1 step, nothing is changed

import  would change: 1 of 1 image would be copied, 848 B to send, 101.8 KiB to mount
  would copy `127.0.0.1:[PORT]/library:v1` to `127.0.0.1:[PORT]/mirror/library:v1` (sha256:[DIGEST]): 848 B to send, 3 to mount (101.8 KiB), new tag `v1`

"#]]);
    plan(&format!("source = \"{}/app:v1\"\ntarget = \"{to}/app:v1\"", closed.address()))
        .exits(4)
        .stderr_is("")
        .stdout_is(str![[r#"
import: 1 step, nothing is changed

import  failed: no credentials: copy `127.0.0.1:[PORT]/app:v1` to `127.0.0.1:[PORT]/app:v1`: GET http://127.0.0.1:[PORT]/v2/app/manifests/v1: 401 UNAUTHORIZED: authentication required
  help: give the registry a credential in `[registries."127.0.0.1:[PORT]"]`, or check that yours may do this

"#]]);
    assert_untouched(&target, before);
}

#[test]
fn what_speaks_about_an_image_is_foretold_too() {
    let image = image();
    let host = host();
    let source = Embedded::start(&host, &host.path("registry"));
    let target = DockerRegistry::start(Access::Anonymous);
    let folder = TempDir::new().unwrap();
    let (from, to) = (source.address(), target.address());
    image.write_layout(folder.path(), "it");
    let layout = format!("oci:{}", folder.path().display());
    Skopeo::new().copy_all(&format!("{layout}:it"), &format!("docker://{from}/app:v1"));
    let with = format!("source = \"{from}/app:v1\"\ntarget = \"{to}/app:v1\"");
    host.write("p.toml", pipeline(&with));
    host.run(&["run", "p.toml", "--quiet"]).exits(0);
    let signature = image.referrer("application/vnd.example.signature");
    signature.write_referrer_layout(folder.path(), "signature");
    Skopeo::new()
        .copy_all(&format!("{layout}:signature"), &format!("docker://{from}/app:signature"));
    host.write("p.toml", pipeline(&format!("{with}\nreferrers = \"always\"")));
    host.run(&["plan", "p.toml", "--live", "--detailed-exitcode"]).exits(10).stdout_is(str![[r#"
import: 1 step, nothing is changed

import  would change: 1 of 1 image would be copied, 2.7 KiB to send
  would copy `127.0.0.1:[PORT]/app:v1` to `127.0.0.1:[PORT]/app:v1` (sha256:[DIGEST]): it exists there under its digest, 2.7 KiB to send, with 1 referrer

"#]]);
    host.run(&["run", "p.toml", "--quiet"]).exits(0);
    host.run(&["plan", "p.toml", "--live", "--detailed-exitcode"]).exits(0).stdout_is(str![[r#"
import: 1 step, nothing is changed

import  up to date
  `127.0.0.1:[PORT]/app:v1` has the same digest as `127.0.0.1:[PORT]/app:v1` (sha256:[DIGEST])

"#]]);
}

#[test]
fn a_live_plan_gives_its_numbers_as_data() {
    let image = image();
    let source = DockerRegistry::start(Access::Anonymous);
    let target = DockerRegistry::start(Access::Anonymous);
    push_with_skopeo(&image, &source, Access::Anonymous, "app:v1");
    let (from, to) = (source.address(), target.address());
    let with = format!("source = \"{from}/app:v1\"\ntarget = \"{to}/app:v1\"");
    let host = host().file("p.toml", pipeline(&with));
    let foretold = host.run(&["plan", "p.toml", "--live", "--format", "json"]);
    let foretold: Value = serde_json::from_str(&foretold.exits(0).stdout).unwrap();
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    let mut did = ran.exits(0).finished("import")["outputs"].clone();
    let mut would = foretold["steps"][0]["outputs"].clone();
    // What is asked for and how long that takes is another matter.
    for outputs in [&mut did, &mut would] {
        for key in ["requests", "duration-ms"] {
            assert!(!outputs[key].take().is_null(), "{key}");
        }
    }
    assert_eq!(would, did);
    assert_eq!(foretold["changes"], true);
}

#[test]
fn a_registry_without_credentials_is_told_and_the_others_are_looked_at() {
    let image = image();
    let source = DockerRegistry::start(Access::Basic);
    let open = DockerRegistry::start(Access::Anonymous);
    push_with_skopeo(&image, &open, Access::Anonymous, "app:v1");
    let with = format!(
        "sources = [\"{}/app:v1\", \"{}/app:v1\"]\ntargets = [\"oci-layout:a\", \"oci-layout:b\"]",
        source.address(),
        open.address()
    );
    let host = host().file("p.toml", pipeline(&with));
    let ran = host.run(&["plan", "p.toml", "--live"]);
    ran.exits(4);
    for part in ["no credentials", "would copy"] {
        assert!(ran.stdout.contains(part), "{part}\n{}", ran.account());
    }
    assert!(!host.path("a").exists() && !host.path("b").exists());
}

#[test]
fn a_step_after_one_that_would_change_something_may_not_be_told() {
    let image = image();
    let source = DockerRegistry::start(Access::Anonymous);
    push_with_skopeo(&image, &source, Access::Anonymous, "app:v1");
    let first = pipeline(&format!(
        "source = \"{}/app:v1\"\ntarget = \"oci-layout:out:v1\"",
        source.address()
    ));
    let host = host().file(
        "p.toml",
        format!(
            r#"{first}
[[step]]
id = "on"
uses = "import-image"
when = "steps.import.outputs.changed"
with = {{ source = "oci-layout:out:v1", target = "oci-layout:more:v1", expect-digest = "{{{{ steps.import.outputs.digest }}}}" }}

[[step]]
id = "hands"
uses = "{}"
needs = []
grant = {{ state = true, workspace = {{ write = ["made"] }} }}
with = {{ act = "write", at = "made/x", to = "text" }}
"#,
            TestHost::guest("hands")
        ),
    );
    host.write("made/before", "");
    let ran = host.run(&["plan", "p.toml", "--live", "--format", "json"]);
    let told = verdicts(&ran);
    assert!(told.contains(&"import: would-change".to_owned()), "{}", ran.account());
    assert!(told.contains(&"on: cannot-tell".to_owned()), "{}", ran.account());
    assert!(told.contains(&"hands: cannot-tell".to_owned()), "{}", ran.account());
    ran.exits(0);
    assert!(!host.path("out").exists() && !host.path("made/x").exists());
}

#[test]
fn a_step_that_is_a_dry_run_changes_nothing_in_a_run_either() {
    let image = image();
    let source = DockerRegistry::start(Access::Anonymous);
    let target = DockerRegistry::start(Access::Anonymous);
    push_with_skopeo(&image, &source, Access::Anonymous, "app:v1");
    let with =
        format!("source = \"{}/app:v1\"\ntarget = \"{}/app\"", source.address(), target.address());
    let text = pipeline(&with).replace("uses = ", "dry-run = true\nuses = ");
    let host = host().file("p.toml", text);
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    let finished = ran.finished("import");
    assert_eq!(finished["status"], "changed");
    assert_eq!(finished["outputs"]["digest"], image.digest());
    assert_untouched(&target, 0);
    assert_eq!(Skopeo::new().tags(&format!("docker://{}/app", target.address())), [""; 0]);
}
