//! Copies between stores, and what they cost in requests.

mod content;
mod failures;
mod forecast;
mod referrers;
mod sharing;

use std::sync::Mutex;

use bytes::Bytes;
use report::{Fault, Kind};

use crate::testing::{Server, content, memory, push, push_image, push_index, tag};
use crate::{
    Copied, CopyEvent, CopyObserver, CopyOptions, Error, Layout, LayoutRegistry, Manifest,
    MediaType, MemoryRegistry, Platform, Selector, Store, copy, platforms,
};

fn to_tag(name: &str) -> CopyOptions {
    CopyOptions { tags: vec![tag(name)], ..CopyOptions::default() }
}

async fn copy_tag(from: &dyn Store, to: &dyn Store, name: &str) -> Result<Copied, Error> {
    copy(from, &Selector::Tag(tag(name)), to, &to_tag(name), &()).await
}

fn five_layers() -> Vec<Bytes> {
    (1..=5).map(|seed| content(seed, 300_000)).collect()
}

#[tokio::test]
async fn an_image_costs_as_few_requests_as_can_be() {
    let source = Server::registry(MemoryRegistry::new()).await;
    let target = Server::registry(MemoryRegistry::new()).await;
    let (from, to) = (source.repository("bench/image"), target.repository("bench/image"));
    let image = push_image(&from, "linux/amd64", &five_layers(), &[tag("v1")]).await;
    source.log.take();

    let copied = copy_tag(&from, &to, "v1").await.unwrap();
    assert_eq!(copied.descriptor.digest, image.digest());
    assert_eq!((copied.changed, copied.sent, copied.mounted, copied.skipped), (true, 7, 0, 0));
    assert_eq!(copied.platforms, ["linux/amd64".parse().unwrap()]);
    assert_eq!(source.log.count(), "GET 7");
    assert_eq!(target.log.count(), "HEAD 1, POST 6, PUT 7");

    let copied = copy_tag(&from, &to, "v1").await.unwrap();
    assert_eq!((copied.changed, copied.sent, copied.skipped), (false, 0, 1));
    assert_eq!((source.log.count().as_str(), target.log.count().as_str()), ("HEAD 1", "HEAD 1"));

    // A new tag of what is there by digest: one look for each, and the manifest.
    let copied = copy(&from, &Selector::Tag(tag("v1")), &to, &to_tag("v2"), &()).await.unwrap();
    assert_eq!((copied.sent, copied.skipped), (1, 6));
    assert_eq!(source.log.count(), "GET 1");
    assert_eq!(target.log.count(), "HEAD 1, POST 6, PUT 1");

    // Another tag in the same repository is one manifest, whatever lies below it.
    let copied = copy(&to, &Selector::Tag(tag("v1")), &to, &to_tag("v3"), &()).await.unwrap();
    assert_eq!((copied.sent, copied.skipped), (1, 0));
    assert_eq!(target.log.count(), "GET 1, HEAD 1, PUT 1");

    let mirror = target.repository("another/name");
    let copied = copy_tag(&target.repository("bench/image"), &mirror, "v1").await.unwrap();
    assert_eq!((copied.sent, copied.mounted), (1, 6));
    assert_eq!(target.log.count(), "GET 1, HEAD 1, POST 6, PUT 1");
}

#[tokio::test]
async fn an_index_comes_along_whole() {
    let source = Server::registry(MemoryRegistry::new()).await;
    let target = Server::registry(MemoryRegistry::new()).await;
    let (from, to) = (source.repository("multi"), target.repository("multi"));
    let all = ["linux/amd64", "linux/arm64", "linux/arm/v7"];
    let index = push_index(&from, &all, &[tag("v1")]).await;
    source.log.take();
    let copied = copy_tag(&from, &to, "v1").await.unwrap();
    assert_eq!(copied.platforms.iter().map(Platform::to_string).collect::<Vec<_>>(), all);
    // One index, three manifests, three configurations, three layers and a shared one.
    assert_eq!(source.log.count(), "GET 11");
    assert_eq!(target.log.count(), "HEAD 1, POST 7, PUT 11");
    let found = to.manifest(&Selector::Tag(tag("v1"))).await.unwrap();
    assert_eq!((found.bytes(), copied.sent), (index.bytes(), 11));
    assert_eq!(platforms(&to, &Selector::Tag(tag("v1"))).await.unwrap(), copied.platforms);
}

