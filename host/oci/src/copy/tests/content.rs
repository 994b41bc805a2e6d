//! What is copied: everything that registries hold, and only what was asked for.

use std::sync::Arc;

use bytes::Bytes;
use report::{Fault, Kind};

use super::{copy_tag, to_tag};
use crate::testing::{
    Faults, Faulty, Server, answer, assert_whole, content, memory, missing, push, push_image,
    push_index, tag,
};
use crate::{
    Algorithm, CopyOptions, Descriptor, Digest, IndexChoice, Manifest, MediaType, Platform,
    Selector, Store, copy, forecast,
};

fn v1() -> Selector {
    Selector::Tag(tag("v1"))
}

async fn put(store: &dyn Store, media_type: &str, document: &serde_json::Value) -> Manifest {
    let bytes = Bytes::from(format!(" {document:#}\n"));
    let manifest = Manifest::new(MediaType::new(media_type), bytes).unwrap();
    store.put_manifest(&manifest, &[tag("v1")]).await.unwrap();
    manifest
}

/// Copies `v1` over HTTP, and finds the same bytes with all that they lead to.
async fn comes_along(from: &dyn Store, manifest: &Manifest) {
    let server = Server::registry(crate::MemoryRegistry::new()).await;
    let to = server.repository("to");
    assert!(copy_tag(from, &to, "v1").await.unwrap().changed);
    let found = to.manifest(&v1()).await.unwrap();
    assert_eq!((found.bytes(), found.media_type()), (manifest.bytes(), manifest.media_type()));
    assert_whole(&to, &found).await;
    assert!(!copy_tag(from, &to, "v1").await.unwrap().changed);
}

#[tokio::test]
async fn a_source_with_another_digest_than_expected_is_not_copied() {
    let (from, to) = (memory("from"), memory("to"));
    let image = push_image(&from, "linux/amd64", &[content(1, 10)], &[tag("v1")]).await;
    let faults = Faults::none();
    let target = Faulty::new(&to, &faults);
    let expecting = |digest| CopyOptions { expect: Some(digest), ..to_tag("v1") };
    let wrong = expecting(missing());
    for selector in [v1(), Selector::Digest(image.digest())] {
        let fault = Fault::from(copy(&from, &selector, &target, &wrong, &()).await.unwrap_err());
        assert_eq!(fault.kind, Kind::Mismatch);
        let message = format!("manifest {selector} of memory/from is not what it should be");
        assert_eq!(fault.message, message);
        assert!(forecast(&from, &selector, &target, &wrong).await.is_err());
    }
    assert_eq!(faults.writes(), 0);
    assert!(copy(&from, &v1(), &to, &expecting(image.digest()), &()).await.unwrap().changed);
    // What is there is held against it, too, and by other algorithms.
    assert!(!copy(&from, &v1(), &to, &expecting(image.digest()), &()).await.unwrap().changed);
    assert!(copy(&from, &v1(), &to, &wrong, &()).await.is_err());
    let sha512 = Digest::with(Algorithm::Sha512, image.bytes());
    assert!(!copy(&from, &v1(), &to, &expecting(sha512), &()).await.unwrap().changed);
    let sha512 = Digest::with(Algorithm::Sha512, b"other");
    assert!(copy(&from, &v1(), &to, &expecting(sha512), &()).await.is_err());
}

fn sparse(platforms: &[&str]) -> CopyOptions {
    let platforms = platforms.iter().map(|text| text.parse::<Platform>().unwrap()).collect();
    CopyOptions { platforms, index: IndexChoice::Sparse, ..to_tag("v1") }
}

