//! Requests and answers, as they go over a socket.

use std::time::Duration;

use report::{Fault, Kind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::room::{Open, all, brief};
use super::{SECRET, endpoint, sign, some};
use crate::{Delivery, Form, Listener, NotTaken, Taken};

const NOBODY: &str =
    r#"401 {"error":"the request does not prove that its sender knows the secret"}"#;
const NOTHING: &str = r#"404 {"error":"nothing is heard here"}"#;

fn client() -> reqwest::Client {
    oci::client::build(&oci::client::ClientOptions::default()).unwrap()
}

fn authorization() -> String {
    format!("authorization: Bearer {SECRET}\r\n")
}

#[tokio::test]
async fn what_is_heard_is_taken_and_answered() {
    let open = Open::with(&[("registry", endpoint(Form::Acr, None, None))]).await;
    let client = client();
    let post = |body: &'static str| {
        let request = client.post(open.url("/hooks/registry")).bearer_auth(SECRET).body(body);
        async move {
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            let again = response.headers().get("retry-after").cloned();
            let again = again.map(|value| value.to_str().unwrap().to_owned());
            (status, again, response.text().await.unwrap())
        }
    };
    let push = r#"{"id":"7","action":"push","target":{"repository":"app","tag":"v1"}}"#;
    assert_eq!(post(push).await, (202, None, "{\"started\":[\"da8\"]}\n".to_owned()));
    let heard = open.heard();
    assert_eq!(heard.len(), 1);
    assert_eq!((heard[0].0.as_str(), &heard[0].1.id), ("registry", &some("7")));
    assert_eq!(heard[0].1.pushes[0].repository, "app");

    let why = Ok(Taken::Ignored("no image fits".to_owned()));
    open.told.says.lock().unwrap().extend([why, Err(NotTaken)]);
    assert_eq!(post(push).await, (202, None, "{\"ignored\":\"no image fits\"}\n".to_owned()));
    let failed = "{\"error\":\"the delivery could not be written down\"}\n".to_owned();
    assert_eq!(post(push).await, (503, some("5"), failed));

    let ping = r#"{"id":"8","action":"ping","target":{}}"#;
    assert_eq!(post(ping).await, (202, None, "{\"ignored\":\"a ping\"}\n".to_owned()));
    let (status, _, said) = post("{\"action\":7}").await;
    assert_eq!(status, 400);
    assert!(said.contains("\"expected\":\"an event, such as {"), "{said}");
    assert_eq!(open.heard().len(), 3, "what is nothing is not taken");
}

