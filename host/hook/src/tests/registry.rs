//! The registry that most people run, and what it says of a push.

use std::collections::BTreeSet;

use support::{Access, DockerRegistry, Image, poll, push_with_skopeo};

use super::room::Open;
use super::{SECRET, endpoint, some};
use crate::{Form, NotTaken, Push};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_tells_of_a_push_until_it_is_heard() {
    let open = Open::with(&[("registry", endpoint(Form::Distribution, None, None))]).await;
    // The first two deliveries cannot be written down.
    open.told.says.lock().unwrap().extend([Err(NotTaken), Err(NotTaken)]);
    let url = open.url("/hooks/registry");
    let image = Image::multi_arch(&["linux/amd64", "linux/arm64"], 1000);
    let (pushed, registry) = (image.clone(), move || {
        let registry = DockerRegistry::telling(&url, &format!("Bearer {SECRET}"));
        push_with_skopeo(&image, &registry, Access::Anonymous, "team/app:v1");
        registry
    });
    let told = std::sync::Arc::clone(&open.told);
    // Two manifests and the index; two of the deliveries were said three times in all.
    let (registry, heard) = tokio::task::spawn_blocking(move || {
        let registry = registry();
        let heard = poll("all that was pushed", || {
            let heard = told.heard.lock().unwrap();
            (heard.len() >= 5).then(|| heard.clone())
        });
        (registry, heard)
    })
    .await
    .unwrap();

    assert_eq!(heard.len(), 5);
    assert_eq!(heard[0], heard[1], "what was not written down is said again, word for word");
    assert_eq!(heard[1], heard[2]);
    let pushes = heard[2..].iter().map(|(name, delivery)| {
        assert_eq!((name.as_str(), delivery.pushes.len()), ("registry", 1));
        assert_eq!((&delivery.id, delivery.commits.len()), (&None, 0));
        delivery.pushes[0].clone()
    });
    let pushes: Vec<Push> = pushes.collect();
    let ids: BTreeSet<_> = pushes.iter().map(|push| push.id.clone().unwrap()).collect();
    assert_eq!(ids.len(), 3, "each event has an id of its own");
    for push in &pushes {
        humantime::parse_rfc3339_weak(&push.at.as_ref().unwrap()[..19]).unwrap();
    }
    let expected = |tag: Option<String>, digest: &str| Push {
        host: Some(registry.address()),
        repository: "team/app".to_owned(),
        tag,
        digest: some(digest),
        ..Push::default()
    };
    let bare = pushes.into_iter().map(|push| Push { id: None, at: None, ..push });
    let mut manifests: Vec<Push> =
        pushed.manifests.iter().map(|(digest, _)| expected(None, digest)).collect();
    manifests.push(expected(some("v1"), &pushed.digest()));
    let sorted = |mut pushes: Vec<Push>| {
        pushes.sort_by(|a, b| a.digest.cmp(&b.digest));
        pushes
    };
    assert_eq!(sorted(bare.collect()), sorted(manifests));
}
