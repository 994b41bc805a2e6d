//! Images without a Dockerfile, and what they are written as.

use serde_json::{Value, json};
use support::{Skopeo, Tree};

use super::Workshop;

/// For each platform a base of one file.
const BASE: &str = r#"
platforms = ["linux/amd64", "linux/arm64"]
tags = ["REG/base/files:1"]
[step.with.image]
files = [{ from = "dist/{os}-{arch}/release", to = "/etc/release" }]
env = { PATH = "/bin", LEFT = "as it is" }
cmd = ["sh"]
"#;

const APP: &str = r#"
platforms = ["linux/amd64", "linux/arm64"]
tags = ["REG/app:1"]
labels = { "org.example.team" = "blue" }
annotations = { "org.example.note" = "hello" }
[step.with.image]
base = "REG/base/files:1"
files = [
    { from = "dist/{os}-{arch}/app", to = "/usr/bin/app", mode = "750", owner = "5:6" },
    { from = "share", to = "/usr/share/app/", mode = "u=rwX,go=rX" },
]
entrypoint = ["/usr/bin/app"]
cmd = ["--serve"]
user = "1000:1000"
working-dir = "/srv"
env = { PATH = "/usr/bin", MODE = "fast" }
ports = ["8080", "53/udp"]
volumes = ["/data"]
stop-signal = "SIGINT"
"#;

fn prepared() -> Workshop {
    let shop = Workshop::new();
    for architecture in ["amd64", "arm64"] {
        let folder = format!("dist/linux-{architecture}");
        shop.host.write(&format!("{folder}/release"), format!("for {architecture}\n"));
        shop.host.write(&format!("{folder}/app"), format!("app of {architecture}\n"));
    }
    shop.host.write("share/one", "1");
    shop.host.write("share/deep/two", "2");
    shop.build(&BASE.replace("REG", shop.registry()));
    shop
}

#[test]
fn files_on_a_base_are_an_image_for_each_platform() {
    let shop = prepared();
    let with = APP.replace("REG", shop.registry());
    let built = shop.build(&with);
    assert_eq!(built["media-type"], "application/vnd.oci.image.index.v1+json");
    assert_eq!(built["steps"], json!({ "done": 4, "cached": 0 }));
    let place = format!("docker://{}/app:1", shop.registry());
    let index = Skopeo::new().manifest(&place);
    let base = Skopeo::new().digest(&format!("docker://{}/base/files:1", shop.registry()));
    let annotations = json!({
        "org.example.note": "hello",
        "org.opencontainers.image.base.name": format!("{}/base/files:1", shop.registry()),
        "org.opencontainers.image.base.digest": base,
    });
    assert_eq!(index["annotations"], annotations);
    let entries = index["manifests"].as_array().unwrap();
    let platforms: Vec<&Value> = entries.iter().map(|entry| &entry["platform"]).collect();
    let platform = |name| json!({ "architecture": name, "os": "linux" });
    assert_eq!(platforms, [&platform("amd64"), &platform("arm64")]);
    for (entry, architecture) in entries.iter().zip(["amd64", "arm64"]) {
        let digest = entry["digest"].as_str().unwrap();
        let place = format!("docker://{}/app@{digest}", shop.registry());
        assert_eq!(Skopeo::new().manifest(&place)["annotations"], annotations);
        let config = Skopeo::new().config(&place);
        assert_eq!(config["architecture"], architecture);
        assert_eq!(
            config["config"],
            json!({
                "Env": ["LEFT=as it is", "PATH=/usr/bin", "MODE=fast"],
                "Entrypoint": ["/usr/bin/app"],
                "Cmd": ["--serve"],
                "User": "1000:1000",
                "WorkingDir": "/srv",
                "ExposedPorts": { "8080/tcp": {}, "53/udp": {} },
                "Volumes": { "/data": {} },
                "StopSignal": "SIGINT",
                "Labels": { "org.example.team": "blue" },
            })
        );
        let tree = files_of(&place);
        let sums = |text: &str| described(&shop, text);
        let expected = [
            ("etc/release", format!("644 0:0 {}", sums(&format!("for {architecture}\n")))),
            ("usr/bin/app", format!("750 5:6 {}", sums(&format!("app of {architecture}\n")))),
            ("usr/share/app/deep/two", format!("644 0:0 {}", sums("2"))),
            ("usr/share/app/one", format!("644 0:0 {}", sums("1"))),
        ];
        let expected = expected.map(|(path, described)| (path.to_owned(), described));
        assert_eq!(tree, Tree::from(expected));
    }
    // Nothing else decides about the digest.
    assert_eq!(shop.build(&format!("no-cache = true\n{with}"))["digest"], built["digest"]);
}

