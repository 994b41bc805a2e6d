//! What speaks about an image and is attached to it: bills of materials, statements of provenance.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use support::Skopeo;

use super::Workshop;

const DPKG: &str = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\n\
                    Version: 2.36-9+deb12u10\nSource: glibc\n\n\
                    Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n";

const APK: &str = "C:Q1=\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\no:musl\nF:lib\nR:libc.so\n\n";

const RELEASE: &str = "ID=debian\nVERSION_ID=\"12\"\n";

/// A base with the databases of two package managers, and an application on it.
fn prepared() -> Workshop {
    let shop = Workshop::new();
    let registry = shop.registry();
    shop.host.write("stable/var/lib/dpkg/status", DPKG);
    shop.host.write("stable/lib/apk/db/installed", APK);
    shop.host.write("stable/etc/os-release", RELEASE);
    let base = format!("{registry}/base/packages:1");
    shop.build(&format!(
        "tags = [{base:?}]\n[step.with.image]\nfiles = [{{ from = \"stable\", to = \"/\" }}]"
    ));
    shop.host.write("app/Dockerfile", format!("FROM {base}\nCOPY app /app\n"));
    shop.host.write("app/app", "app");
    shop
}

fn build(shop: &Workshop, more: &str) -> Value {
    let registry = shop.registry();
    shop.build(&format!("context = \"app\"\ntags = [\"{registry}/app:1\"]\n{more}"))
}

