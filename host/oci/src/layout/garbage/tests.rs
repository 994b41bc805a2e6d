//! What stays and what goes.

use bytes::Bytes;
use std::os::unix::fs::PermissionsExt as _;
use tempfile::TempDir;

use super::*;
use crate::testing::{content, image, push, push_image, push_index, tag};
use crate::{Descriptor, Registry as _, Selector, Store};

const NOW: GarbageOptions =
    GarbageOptions { dry_run: false, older_than: Duration::ZERO, untagged: false };
const UNTAGGED: GarbageOptions = GarbageOptions { untagged: true, ..NOW };

fn registry() -> (TempDir, LayoutRegistry, Arc<dyn Store>) {
    let directory = tempfile::tempdir().unwrap();
    let registry = LayoutRegistry::open(directory.path()).unwrap();
    let store = registry.repository(&"a/b".parse().unwrap());
    (directory, registry, store)
}

async fn lost(store: &dyn Store, seed: u64) -> Descriptor {
    push(store, MediaType::OCTET_STREAM, &content(seed, 1000)).await
}

async fn is_whole(store: &dyn Store, selector: Selector) -> bool {
    let mut waiting = vec![selector];
    while let Some(selector) = waiting.pop() {
        let Ok(manifest) = store.manifest(&selector).await else { return false };
        for blob in manifest.blobs() {
            if store.blob_size(&blob.digest).await.unwrap() != Some(blob.size) {
                return false;
            }
        }
        waiting.extend(manifest.manifests().iter().map(|entry| Selector::Digest(entry.digest)));
    }
    true
}

#[tokio::test]
async fn blobs_of_no_image_go_and_images_stay() {
    let (_directory, registry, store) = registry();
    let index = push_index(&*store, &["linux/amd64", "linux/arm64"], &[tag("v1")]).await;
    let bare = push_image(&*store, "linux/s390x", &[content(9, 500)], &[]).await;
    let blob = lost(&*store, 77).await;
    let dry = GarbageOptions { dry_run: true, ..NOW };
    let expect = Garbage { repositories: 1, manifests: 0, blobs: 1, bytes: 1000 };
    assert_eq!(registry.collect_garbage(dry).await.unwrap(), expect);
    assert_eq!(store.blob_size(&blob.digest).await.unwrap(), Some(1000), "a dry run removes");
    assert_eq!(registry.collect_garbage(NOW).await.unwrap(), expect);
    assert_eq!(store.blob_size(&blob.digest).await.unwrap(), None);
    assert!(is_whole(&*store, Selector::Tag(tag("v1"))).await);
    assert!(is_whole(&*store, Selector::Digest(index.digest())).await);
    assert!(is_whole(&*store, Selector::Digest(bare.digest())).await);
    let nothing = Garbage { repositories: 1, ..Garbage::default() };
    assert_eq!(registry.collect_garbage(NOW).await.unwrap(), nothing);
}

#[tokio::test]
async fn what_is_young_may_belong_to_a_push() {
    let (_directory, registry, store) = registry();
    push_image(&*store, "linux/amd64", &[content(1, 10)], &[]).await;
    lost(&*store, 77).await;
    let hour = GarbageOptions { older_than: Duration::from_secs(3600), ..UNTAGGED };
    let nothing = Garbage { repositories: 1, ..Garbage::default() };
    assert_eq!(registry.collect_garbage(hour).await.unwrap(), nothing);
}

#[tokio::test]
async fn a_manifest_that_a_tag_left_goes_only_if_asked() {
    let (_directory, registry, store) = registry();
    let layers = |seed| [content(seed, 500)];
    let old = push_image(&*store, "linux/amd64", &layers(1), &[tag("v1")]).await;
    let new = push_image(&*store, "linux/arm64", &layers(2), &[tag("v1")]).await;
    registry.collect_garbage(NOW).await.unwrap();
    assert!(is_whole(&*store, Selector::Digest(old.digest())).await);
    let gone = registry.collect_garbage(UNTAGGED).await.unwrap();
    assert_eq!((gone.manifests, gone.blobs), (1, 2), "the layer and the configuration");
    assert!(store.manifest(&Selector::Digest(old.digest())).await.is_err());
    assert!(is_whole(&*store, Selector::Digest(new.digest())).await);
    assert!(is_whole(&*store, Selector::Tag(tag("v1"))).await);
}

