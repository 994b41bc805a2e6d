//! What the conformance suite of the distribution specification asks of pushes, and hostile ones.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Api, header};
use crate::testing::{content, image, push_image, tag};
use crate::{Algorithm, Digest, MediaType, Selector, Store};

const MANIFEST: (&str, &str) = ("content-type", "application/vnd.oci.image.manifest.v1+json");

#[tokio::test]
async fn a_manifest_is_pushed_by_digest_with_its_tags() {
    let api = Api::new().await;
    let store = api.server.repository("a");
    let image = image(&store, "linux/amd64", &[], None).await;
    for digest in [image.digest(), Digest::with(Algorithm::Sha512, image.bytes())] {
        let path = format!("/v2/a/manifests/{digest}?tag=1.2.3&tag=1.2&tag=latest");
        let put = api.ask("PUT", &path, &[MANIFEST], image.bytes()).await;
        assert_eq!((put.status().as_u16(), header(&put, "oci-tag")), (201, "1.2.3, 1.2, latest"));
        for tag in ["1.2.3", "1.2", "latest"] {
            let head = api.ask("HEAD", &format!("/v2/a/manifests/{tag}"), &[], b"").await;
            assert_eq!(header(&head, "docker-content-digest"), digest.to_string());
        }
    }
    let path = |query: &str| format!("/v2/a/manifests/{}?{query}", image.digest());
    let wrong = api.ask("PUT", &path("tag=ok&tag=.no"), &[MANIFEST], image.bytes()).await;
    assert_eq!(wrong.status(), 400);
    let many = "tag=x&".repeat(101);
    assert_eq!(api.ask("PUT", &path(&many), &[MANIFEST], image.bytes()).await.status(), 414);
    assert_eq!(store.tags(None, 10).await.unwrap(), ["1.2", "1.2.3", "latest"]);
}

#[tokio::test]
async fn blobs_come_with_sha512_in_every_way_of_pushing() {
    let api = Api::new().await;
    let bytes = content(1, 1000);
    let digest = Digest::with(Algorithm::Sha512, &bytes);
    let check = async |start: &str, name: &str| {
        let started = api.ask("POST", start, &[], b"").await;
        let session = header(&started, "location").to_owned();
        assert_eq!(api.ask("PATCH", &session, &[], &bytes[..600]).await.status(), 202);
        let done = api.ask("PUT", &format!("{session}?digest={digest}"), &[], &bytes[600..]).await;
        assert_eq!(done.status(), 201, "{start}");
        let blob = api.ask("GET", &format!("/v2/{name}/blobs/{digest}"), &[], b"").await;
        assert_eq!(header(&blob, "docker-content-digest"), digest.to_string());
        assert_eq!(blob.bytes().await.unwrap(), bytes);
    };
    check("/v2/said/blobs/uploads/?digest-algorithm=sha512", "said").await;
    check("/v2/unsaid/blobs/uploads/", "unsaid").await;
    let one = format!("/v2/one/blobs/uploads/?digest={digest}");
    assert_eq!(api.ask("POST", &one, &[], &bytes).await.status(), 201);
    api.check("POST", "/v2/a/blobs/uploads/?digest-algorithm=md5", "400 DIGEST_INVALID").await;
    api.check("POST", "/v2/a/blobs/uploads/?digest=md5:00", "400 DIGEST_INVALID").await;
}

#[tokio::test]
async fn an_empty_blob_and_an_empty_json_are_blobs_like_others() {
    let api = Api::new().await;
    for bytes in [&b""[..], b"{}"] {
        let digest = Digest::of(bytes);
        let path = format!("/v2/a/blobs/uploads/?digest={digest}");
        assert_eq!(api.ask("POST", &path, &[], bytes).await.status(), 201);
        let blob = api.ask("GET", &format!("/v2/a/blobs/{digest}"), &[], b"").await;
        assert_eq!(header(&blob, "content-length"), bytes.len().to_string());
        assert_eq!(blob.bytes().await.unwrap(), bytes);
    }
}

#[tokio::test]
async fn layers_that_are_not_distributed_and_subjects_need_not_be_there() {
    let api = Api::new().await;
    let store = api.server.repository("a");
    let image = push_image(&store, "linux/amd64", &[], &[]).await;
    let mut document: serde_json::Value = serde_json::from_slice(image.bytes()).unwrap();
    document["layers"] = serde_json::json!([{
        "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "digest": Digest::of(b"elsewhere"), "size": 9, "urls": ["https://example.com/layer"],
    }]);
    document["subject"] = serde_json::json!({
        "mediaType": MediaType::OCI_MANIFEST, "digest": Digest::of(b"later"), "size": 5,
    });
    let bytes = document.to_string();
    let put = api.ask("PUT", "/v2/a/manifests/v1", &[MANIFEST], bytes.as_bytes()).await;
    assert_eq!(put.status(), 201);
    assert_eq!(header(&put, "oci-subject"), Digest::of(b"later").to_string());
    document["layers"][0]["mediaType"] = MediaType::OCI_LAYER_GZIP.as_str().into();
    let bytes = document.to_string();
    let put = api.ask("PUT", "/v2/a/manifests/v2", &[MANIFEST], bytes.as_bytes()).await;
    assert!(put.text().await.unwrap().contains("MANIFEST_BLOB_UNKNOWN"));
}

