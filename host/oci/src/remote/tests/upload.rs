//! Uploads that break, and what they cost.

use support::{Access, DockerRegistry};

use super::cutting::Cutting;
use super::*;

const MIB: u64 = 1024 * 1024;

/// 40 MiB: more than two chunks.
fn large() -> (Bytes, Descriptor) {
    let bytes = content(7, 40 * 1024 * 1024);
    let blob = Descriptor::of(MediaType::OCTET_STREAM, &bytes);
    (bytes, blob)
}

#[tokio::test]
async fn a_blob_costs_two_requests_whatever_its_size() {
    let (bytes, blob) = large();
    let server = Server::registry(MemoryRegistry::new()).await;
    let store = server.repository("a");
    assert_eq!(store.push_blob(&blob, &bytes, None).await.unwrap(), Pushed::Sent);
    assert_eq!(server.log.count(), "POST 1, PUT 1");
    assert_eq!(store.push_blob(&blob, &bytes, None).await.unwrap(), Pushed::Present);
    assert_eq!(server.log.count(), "POST 1");
}

#[tokio::test]
async fn an_upload_that_breaks_goes_on_where_the_registry_is() {
    let (bytes, blob) = large();
    let server = Server::registry(MemoryRegistry::new()).await;
    // In the one request with everything, then in the second and in the third chunk.
    let cuts = [10 * MIB, 20 * MIB, 35 * MIB];
    let line = Cutting::before(&server.host, &cuts).await;
    let store = repository(&line.host, "a", Anonymous);
    assert_eq!(store.push_blob(&blob, &bytes, None).await.unwrap(), Pushed::Sent);
    let stored = store.blob(&blob).await.unwrap().collect(u64::MAX).await.unwrap();
    assert_eq!(stored, bytes);
    // The session of the first attempt need not be kept; behind it no byte is sent twice but what
    // was on its way.
    let (passed, left) = line.passed();
    assert_eq!(left, 0);
    assert!(passed <= 50 * MIB + 2 * MIB, "{passed} bytes were sent");
}

#[tokio::test]
async fn docker_registry_forgets_what_broke_and_the_blob_arrives_all_the_same() {
    let (bytes, blob) = large();
    let registry = DockerRegistry::start(Access::Anonymous);
    let line = Cutting::before(&registry.address(), &[10 * MIB, 30 * MIB]).await;
    let store = repository(&line.host, "a", Anonymous);
    assert_eq!(store.push_blob(&blob, &bytes, None).await.unwrap(), Pushed::Sent);
    let stored = store.blob(&blob).await.unwrap().collect(u64::MAX).await.unwrap();
    assert_eq!(stored, bytes);
    assert_eq!(line.passed().1, 0);
}

#[tokio::test]
async fn after_a_break_docker_registry_gets_the_blob_in_chunks() {
    let (bytes, blob) = large();
    let registry = DockerRegistry::start(Access::Anonymous);
    let line = Cutting::before(&registry.address(), &[10 * MIB]).await;
    let store = repository(&line.host, "a", Anonymous);
    assert_eq!(store.push_blob(&blob, &bytes, None).await.unwrap(), Pushed::Sent);
    let requests = support::poll("the log", || {
        let requests = registry.requests();
        requests.iter().any(|line| line.ends_with(" 201")).then_some(requests)
    });
    let of = |method: &str| requests.iter().filter(|line| line.starts_with(method)).count();
    assert_eq!((of("PATCH"), of("HEAD")), (3, 0), "{requests:#?}");
}

/// Counts how often, and from where, it is opened.
struct Watched(Bytes, std::sync::Mutex<Vec<u64>>);

impl crate::BlobSource for Watched {
    fn open(&self) -> BoxFuture<'_, Result<crate::BlobStream, Error>> {
        self.open_at(0)
    }

    fn open_at(&self, offset: u64) -> BoxFuture<'_, Result<crate::BlobStream, Error>> {
        self.1.lock().unwrap().push(offset);
        let rest = self.0.slice(usize::try_from(offset).unwrap()..);
        let chunks: Vec<_> =
            rest.chunks(100_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        Box::pin(async { Ok(crate::BlobStream::new(futures::stream::iter(chunks))) })
    }
}

