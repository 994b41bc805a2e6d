//! An image with everything, two registries, and a broken line before each.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use oci::{
    Anonymous, Content, CopyOptions, Descriptor, Digest, Manifest, MediaType, Memory,
    MemoryRegistry, Referrers, Remote, RemoteOptions, RemoteRepository, Retry, Selector, Store,
    Tag,
};
use report::Fault;
use serde_json::json;
use support::FaultProxy;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Where the image is, and under which tag.
pub(super) const SOURCE: &str = "src/app";
/// The tag, on both sides.
pub(super) const TAG: &str = "v1";
/// Bytes of the layer that the platforms share: several pieces on the line.
const SHARED_LAYER: usize = 20_000;
/// Attempts in all; fewer than of a user, because a trial that fails makes them all.
const ATTEMPTS: u32 = 3;
/// A copy here takes a hundredth of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Two registries and the line to each.
pub(super) struct World {
    /// What is copied.
    pub(super) digest: Digest,
    /// Its signature.
    pub(super) referrer: Digest,
    /// The line to the registry that has it.
    pub(super) from: FaultProxy,
    /// The line to the one that gets it.
    pub(super) to: FaultProxy,
    target: MemoryRegistry,
    /// Clients that know nothing yet, over the same connections.
    clients: Box<dyn Fn() -> Remote + Send + Sync>,
    _servers: JoinSet<()>,
}

/// What one copy came to.
pub(super) enum Outcome {
    /// It is done.
    Done(Box<oci::Copied>),
    /// It says why not.
    Failed(Box<Fault>),
    /// It does not come to an end.
    Endless,
}

impl World {
    /// The image is there, nothing else.
    pub(super) async fn new() -> Self {
        let (source, target) = (MemoryRegistry::new(), MemoryRegistry::new());
        let store = source.store(&SOURCE.parse().unwrap());
        let (digest, referrer) = fill(&store).await;
        let mut servers = JoinSet::new();
        let mut proxies = Vec::new();
        for registry in [source, target.clone()] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap().to_string();
            servers.spawn(async move {
                oci::serve(listener, Arc::new(registry), std::future::pending()).await;
            });
            proxies.push(FaultProxy::before(&address));
        }
        let to = proxies.pop().unwrap();
        let from = proxies.pop().unwrap();
        Self { digest, referrer, from, to, target, clients: clients(), _servers: servers }
    }

    /// One copy with a client that knows nothing yet.
    pub(super) async fn copy(&self, name: &str, options: &CopyOptions) -> Outcome {
        let remote = (self.clients)();
        let from = repository(&remote, &self.from, SOURCE);
        let to = repository(&remote, &self.to, name).for_writing();
        let selector = selector();
        let copying = oci::copy(&from, &selector, &to, options, &());
        match tokio::time::timeout(PATIENCE, copying).await {
            Ok(Ok(copied)) => Outcome::Done(Box::new(copied)),
            Ok(Err(error)) => Outcome::Failed(Box::new(error.into())),
            Err(_) => Outcome::Endless,
        }
    }

    /// What the target's registry holds, seen from inside.
    pub(super) fn target(&self, name: &str) -> Memory {
        self.target.store(&name.parse().unwrap())
    }

    /// Both lines are honest again.
    pub(super) fn calm(&self) {
        self.from.forget();
        self.to.forget();
    }
}

/// Everything comes along, one after the other: so a request has the same number every time.
pub(super) fn options() -> CopyOptions {
    CopyOptions {
        tags: vec![tag()],
        parallel: 1,
        referrers: Referrers::All,
        ..CopyOptions::default()
    }
}

pub(super) fn tag() -> Tag {
    TAG.parse().unwrap()
}

pub(super) fn selector() -> Selector {
    Selector::Tag(tag())
}

/// Pauses that nobody notices; whoever is to be waited for longer is not.
fn clients() -> Box<dyn Fn() -> Remote + Send + Sync> {
    let retry = Retry {
        attempts: ATTEMPTS,
        base: Duration::from_millis(1),
        cap: Duration::from_millis(2),
        patience: Duration::from_millis(20),
    };
    let http = oci::client::build(&oci::client::ClientOptions::default()).unwrap();
    Box::new(move || {
        let options = RemoteOptions { retry, ..RemoteOptions::default() };
        Remote::new(http.clone(), Arc::new(Anonymous), options)
    })
}

