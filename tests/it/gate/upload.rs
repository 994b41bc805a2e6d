//! Files of the workspace that are packed and sent by the host: to whom the grant says, and to nobody
//! else.

use serde_json::json;
use support::{Answer, HttpServer, TestHost};

use crate::{fails, host_with, outputs};

/// A guest that sends the folder `from` to `url`, granted the rules `http`, and `folder` to read.
fn upload(from: &str, url: &str, more: &str, http: &str, folder: &str) -> TestHost {
    let grant = format!("[step.grant]\nhttp = [{http}]\nworkspace.read = [\"{folder}\"]");
    let rest = format!("with = {{ upload = \"{from}\", url = \"{url}\"{more} }}\n{grant}");
    host_with("fetch", &rest)
        .file("app/main.txt", "aye\n")
        .file("app/secret.txt", "s3cr3t\n")
        .file("other/key.txt", "key\n")
}

fn keeper() -> HttpServer {
    HttpServer::start(|_| Answer::status(201).with("kept"))
}

fn private(server: &HttpServer) -> String {
    format!("{{ url = \"{}\", private = true, methods = [\"PUT\"] }}", server.url(""))
}

#[test]
fn a_folder_is_sent_without_what_is_left_out() {
    let server = keeper();
    let more = r#", headers = { x-ms-blob-type = "BlockBlob" }"#;
    let host = upload("app", &server.url("/a?sig=x"), more, &private(&server), "app");
    let sent = outputs(&host);
    let request = &server.requests()[0];
    assert_eq!((&*request.method, &*request.path), ("PUT", "/a?sig=x"));
    assert_eq!(request.header("x-ms-blob-type"), Some("BlockBlob"));
    let size = request.body.len().to_string();
    assert_eq!(request.header("content-length"), Some(&*size));
    assert_eq!((&sent["status"], &sent["text"]), (&json!(201), &json!("kept")));
    assert_eq!(sent["size"].to_string(), size);
    // The same files are the same bytes.
    assert_eq!(outputs(&host)["digest"], sent["digest"]);
    host.write("sent.tar.gz", &request.body);
    let read = std::process::Command::new("tar")
        .args(["-xzOf", "sent.tar.gz"])
        .current_dir(host.path("."))
        .output()
        .unwrap();
    assert!(read.status.success(), "{read:?}");
    let text = String::from_utf8(read.stdout).unwrap();
    assert!(text.contains("aye") && text.contains("given") && !text.contains("s3cr3t"), "{text}");
}

#[test]
fn nothing_is_packed_for_a_host_that_is_not_granted() {
    let (server, other) = (keeper(), keeper());
    let host = upload("app", &server.url("/"), "", &private(&other), "app");
    fails(&host).exits(3).stderr_says(&["`http` for `PUT http://127.0.0.1:"]);
    let read_only =
        format!("{{ url = \"{}\", private = true, methods = [\"GET\"] }}", server.url(""));
    fails(&upload("app", &server.url("/"), "", &read_only, "app")).exits(3);
    let public = format!("\"{}\"", server.url(""));
    fails(&upload("app", &server.url("/"), "", &public, "app")).exits(3);
    assert!(server.requests().is_empty() && other.requests().is_empty());
}

#[test]
fn a_folder_that_is_not_granted_is_not_read() {
    let server = keeper();
    for from in ["other", "app/../other", "..", "/etc"] {
        let host = upload(from, &server.url("/"), "", &private(&server), "app");
        let failed = fails(&host);
        assert_ne!(failed.code, Some(0), "{from}");
    }
    fails(&upload("other", &server.url("/"), "", &private(&server), "app")).exits(3);
    assert!(server.requests().is_empty());
}

#[test]
fn a_link_that_leads_out_is_sent_as_a_link() {
    let server = keeper();
    let host = upload("app", &server.url("/"), "", &private(&server), "app");
    std::os::unix::fs::symlink("../other/key.txt", host.path("app/link")).unwrap();
    outputs(&host);
    let body = server.requests()[0].body.clone();
    host.write("sent.tar.gz", &body);
    let listed = std::process::Command::new("tar")
        .args(["-tvzf", "sent.tar.gz"])
        .current_dir(host.path("."))
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("link -> ../other/key.txt"), "{listed}");
}

#[test]
fn a_redirect_is_not_followed_and_a_refusal_is_an_answer() {
    let other = keeper();
    let to = other.url("/");
    let server = HttpServer::start(move |_| Answer::redirect(307, &to));
    let http = format!("{}, {}", private(&server), private(&other));
    let sent = outputs(&upload("app", &server.url("/"), "", &http, "app"));
    assert_eq!(sent["status"], 307);
    assert!(other.requests().is_empty());
    let server = HttpServer::start(|_| Answer::status(403).with("x".repeat(5000)));
    let sent = outputs(&upload("app", &server.url("/"), "", &private(&server), "app"));
    assert_eq!((&sent["status"], sent["text"].as_str().map(str::len)), (&json!(403), Some(4096)));
}

#[test]
fn headers_of_an_upload_cannot_lie_or_smuggle() {
    let server = keeper();
    for header in ["host = \"x\"", "content-length = \"1\"", "x-a = \"b\\r\\nx-c: d\""] {
        let more = format!(", headers = {{ {header} }}");
        let host = upload("app", &server.url("/"), &more, &private(&server), "app");
        fails(&host).exits(1);
    }
    assert!(server.requests().is_empty());
}
