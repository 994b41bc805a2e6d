//! The API as a client sees it that knows only HTTP.

mod blobs;
mod conditions;
mod manifests;
mod pushes;
mod referrers;
mod users;

use http::Method;
use reqwest::Response;

use crate::testing::{Server, content, image, push, push_image, tag};
use crate::{Digest, LayoutRegistry, MediaType, Store, client};

struct Api {
    server: Server,
    http: reqwest::Client,
    _directory: tempfile::TempDir,
}

impl Api {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::registry(LayoutRegistry::open(directory.path()).unwrap()).await;
        let http = client::build(&client::ClientOptions::default()).unwrap();
        Self { server, http, _directory: directory }
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let url = format!("http://{}{path}", self.server.host);
        let mut request =
            self.http.request(method.parse::<Method>().unwrap(), url).body(body.to_vec());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    async fn check(&self, method: &str, path: &str, expect: &str) {
        let response = self.ask(method, path, &[], b"").await;
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let code = body["errors"][0]["code"].as_str().unwrap_or("-").to_owned();
        assert_eq!(format!("{status} {code}"), expect, "{method} {path}");
    }
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

async fn json_of(response: Response) -> serde_json::Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

#[tokio::test]
async fn wrong_requests_are_refused_with_the_codes_of_the_specification() {
    let api = Api::new().await;
    let digest = Digest::of(b"x");
    api.check("GET", "/v2/", "200 -").await;
    api.check("GET", "/", "404 UNSUPPORTED").await;
    api.check("GET", "/v2/a", "404 UNSUPPORTED").await;
    api.check("POST", "/v2/", "405 UNSUPPORTED").await;
    api.check("GET", "/v2/a/tags/list", "404 NAME_UNKNOWN").await;
    api.check("GET", "/v2/a/tags/list?n=x", "400 UNSUPPORTED").await;
    api.check("GET", "/v2/a/manifests/latest", "404 MANIFEST_UNKNOWN").await;
    api.check("GET", &format!("/v2/a/manifests/{digest}"), "404 MANIFEST_UNKNOWN").await;
    api.check("GET", "/v2/a/manifests/sha256:12", "400 DIGEST_INVALID").await;
    api.check("GET", "/v2/a/manifests/.x", "400 MANIFEST_INVALID").await;
    api.check("GET", &format!("/v2/a/blobs/{digest}"), "404 BLOB_UNKNOWN").await;
    api.check("DELETE", &format!("/v2/a/blobs/{digest}"), "404 BLOB_UNKNOWN").await;
    api.check("DELETE", "/v2/a/manifests/v1", "404 MANIFEST_UNKNOWN").await;
    api.check("PATCH", "/v2/a/blobs/uploads/nothing", "404 BLOB_UPLOAD_UNKNOWN").await;
    api.check("PUT", "/v2/a/manifests/v1", "400 MANIFEST_INVALID").await;
    api.check("POST", "/v2/a/blobs/uploads/?digest=sha256:1", "400 DIGEST_INVALID").await;
    api.check("GET", &format!("/v2/a/referrers/{digest}"), "200 -").await;
    for name in ["A", "a//b", "..%2f..", ".windlass", "a/_x", "%00"] {
        api.check("GET", &format!("/v2/{name}/manifests/v1"), "400 NAME_INVALID").await;
    }
    assert_eq!(api.ask("HEAD", "/v2/a/manifests/v1", &[], b"").await.status(), 404);
}

#[test]
fn no_path_leads_out_of_the_repositories() {
    for name in ["..", "a/../b", "a/%2e%2e/b", "/etc", "a/./b", "", "a/b/.windlass", "a/blobs_"] {
        let route = super::Route::of(&format!("/v2/{name}/manifests/v1"));
        assert!(route.is_err(), "{name}");
    }
}

#[tokio::test]
async fn a_blob_comes_in_chunks_in_order() {
    let api = Api::new().await;
    let started = api.ask("POST", "/v2/a/b/blobs/uploads/", &[], b"").await;
    assert_eq!(started.status(), 202);
    let session = header(&started, "location").to_owned();
    let chunk = async |range: &str, body: &[u8]| {
        let response = api.ask("PATCH", &session, &[("content-range", range)], body).await;
        (response.status().as_u16(), header(&response, "range").to_owned())
    };
    assert_eq!(chunk("0-4", b"hello").await, (202, "0-4".to_owned()));
    assert_eq!(chunk("7-8", b"xx").await, (416, "0-4".to_owned()));
    assert_eq!(chunk("5-5", b"xx").await.0, 400);
    assert_eq!(chunk("nonsense", b"xx").await.0, 416);
    assert_eq!(chunk("5-6", b", ").await, (202, "0-6".to_owned()));
    let status = api.ask("GET", &session, &[], b"").await;
    assert_eq!((status.status().as_u16(), header(&status, "range")), (204, "0-6"));
    let elsewhere = session.replace("/a/b/", "/other/");
    assert_eq!(api.ask("GET", &elsewhere, &[], b"").await.status(), 404);
    assert_eq!(api.ask("PUT", &session, &[], b"world").await.status(), 400);
    let digest = Digest::of(b"hello, world");
    let done = api.ask("PUT", &format!("{session}?digest={digest}"), &[], b"world").await;
    assert_eq!(
        (done.status().as_u16(), header(&done, "docker-content-digest")),
        (201, digest.to_string().as_str())
    );
    let blob = api.ask("GET", header(&done, "location"), &[], b"").await;
    assert_eq!(blob.text().await.unwrap(), "hello, world");
    assert_eq!(api.ask("GET", &session, &[], b"").await.status(), 404);
}

#[tokio::test]
async fn wrong_bytes_end_an_upload_and_leave_nothing() {
    let api = Api::new().await;
    let digest = Digest::of(b"right");
    let path = format!("/v2/a/blobs/uploads/?digest={digest}");
    assert_eq!(api.ask("POST", &path, &[], b"wrong").await.status(), 400);
    assert_eq!(api.ask("HEAD", &format!("/v2/a/blobs/{digest}"), &[], b"").await.status(), 404);
    assert_eq!(api.ask("POST", &path, &[], b"right").await.status(), 201);
    let session = api.ask("POST", "/v2/a/blobs/uploads/", &[], b"").await;
    let session = header(&session, "location");
    assert_eq!(api.ask("DELETE", session, &[], b"").await.status(), 204);
    assert_eq!(api.ask("DELETE", session, &[], b"").await.status(), 404);
}

#[tokio::test]
async fn a_blob_is_mounted_or_a_session_starts() {
    let api = Api::new().await;
    let blob = push(&api.server.repository("from"), MediaType::OCTET_STREAM, &content(1, 10)).await;
    let mount = async |from: &str| {
        let path = format!("/v2/to/blobs/uploads/?mount={}{from}", blob.digest);
        api.ask("POST", &path, &[], b"").await.status().as_u16()
    };
    for nowhere in ["&from=nowhere", "&from=NOT%20A%20NAME", "&from=to"] {
        assert_eq!(mount(nowhere).await, 202, "{nowhere}");
    }
    assert_eq!((mount("&from=from").await, mount("&from=to").await), (201, 201));

    let blob = push(&api.server.repository("from"), MediaType::OCTET_STREAM, &content(2, 10)).await;
    let path = |digest| format!("/v2/to/blobs/uploads/?mount={digest}");
    let mounted = api.ask("POST", &path(blob.digest), &[], b"").await;
    assert_eq!(mounted.status(), 201, "without `from`, any repository will do");
    let read = api.ask("GET", header(&mounted, "location"), &[], b"").await;
    assert_eq!(read.bytes().await.unwrap(), content(2, 10));
    assert_eq!(api.ask("POST", &path(Digest::of(b"nowhere")), &[], b"").await.status(), 202);
}

#[tokio::test]
async fn parts_of_a_blob_are_given() {
    let api = Api::new().await;
    let blob = push(&api.server.repository("a"), MediaType::OCTET_STREAM, &content(1, 100)).await;
    let path = format!("/v2/a/blobs/{}", blob.digest);
    let part = api.ask("GET", &path, &[("range", "bytes=10-19")], b"").await;
    assert_eq!((part.status().as_u16(), header(&part, "content-range")), (206, "bytes 10-19/100"));
    assert_eq!(part.bytes().await.unwrap(), content(1, 100).slice(10..20));
    let beyond = api.ask("GET", &path, &[("range", "bytes=100-")], b"").await;
    assert_eq!((beyond.status().as_u16(), header(&beyond, "content-range")), (416, "bytes */100"));
    let head = api.ask("HEAD", &path, &[], b"").await;
    assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, "100"));
}

