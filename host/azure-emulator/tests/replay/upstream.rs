//! The registries of the outside, on loopback: all of their images are in one.

use std::sync::Arc;

use bytes::Bytes;
use oci::{Descriptor, Manifest, MediaType, MemoryRegistry, Registry as _, RepositoryName};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

const IMAGES: [(&str, &str); 7] = [
    ("library/hello-world", "latest"),
    ("tensorflow/tensorflow", "latest-gpu"),
    ("windows/servercore", "ltsc2019"),
    ("oryx/charts/hello", "1.0.0"),
    ("hello", "1"),
    ("sourcerrepo", "tag"),
    ("app/img", "1"),
];

/// Who is there.
pub(crate) const HOSTS: [&str; 4] =
    ["docker.io", "mcr.microsoft.com", "sourceregistry.azurecr.io", "docker.private.example.com"];

pub(crate) struct Upstream {
    pub(crate) url: Url,
    _serving: JoinSet<()>,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let registry = Arc::new(MemoryRegistry::new());
        for (repository, tag) in IMAGES {
            push(&registry, repository, tag).await;
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(oci::serve(listener, registry, std::future::pending()));
        Self { url, _serving: serving }
    }
}

/// An index of one image of one layer.
async fn push(registry: &MemoryRegistry, repository: &str, tag: &str) {
    let store = registry.repository(&repository.parse::<RepositoryName>().unwrap());
    let mut blobs = Vec::new();
    let config = json!({ "architecture": "amd64", "os": "linux", "of": repository }).to_string();
    for (kind, bytes) in [
        ("application/vnd.oci.image.config.v1+json", config),
        ("application/vnd.oci.image.layer.v1.tar", format!("the layer of {repository}")),
    ] {
        let descriptor = Descriptor::of(MediaType::new(kind), bytes.as_bytes());
        store.push_blob(&descriptor, &Bytes::from(bytes), None).await.unwrap();
        blobs.push(describe(&descriptor));
    }
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let image =
        json!({ "schemaVersion": 2, "mediaType": kind, "config": blobs[0], "layers": [blobs[1]] });
    let image = Manifest::new(MediaType::new(kind), image.to_string().into()).unwrap();
    store.put_manifest(&image, &[]).await.unwrap();
    let kind = "application/vnd.oci.image.index.v1+json";
    let mut entry = describe(&image.descriptor());
    entry["platform"] = json!({ "architecture": "amd64", "os": "linux" });
    let index = json!({ "schemaVersion": 2, "mediaType": kind, "manifests": [entry] });
    let index = Manifest::new(MediaType::new(kind), index.to_string().into()).unwrap();
    store.put_manifest(&index, &[tag.parse().unwrap()]).await.unwrap();
}

fn describe(descriptor: &Descriptor) -> Value {
    json!({
        "mediaType": descriptor.media_type.as_str(), "digest": descriptor.digest.to_string(),
        "size": descriptor.size,
    })
}