/// All that is no directory.
fn files_of(place: &str) -> Tree {
    let mut tree = Skopeo::new().tree(place);
    tree.retain(|_, described| !described.ends_with("directory"));
    tree
}

/// How a file with this text is described.
fn described(shop: &Workshop, text: &str) -> String {
    shop.host.write("sum", text);
    let ran = shop.host.run_beside(&["/bin/sh", "-c", "sha256sum sum"]);
    format!("file {} {}", text.len(), ran.stdout.split(' ').next().unwrap())
}

#[test]
fn an_image_is_written_in_either_format_and_compressed_or_not() {
    let shop = Workshop::new();
    shop.host.write("ctx/Dockerfile", format!("FROM {}\nCOPY one /one\n", shop.base()));
    shop.host.write("ctx/one", "1");
    let place = format!("{}/app:1", shop.registry());
    let oci = "application/vnd.oci.image";
    let docker = "application/vnd.docker";
    let cases = [
        ("", format!("{oci}.manifest.v1+json"), format!("{oci}.layer.v1.tar+gzip")),
        (
            "compression = \"zstd\"",
            format!("{oci}.manifest.v1+json"),
            format!("{oci}.layer.v1.tar+zstd"),
        ),
        (
            "compression = \"none\"",
            format!("{oci}.manifest.v1+json"),
            format!("{oci}.layer.v1.tar"),
        ),
        (
            "format = \"docker\"",
            format!("{docker}.distribution.manifest.v2+json"),
            format!("{docker}.image.rootfs.diff.tar.gzip"),
        ),
    ];
    let mut trees = Vec::new();
    for (with, manifest, layer) in cases {
        let built = shop.build(&format!("context = \"ctx\"\ntags = [{place:?}]\n{with}"));
        assert_eq!(built["media-type"], manifest, "{with}");
        let written = Skopeo::new().manifest(&format!("docker://{place}"));
        assert_eq!(written["mediaType"], manifest, "{with}");
        let last = written["layers"].as_array().unwrap().last().unwrap();
        assert_eq!(last["mediaType"], layer, "{with}");
        trees.push(Skopeo::new().tree(&format!("docker://{place}")));
    }
    assert!(trees.iter().all(|tree| *tree == trees[0]), "the same files in every shape");
    let ran = shop.try_build("context = \"ctx\"\nformat = \"docker\"\ncompression = \"zstd\"");
    ran.exits(1);
    assert!(ran.stdout.contains("no zstd layers"), "{}", ran.account());
}

#[test]
fn an_image_is_written_to_as_many_places_as_are_named_or_to_none() {
    let shop = Workshop::new();
    shop.host.write("ctx/Dockerfile", format!("FROM {}\nCOPY one /one\n", shop.base()));
    shop.host.write("ctx/one", "1");
    let registry = shop.registry();
    let nowhere = shop.build("context = \"ctx\"");
    assert_eq!((&nowhere["targets"], &nowhere["changed"]), (&json!([]), &json!(false)));
    let tags = format!(
        "tags = [\"{registry}/app:1\", \"{registry}/app:latest\", \"{registry}/other:1\", \
         \"oci-layout:layout:1\", \"oci-archive:oci.tar:1\", \"docker-archive:docker.tar:app:1\"]"
    );
    let built = shop.build(&format!("context = \"ctx\"\n{tags}"));
    assert_eq!(built["digest"], nowhere["digest"]);
    assert_eq!(built["steps"], json!({ "done": 0, "cached": 1 }));
    assert_eq!(built["targets"].as_array().unwrap().len(), 6);
    let at = |name: &str| shop.host.path(name).display().to_string();
    let tree = Skopeo::new().tree(&format!("docker://{registry}/app:1"));
    assert!(tree.contains_key("one") && tree.contains_key("bin/busybox"), "{tree:?}");
    for place in [
        format!("docker://{registry}/app:latest"),
        format!("docker://{registry}/other:1"),
        format!("oci:{}:1", at("layout")),
        format!("oci-archive:{}:1", at("oci.tar")),
    ] {
        assert_eq!(Skopeo::new().digest(&place), built["digest"], "{place}");
        assert_eq!(Skopeo::new().tree(&place), tree, "{place}");
    }
    let archive = format!("docker-archive:{}:app:1", at("docker.tar"));
    assert_eq!(Skopeo::new().tree(&archive), tree);
    let again = shop.build(&format!("context = \"ctx\"\n{tags}"));
    assert_eq!(again["changed"], false, "{again:#}");
}
