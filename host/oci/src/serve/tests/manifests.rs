//! What the conformance suite of the distribution specification asks about manifests of all kinds.

use base64::Engine as _;
use bytes::Bytes;
use serde_json::{Value, json};

use super::{Api, header, json_of};
use crate::testing::{content, push};
use crate::{Algorithm, Descriptor, Digest, MediaType};

const TYPE: &str = "application/vnd.example.thing.v1";

/// The documents, each under a name; what they list comes before them.
async fn documents(api: &Api) -> Vec<(&'static str, Value)> {
    let store = api.server.repository("a");
    let config =
        push(&store, MediaType::OCI_CONFIG, &Bytes::from_static(b"{\"os\":\"linux\"}")).await;
    let empty = push(&store, MediaType::OCI_EMPTY, &Bytes::from_static(b"{}")).await;
    let layer = push(&store, MediaType::OCI_LAYER_GZIP, &content(1, 600)).await;
    let image = |more: Value| {
        merged(
            json!({
                "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
                "config": config, "layers": [layer],
            }),
            more,
        )
    };
    let index = |more: Value| {
        merged(
            json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": [] }),
            more,
        )
    };
    let (plain, list) = (image(json!({})), index(json!({ "manifests": [at(&image(json!({})))] })));
    let long = "A".repeat(10_000);
    let large: serde_json::Map<_, _> =
        (0..390).map(|number| (format!("large-{number}"), long.as_str().into())).collect();
    let mut with_data = serde_json::to_value(&config).unwrap();
    with_data["data"] =
        base64::engine::general_purpose::STANDARD.encode("{\"os\":\"linux\"}").into();
    let elsewhere = json!({
        "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "digest": Digest::of(b"elsewhere"), "size": 123_456, "urls": ["https://example.com/layer"],
    });
    let gone = json!({
        "mediaType": MediaType::OCI_MANIFEST, "digest": Digest::of(b"never"), "size": 123,
    });
    let said = json!({ "who": "me" });
    vec![
        ("image", plain.clone()),
        ("large", image(json!({ "annotations": large }))),
        ("index", list.clone()),
        ("nested", index(json!({ "manifests": [at(&list)] }))),
        ("empty-index", index(json!({}))),
        ("artifact", image(json!({ "artifactType": TYPE, "config": empty }))),
        (
            "artifact-without-layers",
            image(json!({
                "artifactType": TYPE, "config": empty, "layers": [empty],
            })),
        ),
        ("artifact-index", index(json!({ "artifactType": TYPE, "manifests": [at(&plain)] }))),
        (
            "about-an-image",
            image(json!({
                "artifactType": TYPE, "config": empty, "subject": at(&plain), "annotations": said,
            })),
        ),
        (
            "about-an-index",
            index(json!({
                "artifactType": TYPE, "subject": at(&list), "annotations": said,
            })),
        ),
        ("about-nothing", image(json!({ "artifactType": TYPE, "subject": gone }))),
        ("data", image(json!({ "config": with_data }))),
        ("not-distributed", image(json!({ "layers": [elsewhere, layer] }))),
        ("custom", image(json!({ "org.example.custom": { "deep": [1, null, "x"] } }))),
        ("no-layers", image(json!({ "layers": [] }))),
    ]
}

fn merged(mut document: Value, more: Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        document[key] = value.clone();
    }
    document
}

fn at(document: &Value) -> Descriptor {
    let media_type = MediaType::new(document["mediaType"].as_str().unwrap());
    Descriptor::of(media_type, document.to_string().as_bytes())
}

/// Asks for a manifest, and holds the answer against what was pushed.
async fn assert_is(api: &Api, selector: &str, document: &Value, digest: &Digest) {
    let path = format!("/v2/a/manifests/{selector}");
    let text = document.to_string();
    for method in ["HEAD", "GET"] {
        let found = api.ask(method, &path, &[], b"").await;
        let facts = ["content-type", "content-length", "docker-content-digest"]
            .map(|name| header(&found, name).to_owned());
        let expect =
            [document["mediaType"].as_str().unwrap(), &text.len().to_string(), &digest.to_string()]
                .map(str::to_owned);
        assert_eq!((found.status().as_u16(), facts), (200, expect), "{method} {path}");
        let body = found.text().await.unwrap();
        assert_eq!(body, if method == "GET" { text.as_str() } else { "" }, "{path}");
    }
}

