use std::cell::RefCell;
use std::collections::BTreeMap;

use minijinja::{Environment, UndefinedBehavior, Value, context};
use windlass_plugin::oci::{Copied, Descriptor};
use windlass_plugin::{Error, Outcome, Result, Schema};

use super::{Host, Order, import, size};
use crate::inputs::{self, Inputs};
use crate::outputs::{Blobs, Image, Outputs, Target};

/// A host whose registry is a table of references and digests.
#[derive(Default)]
struct Registry {
    images: RefCell<BTreeMap<String, String>>,
    said: RefCell<Vec<String>>,
    orders: RefCell<Vec<(bool, Vec<String>)>>,
}

impl Registry {
    fn with(images: &[(&str, &str)]) -> Self {
        let images = images.iter().map(|(at, digest)| ((*at).to_owned(), (*digest).to_owned()));
        Self { images: RefCell::new(images.collect()), ..Self::default() }
    }

    fn digest(&self, reference: &str) -> Option<String> {
        let images = self.images.borrow();
        images.get(reference).or_else(|| images.get(&format!("{reference}:latest"))).cloned()
    }
}

impl Host for Registry {
    fn resolve(&self, reference: &str) -> Result<Option<Descriptor>> {
        Ok(self.digest(reference).map(|digest| descriptor(&digest)))
    }

    fn copy(&self, order: &Order<'_>) -> Result<Copied> {
        self.orders.borrow_mut().push((order.force, order.platforms.to_vec()));
        let missing = || Error::new("oci.not-found", "no manifest");
        let digest = self.digest(order.source).ok_or_else(missing)?;
        let target = match order.tag {
            Some(tag) => format!("{}:{tag}", order.target),
            None => format!("{}@{digest}", order.target),
        };
        let is_changed = match self.digest(&target) {
            Some(present) if present == digest => false,
            Some(_) if !order.force => return Err(Error::new("oci.conflict", "the tag is taken")),
            Some(_) | None => true,
        };
        self.images.borrow_mut().insert(target, digest.clone());
        let (sent, skipped) = if is_changed { (2, 1) } else { (0, 3) };
        Ok(Copied {
            descriptor: descriptor(&digest),
            is_changed,
            platforms: vec!["linux/amd64".to_owned()],
            sent,
            sent_bytes: sent * 1024,
            mounted: 0,
            skipped,
        })
    }

    fn say(&self, text: &str) {
        self.said.borrow_mut().push(text.to_owned());
    }
}

fn descriptor(digest: &str) -> Descriptor {
    Descriptor {
        media_type: "application/vnd.oci.image.index.v1+json".to_owned(),
        digest: digest.to_owned(),
        size: 2,
        artifact_type: None,
        platform: None,
        annotations: Vec::new(),
    }
}

fn inputs(json: &str) -> Inputs {
    serde_json::from_str(json).expect("inputs")
}

fn target(reference: &str, digest: &str, changed: bool) -> Target {
    Target { reference: reference.to_owned(), digest: digest.to_owned(), changed }
}

