//! What the tests of this room share: images, and servers on loopback.

mod faulty;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
pub(crate) use faulty::{Fails, Faults, Faulty, assert_whole};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::remote::Retry;
use crate::{
    Access, AccessLog, Anonymous, Credentials, Descriptor, Digest, Manifest, MediaType, Memory,
    MemoryRegistry, Reference, Registry, Remote, RemoteOptions, RemoteRepository, ServeOptions,
    Store, Tag, client,
};

/// A server that lives as long as this does.
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) log: Arc<Requests>,
    _tasks: JoinSet<()>,
}

/// Every request, as `METHOD target`.
#[derive(Default)]
pub(crate) struct Requests(Mutex<Vec<String>>);

impl AccessLog for Requests {
    fn record(&self, access: &Access<'_>) {
        self.0.lock().unwrap().push(format!("{} {}", access.method, access.target));
    }
}

impl Requests {
    /// Those since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// How many of each method since the last call, in the order of the alphabet.
    pub(crate) fn count(&self) -> String {
        let mut counts = std::collections::BTreeMap::new();
        for request in self.take() {
            *counts.entry(request.split(' ').next().unwrap().to_owned()).or_insert(0) += 1;
        }
        let texts: Vec<String> = counts.iter().map(|(m, n)| format!("{m} {n}")).collect();
        texts.join(", ")
    }
}

impl Server {
    /// Our registry over `registry`.
    pub(crate) async fn registry(registry: impl Registry + 'static) -> Self {
        Self::with(registry, ServeOptions::default()).await
    }

    /// Our registry over `registry`, told more; the log is this server's own.
    pub(crate) async fn with(registry: impl Registry + 'static, options: ServeOptions) -> Self {
        let log = Arc::new(Requests::default());
        let log_to = Some(Arc::clone(&log) as Arc<dyn AccessLog>);
        let options = ServeOptions { log: log_to, ..options };
        let (listener, host) = listen().await;
        let mut tasks = JoinSet::new();
        let registry: Arc<dyn Registry> = Arc::new(registry);
        tasks.spawn(async move {
            crate::serve_with(listener, registry, options, std::future::pending()).await;
        });
        Self { host, log, _tasks: tasks }
    }

    /// Our registry, as one that does not keep referrers (docker-registry 2.8 is one).
    pub(crate) async fn without_referrers(registry: impl Registry + 'static) -> Self {
        let log = Arc::new(Requests::default());
        let options = ServeOptions {
            log: Some(Arc::clone(&log) as Arc<dyn AccessLog>),
            ..ServeOptions::default()
        };
        let (listener, host) = listen().await;
        let hide = |request: Request, next: axum::middleware::Next| async move {
            if request.uri().path().contains("/referrers/") {
                return answer(404, &[], "404 page not found");
            }
            let mut response = next.run(request).await;
            response.headers_mut().remove("oci-subject");
            response
        };
        let router = crate::router(Arc::new(registry), options);
        let router = router.layer(axum::middleware::from_fn(hide));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { host, log, _tasks: tasks }
    }