#[tokio::test]
async fn what_was_deleted_is_gone_at_once() {
    let api = Api::new().await;
    let store = api.server.repository("a");
    let image = push_image(&store, "linux/amd64", &[content(1, 10)], &["v1", "v2"].map(tag)).await;
    let manifest = format!("/v2/a/manifests/{}", image.digest());
    let blob = format!("/v2/a/blobs/{}", image.blobs()[0].digest);
    assert_eq!(api.ask("DELETE", "/v2/a/manifests/v1", &[], b"").await.status(), 202);
    api.check("GET", "/v2/a/manifests/v1", "404 MANIFEST_UNKNOWN").await;
    assert!(store.manifest(&Selector::Tag(tag("v2"))).await.is_ok());
    assert_eq!(api.ask("DELETE", &manifest, &[], b"").await.status(), 202);
    api.check("GET", "/v2/a/manifests/v2", "404 MANIFEST_UNKNOWN").await;
    api.check("DELETE", &manifest, "404 MANIFEST_UNKNOWN").await;
    assert_eq!(api.ask("DELETE", &blob, &[], b"").await.status(), 202);
    api.check("GET", &blob, "404 BLOB_UNKNOWN").await;
    let tags = api.ask("GET", "/v2/a/tags/list", &[], b"").await;
    assert_eq!(tags.text().await.unwrap(), r#"{"name":"a","tags":[]}"#);
}

#[tokio::test]
async fn pages_of_nothing_and_of_nonsense() {
    let api = Api::new().await;
    push_image(&api.server.repository("a"), "linux/amd64", &[], &["v1", "v2"].map(tag)).await;
    let page = async |query: &str| {
        let response = api.ask("GET", &format!("/v2/a/tags/list?{query}"), &[], b"").await;
        let has_link = response.headers().contains_key("link");
        (response.status().as_u16(), has_link, response.text().await.unwrap())
    };
    let all = |tags: &str| (200, false, format!(r#"{{"name":"a","tags":[{tags}]}}"#));
    assert_eq!(page("n=0").await, all(""));
    assert_eq!(page("n=99999999999").await, all(r#""v1","v2""#));
    assert_eq!(page("last=v1").await, all(r#""v2""#));
    assert_eq!(page("last=zzz&n=5").await, all(""));
    assert_eq!(page("last=%00%ff../&n=1").await.0, 200);
    for bad in ["n=-1", "n=", "n=1.5", "n=x", "n=99999999999999999999999"] {
        let path = format!("/v2/a/tags/list?{bad}");
        api.check("GET", &path, "400 UNSUPPORTED").await;
        api.check("GET", &format!("/v2/_catalog?{bad}"), "400 UNSUPPORTED").await;
    }
    let empty = api.ask("GET", "/v2/_catalog?n=0", &[], b"").await;
    assert_eq!(empty.text().await.unwrap(), r#"{"repositories":[]}"#);
}

#[tokio::test]
async fn a_client_that_comes_again_takes_its_session_over() {
    let api = Api::new().await;
    let started = api.ask("POST", "/v2/a/blobs/uploads/", &[], b"").await;
    let session = header(&started, "location").to_owned();
    let mut hanging = tokio::net::TcpStream::connect(&api.server.host).await.unwrap();
    let head = format!(
        "PATCH {session} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 100\r\n\r\n"
    );
    hanging.write_all(head.as_bytes()).await.unwrap();
    // Asked to go on: the request has its turn, and waits for what never comes.
    let mut answer = [0; 12];
    hanging.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100");
    let status = api.ask("GET", &session, &[], b"").await;
    assert_eq!((status.status().as_u16(), header(&status, "range")), (204, "0-0"));
    let digest = Digest::of(b"whole");
    let done = api.ask("PUT", &format!("{session}?digest={digest}"), &[], b"whole").await;
    assert_eq!(done.status(), 201);
}

#[tokio::test]
async fn uploads_are_bounded_in_number() {
    let api = Api::new().await;
    let most = super::super::sessions::MOST_SESSIONS;
    for _ in 0..most {
        assert_eq!(api.ask("POST", "/v2/a/blobs/uploads/", &[], b"").await.status(), 202);
    }
    let refused = api.ask("POST", "/v2/a/blobs/uploads/", &[], b"").await;
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (429, "10"));
    assert!(refused.text().await.unwrap().contains("TOOMANYREQUESTS"));
    // Whoever needs no session is served.
    let path = format!("/v2/a/blobs/uploads/?digest={}", Digest::of(b"x"));
    assert_eq!(api.ask("POST", &path, &[], b"x").await.status(), 201);
}

#[tokio::test]
async fn absurd_requests_are_refused_and_the_next_one_is_served() {
    let api = Api::new().await;
    let long = "a".repeat(300);
    api.check("GET", &format!("/v2/{long}/tags/list"), "400 NAME_INVALID").await;
    api.check("GET", &format!("/v2/a/manifests/{long}"), "400 MANIFEST_INVALID").await;
    let huge = "h".repeat(600 * 1024);
    let url = format!("http://{}/v2/", api.server.host);
    // Answered with 431, or cut off while it still sends.
    match api.http.get(&url).header("x-huge", huge).send().await {
        Ok(answer) => assert_eq!(answer.status(), 431),
        Err(error) => assert!(error.is_request(), "{error}"),
    }
    api.check("GET", "/v2/", "200 -").await;
}
