//! What a forecast says, and that it is what the copy does.

use std::sync::Arc;

use super::to_tag;
use crate::testing::{
    Faults, Faulty, Server, attach, content, cosign, memory, push_image, push_index, tag,
};
use crate::{
    Copied, CopyOptions, Forecast, MayMount, Memory, MemoryRegistry, MountSource, MovedTag,
    Referrers, Selector, Store, Whereabouts, copy, forecast,
};

fn v1() -> Selector {
    Selector::Tag(tag("v1"))
}

/// The forecast, of which nothing was written, and then the copy, which does the same.
async fn both(from: &Memory, to: &Memory, options: &CopyOptions) -> (Forecast, Copied) {
    let faults = Faults::none();
    let (source, target) = (Faulty::new(from, &faults), Faulty::new(to, &faults));
    let foretold = forecast(&source, &v1(), &target, options).await.unwrap();
    assert_eq!(faults.writes(), 0);
    let copied = copy(from, &v1(), to, options, &()).await.unwrap();
    assert_eq!(
        (foretold.send, foretold.send_bytes, foretold.mount, foretold.mount_bytes),
        (copied.sent, copied.sent_bytes, copied.mounted, copied.mounted_bytes)
    );
    assert_eq!((foretold.skip, foretold.skip_bytes), (copied.skipped, copied.skipped_bytes));
    assert_eq!((foretold.changed, foretold.referrers), (copied.changed, copied.referrers));
    assert_eq!(foretold.descriptor.digest, copied.descriptor.digest);
    assert_eq!(foretold.source, copied.source);
    // A copy that does not see the configuration does not ask for it.
    if !copied.platforms.is_empty() {
        assert_eq!(foretold.platforms, copied.platforms);
    }
    (foretold, copied)
}

#[tokio::test]
async fn a_forecast_is_what_the_copy_does() {
    let (from, to) = (memory("from"), memory("to"));
    let index = push_index(&from, &["linux/amd64", "linux/arm64"], &[tag("v1")]).await;
    attach(&from, &index, "application/sbom", 7).await;
    cosign(&from, &index, "sig", 8).await;
    let image = index.manifests()[0].digest;
    let image = from.manifest(&Selector::Digest(image)).await.unwrap();
    attach(&from, &image, "application/signature", 9).await;
    let options = CopyOptions { referrers: Referrers::All, ..to_tag("v1") };
    let (foretold, _) = both(&from, &to, &options).await;
    assert_eq!((foretold.changed, foretold.referrers, foretold.mount), (true, 3, 0));
    assert_eq!(foretold.moves, [MovedTag { tag: tag("v1"), from: None }]);
    assert_eq!(foretold.platforms.len(), 2);
    let (foretold, _) = both(&from, &to, &options).await;
    assert_eq!((foretold.changed, foretold.send, foretold.moves), (false, 0, vec![]));
    // Something new about an image that is there.
    attach(&from, &index, "application/sbom", 70).await;
    let (foretold, _) = both(&from, &to, &options).await;
    assert_eq!((foretold.changed, foretold.referrers, foretold.moves), (true, 4, vec![]));
}

#[tokio::test]
async fn a_tag_that_would_move_is_no_error() {
    let (from, to) = (memory("from"), memory("to"));
    let new = push_image(&from, "linux/amd64", &[content(1, 10)], &[tag("v1")]).await;
    let old = push_image(&to, "linux/amd64", &[content(2, 10)], &[tag("v1")]).await;
    let foretold = forecast(&from, &v1(), &to, &to_tag("v1")).await.unwrap();
    assert_eq!(foretold.moves, [MovedTag { tag: tag("v1"), from: Some(old.digest()) }]);
    assert_eq!((foretold.changed, foretold.descriptor.digest), (true, new.digest()));
    assert!(copy(&from, &v1(), &to, &to_tag("v1"), &()).await.is_err());
}

#[tokio::test]
async fn blobs_of_the_same_registry_would_be_mounted() {
    let registry = MemoryRegistry::new();
    let (from, to) = ("a", "b");
    let (from, to) = (registry.store(&from.parse().unwrap()), registry.store(&to.parse().unwrap()));
    push_image(&from, "linux/amd64", &[content(1, 1000)], &[tag("v1")]).await;
    let (foretold, _) = both(&from, &to, &to_tag("v1")).await;
    assert_eq!((foretold.mount, foretold.send), (2, 1));
}

