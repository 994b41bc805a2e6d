//! A secret reaches the server that it is for, and nobody else.

use support::{Answer, HttpServer, Output, TestHost, str};

use crate::{fails, host_with};

const VALUE: &str = "cargo-of-gold";
/// `me:cargo-of-gold`, RFC 7617.
const BASIC: &str = "Basic bWU6Y2FyZ28tb2YtZ29sZA==";

fn server() -> HttpServer {
    HttpServer::start(|_| Answer::body("ok"))
}

/// A guest that sends the secret `token` to `server`; it may use it, and it may go to `only_to`.
fn sends(server: &HttpServer, more: &str, only_to: &str, secrets: &str) -> TestHost {
    let url = server.url("/");
    let rest = format!(
        r#"with = {{ url = "{url}", secret = "token"{more} }}
[step.grant]
http = [{{ url = "{url}", private = true }}]
{secrets}

[secrets]
token = {{ from = "env", name = "TOKEN"{only_to} }}"#
    );
    host_with("fetch", &rest).env("TOKEN", VALUE)
}

const USE: &str = r#"secrets = ["token"]"#;
const HERE: &str = r#", only-to = ["127.0.0.1"]"#;

/// Runs and checks that the value is nowhere to be seen.
fn run_and_see_nothing(host: &TestHost) -> Output {
    let ran = host.run(&["run", "p.toml", "--format", "json", "-v"]);
    // Nor in what is kept of the run.
    let files = ["runs.sqlite", "runs.sqlite-wal"];
    let kept: Vec<u8> = files
        .iter()
        .flat_map(|name| std::fs::read(host.path(&format!(".home/state/{name}"))).unwrap())
        .collect();
    let kept = String::from_utf8_lossy(&kept);
    assert!(kept.contains("run-finished"));
    for form in [VALUE, "Y2FyZ28tb2YtZ29sZA", "bWU6Y2FyZ28tb2YtZ29sZA"] {
        assert!(!ran.account().contains(form), "{form} is shown\n{}", ran.account());
        assert!(!kept.contains(form), "{form} is kept");
    }
    ran
}

#[test]
fn a_sealed_header_arrives_though_nobody_sees_it() {
    let server = server();
    run_and_see_nothing(&sends(&server, "", HERE, USE)).exits(0);
    assert_eq!(server.requests()[0].header("authorization"), Some("Bearer cargo-of-gold"));
}

