use std::time::Duration;

use base64::Engine as _;
use report::Kind;

use super::{server::Server, *};
use crate::{CallFacts, Granted, SecretHandle};

const VALUE: &str = "p\"ss w\\rd+1&2=3é";

async fn sealed(call: &Granted, name: &str) -> SecretHandle {
    call.secrets.get(name).await.unwrap()
}

#[tokio::test]
async fn a_granted_request_is_sent_and_recorded() {
    let (run, server) = (run(), Server::start().await);
    let call = run.call(&private(&[&server.url("api.test", "")]));
    let mut request = get(&server.url("api.test", "/a/b?key=value"));
    request.headers = vec![plain("X-One", "1"), plain("x-two", "a"), plain("x-two", "b")];
    let response = call.http.send(request).await.unwrap();
    assert_eq!((response.status, response.body.as_slice()), (200, &b"ok"[..]));
    assert_eq!(response.url, server.url("api.test", "/a/b?key=value"));
    assert!(response.headers.iter().any(|(name, value)| name == "content-length" && value == "2"));
    let seen = server.seen();
    assert_eq!(seen[0].line, "GET /a/b?key=value");
    assert_eq!(seen[0].header("x-one"), Some("1"));
    assert_eq!(seen[0].headers.get_all("x-two").iter().count(), 2);
    assert_eq!(seen[0].header("host").unwrap(), format!("api.test:{}", server.address.port()));
    let port = server.address.port();
    assert_eq!(
        run.recorder.ledger(),
        [format!("http GET http://api.test:{port}/a/b?key=…: 200 (2)")]
    );
}

#[tokio::test]
async fn a_status_of_an_error_is_no_fault() {
    let (run, server) = (run(), Server::start().await);
    let call = run.call(&private(&[&server.url("api.test", "")]));
    for code in [204, 404, 503] {
        let response =
            call.http.send(get(&server.url("api.test", &format!("/status/{code}")))).await;
        assert_eq!(response.unwrap().status, code);
    }
    let odd = call.http.send(get(&server.url("api.test", "/odd"))).await.unwrap();
    assert!(odd.headers.contains(&("x-odd".to_owned(), "a\u{fffd}b".to_owned())));
}

#[tokio::test]
async fn secrets_are_written_into_headers_and_bodies() {
    let server = Server::start().await;
    let builder = TestRunBuilder::default().secret("odd", VALUE, &["api.test"]).secret(
        "token",
        "s3cret-token",
        &[],
    );
    let run = run_with(builder);
    let call = run.call(&private(&[&server.url("api.test", "")]));
    let (odd, token) = (sealed(&call, "odd").await, sealed(&call, "token").await);
    let part = |encoding| Part::Sealed { value: odd.clone(), encoding };
    let comma = || Part::Bytes(b"|".to_vec());
    let mut request = post(
        &server.url("api.test", "/"),
        vec![
            part(Encoding::Raw),
            comma(),
            part(Encoding::Json),
            comma(),
            part(Encoding::Form),
            comma(),
            part(Encoding::Base64),
        ],
    );
    let value = HeaderValue::Sealed {
        prefix: "Bearer ".to_owned(),
        value: token.clone(),
        suffix: ";v=1".to_owned(),
    };
    request.headers = vec![
        Header { name: "x-token".to_owned(), value },
        Header {
            name: "authorization".to_owned(),
            value: HeaderValue::Basic { username: "me".to_owned(), password: token },
        },
    ];
    call.http.send(request).await.unwrap();
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let seen = &server.seen()[0];
    assert_eq!(seen.header("x-token"), Some("Bearer s3cret-token;v=1"));
    let basic = format!("Basic {}", base64("me:s3cret-token"));
    assert_eq!(seen.header("authorization"), Some(basic.as_str()));
    let body = std::str::from_utf8(&seen.body).unwrap();
    let parts: Vec<&str> = body.split('|').collect();
    assert_eq!(parts[0], VALUE);
    assert_eq!(parts[1], "p\\\"ss w\\\\rd+1&2=3é");
    assert_eq!(parts[2], "p%22ss+w%5Crd%2B1%262%3D3%C3%A9");
    assert_eq!(parts[3], base64(VALUE));
    assert_eq!(seen.header("content-length"), Some(body.len().to_string().as_str()));
}