#[tokio::test]
async fn what_speaks_about_the_living_lives_and_about_the_dead_dies() {
    let (_directory, registry, store) = registry();
    let living = push_image(&*store, "linux/amd64", &[content(1, 10)], &[tag("v1")]).await;
    let dead = push_image(&*store, "linux/arm64", &[content(2, 10)], &[]).await;
    let about = async |seed, subject: &Descriptor| {
        let manifest = image(&*store, "linux/amd64", &[content(seed, 10)], Some(subject)).await;
        store.put_manifest(&manifest, &[]).await.unwrap();
        manifest
    };
    let sbom = about(3, &living.descriptor()).await;
    let signature = about(4, &sbom.descriptor()).await;
    let other = about(5, &dead.descriptor()).await;
    let gone = registry.collect_garbage(UNTAGGED).await.unwrap();
    assert_eq!(gone.manifests, 2);
    for stays in [&living, &sbom, &signature] {
        assert!(is_whole(&*store, Selector::Digest(stays.digest())).await);
    }
    for goes in [&dead, &other] {
        assert!(store.manifest(&Selector::Digest(goes.digest())).await.is_err());
    }
    let listed = store.referrers(&living.digest(), None).await.unwrap();
    assert_eq!(listed, [sbom.as_referrer()]);
    assert_eq!(store.referrers(&dead.digest(), None).await.unwrap(), []);
}

#[tokio::test]
async fn a_blob_that_another_repository_has_frees_nothing_and_stays_there() {
    let (_directory, registry, store) = registry();
    let other = registry.repository(&"c".parse().unwrap());
    let layer = content(1, 1000);
    push_image(&*other, "linux/amd64", std::slice::from_ref(&layer), &[tag("v1")]).await;
    let blob = Descriptor::of(MediaType::OCTET_STREAM, &layer);
    store.push_blob(&blob, &Bytes::new(), Some(&"c".parse().unwrap())).await.unwrap();
    let gone = registry.collect_garbage(NOW).await.unwrap();
    assert_eq!(gone, Garbage { repositories: 2, manifests: 0, blobs: 1, bytes: 0 });
    assert!(is_whole(&*other, Selector::Tag(tag("v1"))).await);
}

#[tokio::test]
async fn nothing_goes_where_a_living_manifest_is_damaged() {
    let (directory, registry, store) = registry();
    let image = push_image(&*store, "linux/amd64", &[content(1, 10)], &[tag("v1")]).await;
    let blob = lost(&*store, 77).await;
    let path = directory.path().join("a/b/blobs/sha256").join(image.digest().hex());
    fs_err::write(path, vec![b'x'; image.bytes().len()]).unwrap();
    assert!(registry.collect_garbage(NOW).await.is_err());
    assert_eq!(store.blob_size(&blob.digest).await.unwrap(), Some(1000));
}

#[tokio::test]
async fn a_blob_that_a_push_asks_for_is_young_again() {
    let (directory, registry, store) = registry();
    let blob = lost(&*store, 77).await;
    let path = directory.path().join("a/b/blobs/sha256").join(blob.digest.hex());
    let facts = || fs_err::metadata(&path).unwrap();
    let before = changed(&facts());
    // The last change cannot be set back, so it is looked at with eyes for which all is old.
    let disk = registry.root().disk(&"a/b".parse().unwrap());
    assert!(is_old(&facts(), Duration::ZERO));
    while changed(&facts()) == before {
        disk.refresh(&blob.digest, &facts());
    }
    assert_eq!(facts().permissions().mode() & 0o777, 0o644);
}
