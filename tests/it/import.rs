//! What `import-image` can be told: which tags and platforms, how many targets, what comes along.

use serde_json::{Value, json};
use support::{
    Access, DockerRegistry, Embedded, Image, Skopeo, TempDir, TestHost, push_with_skopeo,
};

use crate::host;

fn image() -> Image {
    Image::multi_arch(&["linux/amd64", "linux/arm64"], 10_000)
}

/// A pipeline with one step `import`; `with` is the inside of its table.
pub(crate) fn pipeline(with: &str) -> String {
    format!(
        "schema = 1\n[pipeline]\nname = \"import\"\n\n[[step]]\nid = \"import\"\nuses = \"import-image\"\n[step.with]\n{with}\n"
    )
}

/// Runs one import, which must succeed, and gives its outputs.
#[track_caller]
fn import(host: &TestHost, with: &str) -> Value {
    host.write("p.toml", pipeline(with));
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    ran.finished("import")["outputs"].clone()
}

fn docker(registry: &str, name: &str) -> String {
    format!("docker://{registry}/{name}")
}

/// The tags of `app`; docker-registry lists them in no order.
fn tags_of(registry: &str) -> Vec<String> {
    let mut tags = Skopeo::new().tags(&docker(registry, "app"));
    tags.sort();
    tags
}

/// A source with `image` under all these tags of `app`.
fn tagged(image: &Image, tags: &[String]) -> DockerRegistry {
    let source = DockerRegistry::start(Access::Anonymous);
    let folder = TempDir::new().unwrap();
    image.write_layout(folder.path(), "it");
    let from = format!("oci:{}:it", folder.path().display());
    for tag in tags {
        Skopeo::new().copy_all(&from, &docker(&source.address(), &format!("app:{tag}")));
    }
    source
}

#[test]
fn fifty_tags_are_chosen_by_range_and_their_blobs_move_once() {
    let image = image();
    let tags: Vec<String> = (0..50).map(|minor| format!("1.{minor}")).collect();
    let source = tagged(&image, &tags);
    let target = DockerRegistry::start(Access::Anonymous);
    let (from, to) = (source.address(), target.address());
    let host = host();
    let with = format!("source = \"{from}/app\"\ntarget = \"{to}/app\"\n");

    let chosen =
        import(&host, &format!("{with}semver = \">=1.10, <1.20\"\nexclude-tags = [\"1.15\"]"));
    assert_eq!(chosen["images"].as_array().unwrap().len(), 9);
    let newest = import(&host, &format!("{with}newest = 2"));
    let sources: Vec<&Value> =
        newest["images"].as_array().unwrap().iter().map(|i| &i["source"]).collect();
    assert_eq!(sources, [&json!(format!("{from}/app:1.48")), &json!(format!("{from}/app:1.49"))]);

    let all = import(&host, &format!("{with}all-tags = true"));
    assert_eq!(all["targets"].as_array().unwrap().len(), 50);
    let mut expect = tags;
    expect.sort();
    assert_eq!(tags_of(&to), expect);
    let uploads =
        target.requests().into_iter().filter(|line| line.starts_with("PUT /v2/app/blobs/"));
    assert_eq!(uploads.count(), image.blobs.len());
}

#[test]
fn one_image_goes_to_many_targets_and_an_unchanged_one_costs_two_requests() {
    let image = image();
    let source = tagged(&image, &["v1".to_owned()]);
    let target = DockerRegistry::start(Access::Anonymous);
    let (from, to) = (source.address(), target.address());
    let host = host();
    let out = import(
        &host,
        &format!(
            "source = \"{from}/app:v1\"\ntargets = [\"{to}/a\", \"{to}/b:2\", \"oci-layout:out:x\"]"
        ),
    );
    let targets: Vec<&Value> =
        out["targets"].as_array().unwrap().iter().map(|target| &target["digest"]).collect();
    assert_eq!(targets, [&json!(image.digest()); 3]);
    for name in ["a:v1", "b:2"] {
        assert_eq!(Skopeo::new().digest(&docker(&to, name)), image.digest());
    }
    let out = import(&host, &format!("source = \"{from}/app:v1\"\ntarget = \"{to}/a\""));
    assert_eq!(out["requests"], json!({ "HEAD": 2 }));
    assert_eq!((&out["changed"], &out["platforms"]), (&json!(false), &json!([])));
}