#[tokio::test]
async fn redirects_are_followed_as_browsers_do() {
    let (run, server) = (run(), Server::start().await);
    let call = run.call(&private(&[&server.url("api.test", "")]));
    let body = || vec![Part::Bytes(b"body".to_vec())];
    for (code, method, arrives) in [
        (301, "POST", "GET /end "),
        (302, "POST", "GET /end "),
        (303, "PUT", "GET /end "),
        (307, "POST", "POST /end body"),
        (308, "PUT", "PUT /end body"),
        (301, "PUT", "PUT /end body"),
        (302, "DELETE", "DELETE /end body"),
    ] {
        let mut request = post(&server.url("api.test", &format!("/to/{code}?/end")), body());
        request.method = method.to_owned();
        request.headers = vec![plain("content-type", "text/x")];
        let response = call.http.send(request).await.unwrap();
        assert_eq!(response.url, server.url("api.test", "/end"));
        let seen = server.seen().pop().unwrap();
        let body = std::str::from_utf8(&seen.body).unwrap();
        assert_eq!(format!("{} {body}", seen.line), arrives, "{code} {method}");
        assert_eq!(seen.header("content-type").is_some(), !body.is_empty(), "{code} {method}");
    }
}

#[tokio::test]
async fn redirects_may_be_returned_and_have_an_end() {
    let (run, server) = (run(), Server::start().await);
    let call = run.call(&private(&[&server.url("api.test", "")]));
    let mut request = get(&server.url("api.test", "/to/302?/end"));
    request.redirects = Redirects::ReturnThem;
    assert_eq!(call.http.send(request).await.unwrap().status, 302);
    let fault = call.http.send(get(&server.url("api.test", "/to/302?/to/302?/x"))).await;
    assert!(fault.is_ok(), "a redirect to a redirect");
    let looping = server.url("api.test", "/to/307?");
    let fault = call.http.send(get(&looping)).await.unwrap_err();
    assert!(fault.message.contains("more than ten redirects"), "{fault}");
    assert_eq!(server.seen().len(), 1 + 3 + 11);
}

#[tokio::test]
async fn bodies_over_16_mib_are_refused_in_both_directions() {
    let (run, server) = (run(), Server::start().await);
    let call = run.call(&private(&[&server.url("api.test", "")]));
    for path in ["/large", "/promised"] {
        let fault = call.http.send(get(&server.url("api.test", path))).await.unwrap_err();
        assert_eq!((fault.kind, fault.code.as_str()), (Kind::Failed, "failed.http"), "{path}");
    }
    let half = || Part::Bytes(vec![b'x'; 8 * 1024 * 1024]);
    let request = post(&server.url("api.test", "/"), vec![half(), half(), Part::Bytes(vec![b'x'])]);
    let fault = call.http.send(request).await.unwrap_err();
    assert_eq!(fault.code, "invalid.http");
    let request = post(&server.url("api.test", "/"), vec![half(), half()]);
    assert!(call.http.send(request).await.is_ok());
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_a_timeout() {
    let (run, server) = (run(), Server::start().await);
    let grant = private(&[&server.url("api.test", "")]);
    for path in ["/never", "/stall"] {
        let mut request = get(&server.url("api.test", path));
        request.timeout_ms = Some(1);
        let fault = run.call(&grant).http.send(request).await.unwrap_err();
        assert_eq!((fault.kind, fault.code.as_str()), (Kind::Timeout, "timeout.http"));
        assert!(fault.retry);
    }
    // The step has less time left than the request asks for.
    let facts = CallFacts { deadline: Some(Duration::from_millis(1)), ..run.facts(&grant) };
    let fault = run.backends.give(facts).http.send(get(&server.url("api.test", "/never"))).await;
    assert_eq!(fault.unwrap_err().code, "timeout.http");
}

#[tokio::test]
async fn nobody_there_is_transient() {
    let server = Server::start().await;
    let (run, url) = (run(), server.url("api.test", "/"));
    drop(server);
    let call = run.call(&private(&[&url, "http://nowhere.test"]));
    for url in [url.as_str(), "http://nowhere.test/"] {
        let fault = call.http.send(get(url)).await.unwrap_err();
        assert_eq!(
            (fault.kind, fault.code.as_str()),
            (Kind::Transient, "transient.http"),
            "{fault}"
        );
        assert!(fault.retry);
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_a_failure_and_not_retried() {
    let server = Server::start().await;
    let run = run();
    let url = format!("https://api.test:{}/", server.address.port());
    let fault = run.call(&private(&[&url])).http.send(get(&url)).await.unwrap_err();
    assert_eq!((fault.kind, fault.code.as_str()), (Kind::Failed, "failed.http"), "{fault}");
    assert!(fault.help.unwrap().contains("SSL_CERT_FILE"));
}

#[tokio::test]
async fn a_dry_run_may_ask_and_not_change() {
    let (run, server) = (run(), Server::start().await);
    let call = run.dry_call(&private(&[&server.url("api.test", "")]));
    assert!(call.http.send(get(&server.url("api.test", "/"))).await.is_ok());
    for method in ["POST", "PUT", "DELETE", "PATCH", "PURGE"] {
        let request = Request { method: method.to_owned(), ..get(&server.url("api.test", "/")) };
        let fault = call.http.send(request).await.unwrap_err();
        assert!(fault.code == "denied.dry-run" && fault.message.contains("dry run"), "{fault}");
    }
    assert_eq!(server.seen().len(), 1);
}
