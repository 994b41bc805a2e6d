//! The one way out: what a grant of `http` opens, and what stays shut.

mod upload;

use std::sync::Arc;

use serde_json::json;
use support::{Answer, HttpServer, TestHost, str};

use crate::{fails, host_with, outputs};

/// A guest that asks for `url` (with `more` inputs), granted the rules `http`.
fn fetch(url: &str, more: &str, http: &str) -> TestHost {
    host_with(
        "fetch",
        &format!("with = {{ url = \"{url}\"{more} }}\n[step.grant]\nhttp = [{http}]"),
    )
}

fn private(server: &HttpServer) -> String {
    format!("{{ url = \"{}\", private = true }}", server.url(""))
}

fn greeting() -> HttpServer {
    HttpServer::start(|request| {
        Answer::body(format!("{} {}", request.method, request.path)).header("x-ship", "brig")
    })
}

#[test]
fn a_granted_request_is_sent_and_answered() {
    let server = greeting();
    let host =
        fetch(&server.url("/a?b=c"), r#", headers = { x-sail = "main" }"#, &private(&server));
    let got = outputs(&host);
    assert_eq!(got["status"], 200);
    assert_eq!(got["body"], "GET /a?b=c");
    assert_eq!(got["headers"]["x-ship"], "brig");
    assert_eq!(server.requests()[0].header("x-sail"), Some("main"));
}

#[test]
fn wasi_http_takes_the_same_way() {
    let server = greeting();
    let host = fetch(&server.url("/wasi"), r#", via = "wasi""#, &private(&server));
    assert_eq!(outputs(&host), json!({ "status": 200, "body": "GET /wasi" }));
}

#[test]
fn a_host_that_is_not_granted_is_denied_with_the_line_to_add() {
    let server = greeting();
    let host = host_with("fetch", &format!("with = {{ url = \"{}\" }}", server.url("/")));
    fails(&host).exits(3).stderr_is(str![[r#"
step  denied after [TOOK]: the step is not granted `http` for `GET http://127.0.0.1:[PORT]`

error: step `step` was denied
 --> p.toml:6:6
  |
6 | id = "step"
  |      ^^^^^^
  |
  = cause: the step is not granted `http` for `GET http://127.0.0.1:[PORT]`
  = help: add to `[step.grant]` of the step: http = [{ url = "http://127.0.0.1:[PORT]", methods = ["GET"], private = true }]

"#]]);
    assert!(server.requests().is_empty());
}

#[test]
fn the_line_to_add_is_the_one_that_helps() {
    let server = greeting();
    let pipeline = crate::one_step("fetch", &format!("with = {{ url = \"{}\" }}", server.url("/")));
    let host = crate::host().file("p.toml", &pipeline);
    let mut grant = String::new();
    // At most two refusals: the name is not granted, then the address is this machine.
    for _ in 0..2 {
        let failed = fails(&host);
        failed.exits(3);
        let (_, line) = failed.stderr.split_once("add to `[step.grant]` of the step: ").unwrap();
        grant = line.lines().next().unwrap().to_owned();
        host.write("p.toml", format!("{pipeline}\n[step.grant]\n{grant}\n"));
        if host.run(&["run", "p.toml", "--quiet"]).code == Some(0) {
            break;
        }
    }
    assert_eq!(outputs(&host)["body"], "GET /", "{grant}");
}

#[test]
fn wasi_http_is_denied_what_is_not_granted() {
    let server = greeting();
    let rest = format!("with = {{ url = \"{}\", via = \"wasi\" }}", server.url("/"));
    let failed = fails(&host_with("fetch", &rest));
    // What the guest sees is an error code of `wasi:http`; it makes of it what it likes.
    failed.stderr_says(&["error: step `step`"]);
    assert_ne!(failed.code, Some(0));
    assert!(server.requests().is_empty());
}

#[test]
fn a_port_or_a_method_that_is_not_granted_is_denied() {
    let server = greeting();
    let other = greeting();
    fails(&fetch(&server.url("/"), "", &private(&other))).exits(3);
    let rule = format!("{{ url = \"{}\", private = true, methods = [\"GET\"] }}", server.url(""));
    let denied = fails(&fetch(&server.url("/"), r#", method = "DELETE""#, &rule));
    denied.exits(3).stderr_says(&["DELETE"]);
    assert!(server.requests().is_empty());
}

#[test]
fn an_address_of_this_machine_needs_private() {
    let server = greeting();
    let rule = format!("\"{}\"", server.url(""));
    fails(&fetch(&server.url("/"), "", &rule)).exits(3).stderr_is(str![[r#"
step  denied after [TOOK]: the host refuses to connect to `http://127.0.0.1:[PORT]`: 127.0.0.1 is a loopback address

error: step `step` was denied
 --> p.toml:6:6
  |
6 | id = "step"
  |      ^^^^^^
  |
  = cause: the host refuses to connect to `http://127.0.0.1:[PORT]`: 127.0.0.1 is a loopback address
  = help: add to `[step.grant]` of the step: http = [{ url = "http://127.0.0.1:[PORT]", private = true }]

"#]]);
    assert!(server.requests().is_empty());
}

#[test]
fn a_name_that_leads_to_this_machine_needs_private() {
    let server = greeting();
    let port = server.address().rsplit(':').next().unwrap().to_owned();
    let url = format!("http://localhost:{port}");
    let denied = fails(&fetch(&format!("{url}/"), "", &format!("\"{url}\"")));
    denied.exits(3).stderr_says(&["localhost", "private = true"]);
    assert!(server.requests().is_empty());
}

#[test]
fn the_metadata_address_is_refused() {
    let url = "http://169.254.169.254/latest/meta-data/";
    fails(&fetch(url, "", r#""http://169.254.169.254""#)).exits(3).stderr_is(str![[r#"
step  denied after [TOOK]: the host refuses to connect to `http://169.254.169.254`: 169.254.169.254 is a cloud metadata address

error: step `step` was denied
 --> p.toml:6:6
  |
6 | id = "step"
  |      ^^^^^^
  |
  = cause: the host refuses to connect to `http://169.254.169.254`: 169.254.169.254 is a cloud metadata address
  = help: add to `[step.grant]` of the step: http = [{ url = "http://169.254.169.254", private = true }]

"#]]);
}

#[test]
fn other_spellings_of_an_address_are_the_address() {
    for url in [
        "http://0x7f000001:9/",
        "http://2130706433:9/",
        "http://127.1:9/",
        "http://[::ffff:7f00:1]:9/",
    ] {
        let origin = url.trim_end_matches('/');
        let denied = fails(&fetch(url, "", &format!("\"{origin}\"")));
        denied.exits(3).stderr_says(&["a loopback address"]);
    }
}

/// Answers with a token, and takes it.
fn issuer(status: u16, body: &'static str) -> HttpServer {
    HttpServer::start(move |request| match request.method.as_str() {
        "POST" => Answer::body("{}"),
        _ => Answer::status(status).with(body),
    })
}

#[test]
fn a_secret_of_a_response_is_kept_and_can_be_sent() {
    let server = issuer(200, r#"{"id":"a","token":"s3cret-of-the-response"}"#);
    let host = fetch(&server.url("/"), r#", keep = "/token""#, &private(&server));
    let got = outputs(&host);
    assert_eq!(got["body"], r#"{"id":"a","token":null}"#);
    assert_eq!((&got["kept"], &got["name"]), (&json!(1), &json!("response")));
    assert_eq!(got["empty"], false);
    let sent = &server.requests()[1];
    assert_eq!(sent.header("authorization"), Some("Bearer s3cret-of-the-response"));
}

#[test]
fn a_response_without_the_secret_is_not_shown() {
    for body in [r#"{"token":7,"other":"s3cret-of-the-response"}"#, "s3cret-of-the-response"] {
        let server = issuer(200, body);
        let host = fetch(&server.url("/"), r#", keep = "/token""#, &private(&server));
        let ran = fails(&host);
        ran.exits(1).stderr_says(&["the response of http://127.0.0.1:"]);
        assert!(!ran.stderr.contains("s3cret"), "{}", ran.account());
    }
    let server = issuer(403, r#"{"error":"no"}"#);
    let host = fetch(&server.url("/"), r#", keep = "/token""#, &private(&server));
    let got = outputs(&host);
    assert_eq!((&got["status"], &got["kept"]), (&json!(403), &json!(0)));
}

#[test]
fn secrets_are_compared_unless_they_are_bound() {
    let server = issuer(200, r#"{"token":"s3cret-of-the-response"}"#);
    let more = r#", keep = "/token", secret = "mine""#;
    let with = |value: &str, only_to: &str| {
        let step = format!(
            "with = {{ url = \"{}\"{more} }}\n[step.grant]\nhttp = [{}]\nsecrets = [\"mine\"]\n\
             [secrets]\nmine = {{ from = \"env\", name = \"MINE\"{only_to} }}",
            server.url("/"),
            private(&server)
        );
        host_with("fetch", &step).env("MINE", value)
    };
    assert_eq!(outputs(&with("s3cret-of-the-response", ""))["equal"], true);
    assert_eq!(outputs(&with("s3cret-of-the-responsf", ""))["equal"], false);
    assert_eq!(outputs(&with("s3cret", ""))["equal"], false);
    let bound = with("s3cret-of-the-response", ", only-to = [\"127.0.0.1\"]");
    fails(&bound).exits(3).stderr_says(&["a comparison"]);
}

#[test]
fn a_redirect_is_the_guests_unless_it_asks_to_follow() {
    let target = greeting();
    let to = target.url("/there");
    let server = HttpServer::start(move |_| Answer::redirect(302, &to));
    let got = outputs(&fetch(&server.url("/"), "", &private(&server)));
    assert_eq!(got["status"], 302);
    assert_eq!(got["headers"]["location"], target.url("/there"));
    assert!(target.requests().is_empty());
}

#[test]
fn a_redirect_is_followed_where_the_grant_allows_it() {
    let target = greeting();
    let to = target.url("/there");
    let server = HttpServer::start(move |_| Answer::redirect(307, &to));
    let rules = format!("{}, {}", private(&server), private(&target));
    let got = outputs(&fetch(&server.url("/"), ", follow = true", &rules));
    assert_eq!(got["body"], "GET /there");
    assert_eq!(got["url"], target.url("/there"));
}

#[test]
fn a_redirect_to_a_host_that_is_not_granted_is_denied() {
    let target = greeting();
    let to = target.url("/there");
    let server = HttpServer::start(move |_| Answer::redirect(302, &to));
    let denied = fails(&fetch(&server.url("/"), ", follow = true", &private(&server)));
    denied.exits(3).stderr_says(&[&target.url(""), "[step.grant]"]);
    assert!(target.requests().is_empty());
}

#[test]
fn a_redirect_to_the_metadata_address_is_denied() {
    let server = HttpServer::start(|_| Answer::redirect(302, "http://169.254.169.254/latest/"));
    let rules = format!("{}, \"http://169.254.169.254\"", private(&server));
    let denied = fails(&fetch(&server.url("/"), ", follow = true", &rules));
    denied.exits(3).stderr_says(&["169.254.169.254", "a cloud metadata address"]);
}

#[test]
fn redirects_in_a_circle_end() {
    let address = Arc::new(std::sync::OnceLock::<String>::new());
    let known = Arc::clone(&address);
    let server = HttpServer::start(move |_| Answer::redirect(302, known.get().unwrap()));
    address.set(server.url("/again")).unwrap();
    let failed = fails(&fetch(&server.url("/"), ", follow = true", &private(&server)));
    failed.exits(1);
    assert_eq!(server.requests().len(), 11, "the first request and ten redirects");
}

#[test]
fn headers_that_belong_to_the_host_are_refused() {
    let server = greeting();
    for header in ["host", "content-length", "transfer-encoding", "connection"] {
        let more = format!(", headers = {{ {header} = \"x\" }}");
        fails(&fetch(&server.url("/"), &more, &private(&server))).exits(1);
    }
    assert!(server.requests().is_empty());
}

#[test]
fn a_header_cannot_smuggle_another() {
    let server = greeting();
    let more = r#", headers = { x-a = "b\r\nx-c: d" }"#;
    fails(&fetch(&server.url("/"), more, &private(&server))).exits(1);
    assert!(server.requests().is_empty());
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let server = HttpServer::start(|_| Answer::never());
    let host = fetch(&server.url("/"), ", timeout-ms = 200", &private(&server));
    fails(&host).exits(124);
}

#[test]
fn a_body_over_the_limit_is_refused() {
    let server = HttpServer::start(|_| Answer::body(vec![b'x'; (16 << 20) + 1]));
    let failed = fails(&fetch(&server.url("/"), "", &private(&server)));
    failed.exits(1).stderr_says(&["16 MiB"]);
}

#[test]
fn an_answer_that_is_cut_off_is_transient() {
    let server = HttpServer::start(|_| Answer::body("x".repeat(1000)).cut_after(10));
    fails(&fetch(&server.url("/"), "", &private(&server))).exits(5);
}

#[test]
fn a_port_where_nobody_listens_is_transient() {
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let rule = format!("{{ url = \"http://{address}\", private = true }}");
    fails(&fetch(&format!("http://{address}/"), "", &rule)).exits(5);
}