#[tokio::test]
async fn the_hash_goes_on_from_a_checkpoint_and_the_start_is_not_read_again() {
    let (bytes, blob) = large();
    let server = Server::registry(MemoryRegistry::new()).await;
    let line = Cutting::before(&server.host, &[MIB, 35 * MIB]).await;
    let store = repository(&line.host, "a", Anonymous);
    let source = Watched(bytes.clone(), std::sync::Mutex::default());
    store.push_blob(&blob, &source, None).await.unwrap();
    let opened = source.1.lock().unwrap().clone();
    let [0, 0, late] = opened[..] else { panic!("opened at {opened:?}") };
    assert!(late >= 16 * MIB, "{late}");

    // What is wrong in the source behind the checkpoint is found, though its start was not read.
    let mut wrong = bytes.to_vec();
    *wrong.last_mut().unwrap() ^= 1;
    let line = Cutting::before(&server.host, &[MIB, 35 * MIB]).await;
    let store = repository(&line.host, "b", Anonymous);
    let source = Watched(Bytes::from(wrong), std::sync::Mutex::default());
    let error = store.push_blob(&blob, &source, None).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Mismatch, "{error}");
    assert_eq!(store.blob_size(&blob.digest).await.unwrap(), None);
}

#[tokio::test]
async fn a_copy_whose_upload_breaks_does_not_read_its_source_from_the_start() {
    let (bytes, layer) = large();
    let manifest = image(&memory("x"), "linux/amd64", std::slice::from_ref(&bytes), None).await;
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (log, path, sent) = (Arc::clone(&asked), format!("/v2/a/blobs/{}", layer.digest), bytes);
    let manifest_type = manifest.media_type().to_string();
    let config = serde_json::json!({
        "os": "linux", "architecture": "amd64",
        "rootfs": { "type": "layers", "diff_ids": [layer.digest] },
    });
    let from = Server::hostile(move |request| {
        if request.uri().path() != path {
            return match request.uri().path().split('/').nth(3) {
                Some("manifests") => {
                    let headers = [("content-type", manifest_type.as_str())];
                    answer(200, &headers, manifest.bytes().clone())
                }
                _ => answer(200, &[], config.to_string()),
            };
        }
        let first = header(request, "range").trim_start_matches("bytes=").split('-').next();
        let first = first.unwrap().parse().unwrap_or(0_usize);
        log.lock().unwrap().push(first as u64);
        answer(if first == 0 { 200 } else { 206 }, &[], sent.slice(first..))
    })
    .await;
    let server = Server::registry(MemoryRegistry::new()).await;
    let line = Cutting::before(&server.host, &[MIB, 35 * MIB]).await;
    let to = repository(&line.host, "b", Anonymous);
    let options = crate::CopyOptions {
        tags: vec![tag("latest")],
        referrers: crate::Referrers::None,
        ..crate::CopyOptions::default()
    };
    crate::copy(&from.repository("a"), &latest(), &to, &options, &()).await.unwrap();
    assert_eq!(line.passed().1, 0);
    let starts = asked.lock().unwrap().clone();
    let [0, 0, late] = starts[..] else { panic!("the source was read from {starts:?}") };
    assert!(late >= 16 * MIB, "{late}");
}

#[tokio::test]
async fn a_line_that_always_breaks_is_given_up() {
    let (bytes, blob) = large();
    let server = Server::registry(MemoryRegistry::new()).await;
    let line = Cutting::before(&server.host, &[0; 50]).await;
    let store = repository(&line.host, "a", Anonymous);
    let error = store.push_blob(&blob, &bytes, None).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Transient, "{error}");
}

