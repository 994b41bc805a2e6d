use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use minijinja::{Environment, UndefinedBehavior, Value, context};
use windlass_plugin::oci::{Copied, Descriptor, Forecast, MovedTag};
use windlass_plugin::{Error, Outcome, Result, Schema};

use super::{Host, Order, import};
use crate::inputs::{self, Inputs};
use crate::outputs::{Blobs, Image, Outputs, Target};
use crate::report::size;
use crate::terms::Terms;

/// A host whose registry is a table of references and digests.
#[derive(Default)]
struct Registry {
    images: RefCell<BTreeMap<String, String>>,
    said: RefCell<Vec<String>>,
    complaints: RefCell<Vec<String>>,
    terms: RefCell<Vec<Terms>>,
    /// The digest of what is left of an index, where some of it is left out.
    cut: RefCell<Option<String>>,
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

    /// The digest of the source.
    fn source(&self, order: &Order) -> Result<String> {
        let missing = || Error::new("oci.not-found", "no manifest");
        self.digest(&order.source).ok_or_else(missing)
    }

    /// The digest of what is copied, and what stands in the target.
    fn look(&self, order: &Order) -> Result<(String, String, Option<String>)> {
        let digest = self.source(order)?;
        let digest = self.cut.borrow().clone().unwrap_or(digest);
        let target = match &order.tag {
            Some(tag) => format!("{}:{tag}", order.target),
            None => format!("{}@{digest}", order.target),
        };
        let present = self.digest(&target);
        Ok((digest, target, present))
    }

    fn copy_one(&self, order: &Order, terms: &Terms) -> Result<Copied> {
        let (digest, target, present) = self.look(order)?;
        let is_changed = match present {
            Some(present) if present == digest => false,
            Some(_) if !terms.force => return Err(Error::new("oci.conflict", "the tag is taken")),
            Some(_) | None => true,
        };
        self.images.borrow_mut().insert(target, digest.clone());
        let (sent, skipped) = if is_changed { (2, 1) } else { (0, 3) };
        Ok(Copied {
            descriptor: descriptor(&digest),
            source_digest: self.source(order)?,
            is_changed,
            platforms: vec!["linux/amd64".to_owned()],
            sent,
            sent_bytes: sent * 1024,
            mounted: 0,
            skipped,
            mounted_bytes: 0,
            skipped_bytes: 0,
            referrers: 0,
        })
    }

    fn forecast_one(&self, order: &Order) -> Result<Forecast> {
        let (digest, _, present) = self.look(order)?;
        let is_changed = present.as_ref() != Some(&digest);
        let tag = order.tag.clone().filter(|_| is_changed);
        Ok(Forecast {
            descriptor: descriptor(&digest),
            source_digest: self.source(order)?,
            is_changed,
            is_present: false,
            platforms: vec!["linux/amd64".to_owned()],
            send: 2,
            send_bytes: if is_changed { 2048 } else { 0 },
            mount: 0,
            mount_bytes: 0,
            skip: 1,
            skip_bytes: 10,
            referrers: 0,
            moves: tag.map(|tag| MovedTag { tag, from: present }).into_iter().collect(),
        })
    }
}

impl Host for Registry {
    fn tags(&self, repository: &str) -> Result<Vec<String>> {
        let prefix = format!("{repository}:");
        let images = self.images.borrow();
        Ok(images.keys().filter_map(|at| at.strip_prefix(&prefix)).map(str::to_owned).collect())
    }

    fn copy(&self, orders: &[Order], terms: &Terms, keep_going: bool) -> Vec<Result<Copied>> {
        self.terms.borrow_mut().push(terms.clone());
        let mut has_failed = false;
        let one = |order| {
            if has_failed && !keep_going {
                return Err(Error::new("cancelled.oci", "not begun"));
            }
            let copied = self.copy_one(order, terms);
            has_failed |= copied.is_err();
            copied
        };
        orders.iter().map(one).collect()
    }

    fn forecast(&self, orders: &[Order], _: &Terms) -> Vec<Result<Forecast>> {
        orders.iter().map(|order| self.forecast_one(order)).collect()
    }