#[test]
fn one_image_to_two_targets_is_told_in_full() {
    let host = Registry::with(&[("a.io/n:1", "sha256:aa"), ("c.io/n:1", "sha256:aa")]);
    let inputs = inputs(r#"{"source": "a.io/n:1", "targets": ["b.io/n", "c.io/n"]}"#);
    let targets =
        vec![target("b.io/n:1", "sha256:aa", true), target("c.io/n:1", "sha256:aa", false)];
    let image = Image {
        source: "a.io/n:1".to_owned(),
        digest: "sha256:aa".to_owned(),
        media_type: "application/vnd.oci.image.index.v1+json".to_owned(),
        changed: true,
        targets: targets.clone(),
        platforms: vec!["linux/amd64".to_owned()],
    };
    let expect = Outputs {
        digest: Some("sha256:aa".to_owned()),
        media_type: Some(image.media_type.clone()),
        changed: true,
        targets,
        platforms: image.platforms.clone(),
        bytes: 2048,
        blobs: Blobs { sent: 2, mounted: 0, skipped: 4 },
        images: vec![image],
    };
    let outcome = import(&inputs, false, &host).expect("copied");
    assert_eq!(outcome, Outcome::changed(expect).summary("copied 1 of 2 images, 2 KiB sent"));
    assert_eq!(
        host.said.into_inner(),
        [
            "copied `a.io/n:1` to `b.io/n:1` (sha256:aa): 2 sent (2 KiB), 0 mounted, 1 there already",
            "`c.io/n:1` is up to date with `a.io/n:1` (sha256:aa)",
        ]
    );
}

#[test]
fn a_second_import_changes_nothing() {
    let host = Registry::with(&[("a.io/n:1", "sha256:aa")]);
    let inputs = inputs(r#"{"source": "a.io/n:1", "target": "b.io/n"}"#);
    import(&inputs, false, &host).expect("copied");
    let expect = Outcome::unchanged(Outputs {
        digest: Some("sha256:aa".to_owned()),
        media_type: Some("application/vnd.oci.image.index.v1+json".to_owned()),
        targets: vec![target("b.io/n:1", "sha256:aa", false)],
        platforms: vec!["linux/amd64".to_owned()],
        blobs: Blobs { skipped: 3, ..Blobs::default() },
        images: vec![Image {
            source: "a.io/n:1".to_owned(),
            digest: "sha256:aa".to_owned(),
            media_type: "application/vnd.oci.image.index.v1+json".to_owned(),
            changed: false,
            targets: vec![target("b.io/n:1", "sha256:aa", false)],
            platforms: vec!["linux/amd64".to_owned()],
        }],
        ..Outputs::default()
    });
    let outcome = import(&inputs, false, &host).expect("looked");
    assert_eq!(outcome, expect.summary("up to date"));
}

#[test]
fn an_untagged_image_is_named_by_its_digest_and_many_have_none_together() {
    let host = Registry::with(&[("a.io/n@sha256:aa", "sha256:aa"), ("a.io/m:1", "sha256:bb")]);
    let inputs = inputs(r#"{"sources": ["a.io/n@sha256:aa", "a.io/m:1"], "target": "b.io/"}"#);
    import(&inputs, false, &host).expect("copied");
    let images = host.images.into_inner();
    assert_eq!(images.get("b.io/n@sha256:aa").map(String::as_str), Some("sha256:aa"));
    assert_eq!(images.get("b.io/m:1").map(String::as_str), Some("sha256:bb"));
}

#[test]
fn force_and_platforms_reach_the_host() {
    let host = Registry::with(&[("a.io/n:1", "sha256:aa"), ("b.io/n:1", "sha256:bb")]);
    let text = r#"{"source": "a.io/n:1", "target": "b.io/n", "force": true,
                   "platforms": ["linux/arm64"]}"#;
    import(&inputs(text), false, &host).expect("copied");
    assert_eq!(host.orders.into_inner(), [(true, vec!["linux/arm64".to_owned()])]);
}

#[test]
fn an_error_names_source_target_and_what_to_try() {
    let host = Registry::with(&[("a.io/n:1", "sha256:aa"), ("b.io/n:1", "sha256:bb")]);
    let error = |text: &str| import(&inputs(text), false, &host).expect_err("a refusal");
    assert_eq!(
        error(r#"{"source": "a.io/n:1", "target": "b.io/n"}"#),
        Error::new("oci.conflict", "copy `a.io/n:1` to `b.io/n:1`: the tag is taken")
            .hint("set `force = true` to move the tag")
    );
    assert_eq!(
        error(r#"{"source": "a.io/none:1", "target": "b.io/n"}"#),
        Error::new("oci.not-found", "copy `a.io/none:1` to `b.io/n:1`: no manifest")
            .hint("check that `a.io/none:1` exists")
    );
}

#[test]
fn a_dry_run_copies_nothing_and_says_what_it_would() {
    let host = Registry::with(&[("a.io/n:1", "sha256:aa"), ("c.io/n:1", "sha256:aa")]);
    let inputs = inputs(r#"{"source": "a.io/n:1", "targets": ["b.io/n", "c.io/n"]}"#);
    let outcome = import(&inputs, true, &host).expect("looked");
    let summary = "1 of 2 images would be copied";
    assert_eq!(format!("{outcome:?}").matches(summary).count(), 1);
    assert_eq!(host.orders.into_inner(), []);
    assert_eq!(
        host.said.into_inner(),
        [
            "would copy `a.io/n:1` to `b.io/n:1` (sha256:aa)",
            "`c.io/n:1` is up to date with `a.io/n:1` (sha256:aa)",
        ]
    );
}

#[test]
fn a_dry_run_of_a_missing_source_fails_as_the_run_would() {
    let inputs = inputs(r#"{"source": "a.io/n:1", "target": "b.io/n"}"#);
    let error = import(&inputs, true, &Registry::default()).expect_err("no source");
    assert_eq!(error.code(), "oci.not-found");
}

#[test]
fn requests_follow_from_the_inputs() {
    let asked = |json: &str| {
        let inputs: serde_json::Value = serde_json::from_str(json).expect("JSON");
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let mut asked = Vec::new();
        for request in inputs::requests() {
            let template = request.value().trim_start_matches("{{").trim_end_matches("}}");
            let expression = environment.compile_expression(template.trim()).expect("it parses");
            let value = expression
                .eval(context! { inputs => minijinja::value::Serde(&inputs) })
                .expect("a value");
            match value.as_str() {
                Some(value) => asked.push((request.capability().to_owned(), value.to_owned())),
                None if value.is_none() => {}
                None => asked.extend(
                    value
                        .try_iter()
                        .expect("a list")
                        .map(|item: Value| (request.capability().to_owned(), item.to_string())),
                ),
            }
        }
        asked
    };
    let own = |list: &[(&str, &str)]| -> Vec<(String, String)> {
        list.iter().map(|(what, value)| ((*what).to_owned(), (*value).to_owned())).collect()
    };
    assert_eq!(
        asked(r#"{"source": "a:1", "sources": [], "target": "b.io/a", "targets": []}"#),
        own(&[("oci.pull", "a:1"), ("oci.pull", "b.io/a"), ("oci.push", "b.io/a")])
    );
    assert_eq!(
        asked(r#"{"source": null, "sources": ["a", "b"], "target": "c.io/", "targets": []}"#),
        own(&[
            ("oci.pull", "a"),
            ("oci.pull", "b"),
            ("oci.pull", "c.io/**"),
            ("oci.push", "c.io/**")
        ])
    );
    assert_eq!(
        asked(r#"{"source": "a", "sources": [], "target": null, "targets": ["b", "c"]}"#),
        own(&[
            ("oci.pull", "a"),
            ("oci.pull", "b"),
            ("oci.pull", "c"),
            ("oci.push", "b"),
            ("oci.push", "c")
        ])
    );
}

#[test]
fn the_schemas_name_every_key_in_kebab_case() {
    let keys = |schema: String| -> Vec<String> {
        let schema: serde_json::Value = serde_json::from_str(&schema).expect("JSON");
        let keys = schema["properties"].as_object().expect("an object").keys();
        keys.cloned().collect()
    };
    assert_eq!(
        keys(Inputs::shape().to_string()),
        ["source", "sources", "target", "targets", "platforms", "force"]
    );
    assert_eq!(
        keys(Outputs::shape().to_string()),
        ["digest", "media-type", "changed", "targets", "platforms", "bytes", "blobs", "images"]
    );
}

#[test]
fn sizes_are_told_in_binary_units() {
    for (bytes, expect) in [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (5 * 1024 * 1024 + 200 * 1024, "5.1 MiB"),
        (u64::MAX, "16777215.9 TiB"),
    ] {
        assert_eq!(size(bytes), expect);
    }
}