#[tokio::test]
async fn an_image_without_its_blobs_is_refused() {
    let api = Api::new().await;
    let image = image(&crate::testing::memory("x"), "linux/amd64", &[content(1, 10)], None).await;
    let declared = [("content-type", MediaType::OCI_MANIFEST.as_str().to_owned())];
    let declared = [(declared[0].0, declared[0].1.as_str())];
    let put = api.ask("PUT", "/v2/a/manifests/v1", &declared, image.bytes()).await;
    assert_eq!(put.status(), 400);
    assert!(put.text().await.unwrap().contains("MANIFEST_BLOB_UNKNOWN"));
    let wrong = format!("/v2/a/manifests/{}", Digest::of(b"x"));
    assert!(
        api.ask("PUT", &wrong, &declared, image.bytes())
            .await
            .text()
            .await
            .unwrap()
            .contains("DIGEST_INVALID")
    );
    let large = vec![b' '; 5 * 1024 * 1024];
    assert_eq!(api.ask("PUT", "/v2/a/manifests/v1", &declared, &large).await.status(), 413);
}

#[tokio::test]
async fn lists_come_in_pages() {
    let api = Api::new().await;
    let store = api.server.repository("a/b");
    push_image(&store, "linux/amd64", &[], &["v1", "v2", "v3"].map(tag)).await;
    push_image(&api.server.repository("c"), "linux/amd64", &[], &[]).await;
    let page = async |path: &str| {
        let response = api.ask("GET", path, &[], b"").await;
        let link = header(&response, "link").to_owned();
        (link, response.text().await.unwrap())
    };
    let (link, body) = page("/v2/a/b/tags/list?n=2").await;
    assert_eq!(link, "</v2/a/b/tags/list?last=v2&n=2>; rel=\"next\"");
    assert_eq!(body, r#"{"name":"a/b","tags":["v1","v2"]}"#);
    let (link, body) = page("/v2/a/b/tags/list?last=v2&n=2").await;
    assert_eq!((link.as_str(), body.as_str()), ("", r#"{"name":"a/b","tags":["v3"]}"#));
    let (link, body) = page("/v2/_catalog?n=1").await;
    assert_eq!(link, "</v2/_catalog?last=a%2Fb&n=1>; rel=\"next\"");
    assert_eq!(body, r#"{"repositories":["a/b"]}"#);
    assert_eq!(store.tags(None, 1).await.unwrap(), ["v1"]);
}

#[tokio::test]
async fn a_subject_is_acknowledged_and_filters_are_said() {
    let api = Api::new().await;
    let store = api.server.repository("a");
    let subject = push_image(&store, "linux/amd64", &[], &[]).await;
    let sbom = image(&store, "linux/amd64", &[], Some(&subject.descriptor())).await;
    let path = format!("/v2/a/manifests/{}", sbom.digest());
    let put = api
        .ask("PUT", &path, &[("content-type", MediaType::OCI_MANIFEST.as_str())], sbom.bytes())
        .await;
    assert_eq!(header(&put, "oci-subject"), subject.digest().to_string());
    let path = format!("/v2/a/referrers/{}?artifactType=a/b", subject.digest());
    let listed = api.ask("GET", &path, &[], b"").await;
    assert_eq!(header(&listed, "oci-filters-applied"), "artifactType");
    assert_eq!(header(&listed, "content-type"), MediaType::OCI_INDEX.as_str());
}

#[tokio::test]
async fn a_server_stops_when_it_is_told() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let registry = std::sync::Arc::new(crate::MemoryRegistry::new());
    crate::serve(listener, registry, std::future::ready(())).await;
}
