//! The embedded registry is killed in the middle of pushes; what it answered for is there again.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use oci::{
    Anonymous, Descriptor, Digest, Manifest, MediaType, Remote, RemoteOptions, RemoteRepository,
    Retry, Selector, Store, Tag, client,
};
use support::{Embedded, Signal};

use crate::host;

/// Pushes at the same time.
const WORKERS: usize = 4;

fn repository(address: &str) -> RemoteRepository {
    let http = client::build(&client::ClientOptions::default()).unwrap();
    let retry = Retry { attempts: 1, ..Retry::default() };
    let options = RemoteOptions { retry, ..RemoteOptions::default() };
    let reference = format!("{address}/kill/app").parse().unwrap();
    Remote::new(http, Arc::new(Anonymous), options).repository(&reference).unwrap()
}

/// A layer that no other has, of more than one write.
fn layer(name: &str) -> Vec<u8> {
    name.bytes().cycle().take(700_000 + name.len()).collect()
}

async fn push(store: &dyn Store, name: &str) -> Result<Digest, oci::Error> {
    let mut blobs = Vec::new();
    for (media_type, bytes) in [
        (MediaType::OCI_LAYER_GZIP, layer(name)),
        (MediaType::OCI_CONFIG, format!(r#"{{"name":"{name}"}}"#).into_bytes()),
    ] {
        let blob = Descriptor::of(media_type, &bytes);
        store.push_blob(&blob, &bytes::Bytes::from(bytes), None).await?;
        blobs.push(blob);
    }
    let document = serde_json::json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
        "config": blobs[1], "layers": [blobs[0]],
    });
    let manifest = Manifest::new(MediaType::OCI_MANIFEST, document.to_string().into()).unwrap();
    let tag: Tag = name.parse().unwrap();
    store.put_manifest(&manifest, &[tag]).await?;
    Ok(manifest.digest())
}

/// Pushes images until the registry is gone; tells of each that was answered for.
async fn push_until_it_dies(address: String, worker: String, done: Sender<(String, Digest)>) {
    let store = repository(&address);
    for number in 0_usize.. {
        let name = format!("{worker}-{number}");
        match push(&store, &name).await {
            Ok(digest) => done.send((name, digest)).unwrap(),
            Err(_) => return,
        }
    }
}

async fn check(address: &str, answered: &[(String, Digest)]) {
    let store = repository(address);
    for (name, digest) in answered {
        let found = store.resolve(&Selector::Tag(name.parse().unwrap())).await.unwrap();
        assert_eq!(found.unwrap().digest, *digest, "{name}");
    }
    for name in store.tags(None, 10_000).await.unwrap() {
        // Verified while it is read: digest and size.
        let manifest = store.manifest(&Selector::Tag(name.parse().unwrap())).await.unwrap();
        for blob in manifest.blobs() {
            let stream = store.blob(&blob).await.unwrap();
            stream.collect(blob.size).await.unwrap();
        }
    }
}

fn every_blob_is_what_it_is_called(layout: &Path) {
    for file in std::fs::read_dir(layout.join("blobs/sha256")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert_eq!(Digest::of(&std::fs::read(&path).unwrap()).hex(), name);
    }
}

#[test]
fn a_registry_that_is_killed_keeps_what_it_answered_for_and_shows_nothing_half() {
    let host = host();
    let root = host.path("registry");
    let layout = root.join("kill/app");
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().unwrap()
    };
    let mut answered = Vec::new();
    for (round, kill_after) in [1, 4, 9].into_iter().enumerate() {
        let registry = Embedded::start(&host, &root);
        let pushing = runtime();
        let (done, results) = channel();
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let name = format!("r{round}-w{worker}");
                let address = registry.address().to_owned();
                pushing.spawn(push_until_it_dies(address, name, done.clone()))
            })
            .collect();
        drop(done);
        answered.extend(results.iter().take(kill_after));
        registry.process().signal(Signal::SIGKILL);
        answered.extend(results);
        for worker in workers {
            pushing.block_on(worker).unwrap();
        }
        registry.into_process().finish();
        every_blob_is_what_it_is_called(&layout);

        let registry = Embedded::start(&host, &root);
        runtime().block_on(async {
            check(registry.address(), &answered).await;
            // The first push sweeps up, if the server has not yet.
            push(&repository(registry.address()), &format!("again-{round}")).await.unwrap();
        });
        let left = std::fs::read_dir(layout.join(".windlass")).unwrap();
        let left: Vec<_> = left.map(|file| file.unwrap().file_name()).collect();
        assert_eq!(left, ["lock"], "uploads that were cut off are swept up");
    }
}
