use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use report::Fault;

use super::{server::Server, *};

const VALUE: &str = "hunter2-and-more";

fn body(bytes: &'static [u8]) -> Body {
    Full::new(Bytes::from_static(bytes)).map_err(|never| match never {}).boxed_unsync()
}

fn request(method: &str, url: &str, headers: &[(&str, &str)], body: Body) -> http::Request<Body> {
    let mut request = http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}

fn nothing() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

#[tokio::test]
async fn bodies_stream_both_ways_and_are_counted() {
    let (run, server) = (run(), Server::start().await);
    let call = run.call(&private(&[&server.url("api.test", "")]));
    let frames = ["one ", "two"].map(|text| Ok(http_body::Frame::data(Bytes::from(text))));
    let stream = StreamBody::new(futures::stream::iter(frames)).boxed_unsync();
    let sent = request("POST", &server.url("api.test", "/echo"), &[("x-a", "b")], stream);
    let response = call.http.forward(sent, Timeouts::default()).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(run.recorder.ledger().is_empty(), "the line is written when the body ends");
    let echoed = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(echoed, "one two");
    let port = server.address.port();
    assert_eq!(run.recorder.ledger(), [format!("http POST http://api.test:{port}/echo: 200 (7)")]);
    assert_eq!(server.seen()[0].header("x-a"), Some("b"));
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_recorded_when_it_is_dropped() {
    let (run, server) = (run(), Server::start().await);
    let call = run.call(&private(&[&server.url("api.test", "")]));
    let sent = request("GET", &server.url("api.test", "/large"), &[], nothing());
    drop(call.http.forward(sent, Timeouts::default()).await.unwrap());
    assert!(run.recorder.ledger()[0].ends_with("/large: 200 (0)"));
}

#[tokio::test]
async fn the_same_gate_refuses() {
    let (run, server) = (run(), Server::start().await);
    let url = server.url("api.test", "/");
    let forward = async |grant: GrantText, url: &str, headers: &[(&str, &str)]| -> Fault {
        let sent = request("GET", url, headers, nothing());
        run.call(&grant).http.forward(sent, Timeouts::default()).await.unwrap_err()
    };
    let granted = || private(&[&url]);
    assert_eq!(forward(public(&["http://elsewhere.test"]), &url, &[]).await.code, "denied.http");
    assert_eq!(forward(public(&[&url]), &url, &[]).await.code, "denied.http");
    assert_eq!(
        forward(private(&["http://metadata.test"]), "http://metadata.test/", &[]).await.code,
        "denied.http"
    );
    let user = url.replace("//", "//me:pw@");
    assert_eq!(forward(granted(), &user, &[]).await.code, "invalid.http");
    for header in ["transfer-encoding", "connection", "te", "upgrade", "proxy-authorization"] {
        assert_eq!(
            forward(granted(), &url, &[(header, "x")]).await.code,
            "invalid.http",
            "{header}"
        );
    }
    let lengths = [("content-length", "3"), ("content-length", "5")];
    assert_eq!(forward(granted(), &url, &lengths).await.code, "invalid.http");
    assert_eq!(forward(granted(), &url, &[("content-length", "+3")]).await.code, "invalid.http");
    assert!(server.seen().is_empty());
    let tunnel = request("CONNECT", &url, &[], nothing());
    let fault = run.call(&granted()).http.forward(tunnel, Timeouts::default()).await.unwrap_err();
    assert_eq!(fault.code, "invalid.http");
    assert!(
        run.dry_call(&granted())
            .http
            .forward(request("PUT", &url, &[], nothing()), Timeouts::default())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn the_host_header_is_the_urls_and_redirects_are_the_guests() {
    let (run, server) = (run(), Server::start().await);
    let call = run.call(&private(&[&server.url("api.test", "")]));
    let url = server.url("api.test", "/to/302?http://evil.example/");
    let sent = request("GET", &url, &[("host", "evil.example")], nothing());
    let response = call.http.forward(sent, Timeouts::default()).await.unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()["location"], "http://evil.example/");
    let host = format!("api.test:{}", server.address.port());
    assert_eq!(server.seen()[0].header("host"), Some(host.as_str()));
}

#[tokio::test]
async fn a_guests_length_is_kept_and_held() {
    let (run, server) = (run(), Server::start().await);
    let call = run.call(&private(&[&server.url("api.test", "")]));
    let url = server.url("api.test", "/echo");
    let sent = request("PUT", &url, &[("content-length", "5")], body(b"12345"));
    call.http.forward(sent, Timeouts::default()).await.unwrap();
    assert_eq!(server.seen()[0].header("content-length"), Some("5"));
    assert_eq!(server.seen()[0].header("transfer-encoding"), None);
    // A body that is longer than it says would be the next request's beginning.
    let sent =
        request("PUT", &url, &[("content-length", "2")], body(b"12GET /smuggled HTTP/1.1\r\n\r\n"));
    let answered = call.http.forward(sent, Timeouts::default()).await;
    let status = answered.map(|response| response.status().as_u16());
    assert!(server.seen().iter().all(|seen| !seen.line.contains("smuggled")), "{status:?}");
    assert!(server.seen()[1..].iter().all(|seen| seen.body.len() <= 2), "{status:?}");
}

#[tokio::test]
async fn placeholders_work_for_ordinary_http_libraries() {
    let server = Server::start().await;
    let run = run_with(TestRunBuilder::default().secret("token", VALUE, &["api.test"]));
    let call = run.call(&private(&[&server.url("api.test", ""), &server.url("other.test", "")]));
    let token = call.secrets.get("token").await.unwrap();
    let word = call.secrets.placeholder(&token).unwrap();
    for host in ["api.test", "other.test"] {
        let header = format!("token {word}");
        let sent = request("GET", &server.url(host, "/"), &[("authorization", &header)], nothing());
        call.http.forward(sent, Timeouts::default()).await.unwrap();
    }
    let seen = server.seen();
    assert_eq!(seen[0].header("authorization"), Some(format!("token {VALUE}").as_str()));
    assert_eq!(seen[1].header("authorization"), Some(format!("token {word}").as_str()));
    assert!(!run.recorder.lines().join("").contains(VALUE));
}

#[tokio::test]
async fn slow_servers_are_timeouts_before_and_within_the_body() {
    let (run, server) = (run(), Server::start().await);
    let call = run.call(&private(&[&server.url("api.test", "")]));
    let short = Some(Duration::from_millis(1));
    let timeouts = Timeouts { first_byte: short, between_bytes: None };
    let sent = request("GET", &server.url("api.test", "/never"), &[], nothing());
    assert_eq!(call.http.forward(sent, timeouts).await.unwrap_err().code, "timeout.http");
    let timeouts = Timeouts { first_byte: None, between_bytes: short };
    let sent = request("GET", &server.url("api.test", "/stall"), &[], nothing());
    let response = call.http.forward(sent, timeouts).await.unwrap();
    let error = response.into_body().collect().await.unwrap_err();
    assert_eq!(error.downcast_ref::<Fault>().unwrap().code, "timeout.http");
    assert!(run.recorder.ledger()[1].contains("timeout.http"));
}

#[tokio::test]
async fn a_guest_that_breaks_its_body_off_is_no_complete_request() {
    let (run, server) = (run(), Server::start().await);
    let call = run.call(&private(&[&server.url("api.test", "")]));
    let frames =
        [Ok(http_body::Frame::data(Bytes::from("one"))), Err(BodyError::from("guest gave up"))];
    let stream = StreamBody::new(futures::stream::iter(frames)).boxed_unsync();
    let sent = request("POST", &server.url("api.test", "/echo"), &[], stream);
    let fault = call.http.forward(sent, Timeouts::default()).await.unwrap_err();
    assert_eq!(fault.code, "transient.http");
}
