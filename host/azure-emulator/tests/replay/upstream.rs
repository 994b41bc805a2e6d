//! The registries of the outside, on loopback: all of their images are in one.

use std::sync::Arc;

use oci::{MemoryRegistry, Registry as _, RepositoryName};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

use crate::images;

const IMAGES: [(&str, &str); 8] = [
    ("library/nginx", "latest"),
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
            let store = registry.repository(&repository.parse::<RepositoryName>().unwrap());
            images::index(&*store, repository, &tag.parse().unwrap()).await;
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let mut serving = JoinSet::new();
        serving.spawn(oci::serve(listener, registry, std::future::pending()));
        Self { url, _serving: serving }
    }
}
