//! What every [`Store`] holds to: the same assertions for each backend.

use bytes::Bytes;
use futures::StreamExt as _;
use report::Kind;

use crate::testing::{Server, content, image, memory, missing, push, push_image, push_index, tag};
use crate::{
    Algorithm, Archive, ArchiveFormat, BlobStream, Descriptor, Digest, Error, Layout,
    LayoutRegistry, Manifest, MediaType, MemoryRegistry, Mismatch, Pushed, Selector, Store,
};

macro_rules! contract {
    ($($test:ident),* $(,)?) => {
        mod over_memory { $(
            #[tokio::test]
            async fn $test() { super::$test(&super::memory("a/b")).await; }
        )* }
        mod over_a_layout { $(
            #[tokio::test]
            async fn $test() {
                let directory = tempfile::tempdir().unwrap();
                super::$test(&super::Layout::new(directory.path().join("new/layout"))).await;
            }
        )* }
        mod over_http_to_memory { $(
            #[tokio::test]
            async fn $test() {
                let server = super::Server::registry(super::MemoryRegistry::new()).await;
                super::$test(&server.repository("a/b")).await;
            }
        )* }
        mod over_http_to_layouts { $(
            #[tokio::test]
            async fn $test() {
                let directory = tempfile::tempdir().unwrap();
                let registry = super::LayoutRegistry::open(directory.path()).unwrap();
                let server = super::Server::registry(registry).await;
                super::$test(&server.repository("a/b").for_writing()).await;
            }
        )* }
    };
}

contract!(
    blobs_come_back_as_they_were_pushed,
    a_blob_is_pushed_once,
    wrong_bytes_are_refused_and_leave_nothing,
    manifests_are_their_bytes,
    tags_move_and_are_listed_in_pages,
    what_is_not_there_is_said,
    referrers_are_found_by_their_subject,
    manifests_and_tags_are_deleted,
    an_index_leads_to_its_images,
    sha512_works_like_sha256,
);

/// What an archive holds to before it is finished; nothing is deleted from one.
macro_rules! contract_of_archives {
    ($($test:ident),* $(,)?) => {
        mod over_an_archive { $(
            #[tokio::test]
            async fn $test() {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("new/images.tar");
                super::$test(&super::Archive::new(path, super::ArchiveFormat::Oci)).await;
            }
        )* }
    };
}

contract_of_archives!(
    blobs_come_back_as_they_were_pushed,
    a_blob_is_pushed_once,
    wrong_bytes_are_refused_and_leave_nothing,
    manifests_are_their_bytes,
    tags_move_and_are_listed_in_pages,
    an_index_leads_to_its_images,
    sha512_works_like_sha256,
);

async fn read(stream: BlobStream) -> Bytes {
    stream.collect(u64::MAX).await.unwrap()
}

async fn blobs_come_back_as_they_were_pushed(store: &dyn Store) {
    for size in [0, 1, 100_000, 3_000_000] {
        let bytes = content(size as u64, size);
        let blob = Descriptor::of(MediaType::OCTET_STREAM, &bytes);
        assert_eq!(store.blob_size(&blob.digest).await.unwrap(), None);
        assert_eq!(store.push_blob(&blob, &bytes, None).await.unwrap(), Pushed::Sent);
        assert_eq!(store.blob_size(&blob.digest).await.unwrap(), Some(size as u64));
        assert_eq!(read(store.blob(&blob).await.unwrap()).await, bytes);
    }
    let bytes = content(7, 100_000);
    let blob = push(store, MediaType::OCTET_STREAM, &bytes).await;
    for range in [0..10, 99_990..100_000, 50_000..50_001, 99_000..200_000, 5..5, 200_000..300_000] {
        let expect = bytes.slice(range.start.min(100_000)..range.end.min(100_000));
        let range = range.start as u64..range.end as u64;
        assert_eq!(
            read(store.blob_range(&blob, range.clone()).await.unwrap()).await,
            expect,
            "{range:?}"
        );
    }
}

async fn a_blob_is_pushed_once(store: &dyn Store) {
    let bytes = content(1, 5000);
    let blob = push(store, MediaType::OCTET_STREAM, &bytes).await;
    assert_eq!(store.push_blob(&blob, &Broken, None).await.unwrap(), Pushed::Present);
}

/// A source that must not be opened, or that breaks when it is.
struct Broken;

impl crate::BlobSource for Broken {
    fn open(&self) -> futures::future::BoxFuture<'_, Result<BlobStream, Error>> {
        Box::pin(async { Err(Error::invalid("the source", "it was opened")) })
    }
}

