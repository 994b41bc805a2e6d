//! Signatures, SBOMs and attestations travel with what they speak about, between registries that have
//! the API for them and registries that have not.

use serde_json::{Value, json};
use support::{Access, DockerRegistry, Embedded, Image, Skopeo, TempDir};

use crate::host;
use crate::import::{docker, image, import};

const SBOM: &str = "application/vnd.example.sbom";
pub(crate) const SIGNATURE: &str = "application/vnd.example.signature";

/// Pushes `artifact` with skopeo.
fn push_referrer(artifact: &Image, registry: &str, name: &str) {
    let folder = TempDir::new().unwrap();
    artifact.write_referrer_layout(folder.path(), "it");
    let from = format!("oci:{}:it", folder.path().display());
    Skopeo::new().copy_all(&from, &docker(registry, name));
}

#[test]
fn signatures_travel_between_registries_with_and_without_the_referrers_api() {
    let image = image();
    let signature = image.referrer("application/vnd.example.signature");
    let by_tag = Image::multi_arch(&["linux/amd64"], 10);
    let cosign = format!("{}.sig", image.digest().replace(':', "-"));
    let host = host();
    let first = Embedded::start(&host, &host.path("first"));
    let middle = DockerRegistry::start(Access::Anonymous);
    let last = Embedded::start(&host, &host.path("last"));
    let folder = TempDir::new().unwrap();
    image.write_layout(folder.path(), "it");
    Skopeo::new().copy_all(
        &format!("oci:{}:it", folder.path().display()),
        &docker(first.address(), "app:v1"),
    );
    push_referrer(&signature, first.address(), "app:signature");
    by_tag.write_layout(folder.path(), "sig");
    Skopeo::new().copy_all(
        &format!("oci:{}:sig", folder.path().display()),
        &docker(first.address(), &format!("app:{cosign}")),
    );

    let (a, b, c) = (first.address(), middle.address(), last.address());
    let out = import(&host, &format!("source = \"{a}/app:v1\"\ntarget = \"{b}/app:v1\""));
    assert_eq!(out["referrers"], 2);
    // Without the API, the list is a tag (distribution-spec, "Referrers Tag Schema").
    let fallback = image.digest().replace(':', "-");
    let listed = Skopeo::new().manifest(&docker(&b, &format!("app:{fallback}")));
    assert_eq!(listed["manifests"][0]["digest"], signature.digest());
    assert_eq!(listed["manifests"][0]["artifactType"], "application/vnd.example.signature");
    assert_eq!(Skopeo::new().digest(&docker(&b, &format!("app:{cosign}"))), by_tag.digest());

    let out = import(&host, &format!("source = \"{b}/app:v1\"\ntarget = \"{c}/app:v1\""));
    assert_eq!(out["referrers"], 2);
    let arrived = docker(c, &format!("app@{}", signature.digest()));
    assert_eq!(Skopeo::new().digest(&arrived), signature.digest());
    assert_eq!(Skopeo::new().tags(&docker(c, "app")), [cosign.as_str(), "v1"]);
}

/// Puts `image` into the registry as `app:v1`, and `artifacts` beside it.
pub(crate) fn push_with(image: &Image, artifacts: &[&Image], registry: &str) {
    let folder = TempDir::new().unwrap();
    image.write_layout(folder.path(), "it");
    let from = format!("oci:{}:it", folder.path().display());
    Skopeo::new().copy_all(&from, &docker(registry, "app:v1"));
    for (number, artifact) in artifacts.iter().enumerate() {
        push_referrer(artifact, registry, &format!("app:artifact-{number}"));
    }
}

/// How a referrer stands in a list.
fn listed(artifact: &Image, artifact_type: &str) -> Value {
    json!({
        "mediaType": Image::manifest_media_type(),
        "digest": artifact.digest(),
        "size": artifact.index.len(),
        "artifactType": artifact_type,
        "annotations": { "org.opencontainers.image.created": "1970-01-01T00:00:00Z" },
    })
}