#[tokio::test]
async fn github_signs_what_it_says() {
    let open = Open::with(&[("code", endpoint(Form::Github, None, None))]).await;
    let body = r#"{"ref":"refs/heads/main","after":"6113","repository":{"full_name":"a/b"}}"#;
    let post = |signature: String| {
        let request = client()
            .post(open.url("/hooks/code"))
            .header("x-github-event", "push")
            .header("x-hub-signature-256", signature)
            .body(body);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    let wrong = sign(b"another body");
    assert_eq!(post(format!("sha256={}", hex::encode(wrong))).await, 401);
    assert_eq!(open.heard(), []);
    assert_eq!(post(format!("sha256={}", hex::encode(sign(body.as_bytes())))).await, 202);
    assert_eq!(open.heard()[0].1.commits[0].reference, "refs/heads/main");
}

#[tokio::test]
async fn who_does_not_know_the_secret_learns_nothing() {
    let open = Open::with(&[("a", endpoint(Form::Any, None, None))]).await;
    assert_eq!(open.ask("POST /hooks/a", "").await, NOBODY);
    assert_eq!(open.ask("POST /hooks/a", "authorization: Bearer x\r\n").await, NOBODY);
    let twice = authorization() + &authorization();
    assert_eq!(open.ask("POST /hooks/a", &twice).await, NOBODY);
    assert_eq!(open.ask(&format!("POST /hooks/a?token={SECRET}"), "").await, NOBODY);
    for path in ["/", "/hooks", "/hooks/", "/hooks/b", "/hooks/a/", "/hooks/a/b", "/hooks/%61"] {
        assert_eq!(open.ask(&format!("POST {path}"), &authorization()).await, NOTHING, "{path}");
    }
    let answer = open.raw(b"POST /hooks/a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.to_lowercase().contains("\r\nwww-authenticate: bearer\r\n"), "{answer}");
    assert_eq!(open.heard(), []);
    assert_eq!(open.ask("POST /hooks/a", &authorization()).await, r#"202 {"started":["da8"]}"#);
    assert_eq!(open.heard(), [("a".to_owned(), Delivery::default())]);
}

#[tokio::test]
async fn other_methods_are_told_which_would_do() {
    let open = Open::with(&[("a", endpoint(Form::Any, None, None))]).await;
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
        let request = format!("{method} /hooks/a HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let answer = open.raw(request.as_bytes()).await.to_lowercase();
        assert!(answer.starts_with("http/1.1 405 "), "{answer}");
        assert!(answer.contains("\r\nallow: post\r\n"), "{answer}");
    }
    assert_eq!(open.ask("GET /healthz", "").await, "204");
    assert_eq!(open.ask("HEAD /healthz", "").await, "204");
    assert_eq!(open.ask("POST /healthz", "").await, r#"405 {"error":"use GET, HEAD"}"#);
    assert_eq!(open.ask("POST /healthz/a", "").await, NOTHING);
}

#[tokio::test]
async fn endpoints_come_and_go_while_it_listens() {
    let open = Open::with(&[]).await;
    assert_eq!(open.ask("POST /hooks/a", &authorization()).await, NOTHING);
    let now = endpoint(Form::Any, None, None);
    open.told.endpoints.lock().unwrap().insert("a".to_owned(), now);
    assert_eq!(open.ask("POST /hooks/a", &authorization()).await, r#"202 {"started":["da8"]}"#);
    open.told.endpoints.lock().unwrap().clear();
    assert_eq!(open.ask("POST /hooks/a", &authorization()).await, NOTHING);
}

#[tokio::test]
async fn event_grid_is_let_in_if_it_knows_the_secret() {
    let open = Open::with(&[
        ("grid", endpoint(Form::EventGrid, None, None)),
        ("other", endpoint(Form::Acr, None, None)),
    ])
    .await;
    let body = r#"[{"id":"1","eventType":"Microsoft.EventGrid.SubscriptionValidationEvent",
        "data":{"validationCode":"512d38b6","validationUrl":"https://rp.eventgrid.azure.net/"}}]"#;
    let post = |path: String| {
        let request = client()
            .post(open.url(&path))
            .header("aeg-event-type", "SubscriptionValidation")
            .body(body);
        async move {
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        }
    };
    let answered = (200, "{\"validationResponse\":\"512d38b6\"}\n".to_owned());
    assert_eq!(post(format!("/hooks/grid?token={SECRET}")).await, answered);
    assert_eq!(post("/hooks/grid?token=other".to_owned()).await.0, 401);

    let origin = "webhook-request-origin: eventgrid.azure.net\r\n";
    let options = |path: String| {
        let head = format!("OPTIONS {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n");
        let request = format!("{head}{origin}webhook-request-rate: 120\r\n\r\n");
        let open = &open;
        async move { open.raw(request.as_bytes()).await.to_lowercase() }
    };
    let answer = options(format!("/hooks/grid?token={SECRET}")).await;
    assert!(answer.starts_with("http/1.1 200 "), "{answer}");
    assert!(answer.contains("\r\nwebhook-allowed-origin: eventgrid.azure.net\r\n"), "{answer}");
    assert!(answer.contains("\r\nwebhook-allowed-rate: 3000\r\n"), "{answer}");
    assert!(options("/hooks/grid".to_owned()).await.starts_with("http/1.1 401 "));
    assert!(options("/hooks/other".to_owned()).await.starts_with("http/1.1 405 "));
    let nobody = open.ask(&format!("OPTIONS /hooks/grid?token={SECRET}"), "").await;
    assert!(nobody.starts_with("400 "), "{nobody}");
    assert_eq!(open.heard(), []);
}

#[tokio::test]
async fn what_was_begun_is_finished_when_it_is_to_stop() {
    let mut open = Open::with(&[("a", endpoint(Form::Any, None, None))]).await;
    open.told.permits.forget_permits(usize::MAX);
    let mut waiting = open.connect().await;
    let request = format!("POST /hooks/a HTTP/1.1\r\nhost: a\r\n{}\r\n", authorization());
    waiting.write_all(request.as_bytes()).await.unwrap();
    let mut idle = open.connect().await;
    until(|| !open.heard().is_empty()).await;
    open.stop.cancel();
    // The idle connection is closed, and nobody else comes in, while the delivery is being taken.
    assert_eq!(all(&mut idle).await, "");
    assert!(tokio::net::TcpStream::connect(open.address).await.is_err());
    assert!(open.served.try_join_next().is_none());
    open.told.permits.add_permits(1);
    assert_eq!(brief(&all(&mut waiting).await), r#"202 {"started":["da8"]}"#);
    open.served.join_next().await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_cut_off_when_it_is_to_stop() {
    let mut open = Open::with(&[("a", endpoint(Form::Any, None, None))]).await;
    open.told.permits.forget_permits(usize::MAX);
    let mut waiting = open.connect().await;
    let request = format!("POST /hooks/a HTTP/1.1\r\nhost: a\r\n{}\r\n", authorization());
    waiting.write_all(request.as_bytes()).await.unwrap();
    until(|| !open.heard().is_empty()).await;
    open.stop.cancel();
    open.served.join_next().await.unwrap().unwrap();
    assert_eq!(all(&mut waiting).await, "", "the sender was told nothing, and sends again");
}

#[tokio::test]
async fn a_connection_serves_several_requests() {
    let open = Open::with(&[("a", endpoint(Form::Any, None, None))]).await;
    let mut stream = open.connect().await;
    let authorization = authorization();
    for (head, status) in [("", "401"), (authorization.as_str(), "202"), ("x: y\r\n", "401")] {
        let request =
            format!("POST /hooks/a HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n{head}\r\n{{}}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        while !answer.ends_with("}\n") {
            let mut chunk = [0; 4096];
            let read = stream.read(&mut chunk).await.unwrap();
            assert_ne!(read, 0, "{answer}");
            answer += std::str::from_utf8(&chunk[..read]).unwrap();
        }
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_said() {
    let first = Listener::bind("127.0.0.1:0").await.unwrap();
    let address = first.local_addr().to_string();
    let fault = Fault::from(Listener::bind(&address).await.unwrap_err());
    assert_eq!((fault.kind, fault.code.as_str()), (Kind::Conflict, "webhook.listen"));
    assert_eq!(fault.message, format!("cannot listen for webhooks on `{address}`"));
    let fault = Fault::from(Listener::bind("nonsense").await.unwrap_err());
    assert_eq!(fault.kind, Kind::Invalid);
}

/// Lets others run until it is so.
async fn until(is_so: impl Fn() -> bool) {
    // Time may be paused: what goes over a socket takes real time.
    let start = std::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "in vain");
        tokio::task::yield_now().await;
    }
}
