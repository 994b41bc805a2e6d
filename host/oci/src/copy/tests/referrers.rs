//! What speaks about an image comes along, and what that costs.

use bytes::Bytes;

use super::to_tag;
use crate::testing::{Server, attach, content, cosign, image, memory, push_image, push_index, tag};
use crate::{
    Copied, CopyOptions, Digest, Error, Manifest, MediaType, MemoryRegistry, Platform, Referrers,
    Selector, Store, copy,
};

const SBOM: &str = "application/vnd.example.sbom";
const SIGNATURE: &str = "application/vnd.example.signature";

fn v1() -> Selector {
    Selector::Tag(tag("v1"))
}

fn all() -> CopyOptions {
    CopyOptions { referrers: Referrers::All, ..to_tag("v1") }
}

async fn copy_all(from: &dyn Store, to: &dyn Store) -> Copied {
    copy(from, &v1(), to, &all(), &()).await.unwrap()
}

async fn referrers(store: &dyn Store, subject: Digest) -> Vec<Digest> {
    let listed = store.referrers(&subject, None).await.unwrap();
    listed.iter().map(|entry| entry.digest).collect()
}

async fn is_there(store: &dyn Store, manifest: &Manifest) -> bool {
    store.resolve(&Selector::Digest(manifest.digest())).await.unwrap().is_some()
}

#[tokio::test]
async fn signatures_of_sboms_of_platforms_come_along() {
    let (from, to) = (memory("from"), memory("to"));
    let index = push_index(&from, &["linux/amd64", "linux/arm64"], &[tag("v1")]).await;
    let platform = index.manifests()[1].digest;
    let platform = from.manifest(&Selector::Digest(platform)).await.unwrap();
    let sbom = attach(&from, &platform, SBOM, 1).await;
    let signature = attach(&from, &sbom, SIGNATURE, 2).await;
    let (name, cosigned) = cosign(&from, &signature, "sig", 3).await;
    let copied = copy_all(&from, &to).await;
    assert_eq!(copied.referrers, 3);
    assert_eq!(referrers(&to, platform.digest()).await, [sbom.digest()]);
    assert_eq!(referrers(&to, sbom.digest()).await, [signature.digest()]);
    let found = to.manifest(&Selector::Tag(name)).await.unwrap();
    assert_eq!(found.bytes(), cosigned.bytes());
    assert_eq!((copied.sent, copied.changed), (16, true));
}

#[tokio::test]
async fn an_index_can_speak_about_an_image() {
    let (from, to) = (memory("from"), memory("to"));
    let image = push_image(&from, "linux/amd64", &[content(1, 10)], &[tag("v1")]).await;
    let part = push_image(&from, "linux/amd64", &[content(2, 10)], &[]).await;
    let document = serde_json::json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "artifactType": SBOM,
        "manifests": [part.descriptor()], "subject": image.descriptor(),
    });
    let index = Bytes::from(document.to_string());
    let index = Manifest::new(MediaType::OCI_INDEX, index).unwrap();
    from.put_manifest(&index, &[]).await.unwrap();
    assert_eq!(copy_all(&from, &to).await.referrers, 1);
    assert_eq!(referrers(&to, image.digest()).await, [index.digest()]);
    assert!(is_there(&to, &part).await);
}

#[tokio::test]
async fn without_a_word_nobody_is_asked() {
    let (from, to) = (memory("from"), memory("to"));
    let image = push_image(&from, "linux/amd64", &[content(1, 10)], &[tag("v1")]).await;
    attach(&from, &image, SBOM, 1).await;
    let copied = copy(&from, &v1(), &to, &to_tag("v1"), &()).await.unwrap();
    assert_eq!((copied.referrers, referrers(&to, image.digest()).await), (0, vec![]));
    // Who wants them later gets them, though the image is there.
    let copied = copy_all(&from, &to).await;
    assert_eq!((copied.referrers, copied.changed), (1, true));
    assert_eq!(referrers(&to, image.digest()).await.len(), 1);
}

#[tokio::test]
async fn only_what_was_asked_for_comes_along() {
    let from = memory("from");
    let image = push_image(&from, "linux/amd64", &[content(1, 10)], &[tag("v1")]).await;
    let sbom = attach(&from, &image, SBOM, 1).await;
    let signature = attach(&from, &image, SIGNATURE, 2).await;
    let (_, sig) = cosign(&from, &image, "sig", 3).await;
    let (_, att) = cosign(&from, &image, "att", 4).await;
    let (_, cosign_sbom) = cosign(&from, &image, "sbom", 5).await;
    let everything = [&sbom, &signature, &sig, &att, &cosign_sbom];
    let check = async |types: &[&str], expect: &[usize]| {
        let to = memory("to");
        let types = types.iter().map(|text| MediaType::new(text)).collect();
        let options = CopyOptions { referrers: Referrers::Only(types), ..to_tag("v1") };
        let copied = copy(&from, &v1(), &to, &options, &()).await.unwrap();
        let mut found = Vec::new();
        for (number, manifest) in everything.iter().enumerate() {
            if is_there(&to, manifest).await {
                found.push(number);
            }
        }
        assert_eq!((found.as_slice(), copied.referrers), (expect, expect.len() as u64));
        assert!(!copy(&from, &v1(), &to, &options, &()).await.unwrap().changed);
    };
    check(&[], &[]).await;
    check(&[SBOM], &[0]).await;
    check(&[SBOM, SIGNATURE], &[0, 1]).await;
    check(&["application/vnd.dev.cosign.artifact.sig.v1+json"], &[2]).await;
    check(&["application/vnd.in-toto+json", SIGNATURE], &[1, 3]).await;
    check(&["text/spdx+json"], &[4]).await;
}

