use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use minijinja::{Environment, UndefinedBehavior, Value, context};
use serde_json::json;

use super::*;
use crate::host::Head;
use crate::inputs::requests;
use crate::target::join;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A host whose registries are a table of references and digests, and whose clock stands.
#[derive(Default)]
pub(crate) struct Table {
    tags: RefCell<BTreeMap<String, String>>,
    manifests: RefCell<BTreeMap<String, (String, Vec<u8>)>>,
    files: RefCell<BTreeMap<String, String>>,
    broken: RefCell<BTreeSet<String>>,
    state: RefCell<BTreeMap<String, (Vec<u8>, u64)>>,
    asked: RefCell<BTreeMap<String, u64>>,
    pub(crate) writes: Cell<usize>,
    clock: Cell<u64>,
    said: RefCell<Vec<String>>,
}

impl Table {
    /// A single image.
    fn image(&self, reference: &str, digest: &str) {
        self.tags.borrow_mut().insert(reference.to_owned(), digest.to_owned());
        let manifest = (MANIFEST.to_owned(), b"{}".to_vec());
        self.manifests.borrow_mut().insert(digest.to_owned(), manifest);
    }

    /// An index of these platforms and digests.
    fn index(&self, reference: &str, digest: &str, platforms: &[(&str, &str)]) {
        self.tags.borrow_mut().insert(reference.to_owned(), digest.to_owned());
        let entry = |(platform, digest): &(&str, &str)| {
            let (os, architecture) = platform.split_once('/').unwrap();
            json!({ "digest": digest, "platform": { "os": os, "architecture": architecture } })
        };
        let entries: Vec<_> = platforms.iter().map(entry).collect();
        let content = json!({ "manifests": entries }).to_string().into_bytes();
        self.manifests.borrow_mut().insert(digest.to_owned(), (INDEX.to_owned(), content));
    }

    fn count(&self, method: &str) {
        *self.asked.borrow_mut().entry(method.to_owned()).or_default() += 1;
    }

    /// One run; what it asked of registries, and what came of it.
    fn run(&self, inputs: &str) -> (String, Result<Outputs>) {
        self.asked.borrow_mut().clear();
        let inputs: Inputs = serde_json::from_str(inputs).unwrap();
        let outputs = watch(&inputs, false, self).map(|(outputs, _)| outputs);
        let asked = self.asked.borrow();
        let asked: Vec<String> =
            asked.iter().map(|(method, count)| format!("{count} {method}")).collect();
        (asked.join(" "), outputs)
    }
}

impl Host for Table {
    fn open(&self, reference: &str) -> Result<(String, String)> {
        if reference.contains("denied") {
            return Err(Error::new("denied.oci", "not granted"));
        }
        let place = images::Place::split(reference);
        let selector = place.digest.or(place.tag).unwrap_or("latest");
        Ok((place.name.to_owned(), selector.to_owned()))
    }

    fn resolve(&self, repository: &str, selector: &str) -> Result<Option<Head>> {
        self.count("HEAD");
        let reference = join(repository, selector);
        if self.broken.borrow().contains(&reference) {
            return Err(Error::new("oci.transient", "503").retryable());
        }
        let tags = self.tags.borrow();
        let Some(digest) = tags.get(&reference) else { return Ok(None) };
        let (media_type, content) = self.manifests.borrow()[digest].clone();
        Ok(Some(Head { digest: digest.clone(), media_type, size: content.len() as u64 }))
    }

    fn resolve_all(&self, references: &[String]) -> Vec<Result<Option<Head>>> {
        let resolve = |reference: &String| {
            let (repository, selector) = self.open(reference)?;
            self.resolve(&repository, &selector)
        };
        references.iter().map(resolve).collect()
    }

    fn manifest(&self, _: &str, digest: &str) -> Result<Vec<u8>> {
        self.count("GET");
        let manifests = self.manifests.borrow();
        let found = manifests.get(digest).map(|(_, content)| content.clone());
        found.ok_or_else(|| Error::new("oci.not-found", "no manifest"))
    }

    fn blob(&self, _: &str, blob: &Head) -> Result<Vec<u8>> {
        self.count("GET");
        let manifests = self.manifests.borrow();
        let found = manifests.get(&blob.digest).map(|(_, content)| content.clone());
        found.ok_or_else(|| Error::new("oci.not-found", "no blob"))
    }

