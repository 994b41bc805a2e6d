//! What HTTP asks of every server (RFC 9110): conditions, methods, answers that arrive.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Api, header};
use crate::testing::{content, push, push_image, tag};
use crate::{Digest, MediaType, Selector, Store};

const MANIFEST: (&str, &str) = ("content-type", "application/vnd.oci.image.manifest.v1+json");

#[tokio::test]
async fn what_a_client_has_is_not_sent_again() {
    let api = Api::new().await;
    let store = api.server.repository("a");
    let image = push_image(&store, "linux/amd64", &[content(1, 10)], &[tag("v1")]).await;
    let layer = &image.blobs()[0];
    let other = format!("\"{}\"", Digest::of(b"other"));
    for (path, digest) in [
        ("/v2/a/manifests/v1".to_owned(), image.digest()),
        (format!("/v2/a/manifests/{}", image.digest()), image.digest()),
        (format!("/v2/a/blobs/{}", layer.digest), layer.digest),
    ] {
        let tag = format!("\"{digest}\"");
        for method in ["GET", "HEAD"] {
            let ask = async |name: &str, value: &str| {
                let answer = api.ask(method, &path, &[(name, value)], b"").await;
                (answer.status().as_u16(), header(&answer, "etag").to_owned())
            };
            assert_eq!(ask("if-none-match", &tag).await, (304, tag.clone()), "{method} {path}");
            assert_eq!(ask("if-none-match", &format!("{other}, W/{tag}")).await.0, 304);
            assert_eq!(ask("if-none-match", &other).await, (200, tag.clone()));
            assert_eq!(ask("if-match", &tag).await.0, 200);
            assert_eq!(ask("if-match", &other).await.0, 412);
        }
    }
    let same = api.ask("GET", "/v2/a/manifests/v1", &[("if-none-match", "*")], b"").await;
    assert_eq!(header(&same, "docker-content-digest"), image.digest().to_string());
    assert_eq!(same.bytes().await.unwrap(), "");
}

#[tokio::test]
async fn a_part_is_given_only_of_the_bytes_that_the_client_means() {
    let api = Api::new().await;
    let blob = push(&api.server.repository("a"), MediaType::OCTET_STREAM, &content(1, 100)).await;
    let path = format!("/v2/a/blobs/{}", blob.digest);
    for (meant, status) in [(blob.digest, 206), (Digest::of(b"other"), 200)] {
        let meant = format!("\"{meant}\"");
        let asked = [("range", "bytes=0-9"), ("if-range", meant.as_str())];
        assert_eq!(api.ask("GET", &path, &asked, b"").await.status(), status);
    }
}

#[tokio::test]
async fn a_tag_moves_only_as_its_condition_says() {
    let api = Api::new().await;
    let store = api.server.repository("a");
    let first = push_image(&store, "linux/amd64", &[content(1, 10)], &[]).await;
    let second = push_image(&store, "linux/arm64", &[content(2, 10)], &[]).await;
    let put = async |name: &str, value: &str, bytes: &[u8]| {
        let headers = [MANIFEST, (name, value)];
        api.ask("PUT", "/v2/a/manifests/v1", &headers, bytes).await.status().as_u16()
    };
    let etag = |digest: Digest| format!("\"{digest}\"");
    let at = async || store.resolve(&Selector::Tag(tag("v1"))).await.unwrap().map(|d| d.digest);
    assert_eq!(put("if-match", "*", first.bytes()).await, 412, "there is nothing to match");
    assert_eq!(at().await, None);
    assert_eq!(put("if-none-match", "*", first.bytes()).await, 201);
    assert_eq!(put("if-none-match", "*", second.bytes()).await, 412);
    assert_eq!(at().await, Some(first.digest()));
    assert_eq!(put("if-match", &etag(second.digest()), second.bytes()).await, 412);
    assert_eq!(put("if-match", &etag(first.digest()), second.bytes()).await, 201);
    assert_eq!(at().await, Some(second.digest()));
    let delete = async |value: &str| {
        let answer = api.ask("DELETE", "/v2/a/manifests/v1", &[("if-match", value)], b"").await;
        answer.status().as_u16()
    };
    assert_eq!(delete(&etag(first.digest())).await, 412);
    assert_eq!(delete(&etag(second.digest())).await, 202);
}

#[tokio::test]
async fn of_those_who_would_all_be_the_first_one_is() {
    let api = Api::new().await;
    let store = api.server.repository("a");
    let mut images = Vec::new();
    for seed in 0..8 {
        images.push(push_image(&store, "linux/amd64", &[content(seed, 10)], &[]).await);
    }
    let headers = [MANIFEST, ("if-none-match", "*")];
    let puts = images.iter().map(async |image| {
        api.ask("PUT", "/v2/a/manifests/v1", &headers, image.bytes()).await.status().as_u16()
    });
    let mut statuses = futures::future::join_all(puts).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [[201].as_slice(), &[412; 7]].concat());
}

#[tokio::test]
async fn lists_have_a_head_and_other_methods_are_told_apart() {
    let api = Api::new().await;
    let image = push_image(&api.server.repository("a"), "linux/amd64", &[], &[tag("v1")]).await;
    let referrers = format!("/v2/a/referrers/{}", image.digest());
    for path in ["/v2/", "/v2/_catalog", "/v2/a/tags/list", &referrers] {
        let (head, get) =
            (api.ask("HEAD", path, &[], b"").await, api.ask("GET", path, &[], b"").await);
        let facts = |answer: &reqwest::Response| {
            ["content-length", "content-type"].map(|name| header(answer, name).to_owned())
        };
        assert_eq!((head.status(), facts(&head)), (get.status(), facts(&get)), "{path}");
        let post = api.ask("POST", path, &[], b"").await;
        assert_eq!((post.status().as_u16(), header(&post, "allow")), (405, "GET, HEAD"), "{path}");
    }
    let check = async |path: &str, allowed: &str| {
        let answer = api.ask("OPTIONS", path, &[], b"").await;
        assert_eq!((answer.status().as_u16(), header(&answer, "allow")), (405, allowed), "{path}");
    };
    check("/v2/a/manifests/v1", "GET, HEAD, PUT, DELETE").await;
    check(&format!("/v2/a/blobs/{}", image.digest()), "GET, HEAD, DELETE").await;
    check("/v2/a/blobs/uploads/", "POST").await;
    check("/v2/a/blobs/uploads/x", "GET, HEAD, PATCH, PUT, DELETE").await;
}

#[tokio::test]
async fn a_refusal_arrives_though_the_body_was_not_wanted() {
    let api = Api::new().await;
    let mut client = tokio::net::TcpStream::connect(&api.server.host).await.unwrap();
    let (mut from, mut to) = client.split();
    let size = 8 * 1024 * 1024;
    let head = format!(
        "PUT /v2/a/blobs/uploads/gone HTTP/1.1\r\nhost: x\r\ncontent-length: {size}\r\n\r\n"
    );
    let body = vec![0; size];
    // As clients do that read the answer when they have sent everything.
    to.write_all(head.as_bytes()).await.unwrap();
    to.write_all(&body).await.unwrap();
    let mut answer = [0; 12];
    from.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 400", "without a digest");
}
