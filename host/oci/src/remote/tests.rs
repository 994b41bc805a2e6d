//! Registries that misbehave, and what becomes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use report::{Fault, Kind, Secret};

use crate::testing::{
    Server, answer, content, image, memory, missing, push_image, repository, tag,
};
use crate::{
    Anonymous, Credential, Credentials, Descriptor, Digest, Error, MediaType, MemoryRegistry,
    Mismatch, Pushed, RegistryHost, RepositoryName, Selector, Store,
};

mod cutting;
mod download;
mod identity;
mod limits;
mod lists;
mod proxy;
mod reach;
mod upload;

const DIGEST_HEADER: &str = "docker-content-digest";

fn latest() -> Selector {
    Selector::Tag(tag("latest"))
}

async fn fault_of(answer: impl Fn(&Request) -> Response + Clone + Send + Sync + 'static) -> Fault {
    let server = Server::hostile(answer).await;
    server.repository("a").manifest(&latest()).await.unwrap_err().into()
}

#[tokio::test]
async fn a_lie_about_a_digest_is_found() {
    let image = image(&memory("x"), "linux/amd64", &[], None).await;
    let bytes = image.bytes().clone();
    let lie = missing().to_string();
    let (body, claim) = (bytes.clone(), lie.clone());
    let manifest_type = MediaType::OCI_MANIFEST.to_string();
    let server = Server::hostile(move |_| {
        let headers = [("content-type", manifest_type.as_str()), (DIGEST_HEADER, claim.as_str())];
        answer(200, &headers, body.clone())
    })
    .await;
    let store = server.repository("a");
    let fault = Fault::from(store.manifest(&latest()).await.unwrap_err());
    assert_eq!(
        (fault.kind, fault.code.as_str(), fault.retry),
        (Kind::Mismatch, "oci.mismatch", false)
    );
    assert_eq!(
        fault.message,
        format!("manifest latest of {}/a is not what it should be", server.host)
    );
    assert_eq!(fault.causes, [format!("expected {lie}, found {}", Digest::of(&bytes))]);

    let by_digest = Selector::Digest(Digest::of(b"other"));
    for error in [
        store.manifest(&by_digest).await.unwrap_err(),
        store.resolve(&by_digest).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), Kind::Mismatch);
    }
    // Not what was sent either: the registry stored something else.
    let error = store.put_manifest(&image, &[tag("latest")]).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Mismatch);
}

#[tokio::test]
async fn a_blob_is_held_against_its_digest_and_size() {
    let sent = content(1, 100_000);
    let body = sent.clone();
    let server = Server::hostile(move |_| answer(200, &[], body.clone())).await;
    let store = server.repository("a");
    let read = async |blob: Descriptor| store.blob(&blob).await.unwrap().collect(u64::MAX).await;
    let right = Descriptor::of(MediaType::OCTET_STREAM, &sent);
    assert_eq!(read(right.clone()).await.unwrap(), sent);
    let other = Descriptor { digest: missing(), ..right.clone() };
    let error = read(other).await.unwrap_err();
    assert!(matches!(error, Error::Mismatch { mismatch: Mismatch::Digest { .. }, .. }), "{error}");
    for size in [99_999, 100_001] {
        let error = read(Descriptor { size, ..right.clone() }).await.unwrap_err();
        assert!(
            matches!(error, Error::Mismatch { mismatch: Mismatch::Size { .. }, .. }),
            "{error}"
        );
    }
}

/// A body that promises more than it has: the server cuts the connection.
fn cut(bytes: &Bytes, at: usize) -> Response {
    let half = [Ok(bytes.slice(..at)), Err(std::io::Error::other("cut"))];
    // What was sent is on its way before the end comes.
    let parts = futures::stream::iter(half).then(async |part| {
        tokio::task::yield_now().await;
        part
    });
    let body = axum::body::Body::from_stream(parts);
    Response::builder().header("content-length", bytes.len()).body(body).unwrap()
}