    fn requests(&self) -> BTreeMap<String, u64> {
        BTreeMap::from([("HEAD".to_owned(), 2)])
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(7)
    }

    fn say(&self, text: &str) {
        self.said.borrow_mut().push(text.to_owned());
    }

    fn complain(&self, text: &str) {
        self.complaints.borrow_mut().push(text.to_owned());
    }
}

/// What every outcome says beside its images.
fn base() -> Outputs {
    Outputs {
        requests: BTreeMap::from([("HEAD".to_owned(), 2)]),
        duration_ms: 7,
        ..Outputs::default()
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
    Target { reference: reference.to_owned(), digest: Some(digest.to_owned()), changed }
}

#[test]
fn one_image_to_two_targets_is_told_in_full() {
    let host = Registry::with(&[("a.io/n:1", "sha256:aa"), ("c.io/n:1", "sha256:aa")]);
    let inputs = inputs(r#"{"source": "a.io/n:1", "targets": ["b.io/n", "c.io/n"]}"#);
    let targets =
        vec![target("b.io/n:1", "sha256:aa", true), target("c.io/n:1", "sha256:aa", false)];
    let image = Image {
        source: "a.io/n:1".to_owned(),
        digest: Some("sha256:aa".to_owned()),
        source_digest: Some("sha256:aa".to_owned()),
        media_type: Some("application/vnd.oci.image.index.v1+json".to_owned()),
        changed: true,
        targets: targets.clone(),
        platforms: vec!["linux/amd64".to_owned()],
        bytes: 2048,
        ..Image::default()
    };
    let expect = Outputs {
        digest: Some("sha256:aa".to_owned()),
        source_digest: Some("sha256:aa".to_owned()),
        media_type: image.media_type.clone(),
        changed: true,
        targets,
        platforms: image.platforms.clone(),
        bytes: 2048,
        blobs: Blobs { sent: 2, mounted: 0, skipped: 4 },
        images: vec![image],
        ..base()
    };
    let outcome = import(&inputs, false, &host).expect("copied");
    assert_eq!(outcome, Outcome::changed(expect).summary("copied 1 of 2 images, 2.0 KiB sent"));
    assert_eq!(
        host.said.into_inner(),
        [
            "copied `a.io/n:1` to `b.io/n:1` (sha256:aa): 2 sent (2.0 KiB), 0 mounted, 1 there already",
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
        source_digest: Some("sha256:aa".to_owned()),
        media_type: Some("application/vnd.oci.image.index.v1+json".to_owned()),
        targets: vec![target("b.io/n:1", "sha256:aa", false)],
        platforms: vec!["linux/amd64".to_owned()],
        blobs: Blobs { skipped: 3, ..Blobs::default() },
        images: vec![Image {
            source: "a.io/n:1".to_owned(),
            digest: Some("sha256:aa".to_owned()),
            source_digest: Some("sha256:aa".to_owned()),
            media_type: Some("application/vnd.oci.image.index.v1+json".to_owned()),
            changed: false,
            targets: vec![target("b.io/n:1", "sha256:aa", false)],
            platforms: vec!["linux/amd64".to_owned()],
            ..Image::default()
        }],
        ..base()
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
    let terms = host.terms.into_inner();
    let expect =
        Terms { force: true, platforms: vec!["linux/arm64".to_owned()], ..Terms::default() };
    assert_eq!(terms, [expect]);
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
fn a_digest_that_is_not_that_of_the_source_is_told() {
    let host = Registry::with(&[("a.io/n:1", "sha256:aa")]);
    *host.cut.borrow_mut() = Some("sha256:cc".to_owned());
    let text = r#"{"source": "a.io/n:1", "target": "b.io/n", "platforms": ["linux/amd64"]}"#;
    import(&inputs(text), true, &host).expect("looked");
    let outcome = import(&inputs(text), false, &host).expect("copied");
    import(&inputs(text), false, &host).expect("looked again");
    let outputs = format!("{outcome:?}");
    for part in ["digest: Some(\"sha256:cc\")", "source_digest: Some(\"sha256:aa\")"] {
        assert!(outputs.contains(part), "{outputs}");
    }
    let why = "sha256:cc; not sha256:aa as in the source, since platforms are left out";
    assert_eq!(
        host.said.into_inner(),
        [
            format!(
                "would copy `a.io/n:1` to `b.io/n:1` ({why}): 2.0 KiB to send, 1 there already, new tag `1`"
            ),
            format!(
                "copied `a.io/n:1` to `b.io/n:1` ({why}): 2 sent (2.0 KiB), 0 mounted, 1 there already"
            ),
            format!("`b.io/n:1` is up to date with `a.io/n:1` ({why})"),
        ]
    );
}

#[test]
fn a_dry_run_copies_nothing_and_says_what_it_would() {
    let host = Registry::with(&[
        ("a.io/n:1", "sha256:aa"),
        ("c.io/n:1", "sha256:aa"),
        ("d.io/n:1", "sha256:dd"),
    ]);
    let inputs = inputs(
        r#"{"source": "a.io/n:1", "targets": ["b.io/n", "c.io/n", "d.io/n"], "force": true}"#,
    );
    let outcome = import(&inputs, true, &host).expect("looked");
    let summary = "2 of 3 images would be copied, 4.0 KiB to send";
    assert_eq!(format!("{outcome:?}").matches(summary).count(), 1);
    assert_eq!(host.terms.into_inner(), []);
    assert_eq!(
        host.said.into_inner(),
        [
            "would copy `a.io/n:1` to `b.io/n:1` (sha256:aa): 2.0 KiB to send, 1 there already, new tag `1`",
            "`c.io/n:1` has the same digest as `a.io/n:1` (sha256:aa)",
            "would copy `a.io/n:1` to `d.io/n:1` (sha256:aa): 2.0 KiB to send, 1 there already, moves tag `1` from sha256:dd to sha256:aa",
        ]
    );
}

#[test]
fn a_dry_run_foretells_the_conflict_and_looks_at_the_others() {
    let host = Registry::with(&[("a.io/n:1", "sha256:aa"), ("d.io/n:1", "sha256:dd")]);
    let inputs = inputs(r#"{"source": "a.io/n:1", "targets": ["d.io/n", "b.io/n"]}"#);
    let error = import(&inputs, true, &host).expect_err("a conflict");
    assert_eq!(error.code(), "oci.conflict");
    assert_eq!(error.message(), "1 of 2 images could not be copied");
    assert_eq!(
        host.complaints.into_inner(),
        [
            "copy `a.io/n:1` to `d.io/n:1`: the tag `1` points at sha256:dd, not at sha256:aa (set `force = true` to move the tag)"
        ]
    );
    assert_eq!(host.said.into_inner().len(), 1);
}

#[test]
fn with_keep_going_the_others_are_copied_and_the_step_fails() {
    let host = Registry::with(&[("a.io/n:1", "sha256:aa"), ("a.io/n:2", "sha256:bb")]);
    let mut wanted =
        inputs(r#"{"source": "a.io/n", "target": "b.io/n", "tags": ["1", "gone", "2"]}"#);
    let error = import(&wanted, false, &host).expect_err("one is missing");
    assert_eq!(error.message(), "copy `a.io/n:gone` to `b.io/n:gone`: no manifest");
    wanted.keep_going = true;
    let error = import(&wanted, false, &host).expect_err("one is missing");
    assert_eq!(error.code(), "oci.not-found");
    assert_eq!(error.message(), "1 of 3 images could not be copied");
    assert_eq!(host.digest("b.io/n:2").as_deref(), Some("sha256:bb"));
    assert_eq!(
        host.complaints.into_inner(),
        ["copy `a.io/n:gone` to `b.io/n:gone`: no manifest (check that `a.io/n:gone` exists)"]
    );
}

#[test]
fn chosen_tags_keep_their_names() {
    let host = Registry::with(&[("a.io/n:1.0", "sha256:aa"), ("a.io/n:1.1", "sha256:bb")]);
    let inputs = inputs(r#"{"source": "a.io/n", "target": "b.io/", "newest": 1}"#);
    import(&inputs, false, &host).expect("copied");
    assert_eq!(host.digest("b.io/n:1.1").as_deref(), Some("sha256:bb"));
    assert_eq!(host.digest("b.io/n:1.0"), None);
    assert_eq!(host.said.borrow().first().map(String::as_str), Some("1 of 2 tags of `a.io/n`"));
}

#[test]
fn untagged_images_have_their_digest_alone() {
    let host = Registry::with(&[("a.io/n:1", "sha256:aa")]);
    let text = r#"{"source": "a.io/n:1", "target": "b.io/n", "untagged": true}"#;
    import(&inputs(text), false, &host).expect("copied");
    assert_eq!(host.digest("b.io/n@sha256:aa").as_deref(), Some("sha256:aa"));
    assert_eq!(host.digest("b.io/n:1"), None);
}

#[test]
fn inputs_that_contradict_each_other_are_refused() {
    let host = Registry::with(&[("a.io/n:1", "sha256:aa")]);
    for text in [
        r#"{"source": "a.io/n:1", "target": "b.io/n:2", "untagged": true}"#,
        r#"{"source": "a.io/n:1", "target": "b.io/n", "all-tags": true}"#,
        r#"{"source": "a.io/n", "target": "b.io/n:1", "all-tags": true}"#,
        r#"{"sources": ["a.io/n:1", "a.io/m:1"], "target": "b.io/", "expect-digest": "sha256:aa"}"#,
    ] {
        let error = import(&inputs(text), false, &host).expect_err(text);
        assert!(error.is("invalid") && error.hint_text().is_some(), "{error}");
    }
    assert_eq!(host.terms.into_inner(), []);
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
        let mut inputs = serde_json::json!({
            "mode": "client", "identity": null, "endpoint": null, "password": null,
        });
        let given: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(json).expect("JSON");
        inputs.as_object_mut().expect("a table").extend(given);
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
    // Azure writes by itself; and says who asks.
    let azure =
        r#""source": "a", "sources": [], "target": "b.io/c", "targets": [], "identity": "prod""#;
    let pulls = [("oci.pull", "a"), ("oci.pull", "b.io/c")];
    let arm = "https://management.azure.com";
    let server = asked(&format!(r#"{{{azure}, "mode": "server", "password": "pw"}}"#));
    let more = [("identity", "prod"), ("http", arm), ("secrets.use", "pw")];
    assert_eq!(server, own(&[&pulls[..], &more].concat()));
    let auto = asked(&format!(r#"{{{azure}, "mode": "auto"}}"#));
    let more = [("oci.push", "b.io/c"), ("identity", "prod"), ("http", arm)];
    assert_eq!(auto, own(&[&pulls[..], &more].concat()));
    let client = asked(&format!(r#"{{{azure}, "mode": "client"}}"#));
    assert_eq!(client, own(&[&pulls[..], &[("oci.push", "b.io/c")]].concat()));
    let elsewhere =
        asked(&format!(r#"{{{azure}, "mode": "server", "endpoint": "https://arm.example"}}"#));
    assert!(elsewhere.contains(&("http".to_owned(), "https://arm.example".to_owned())));
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
        [
            "source",
            "sources",
            "target",
            "targets",
            "expect-digest",
            "all-tags",
            "tags",
            "tag-regex",
            "semver",
            "newest",
            "exclude-tags",
            "untagged",
            "platforms",
            "index",
            "referrers",
            "foreign-layers",
            "mount-from",
            "force",
            "keep-going",
            "mode",
            "identity",
            "subscription",
            "resource-group",
            "source-registry",
            "username",
            "password",
            "endpoint"
        ]
    );
    assert_eq!(
        keys(Outputs::shape().to_string()),
        [
            "digest",
            "source-digest",
            "media-type",
            "changed",
            "targets",
            "platforms",
            "bytes",
            "mounted-bytes",
            "skipped-bytes",
            "blobs",
            "referrers",
            "requests",
            "duration-ms",
            "images",
            "mode",
            "manifests"
        ]
    );
}

#[test]
fn sizes_are_told_in_binary_units() {
    for (bytes, expect) in [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1024 * 1024 - 1, "1.0 MiB"),
        (5 * 1024 * 1024 + 200 * 1024, "5.2 MiB"),
        (u64::MAX, "16777216.0 TiB"),
    ] {
        assert_eq!(size(bytes), expect);
    }
}
