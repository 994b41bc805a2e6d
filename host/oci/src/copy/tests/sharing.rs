//! Many images at the same time: what they share moves once.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::{join_all, try_join_all};

use super::to_tag;
use crate::testing::{Server, content, push_image, push_index, tag};
use crate::{
    CopyOptions, Layout, LayoutRegistry, MayMount, MemoryRegistry, MountSource, Selector, Store,
    Whereabouts, copy,
};

const TAGS: usize = 50;

fn name(number: usize) -> String {
    format!("v{number}")
}

/// Images that share 4 of their 5 layers.
async fn push_tags(store: &dyn Store) {
    for number in 0..TAGS {
        let mut layers: Vec<Bytes> = (1..=4).map(|seed| content(seed, 5000)).collect();
        layers.push(content(1000 + number as u64, 500));
        push_image(store, "linux/amd64", &layers, &[tag(&name(number))]).await;
    }
}

#[tokio::test]
async fn fifty_tags_move_what_they_share_once() {
    let source = Server::registry(MemoryRegistry::new()).await;
    let target = Server::registry(MemoryRegistry::new()).await;
    let (from, to) = (source.repository("many"), target.repository("many"));
    push_tags(&from).await;
    source.log.take();
    let options = CopyOptions::default();
    let copies = (0..TAGS).map(|number| {
        let options = CopyOptions { tags: vec![tag(&name(number))], ..options.clone() };
        let (from, to) = (&from, &to);
        async move { copy(from, &Selector::Tag(options.tags[0].clone()), to, &options, &()).await }
    });
    let copied = try_join_all(copies).await.unwrap();
    // 50 manifests, 50 configurations and 50 layers of one image alone, 4 layers of all.
    assert_eq!(source.log.count(), "GET 154");
    assert_eq!(target.log.count(), "HEAD 50, POST 104, PUT 154");
    let sent: u64 = copied.iter().map(|copied| copied.sent).sum();
    let skipped: u64 = copied.iter().map(|copied| copied.skipped).sum();
    assert_eq!((sent, skipped), (154, 196));
}

#[tokio::test]
async fn a_layer_moves_once_into_a_layout_too() {
    let source = Server::registry(MemoryRegistry::new()).await;
    let from = source.repository("many");
    push_tags(&from).await;
    source.log.take();
    let directory = tempfile::tempdir().unwrap();
    let to = Layout::new(directory.path().join("layout"));
    let options = CopyOptions::default();
    let copies = (0..10).map(|number| {
        let options = CopyOptions { tags: vec![tag(&name(number))], ..options.clone() };
        let (from, to) = (&from, &to);
        async move { copy(from, &Selector::Tag(options.tags[0].clone()), to, &options, &()).await }
    });
    try_join_all(copies).await.unwrap();
    assert_eq!(source.log.count(), "GET 34");
}

/// One image to several repositories of a registry at the same time.
async fn copy_to_many(options: &CopyOptions) -> (String, String) {
    let source = Server::registry(MemoryRegistry::new()).await;
    let target = Server::registry(MemoryRegistry::new()).await;
    let from = source.repository("image");
    let layers: Vec<Bytes> = (1..=3).map(|seed| content(seed, 20_000)).collect();
    push_image(&from, "linux/amd64", &layers, &[tag("v1")]).await;
    source.log.take();
    let copies = ["a", "b", "c"].map(|name| {
        let (from, to) = (from.clone(), target.repository(name));
        async move { copy(&from, &Selector::Tag(tag("v1")), &to, options, &()).await.unwrap() }
    });
    for copied in join_all(copies).await {
        assert!(copied.changed);
    }
    for name in ["a", "b", "c"] {
        let to = target.repository(name);
        crate::testing::assert_whole(&to, &to.manifest(&Selector::Tag(tag("v1"))).await.unwrap())
            .await;
    }
    let all = target.log.take();
    let count = |method: &str| all.iter().filter(|line| line.starts_with(method)).count();
    (source.log.count(), format!("POST {}, PUT {}", count("POST"), count("PUT")))
}