async fn wrong_bytes_are_refused_and_leave_nothing(store: &dyn Store) {
    let bytes = content(2, 200_000);
    let promised = Descriptor::of(MediaType::OCTET_STREAM, &content(3, 200_000));
    let error = store.push_blob(&promised, &bytes, None).await.unwrap_err();
    assert!(matches!(error, Error::Mismatch { mismatch: Mismatch::Digest { .. }, .. }), "{error}");
    assert_eq!(store.blob_size(&promised.digest).await.unwrap(), None);

    let short = Descriptor { size: 100, ..Descriptor::of(MediaType::OCTET_STREAM, &bytes) };
    let error = store.push_blob(&short, &bytes, None).await.unwrap_err();
    assert!(matches!(error, Error::Mismatch { mismatch: Mismatch::Size { .. }, .. }), "{error}");
    assert_eq!(store.blob_size(&short.digest).await.unwrap(), None);

    let error = store.push_blob(&promised, &Broken, None).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "the source's own error is told: {error}");
    // What failed once can be done right.
    let whole = Descriptor::of(MediaType::OCTET_STREAM, &bytes);
    assert_eq!(store.push_blob(&whole, &bytes, None).await.unwrap(), Pushed::Sent);
}

async fn manifests_are_their_bytes(store: &dyn Store) {
    let image = image(store, "linux/amd64", &[content(1, 10)], None).await;
    // The same image, written by somebody with other habits.
    let odd = String::from_utf8(image.bytes().to_vec()).unwrap().replace(":{", " :\n {");
    let odd = Manifest::new(MediaType::OCI_MANIFEST, Bytes::from(odd)).unwrap();
    store.put_manifest(&odd, &[tag("odd")]).await.unwrap();
    for selector in [Selector::Tag(tag("odd")), Selector::Digest(odd.digest())] {
        let found = store.manifest(&selector).await.unwrap();
        assert_eq!((found.bytes(), found.media_type()), (odd.bytes(), odd.media_type()));
        let resolved = store.resolve(&selector).await.unwrap().unwrap();
        assert_eq!((resolved.digest, resolved.size), (odd.digest(), odd.bytes().len() as u64));
        assert_eq!(resolved.media_type, MediaType::OCI_MANIFEST);
    }
    let own = MediaType::new("application/vnd.example.thing.manifest.v7+json");
    let foreign = Manifest::new(own.clone(), Bytes::from_static(b"[ \"anything\" ]")).unwrap();
    store.put_manifest(&foreign, &[]).await.unwrap();
    let found = store.manifest(&Selector::Digest(foreign.digest())).await.unwrap();
    assert_eq!((found.bytes(), found.media_type()), (foreign.bytes(), &own));
}

async fn tags_move_and_are_listed_in_pages(store: &dyn Store) {
    let layer = [content(1, 10)];
    let first = push_image(store, "linux/amd64", &layer, &["b", "a", "c", "B"].map(tag)).await;
    let second = push_image(store, "linux/arm64", &layer, &[tag("b")]).await;
    let digest =
        async |name| store.resolve(&Selector::Tag(tag(name))).await.unwrap().unwrap().digest;
    assert_eq!((digest("a").await, digest("b").await), (first.digest(), second.digest()));
    assert!(store.manifest(&Selector::Digest(first.digest())).await.is_ok());
    assert_eq!(store.tags(None, 10).await.unwrap(), ["B", "a", "b", "c"]);
    assert_eq!(store.tags(None, 2).await.unwrap(), ["B", "a"]);
    assert_eq!(store.tags(Some("a"), 1).await.unwrap(), ["b"]);
    assert_eq!(store.tags(Some("c"), 1).await.unwrap(), [""; 0]);
}

async fn what_is_not_there_is_said(store: &dyn Store) {
    let absent = [Selector::Tag(tag("absent")), Selector::Digest(missing())];
    for selector in &absent {
        assert_eq!(store.resolve(selector).await.unwrap(), None);
        let error = store.manifest(selector).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("there is no manifest {selector} in {}", store.name())
        );
        assert!(!store.delete(selector).await.unwrap());
    }
    let blob = Descriptor::new(MediaType::OCTET_STREAM, missing(), 9);
    assert_eq!(store.blob(&blob).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(store.tags(None, 10).await.unwrap_err().kind(), Kind::NotFound);
    assert_eq!(store.referrers(&missing(), None).await.unwrap(), []);
    assert!(!store.delete_blob(&missing()).await.unwrap());
}

async fn referrers_are_found_by_their_subject(store: &dyn Store) {
    let subject = push_image(store, "linux/amd64", &[content(1, 10)], &[tag("v1")]).await;
    let other = push_image(store, "linux/arm64", &[content(2, 10)], &[]).await;
    let referrer =
        image(store, "linux/amd64", &[content(3, 10)], Some(&subject.descriptor())).await;
    store.put_manifest(&referrer, &[]).await.unwrap();
    let listed = store.referrers(&subject.digest(), None).await.unwrap();
    assert_eq!(listed, [referrer.as_referrer()]);
    assert_eq!(listed[0].annotations.get("who"), Some("me"));
    let of_type = |text: &str| MediaType::new(text);
    let sbom = of_type("application/vnd.example.sbom");
    assert_eq!(store.referrers(&subject.digest(), Some(&sbom)).await.unwrap().len(), 1);
    assert_eq!(store.referrers(&subject.digest(), Some(&of_type("a/b"))).await.unwrap(), []);
    assert_eq!(store.referrers(&other.digest(), None).await.unwrap(), []);
    assert!(store.delete(&Selector::Digest(referrer.digest())).await.unwrap());
    assert_eq!(store.referrers(&subject.digest(), None).await.unwrap(), []);
}