#[tokio::test]
async fn a_newer_list_of_signatures_takes_the_place_of_the_older() {
    let (from, to) = (memory("from"), memory("to"));
    let image = push_image(&from, "linux/amd64", &[content(1, 10)], &[tag("v1")]).await;
    let (name, _) = cosign(&from, &image, "sig", 3).await;
    assert_eq!(copy_all(&from, &to).await.referrers, 1);
    let (_, newer) = cosign(&from, &image, "sig", 4).await;
    let copied = copy_all(&from, &to).await;
    assert_eq!((copied.referrers, copied.changed), (1, true));
    let found = to.resolve(&Selector::Tag(name)).await.unwrap().unwrap();
    assert_eq!(found.digest, newer.digest());
}

#[tokio::test]
async fn referrers_cost_as_few_requests_as_can_be() {
    let source = Server::registry(MemoryRegistry::new()).await;
    let target = Server::registry(MemoryRegistry::new()).await;
    let (from, to) = (source.repository("a"), target.repository("a"));
    let index = push_index(&from, &["linux/amd64", "linux/arm64"], &[tag("v1")]).await;
    source.log.take();
    // As without them (1 index, 2 images, 2 configurations, 3 layers), the referrers of 3 manifests
    // and the tags.
    assert_eq!(copy_all(&from, &to).await.referrers, 0);
    assert_eq!(
        (source.log.count().as_str(), target.log.count().as_str()),
        ("GET 12", "HEAD 1, POST 5, PUT 8")
    );
    // Unchanged: the referrers of the index and the tags, and of the target nothing.
    assert!(!copy_all(&from, &to).await.changed);
    assert_eq!(
        (source.log.count().as_str(), target.log.count().as_str()),
        ("GET 2, HEAD 1", "HEAD 1")
    );

    attach(&from, &index, SBOM, 1).await;
    cosign(&from, &index, "sig", 2).await;
    source.log.take();
    assert_eq!(copy_all(&from, &to).await.referrers, 2);
    target.log.take();
    source.log.take();
    // Unchanged: the lists of both sides, and the tag of the signature on both.
    assert!(!copy_all(&from, &to).await.changed);
    assert_eq!(
        (source.log.count().as_str(), target.log.count().as_str()),
        ("GET 2, HEAD 2", "GET 1, HEAD 2")
    );
    // In the same repository they are there already.
    let again = CopyOptions { referrers: Referrers::All, ..to_tag("v2") };
    copy(&to, &v1(), &to, &again, &()).await.unwrap();
    assert_eq!(target.log.count(), "GET 1, HEAD 1, PUT 1");
}

#[tokio::test]
async fn cosigns_tags_are_asked_for_one_by_one_where_there_are_many_others() {
    let source = Server::registry(MemoryRegistry::new()).await;
    let (from, to) = (source.repository("a"), memory("to"));
    let tags: Vec<_> = (0..300).map(|number| tag(&format!("n{number}"))).collect();
    let image = image(&from, "linux/amd64", &[content(1, 10)], None).await;
    from.put_manifest(&image, &[tag("v1")]).await.unwrap();
    let inside = source.repository("a");
    for name in &tags {
        inside.put_manifest(&image, std::slice::from_ref(name)).await.unwrap();
    }
    let (name, _) = cosign(&from, &image, "sig", 2).await;
    source.log.take();
    assert_eq!(copy_all(&from, &to).await.referrers, 1);
    assert!(to.resolve(&Selector::Tag(name)).await.unwrap().is_some());
    let asked = source.log.take();
    let lists = asked.iter().filter(|line| line.contains("/tags/list")).count();
    let heads = asked.iter().filter(|line| line.starts_with("HEAD")).count();
    // Of the image, and of its signature.
    assert_eq!((lists, heads), (1, 6));
}

