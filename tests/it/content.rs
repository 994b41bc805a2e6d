//! Whatever registries hold comes along, byte for byte: images of docker and of OCI, charts,
//! components, lists of contents, things that nobody here has heard of.

use std::path::Path;

use serde_json::{Value, json};
use support::{
    Access, Answer, DockerRegistry, Embedded, HttpServer, Image, Skopeo, TempDir, TestHost,
    push_with_skopeo,
};

use crate::host;
use crate::import::pipeline;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const EMPTY: &[u8] = b"{}";

fn part(media_type: &str, bytes: &[u8]) -> Value {
    Image::descriptor_of(media_type, bytes)
}

fn empty() -> Value {
    part("application/vnd.oci.empty.v1+json", EMPTY)
}

/// A chart as Helm 3 pushes it, with its provenance.
fn chart() -> Image {
    let (config, chart, provenance): (&[u8], &[u8], &[u8]) =
        (br#"{"name":"app","version":"0.1.0","apiVersion":"v2"}"#, b"\x1f\x8bchart", b"-----BEGIN");
    let manifest = json!({
        "schemaVersion": 2,
        "config": part("application/vnd.cncf.helm.config.v1+json", config),
        "layers": [
            part("application/vnd.cncf.helm.chart.content.v1.tar+gzip", chart),
            part("application/vnd.cncf.helm.chart.provenance.v1.prov", provenance),
        ],
        "annotations": { "org.opencontainers.image.title": "app" },
    });
    Image::of_parts(&manifest, &[config, chart, provenance])
}

/// A component, as the CNCF's Wasm artifacts have it.
fn component() -> Image {
    let (config, component): (&[u8], &[u8]) =
        (br#"{"architecture":"wasm","os":"wasip2","layerDigests":[]}"#, b"\0asm\x0d\0\x01\0");
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": part("application/vnd.wasm.config.v0+json", config),
        "layers": [part("application/wasm", component)],
    });
    Image::of_parts(&manifest, &[config, component])
}

/// A list of contents with an empty configuration and an artifact type.
fn sbom() -> Image {
    let sbom: &[u8] = br#"{"spdxVersion":"SPDX-2.3"}"#;
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/spdx+json",
        "config": empty(), "layers": [part("application/spdx+json", sbom)],
    });
    Image::of_parts(&manifest, &[EMPTY, sbom])
}

/// Nothing but an artifact type: the layer is the empty configuration once more (image-spec,
/// "Guidelines for Artifact Usage").
fn nothing() -> Image {
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.example+type",
        "config": empty(), "layers": [empty()],
    });
    Image::of_parts(&manifest, &[EMPTY])
}

/// Known to nobody: layers of any type, keys that no specification has, a number that is written
/// oddly.
fn oddity() -> Image {
    let (one, two): (&[u8], &[u8]) = (b"one", b"\xff\xfe two");
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "x-odd": [1.50, null, { "deep": [] }],
        "config": part("application/x-nobody-knows", one),
        "layers": [part("text/plain; charset=utf-8", two)],
    });
    Image::of_parts(&manifest, &[one, two])
}

/// All that the layout at `folder` must have of `artifact`.
#[track_caller]
fn assert_in_layout(artifact: &Image, folder: &Path) {
    let whole = (artifact.digest(), artifact.index.clone());
    for (digest, bytes) in artifact.blobs.iter().chain([&whole]) {
        let file = folder.join("blobs").join(digest.replace(':', "/"));
        assert_eq!(&std::fs::read(file).unwrap(), bytes, "{digest}");
    }
}

/// Runs one import, which must succeed, and gives its outputs.
#[track_caller]
fn import(host: &TestHost, source: &str, target: &str, more: &str) -> Value {
    let with = format!("source = \"{source}\"\ntarget = \"{target}\"\n{more}");
    host.write("p.toml", pipeline(&with));
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    ran.finished("import")["outputs"].clone()
}