    fn tags(&self, repository: &str) -> Result<Vec<String>> {
        self.count("GET");
        let prefix = format!("{repository}:");
        let tags = self.tags.borrow();
        Ok(tags.keys().filter_map(|at| at.strip_prefix(&prefix)).map(str::to_owned).collect())
    }

    fn read(&self, path: &str) -> Result<String> {
        let files = self.files.borrow();
        files.get(path).cloned().ok_or_else(|| Error::new("not-found.workspace", "no file"))
    }

    fn load(&self, key: &str) -> Result<Option<(Vec<u8>, u64)>> {
        Ok(self.state.borrow().get(key).cloned())
    }

    fn save(&self, key: &str, value: &[u8], version: Option<u64>) -> Result<bool> {
        let mut state = self.state.borrow_mut();
        let now = state.get(key).map(|(_, version)| *version);
        if now != version {
            return Ok(false);
        }
        state.insert(key.to_owned(), (value.to_vec(), now.unwrap_or_default() + 1));
        self.writes.set(self.writes.get() + 1);
        Ok(true)
    }

    fn machine(&self) -> String {
        "linux/amd64".to_owned()
    }

    fn now(&self) -> u64 {
        self.clock.get()
    }

    fn requests(&self) -> BTreeMap<String, u64> {
        self.asked.borrow().clone()
    }

    fn say(&self, text: &str) {
        self.said.borrow_mut().push(text.to_owned());
    }

    fn warn(&self, text: &str) {
        self.said.borrow_mut().push(format!("warning: {text}"));
    }
}

/// The changes as text: `IMAGE PLATFORM OLD>NEW`.
fn changes(outputs: &Outputs) -> Vec<String> {
    let say = |image: &Image| {
        let platform = image.platform.as_ref().map(|it| format!(" {it}")).unwrap_or_default();
        let old = image.old.as_deref().unwrap_or("-");
        format!("{}{platform} {old}>{}", image.image, image.new)
    };
    outputs.images.iter().map(say).collect()
}

/// Runs, and gives what was asked and what has changed.
#[track_caller]
fn told(host: &Table, inputs: &str) -> (String, Vec<String>) {
    let (asked, outputs) = host.run(inputs);
    let outputs = outputs.unwrap();
    assert_eq!(outputs.changed, !outputs.images.is_empty());
    (asked, changes(&outputs))
}

fn both(amd64: &'static str, arm64: &'static str) -> [(&'static str, &'static str); 2] {
    [("linux/amd64", amd64), ("linux/arm64", arm64)]
}

fn is(asked: &str, changes: &[&str]) -> (String, Vec<String>) {
    (asked.to_owned(), changes.iter().map(|change| (*change).to_owned()).collect())
}

#[test]
fn an_image_costs_one_head_while_it_stays_and_is_told_once_when_it_has_changed() {
    let host = Table::default();
    let inputs = r#"{"images": ["r.io/a:1"]}"#;
    host.index("r.io/a:1", "i:1", &both("m:a", "m:b"));
    assert_eq!(told(&host, inputs), is("1 GET 1 HEAD", &[]));
    assert_eq!(told(&host, inputs), is("1 HEAD", &[]));
    host.index("r.io/a:1", "i:2", &both("m:a", "m:c"));
    assert_eq!(told(&host, inputs), is("1 GET 1 HEAD", &["r.io/a:1 linux/arm64 m:b>m:c"]));
    assert_eq!(told(&host, inputs), is("1 HEAD", &[]));
    // The index moves, what it lists stays.
    host.index("r.io/a:1", "i:3", &both("m:a", "m:c"));
    assert_eq!(told(&host, inputs), is("1 GET 1 HEAD", &[]));
    assert_eq!(told(&host, inputs), is("1 HEAD", &[]));
    assert_eq!(host.writes.get(), 3);
}