#[tokio::test]
async fn a_token_that_ends_under_way_is_renewed_for_every_method() {
    let (bytes, blob) = large();
    let issued = Arc::new(AtomicUsize::new(0));
    let taken = Arc::new(AtomicUsize::new(0));
    // Every token is good for one request.
    let used = Arc::new(AtomicUsize::new(0));
    let server = Server::hostile(move |request| {
        if request.uri().path() == "/token" {
            let number = issued.fetch_add(1, Ordering::SeqCst) + 1;
            return answer(200, &[], format!(r#"{{"token":"t{number}","expires_in":300}}"#));
        }
        let bearer = header(request, "authorization").trim_start_matches("Bearer t");
        let number: usize = bearer.parse().unwrap_or(0);
        if number == 0 || used.swap(number, Ordering::SeqCst) == number {
            let realm = format!("Bearer realm=\"http://{}/token\"", header(request, "host"));
            return answer(401, &[("www-authenticate", realm.as_str())], "");
        }
        let at = taken.load(Ordering::SeqCst);
        match request.method().as_str() {
            "POST" => answer(202, &[("location", "/up?s=0")], ""),
            "PUT" if at == 0 => {
                taken.store(1, Ordering::SeqCst);
                answer(503, &[], "")
            }
            "GET" => answer(204, &[("location", "/up?s=1"), ("range", "0-0")], ""),
            "PATCH" => answer(202, &[("location", "/up?s=2")], ""),
            "PUT" => answer(201, &[], ""),
            _ => answer(404, &[], ""),
        }
    })
    .await;
    let store = repository(&server.host, "a", user()).for_writing();
    assert_eq!(store.push_blob(&blob, &bytes, None).await.unwrap(), Pushed::Sent);
    assert_eq!(store.resolve(&latest()).await.unwrap(), None);
    let methods: Vec<String> = server
        .log
        .take()
        .iter()
        .filter(|line| !line.contains("/token"))
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    // Each is refused once for want of a fresh token.
    let expect = "POST POST PUT PUT GET GET PATCH PATCH PATCH PATCH PATCH PATCH PUT PUT HEAD HEAD";
    assert_eq!(methods.join(" "), expect);
}

#[tokio::test]
async fn a_run_that_was_killed_is_gone_on_with() {
    let (bytes, blob) = large();
    let server = Server::registry(MemoryRegistry::new()).await;
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(crate::Journal::new(folder.path()).for_blobs_from(MIB));
    let store = |host: &str| {
        let http = crate::client::build(&crate::client::ClientOptions::default()).unwrap();
        let options = crate::RemoteOptions {
            journal: Some(Arc::clone(&journal)),
            // As a process that is killed: nothing is tried again.
            retry: crate::Retry { attempts: 1, ..crate::Retry::default() },
            ..crate::RemoteOptions::default()
        };
        let remote = crate::Remote::new(http, Arc::new(Anonymous), options);
        remote.repository(&format!("{host}/a").parse().unwrap()).unwrap()
    };
    let line = Cutting::before(&server.host, &[20 * MIB]).await;
    store(&line.host).push_blob(&blob, &bytes, None).await.unwrap_err();
    let entries = || std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(entries(), 1);
    server.log.take();

    // The next process, over a line that holds.
    assert_eq!(store(&line.host).push_blob(&blob, &bytes, None).await.unwrap(), Pushed::Sent);
    let sessions = || server.log.take().iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!((sessions(), entries()), (0, 0));
    let (passed, _) = line.passed();
    assert!(passed < 41 * MIB, "{passed}");

    // A location that the registry has forgotten costs one request.
    let line = Cutting::before(&server.host, &[10 * MIB]).await;
    let other = content(8, 20 * 1024 * 1024);
    let blob = Descriptor::of(MediaType::OCTET_STREAM, &other);
    store(&line.host).push_blob(&blob, &other, None).await.unwrap_err();
    let path = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let text = fs_err::read_to_string(&path).unwrap().replace("uploads/", "uploads/0");
    fs_err::write(&path, text).unwrap();
    sessions();
    assert_eq!(store(&line.host).push_blob(&blob, &other, None).await.unwrap(), Pushed::Sent);
    assert_eq!((sessions(), entries()), (1, 0));
}