#[tokio::test]
async fn a_repository_that_may_be_mounted_from_is_asked_what_it_has() {
    let source = Server::registry(MemoryRegistry::new()).await;
    let target = Server::registry(MemoryRegistry::new()).await;
    let (from, there) = (source.repository("a"), target.repository("library/a"));
    push_image(&from, "linux/amd64", &[content(1, 1000), content(2, 10)], &[tag("v1")]).await;
    let old = push_image(&there, "linux/amd64", &[content(1, 1000)], &[tag("v1")]).await;
    let options = |store| CopyOptions {
        mount_from: Some("library/a".parse().unwrap()),
        mount_store: store,
        whereabouts: Whereabouts::default(),
        ..to_tag("v1")
    };
    let told: Arc<dyn Store> = Arc::new(there);
    target.log.take();
    let to = target.repository("other/a");
    let foretold = forecast(&from, &v1(), &to, &options(Some(told))).await.unwrap();
    // The layer that both have, and the configuration if it is the same.
    let is_same = |blob: &crate::Descriptor| old.blobs().iter().any(|b| b.digest == blob.digest);
    let image = from.manifest(&v1()).await.unwrap();
    let shared = image.blobs().iter().filter(|blob| is_same(blob)).count() as u64;
    assert!(shared > 0);
    assert_eq!((foretold.mount, foretold.send), (shared, 4 - shared));
    // The tag, the digest, and each blob in both repositories.
    assert_eq!(target.log.count(), "HEAD 8");
    let copied = copy(&from, &v1(), &to, &options(None), &()).await.unwrap();
    assert_eq!((copied.mounted, copied.sent), (foretold.mount, foretold.send));
}

#[tokio::test]
async fn an_image_that_is_there_under_its_digest_is_present() {
    let (from, to) = (memory("from"), memory("to"));
    push_image(&from, "linux/amd64", &[content(1, 10)], &[tag("v1")]).await;
    let (foretold, _) = both(&from, &to, &to_tag("v1")).await;
    assert!(!foretold.present);
    let (foretold, _) = both(&from, &to, &to_tag("new")).await;
    assert_eq!((foretold.present, foretold.send), (true, 1));
    let other = push_image(&to, "linux/amd64", &[content(2, 10)], &[tag("v2")]).await;
    let force = CopyOptions { force: true, ..to_tag("v2") };
    let (foretold, _) = both(&from, &to, &force).await;
    assert_eq!((foretold.present, foretold.send), (true, 1));
    assert_eq!(foretold.moves, [MovedTag { tag: tag("v2"), from: Some(other.digest()) }]);
}

#[tokio::test]
async fn forecasts_that_share_what_they_know_count_a_layer_once() {
    let from = memory("from");
    let registry = MemoryRegistry::new();
    push_image(&from, "linux/amd64", &[content(1, 1000), content(2, 10)], &[tag("v1")]).await;
    let may_mount: MayMount = Arc::new(|_: &MountSource| true);
    let options = CopyOptions { may_mount: Some(may_mount), ..to_tag("v1") };
    let a = registry.store(&"a".parse().unwrap());
    let first = forecast(&from, &v1(), &a, &options).await.unwrap();
    assert_eq!((first.send, first.skip), (4, 0));
    let again = CopyOptions { tags: vec![tag("v2")], ..options.clone() };
    let again = forecast(&from, &v1(), &a, &again).await.unwrap();
    assert_eq!((again.send, again.skip), (1, 3));
    let b = registry.store(&"b".parse().unwrap());
    let other = forecast(&from, &v1(), &b, &options).await.unwrap();
    assert_eq!((other.send, other.mount), (1, 3));
    // What is foretold is not believed by copies.
    let copied = copy(&from, &v1(), &a, &options, &()).await.unwrap();
    assert_eq!((copied.sent, copied.skipped), (4, 0));
}

#[tokio::test]
async fn a_forecast_asks_for_little() {
    let source = Server::registry(MemoryRegistry::new()).await;
    let target = Server::registry(MemoryRegistry::new()).await;
    let (from, to) = (source.repository("image"), target.repository("image"));
    let layers: Vec<_> = (1..=5).map(|seed| content(seed, 1000)).collect();
    push_image(&from, "linux/amd64", &layers, &[tag("v1")]).await;
    source.log.take();
    let options = to_tag("v1");
    forecast(&from, &v1(), &to, &options).await.unwrap();
    // The manifest, and the configuration for its platform.
    assert_eq!(source.log.count(), "GET 2");
    // The tag, the digest, and six blobs.
    assert_eq!(target.log.count(), "HEAD 8");
    copy(&from, &v1(), &to, &options, &()).await.unwrap();
    source.log.take();
    target.log.take();
    let options = CopyOptions { whereabouts: Whereabouts::default(), ..options };
    forecast(&from, &v1(), &to, &options).await.unwrap();
    assert_eq!((source.log.count().as_str(), target.log.count().as_str()), ("HEAD 1", "HEAD 1"));
}