#[tokio::test]
async fn images_move_through_every_kind_of_place() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::registry(LayoutRegistry::open(one.path()).unwrap()).await;
    let stores: [&dyn Store; 4] = [
        &memory("start"),
        &server.repository("some/where"),
        &Layout::new(two.path().join("layout")),
        &memory("end"),
    ];
    let index = push_index(stores[0], &["linux/amd64", "linux/arm64"], &[tag("v1")]).await;
    for pair in stores.windows(2) {
        let copied = copy_tag(pair[0], pair[1], "v1").await.unwrap();
        assert_eq!((copied.descriptor.digest, copied.changed), (index.digest(), true));
        let copied = copy_tag(pair[0], pair[1], "v1").await.unwrap();
        assert_eq!((copied.descriptor.digest, copied.changed), (index.digest(), false));
    }
    let layout = std::fs::read_dir(two.path().join("layout/.windlass")).unwrap();
    let left: Vec<_> = layout.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["lock"], "nothing is left of the transfers");
}

#[tokio::test]
async fn one_platform_is_its_image_and_several_are_a_new_index() {
    let from = memory("from");
    let index =
        push_index(&from, &["linux/amd64", "linux/arm64", "linux/s390x"], &[tag("v1")]).await;
    let only = |platforms: &[&str]| CopyOptions {
        platforms: platforms.iter().map(|text| text.parse().unwrap()).collect(),
        ..to_tag("v1")
    };
    let v1 = Selector::Tag(tag("v1"));

    let to = memory("one");
    let copied = copy(&from, &v1, &to, &only(&["linux/arm64/v8"]), &()).await.unwrap();
    assert_eq!(copied.descriptor.digest, index.manifests()[1].digest);
    assert_eq!(copied.source, index.digest());
    assert_eq!(copied.platforms[0].to_string(), "linux/arm64");
    let again = copy(&from, &v1, &to, &only(&["linux/arm64"]), &()).await.unwrap();
    assert!(!again.changed);

    let to = memory("two");
    let two = only(&["linux/s390x", "linux/amd64"]);
    let copied = copy(&from, &v1, &to, &two, &()).await.unwrap();
    let found = to.manifest(&v1).await.unwrap();
    let kept: Vec<_> = found.manifests().iter().map(|entry| entry.digest).collect();
    assert_eq!(kept, [index.manifests()[0].digest, index.manifests()[2].digest]);
    assert_eq!(found.annotations(), index.annotations());
    assert_eq!((copied.descriptor.digest, copied.source), (found.digest(), index.digest()));
    assert!(to.resolve(&Selector::Digest(index.manifests()[1].digest)).await.unwrap().is_none());
    assert!(
        !copy(&from, &v1, &to, &two, &()).await.unwrap().changed,
        "the digest is always the same"
    );

    let error = copy(&from, &v1, &to, &only(&["windows/amd64"]), &()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{} has nothing for `windows/amd64`, only for `linux/amd64`, `linux/arm64` and `linux/s390x`",
            index.digest()
        )
    );
    let single = Selector::Digest(index.manifests()[0].digest);
    assert!(copy(&from, &single, &memory("x"), &only(&["linux/amd64"]), &()).await.is_ok());
    let error = copy(&from, &single, &to, &only(&["linux/arm64"]), &()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
}

#[tokio::test]
async fn a_tag_is_moved_only_by_force() {
    let (from, to) = (memory("from"), memory("to"));
    let new = push_image(&from, "linux/amd64", &[content(1, 10)], &[tag("v1")]).await;
    let old = push_image(&to, "linux/amd64", &[content(2, 10)], &[tag("v1")]).await;
    let fault = Fault::from(copy_tag(&from, &to, "v1").await.unwrap_err());
    assert_eq!((fault.kind, fault.code.as_str()), (Kind::Conflict, "oci.conflict"));
    assert_eq!(
        fault.message,
        format!("the tag `v1` in memory/to points at {}, not at {}", old.digest(), new.digest())
    );
    let v1 = Selector::Tag(tag("v1"));
    assert_eq!(to.resolve(&v1).await.unwrap().unwrap().digest, old.digest());
    let force = CopyOptions { force: true, ..to_tag("v1") };
    assert!(copy(&from, &v1, &to, &force, &()).await.unwrap().changed);
    assert_eq!(to.resolve(&v1).await.unwrap().unwrap().digest, new.digest());
}