#[tokio::test]
async fn a_download_that_is_cut_goes_on_where_it_broke() {
    let whole = content(1, 200_000);
    let body = whole.clone();
    let server = Server::hostile(move |request| match request.headers().get("range") {
        None => cut(&body, 70_000),
        Some(range) => {
            let first: usize =
                range.to_str().unwrap()[6..].split('-').next().unwrap().parse().unwrap();
            answer(206, &[], body.slice(first..))
        }
    })
    .await;
    let blob = Descriptor::of(MediaType::OCTET_STREAM, &whole);
    let stream = server.repository("a").blob(&blob).await.unwrap();
    assert_eq!(stream.collect(u64::MAX).await.unwrap(), whole);
    assert_eq!(server.log.count(), "GET 2");
}

#[tokio::test]
async fn a_download_that_is_always_cut_fails_in_the_end() {
    let whole = content(1, 200_000);
    let blob = Descriptor::of(MediaType::OCTET_STREAM, &whole);
    let server = Server::hostile(move |_| cut(&whole, 0)).await;
    let target = memory("x");
    let source = Source(server.repository("a"), blob.clone());
    let error = target.push_blob(&blob, &source, None).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Transient);
    assert!(error.to_string().contains("the connection broke (tried 3 times in "), "{error}");
    assert_eq!(server.log.count(), "GET 3");
    assert_eq!(target.blob_size(&blob.digest).await.unwrap(), None);
}

#[tokio::test]
async fn a_registry_without_ranges_that_always_cuts_is_not_asked_for_ever() {
    let whole = content(1, 200_000);
    let blob = Descriptor::of(MediaType::OCTET_STREAM, &whole);
    let server = Server::hostile(move |_| cut(&whole, 70_000)).await;
    let store = server.repository("a");
    let error = store.blob(&blob).await.unwrap().collect(u64::MAX).await.unwrap_err();
    assert_eq!((error.kind(), server.log.count().as_str()), (Kind::Transient, "GET 3"));

    // The pushing side does not begin again with what its source has given up.
    let target = Server::registry(MemoryRegistry::new()).await;
    let source = Source(store, blob.clone());
    let error = target.repository("a").push_blob(&blob, &source, None).await.unwrap_err();
    assert_eq!((error.kind(), server.log.count().as_str()), (Kind::Transient, "GET 3"));
    assert_eq!(target.repository("a").blob_size(&blob.digest).await.unwrap(), None);
}

#[tokio::test]
async fn a_download_that_comes_byte_by_byte_is_given_up() {
    let whole = content(1, 200_000);
    let blob = Descriptor::of(MediaType::OCTET_STREAM, &whole);
    let server = Server::hostile(move |request| {
        let first = header(request, "range").trim_start_matches("bytes=");
        let first = first.split('-').next().unwrap().parse().unwrap_or(0);
        let mut response = cut(&whole.slice(first..), 1);
        *response.status_mut() = if first == 0 { 200 } else { 206 }.try_into().unwrap();
        response
    })
    .await;
    let stream = server.repository("a").blob(&blob).await.unwrap();
    assert_eq!(stream.collect(u64::MAX).await.unwrap_err().kind(), Kind::Transient);
    assert_eq!(server.log.count(), format!("GET {}", super::resume::MOST_BREAKS + 1));
}

struct Source(super::RemoteRepository, Descriptor);

impl crate::BlobSource for Source {
    fn open(&self) -> BoxFuture<'_, Result<crate::BlobStream, Error>> {
        self.0.blob(&self.1)
    }
}

