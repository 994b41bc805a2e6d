//! What is too much, too long, too often.

use std::sync::mpsc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::room::{Open, all, brief};
use super::{SECRET, endpoint, sign};
use crate::{Check, Form, LONGEST_BODY, MOST_CONNECTIONS};

const TOO_LONG: &str = r#"413 {"error":"the body has more than 1048576 bytes"}"#;
const STARTED: &str = r#"202 {"started":["da8"]}"#;

async fn open() -> Open {
    Open::with(&[
        ("a", endpoint(Form::Any, None, None)),
        ("signed", endpoint(Form::Any, Some(Check::HmacSha256), None)),
    ])
    .await
}

fn head(more: &str) -> String {
    let known = format!("host: a\r\nconnection: close\r\nauthorization: {SECRET}\r\n");
    format!("POST /hooks/a HTTP/1.1\r\n{known}{more}\r\n")
}

fn with_length(length: usize) -> String {
    head(&format!("content-length: {length}\r\n"))
}

/// A text in JSON of `length` bytes.
fn json(length: usize) -> Vec<u8> {
    let mut body = vec![b'x'; length];
    body[0] = b'"';
    body[length - 1] = b'"';
    body
}

fn chunked(body: &[u8]) -> Vec<u8> {
    let mut request = head("transfer-encoding: chunked\r\n").into_bytes();
    for chunk in body.chunks(10_000) {
        request.extend(format!("{:x}\r\n", chunk.len()).bytes());
        request.extend(chunk);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    request
}

/// While this lives, time that is paused does not pass by itself: a task is under way.
fn stand_still() -> mpsc::Sender<()> {
    let (still, end) = mpsc::channel();
    drop(tokio::task::spawn_blocking(move || end.recv()));
    still
}

#[tokio::test]
async fn a_body_has_an_end_however_it_is_sent() {
    let open = open().await;
    for (length, answer) in [(LONGEST_BODY, STARTED), (LONGEST_BODY + 1, TOO_LONG)] {
        let mut request = with_length(length).into_bytes();
        request.extend(json(length));
        assert_eq!(brief(&open.raw(&request).await), answer, "{length} at once");
        let request = chunked(&json(length));
        assert_eq!(brief(&open.raw(&request).await), answer, "{length} in chunks");
    }
    // Who waits to be asked is refused without a byte of it.
    let huge = head("content-length: 99999999999\r\nexpect: 100-continue\r\n");
    let answer = open.raw(huge.as_bytes()).await;
    assert_eq!(brief(&answer), TOO_LONG);
    assert!(!answer.contains("100 Continue"));
    let asked = head("content-length: 2\r\nexpect: 100-continue\r\n") + "{}";
    assert!(open.raw(asked.as_bytes()).await.starts_with("HTTP/1.1 100 Continue\r\n"));
}

#[tokio::test]
async fn a_body_that_is_too_long_is_not_read_to_prove_something() {
    let open = open().await;
    let body = json(LONGEST_BODY + 1);
    let signature = hex::encode(sign(&body));
    let mut request = format!(
        "POST /hooks/signed HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
         x-hub-signature-256: {signature}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend(&body);
    assert_eq!(brief(&open.raw(&request).await), TOO_LONG);
    assert_eq!(open.heard(), []);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_waited_for_no_longer() {
    let open = open().await;
    let request = with_length(10) + "{\"a\"";
    let answer = open.raw(request.as_bytes()).await;
    assert_eq!(brief(&answer), r#"408 {"error":"the body did not come in time"}"#);
    assert!(answer.to_lowercase().contains("connection: close"));
    assert_eq!(open.heard(), []);
}

#[tokio::test]
async fn who_is_refused_may_finish_speaking_and_hears_why() {
    let open = open().await;
    let mut stream = open.connect().await;
    let head = with_length(500_000).replace(SECRET, "other");
    stream.write_all(head.as_bytes()).await.unwrap();
    for chunk in json(500_000).chunks(10_000) {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        stream.write_all(chunk).await.unwrap();
    }
    assert!(brief(&all(&mut stream).await).starts_with("401 "));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_taken() {
    let open = open().await;
    for request in [with_length(10) + "{}", head("transfer-encoding: chunked\r\n") + "2\r\n{}"] {
        let mut stream = open.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let answer = brief(&all(&mut stream).await);
        assert!(["400", "nothing"].contains(&answer.split(' ').next().unwrap()), "{answer}");
    }
    assert_eq!(open.heard(), []);
}

#[tokio::test(start_paused = true)]
async fn headers_that_do_not_come_or_do_not_end_close_the_connection() {
    let open = open().await;
    assert!(!open.raw(b"POST /hooks/a HTTP/1.1\r\nhost: a\r\n").await.contains("202"));
    assert_eq!(open.raw(b"").await, "");
    let endless = head(&format!("x: {}\r\n", "y".repeat(200_000)));
    let answer = open.raw(endless.as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert_eq!(open.heard(), []);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_cannot_be_written_in_time_is_sent_again() {
    let open = open().await;
    open.told.permits.forget_permits(usize::MAX);
    let answer = open.raw(with_length(0).as_bytes()).await;
    assert_eq!(brief(&answer), r#"503 {"error":"the delivery could not be written down"}"#);
    assert!(answer.to_lowercase().contains("\r\nretry-after: 5\r\n"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_hears_so_much_and_no_more() {
    let _still = stand_still();
    let open = open().await;
    let other = endpoint(Form::Any, None, None);
    open.told.endpoints.lock().unwrap().insert("b".to_owned(), other);
    for _ in 0..200 {
        assert_eq!(brief(&open.raw(with_length(0).as_bytes()).await), STARTED);
    }
    let last = open.raw(with_length(0).as_bytes()).await;
    assert_eq!(brief(&last), r#"429 {"error":"too many requests"}"#);
    assert!(last.to_lowercase().contains("\r\nretry-after: 1\r\n"), "{last}");
    let other = with_length(0).replace("/hooks/a", "/hooks/b");
    assert_eq!(brief(&open.raw(other.as_bytes()).await), STARTED);
    tokio::time::advance(Duration::from_millis(20)).await;
    assert_eq!(brief(&open.raw(with_length(0).as_bytes()).await), STARTED);
}

#[tokio::test(start_paused = true)]
async fn who_fails_too_often_is_not_listened_to() {
    let _still = stand_still();
    let open = open().await;
    let from = |address: &str, token: &str| {
        let head = format!(
            "POST /hooks/a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
             x-forwarded-for: 10.0.0.1, {address}\r\nauthorization: {token}\r\n\r\n"
        );
        let open = &open;
        async move { brief(&open.raw(head.as_bytes()).await)[..3].to_owned() }
    };
    for guess in 0..20 {
        assert_eq!(from("192.0.2.1", &guess.to_string()).await, "401");
    }
    assert_eq!(from("192.0.2.1", "21").await, "429");
    assert_eq!(from("192.0.2.1", SECRET).await, "429", "a good guess is not told from a bad one");
    assert_eq!(from("192.0.2.2", SECRET).await, "202", "others are");
    assert_eq!(open.ask("GET /healthz", "x-forwarded-for: 192.0.2.1\r\n").await, "204");
}

#[tokio::test]
async fn more_connections_than_there_is_room_for_wait() {
    let open = open().await;
    open.told.permits.forget_permits(usize::MAX);
    let mut streams = Vec::new();
    for _ in 0..MOST_CONNECTIONS + 3 {
        let mut stream = open.connect().await;
        stream.write_all(with_length(0).as_bytes()).await.unwrap();
        streams.push(stream);
    }
    while open.heard().len() < MOST_CONNECTIONS {
        tokio::task::yield_now().await;
    }
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(open.heard().len(), MOST_CONNECTIONS);
    open.told.permits.add_permits(streams.len());
    for mut stream in streams {
        assert_eq!(brief(&all(&mut stream).await), STARTED);
    }
    assert_eq!(open.heard().len(), MOST_CONNECTIONS + 3);
}
