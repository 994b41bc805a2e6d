//! `watch-base-image`: the real program against registries whose images move.

mod bases;
mod broken;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use support::{
    Access, DockerRegistry, Embedded, FaultProxy, Image, Moment, Skopeo, TempDir, TestHost,
    Trouble, When, poll,
};

use crate::host;

const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];

/// An image whose bytes are those of its number.
pub(crate) fn image(number: usize) -> Image {
    Image::multi_arch(&PLATFORMS, 1_000 + number)
}

/// An index with one platform of each; `note` makes it another index.
fn index_of(amd64: &Image, arm64: &Image, note: &str) -> Image {
    let parse = |image: &Image| serde_json::from_slice::<Value>(&image.index).unwrap();
    let (mut index, other) = (parse(amd64), parse(arm64));
    index["manifests"][1] = other["manifests"][1].clone();
    index["annotations"] = json!({ "note": note });
    let blobs: BTreeMap<_, _> = amd64.blobs.iter().chain(&arm64.blobs).cloned().collect();
    Image {
        index: serde_json::to_vec(&index).unwrap(),
        manifests: vec![amd64.manifests[0].clone(), arm64.manifests[1].clone()],
        blobs: blobs.into_iter().collect(),
    }
}

/// Pushes to `name`, `REPOSITORY:TAG`, of the registry at `address`.
pub(crate) fn push(image: &Image, address: &str, name: &str) {
    let folder = TempDir::new().unwrap();
    image.write_layout(folder.path(), "it");
    let from = format!("oci:{}:it", folder.path().display());
    Skopeo::new().copy_all(&from, &format!("docker://{address}/{name}"));
}

/// A pipeline with one step `watch`; `with` is the inside of its table.
pub(crate) fn pipeline(with: &str) -> String {
    format!(
        "schema = 1\n[pipeline]\nname = \"watch\"\n\n[[step]]\nid = \"watch\"\n\
         uses = \"watch-base-image\"\n[step.with]\n{with}\n"
    )
}

/// Runs one check, which must succeed, and gives its outputs.
#[track_caller]
pub(crate) fn watch(host: &TestHost, with: &str) -> Value {
    host.write("p.toml", pipeline(with));
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    let finished = ran.finished("watch");
    let status = if finished["outputs"]["changed"] == true { "changed" } else { "unchanged" };
    assert_eq!(finished["status"], status, "{}", ran.account());
    finished["outputs"].clone()
}

/// What has changed: `(platform, old, new)`.
pub(crate) fn changes(outputs: &Value) -> Vec<(Option<String>, Option<String>, String)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let images = outputs["images"].as_array().unwrap().iter();
    images.map(|it| (text(&it["platform"]), text(&it["old"]), text(&it["new"]).unwrap())).collect()
}

/// That the manifest for the platform at `place` of [`PLATFORMS`] is another one.
pub(crate) fn change(
    place: usize,
    old: Option<&Image>,
    new: &Image,
) -> (Option<String>, Option<String>, String) {
    let digest = |image: &Image| image.manifests[place].0.clone();
    (Some(PLATFORMS[place].to_owned()), old.map(digest), digest(new))
}

/// The whole story of one tag in the registry at `address`.
fn a_tag_moves(address: &str) {
    let host = host();
    let with = format!("images = [\"{address}/base:1\"]");
    let (a, b) = (image(1), image(2));
    push(&a, address, "base:1");
    let first = watch(&host, &with);
    assert_eq!((&first["changed"], &first["images"]), (&json!(false), &json!([])));
    assert_eq!(first["watched"][0]["image"], format!("{address}/base:1"));
    assert_eq!(first["watched"][0]["digest"], a.digest());
    assert_eq!(first["requests"], json!({ "HEAD": 1, "GET": 1 }));
    assert_eq!(watch(&host, &with)["requests"], json!({ "HEAD": 1 }));

    let moved = index_of(&a, &a, "moved");
    push(&moved, address, "base:1");
    assert_eq!(changes(&watch(&host, &with)), []);
    let again = watch(&host, &with);
    assert_eq!(
        (&again["watched"][0]["digest"], &again["requests"]),
        (&json!(moved.digest()), &json!({ "HEAD": 1 }))
    );

    push(&index_of(&a, &b, ""), address, "base:1");
    // Somebody else who runs on the other platform.
    let amd64 = format!("{with}\nplatforms = [\"linux/amd64\"]");
    let both = watch(&host, &with);
    assert_eq!(changes(&both), [change(1, Some(&a), &b)]);
    assert_eq!(
        (&both["images"][0]["tag"], &both["images"][0]["old-tag"]),
        (&json!("1"), &Value::Null)
    );
    assert_eq!(changes(&watch(&host, &with)), []);
    push(&index_of(&a, &image(3), ""), address, "base:1");
    assert_eq!(changes(&watch(&host, &amd64)), []);
}

