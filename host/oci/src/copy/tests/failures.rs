//! Whatever fails, and whenever: a tag leads to the old image or the new one, whole.

use super::{copy_tag, to_tag};
use crate::testing::{
    Fails, Faults, Faulty, assert_whole, attach, content, cosign, memory, push_image, push_index,
    tag,
};
use crate::{
    CopyOptions, Digest, Error, Manifest, Memory, MemoryRegistry, Referrers, Selector, Store,
    Whereabouts, copy,
};

/// More calls than any of these copies makes.
const MOST_CALLS: usize = 1000;

/// What there is to copy, and what it consists of.
struct Scene {
    from: Memory,
    roots: Vec<(&'static str, Digest)>,
    everything: Vec<Manifest>,
}

impl Scene {
    fn new() -> Self {
        Self { from: memory("from"), roots: Vec::new(), everything: Vec::new() }
    }

    async fn image(mut self, name: &'static str, layers: &[u64]) -> Self {
        let layers: Vec<_> = layers.iter().map(|seed| content(*seed, 100)).collect();
        let image = push_image(&self.from, "linux/amd64", &layers, &[tag(name)]).await;
        self.roots.push((name, image.digest()));
        self.everything.push(image);
        self
    }

    async fn index(mut self, name: &'static str) -> Self {
        let platforms = ["linux/amd64", "linux/arm64"];
        let index = push_index(&self.from, &platforms, &[tag(name)]).await;
        for entry in index.manifests() {
            let child = self.from.manifest(&Selector::Digest(entry.digest)).await.unwrap();
            self.everything.push(child);
        }
        self.roots.push((name, index.digest()));
        self.everything.push(index);
        self
    }

    /// An SBOM for everything so far, a signature of the last of them, and one by its tag.
    async fn spoken_about(mut self) -> Self {
        for (seed, subject) in (100..).zip(self.everything.clone()) {
            let sbom = attach(&self.from, &subject, "application/sbom", seed).await;
            self.everything.push(sbom);
        }
        let last = self.everything.last().unwrap().clone();
        self.everything.push(attach(&self.from, &last, "application/signature", 200).await);
        self.everything.push(cosign(&self.from, &last, "sig", 201).await.1);
        self
    }

    /// Nothing in `to` is less than whole.
    async fn assert_whole_in(&self, to: &Memory, name: &str, old: Option<Digest>) {
        let found = to.resolve(&Selector::Tag(tag(name))).await.unwrap().map(|found| found.digest);
        let (_, new) = self.roots.iter().find(|(root, _)| *root == name).unwrap();
        assert!(found == old || found == Some(*new), "{name} points at {found:?}");
        if found == Some(*new) && self.roots.len() == 1 {
            self.assert_complete_in(to).await;
        }
        for manifest in &self.everything {
            if to.resolve(&Selector::Digest(manifest.digest())).await.unwrap().is_some() {
                assert_whole(to, manifest).await;
            }
        }
    }