#[tokio::test]
async fn without_a_tag_the_digest_alone_is_written() {
    let source = Server::registry(MemoryRegistry::new()).await;
    let target = Server::registry(MemoryRegistry::new()).await;
    let (from, to) = (source.repository("a"), target.repository("a"));
    let image = push_image(&from, "linux/amd64", &[content(1, 10)], &[tag("v1")]).await;
    let v1 = Selector::Tag(tag("v1"));
    let copied = copy(&from, &v1, &to, &CopyOptions::default(), &()).await.unwrap();
    assert!(copied.changed);
    assert_eq!(to.tags(None, 10).await.unwrap(), [""; 0]);
    assert!(to.manifest(&Selector::Digest(image.digest())).await.is_ok());
    assert!(!copy(&from, &v1, &to, &CopyOptions::default(), &()).await.unwrap().changed);
}

#[tokio::test]
async fn a_failure_leaves_no_tag() {
    let from = memory("from");
    let layer = content(1, 10);
    let image =
        push_image(&from, "linux/amd64", &[layer.clone(), content(2, 10)], &[tag("v1")]).await;
    from.delete_blob(&crate::Digest::of(&layer)).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let server = Server::registry(LayoutRegistry::open(directory.path()).unwrap()).await;
    let to = server.repository("to");
    let error = copy_tag(&from, &to, "v1").await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    for selector in [Selector::Tag(tag("v1")), Selector::Digest(image.digest())] {
        assert_eq!(to.resolve(&selector).await.unwrap(), None);
    }
    let error = copy_tag(&from, &to, "v2").await.unwrap_err();
    assert_eq!(error.to_string(), "there is no manifest v2 in memory/from");
}

#[tokio::test]
async fn foreign_layers_stay_and_odd_documents_come_byte_by_byte() {
    let (from, to) = (memory("from"), memory("to"));
    let config = push(&from, MediaType::OCI_CONFIG, &Bytes::from_static(b"{}")).await;
    let document = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MediaType::DOCKER_MANIFEST,
        "config": config,
        "layers": [{
            "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            "digest": crate::testing::missing(), "size": 5, "urls": ["https://example.com/layer"],
        }],
        "surprise": [1, 2, 3],
    });
    let odd = Bytes::from(format!("\n{document:#}\n"));
    let odd = Manifest::new(MediaType::DOCKER_MANIFEST, odd).unwrap();
    from.put_manifest(&odd, &[tag("v1")]).await.unwrap();
    copy_tag(&from, &to, "v1").await.unwrap();
    let found = to.manifest(&Selector::Tag(tag("v1"))).await.unwrap();
    assert_eq!((found.bytes(), found.media_type()), (odd.bytes(), odd.media_type()));
}

#[tokio::test]
async fn the_observer_sees_every_byte() {
    #[derive(Default)]
    struct Seen(Mutex<(u64, u64, u64, u64)>);
    impl CopyObserver for Seen {
        fn observe(&self, event: CopyEvent<'_>) {
            let mut seen = self.0.lock().unwrap();
            match event {
                CopyEvent::Planned { bytes, .. } => seen.0 += bytes,
                CopyEvent::Bytes(bytes) => seen.1 += bytes,
                CopyEvent::Blob { .. } => seen.2 += 1,
                CopyEvent::Manifest { .. } => seen.3 += 1,
            }
        }
    }
    let server = Server::registry(MemoryRegistry::new()).await;
    let (from, to) = (memory("from"), server.repository("to"));
    push_image(&from, "linux/amd64", &five_layers(), &[tag("v1")]).await;
    let seen = Seen::default();
    copy(&from, &Selector::Tag(tag("v1")), &to, &to_tag("v1"), &seen).await.unwrap();
    let (planned, passed, blobs, manifests) = *seen.0.lock().unwrap();
    assert!(planned > 1_500_000);
    assert_eq!((planned, blobs, manifests), (passed, 6, 1));
}