#[test]
fn artifacts_go_through_every_kind_of_place_byte_for_byte() {
    let host = host();
    let docker = DockerRegistry::start(Access::Anonymous);
    let embedded = Embedded::start(&host, &host.path("registry"));
    for (name, artifact) in [
        ("chart", chart()),
        ("component", component()),
        ("sbom", sbom()),
        ("nothing", nothing()),
        ("oddity", oddity()),
    ] {
        artifact.write_layout_as(MANIFEST, &host.path(&format!("in/{name}")), "v1");
        let places = [
            format!("oci-layout:in/{name}:v1"),
            format!("{}/{name}:v1", docker.address()),
            format!("{}/{name}:v1", embedded.address()),
            format!("oci-archive:{name}.tar:v1"),
            format!("oci-layout:out/{name}:v1"),
        ];
        for pair in places.windows(2) {
            let out = import(&host, &pair[0], &pair[1], "");
            assert_eq!(out["digest"], artifact.digest(), "{name} at {}", pair[1]);
            assert_eq!(out["media-type"], MANIFEST);
            assert_eq!(out["platforms"], json!([]), "it is for no platform");
        }
        for registry in [&docker.address(), embedded.address()] {
            let raw = Skopeo::new().inspect_raw(&format!("docker://{registry}/{name}:v1"));
            assert_eq!(raw.as_bytes(), artifact.index, "{name} in {registry}");
        }
        assert_in_layout(&artifact, &host.path(&format!("out/{name}")));
    }
}

#[test]
fn between_any_two_places_an_image_keeps_its_digest() {
    let image = Image::multi_arch(&["linux/amd64", "linux/arm64"], 10_000);
    let host = host();
    let docker = DockerRegistry::start(Access::Anonymous);
    let embedded = Embedded::start(&host, &host.path("registry"));
    image.write_layout(&host.path("in"), "v1");
    // A place of each kind for what comes from place number `of`; an archive of docker takes the
    // image of one platform alone.
    let places = |of: usize| {
        [
            format!("{}/from/{of}:v1", docker.address()),
            format!("{}/from/{of}:v1", embedded.address()),
            format!("oci-layout:from/{of}:v1"),
            format!("oci-archive:from/{of}.oci.tar:v1"),
            format!("docker-archive:from/{of}.docker.tar:app:v1"),
        ]
    };
    let step = |id: &str, source: &str, target: &str| {
        format!(
            "[[step]]\nid = \"{id}\"\nuses = \"import-image\"\nwith = {{ source = \"{source}\", \
             target = \"{target}\", platforms = [\"linux/amd64\"], expect-digest = \"{}\" }}\n",
            if id.starts_with("in") { image.digest() } else { image.manifests[0].0.clone() }
        )
    };
    let mut text = "schema = 1\n[pipeline]\nname = \"pairs\"\n".to_owned();
    let sources = places(9);
    for (number, target) in sources.iter().enumerate() {
        text += &step(&format!("in-{number}"), "oci-layout:in:v1", target);
    }
    for (of, source) in sources.iter().enumerate() {
        for (number, target) in places(of).iter().enumerate() {
            text += &step(&format!("from-{of}-to-{number}"), source, target);
        }
    }
    host.write("p.toml", text);
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    let finished = ran.events("step-finished");
    assert_eq!(finished.len(), 5 + 25);
    for step in finished {
        assert_eq!(step["outputs"]["digest"], image.manifests[0].0, "{}", step["step"]);
        assert_eq!(step["status"], "changed", "{}", step["step"]);
    }
    // Where it can be seen, somebody else sees it.
    for of in 0..5 {
        let [a, b, c, d, e] = places(of);
        let beside = |place: &str| {
            let (kind, path) = place.split_once(':').unwrap();
            let kind = if kind == "oci-layout" { "oci" } else { kind };
            format!("{kind}:{}", host.path("").join(path).display())
        };
        for place in [format!("docker://{a}"), format!("docker://{b}"), beside(&c), beside(&d)] {
            assert_eq!(Skopeo::new().digest(&place), image.manifests[0].0, "{place}");
        }
        let manifest: Value = serde_json::from_slice(&image.manifests[0].1).unwrap();
        let seen = Skopeo::new().manifest(&beside(&e));
        assert_eq!(seen["config"]["digest"], manifest["config"]["digest"], "{e}");
    }
}