#[tokio::test]
async fn other_repositories_mount_what_one_of_them_got() {
    let may_mount: MayMount = Arc::new(|_: &MountSource| true);
    let options = CopyOptions { may_mount: Some(may_mount), ..to_tag("v1") };
    // Three manifests, and each of four blobs once.
    assert_eq!(copy_to_many(&options).await, ("GET 7".to_owned(), "POST 12, PUT 7".to_owned()));
}

#[tokio::test]
async fn nothing_is_mounted_from_where_it_may_not_be() {
    let whereabouts = Whereabouts::default();
    let none = CopyOptions { whereabouts, ..to_tag("v1") };
    let all = ("GET 15".to_owned(), "POST 12, PUT 15".to_owned());
    assert_eq!(copy_to_many(&none).await, all);
}

#[tokio::test]
async fn what_a_source_has_given_is_mounted_from_wherever_it_is_and_what_it_names_is_not() {
    let registries = [(); 3].map(|()| MemoryRegistry::new());
    let [source, other, target] = registries;
    let (source, other) = (Server::registry(source).await, Server::registry(other).await);
    let target = Server::registry(target).await;
    let layers: Vec<Bytes> = (1..=3).map(|seed| content(seed, 20_000)).collect();
    for store in [source.repository("image"), other.repository("image")] {
        push_image(&store, "linux/amd64", &layers, &[tag("v1")]).await;
    }
    let refuse: MayMount = Arc::new(|_: &MountSource| false);
    let options = CopyOptions { may_mount: Some(refuse), ..to_tag("v1") };
    let mounted = async |from: &Server, name: &str| {
        let (from, to) = (from.repository("image"), target.repository(name));
        let forecast =
            crate::forecast(&from, &Selector::Tag(tag("v1")), &to, &options).await.unwrap().mount;
        let copied = copy(&from, &Selector::Tag(tag("v1")), &to, &options, &()).await.unwrap();
        assert_eq!(forecast, copied.mounted, "{name}");
        copied.mounted
    };
    assert_eq!(mounted(&source, "a").await, 0);
    assert_eq!(mounted(&source, "b").await, 4);
    // It says that it has the same blobs; nobody has seen them.
    assert_eq!(mounted(&other, "c").await, 0);
    assert_eq!(mounted(&other, "d").await, 4);
}

#[tokio::test]
async fn a_repository_that_is_named_is_mounted_from() {
    let source = Server::registry(MemoryRegistry::new()).await;
    let target = Server::registry(MemoryRegistry::new()).await;
    let (from, there) = (source.repository("a"), target.repository("library/a"));
    let layers: Vec<Bytes> = (1..=5).map(|seed| content(seed, 20_000)).collect();
    push_image(&from, "linux/amd64", &layers, &[tag("v1")]).await;
    copy(&from, &Selector::Tag(tag("v1")), &there, &to_tag("v1"), &()).await.unwrap();
    source.log.take();
    target.log.take();
    let options = CopyOptions { mount_from: Some("library/a".parse().unwrap()), ..to_tag("v1") };
    let to = target.repository("other/a");
    let copied = copy(&from, &Selector::Tag(tag("v1")), &to, &options, &()).await.unwrap();
    assert_eq!((copied.sent, copied.mounted), (1, 6));
    assert_eq!(
        (source.log.count().as_str(), target.log.count().as_str()),
        ("GET 1", "HEAD 1, POST 6, PUT 1")
    );

    // Where it does not have them after all, they are sent.
    let options = CopyOptions { mount_from: Some("library/none".parse().unwrap()), ..to_tag("v1") };
    let to = target.repository("third/a");
    let copied = copy(&from, &Selector::Tag(tag("v1")), &to, &options, &()).await.unwrap();
    assert_eq!((copied.sent, copied.mounted), (7, 0));
}