#[test]
fn a_change_is_told_once_from_docker_registry() {
    let registry = DockerRegistry::start(Access::Anonymous);
    a_tag_moves(&registry.address());
}

#[test]
fn a_change_is_told_once_from_the_embedded_registry() {
    let (host, files) = (host(), TempDir::new().unwrap());
    a_tag_moves(Embedded::start(&host, files.path()).address());
}

#[test]
fn a_registry_hears_one_head_of_an_unchanged_image() {
    let registry = DockerRegistry::start(Access::Anonymous);
    let proxy = FaultProxy::before(&registry.address());
    push(&image(1), &registry.address(), "base:1");
    let host = host();
    let with = format!("images = [\"{}/base:1\"]", proxy.address());
    watch(&host, &with);
    proxy.forget();
    watch(&host, &with);
    assert_eq!(proxy.counts(), BTreeMap::from([("HEAD".to_owned(), 1)]));
    // One that does not answer HEAD is asked by GET.
    proxy.forget();
    proxy.trouble(When::asked("HEAD", "/manifests/").always(), Trouble::Refuse(405));
    assert_eq!(changes(&watch(&host, &with)), []);
    assert_eq!(proxy.counts(), BTreeMap::from([("HEAD".to_owned(), 1), ("GET".to_owned(), 1)]));
}

#[test]
fn the_first_sight_fires_if_it_is_told_to() {
    let registry = DockerRegistry::start(Access::Anonymous);
    let a = image(1);
    push(&a, &registry.address(), "base:1");
    let host = host();
    let with = format!("images = [\"{}/base:1\"]\nfirst-seen = \"fire\"", registry.address());
    assert_eq!(changes(&watch(&host, &with)), [change(0, None, &a), change(1, None, &a)]);
    assert_eq!(changes(&watch(&host, &with)), []);
}

#[test]
fn several_that_change_are_told_together_once_they_have_settled() {
    let registry = DockerRegistry::start(Access::Anonymous);
    let address = registry.address();
    let (a, b) = (image(1), image(2));
    for name in ["one:1", "two:1"] {
        push(&a, &address, name);
    }
    let host = host();
    let with = |settle: &str| {
        format!(
            "images = [\"{address}/one:1\", \"{address}/two:1\"]\nsettle = \"{settle}\"\nplatforms = \"linux/amd64\""
        )
    };
    watch(&host, &with("1h"));
    push(&b, &address, "one:1");
    let one = watch(&host, &with("1h"));
    assert_eq!(
        (&one["changed"], &one["watched"][1]["settling-until"]),
        (&json!(false), &Value::Null)
    );
    assert!(one["watched"][0]["settling-until"].as_str().unwrap().ends_with('Z'), "{one}");
    // Both move on, and settle together.
    push(&b, &address, "two:1");
    push(&image(3), &address, "one:1");
    let mut told = Vec::new();
    poll("both to be told", || {
        told = changes(&watch(&host, &with("1s")));
        (!told.is_empty()).then_some(())
    });
    assert_eq!(told, [change(0, Some(&a), &image(3)), change(0, Some(&a), &b)]);
    assert_eq!(changes(&watch(&host, &with("1s"))), []);
}