#[test]
fn basic_credentials_and_sealed_bodies_arrive() {
    let server = server();
    run_and_see_nothing(&sends(&server, r#", seal = "basic""#, HERE, USE)).exits(0);
    assert_eq!(server.requests()[0].header("authorization"), Some(BASIC));
    let more = r#", seal = "body", method = "POST""#;
    run_and_see_nothing(&sends(&server, more, HERE, USE)).exits(0);
    assert_eq!(server.requests()[1].body, br#""cargo-of-gold""#);
}

#[test]
fn a_placeholder_is_replaced_for_the_hosts_of_only_to() {
    let server = server();
    let ran = run_and_see_nothing(&sends(&server, r#", seal = "placeholder""#, HERE, USE));
    ran.exits(0);
    assert_eq!(server.requests()[0].header("x-secret"), Some(VALUE));
    let placeholder = ran.finished("step")["outputs"]["placeholder"].as_str().unwrap().to_owned();
    assert_ne!(placeholder, VALUE);
}

#[test]
fn a_placeholder_is_replaced_in_wasi_http_too() {
    let server = server();
    let more = r#", seal = "placeholder", via = "wasi""#;
    run_and_see_nothing(&sends(&server, more, HERE, USE)).exits(0);
    assert_eq!(server.requests()[0].header("x-secret"), Some(VALUE));
}

#[test]
fn a_placeholder_stays_a_word_for_other_hosts() {
    let server = server();
    let only_to = r#", only-to = ["example.org"]"#;
    let host = sends(&server, r#", seal = "placeholder""#, only_to, USE);
    let ran = run_and_see_nothing(&host);
    for request in server.requests() {
        assert_ne!(request.header("x-secret"), Some(VALUE), "{}", ran.account());
    }
}

#[test]
fn a_placeholder_needs_only_to() {
    let server = server();
    fails(&sends(&server, r#", seal = "placeholder""#, "", USE)).exits(3).stderr_is(str![[r#"
step  denied after [TOOK]: the secret `token` names no host in `only-to`, which a placeholder needs

error: step `step` was denied
 --> p.toml:6:6
  |
6 | id = "step"
  |      ^^^^^^
  |
  = cause: the secret `token` names no host in `only-to`, which a placeholder needs
  = help: in `[secrets]` give `token` the key `only-to = ["registry.example"]`

"#]]);
    assert!(server.requests().is_empty());
}

#[test]
fn a_secret_goes_to_no_host_but_those_of_only_to() {
    let server = server();
    let host = sends(&server, "", r#", only-to = ["example.org"]"#, USE);
    fails(&host).exits(3).stderr_is(str![[r#"
step  denied after [TOOK]: the secret `token` may not go to `127.0.0.1`

error: step `step` was denied
 --> p.toml:6:6
  |
6 | id = "step"
  |      ^^^^^^
  |
  = cause: the secret `token` may not go to `127.0.0.1`
  = cause: its `only-to` names `example.org`
  = help: in `[secrets]` give `token` the key `only-to = ["example.org", "127.0.0.1"]`

"#]]);
    assert!(server.requests().is_empty());
}

#[test]
fn a_secret_that_is_not_granted_is_denied_with_the_line_to_add() {
    let server = server();
    fails(&sends(&server, "", HERE, "")).exits(3).stderr_is(str![[r#"
step  denied after [TOOK]: the step is not granted `secrets.use` for `token`

error: step `step` was denied
 --> p.toml:6:6
  |
6 | id = "step"
  |      ^^^^^^
  |
  = cause: the step is not granted `secrets.use` for `token`
  = help: add to `[step.grant]` of the step: secrets.use = ["token"]

"#]]);
    assert!(server.requests().is_empty());
}

#[test]
fn use_is_not_reveal() {
    let server = server();
    let more = r#", seal = "reveal", via = "none""#;
    fails(&sends(&server, more, HERE, USE)).exits(3).stderr_is(str![[r#"
step  denied after [TOOK]: the step is not granted `secrets.reveal` for `token`

error: step `step` was denied
 --> p.toml:6:6
  |
6 | id = "step"
  |      ^^^^^^
  |
  = cause: the step is not granted `secrets.reveal` for `token`
  = help: add to `[step.grant]` of the step: secrets.reveal = ["token"]

"#]]);
}

#[test]
fn what_is_revealed_is_masked_wherever_it_is_shown() {
    let server = server();
    let secrets = r#"secrets = { use = ["token"], reveal = ["token"] }"#;
    let more = r#", seal = "reveal", via = "none""#;
    run_and_see_nothing(&sends(&server, more, HERE, secrets)).exits(0);
}

#[test]
fn a_sealed_header_is_dropped_when_a_redirect_leaves_the_origin() {
    let other = server();
    let to = other.url("/there");
    let server = HttpServer::start(move |_| Answer::redirect(302, &to));
    let (url, there) = (server.url("/"), other.url("/"));
    let rest = format!(
        r#"with = {{ url = "{url}", secret = "token", follow = true }}
[step.grant]
http = [{{ url = "{url}", private = true }}, {{ url = "{there}", private = true }}]
secrets = ["token"]

[secrets]
token = {{ from = "env", name = "TOKEN", only-to = ["127.0.0.1"] }}"#
    );
    let host = host_with("fetch", &rest).env("TOKEN", VALUE);
    run_and_see_nothing(&host).exits(0);
    assert_eq!(server.requests()[0].header("authorization"), Some("Bearer cargo-of-gold"));
    assert_eq!(other.requests()[0].header("authorization"), None);
}

#[test]
fn a_server_that_repeats_a_secret_does_not_make_it_seen() {
    let server = HttpServer::start(|request| {
        Answer::body(format!("you said {}", request.header("authorization").unwrap_or_default()))
    });
    run_and_see_nothing(&sends(&server, "", HERE, USE)).exits(0);
}

#[test]
fn a_variable_that_is_not_set_is_an_unavailable_secret() {
    let server = server();
    let host = sends(&server, "", HERE, USE).env("TOKEN", "");
    fails(&host).exits(4).stderr_says(&["TOKEN"]);
    assert!(server.requests().is_empty());
}

#[test]
fn a_secret_comes_from_a_file_or_from_the_store() {
    let server = server();
    let (url, address) = (server.url("/"), "127.0.0.1");
    for from in [r#"from = "file", path = "token.txt""#, r#"from = "store", name = "kept""#] {
        let rest = format!(
            r#"with = {{ url = "{url}", secret = "token" }}
[step.grant]
http = [{{ url = "{url}", private = true }}]
secrets = ["token"]

[secrets]
token = {{ {from}, only-to = ["{address}"] }}"#
        );
        let host = host_with("fetch", &rest).file("token.txt", format!("{VALUE}\n"));
        host.run_with_input(&["secret", "set", "kept"], VALUE.as_bytes()).exits(0);
        run_and_see_nothing(&host).exits(0);
    }
    for request in server.requests() {
        assert_eq!(request.header("authorization"), Some("Bearer cargo-of-gold"));
    }
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_secret_never_stands_on_a_command_line() {
    let server = HttpServer::start(|_| Answer::never());
    let host = sends(&server, "", HERE, USE);
    let running = host.spawn(&["run", "p.toml"], b"");
    support::poll("the request", || server.requests().first().map(|_| ()));
    let arguments = std::fs::read(format!("/proc/{}/cmdline", running.id())).unwrap();
    assert!(!String::from_utf8_lossy(&arguments).contains(VALUE));
    drop(server);
    host.finish(running, &["run"]);
}