#[test]
fn only_the_wanted_platforms_count() {
    let host = Table::default();
    let inputs = r#"{"images": ["r.io/a:1"], "platforms": ["linux/x86_64"], "first-seen": "fire"}"#;
    host.index("r.io/a:1", "i:1", &both("m:a", "m:b"));
    assert_eq!(told(&host, inputs), is("1 GET 1 HEAD", &["r.io/a:1 linux/amd64 ->m:a"]));
    host.index("r.io/a:1", "i:2", &both("m:a", "m:c"));
    assert_eq!(told(&host, inputs), is("1 GET 1 HEAD", &[]));
    host.index("r.io/a:1", "i:3", &[("linux/arm64", "m:d")]);
    let (_, outputs) = host.run(inputs);
    let error = outputs.unwrap_err();
    assert_eq!(error.code(), "not-found.platform");
    assert_eq!(error.message(), "check `r.io/a:1`: it has no image for linux/amd64");
}

#[test]
fn several_that_change_together_are_told_once_they_have_settled() {
    let host = Table::default();
    let inputs = r#"{"images": ["r.io/a", "r.io/b"], "settle": "10s"}"#;
    host.image("r.io/a:latest", "m:a");
    host.image("r.io/b:latest", "m:b");
    assert_eq!(told(&host, inputs), is("2 HEAD", &[]));
    host.image("r.io/a:latest", "m:a2");
    host.clock.set(1_000);
    let (_, outputs) = host.run(inputs);
    let watched = &outputs.unwrap().watched;
    assert_eq!(watched[0].settling_until.as_deref(), Some("1970-01-01T00:00:11.000Z"));
    assert_eq!(watched[1].settling_until, None);
    host.image("r.io/b:latest", "m:b2");
    for clock in [5_000, 11_000, 14_999] {
        host.clock.set(clock);
        assert_eq!(told(&host, inputs), is("2 HEAD", &[]), "at {clock}");
    }
    host.clock.set(15_000);
    let all = ["r.io/a:latest m:a>m:a2", "r.io/b:latest m:b>m:b2"];
    assert_eq!(told(&host, inputs), is("2 HEAD", &all));
    assert_eq!(told(&host, inputs), is("2 HEAD", &[]));
}

#[test]
fn the_newest_tag_is_followed() {
    let host = Table::default();
    let inputs = r#"{"images": ["r.io/a"], "semver": ">=1, <2"}"#;
    host.image("r.io/a:1.9", "m:9");
    host.image("r.io/a:2.0", "m:20");
    assert_eq!(told(&host, inputs), is("1 GET 1 HEAD", &[]));
    host.image("r.io/a:1.10", "m:10");
    let (_, outputs) = host.run(inputs);
    let outputs = outputs.unwrap();
    assert_eq!(changes(&outputs), ["r.io/a:1.10 m:9>m:10"]);
    let image = &outputs.images[0];
    assert_eq!((image.tag.as_deref(), image.old_tag.as_deref()), (Some("1.10"), Some("1.9")));
    // Another name for the same is no change, and neither is a tag that goes.
    host.image("r.io/a:1.11", "m:10");
    assert_eq!(told(&host, inputs), is("1 GET 1 HEAD", &[]));
    host.tags.borrow_mut().remove("r.io/a:1.11");
    host.tags.borrow_mut().remove("r.io/a:1.10");
    assert_eq!(told(&host, inputs), is("1 GET", &[]));
    assert!(host.said.borrow().iter().any(|line| line.contains("`r.io/a:1.11` is gone")));
    // One tag that moves is told as well.
    host.image("r.io/a:1.12", "m:12");
    assert_eq!(told(&host, inputs).1, ["r.io/a:1.12 m:10>m:12"]);
    host.image("r.io/a:1.12", "m:13");
    let (_, outputs) = host.run(inputs);
    let outputs = outputs.unwrap();
    assert_eq!(
        (changes(&outputs), &outputs.images[0].old_tag),
        (vec!["r.io/a:1.12 m:12>m:13".to_owned()], &None)
    );
}

