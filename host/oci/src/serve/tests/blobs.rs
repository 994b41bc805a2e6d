//! What the conformance suite of the distribution specification asks about blobs, with each digest
//! algorithm.

use futures::stream;

use super::{Api, header};
use crate::testing::content;
use crate::{Algorithm, Digest};

const ALGORITHMS: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sha512];

/// The ways in which a blob comes in.
const WAYS: [Way; 6] = [
    Way::Post,
    Way::PostAndPut,
    Way::Stream,
    Way::Chunks { last_by_put: false },
    Way::Chunks { last_by_put: true },
    Way::OneChunk,
];

#[derive(Clone, Copy, Debug)]
enum Way {
    Post,
    PostAndPut,
    Stream,
    Chunks { last_by_put: bool },
    OneChunk,
}

/// Pushes as a client does that believes every `Location`; the status and place at the end.
async fn push(api: &Api, way: Way, digest: &Digest, bytes: &[u8]) -> (u16, String) {
    let uploads = "/v2/a/b/blobs/uploads/";
    if let Way::Post = way {
        let done = api.ask("POST", &format!("{uploads}?digest={digest}"), &[], bytes).await;
        return (done.status().as_u16(), header(&done, "location").to_owned());
    }
    let started = api.ask("POST", uploads, &[("content-length", "0")], b"").await;
    assert_eq!(started.status(), 202);
    let mut location = header(&started, "location").to_owned();
    let parts: Vec<&[u8]> = match way {
        Way::Post | Way::PostAndPut | Way::Stream => Vec::new(),
        Way::OneChunk => vec![bytes],
        Way::Chunks { .. } => bytes.chunks(bytes.len().div_ceil(3)).collect(),
    };
    let (parts, rest) = match (way, parts.as_slice()) {
        (Way::Chunks { last_by_put: true }, [first @ .., last]) => (first, *last),
        (Way::PostAndPut, _) => (&[][..], bytes),
        (_, parts) => (parts, &[][..]),
    };
    if let Way::Stream = way {
        // Without a length, as from a pipe.
        let chunks: Vec<_> = bytes.chunks(100).map(|c| std::io::Result::Ok(c.to_vec())).collect();
        let body = reqwest::Body::wrap_stream(stream::iter(chunks));
        let url = format!("http://{}{location}", api.server.host);
        let sent = api.http.patch(url).body(body).send().await.unwrap();
        assert_eq!(sent.status(), 202);
        location = header(&sent, "location").to_owned();
    }
    let mut at = 0;
    for part in parts {
        let range = format!("{at}-{}", at + part.len() - 1);
        at += part.len();
        let sent = api.ask("PATCH", &location, &[("content-range", &range)], part).await;
        assert_eq!(
            (sent.status().as_u16(), header(&sent, "range")),
            (202, &*format!("0-{}", at - 1))
        );
        location = header(&sent, "location").to_owned();
    }
    let range = format!("{at}-{}", (at + rest.len()).saturating_sub(1));
    let range = (at > 0 && !rest.is_empty()).then_some(("content-range", range.as_str()));
    let path = format!("{location}?digest={digest}");
    let done = api.ask("PUT", &path, range.as_slice(), rest).await;
    (done.status().as_u16(), header(&done, "location").to_owned())
}