#[test]
fn a_missing_image_does_not_keep_the_others_if_the_step_keeps_going() {
    let image = image();
    let source = tagged(&image, &["a".to_owned(), "c".to_owned()]);
    let target = DockerRegistry::start(Access::Anonymous);
    let (from, to) = (source.address(), target.address());
    let with = format!(
        "source = \"{from}/app\"\ntarget = \"{to}/app\"\ntags = [\"a\", \"b\", \"c\"]\nkeep-going = true"
    );
    let host = host().file("p.toml", pipeline(&with));
    let ran = host.run(&["run", "p.toml"]);
    ran.exits(1).stderr_says(&["1 of 3 images could not be copied", "app:b"]);
    assert_eq!(tags_of(&to), ["a", "c"]);
}

#[test]
fn a_source_with_another_digest_than_expected_is_not_copied() {
    let source = tagged(&image(), &["v1".to_owned()]);
    let host = host();
    let other = format!("sha256:{}", "0".repeat(64));
    let with = format!(
        "source = \"{}/app:v1\"\ntarget = \"oci-layout:out\"\nexpect-digest = \"{other}\"",
        source.address()
    );
    host.write("p.toml", pipeline(&with));
    host.run(&["run", "p.toml"]).exits(6).stderr_says(&[&other]);
    assert!(!host.path("out/index.json").exists());
    let with = with.replace(&other, &image().digest());
    import(&host, &with);
}

#[test]
fn a_choice_of_platforms_keeps_the_index_or_makes_a_new_one() {
    let image = Image::multi_arch(&["linux/amd64", "linux/arm64", "linux/s390x"], 10_000);
    let source = tagged(&image, &["v1".to_owned()]);
    let host = host();
    let target = Embedded::start(&host, &host.path("registry"));
    let with = |more: &str| {
        let (from, to) = (source.address(), target.address());
        format!(
            "source = \"{from}/app:v1\"\ntarget = \"{to}/app:{more}\nplatforms = [\"linux/amd64\", \"linux/arm64\"]"
        )
    };
    let sparse = import(&host, &with("sparse\"\nindex = \"sparse\""));
    assert_eq!(sparse["digest"], image.digest());
    assert_eq!(sparse["platforms"], json!(["linux/amd64", "linux/arm64"]));
    let listed = Skopeo::new().manifest(&docker(target.address(), "app:sparse"));
    assert_eq!(listed["manifests"].as_array().unwrap().len(), 3);

    let new = import(&host, &with("new\"\nindex = \"new-index\""));
    assert_ne!(new["digest"], image.digest());
    let listed = Skopeo::new().manifest(&docker(target.address(), "app:new"));
    assert_eq!(listed["manifests"].as_array().unwrap().len(), 2);
}

#[test]
fn the_platform_of_this_machine_has_a_name() {
    let image = image();
    let source = tagged(&image, &["v1".to_owned()]);
    let with = format!(
        "source = \"{}/app:v1\"\ntarget = \"oci-layout:out\"\nplatforms = \"system\"",
        source.address()
    );
    let out = import(&host(), &with);
    let own = match std::env::consts::ARCH {
        "x86_64" => "linux/amd64",
        "aarch64" => "linux/arm64",
        other => panic!("the image of this test has no platform for {other}"),
    };
    assert_eq!(out["platforms"], json!([own]));
}

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

#[test]
fn images_without_tags_have_their_digests() {
    let image = image();
    let source = DockerRegistry::start(Access::Anonymous);
    push_with_skopeo(&image, &source, Access::Anonymous, "app:v1");
    let target = DockerRegistry::start(Access::Anonymous);
    let with = format!(
        "source = \"{}/app:v1\"\ntarget = \"{}/app\"\nuntagged = true",
        source.address(),
        target.address()
    );
    let out = import(&host(), &with);
    let reference = format!("{}/app@{}", target.address(), image.digest());
    assert_eq!(out["targets"][0]["reference"], reference);
    assert_eq!(Skopeo::new().digest(&format!("docker://{reference}")), image.digest());
    assert_eq!(Skopeo::new().tags(&docker(&target.address(), "app")), [""; 0]);
}

#[test]
fn inputs_that_contradict_each_other_are_refused_with_help() {
    let host = host();
    host.write("p.toml", pipeline("source = \"127.0.0.1:1/a\"\ntarget = \"127.0.0.1:1/b\"\nall-tags = true\ntags = [\"1\"]"));
    host.run(&["run", "p.toml"])
        .exits(1)
        .stderr_says(&["`all-tags` and `tags` contradict each other", "leave `all-tags` away"]);
    host.write("p.toml", pipeline("source = \"a\"\ntarget = \"b\"\nreferrers = 3"));
    host.run(&["check", "p.toml"]).exits(2).stderr_says(&["referrers"]);
}
