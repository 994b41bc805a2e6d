//! What speaks about a manifest, as clients ask for it.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Api, header, json_of};
use crate::testing::{content, push, push_image};
use crate::{Descriptor, Manifest, MediaType, Store};

async fn list(api: &Api, path: &str) -> (Value, String, String) {
    let listed = api.ask("GET", path, &[], b"").await;
    assert_eq!(listed.status(), 200, "{path}");
    assert_eq!(header(&listed, "content-type"), MediaType::OCI_INDEX.as_str());
    let link = header(&listed, "link").to_owned();
    let filtered = header(&listed, "oci-filters-applied").to_owned();
    (json_of(listed).await, link, filtered)
}

fn digests(index: &Value) -> Vec<String> {
    let entries = index["manifests"].as_array().unwrap().iter();
    entries.map(|entry| entry["digest"].as_str().unwrap().to_owned()).collect()
}

async fn about(store: &dyn Store, subject: &Descriptor, more: Value) -> Manifest {
    let config = push(store, MediaType::OCI_EMPTY, &Bytes::from_static(b"{}")).await;
    let mut document = json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "config": config, "layers": [],
        "subject": subject,
    });
    for (key, value) in more.as_object().unwrap() {
        document[key] = value.clone();
    }
    let media_type = MediaType::new(document["mediaType"].as_str().unwrap());
    let manifest = Manifest::new(media_type, Bytes::from(document.to_string())).unwrap();
    store.put_manifest(&manifest, &[]).await.unwrap();
    manifest
}

#[tokio::test]
async fn an_entry_says_what_its_manifest_says() {
    let api = Api::new().await;
    let store = api.server.repository("a");
    let subject = push_image(&store, "linux/amd64", &[content(1, 10)], &[]).await.descriptor();
    let path = format!("/v2/a/referrers/{}", subject.digest);
    let nothing = json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": [],
    });
    assert_eq!(list(&api, &path).await, (nothing, String::new(), String::new()));
    let notes = json!({ "org.example.note": "x" });
    let index = json!({ "mediaType": MediaType::OCI_INDEX, "manifests": [], "annotations": notes });
    let empty = MediaType::OCI_EMPTY;
    let cases = [
        (json!({ "artifactType": "a/b", "annotations": notes }), Some("a/b"), true),
        (json!({ "artifactType": "" }), Some(empty.as_str()), false),
        (json!({}), Some(empty.as_str()), false),
        (index, None, true),
    ];
    let mut expect = Vec::new();
    for (number, (mut more, artifact_type, has_notes)) in cases.into_iter().enumerate() {
        more["number"] = number.into();
        if more["mediaType"] == MediaType::OCI_INDEX.as_str() {
            more["config"] = Value::Null;
            more["layers"] = Value::Null;
        }
        let manifest = about(&store, &subject, more).await;
        let mut entry = json!({
            "mediaType": manifest.media_type(), "digest": manifest.digest(),
            "size": manifest.bytes().len(),
        });
        if let Some(artifact_type) = artifact_type {
            entry["artifactType"] = artifact_type.into();
        }
        if has_notes {
            entry["annotations"] = notes.clone();
        }
        expect.push(entry);
    }
    assert_eq!(list(&api, &path).await.0["manifests"], Value::from(expect));
}

#[tokio::test]
async fn a_filter_is_applied_and_said() {
    let api = Api::new().await;
    let store = api.server.repository("a");
    let subject = push_image(&store, "linux/amd64", &[content(1, 10)], &[]).await.descriptor();
    let one = about(&store, &subject, json!({ "artifactType": "application/vnd.One+json" })).await;
    let two = about(&store, &subject, json!({ "artifactType": "application/vnd.two" })).await;
    let all = [one.digest().to_string(), two.digest().to_string()];
    for (query, expect, said) in [
        ("", &all[..], ""),
        ("?artifactType=application/vnd.One%2Bjson", &all[..1], "artifactType"),
        ("?artifactType=application/vnd.one%2Bjson", &all[..1], "artifactType"),
        ("?artifactType=application%2Fvnd.two", &all[1..], "artifactType"),
        ("?artifactType=application/vnd.three", &[], "artifactType"),
        ("?artifactType=", &all[..], ""),
    ] {
        let path = format!("/v2/a/referrers/{}{query}", subject.digest);
        let (index, link, filtered) = list(&api, &path).await;
        assert_eq!((digests(&index).as_slice(), &*link, &*filtered), (expect, "", said), "{query}");
    }
    api.check("GET", "/v2/a/referrers/sha256:12", "400 DIGEST_INVALID").await;
    api.check("GET", "/v2/a/referrers/latest", "400 DIGEST_INVALID").await;
}

#[tokio::test]
async fn a_list_that_no_client_would_take_comes_in_pages() {
    let api = Api::new().await;
    let store = api.server.repository("a");
    let subject = push_image(&store, "linux/amd64", &[content(1, 10)], &[]).await.descriptor();
    let long = "x".repeat(600 * 1024);
    let mut expect = Vec::new();
    for number in 0..8 {
        let kind = if number == 7 { "a/rare" } else { "a/b" };
        let more = json!({ "artifactType": kind, "annotations": { "long": long, "n": number.to_string() } });
        expect.push(about(&store, &subject, more).await);
    }
    let mut found = Vec::new();
    let mut path = format!("/v2/a/referrers/{}?artifactType=a/b", subject.digest);
    for pages in 1.. {
        let (index, link, filtered) = list(&api, &path).await;
        assert!(serde_json::to_vec(&index).unwrap().len() < 4 * 1024 * 1024);
        assert_eq!(filtered, "artifactType");
        found.extend(digests(&index));
        let Some((target, _)) =
            link.strip_prefix('<').and_then(|link| link.split_once(">; rel=\"next\""))
        else {
            assert_eq!(pages, 3);
            break;
        };
        path = target.to_owned();
    }
    let mut digests: Vec<_> = expect[..7].iter().map(|m| m.digest().to_string()).collect();
    digests.sort();
    assert_eq!(found, digests);
    // Our own client reads all of them.
    let mut all = store.referrers(&subject.digest, None).await.unwrap();
    all.sort_by_key(|entry| entry.digest.to_string());
    let mut entries: Vec<_> = expect.iter().map(Manifest::as_referrer).collect();
    entries.sort_by_key(|entry| entry.digest.to_string());
    assert_eq!(all, entries);
}