#[tokio::test]
async fn every_way_of_pushing_ends_in_a_blob_that_can_be_pulled_and_deleted() {
    let api = Api::new().await;
    for (seed, (algorithm, way)) in
        (0..).zip(ALGORITHMS.into_iter().flat_map(|a| WAYS.map(|way| (a, way))))
    {
        let bytes = content(seed, 3000);
        let digest = Digest::with(algorithm, &bytes);
        let path = format!("/v2/a/b/blobs/{digest}");
        api.check("GET", &path, "404 BLOB_UNKNOWN").await;
        assert_eq!(push(&api, way, &digest, &bytes).await, (201, path.clone()), "{way:?}");
        let head = api.ask("HEAD", &path, &[], b"").await;
        let facts = ["content-length", "docker-content-digest"].map(|name| header(&head, name));
        assert_eq!(facts, ["3000", &digest.to_string()]);
        let blob = api.ask("GET", &path, &[], b"").await;
        assert_eq!(header(&blob, "docker-content-digest"), digest.to_string());
        assert_eq!(blob.bytes().await.unwrap(), bytes, "{way:?}");
        assert_eq!(api.ask("DELETE", &path, &[], b"").await.status(), 202);
        assert_eq!(api.ask("HEAD", &path, &[], b"").await.status(), 404);
        api.check("DELETE", &path, "404 BLOB_UNKNOWN").await;
    }
}

#[tokio::test]
async fn other_bytes_than_promised_are_refused_in_every_way() {
    let api = Api::new().await;
    for (algorithm, way) in ALGORITHMS.into_iter().flat_map(|a| WAYS.map(|way| (a, way))) {
        let digest = Digest::with(algorithm, b"what was promised");
        assert_eq!(push(&api, way, &digest, &content(1, 3000)).await.0, 400, "{way:?}");
        api.check("GET", &format!("/v2/a/b/blobs/{digest}"), "404 BLOB_UNKNOWN").await;
    }
}