    async fn assert_complete_in(&self, to: &Memory) {
        for (name, digest) in &self.roots {
            let found = to.resolve(&Selector::Tag(tag(name))).await.unwrap().unwrap();
            assert_eq!(found.digest, *digest);
        }
        for manifest in &self.everything {
            let found = to.manifest(&Selector::Digest(manifest.digest())).await.unwrap();
            assert_eq!(found.bytes(), manifest.bytes());
            assert_whole(to, manifest).await;
        }
    }
}

/// Copies all of the scene at the same time, once with each call failing.
async fn fail_at_every_call(scene: &Scene, options: &CopyOptions, has_old: bool) {
    for fails in [Fails::Before, Fails::After] {
        for at in 1..MOST_CALLS {
            let to = MemoryRegistry::new().store(&"to".parse().unwrap());
            let old = match has_old {
                true => {
                    let tags: Vec<_> = scene.roots.iter().map(|(name, _)| tag(name)).collect();
                    Some(push_image(&to, "linux/amd64", &[content(99, 10)], &tags).await.digest())
                }
                false => None,
            };
            let faults = Faults::at(at, fails);
            let (source, target) = (Faulty::new(&scene.from, &faults), Faulty::new(&to, &faults));
            let options = CopyOptions { whereabouts: Whereabouts::default(), ..options.clone() };
            let copies = scene.roots.iter().map(|(name, _)| {
                let options = CopyOptions { tags: vec![tag(name)], ..options.clone() };
                let (source, target) = (&source, &target);
                async move { copy(source, &Selector::Tag(tag(name)), target, &options, &()).await }
            });
            let results: Vec<Result<_, Error>> = futures::future::join_all(copies).await;
            for (name, _) in &scene.roots {
                scene.assert_whole_in(&to, name, old).await;
            }
            if !faults.have_struck() {
                assert!(results.iter().all(Result::is_ok), "{results:?}");
                scene.assert_complete_in(&to).await;
                break;
            }
            assert!(at + 1 < MOST_CALLS, "it never ends");
            // Whoever tries again gets everything, whatever is believed to be there.
            for (name, _) in &scene.roots {
                let options = CopyOptions { tags: vec![tag(name)], ..options.clone() };
                copy(&scene.from, &Selector::Tag(tag(name)), &to, &options, &()).await.unwrap();
            }
            scene.assert_complete_in(&to).await;
        }
    }
}

fn with_referrers() -> CopyOptions {
    CopyOptions { referrers: Referrers::All, force: true, ..CopyOptions::default() }
}

#[tokio::test]
async fn an_image_is_whole_or_not_there() {
    let scene = Scene::new().image("v1", &[1, 2, 3]).await;
    fail_at_every_call(&scene, &CopyOptions::default(), false).await;
}

#[tokio::test]
async fn an_old_image_stays_until_the_new_one_is_whole() {
    let scene = Scene::new().index("v1").await;
    let force = CopyOptions { force: true, ..CopyOptions::default() };
    fail_at_every_call(&scene, &force, true).await;
}

#[tokio::test]
async fn a_failure_of_referrers_is_made_good_by_the_next_copy() {
    let scene = Scene::new().index("v1").await.spoken_about().await;
    fail_at_every_call(&scene, &with_referrers(), false).await;
    fail_at_every_call(&scene, &with_referrers(), true).await;
}

#[tokio::test]
async fn copies_at_the_same_time_fail_one_by_one() {
    let scene = Scene::new().image("v1", &[1, 2, 3]).await.image("v2", &[1, 2, 4]).await;
    let scene = scene.image("v3", &[1, 5]).await.index("v4").await.spoken_about().await;
    fail_at_every_call(&scene, &with_referrers(), false).await;
}

#[tokio::test]
async fn a_failure_of_referrers_says_that_the_image_is_there() {
    let scene = Scene::new().image("v1", &[1]).await;
    let image = scene.everything[0].clone();
    let sbom = attach(&scene.from, &image, "application/sbom", 3).await;
    for blob in sbom.blobs() {
        scene.from.delete_blob(&blob.digest).await.unwrap();
    }
    let to = memory("to");
    let options = CopyOptions { referrers: Referrers::All, ..to_tag("v1") };
    let error = copy(&scene.from, &Selector::Tag(tag("v1")), &to, &options, &()).await;
    let error = error.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{} is in memory/to, but not all of its signatures and other referrers, so no tag was \
             written",
            image.digest()
        )
    );
    assert!(to.resolve(&Selector::Digest(image.digest())).await.unwrap().is_some());
    assert!(to.resolve(&Selector::Tag(tag("v1"))).await.unwrap().is_none());
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("there is no blob"));
    assert_eq!(error.kind(), report::Kind::NotFound);
    assert!(copy_tag(&scene.from, &to, "v1").await.unwrap().changed);
}