#[test]
fn a_dockerfile_names_what_is_watched() {
    let host = Table::default();
    let file = "ARG BASE=r.io/a\nFROM r.io/tool:1 AS tool\nFROM ${BASE}:1\n\
        COPY --from=tool /x /x\nCOPY --from=r.io/pinned@sha256:0000000000000000000000000000000000000000000000000000000000000000 /y /y\n";
    host.files.borrow_mut().insert("app/Dockerfile".to_owned(), file.to_owned());
    host.image("r.io/b:1", "m:b");
    host.image("r.io/tool:1", "m:t");
    let inputs = r#"{"context": "app", "args": {"BASE": "r.io/b"}, "first-seen": "fire"}"#;
    assert_eq!(told(&host, inputs), is("1 HEAD", &["r.io/b:1 ->m:b"]));
    let inputs = r#"{"context": "app", "args": {"BASE": "r.io/b"}, "stages": "all"}"#;
    assert_eq!(told(&host, inputs), is("2 HEAD", &[]));
    assert!(
        host.said
            .borrow()
            .iter()
            .any(|line| line.contains("pinned") && line.contains("cannot change"))
    );
    let (_, outputs) = host.run(r#"{"dockerfile": "Dockerfile"}"#);
    assert_eq!(
        outputs.unwrap_err().hint_text(),
        Some("name the file with `file = \"Dockerfile\"`")
    );
}

#[test]
fn what_an_image_was_built_on_is_told_until_it_is_built_anew() {
    let host = Table::default();
    let inputs = r#"{"annotations-of": "r.io/app:1"}"#;
    let app = |digest: &str, base: &str| {
        let content = json!({
            "config": { "digest": "c:1", "size": 1 },
            "annotations": {
                "org.opencontainers.image.base.name": "r.io/a:1",
                "org.opencontainers.image.base.digest": base,
            },
        });
        let content = content.to_string().into_bytes();
        host.manifests.borrow_mut().insert(digest.to_owned(), (MANIFEST.to_owned(), content));
        host.tags.borrow_mut().insert("r.io/app:1".to_owned(), digest.to_owned());
    };
    let config = br#"{"os": "linux", "architecture": "arm64"}"#.to_vec();
    host.manifests.borrow_mut().insert("c:1".to_owned(), (String::new(), config));
    host.index("r.io/a:1", "i:1", &both("m:a", "m:b"));
    app("m:app", "i:1");
    assert_eq!(told(&host, inputs), is("2 GET 2 HEAD", &[]));
    assert_eq!(told(&host, inputs), is("2 HEAD", &[]));
    // The platform of the image is what counts.
    host.index("r.io/a:1", "i:2", &both("m:c", "m:b"));
    assert_eq!(told(&host, inputs), is("2 GET 2 HEAD", &[]));
    assert_eq!(told(&host, inputs), is("2 HEAD", &[]));
    host.index("r.io/a:1", "i:3", &both("m:c", "m:d"));
    for _ in 0..2 {
        assert_eq!(told(&host, inputs).1, ["r.io/a:1 linux/arm64 m:b>m:d"]);
    }
    app("m:app2", "i:3");
    assert_eq!(told(&host, inputs), is("2 GET 2 HEAD", &[]));
    // The registry has forgotten what it was built on.
    host.index("r.io/a:1", "i:4", &both("m:c", "m:e"));
    host.manifests.borrow_mut().remove("i:3");
    assert_eq!(told(&host, inputs).1, ["r.io/a:1 linux/arm64 i:3>m:e"]);
}

#[test]
fn what_a_build_has_read_is_held_against_what_is_there() {
    let host = Table::default();
    host.index("r.io/a:1", "i:2", &both("m:a", "m:c"));
    host.image("r.io/tool:1", "m:t");
    let inputs = |stages: &str| {
        format!(
            r#"{{"stages": "{stages}", "bases-of": [
                {{"name": "r.io/a:1", "digest": "i:1", "platform": "linux/amd64", "manifest": "m:a", "runtime": true}},
                {{"name": "r.io/a:1", "digest": "i:1", "platform": "linux/arm64", "manifest": "m:b", "runtime": true}},
                {{"name": "r.io/tool:1", "digest": "m:t", "platform": "linux/amd64", "manifest": "m:t", "runtime": false}}
            ]}}"#
        )
    };
    assert_eq!(told(&host, &inputs("runtime")).1, ["r.io/a:1 linux/arm64 m:b>m:c"]);
    host.image("r.io/tool:1", "m:u");
    let all = ["r.io/a:1 linux/arm64 m:b>m:c", "r.io/tool:1 m:t>m:u"];
    assert_eq!(told(&host, &inputs("all")).1, all);
    assert_eq!(told(&host, r#"{"bases-of": [], "images": []}"#).0, "");
}

#[test]
fn a_pinned_tag_is_held_against_its_digest() {
    let host = Table::default();
    host.index("r.io/a:1", "i:1", &both("m:a", "m:b"));
    let inputs = r#"{"images": ["r.io/a:1@i:1"]}"#;
    assert_eq!(told(&host, inputs), is("1 HEAD", &[]));
    assert_eq!(host.writes.get(), 0);
    host.index("r.io/a:1", "i:2", &both("m:a", "m:c"));
    for _ in 0..2 {
        assert_eq!(told(&host, inputs).1, ["r.io/a:1 linux/arm64 m:b>m:c"]);
    }
}

#[test]
fn what_cannot_be_checked_keeps_nothing_from_being_checked_and_no_change_is_lost() {
    let host = Table::default();
    let with =
        |more: &str| format!(r#"{{"images": ["r.io/a:1", "r.io/b:1", "denied.io/c:1"]{more}}}"#);
    host.image("r.io/a:1", "m:a");
    host.image("r.io/b:1", "m:b");
    host.broken.borrow_mut().insert("r.io/b:1".to_owned());
    let (asked, outputs) = host.run(&with(""));
    let error = outputs.unwrap_err();
    assert_eq!(
        (asked.as_str(), error.code(), error.is_retryable()),
        ("2 HEAD", "failed.images", false)
    );
    assert!(error.message().starts_with("2 of 3 images could not be checked"));
    // It was armed, and what has changed since is kept until it can be told.
    host.image("r.io/a:1", "m:a2");
    assert!(host.run(&with("")).1.is_err());
    let (_, outputs) = host.run(&with(r#", "keep-going": true"#));
    let outputs = outputs.unwrap();
    assert_eq!(changes(&outputs), ["r.io/a:1 m:a>m:a2"]);
    let failed: Vec<&str> = outputs.failed.iter().map(|failed| failed.code.as_str()).collect();
    assert_eq!(failed, ["denied.oci", "oci.transient"]);
    // With nothing to tell it is a failure again.
    assert!(host.run(&with(r#", "keep-going": true"#)).1.is_err());
    host.broken.borrow_mut().clear();
    assert_eq!(told(&host, r#"{"images": ["r.io/a:1", "r.io/b:1"]}"#), is("2 HEAD", &[]));
}

#[test]
fn a_missing_image_is_told_with_its_name() {
    let host = Table::default();
    let (_, outputs) = host.run(r#"{"images": ["r.io/a"]}"#);
    let error = outputs.unwrap_err();
    assert_eq!(error.code(), "not-found.tag");
    assert_eq!(error.hint_text(), Some("check that `r.io/a:latest` exists"));
    let (_, outputs) = host.run(r#"{"images": ["r.io/a"], "semver": "1"}"#);
    assert_eq!(outputs.unwrap_err().code(), "not-found.tags");
}

#[test]
fn a_dry_run_remembers_nothing() {
    let host = Table::default();
    host.image("r.io/a:1", "m:a");
    let inputs: Inputs = serde_json::from_str(r#"{"images": ["r.io/a:1"]}"#).unwrap();
    let (outputs, _) = watch(&inputs, true, &host).unwrap();
    assert_eq!((outputs.watched.len(), host.writes.get()), (1, 0));
}

#[test]
fn layers_labels_and_variables_are_told_on_request() {
    let host = Table::default();
    let put = |digest: &str, layer: &str, version: &str| {
        let manifest = json!({ "config": { "digest": format!("c:{digest}"), "size": 1 },
            "layers": [{ "digest": "l:0", "size": 1 }, { "digest": layer, "size": 2 }] });
        let file = json!({ "config": { "Labels": { "version": version }, "Env": ["A=1"] } });
        host.image("r.io/a:1", digest);
        let mut manifests = host.manifests.borrow_mut();
        manifests
            .insert(digest.to_owned(), (MANIFEST.to_owned(), manifest.to_string().into_bytes()));
        manifests.insert(format!("c:{digest}"), (String::new(), file.to_string().into_bytes()));
    };
    let inputs = r#"{"images": ["r.io/a:1"], "changes": true}"#;
    put("m:1", "l:1", "1.0");
    assert_eq!(told(&host, inputs), is("1 HEAD", &[]));
    put("m:2", "l:2", "1.1");
    let (asked, outputs) = host.run(inputs);
    assert_eq!(asked, "4 GET 1 HEAD");
    let image = serde_json::to_value(&outputs.unwrap().images[0]).unwrap();
    let layer = |digest: &str| json!([{ "digest": digest, "size": 2 }]);
    assert_eq!(image["layers"], json!({ "added": layer("l:2"), "removed": layer("l:1") }));
    assert_eq!(image["labels"], json!({ "version": { "old": "1.0", "new": "1.1" } }));
    assert_eq!(image["env"], json!({}));
    // What is gone cannot be told, and has changed all the same.
    put("m:3", "l:3", "1.2");
    host.manifests.borrow_mut().remove("m:2");
    let (_, outputs) = host.run(inputs);
    let outputs = outputs.unwrap();
    assert_eq!(
        (changes(&outputs), outputs.images[0].layers.is_none()),
        (vec!["r.io/a:1 m:2>m:3".to_owned()], true)
    );
}

#[test]
fn inputs_that_make_no_sense_are_refused_before_anything_is_asked() {
    for inputs in [
        "{}",
        r#"{"images": ["a"], "settle": "10"}"#,
        r#"{"images": ["a"], "semver": "newest"}"#,
        r#"{"images": ["a"], "tag-regex": "("}"#,
        r#"{"file": "Dockerfile", "semver": "1"}"#,
        r#"{"images": ["a"], "platforms": ["all", "linux/amd64"]}"#,
        r#"{"images": ["a"], "platforms": "amd64"}"#,
        r#"{"context": "https://a.example/b.git"}"#,
    ] {
        let host = Table::default();
        let (asked, outputs) = host.run(inputs);
        let error = outputs.expect_err(inputs);
        assert!(error.is("invalid") && error.hint_text().is_some(), "{inputs}: {error}");
        assert_eq!(asked, "");
    }
}

#[test]
fn requests_follow_from_the_inputs() {
    let asked = |given: &str| {
        let given: serde_json::Map<_, _> = serde_json::from_str(given).unwrap();
        let mut inputs = json!({
            "images": [], "context": null, "file": null, "dockerfile": null,
            "annotations-of": null, "bases-of": null, "bases": ["docker.io/**"],
        });
        inputs.as_object_mut().unwrap().extend(given);
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut asked = Vec::new();
        for request in requests() {
            if request.capability() == "state" {
                continue;
            }
            let template = request.value().trim_start_matches("{{").trim_end_matches("}}");
            let expression = environment.compile_expression(template.trim()).unwrap();
            let value =
                expression.eval(context! { inputs => minijinja::value::Serde(&inputs) }).unwrap();
            let mut add = |value: &Value| asked.push(format!("{} {value}", request.capability()));
            match value.as_str() {
                Some(_) => add(&value),
                None if value.is_none() => {}
                None => value.try_iter().unwrap().for_each(|value| add(&value)),
            }
        }
        asked
    };
    assert_eq!(asked(r#"{"images": ["a.io/b:1"]}"#), ["oci.pull a.io/b:1"]);
    assert_eq!(
        asked(r#"{"context": "app", "bases": ["a.io/**"]}"#),
        ["workspace.read app/Dockerfile", "oci.pull a.io/**"]
    );
    assert_eq!(asked(r#"{"file": "File"}"#), ["workspace.read ./File", "oci.pull docker.io/**"]);
    assert_eq!(asked(r#"{"dockerfile": "FROM a"}"#), ["oci.pull docker.io/**"]);
    assert_eq!(
        asked(r#"{"annotations-of": "a.io/app"}"#),
        ["oci.pull a.io/app", "oci.pull docker.io/**"]
    );
    let base =
        r#"{"name": "a.io/b:1", "digest": "", "platform": "", "manifest": "", "runtime": true}"#;
    assert_eq!(asked(&format!(r#"{{"bases-of": [{base}]}}"#)), ["oci.pull a.io/b:1"]);
}