#[test]
fn what_speaks_about_what_speaks_about_an_image_travels_too() {
    let image = image();
    let sbom = image.referrer(SBOM);
    let report = image.referrer("application/vnd.example.report");
    let of_sbom = sbom.referrer_of_referrer(SIGNATURE);
    let host = host();
    let first = Embedded::start(&host, &host.path("first"));
    let middle = DockerRegistry::start(Access::Anonymous);
    let last = Embedded::start(&host, &host.path("last"));
    push_with(&image, &[&sbom, &report, &of_sbom], first.address());
    let (a, b, c) = (first.address(), middle.address(), last.address());

    let out = import(&host, &format!("source = \"{a}/app:v1\"\ntarget = \"{b}/app:v1\""));
    assert_eq!(out["referrers"], 3);
    let fallback = |of: &Image| {
        let name = format!("app:{}", of.digest().replace(':', "-"));
        let mut list = Skopeo::new().manifest(&docker(&b, &name));
        let entries = list["manifests"].as_array_mut().unwrap();
        entries.sort_by_key(|entry| entry["digest"].to_string());
        list
    };
    let list = |mut entries: Vec<Value>| {
        entries.sort_by_key(|entry| entry["digest"].to_string());
        json!({ "schemaVersion": 2, "mediaType": Image::media_type(), "manifests": entries })
    };
    let of_image = vec![listed(&sbom, SBOM), listed(&report, "application/vnd.example.report")];
    assert_eq!(fallback(&image), list(of_image));
    assert_eq!(fallback(&sbom), list(vec![listed(&of_sbom, SIGNATURE)]));
    // The lists are no images: they do not go along with the tags.
    let out =
        import(&host, &format!("source = \"{b}/app\"\ntarget = \"{c}/app\"\nall-tags = true"));
    assert_eq!((&out["referrers"], out["images"].as_array().unwrap().len()), (&json!(3), 1));
    assert_eq!(Skopeo::new().tags(&docker(c, "app")), ["v1"]);
    for artifact in [&sbom, &report, &of_sbom] {
        let arrived = docker(c, &format!("app@{}", artifact.digest()));
        assert_eq!(Skopeo::new().digest(&arrived), artifact.digest());
    }
    // And into a layout, and out of it.
    let out = import(&host, &format!("source = \"{c}/app:v1\"\ntarget = \"oci-layout:out:v1\""));
    assert_eq!(out["referrers"], 3);
    let out = import(&host, &format!("source = \"oci-layout:out:v1\"\ntarget = \"{a}/copy:v1\""));
    assert_eq!(out["referrers"], 3);
}

#[test]
fn of_what_speaks_about_an_image_only_that_travels_which_is_wanted() {
    let image = image();
    let (sbom, signature) = (image.referrer(SBOM), image.referrer(SIGNATURE));
    let host = host();
    let with_api = Embedded::start(&host, &host.path("registry"));
    let without = DockerRegistry::start(Access::Anonymous);
    push_with(&image, &[&sbom, &signature], with_api.address());
    let (a, b) = (with_api.address(), without.address());
    import(&host, &format!("source = \"{a}/app:v1\"\ntarget = \"{b}/app:v1\""));
    for (number, source) in [a, b.as_str()].into_iter().enumerate() {
        let check = |name: &str, more: &str, expect: [bool; 2]| {
            let to = format!("oci-layout:out/{number}-{name}");
            let out = import(
                &host,
                &format!("source = \"{source}/app:v1\"\ntarget = \"{to}:v1\"\n{more}"),
            );
            assert_eq!(out["referrers"], expect.iter().filter(|is| **is).count(), "{name}");
            for (artifact, expect) in [&sbom, &signature].into_iter().zip(expect) {
                let blob =
                    format!("out/{number}-{name}/blobs/{}", artifact.digest().replace(':', "/"));
                assert_eq!(host.path(&blob).is_file(), expect, "{name} {blob}");
            }
        };
        check("all", "referrers = true", [true, true]);
        check("one", &format!("referrers = [\"{SBOM}\"]"), [true, false]);
        check("other", &format!("referrers = [\"{SIGNATURE}\", \"a/b\"]"), [false, true]);
        check("none", "referrers = false", [false, false]);
    }
    let asked = without.requests().len();
    import(
        &host,
        &format!("source = \"{b}/app:v1\"\ntarget = \"oci-layout:quiet\"\nreferrers = false"),
    );
    let asked: Vec<String> = without.requests().into_iter().skip(asked).collect();
    let is_about_referrers = |line: &&String| {
        line.contains("referrers") || line.contains("tags/list") || line.contains("sha256-")
    };
    assert_eq!(asked.iter().filter(is_about_referrers).count(), 0, "{asked:#?}");
}

#[test]
fn a_signature_that_came_later_travels_where_it_is_always_looked_for() {
    let image = image();
    let host = host();
    let source = Embedded::start(&host, &host.path("registry"));
    let target = DockerRegistry::start(Access::Anonymous);
    let (from, to) = (source.address(), target.address());
    let folder = TempDir::new().unwrap();
    image.write_layout(folder.path(), "it");
    Skopeo::new().copy_all(&format!("oci:{}:it", folder.path().display()), &docker(from, "app:v1"));
    let with = format!("source = \"{from}/app:v1\"\ntarget = \"{to}/app:v1\"");
    import(&host, &with);
    let signature = image.referrer("application/vnd.example.signature");
    push_referrer(&signature, from, "app:signature");

    let out = import(&host, &with);
    assert_eq!((&out["changed"], &out["referrers"]), (&json!(false), &json!(0)));
    let only_others = format!("{with}\nreferrers = [\"application/vnd.example.sbom\"]");
    assert_eq!(import(&host, &only_others)["referrers"], 0);
    let out = import(&host, &format!("{with}\nreferrers = \"always\""));
    assert_eq!((&out["changed"], &out["referrers"]), (&json!(true), &json!(1)));
    let arrived = docker(&to, &format!("app@{}", signature.digest()));
    assert_eq!(Skopeo::new().digest(&arrived), signature.digest());
}