/// JSON that the registry answers; nobody's client is between.
fn get(shop: &Workshop, path: &str) -> Value {
    let mut stream = TcpStream::connect(shop.registry()).unwrap();
    let host = shop.registry();
    write!(stream, "GET /v2/app/{path} HTTP/1.0\r\nHost: {host}\r\nAccept: */*\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.lines().next().unwrap().contains(" 200 "), "{path}: {answer}");
    serde_json::from_str(body).unwrap()
}

/// What is attached to an image: its kind, the digest of its manifest, and its text.
fn attached(shop: &Workshop, image: &str) -> Vec<(String, String, Value)> {
    let index = get(shop, &format!("referrers/{image}"));
    let of = |entry: &Value| {
        let digest = entry["digest"].as_str().unwrap().to_owned();
        let manifest = get(shop, &format!("manifests/{digest}"));
        assert_eq!(manifest["subject"]["digest"], image);
        assert_eq!(manifest["artifactType"], entry["artifactType"]);
        let blob = manifest["layers"][0]["digest"].as_str().unwrap();
        let text = get(shop, &format!("blobs/{blob}"));
        (entry["artifactType"].as_str().unwrap().to_owned(), digest, text)
    };
    index["manifests"].as_array().unwrap().iter().map(of).collect()
}

const LIBC: &str =
    "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12&upstream=glibc";

const MUSL: &str = "pkg:apk/debian/musl@1.2.5-r0?arch=x86_64&distro=debian-12";

#[test]
fn a_bill_of_materials_lists_the_packages_of_the_base() {
    let shop = prepared();
    let spdx = build(&shop, "sbom = \"spdx\"");
    let image = spdx["digest"].as_str().unwrap();
    let found = attached(&shop, image);
    let [(kind, digest, document)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(kind, "application/spdx+json");
    let platform = spdx["images"][0]["platform"].clone();
    assert_eq!(spdx["sboms"], json!([{ "platform": platform, "digest": digest }]));
    assert_eq!(document["spdxVersion"], "SPDX-2.3");
    let packages = document["packages"].as_array().unwrap();
    let locators: Vec<&str> = packages
        .iter()
        .filter_map(|package| package["externalRefs"][0]["referenceLocator"].as_str())
        .filter(|locator| !locator.starts_with("pkg:docker") && !locator.starts_with("pkg:oci"))
        .collect();
    assert_eq!(locators, [MUSL, LIBC]);

    // The image is the same, and both formats say the same of it.
    let cyclonedx = build(&shop, "sbom = \"cyclonedx\"");
    assert_eq!(cyclonedx["digest"], image);
    let found = attached(&shop, image);
    assert_eq!(found.len(), 2, "{found:?}");
    let (_, digest, document) =
        found.iter().find(|(kind, ..)| kind == "application/vnd.cyclonedx+json").unwrap();
    assert_eq!(cyclonedx["sboms"][0]["digest"], digest.as_str());
    let components = document["components"].as_array().unwrap();
    let purls: Vec<&str> =
        components.iter().filter_map(|component| component["purl"].as_str()).collect();
    assert_eq!(purls, [MUSL, LIBC]);

    // Once more: nothing new is attached, from the cache or not.
    for more in ["", "no-cache = true\n"] {
        let again = build(&shop, &format!("{more}sbom = \"cyclonedx\""));
        assert_eq!(again["sboms"], cyclonedx["sboms"]);
    }
    assert_eq!(attached(&shop, image).len(), 2);
}

#[test]
fn a_bill_of_materials_is_the_same_wherever_the_image_is() {
    let shop = prepared();
    let registry = shop.registry();
    let places = format!("tags = [\"{registry}/app:1\", \"{registry}/other:2\"]");
    for format in ["spdx", "cyclonedx"] {
        let with = format!("context = \"app\"\n{places}\nsbom = {format:?}");
        let built = shop.build(&with);
        let digest = built["sboms"][0]["digest"].as_str().unwrap();
        for name in ["app", "other"] {
            let place = format!("docker://{registry}/{name}@{digest}");
            assert_eq!(Skopeo::new().digest(&place), digest);
        }
        let elsewhere = shop.build(&with.replace("app:1", "app:3"));
        assert_eq!(elsewhere["sboms"], built["sboms"]);
    }
}

#[test]
fn a_bill_of_materials_of_a_rebased_image_lists_the_packages_of_the_new_base() {
    let shop = prepared();
    let registry = shop.registry();
    let base = format!("{registry}/base/packages:1");
    build(&shop, "");
    let rebase = format!(
        "tags = [\"{registry}/app:2\"]\nsbom = \"cyclonedx\"\n[step.with.rebase]\nimage = \"{registry}/app:1\"\n"
    );
    let components = |built: &Value| {
        let found = attached(&shop, built["digest"].as_str().unwrap());
        let [(kind, digest, document)] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(kind, "application/vnd.cyclonedx+json");
        let platform = built["images"][0]["platform"].clone();
        assert_eq!(built["sboms"], json!([{ "platform": platform, "digest": digest }]));
        let names = document["components"].as_array().unwrap().iter();
        names.map(|one| format!("{} {}", one["name"], one["version"])).collect::<Vec<_>>()
    };
    let of_base = |built: &Value| format!("{:?} {}", base, built["bases"][0]["manifest"]);
    // There is no newer base yet.
    let same = shop.build(&rebase);
    let packages =
        |libc: &str| vec!["\"musl\" \"1.2.5-r0\"".to_owned(), format!("\"libc6\" {libc:?}")];
    let expected = [vec![of_base(&same)], packages("2.36-9+deb12u10")].concat();
    assert_eq!(components(&same), expected);

    shop.host.write("stable/var/lib/dpkg/status", DPKG.replace("deb12u10", "deb12u11"));
    shop.build(&format!(
        "tags = [{base:?}]\n[step.with.image]\nfiles = [{{ from = \"stable\", to = \"/\" }}]"
    ));
    let moved = shop.build(&rebase);
    assert_ne!(moved["digest"], same["digest"]);
    let expected = [vec![of_base(&moved)], packages("2.36-9+deb12u11")].concat();
    assert_eq!(components(&moved), expected);
}

#[test]
fn a_statement_of_provenance_names_inputs_and_bases() {
    let shop = prepared();
    let with = "provenance = true\nargs = { ONE = \"1\" }\nsecrets = [\"token\"]";
    let built = build(&shop, with);
    let image = built["digest"].as_str().unwrap();
    let found = attached(&shop, image);
    let [(kind, digest, statement)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(kind, "application/vnd.in-toto+json");
    assert_eq!(built["provenance"][0]["digest"], digest.as_str());
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
    let hex = |digest: &str| digest.trim_start_matches("sha256:").to_owned();
    let name = format!("{}/app:1", shop.registry());
    assert_eq!(statement["subject"], json!([{ "name": name, "digest": { "sha256": hex(image) } }]));
    let definition = &statement["predicate"]["buildDefinition"];
    assert_eq!(
        definition["externalParameters"],
        json!({
            "context": "app",
            "file": "Dockerfile",
            "platform": built["images"][0]["platform"],
            "args": { "ONE": "1" },
            "secrets": ["token"],
            "network": "none",
        })
    );
    let base = &built["bases"][0];
    assert_eq!(
        definition["resolvedDependencies"],
        json!([{
            "uri": format!("pkg:docker/{}", base["name"].as_str().unwrap()),
            "digest": { "sha256": hex(base["manifest"].as_str().unwrap()) },
            "annotations": { "platform": base["platform"], "runtime": true },
        }])
    );
    // No time, no place, no secret: the same build gives the same statement.
    assert!(!statement.to_string().contains("s3cr3t"));
    let again = build(&shop, &format!("no-cache = true\n{with}"));
    assert_eq!(again["provenance"], built["provenance"]);
    assert_eq!(attached(&shop, image).len(), 1);
}
