use serde_json::{Value, json};

use super::*;

/// The digest that the entry with this content has.
fn digest(content: &str) -> Digest {
    Digest::of(content.as_bytes())
}

fn entry(content: &str, platform: Value) -> Value {
    json!({
        "mediaType": MediaType::OCI_MANIFEST, "digest": digest(content), "size": 1,
        "platform": platform,
    })
}

fn image(content: &str, os: &str, architecture: &str, variant: Option<&str>) -> Value {
    let mut platform = json!({ "os": os, "architecture": architecture });
    if let Some(variant) = variant {
        platform["variant"] = variant.into();
    }
    entry(content, platform)
}

/// As BuildKit puts it beside an image.
fn attestation(content: &str, of: &str) -> Value {
    let mut entry = entry(content, json!({ "os": "unknown", "architecture": "unknown" }));
    entry["annotations"] = json!({
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": digest(of),
    });
    entry
}

fn index(entries: &[Value]) -> (Manifest, Index) {
    let document = json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": entries,
        "annotations": { "made": "by hand" }, "odd": 1,
    });
    let manifest = Manifest::new(MediaType::OCI_INDEX, Bytes::from(document.to_string())).unwrap();
    match manifest.content() {
        crate::Content::Index(index) => (manifest.clone(), (**index).clone()),
        crate::Content::Image(_) | crate::Content::Opaque => panic!("it is an index"),
    }
}

/// What is left of the index: the contents of its entries in their order.
#[track_caller]
fn check(entries: &[Value], wanted: &[&str], expect: &[&str]) {
    let (manifest, index) = index(entries);
    let wanted: Vec<Platform> = wanted.iter().map(|text| text.parse().unwrap()).collect();
    let left: Vec<Digest> = match select(&manifest, &index, &wanted).unwrap() {
        Selection::Whole => index.manifests.iter().map(|entry| entry.digest).collect(),
        Selection::One(entry) => vec![entry.digest],
        Selection::Some(cut) => {
            assert_eq!(cut.annotations(), manifest.annotations());
            assert_eq!(cut.media_type(), manifest.media_type());
            let text = String::from_utf8(cut.bytes().to_vec()).unwrap();
            assert!(text.contains(r#""odd":1"#), "{text}");
            cut.manifests().iter().map(|entry| entry.digest).collect()
        }
    };
    let expect: Vec<Digest> = expect.iter().map(|content| digest(content)).collect();
    assert_eq!(left, expect, "{wanted:?}");
    // A sparse index keeps the same, but for what belongs to a single image: it comes along too.
    let kept = index.kept(&manifest, &wanted).unwrap();
    assert!(expect.iter().all(|digest| kept.contains(digest)));
}

#[test]
fn attestations_go_with_their_images_and_are_for_no_platform() {
    let entries = [
        image("amd64", "linux", "amd64", None),
        image("arm64", "linux", "arm64", Some("v8")),
        image("s390x", "linux", "s390x", None),
        attestation("of-amd64", "amd64"),
        attestation("of-arm64", "arm64"),
        attestation("of-s390x", "s390x"),
    ];
    let (manifest, all) = index(&entries);
    let platforms: Vec<String> = all.platforms().iter().map(ToString::to_string).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64/v8", "linux/s390x"]);
    check(&entries, &["linux/s390x", "linux/arm64"], &["arm64", "s390x", "of-arm64", "of-s390x"]);
    check(
        &entries,
        &["linux/amd64", "linux/arm64", "linux/s390x"],
        &["amd64", "arm64", "s390x", "of-amd64", "of-arm64", "of-s390x"],
    );
    // One platform is its image, and an image has no place for what stands beside it.
    check(&entries, &["linux/amd64"], &["amd64"]);
    let kept = all.kept(&manifest, &["linux/amd64".parse().unwrap()]).unwrap();
    assert_eq!(kept, BTreeSet::from([digest("amd64"), digest("of-amd64")]));
}

#[test]
fn the_variant_that_is_wanted_is_taken_before_one_that_would_do() {
    let entries = [
        image("v5", "linux", "arm", Some("v5")),
        image("v7", "linux", "arm", Some("v7")),
        image("amd64", "linux", "amd64", None),
        image("amd64-v3", "linux", "amd64", Some("v3")),
        image("arm64", "linux", "arm64", None),
    ];
    check(&entries, &["linux/arm"], &["v7"]);
    check(&entries, &["linux/arm/v5"], &["v5"]);
    check(&entries, &["linux/amd64"], &["amd64"]);
    check(&entries, &["linux/amd64/v3"], &["amd64-v3"]);
    check(&entries, &["linux/arm64/v8"], &["arm64"]);
    check(&entries, &["linux/amd64", "linux/arm64"], &["amd64", "arm64"]);
    let only_variant = [image("v3", "linux", "amd64", Some("v3"))];
    check(&only_variant, &["linux/amd64"], &["v3"]);
    check(&[image("x86_64", "linux", "x86_64", None)], &["linux/amd64"], &["x86_64"]);
}

#[test]
fn of_several_versions_of_windows_one_platform_is_the_first_and_several_are_all() {
    let windows = |content: &str, version: &str| {
        entry(content, json!({ "os": "windows", "architecture": "amd64", "os.version": version }))
    };
    let entries = [
        windows("2019", "10.0.17763.1"),
        windows("2022", "10.0.20348.1"),
        image("linux", "linux", "amd64", None),
    ];
    check(&entries, &["windows/amd64"], &["2019"]);
    check(&entries, &["windows/amd64", "linux/amd64"], &["2019", "2022", "linux"]);
}

#[test]
fn what_is_missing_is_told_with_what_is_there() {
    let (manifest, index) = index(&[
        image("amd64", "linux", "amd64", None),
        attestation("of-amd64", "amd64"),
        entry("none", Value::Null),
    ]);
    let wanted: Vec<Platform> =
        ["linux/amd64", "linux/arm64", "windows/amd64"].map(|text| text.parse().unwrap()).into();
    let Err(error) = select(&manifest, &index, &wanted) else { panic!("two are missing") };
    assert_eq!(
        error.to_string(),
        format!(
            "{} has nothing for `linux/arm64` and `windows/amd64`, only for `linux/amd64`",
            manifest.digest()
        )
    );
    assert_eq!(error.help().unwrap(), "choose from `linux/amd64`");
}