#[tokio::test]
async fn statuses_become_kinds() {
    let body = r#"{"errors":[{"code":"DENIED","message":"not for you"}]}"#;
    let fault = fault_of(move |_| answer(403, &[], body)).await;
    assert_eq!((fault.kind, fault.code.as_str()), (Kind::Unauthorized, "oci.unauthorized"));
    assert!(fault.message.starts_with("GET http://127.0.0.1:"), "{fault}");
    assert!(fault.message.ends_with("/v2/a/manifests/latest: 403 DENIED: not for you"), "{fault}");

    assert!(
        fault
            .help
            .unwrap()
            .starts_with("give the registry a credential in `[registries.\"127.0.0.1:")
    );

    assert_eq!(fault_of(|_| answer(401, &[], "")).await.kind, Kind::Unauthorized);
    assert_eq!(fault_of(|_| answer(404, &[], "<html>")).await.code, "oci.not-found");
    let fault = fault_of(|_| answer(418, &[], vec![b'x'; 1_000_000])).await;
    assert_eq!((fault.kind, fault.retry), (Kind::Failed, false));
    for status in [429, 500, 502, 503, 504] {
        let fault = fault_of(move |_| answer(status, &[("retry-after", "0")], "")).await;
        assert_eq!((fault.kind, fault.retry), (Kind::Transient, true), "{status}");
        assert!(fault.message.ends_with(" (tried 3 times in less than 1 s)"), "{fault}");
    }
    let fault = fault_of(|_| answer(302, &[], "")).await;
    assert!(fault.message.ends_with("a redirect to nowhere"), "{fault}");
    let fault = fault_of(|request| answer(307, &[("location", request.uri().path())], "")).await;
    assert!(fault.message.ends_with("more than 5 redirects"), "{fault}");
    let big = vec![b' '; 5 * 1024 * 1024];
    assert_eq!(fault_of(move |_| answer(200, &[], big.clone())).await.kind, Kind::Mismatch);
    assert_eq!(fault_of(|_| answer(200, &[], "not json")).await.kind, Kind::Invalid);
    let schema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    let fault = fault_of(move |_| answer(200, &[("content-type", schema1)], "{}")).await;
    assert!(fault.help.unwrap().contains("push the image again"));
}

#[tokio::test]
async fn what_is_no_manifest_is_refused() {
    let page = "<html>sign in</html>";
    let none = "answered with something that is no manifest";
    for (content_type, body, ends) in [
        ("text/html; charset=utf-8", page, " (`text/html; charset=utf-8`)"),
        ("application/pdf", page, " (`application/pdf`)"),
        ("", page, ""),
        ("text/html", "{}", " (`text/html`)"),
        ("application/json", r#"{"errors":[]}"#, " (`application/json`)"),
    ] {
        let server = Server::hostile(move |_| match content_type {
            "" => answer(200, &[], body),
            content_type => answer(200, &[("content-type", content_type)], body),
        })
        .await;
        let store = server.repository("a");
        for error in [
            store.manifest(&latest()).await.unwrap_err(),
            // A status alone does not say that there is something.
            store.resolve(&latest()).await.unwrap_err(),
        ] {
            let fault = Fault::from(error);
            assert_eq!((fault.kind, fault.code.as_str()), (Kind::Invalid, "oci.invalid"));
            assert!(fault.message.ends_with(&format!("latest: {none}{ends}")), "{fault}");
            assert!(fault.help.unwrap().contains(&format!("`{}` is a registry", server.host)));
        }
    }
    let long = "x".repeat(10_000);
    let fault = fault_of(move |_| answer(200, &[("content-type", long.as_str())], page)).await;
    assert!(fault.message.len() < 1000, "{fault}");
}

#[tokio::test]
async fn a_manifest_is_taken_whatever_its_server_calls_it() {
    let image = image(&memory("x"), "linux/amd64", &[], None).await;
    for content_type in ["text/html", "application/json"] {
        let body = image.bytes().clone();
        let server =
            Server::hostile(move |_| answer(200, &[("content-type", content_type)], body.clone()))
                .await;
        let store = server.repository("a");
        let found = store.manifest(&latest()).await.unwrap();
        assert_eq!((found.bytes(), found.media_type()), (image.bytes(), image.media_type()));
        assert_eq!(store.resolve(&latest()).await.unwrap().unwrap().digest, image.digest());
    }
}

#[tokio::test]
async fn passing_trouble_is_asked_again_and_long_waits_are_not_waited() {
    let asked = Arc::new(AtomicUsize::new(0));
    let image = image(&memory("x"), "linux/amd64", &[], None).await;
    let body = image.bytes().clone();
    let server = Server::hostile(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => answer(503, &[], ""),
        1 => answer(429, &[("retry-after", "0")], ""),
        _ => answer(200, &[], body.clone()),
    })
    .await;
    assert!(server.repository("a").manifest(&latest()).await.is_ok());
    assert_eq!(server.log.count(), "GET 3");

    let server = Server::hostile(|_| answer(429, &[("retry-after", "86400")], "")).await;
    let error = server.repository("a").manifest(&latest()).await.unwrap_err();
    assert_eq!((error.kind(), server.log.count().as_str()), (Kind::Transient, "GET 1"));
    let fault = Fault::from(error);
    assert!(fault.message.ends_with(": 429 Too Many Requests"), "{fault}");
    assert!(fault.help.as_ref().unwrap().starts_with("try again in 24 h, or give"), "{fault:?}");
}