#[tokio::test]
async fn manifests_of_every_kind_are_pushed_listed_pulled_and_deleted() {
    let api = Api::new().await;
    let documents = documents(&api).await;
    for (name, document) in &documents {
        let text = document.to_string();
        let kind = [("content-type", document["mediaType"].as_str().unwrap())];
        let subject = document["subject"]["digest"].as_str().unwrap_or_default();
        let digest = Digest::of(text.as_bytes());
        for selector in [digest.to_string(), (*name).to_owned()] {
            let path = format!("/v2/a/manifests/{selector}");
            let put = api.ask("PUT", &path, &kind, text.as_bytes()).await;
            let facts = ["location", "docker-content-digest", "oci-subject"]
                .map(|name| header(&put, name).to_owned());
            let place = format!("/v2/a/manifests/{digest}");
            let expect = [place, digest.to_string(), subject.to_owned()];
            assert_eq!((put.status().as_u16(), facts), (201, expect), "{name}");
            assert_is(&api, &selector, document, &digest).await;
        }
    }
    let mut names: Vec<&str> = documents.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    for behind in 0..names.len() {
        let path = format!("/v2/a/tags/list?last={}", names[behind]);
        let listed = api.ask("GET", &path, &[], b"").await.text().await.unwrap();
        let expect = json!({ "name": "a", "tags": names[behind + 1..] });
        assert_eq!(serde_json::from_str::<Value>(&listed).unwrap(), expect);
    }
    for (name, document) in documents.iter().rev() {
        let digest = Digest::of(document.to_string().as_bytes());
        let by_tag = format!("/v2/a/manifests/{name}");
        assert_eq!(api.ask("DELETE", &by_tag, &[], b"").await.status(), 202, "{name}");
        api.check("GET", &by_tag, "404 MANIFEST_UNKNOWN").await;
        assert_is(&api, &digest.to_string(), document, &digest).await;
        let by_digest = format!("/v2/a/manifests/{digest}");
        assert_eq!(api.ask("DELETE", &by_digest, &[], b"").await.status(), 202, "{name}");
        api.check("GET", &by_digest, "404 MANIFEST_UNKNOWN").await;
    }
}

#[tokio::test]
async fn a_manifest_is_known_by_the_digest_that_its_pusher_chose() {
    let api = Api::new().await;
    for (name, document) in documents(&api).await.iter().filter(|(name, _)| *name != "nested") {
        let text = document.to_string();
        let digest = Digest::with(Algorithm::Sha512, text.as_bytes());
        let kind = [("content-type", document["mediaType"].as_str().unwrap())];
        let path = format!("/v2/a/manifests/{digest}");
        let put = api.ask("PUT", &path, &kind, text.as_bytes()).await;
        assert_eq!((put.status().as_u16(), header(&put, "location")), (201, &*path), "{name}");
        assert_is(&api, &digest.to_string(), document, &digest).await;
    }
}

#[tokio::test]
async fn what_is_no_manifest_of_that_digest_is_refused() {
    let api = Api::new().await;
    let documents = documents(&api).await;
    let (_, image) = &documents[0];
    let (text, kind) =
        (image.to_string(), [("content-type", image["mediaType"].as_str().unwrap())]);
    let put = async |selector: &str, headers: &[(&str, &str)], text: &str| {
        let path = format!("/v2/a/manifests/{selector}");
        let answer = api.ask("PUT", &path, headers, text.as_bytes()).await;
        let status = answer.status().as_u16();
        let body = json_of(answer).await;
        format!("{status} {}", body["errors"][0]["code"].as_str().unwrap())
    };
    let other = Digest::with(Algorithm::Sha512, text.as_bytes()).to_string();
    for selector in
        ["sha256:baddigeststring", "md5:00", "sha256:", ":", &Digest::of(b"x").to_string()]
    {
        assert_eq!(put(selector, &kind, &text).await, "400 DIGEST_INVALID", "{selector}");
    }
    assert_eq!(put(&other, &kind, &format!("{text} ")).await, "400 DIGEST_INVALID");
    let index = MediaType::OCI_INDEX;
    let index = [("content-type", index.as_str())];
    assert_eq!(put("v1", &index, &text).await, "400 MANIFEST_INVALID", "it says otherwise");
    for nonsense in ["", "{", "[]", "null", "\"x\"", "{}"] {
        assert_eq!(put("v1", &[], nonsense).await, "400 MANIFEST_INVALID", "{nonsense}");
    }
    // Parameters of the media type are not looked at.
    let path = "/v2/a/manifests/v1";
    let kind = format!("{}; charset=utf-8", image["mediaType"].as_str().unwrap());
    let answer = api.ask("PUT", path, &[("content-type", &kind)], text.as_bytes()).await;
    assert_eq!(answer.status(), 201);
    assert_is(&api, "v1", image, &Digest::of(text.as_bytes())).await;
}