async fn manifests_and_tags_are_deleted(store: &dyn Store) {
    let layer = content(1, 10);
    let image =
        push_image(store, "linux/amd64", std::slice::from_ref(&layer), &["a", "b"].map(tag)).await;
    assert!(store.delete(&Selector::Tag(tag("a"))).await.unwrap());
    assert_eq!(store.tags(None, 10).await.unwrap(), ["b"]);
    assert!(store.manifest(&Selector::Digest(image.digest())).await.is_ok());
    assert!(store.delete(&Selector::Digest(image.digest())).await.unwrap());
    assert_eq!(store.resolve(&Selector::Tag(tag("b"))).await.unwrap(), None);
    assert_eq!(store.resolve(&Selector::Digest(image.digest())).await.unwrap(), None);
    // A layer is no manifest, and is not deleted as one.
    let layer = Digest::of(&layer);
    assert!(!store.delete(&Selector::Digest(layer)).await.unwrap());
    assert!(store.delete_blob(&layer).await.unwrap());
    assert_eq!(store.blob_size(&layer).await.unwrap(), None);
}

async fn an_index_leads_to_its_images(store: &dyn Store) {
    let index = push_index(store, &["linux/amd64", "linux/arm64"], &[tag("v1")]).await;
    let found = store.manifest(&Selector::Tag(tag("v1"))).await.unwrap();
    assert_eq!(found.bytes(), index.bytes());
    for entry in found.manifests() {
        let image = store.manifest(&Selector::Digest(entry.digest)).await.unwrap();
        assert_eq!(image.media_type(), &MediaType::OCI_MANIFEST);
        for blob in image.blobs() {
            let mut stream = store.blob(&blob).await.unwrap();
            while let Some(chunk) = stream.next().await {
                chunk.unwrap();
            }
        }
    }
}

async fn sha512_works_like_sha256(store: &dyn Store) {
    let bytes = content(5, 10_000);
    let digest = Digest::with(Algorithm::Sha512, &bytes);
    let blob = Descriptor::new(MediaType::OCTET_STREAM, digest, 10_000);
    assert_eq!(store.push_blob(&blob, &bytes, None).await.unwrap(), Pushed::Sent);
    assert_eq!(read(store.blob(&blob).await.unwrap()).await, bytes);
    let error = store
        .push_blob(&Descriptor::new(MediaType::OCTET_STREAM, digest, 9_999), &bytes, None)
        .await;
    // Present with another size, or refused: never written wrong.
    assert!(matches!(error, Ok(Pushed::Present) | Err(Error::Mismatch { .. })));
    let image = image(store, "linux/amd64", &[bytes], None).await;
    let digest = Digest::with(Algorithm::Sha512, image.bytes());
    let image = Manifest::verified(MediaType::OCI_MANIFEST, digest, image.bytes().clone()).unwrap();
    store.put_manifest(&image, &[]).await.unwrap();
    assert_eq!(store.manifest(&Selector::Digest(digest)).await.unwrap().digest(), digest);
}

#[tokio::test]
async fn a_registry_mounts_and_lists_its_repositories() {
    let directory = tempfile::tempdir().unwrap();
    let registries: [Box<dyn crate::Registry>; 2] = [
        Box::new(MemoryRegistry::new()),
        Box::new(LayoutRegistry::open(directory.path()).unwrap()),
    ];
    for registry in registries {
        let names = ["a", "a/b", "a/blobs", "index.json", "a/b/oci-layout/x"];
        let bytes = content(1, 1000);
        let from = registry.repository(&"a".parse().unwrap());
        let blob = push(&*from, MediaType::OCTET_STREAM, &bytes).await;
        for name in names.iter().skip(1) {
            let to = registry.repository(&name.parse().unwrap());
            let pushed = to.push_blob(&blob, &Broken, Some(&"a".parse().unwrap())).await.unwrap();
            assert_eq!(pushed, Pushed::Mounted);
            assert_eq!(read(to.blob(&blob).await.unwrap()).await, bytes);
        }
        assert_eq!(
            registry.catalog(None, 10).await.unwrap(),
            ["a", "a/b", "a/b/oci-layout/x", "a/blobs", "index.json"]
        );
        assert_eq!(registry.catalog(Some("a/b"), 1).await.unwrap(), ["a/b/oci-layout/x"]);
    }
}