#[test]
fn a_manifest_of_a_type_that_nobody_knows_comes_along_with_its_type() {
    let unknown = "application/vnd.example.nobody.v7+json";
    let host = host();
    let embedded = Embedded::start(&host, &host.path("registry"));
    let layer: &[u8] = b"of an unknown manifest";
    for (name, manifest) in [
        ("like-ours", json!({ "layers": [part("a/b", layer)], "schemaVersion": 2 })),
        ("opaque", json!({ "whatever": ["it", "is"] })),
    ] {
        let artifact = Image::of_parts(&manifest, &[layer]);
        artifact.write_layout_as(unknown, &host.path(&format!("in/{name}")), "v1");
        let between = format!("{}/{name}:v1", embedded.address());
        let out = import(&host, &format!("oci-layout:in/{name}:v1"), &between, "");
        assert_eq!(
            (&out["digest"], &out["media-type"]),
            (&json!(artifact.digest()), &json!(unknown))
        );
        let out = import(&host, &between, &format!("oci-layout:out/{name}:v1"), "");
        assert_eq!(
            (&out["digest"], &out["media-type"]),
            (&json!(artifact.digest()), &json!(unknown))
        );
        let index: Value =
            serde_json::from_str(&host.read(&format!("out/{name}/index.json"))).unwrap();
        assert_eq!(index["manifests"][0]["mediaType"], unknown);
        assert_eq!(index["manifests"][0]["digest"], artifact.digest());
    }
    // What its parts are is seen all the same; of what is opaque nothing else can come along.
    let blob = format!("blobs/{}", Image::descriptor_of("a/b", layer)["digest"].as_str().unwrap());
    assert!(host.path("out/like-ours").join(blob.replace(':', "/")).is_file());
}

#[test]
fn images_of_docker_stay_images_of_docker() {
    let image = Image::multi_arch(&["linux/amd64", "linux/arm64"], 10_000);
    let folder = TempDir::new().unwrap();
    image.write_layout(folder.path(), "it");
    let source = DockerRegistry::start(Access::Anonymous);
    let host = host();
    let target = Embedded::start(&host, &host.path("registry"));
    let at = |registry: &str| format!("docker://{registry}/app:v1");
    let (from, to) = (source.address(), target.address().to_owned());
    Skopeo::new().convert(&format!("oci:{}:it", folder.path().display()), &at(&from), "v2s2");
    let list = Skopeo::new().manifest(&at(&from));
    assert_eq!(list["mediaType"], DOCKER_LIST);
    assert_eq!(list["manifests"][0]["mediaType"], DOCKER_MANIFEST);

    let out = import(&host, &format!("{from}/app:v1"), &format!("{to}/app:v1"), "");
    assert_eq!(out["media-type"], DOCKER_LIST);
    assert_eq!(out["platforms"], json!(["linux/amd64", "linux/arm64"]));
    assert_eq!(Skopeo::new().inspect_raw(&at(&to)), Skopeo::new().inspect_raw(&at(&from)));
    Skopeo::new().pull_whole(&at(&to), &host.path("pulled"));

    let one = "platforms = [\"linux/arm64\"]";
    let out = import(&host, &format!("{from}/app:v1"), &format!("{to}/arm:v1"), one);
    assert_eq!(out["media-type"], DOCKER_MANIFEST);
    assert_eq!(out["digest"], list["manifests"][1]["digest"]);
    // And through a layout back to where it came from.
    import(&host, &format!("{to}/app:v1"), "oci-layout:out:v1", "");
    import(&host, "oci-layout:out:v1", &format!("{from}/again:v1"), "");
    let again = Skopeo::new().inspect_raw(&format!("docker://{from}/again:v1"));
    assert_eq!(again, Skopeo::new().inspect_raw(&at(&from)));
}