fn repository(remote: &Remote, proxy: &FaultProxy, name: &str) -> RemoteRepository {
    remote.repository(&format!("{}/{name}", proxy.address()).parse().unwrap()).unwrap()
}

/// An index of two platforms, which share their layer, and a signature of it; the digests of both.
async fn fill(store: &dyn Store) -> (Digest, Digest) {
    // No byte is as its neighbours, so that none can stand for another.
    let layer: Vec<u8> = (0..SHARED_LAYER).map(|at| (at % 251) as u8).collect();
    let layer = push(store, MediaType::OCI_LAYER_GZIP, layer).await;
    let mut entries = Vec::new();
    for architecture in ["amd64", "arm64"] {
        let config = format!(r#"{{"os":"linux","architecture":"{architecture}"}}"#);
        let config = push(store, MediaType::OCI_CONFIG, config.into_bytes()).await;
        let image = image(&config, &layer);
        store.put_manifest(&image, &[]).await.unwrap();
        let mut entry = image.descriptor();
        entry.platform = Some(format!("linux/{architecture}").parse().unwrap());
        entries.push(entry);
    }
    let index = manifest(
        MediaType::OCI_INDEX,
        &json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": entries,
        }),
    );
    store.put_manifest(&index, &[tag()]).await.unwrap();
    let empty =
        push(store, MediaType::new("application/vnd.oci.empty.v1+json"), b"{}".into()).await;
    let referrer = manifest(
        MediaType::OCI_MANIFEST,
        &json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
            "artifactType": "application/vnd.example.signature",
            "config": empty, "layers": [empty], "subject": index.descriptor(),
        }),
    );
    store.put_manifest(&referrer, &[]).await.unwrap();
    (index.digest(), referrer.digest())
}

/// Another image under the tag, as from an earlier release; its digest.
pub(super) async fn put_old_image(store: &dyn Store) -> Digest {
    let config = push(store, MediaType::OCI_CONFIG, b"{}".into()).await;
    let layer = b"the layer of the last release";
    let layer = push(store, MediaType::OCI_LAYER_GZIP, layer.into()).await;
    let old = image(&config, &layer);
    store.put_manifest(&old, &[tag()]).await.unwrap();
    old.digest()
}

fn image(config: &Descriptor, layer: &Descriptor) -> Manifest {
    manifest(
        MediaType::OCI_MANIFEST,
        &json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
            "config": config, "layers": [layer],
        }),
    )
}

async fn push(store: &dyn Store, media_type: MediaType, bytes: Vec<u8>) -> Descriptor {
    let bytes = Bytes::from(bytes);
    let blob = Descriptor::of(media_type, &bytes);
    store.push_blob(&blob, &bytes, None).await.unwrap();
    blob
}

fn manifest(media_type: MediaType, document: &serde_json::Value) -> Manifest {
    Manifest::new(media_type, Bytes::from(document.to_string())).unwrap()
}

/// What is missing or wrong of the image at `root`, each byte of it looked at.
pub(super) async fn defects(store: &dyn Store, root: Digest) -> Vec<String> {
    let mut defects = Vec::new();
    let mut left = vec![root];
    while let Some(digest) = left.pop() {
        let manifest = match store.manifest(&Selector::Digest(digest)).await {
            Ok(manifest) => manifest,
            Err(error) => {
                defects.push(format!("manifest {digest}: {error}"));
                continue;
            }
        };
        if Digest::of(manifest.bytes()) != digest {
            defects.push(format!("manifest {digest} has other bytes"));
        }
        if matches!(manifest.content(), Content::Opaque) {
            defects.push(format!("manifest {digest} is no image"));
        }
        left.extend(manifest.manifests().iter().map(|entry| entry.digest));
        for blob in manifest.blobs() {
            let bytes = match store.blob(&blob).await {
                Ok(stream) => stream.collect(blob.size).await,
                Err(error) => Err(error),
            };
            match bytes {
                Ok(bytes) if Digest::of(&bytes) == blob.digest => {}
                Ok(_) => defects.push(format!("blob {} has other bytes", blob.digest)),
                Err(error) => defects.push(format!("blob {}: {error}", blob.digest)),
            }
        }
    }
    defects
}