    /// A server that answers as `answer` says.
    pub(crate) async fn hostile<F>(answer: F) -> Self
    where
        F: Fn(&Request) -> Response + Clone + Send + Sync + 'static,
    {
        let log = Arc::new(Requests::default());
        let seen = Arc::clone(&log);
        let (listener, host) = listen().await;
        let router = axum::Router::new().fallback(move |request: Request| {
            seen.0.lock().unwrap().push(format!("{} {}", request.method(), request.uri()));
            let response = answer(&request);
            async move { response }
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { host, log, _tasks: tasks }
    }

    pub(crate) fn repository(&self, name: &str) -> RemoteRepository {
        repository(&self.host, name, Anonymous)
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    (listener, host)
}

/// Retries without pauses that anybody would notice.
pub(crate) fn remote(credentials: impl Credentials + 'static) -> Remote {
    let retry = Retry { attempts: 3, base: Duration::from_millis(1), ..Retry::default() };
    let http = client::build(&client::ClientOptions::default()).unwrap();
    Remote::new(http, Arc::new(credentials), RemoteOptions { retry, ..RemoteOptions::default() })
}

pub(crate) fn repository(
    host: &str,
    name: &str,
    credentials: impl Credentials + 'static,
) -> RemoteRepository {
    let reference: Reference = format!("{host}/{name}").parse().unwrap();
    remote(credentials).repository(&reference).unwrap()
}

pub(crate) fn memory(name: &str) -> Memory {
    MemoryRegistry::new().store(&name.parse().unwrap())
}

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(axum::body::Body::from(body.into())).unwrap()
}

/// `size` bytes that differ with `seed`.
pub(crate) fn content(seed: u64, size: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    Bytes::from(bytes)
}

/// Pushes an image for `platform` with these layers.
pub(crate) async fn push_image(
    store: &dyn Store,
    platform: &str,
    layers: &[Bytes],
    tags: &[Tag],
) -> Manifest {
    let manifest = image(store, platform, layers, None).await;
    store.put_manifest(&manifest, tags).await.unwrap();
    manifest
}

/// The manifest of an image whose blobs are pushed.
pub(crate) async fn image(
    store: &dyn Store,
    platform: &str,
    layers: &[Bytes],
    subject: Option<&Descriptor>,
) -> Manifest {
    let (os, architecture) = platform.split_once('/').unwrap();
    let diff_ids: Vec<Digest> = layers.iter().map(|layer| Digest::of(layer)).collect();
    let config = serde_json::json!({
        "os": os, "architecture": architecture,
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let config = Bytes::from(config.to_string());
    let config_descriptor = push(store, MediaType::OCI_CONFIG, &config).await;
    let mut descriptors = Vec::new();
    for layer in layers {
        descriptors.push(push(store, MediaType::OCI_LAYER_GZIP, layer).await);
    }
    let mut document = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "config": config_descriptor,
        "layers": descriptors,
    });
    if let Some(subject) = subject {
        document["subject"] = serde_json::to_value(subject).unwrap();
        document["artifactType"] = "application/vnd.example.sbom".into();
        document["annotations"] = serde_json::json!({ "who": "me" });
    }
    Manifest::new(MediaType::OCI_MANIFEST, Bytes::from(document.to_string())).unwrap()
}

/// Attaches something of this type to `subject`.
pub(crate) async fn attach(
    store: &dyn Store,
    subject: &Manifest,
    artifact_type: &str,
    seed: u64,
) -> Manifest {
    let config = push(store, MediaType::OCI_EMPTY, &Bytes::from_static(b"{}")).await;
    let layer = push(store, MediaType::OCTET_STREAM, &content(seed, 50)).await;
    let document = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": config,
        "layers": [layer],
        "subject": subject.descriptor(),
    });
    let referrer = Bytes::from(document.to_string());
    let referrer = Manifest::new(MediaType::OCI_MANIFEST, referrer).unwrap();
    store.put_manifest(&referrer, &[]).await.unwrap();
    referrer
}

/// What cosign does: an image under a tag that names its subject.
pub(crate) async fn cosign(
    store: &dyn Store,
    subject: &Manifest,
    suffix: &str,
    seed: u64,
) -> (Tag, Manifest) {
    let name = tag(&format!("sha256-{}.{suffix}", subject.digest().hex()));
    let layers = [content(seed, 60)];
    let made = push_image(store, "linux/amd64", &layers, std::slice::from_ref(&name)).await;
    (name, made)
}

pub(crate) async fn push(store: &dyn Store, media_type: MediaType, bytes: &Bytes) -> Descriptor {
    let descriptor = Descriptor::of(media_type, bytes);
    store.push_blob(&descriptor, bytes, None).await.unwrap();
    descriptor
}

/// Pushes an index of images for these platforms, each with one layer of its own and one shared.
pub(crate) async fn push_index(store: &dyn Store, platforms: &[&str], tags: &[Tag]) -> Manifest {
    let mut entries = Vec::new();
    for (seed, platform) in (1..).zip(platforms) {
        let layers = [content(0, 3000), content(seed, 2000)];
        let manifest = push_image(store, platform, &layers, &[]).await;
        let mut entry = manifest.descriptor();
        entry.platform = Some(platform.parse().unwrap());
        entries.push(entry);
    }
    let document = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_INDEX,
        "manifests": entries,
        "annotations": { "kept": "as written" },
    });
    let index = Manifest::new(MediaType::OCI_INDEX, Bytes::from(document.to_string())).unwrap();
    store.put_manifest(&index, tags).await.unwrap();
    index
}

pub(crate) fn missing() -> Digest {
    Digest::of(b"nobody has this")
}