#[test]
fn foreign_layers_stay_where_they_are_unless_they_are_wanted() {
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    let (config, layer): (&[u8], &[u8]) =
        (
            br#"{"architecture":"amd64","os":"windows","rootfs":{"diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}}"#,
            b"\x1f\x8bnot to be distributed",
        );
    let mut away = part(foreign, layer);
    away["urls"] = json!(["https://example.com/layer"]);
    let manifest = json!({
        "schemaVersion": 2, "mediaType": DOCKER_MANIFEST,
        "config": part("application/vnd.docker.container.image.v1+json", config),
        "layers": [away],
    });
    let image = Image::of_parts(&manifest, &[config, layer]);
    let host = host();
    image.write_layout_as(DOCKER_MANIFEST, &host.path("in"), "v1");
    let target = Embedded::start(&host, &host.path("registry"));
    let blob = image.blobs[1].0.replace(':', "/");
    for (name, more, is_there) in [
        ("usual", "", false),
        ("skipped", "foreign-layers = \"skip\"", false),
        ("whole", "foreign-layers = \"include\"", true),
    ] {
        let to = format!("{}/{name}:v1", target.address());
        let out = import(&host, "oci-layout:in:v1", &to, more);
        assert_eq!(out["digest"], image.digest(), "{name}");
        assert_eq!(out["platforms"], json!(["windows/amd64"]));
        let file = host.path(&format!("registry/{name}/blobs")).join(&blob);
        assert_eq!(file.is_file(), is_there, "{name}");
    }
    // An archive of docker has all of an image or nothing.
    let with = "source = \"oci-layout:in:v1\"\ntarget = \"docker-archive:app.tar:app:v1\"";
    host.write("p.toml", pipeline(with));
    host.run(&["run", "p.toml", "--quiet"])
        .exits(1)
        .stderr_says(&["an archive of docker has all of an image", "foreign-layers = \"include\""]);
    assert!(!host.path("app.tar").exists());
    import(
        &host,
        "oci-layout:in:v1",
        "docker-archive:app.tar:app:v1",
        "foreign-layers = \"include\"",
    );
}

#[test]
fn the_first_format_of_docker_is_refused_with_what_to_do() {
    let server = HttpServer::start(|request| match request.path.contains("/manifests/") {
        true => Answer::body(r#"{"schemaVersion":1,"name":"old","fsLayers":[]}"#)
            .header("content-type", "application/vnd.docker.distribution.manifest.v1+prettyjws"),
        false => Answer::status(404),
    });
    let host = host();
    let with = format!("source = \"{}/old:v1\"\ntarget = \"oci-layout:out:v1\"", server.address());
    host.write("p.toml", pipeline(&with));
    for arguments in [&["run", "p.toml", "--quiet"][..], &["plan", "p.toml", "--live"]] {
        let ran = host.run(arguments);
        ran.exits(1);
        for part in ["schema 1", "push the image again", "skopeo copy --format v2s2"] {
            assert!(ran.account().contains(part), "{part}\n{}", ran.account());
        }
    }
    assert!(!host.path("out").exists());
}

#[test]
fn what_a_source_serves_instead_of_its_digest_is_not_copied() {
    let image = Image::multi_arch(&["linux/amd64"], 10);
    let source = DockerRegistry::start(Access::Anonymous);
    push_with_skopeo(&image, &source, Access::Anonymous, "app:v1");
    let host = host();
    // The digest behind the tag counts, and it is another image's.
    let other = Image::multi_arch(&["linux/arm64"], 10);
    let with = format!(
        "source = \"{}/app:v1@{}\"\ntarget = \"oci-layout:out:v1\"",
        source.address(),
        other.digest()
    );
    host.write("p.toml", pipeline(&with));
    host.run(&["run", "p.toml", "--quiet"]).exits(1).stderr_says(&[&other.digest()]);
    assert!(!host.path("out/index.json").exists());
}
