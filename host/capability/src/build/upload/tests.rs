use std::sync::{Arc, Mutex};

use axum::body::Bytes as Got;
use axum::http::{HeaderMap, StatusCode};
use axum::{Router, routing};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::recorder::{TestRun, TestRunBuilder};
use crate::{GrantText, HttpText};

/// What one upload brought.
type Seen = Arc<Mutex<Vec<(HeaderMap, Got)>>>;

/// A place for blobs; it stops when its tasks are dropped.
async fn store(status: StatusCode, text: String) -> (String, Seen, JoinSet<()>) {
    let seen = Seen::default();
    let keep = Arc::clone(&seen);
    let take = move |headers: HeaderMap, body: Got| async move {
        keep.lock().unwrap().push((headers, body));
        (status, text)
    };
    let router = Router::new()
        .route("/blob", routing::put(take))
        .layer(axum::extract::DefaultBodyLimit::disable());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, seen, tasks)
}

fn run() -> TestRun {
    TestRunBuilder::default().build()
}

fn grant(url: &str) -> GrantText {
    let rule = HttpText { url: url.to_owned(), private: true, ..HttpText::default() };
    GrantText { http: vec![rule], ..GrantText::default() }
}

fn given(path: &str, content: Vec<u8>) -> GivenFile {
    GivenFile { path: path.to_owned(), content, mode: 0o644 }
}

fn request(url: &str) -> UploadRequest {
    UploadRequest {
        url: format!("{url}/blob?sig=hush"),
        headers: vec![("x-ms-blob-type".to_owned(), "BlockBlob".to_owned())],
        ..UploadRequest::default()
    }
}

#[tokio::test]
async fn a_context_is_sent_with_its_length_and_its_kept_file() {
    let (url, seen, _tasks) = store(StatusCode::CREATED, String::new()).await;
    let run = run();
    let call = run.call(&grant(&url));
    // More than a body of `windlass:http` may hold, and more than compresses away.
    let noise: Vec<u8> = (0_u32..6 * 1024 * 1024)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).wrapping_add(n >> 7).to_le_bytes())
        .collect();
    let files = vec![given("Dockerfile", b"FROM scratch".to_vec()), given("noise", noise)];
    let context = call.build.given(files).unwrap();
    context.ignore(".dockerignore", "Dockerfile").unwrap();
    let asked = UploadRequest {
        keep: Some("Dockerfile".to_owned()),
        add: vec![given("more", b"1".to_vec())],
        ..request(&url)
    };
    let sent = call.build.upload(&context, asked.clone()).await.unwrap();
    assert_eq!(sent.status, 201);
    assert!(sent.size > 16 * 1024 * 1024, "{}", sent.size);
    {
        let seen = seen.lock().unwrap();
        let (headers, body) = seen.first().unwrap();
        let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(header("content-length"), Some(sent.size.to_string().as_str()));
        assert_eq!(header("x-ms-blob-type"), Some("BlockBlob"));
        assert_eq!((header("transfer-encoding"), header("authorization")), (None, None));
        assert_eq!(sent.digest, oci::Digest::of(body).to_string());
    }
    assert_eq!(call.build.upload(&context, asked).await.unwrap(), sent, "the same bytes again");
    let ledger = run.recorder.ledger();
    assert!(ledger.iter().any(|line| line.contains("build upload") && line.contains("201")));
    assert!(!ledger.iter().any(|line| line.contains("hush")), "{ledger:?}");
}

#[tokio::test]
async fn an_answer_is_told_as_it_is() {
    let (url, _, _tasks) = store(StatusCode::FORBIDDEN, "<Error>".repeat(10_000)).await;
    let run = run();
    let call = run.call(&grant(&url));
    let context = call.build.given(vec![given("a", Vec::new())]).unwrap();
    let sent = call.build.upload(&context, request(&url)).await.unwrap();
    assert_eq!((sent.status, sent.text.len()), (403, MOST_TEXT));
}

#[tokio::test]
async fn nothing_is_packed_for_a_place_that_was_not_granted() {
    let (url, seen, _tasks) = store(StatusCode::CREATED, String::new()).await;
    let run = run();
    let upload = async |grant: &GrantText, asked: UploadRequest, dry: bool| {
        let call = if dry { run.dry_call(grant) } else { run.call(grant) };
        let context = call.build.given(vec![given("a", Vec::new())]).unwrap();
        call.build.upload(&context, asked).await.unwrap_err().code
    };
    // With a file that is not there: it would be the error, if anything were packed.
    let asked = UploadRequest { keep: Some("none".to_owned()), ..request(&url) };
    assert_eq!(upload(&grant("https://example.org"), asked.clone(), false).await, "denied.http");
    assert_eq!(upload(&grant(&url), asked.clone(), true).await, "denied.dry-run");
    assert_eq!(upload(&grant(&url), asked, false).await, "not-found.build");
    let bad = |headers: &[(&str, &str)], at: &str| UploadRequest {
        headers: headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        url: at.to_owned(),
        ..UploadRequest::default()
    };
    let blob = format!("{url}/blob");
    assert_eq!(upload(&grant(&url), bad(&[], "ftp://x/y"), false).await, "invalid.http");
    assert_eq!(upload(&grant(&url), bad(&[("a b", "c")], &blob), false).await, "invalid.build");
    let host = bad(&[("transfer-encoding", "chunked")], &blob);
    assert_eq!(upload(&grant(&url), host, false).await, "invalid.http");
    assert!(seen.lock().unwrap().is_empty());
}