#[tokio::test]
async fn a_sparse_index_keeps_its_digest_and_is_filled_up_later() {
    let (from, to) = (memory("from"), memory("to"));
    let all = ["linux/amd64", "linux/arm64", "linux/s390x"];
    let index = push_index(&from, &all, &[tag("v1")]).await;
    let there = async || {
        let mut found = Vec::new();
        for entry in index.manifests() {
            if let Ok(image) = to.manifest(&Selector::Digest(entry.digest)).await {
                assert_whole(&to, &image).await;
                found.push(entry.platform.as_ref().unwrap().to_string());
            }
        }
        found
    };
    let copied = copy(&from, &v1(), &to, &sparse(&["linux/arm64"]), &()).await.unwrap();
    assert_eq!(copied.descriptor.digest, index.digest());
    assert_eq!(copied.platforms, ["linux/arm64".parse().unwrap()]);
    assert_eq!(to.manifest(&v1()).await.unwrap().bytes(), index.bytes());
    assert_eq!(there().await, ["linux/arm64"]);
    assert!(!copy(&from, &v1(), &to, &sparse(&["linux/arm64"]), &()).await.unwrap().changed);
    // The same index with one more.
    let two = sparse(&["linux/arm64", "linux/amd64"]);
    assert!(forecast(&from, &v1(), &to, &two).await.unwrap().changed);
    assert!(copy(&from, &v1(), &to, &two, &()).await.unwrap().changed);
    assert_eq!(there().await, ["linux/amd64", "linux/arm64"]);
    assert!(!copy(&from, &v1(), &to, &two, &()).await.unwrap().changed);
    let error = copy(&from, &v1(), &to, &sparse(&["windows/amd64"]), &()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
}

#[tokio::test]
async fn a_registry_that_takes_no_sparse_index_is_named() {
    let from = memory("from");
    let index = push_index(&from, &["linux/amd64", "linux/arm64"], &[tag("v1")]).await;
    let server = Server::hostile(|request| {
        let unknown = r#"{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}"#;
        match (request.method().as_str(), request.uri().path()) {
            ("POST", _) => answer(201, &[], ""),
            ("PUT", path) if path.ends_with("/v1") => answer(400, &[], unknown),
            ("PUT", _) => answer(201, &[], ""),
            _ => answer(404, &[], ""),
        }
    })
    .await;
    let to = server.repository("a");
    let error = copy(&from, &v1(), &to, &sparse(&["linux/amd64"]), &()).await.unwrap_err();
    let fault = Fault::from(error);
    assert_eq!(
        fault.message,
        format!("{}/a does not take {} without all of its platforms", server.host, index.digest())
    );
    assert!(fault.help.unwrap().starts_with("choose `new-index` instead of `sparse`"));
    assert_eq!(fault.kind, Kind::Invalid);
}

#[tokio::test]
async fn artifacts_come_along_byte_by_byte() {
    let from = memory("from");
    let empty = push(&from, MediaType::OCI_EMPTY, &Bytes::from_static(b"{}")).await;
    let zstd = MediaType::new("application/vnd.oci.image.layer.v1.tar+zstd");
    let layer = push(&from, zstd, &content(1, 5000)).await;
    let chart =
        push(&from, MediaType::new("application/vnd.cncf.helm.config.v1+json"), &content(2, 9))
            .await;
    let artifact = serde_json::json!({
        "schemaVersion": 2, "artifactType": "application/vnd.example+type",
        "config": empty, "layers": [empty, layer], "odd": null,
    });
    let helm = serde_json::json!({ "schemaVersion": 2, "config": chart, "layers": [layer] });
    let old = serde_json::json!({ "artifactType": "text/x", "blobs": [layer] });
    let unknown = serde_json::json!({ "anything": ["at", "all"] });
    let oci = MediaType::OCI_MANIFEST;
    for (media_type, document) in [
        (oci.as_str(), &artifact),
        (oci.as_str(), &helm),
        (MediaType::DOCKER_MANIFEST.as_str(), &helm),
        (MediaType::OCI_ARTIFACT.as_str(), &old),
        ("application/vnd.example.unknown+json", &helm),
        ("application/vnd.example.unknown+json", &unknown),
    ] {
        let manifest = put(&from, media_type, document).await;
        comes_along(&from, &manifest).await;
    }
}

#[tokio::test]
async fn indexes_in_indexes_and_layers_in_indexes_come_along() {
    let from = memory("from");
    let inner = push_index(&from, &["linux/amd64", "linux/arm64"], &[]).await;
    let cache = push(&from, MediaType::OCI_LAYER_GZIP, &content(7, 700)).await;
    let index =
        |entries: &[Descriptor]| serde_json::json!({ "schemaVersion": 2, "manifests": entries });
    let outer =
        put(&from, MediaType::OCI_INDEX.as_str(), &index(&[inner.descriptor(), cache.clone()]))
            .await;
    comes_along(&from, &outer).await;
    let to = memory("to");
    copy_tag(&from, &to, "v1").await.unwrap();
    assert_eq!(to.blob_size(&cache.digest).await.unwrap(), Some(700));
    // Deeper than anybody needs.
    let mut last = outer;
    for _ in 0..9 {
        last = put(&from, MediaType::DOCKER_INDEX.as_str(), &index(&[last.descriptor()])).await;
    }
    let error = copy_tag(&from, &memory("deep"), "v1").await.unwrap_err();
    assert!(error.to_string().contains("indexes deep"), "{error}");
}

#[tokio::test]
async fn manifests_that_would_fill_the_memory_are_refused() {
    let from = memory("from");
    let mut entries = Vec::new();
    for number in 0..20_u8 {
        let size = 4 * 1024 * 1024;
        entries.push(Descriptor::new(MediaType::OCI_MANIFEST, Digest::of(&[number]), size));
    }
    let index = serde_json::json!({ "schemaVersion": 2, "manifests": entries });
    put(&from, MediaType::OCI_INDEX.as_str(), &index).await;
    let error = copy_tag(&from, &memory("to"), "v1").await.unwrap_err();
    assert!(error.to_string().contains("bytes of manifests"), "{error}");
}

#[tokio::test]
async fn schema_1_is_refused_with_what_to_do() {
    let server = Server::hostile(|_| {
        let declared = "application/vnd.docker.distribution.manifest.v1+prettyjws";
        answer(200, &[("content-type", declared)], r#"{"schemaVersion":1,"fsLayers":[]}"#)
    })
    .await;
    let to = memory("to");
    let fault = Fault::from(copy_tag(&server.repository("old"), &to, "v1").await.unwrap_err());
    assert_eq!(fault.kind, Kind::Invalid);
    assert!(fault.message.contains("schema 1"), "{}", fault.message);
    assert!(fault.help.unwrap().contains("push the image again"));
    assert_eq!(to.resolve(&v1()).await.unwrap(), None);
}

#[tokio::test]
async fn foreign_layers_come_along_if_they_are_wanted_and_there() {
    let from = memory("from");
    let config = push(&from, MediaType::OCI_CONFIG, &Bytes::from_static(b"{}")).await;
    let foreign = MediaType::new("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
    let mut here = push(&from, foreign.clone(), &content(1, 100)).await;
    here.urls = vec!["https://example.com/here".to_owned()];
    let mut away = Descriptor::new(foreign, missing(), 5);
    away.urls = vec!["https://example.com/away".to_owned()];
    let document = serde_json::json!({
        "schemaVersion": 2, "config": config, "layers": [here, away],
    });
    put(&from, MediaType::DOCKER_MANIFEST.as_str(), &document).await;
    for wanted in [false, true] {
        let to = memory("to");
        let options = CopyOptions { foreign_layers: wanted, ..to_tag("v1") };
        let foretold = forecast(&from, &v1(), &to, &options).await.unwrap();
        let copied = copy(&from, &v1(), &to, &options, &()).await.unwrap();
        assert_eq!((copied.sent, foretold.send), (2 + u64::from(wanted), copied.sent));
        assert_eq!(to.blob_size(&here.digest).await.unwrap().is_some(), wanted);
    }
}

#[tokio::test]
async fn no_more_blobs_move_at_a_time_than_one_copy_may() {
    const PARALLEL: usize = 3;
    let from = memory("from");
    for number in 0..8_u64 {
        let layers: Vec<_> = (0..8).map(|layer| content(number * 8 + layer, 1000)).collect();
        push_image(&from, "linux/amd64", &layers, &[tag(&format!("v{number}"))]).await;
    }
    let options = CopyOptions { parallel: PARALLEL, ..CopyOptions::default() };
    let room = options.whereabouts.lanes(PARALLEL).all();
    let held = Arc::clone(&room).acquire_many_owned(PARALLEL as u32).await.unwrap();
    let server = Server::registry(crate::MemoryRegistry::new()).await;
    let to = server.repository("to");
    let copies =
        futures::future::join_all(
            (0..8).map(|number| {
                let options =
                    CopyOptions { tags: vec![tag(&format!("v{number}"))], ..options.clone() };
                let (from, to) = (&from, &to);
                async move {
                    copy(from, &Selector::Tag(options.tags[0].clone()), to, &options, &()).await
                }
            }),
        );
    let release = async {
        // More are begun than may move, and of none bytes move.
        let mut begun = Vec::new();
        while begun.iter().filter(|line: &&String| line.starts_with("POST")).count() <= PARALLEL {
            tokio::task::yield_now().await;
            begun.extend(server.log.take());
        }
        assert!(begun.iter().all(|line| !line.starts_with("PUT")), "{begun:?}");
        drop(held);
    };
    let (copied, ()) = futures::join!(copies, release);
    assert!(copied.iter().all(Result::is_ok));
    assert_eq!(room.available_permits(), PARALLEL);
}
