//! Proxies on the way to registries.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::*;
use crate::client::{CaFile, ClientOptions, ProxyOptions, build};
use crate::{Remote, RemoteOptions, ServeOptions, Tls};

/// Every name is this machine.
struct Here;

impl Resolve for Here {
    fn resolve(&self, _name: Name) -> Resolving {
        let here: Addrs = Box::new(std::iter::once(SocketAddr::from(([127, 0, 0, 1], 0))));
        Box::pin(async { Ok(here) })
    }
}

const NAME: &str = "registry.example";

fn remote(proxy: ProxyOptions, ca_files: Vec<CaFile>, insecure: &[String]) -> Remote {
    let options = ClientOptions {
        proxy,
        ca_files,
        resolver: Some(Arc::new(Here)),
        ..ClientOptions::default()
    };
    let insecure = insecure.iter().cloned().collect();
    let told = RemoteOptions { insecure, ..RemoteOptions::default() };
    Remote::new(build(&options).unwrap(), Arc::new(Anonymous), told)
}

#[tokio::test]
async fn http_goes_through_the_proxy_but_for_those_that_it_is_not_for() {
    let image = image(&memory("x"), "linux/amd64", &[], None).await;
    let bytes = image.bytes().clone();
    let proxy = Server::hostile(move |_| answer(200, &[], bytes.clone())).await;
    let direct = Server::hostile(|_| answer(404, &[], "")).await;
    let port = direct.host.rsplit(':').next().unwrap();
    let host = format!("{NAME}:{port}");
    let ask = async |host: &str, none_for: &str| {
        let options = ProxyOptions {
            http: Some(format!("http://{}", proxy.host)),
            https: None,
            none_for: (!none_for.is_empty()).then(|| none_for.to_owned()),
        };
        let remote = remote(options, Vec::new(), &[host.to_owned()]);
        let reference = format!("{host}/a").parse().unwrap();
        let found = remote.repository(&reference).unwrap().manifest(&latest()).await;
        (found.is_ok(), proxy.log.take(), direct.log.take().len())
    };
    let through = vec![format!("GET http://{host}/v2/a/manifests/latest")];
    assert_eq!(ask(&host, "").await, (true, through.clone(), 0));
    assert_eq!(ask(&host, "other.example").await, (true, through, 0));
    for none_for in [NAME, ".example", "other.example, registry.example"] {
        assert_eq!(ask(&host, none_for).await, (false, Vec::new(), 1), "{none_for}");
    }
    // This machine is never reached through one.
    assert_eq!(ask(&direct.host, "").await, (false, Vec::new(), 1));
}

/// A proxy that leads every `CONNECT` to `to`, and notes what was asked of it.
async fn tunnel(to: String) -> (String, Arc<std::sync::Mutex<Vec<String>>>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (log, mut tasks) = (Arc::clone(&asked), JoinSet::new());
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let (log, to) = (Arc::clone(&log), to.clone());
            connections.spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
                log.lock().unwrap().push(head.lines().next().unwrap().to_owned());
                if !head.contains("proxy-authorization: basic bwu6chc=") {
                    let no = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
                    client.write_all(no).await.unwrap();
                    return;
                }
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let mut server = TcpStream::connect(to).await.unwrap();
                drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
            });
        }
    });
    (address, asked, tasks)
}

#[tokio::test]
async fn https_goes_through_a_tunnel_in_which_the_registry_proves_itself() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec![NAME.to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("ca.pem"), folder.path().join("key.pem"));
    fs_err::write(&certificate, made.cert.pem()).unwrap();
    fs_err::write(&key, made.signing_key.serialize_pem()).unwrap();
    let tls = Some(Tls::open(&certificate, &key).unwrap());
    let options = ServeOptions { tls, ..ServeOptions::default() };
    let server = Server::with(MemoryRegistry::new(), options).await;
    let (proxy, asked, _tasks) = tunnel(server.host.clone()).await;
    let store = |proxy: String| {
        let options = ProxyOptions { https: Some(proxy), ..ProxyOptions::default() };
        let ca = CaFile { path: certificate.clone(), only_for: Some(NAME.to_owned()) };
        let remote = remote(options, vec![ca], &[]);
        remote.repository(&format!("{NAME}/a").parse().unwrap()).unwrap()
    };
    let with_password = store(format!("http://me:pw@{proxy}"));
    let bytes = content(1, 100_000);
    let blob = Descriptor::of(MediaType::OCTET_STREAM, &bytes);
    assert_eq!(with_password.push_blob(&blob, &bytes, None).await.unwrap(), Pushed::Sent);
    let read = with_password.blob(&blob).await.unwrap().collect(u64::MAX).await.unwrap();
    assert_eq!(read, bytes);
    let requests = asked.lock().unwrap().clone();
    assert!(requests.iter().all(|line| line == "connect registry.example:443 http/1.1"));
    assert!(!requests.is_empty());

    let error = store(format!("http://{proxy}")).resolve(&latest()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Transient);
    assert!(!error.to_string().contains("pw"), "{error}");
}