#[tokio::test]
async fn a_chunk_out_of_order_is_refused_and_the_upload_goes_on() {
    let api = Api::new().await;
    for algorithm in ALGORITHMS {
        let bytes = content(algorithm as u64, 300);
        let digest = Digest::with(algorithm, &bytes);
        let started = api.ask("POST", "/v2/a/blobs/uploads/", &[], b"").await;
        let session = header(&started, "location").to_owned();
        let closing = format!("{session}?digest={digest}");
        let send = async |method: &str, path: &str, first: usize, last: usize| {
            let range = format!("{first}-{last}");
            let part = &bytes[first..=last];
            let sent = api.ask(method, path, &[("content-range", &range)], part).await;
            (sent.status().as_u16(), header(&sent, "range").to_owned())
        };
        let at = |status, last: usize| (status, format!("0-{last}"));
        assert_eq!(send("PATCH", &session, 100, 199).await, at(416, 0));
        assert_eq!(send("PATCH", &session, 0, 99).await, at(202, 99));
        assert_eq!(send("PATCH", &session, 200, 299).await, at(416, 99));
        assert_eq!(send("PATCH", &session, 0, 99).await, at(416, 99));
        assert_eq!(send("PUT", &closing, 200, 299).await, at(416, 99));
        let status = api.ask("GET", &session, &[], b"").await;
        let found = ["range", "location"].map(|name| header(&status, name).to_owned());
        assert_eq!((status.status().as_u16(), found), (204, ["0-99".to_owned(), session.clone()]));
        assert_eq!(send("PATCH", &session, 100, 199).await, at(202, 199));
        assert_eq!(send("PUT", &closing, 200, 299).await.0, 201);
        let blob = api.ask("GET", &format!("/v2/a/blobs/{digest}"), &[], b"").await;
        assert_eq!(blob.bytes().await.unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_chunk_of_another_length_than_its_range_is_told() {
    let api = Api::new().await;
    let started = api.ask("POST", "/v2/a/blobs/uploads/", &[], b"").await;
    let session = header(&started, "location").to_owned();
    // No `Content-Length`: it is seen only at the end.
    let body = reqwest::Body::wrap_stream(stream::iter([std::io::Result::Ok(vec![7; 10])]));
    let url = format!("http://{}{session}", api.server.host);
    let sent = api.http.patch(url).header("content-range", "0-99").body(body).send().await.unwrap();
    assert_eq!(sent.status(), 400);
    assert!(sent.text().await.unwrap().contains("SIZE_INVALID"));
    let status = api.ask("GET", &session, &[], b"").await;
    assert_eq!(header(&status, "range"), "0-9", "what came is there to go on from");
}

#[tokio::test]
async fn ranges_are_given_or_refused() {
    let api = Api::new().await;
    for algorithm in ALGORITHMS {
        let bytes = content(algorithm as u64, 2048);
        let digest = Digest::with(algorithm, &bytes);
        push(&api, Way::Post, &digest, &bytes).await;
        let path = format!("/v2/a/b/blobs/{digest}");
        let check = async |range: &str, expect: Option<std::ops::Range<usize>>| {
            let part = api.ask("GET", &path, &[("range", &format!("bytes={range}"))], b"").await;
            let shown = header(&part, "content-range").to_owned();
            match expect {
                None => assert_eq!((part.status().as_u16(), &*shown), (416, "bytes */2048")),
                Some(expect) => {
                    let range = format!("bytes {}-{}/2048", expect.start, expect.end - 1);
                    assert_eq!((part.status().as_u16(), shown), (206, range));
                    assert_eq!(part.bytes().await.unwrap(), bytes.slice(expect));
                }
            }
        };
        check("500-1499", Some(500..1500)).await;
        check("500-", Some(500..2048)).await;
        check("-500", Some(1548..2048)).await;
        check("2000-5000", Some(2000..2048)).await;
        check("500-0", None).await;
        check("5000-10000", None).await;
    }
}

#[tokio::test]
async fn blobs_of_little_content_are_blobs() {
    let api = Api::new().await;
    for (algorithm, bytes) in ALGORITHMS.into_iter().flat_map(|a| [(a, &b""[..]), (a, b"{}")]) {
        let digest = Digest::with(algorithm, bytes);
        // None of them can be cut into chunks.
        for way in [Way::Post, Way::PostAndPut, Way::Stream] {
            let path = format!("/v2/a/b/blobs/{digest}");
            assert_eq!(push(&api, way, &digest, bytes).await, (201, path.clone()), "{way:?}");
            let blob = api.ask("GET", &path, &[], b"").await;
            assert_eq!(header(&blob, "content-length"), bytes.len().to_string());
            assert_eq!(blob.bytes().await.unwrap(), bytes);
            assert_eq!(api.ask("DELETE", &path, &[], b"").await.status(), 202);
        }
    }
}

#[tokio::test]
async fn a_mount_takes_what_is_there_whatever_its_digest() {
    let api = Api::new().await;
    for algorithm in ALGORITHMS {
        let bytes = content(algorithm as u64, 512);
        let digest = Digest::with(algorithm, &bytes);
        let mount = async |to: &str, from: &str| {
            let path = format!("/v2/{to}/blobs/uploads/?mount={digest}{from}");
            let answer = api.ask("POST", &path, &[], b"").await;
            (answer.status().as_u16(), header(&answer, "location").to_owned())
        };
        let (missing, session) = mount("to", "&from=a/b").await;
        assert_eq!(missing, 202);
        assert_eq!(api.ask("DELETE", &session, &[], b"").await.status(), 204);
        api.check("GET", &session, "404 BLOB_UPLOAD_UNKNOWN").await;
        push(&api, Way::Post, &digest, &bytes).await;
        for (to, from) in [("to", "&from=a/b"), ("there", "")] {
            let place = format!("/v2/{to}/blobs/{digest}");
            assert_eq!(mount(to, from).await, (201, place.clone()));
            assert_eq!(api.ask("GET", &place, &[], b"").await.bytes().await.unwrap(), bytes);
        }
        // Each repository has its own.
        let own = format!("/v2/a/b/blobs/{digest}");
        assert_eq!(api.ask("DELETE", &own, &[], b"").await.status(), 202);
        let mounted = api.ask("HEAD", &format!("/v2/to/blobs/{digest}"), &[], b"").await;
        assert_eq!(mounted.status(), 200);
        api.check("GET", &format!("/v2/other/blobs/{digest}"), "404 BLOB_UNKNOWN").await;
    }
}
