//! What `import-image` can be told: which tags and platforms, how many targets, what comes along.

use serde_json::{Value, json};
use support::{
    Access, DockerRegistry, Embedded, Image, Skopeo, TempDir, TestHost, push_with_skopeo,
};

use crate::host;
use crate::referrers::{SIGNATURE, push_with};

pub(crate) fn image() -> Image {
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
pub(crate) fn import(host: &TestHost, with: &str) -> Value {
    host.write("p.toml", pipeline(with));
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    ran.finished("import")["outputs"].clone()
}

pub(crate) fn docker(registry: &str, name: &str) -> String {
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
fn what_one_step_has_brought_the_next_one_mounts_if_it_could_have_had_it() {
    let image = image();
    let (source, other) = (tagged(&image, &["v1".to_owned()]), tagged(&image, &["v1".to_owned()]));
    let target = DockerRegistry::start(Access::Anonymous);
    let to = target.address();
    let step = |id: &str, from: &DockerRegistry| {
        format!(
            "[[step]]\nid = \"{id}\"\nuses = \"import-image\"\n\
             with = {{ source = \"{}/app:v1\", target = \"{to}/{id}:v1\" }}\n",
            from.address()
        )
    };
    let steps = step("one", &source) + &step("two", &source) + &step("three", &other);
    let host = host().file("p.toml", format!("schema = 1\n[pipeline]\nname = \"p\"\n{steps}"));
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    let mounted = |id: &str| ran.finished(id)["outputs"]["blobs"]["mounted"].clone();
    // No step may pull from `one`; but `two` reads the image where `one` has read it.
    assert_eq!([mounted("one"), mounted("two"), mounted("three")], [0, image.blobs.len(), 0]);
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
    assert_eq!(new["source-digest"], image.digest());
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
fn tags_are_chosen_by_patterns_and_expressions() {
    let tags = ["1.1", "1.2", "1.2-alpine", "2.0", "latest", "edge"].map(str::to_owned);
    let source = tagged(&image(), &tags);
    let host = host();
    for (number, (more, expect)) in [
        ("tags = [\"1.*\", \"edge\"]", &["1.1", "1.2", "1.2-alpine", "edge"][..]),
        (
            "tags = [\"*\"]\nexclude-tags = [\"*-alpine\", \"latest\"]",
            &["1.1", "1.2", "2.0", "edge"],
        ),
        ("tag-regex = '\\d+\\.\\d+'", &["1.1", "1.2", "2.0"]),
        ("semver = \"^1\"", &["1.1", "1.2"]),
        ("semver = \"*\"\nnewest = 2", &["1.2", "2.0"]),
    ]
    .into_iter()
    .enumerate()
    {
        let target = format!("oci-layout:out/{number}");
        let out = import(
            &host,
            &format!("source = \"{}/app\"\ntarget = \"{target}\"\n{more}", source.address()),
        );
        let mut chosen: Vec<&str> = out["targets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|target| target["reference"].as_str().unwrap().rsplit(':').next().unwrap())
            .collect();
        chosen.sort_unstable();
        assert_eq!(chosen, expect, "{more}");
    }
}

#[test]
fn all_that_became_of_an_image_is_told_and_can_be_used_by_later_steps() {
    let image = image();
    let signature = image.referrer(SIGNATURE);
    let host = host();
    let source = Embedded::start(&host, &host.path("registry"));
    let target = DockerRegistry::start(Access::Anonymous);
    push_with(&image, &[&signature], source.address());
    let (from, to) = (source.address(), target.address());
    let first = pipeline(&format!(
        "source = \"{from}/app:v1\"\ntargets = [\"{to}/app:v1\", \"{to}/mirror/app\"]"
    ));
    let echo = TestHost::guest("echo");
    host.write(
        "p.toml",
        format!(
            "{first}\n[[step]]\nid = \"later\"\nuses = \"{echo}\"\n\
         with = {{ value = \"{{{{ steps.import.outputs }}}}\" }}\n"
        ),
    );
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    let mut out = ran.finished("import")["outputs"].clone();
    assert_eq!(ran.finished("later")["outputs"]["value"], out, "a later step has all of it");
    let took = out["duration-ms"].take();
    assert!(took.is_u64(), "{took}");
    let requests = out["requests"].take();
    let methods: Vec<&String> = requests.as_object().unwrap().keys().collect();
    assert_eq!(methods, ["GET", "HEAD", "POST", "PUT"]);
    // The source was not written to: what the target logged is all.
    let logged = target.requests();
    for method in ["POST", "PUT"] {
        let count = logged.iter().filter(|line| line.starts_with(&format!("{method} "))).count();
        assert_eq!(requests[method], count, "{method}");
    }
    let sum =
        |blobs: &[(String, Vec<u8>)]| blobs.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    let layers = sum(&image.blobs) + sum(&signature.blobs);
    let manifests = image.index.len() + sum(&image.manifests) + signature.index.len();
    let reference = |name: &str| {
        json!({
            "reference": format!("{to}/{name}"), "digest": image.digest(), "changed": true,
        })
    };
    let targets = json!([reference("app:v1"), reference("mirror/app:v1")]);
    let platforms = json!(["linux/amd64", "linux/arm64"]);
    assert_eq!(
        out,
        json!({
            "digest": image.digest(),
            "source-digest": image.digest(),
            "media-type": Image::media_type(),
            "changed": true,
            "targets": targets,
            "platforms": platforms,
            // Each blob was sent once, and mounted for the second target; manifests were sent to both.
            "bytes": layers + 2 * manifests,
            "mounted-bytes": layers,
            "skipped-bytes": 0,
            "blobs": { "sent": 7 + 2 * 4, "mounted": 7, "skipped": 0 },
            "referrers": 2,
            "requests": null,
            "duration-ms": null,
            "mode": "client",
            "manifests": [],
            "images": [{
                "source": format!("{from}/app:v1"),
                "digest": image.digest(),
                "source-digest": image.digest(),
                "media-type": Image::media_type(),
                "changed": true,
                "targets": targets,
                "platforms": platforms,
                "bytes": layers + 2 * manifests,
                "mounted-bytes": layers,
                "skipped-bytes": 0,
                "referrers": 2,
            }],
        })
    );
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