#[test]
fn an_index_that_lacks_a_wanted_platform_is_waited_for() {
    let registry = DockerRegistry::start(Access::Anonymous);
    let address = registry.address();
    let (a, b) = (image(1), image(2));
    push(&a, &address, "base:1");
    let host = host();
    let with = format!(
        "images = [\"{address}/base:1\"]\nsettle = \"1ms\"\nplatforms = [\"linux/amd64\", \"linux/arm64\"]"
    );
    watch(&host, &with);
    push(&Image::multi_arch(&["linux/amd64"], 1_002), &address, "base:1");
    let half = watch(&host, &with);
    assert_eq!(half["watched"][0]["waiting-for"], json!(["linux/arm64"]));
    assert_eq!(half["changed"], false);
    push(&b, &address, "base:1");
    let mut told = Vec::new();
    poll("the index to settle", || {
        told = changes(&watch(&host, &with));
        (!told.is_empty()).then_some(())
    });
    assert_eq!(told, [change(0, Some(&a), &b), change(1, Some(&a), &b)]);
}

#[test]
fn the_newest_version_is_followed() {
    let registry = DockerRegistry::start(Access::Anonymous);
    let address = registry.address();
    push(&image(1), &address, "base:1.9-slim");
    push(&image(9), &address, "base:2.0-slim");
    let host = host();
    let with = format!("images = [\"{address}/base\"]\nsemver = \"<2\"\ntag-regex = '(.*)-slim'");
    watch(&host, &with);
    push(&image(2), &address, "base:1.10-slim");
    push(&image(3), &address, "base:1.11-fat");
    let told = watch(&host, &with);
    assert_eq!(changes(&told)[0], change(0, Some(&image(1)), &image(2)));
    let first = &told["images"][0];
    assert_eq!(
        [&first["image"], &first["tag"], &first["old-tag"]],
        [&json!(format!("{address}/base:1.10-slim")), &json!("1.10-slim"), &json!("1.9-slim")]
    );
    let again = watch(&host, &with);
    assert_eq!(
        (&again["changed"], &again["requests"]),
        (&json!(false), &json!({ "GET": 1, "HEAD": 1 }))
    );
}

#[test]
fn two_runs_at_once_tell_a_change_once() {
    let registry = DockerRegistry::start(Access::Anonymous);
    let proxy = FaultProxy::before(&registry.address());
    let host = host();
    let with = format!("images = [\"{}/base:1\"]", proxy.address());
    push(&image(0), &registry.address(), "base:1");
    watch(&host, &with);
    for round in 1..=3 {
        push(&image(round), &registry.address(), "base:1");
        proxy.forget();
        // Both have read what is known before either learns what has changed.
        let gate = proxy.hold(When::asked("HEAD", "/manifests/").times(2), Moment::Before);
        let told: Vec<bool> = std::thread::scope(|scope| {
            let run = || {
                let ran = host.run(&["run", "p.toml", "--format", "json"]);
                ran.exits(0);
                ran.finished("watch")["outputs"]["changed"] == true
            };
            let runs = [scope.spawn(run), scope.spawn(run)];
            poll("both runs", || (gate.arrived() == 2).then_some(()));
            gate.open();
            runs.map(|run| run.join().unwrap()).to_vec()
        });
        assert_eq!(told.iter().filter(|told| **told).count(), 1, "round {round}: {told:?}");
    }
}

#[test]
fn layers_and_labels_are_told_on_request() {
    let registry = DockerRegistry::start(Access::Anonymous);
    let address = registry.address();
    let (a, b) = (image(1), image(2));
    push(&a, &address, "base:1");
    let host = host();
    let with =
        format!("images = [\"{address}/base:1\"]\nplatforms = \"linux/arm64\"\nchanges = true");
    watch(&host, &with);
    push(&b, &address, "base:1");
    let told = watch(&host, &with);
    let layers = &told["images"][0]["layers"];
    let layer = |image: &Image| {
        serde_json::from_slice::<Value>(&image.manifests[1].1).unwrap()["layers"][0].clone()
    };
    assert_eq!(layers["added"][0]["digest"], layer(&b)["digest"]);
    assert_eq!(layers["removed"][0]["digest"], layer(&a)["digest"]);
    assert_eq!((&told["images"][0]["labels"], &told["images"][0]["env"]), (&json!({}), &json!({})));
}