#[tokio::test]
async fn a_web_page_is_no_blob() {
    let page = |_: &Request| answer(200, &[("content-type", "text/html; charset=utf-8")], "<html>");
    let server = Server::hostile(page).await;
    let error = server.repository("a").blob_size(&missing()).await.unwrap_err();
    assert!(error.to_string().ends_with("answered with a web page, not with a blob"), "{error}");
    let other = Digest::of(b"other").to_string();
    let server = Server::hostile(move |_| answer(200, &[(DIGEST_HEADER, &other)], "x")).await;
    let error = server.repository("a").blob_size(&missing()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Mismatch);
}

#[tokio::test]
async fn nobody_there_is_said() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = repository(&host, "a", Anonymous).resolve(&latest()).await.unwrap_err();
    let fault = Fault::from(error);
    assert_eq!(fault.kind, Kind::Transient);
    let expect =
        format!("HEAD http://{host}/v2/a/manifests/latest: no connection (tried 3 times in ");
    assert!(fault.message.starts_with(&expect), "{fault}");
    assert!(fault.causes.last().unwrap().contains("refused"), "{:?}", fault.causes);
}

/// The same credential for everybody.
struct Known(Credential);

impl Credentials for Known {
    fn credential<'a>(
        &'a self,
        _registry: &'a RegistryHost,
        _repository: &'a RepositoryName,
        _service: Option<&'a url::Url>,
    ) -> BoxFuture<'a, Result<Credential, Fault>> {
        Box::pin(async { Ok(self.0.clone()) })
    }
}