#[tokio::test]
async fn platforms_that_are_known_cost_nothing() {
    let source = Server::registry(MemoryRegistry::new()).await;
    let target = Server::registry(MemoryRegistry::new()).await;
    let (from, to) = (source.repository("a"), target.repository("a"));
    let index = push_index(&from, &["linux/amd64", "linux/arm64"], &[tag("v1")]).await;
    let mut other: serde_json::Value = serde_json::from_slice(index.bytes()).unwrap();
    other["annotations"] = serde_json::json!({ "another": "index" });
    let other = Bytes::from(other.to_string());
    let other = crate::Manifest::new(crate::MediaType::OCI_INDEX, other).unwrap();
    from.put_manifest(&other, &[tag("v2")]).await.unwrap();
    let options = to_tag("v1");
    copy(&from, &Selector::Tag(tag("v1")), &to, &options, &()).await.unwrap();
    source.log.take();
    target.log.take();
    let options = CopyOptions { tags: vec![tag("v2")], ..options };
    let copied = copy(&from, &Selector::Tag(tag("v2")), &to, &options, &()).await.unwrap();
    assert_eq!((copied.sent, copied.skipped), (1, 2));
    assert_eq!(
        (source.log.count().as_str(), target.log.count().as_str()),
        ("GET 1", "HEAD 1, PUT 1")
    );
}

#[tokio::test]
async fn a_registry_that_lost_what_was_there_gets_it_again() {
    let registry = MemoryRegistry::new();
    let source = Server::registry(MemoryRegistry::new()).await;
    let target = Server::registry(registry.clone()).await;
    let (from, to) = (source.repository("a"), target.repository("a"));
    let shared = content(1, 5000);
    push_image(&from, "linux/amd64", std::slice::from_ref(&shared), &[tag("v1")]).await;
    push_image(&from, "linux/amd64", &[shared.clone(), content(2, 50)], &[tag("v2")]).await;
    let options = to_tag("v1");
    copy(&from, &Selector::Tag(tag("v1")), &to, &options, &()).await.unwrap();
    let inside = registry.store(&"a".parse().unwrap());
    assert!(inside.delete_blob(&crate::Digest::of(&shared)).await.unwrap());
    source.log.take();
    target.log.take();
    let options = CopyOptions { tags: vec![tag("v2")], ..options };
    copy(&from, &Selector::Tag(tag("v2")), &to, &options, &()).await.unwrap();
    let image = inside.manifest(&Selector::Tag(tag("v2"))).await.unwrap();
    crate::testing::assert_whole(&inside, &image).await;
    // Of three blobs one was known and two sent; then all are asked for once.
    assert_eq!(target.log.count(), "HEAD 2, POST 5, PUT 5");
}

#[tokio::test]
async fn who_is_told_to_forget_asks_again() {
    let directory = tempfile::tempdir().unwrap();
    let source = Server::registry(MemoryRegistry::new()).await;
    let target = Server::registry(LayoutRegistry::open(directory.path()).unwrap()).await;
    let (from, to) = (source.repository("a"), target.repository("a"));
    push_image(&from, "linux/amd64", &[content(1, 50)], &[tag("v1"), tag("v2")]).await;
    let options = to_tag("v1");
    copy(&from, &Selector::Tag(tag("v1")), &to, &options, &()).await.unwrap();
    assert!(to.delete(&Selector::Tag(tag("v1"))).await.unwrap());
    options.whereabouts.forget(&to);
    target.log.take();
    copy(&from, &Selector::Tag(tag("v1")), &to, &options, &()).await.unwrap();
    assert_eq!(target.log.count(), "HEAD 1, POST 2, PUT 1");
    assert!(to.delete(&Selector::Tag(tag("v1"))).await.unwrap());
    copy(&from, &Selector::Tag(tag("v1")), &to, &options, &()).await.unwrap();
    assert_eq!(target.log.count(), "DELETE 1, HEAD 1, PUT 1");
}