#[tokio::test]
async fn a_registry_without_referrers_gets_the_tag_that_stands_for_them() {
    let source = Server::without_referrers(MemoryRegistry::new()).await;
    let middle = Server::registry(MemoryRegistry::new()).await;
    let target = Server::without_referrers(MemoryRegistry::new()).await;
    let start = memory("start");
    let image = push_image(&start, "linux/amd64", &[content(1, 10)], &[tag("v1")]).await;
    let mut expect = Vec::new();
    for seed in 1..=5 {
        expect.push(attach(&start, &image, SBOM, seed).await.digest());
    }
    expect.sort();
    let stores: Vec<Box<dyn Store>> = vec![
        Box::new(start),
        Box::new(source.repository("a")),
        Box::new(middle.repository("a")),
        Box::new(target.repository("a")),
    ];
    for pair in stores.windows(2) {
        assert_eq!(copy_all(&*pair[0], &*pair[1]).await.referrers, 5);
        let mut found = referrers(&*pair[1], image.digest()).await;
        found.sort();
        assert_eq!(found, expect);
        assert!(!copy_all(&*pair[0], &*pair[1]).await.changed);
    }
    let fallback = tag(&format!("sha256-{}", image.digest().hex()));
    let fallback = Selector::Tag(fallback);
    assert!(stores[2].resolve(&fallback).await.unwrap().is_none());
    let list = stores[3].manifest(&fallback).await.unwrap();
    assert_eq!((list.media_type(), list.manifests().len()), (&MediaType::OCI_INDEX, 5));
    assert_eq!(list.manifests()[0].artifact_type, Some(MediaType::new(SBOM)));
}

#[tokio::test]
async fn copies_at_the_same_time_lose_no_entry_of_the_list() {
    let from = memory("from");
    let target = Server::without_referrers(MemoryRegistry::new()).await;
    let to = target.repository("a");
    let image = push_image(&from, "linux/amd64", &[content(1, 10)], &["v1", "v2"].map(tag)).await;
    for seed in 1..=4 {
        attach(&from, &image, SBOM, seed).await;
    }
    let options = all();
    let copies = ["v1", "v2", "v3", "v4"].map(|name| {
        let options = CopyOptions { tags: vec![tag(name)], ..options.clone() };
        let (from, to) = (&from, &to);
        async move { copy(from, &v1(), to, &options, &()).await.unwrap() }
    });
    for copied in futures::future::join_all(copies).await {
        assert_eq!(copied.referrers, 4);
    }
    assert_eq!(referrers(&to, image.digest()).await.len(), 4);
    // Each was written once, and the list four times.
    let puts = target.log.take();
    let is_of_image = |line: &str| {
        line.ends_with(&format!("/{}", image.digest())) || line.contains("/manifests/v")
    };
    let puts = puts.iter().filter(|line| line.starts_with("PUT") && line.contains("/manifests/"));
    assert_eq!(puts.filter(|line| !is_of_image(line)).count(), 4 + 4);
}

#[tokio::test]
async fn of_some_platforms_only_theirs_come_along() {
    let from = memory("from");
    let index =
        push_index(&from, &["linux/amd64", "linux/arm64", "linux/s390x"], &[tag("v1")]).await;
    let mut of_platforms = Vec::new();
    for (seed, entry) in (1..).zip(index.manifests()) {
        let image = from.manifest(&Selector::Digest(entry.digest)).await.unwrap();
        of_platforms.push(attach(&from, &image, SBOM, seed).await);
    }
    let of_index = attach(&from, &index, SBOM, 9).await;
    let check = async |platforms: &[&str], index, expect: [bool; 4]| {
        let to = memory("to");
        let platforms = platforms.iter().map(|text| text.parse::<Platform>().unwrap()).collect();
        let options = CopyOptions { platforms, index, ..all() };
        copy(&from, &v1(), &to, &options, &()).await.unwrap();
        for (manifest, expect) in of_platforms.iter().chain([&of_index]).zip(expect) {
            assert_eq!(is_there(&to, manifest).await, expect);
        }
        assert!(!copy(&from, &v1(), &to, &options, &()).await.unwrap().changed);
    };
    use crate::IndexChoice::{New, Sparse};
    check(&["linux/amd64"], New, [true, false, false, false]).await;
    check(&["linux/amd64", "linux/arm64"], New, [true, true, false, false]).await;
    check(&["linux/amd64"], Sparse, [true, false, false, true]).await;
}

#[tokio::test]
async fn endless_referrers_are_refused_and_the_image_stays() {
    let (from, to) = (memory("from"), memory("to"));
    let image = push_image(&from, "linux/amd64", &[content(1, 10)], &[tag("v1")]).await;
    let mut last = image.clone();
    for seed in 1..=20 {
        last = attach(&from, &last, SBOM, seed).await;
    }
    let error = copy(&from, &v1(), &to, &all(), &()).await.unwrap_err();
    assert!(matches!(error, Error::Referrers { .. }), "{error}");
    assert!(is_there(&to, &image).await);

    let (from, to) = (memory("from"), memory("to"));
    let image = push_image(&from, "linux/amd64", &[content(1, 10)], &[tag("v1")]).await;
    for seed in 1..=1001 {
        attach(&from, &image, SBOM, seed).await;
    }
    assert!(copy(&from, &v1(), &to, &all(), &()).await.is_err());
    assert!(is_there(&to, &image).await);
}