fn user() -> Known {
    Known(Credential::Basic { username: "alice".to_owned(), password: Secret::new("wonder") })
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn basic_credentials_are_sent_once_they_are_asked_for() {
    let server = Server::hostile(|request| match header(request, "authorization") {
        "Basic YWxpY2U6d29uZGVy" => answer(404, &[], ""),
        _ => answer(401, &[("www-authenticate", "Basic realm=\"x\"")], ""),
    })
    .await;
    let store = repository(&server.host, "a", user());
    assert_eq!(store.resolve(&latest()).await.unwrap(), None);
    assert_eq!(store.resolve(&latest()).await.unwrap(), None);
    assert_eq!(server.log.count(), "HEAD 3");
    let wrong = Known(Credential::Basic { username: "eve".to_owned(), password: Secret::new("x") });
    let error = repository(&server.host, "a", wrong).resolve(&latest()).await.unwrap_err();
    assert_eq!((error.kind(), server.log.count().as_str()), (Kind::Unauthorized, "HEAD 2"));
}

/// A registry with a token service; a token is good for `uses` requests.
async fn token_registry(uses: usize) -> Server {
    let used = Arc::new(AtomicUsize::new(0));
    let issued = Arc::new(AtomicUsize::new(0));
    Server::hostile(move |request| {
        if request.uri().path() == "/token" {
            let number = issued.fetch_add(1, Ordering::SeqCst);
            used.store(0, Ordering::SeqCst);
            return answer(200, &[], format!(r#"{{"token":"t{number}","expires_in":300}}"#));
        }
        let current = format!("Bearer t{}", issued.load(Ordering::SeqCst).wrapping_sub(1));
        let is_good = header(request, "authorization") == current
            && used.fetch_add(1, Ordering::SeqCst) < uses;
        if is_good {
            return answer(404, &[], "");
        }
        let challenge = format!(
            "Bearer realm=\"http://{}/token\",service=\"s\",scope=\"x\"",
            header(request, "host")
        );
        answer(401, &[("www-authenticate", challenge.as_str())], "")
    })
    .await
}

#[tokio::test]
async fn a_token_is_fetched_once_and_renewed_when_it_is_refused() {
    let server = token_registry(2).await;
    let store = repository(&server.host, "a/b", user());
    for _ in 0..3 {
        assert_eq!(store.resolve(&latest()).await.unwrap(), None);
    }
    let token = "GET /token?service=s&scope=repository%3Aa%2Fb%3Apull";
    let head = "HEAD /v2/a/b/manifests/latest";
    assert_eq!(server.log.take(), [head, token, head, head, head, token, head]);
    let writing = store.for_writing();
    assert_eq!(writing.resolve(&latest()).await.unwrap(), None);
    assert_eq!(server.log.take()[0], format!("{token}%2Cpush"));
}

#[tokio::test]
async fn every_request_is_counted_also_those_for_tokens_and_those_that_are_repeated() {
    let server = token_registry(1).await;
    let tally = Arc::new(crate::RequestTally::default());
    let store = repository(&server.host, "a", user()).counted_by(Arc::clone(&tally));
    for _ in 0..2 {
        assert_eq!(store.clone().resolve(&latest()).await.unwrap(), None);
    }
    let expect = [("GET", 2), ("HEAD", 4)].map(|(method, n)| (method.to_owned(), n));
    assert_eq!(tally.counts(), std::collections::BTreeMap::from(expect));
    assert_eq!(server.log.count(), "GET 2, HEAD 4");
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let issued = Arc::new(AtomicUsize::new(0));
    let server = Server::hostile(move |request| {
        if request.uri().path() == "/token" {
            let number = issued.fetch_add(1, Ordering::SeqCst);
            // The first ends at once.
            let life = if number == 0 { 0 } else { 3 };
            return answer(200, &[], format!(r#"{{"token":"t{number}","expires_in":{life}}}"#));
        }
        match header(request, "authorization") {
            "" => {
                let realm = format!("Bearer realm=\"http://{}/token\"", header(request, "host"));
                answer(401, &[("www-authenticate", realm.as_str())], "")
            }
            _ => answer(404, &[], ""),
        }
    })
    .await;
    let store = repository(&server.host, "a", user());
    for _ in 0..3 {
        assert_eq!(store.resolve(&latest()).await.unwrap(), None);
    }
    // No request was refused for a token that was too old, and one that lives is used again.
    assert_eq!(server.log.count(), "GET 2, HEAD 4");
}

#[tokio::test]
async fn an_identity_token_is_exchanged_by_post() {
    let server = token_registry(9).await;
    let identity = Known(Credential::IdentityToken(Secret::new("refresh")));
    let store = repository(&server.host, "a", identity);
    assert_eq!(store.resolve(&latest()).await.unwrap(), None);
    assert_eq!(server.log.take()[1], "POST /token");
}

#[tokio::test]
async fn a_credential_does_not_follow_a_redirect_to_another_origin() {
    let bytes = content(1, 1000);
    let body = bytes.clone();
    let elsewhere = Server::hostile(move |request| match header(request, "authorization") {
        "" => answer(200, &[], body.clone()),
        _ => answer(400, &[], "a credential came along"),
    })
    .await;
    let target = format!("http://{}/cdn", elsewhere.host);
    let server = Server::hostile(move |request| match header(request, "authorization") {
        "" => answer(401, &[("www-authenticate", "Basic")], ""),
        _ => answer(307, &[("location", target.as_str())], ""),
    })
    .await;
    let blob = Descriptor::of(MediaType::OCTET_STREAM, &bytes);
    let store = repository(&server.host, "a", user());
    assert_eq!(store.blob(&blob).await.unwrap().collect(9999).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_session_that_breaks_is_started_over() {
    let asked = Arc::new(AtomicUsize::new(0));
    let server = Server::hostile(move |request| match request.method().as_str() {
        "POST" => answer(202, &[("location", "/up?state=1")], ""),
        _ if asked.fetch_add(1, Ordering::SeqCst) == 0 => answer(500, &[], ""),
        _ => answer(201, &[], ""),
    })
    .await;
    let bytes = content(1, 50);
    let blob = Descriptor::of(MediaType::OCTET_STREAM, &bytes);
    let pushed = server.repository("a").push_blob(&blob, &bytes, None).await.unwrap();
    assert_eq!(pushed, Pushed::Sent);
    let put = format!("PUT /up?state=1&digest=sha256%3A{}", blob.digest.hex());
    let requests = server.log.take();
    assert_eq!((requests.len(), &requests[1], &requests[3]), (4, &put, &put));
}

#[tokio::test]
async fn referrers_are_kept_by_tag_where_the_registry_does_not() {
    // A registry without the API: ours, behind a door that hides it.
    let registry = memory("a");
    let subject = push_image(&registry, "linux/amd64", &[content(1, 10)], &[]).await;
    let referrer =
        image(&registry, "linux/amd64", &[content(2, 10)], Some(&subject.descriptor())).await;
    let stored = Arc::new(std::sync::Mutex::new(None::<Bytes>));
    let listed = serde_json::json!({"schemaVersion": 2, "manifests": [referrer.as_referrer()]});
    let listed = listed.to_string();
    // What the first writes is lost to somebody else's list.
    let writes = Arc::new(AtomicUsize::new(0));
    let document = referrer.bytes().clone();
    let own = format!("/manifests/{}", referrer.digest());
    let server = Server::hostile(move |request| {
        let path = request.uri().path();
        let is_tag = path.contains("/manifests/sha256-");
        match request.method().as_str() {
            "GET" if is_tag => match stored.lock().unwrap().clone() {
                Some(bytes) => answer(200, &[], bytes),
                None => answer(404, &[], ""),
            },
            "PUT" if is_tag => {
                let index = match writes.fetch_add(1, Ordering::SeqCst) {
                    1 => listed.clone(),
                    _ => r#"{"schemaVersion":2,"manifests":[]}"#.to_owned(),
                };
                *stored.lock().unwrap() = Some(Bytes::from(index));
                answer(201, &[], "")
            }
            "GET" if path.ends_with(&own) => answer(200, &[], document.clone()),
            "DELETE" => answer(202, &[], ""),
            "PUT" => answer(201, &[], ""),
            _ => answer(404, &[], ""),
        }
    })
    .await;
    let store = server.repository("a");
    store.put_manifest(&referrer, &[]).await.unwrap();
    let fallback = format!("/v2/a/manifests/sha256-{}", subject.digest().hex());
    assert_eq!(
        server.log.take(),
        [
            format!("PUT /v2/a/manifests/{}", referrer.digest()),
            format!("GET {fallback}"),
            format!("PUT {fallback}"),
            format!("GET {fallback}"),
            format!("PUT {fallback}"),
            format!("GET {fallback}"),
        ]
    );
    let found = store.referrers(&subject.digest(), None).await.unwrap();
    assert_eq!(found, [referrer.as_referrer()]);
    let listed = format!("GET /v2/a/referrers/{}", subject.digest());
    assert_eq!(server.log.take(), [listed, format!("GET {fallback}")]);
    // Who is deleted leaves the list.
    assert!(store.delete(&Selector::Digest(referrer.digest())).await.unwrap());
    assert_eq!(server.log.count(), "DELETE 1, GET 3, PUT 1");
    assert_eq!(store.referrers(&subject.digest(), None).await.unwrap(), []);
}
