//! Runs a container by this machine's OCI runtime, through Container Instances and back:
//! `cargo run -p windlass-azure-emulator --example run_container -- /usr/bin/crun /path/to/busybox`.
//!
//! The image is made of the one static program; the container serves a page with it, which is then
//! asked for by the group's name.
#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "what panics here says what is wrong"
)]

use std::sync::Arc;

use azure_emulator::{Config, Emulator, OciRuntime};
use bytes::Bytes;
use oci::client::{CaFile, ClientOptions, ProxyOptions};
use oci::{Descriptor, Manifest, MediaType, MemoryRegistry, Registry as _, Store};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The image: `/bin/busybox`, and a page.
async fn push(store: &dyn Store, busybox: &[u8]) {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes, mode) in
        [("bin/busybox", busybox, 0o755), ("www/index.html", b"served inside\n".as_slice(), 0o644)]
    {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        archive.append_data(&mut header, name, bytes).unwrap();
    }
    let layer = archive.into_inner().unwrap();
    let config = json!({ "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": [] }, "config": {} });
    let mut blobs = Vec::new();
    for (kind, bytes) in [
        ("application/vnd.oci.image.config.v1+json", config.to_string().into_bytes()),
        ("application/vnd.oci.image.layer.v1.tar", layer),
    ] {
        let blob = Descriptor::of(MediaType::new(kind), &bytes);
        store.push_blob(&blob, &Bytes::from(bytes), None).await.unwrap();
        blobs.push(
            json!({ "mediaType": kind, "digest": blob.digest.to_string(), "size": blob.size }),
        );
    }
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let image =
        json!({ "schemaVersion": 2, "mediaType": kind, "config": blobs[0], "layers": [blobs[1]] });
    let image = Manifest::new(MediaType::new(kind), image.to_string().into()).unwrap();
    store.put_manifest(&image, &["1".parse().unwrap()]).await.unwrap();
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: run_container RUNTIME BUSYBOX";
    let runtime = OciRuntime::find(arguments.next().expect(usage)).await.expect("no such runtime");
    let busybox = fs_err::read(arguments.next().expect(usage)).unwrap();
    let registry = Arc::new(MemoryRegistry::new());
    push(&*registry.repository(&"busybox".parse().unwrap()), &busybox).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = format!("http://{}", listener.local_addr().unwrap());
    let mut serving = JoinSet::new();
    serving.spawn(oci::serve(listener, registry, std::future::pending()));

    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new(folder.path());
    config.upstreams.insert("up.example".to_owned(), upstream.parse().unwrap());
    config.runner = Some(Arc::new(runtime));
    let emulator = Emulator::start(config).await.unwrap();
    let proxy = Some(emulator.proxy_url());
    let http = oci::client::build(&ClientOptions {
        ca_files: vec![CaFile { path: folder.path().join("ca.pem"), only_for: None }],
        proxy: ProxyOptions { https: proxy.clone(), http: proxy, none_for: None },
        ..ClientOptions::default()
    })
    .unwrap();
    let login = "https://login.microsoftonline.com/common/oauth2/v2.0/token";
    let form = "grant_type=client_credentials&client_id=33333333-3333-3333-3333-333333333333&client_secret=s3cr3t&scope=https://management.azure.com/.default";
    let answer = http.post(login).body(form).send().await.unwrap().bytes().await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let token = answer["access_token"].as_str().unwrap();
    // The container has the machine's network: a port that is free there.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let command =
        ["/bin/busybox", "httpd", "-f", "-v", "-p", &format!("127.0.0.1:{port}"), "-h", "/www"];
    let group = json!({ "location": "westeurope", "properties": {
        "osType": "Linux",
        "containers": [{ "name": "main", "properties": {
            "image": "up.example/busybox:1", "command": command, "ports": [{ "port": port }],
            "resources": { "requests": { "cpu": 1, "memoryInGB": 1 } },
        } }],
        "ipAddress": { "type": "Public", "ports": [{ "port": port }], "dnsNameLabel": "demo-one" },
    } });
    let at = "https://management.azure.com/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1/providers/Microsoft.ContainerInstance/containerGroups/demo";
    let put =
        http.put(format!("{at}?api-version=2023-05-01")).bearer_auth(token).body(group.to_string());
    let put = put.send().await.unwrap();
    assert_eq!(put.status(), 201, "{}", put.text().await.unwrap());
    let page = format!("http://demo-one.westeurope.azurecontainer.io:{port}/");
    for _ in 0..100 {
        let answer = http.get(&page).send().await.unwrap();
        if answer.status() == 200 {
            print!("{page}: {}", answer.text().await.unwrap());
            emulator.shutdown().await;
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let shown =
        http.get(format!("{at}/containers/main/logs?api-version=2023-05-01")).bearer_auth(token);
    println!("{}", shown.send().await.unwrap().text().await.unwrap());
    let shown = http.get(format!("{at}?api-version=2023-05-01")).bearer_auth(token);
    panic!("{}", shown.send().await.unwrap().text().await.unwrap());
}
