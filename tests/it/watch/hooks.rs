//! What others tell over HTTP.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;
use support::{Access, DockerRegistry, Running, Signal, TestHost, poll, push_with_skopeo};

use super::{image, node, on_images, push, runs, triggers, watching};

const TOKEN: &str = "0123456789abcdef";

const HEARS: &str = "[secrets]\nhook-token = { from = \"env\", name = \"HOOK_TOKEN\" }\n\n";

fn hears(from: &str, rest: &str) -> String {
    format!(
        "{HEARS}[[on.webhook]]\nname = \"hook\"\nfrom = {from:?}\nsecret = \"hook-token\"\n{rest}\n"
    )
}

/// A watcher of `p.toml` that listens, and where.
fn listening(on: &str) -> (TestHost, Running, String) {
    let host = watching(on).env("HOOK_TOKEN", TOKEN);
    let mut watcher = host.spawn(&["watch", "p.toml", "--listen", "127.0.0.1:0"], b"");
    let address = watcher.wait_for("where it listens", |_, stderr| {
        let (_, rest) = stderr.split_once("listening on http://")?;
        rest.split_once("/hooks/").map(|(address, _)| address.to_owned())
    });
    (host, watcher, address)
}

fn registry_telling(address: &str) -> DockerRegistry {
    DockerRegistry::telling(&format!("http://{address}/hooks/hook"), &format!("Bearer {TOKEN}"))
}

fn end(host: &TestHost, watcher: Running) {
    watcher.signal(Signal::SIGTERM);
    host.finish(watcher, &["watch", "p.toml"]).exits(0);
}

/// The answer to a request with these headers and this body.
fn post(address: &str, path: &str, headers: &str, body: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    write!(
        connection,
        "POST {path} HTTP/1.1\r\nHost: hooks\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_registry_tells_of_a_push() {
    let (host, watcher, address) = listening(&hears("distribution", "tags = [\"9-*\"]"));
    let registry = registry_telling(&address);
    push_with_skopeo(&image(7), &registry, Access::Anonymous, "base/node:8");
    push(&registry, 1);
    let run = poll("a run", || runs(&host).into_iter().find(|run| run["status"] == "succeeded"));
    assert_eq!(run["trigger"], "webhook");
    let told = &run["cause"]["webhook"]["news"][0];
    assert_eq!(
        (&told["image"], &told["digest"]),
        (&json!(node(&registry)), &json!(image(1).digest()))
    );
    // The same again, and then another one: what is told twice starts nothing.
    push(&registry, 1);
    push(&registry, 2);
    poll("another run", || {
        let all = runs(&host);
        let is_told = |run: &serde_json::Value| {
            run["cause"]["webhook"]["news"][0]["digest"] == image(2).digest()
        };
        all.iter().any(is_told).then_some(())
    });
    assert_eq!(runs(&host).len(), 2);
    end(&host, watcher);
}

#[test]
fn what_is_told_and_looked_at_starts_one_run() {
    let (host, watcher, address) = listening(&hears("distribution", ""));
    let registry = registry_telling(&address);
    push(&registry, 0);
    poll("a run", || runs(&host).first().cloned());
    // From now on it is looked at, too: the file is read again.
    let looks = on_images(&[node(&registry)], "every = \"1s\"\njitter = \"0s\"");
    let text = host.read("p.toml").replace("[[on.webhook]]", &format!("{looks}\n[[on.webhook]]"));
    host.write("p.toml", text);
    poll("a trigger that is armed", || (triggers(&host)[0]["armed"] == true).then_some(()));
    for number in 1..=5 {
        let new = push(&registry, number);
        poll("a run of it", || {
            let last = runs(&host).pop()?;
            (last["cause"]["images"][0]["new"] == new && last["status"] == "succeeded")
                .then_some(())
        });
    }
    let all = runs(&host);
    assert_eq!(all.len(), 6);
    assert!(all[1..].iter().all(|run| run["trigger"] == "image-update"), "{all:?}");
    end(&host, watcher);
}

#[test]
fn who_does_not_know_the_secret_starts_nothing() {
    let (host, watcher, address) = listening(&hears("any", ""));
    let sent = |headers: &str, path: &str| {
        post(&address, path, headers, "{}").lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(sent("", "/hooks/hook"), "HTTP/1.1 401 Unauthorized");
    assert_eq!(sent("Authorization: Bearer wrong\r\n", "/hooks/hook"), "HTTP/1.1 401 Unauthorized");
    let right = format!("Authorization: Bearer {TOKEN}\r\nX-Request-Id: 1\r\n");
    assert_eq!(sent(&right, "/hooks/other"), "HTTP/1.1 404 Not Found");
    assert!(runs(&host).is_empty());
    let answer = post(&address, "/hooks/hook", &right, "{}");
    assert!(answer.starts_with("HTTP/1.1 202 Accepted"), "{answer}");
    assert!(answer.contains("\"started\":[\""), "{answer}");
    let again = post(&address, "/hooks/hook", &right, "{}");
    assert!(again.contains("\"ignored\""), "{again}");
    let run = poll("a run", || runs(&host).into_iter().find(|run| run["status"] == "succeeded"));
    assert_eq!(run["cause"]["webhook"]["id"], "1");
    assert_eq!(runs(&host).len(), 1);
    let [trigger] = &triggers(&host)[..] else { panic!("there is one") };
    assert_eq!((&trigger["watches"], &trigger["armed"]), (&json!("/hooks/hook"), &json!(true)));
    end(&host, watcher);
}

#[test]
fn commits_of_branches_that_count() {
    let (host, watcher, address) = listening(&hears(
        "github",
        "check = \"token\"\nheader = \"X-Token\"\nbranches = [\"release/*\"]",
    ));
    let push = |branch: &str, id: &str| {
        let headers = format!(
            "X-Token: {TOKEN}\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: {id}\r\n\
             Content-Type: application/json\r\n"
        );
        let body = json!({
            "ref": format!("refs/heads/{branch}"), "after": "a".repeat(40), "before": "b".repeat(40),
            "deleted": false, "repository": { "full_name": "acme/app" },
        });
        post(&address, "/hooks/hook", &headers, &body.to_string())
    };
    let answer = push("main", "1");
    assert!(answer.contains("\"ignored\""), "{answer}");
    let answer = push("release/1", "2");
    assert!(answer.contains("\"started\""), "{answer}");
    let run = poll("a run", || runs(&host).into_iter().next());
    assert_eq!(run["cause"]["webhook"]["news"][0]["reference"], "refs/heads/release/1");
    end(&host, watcher);
}

#[test]
fn somebody_has_to_listen() {
    let host = watching(&hears("any", "")).env("HOOK_TOKEN", TOKEN);
    let ran = host.run(&["watch", "p.toml"]);
    ran.exits(2).stderr_says(&["nobody listens", "--listen 127.0.0.1:8300"]);
    host.run(&["watch", "p.toml", "--once"]).exits(0);
    let host = watching(&hears("any", ""));
    let ran = host.run(&["watch", "p.toml", "--listen", "127.0.0.1:0"]);
    ran.exits(4).stderr_says(&["HOOK_TOKEN"]);
    let ran = host.run(&["watch", "p.toml", "--listen", "nowhere"]);
    assert_ne!(ran.code, Some(0));
}
