//! Watchers and runners that are killed, at any moment.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Access, DockerRegistry, Image, Signal, poll, push_with_skopeo};

use super::{node, on_images, runs, watching};

/// Updates, each with a watcher that is killed.
const UPDATES: usize = 200;

/// A watcher is through within so many milliseconds: it is killed before its first word, after its
/// last, and anywhere between.
const LONGEST_MS: u64 = 180;

#[test]
fn there_is_a_run_for_each_update_however_watchers_end() {
    let registry = DockerRegistry::start(Access::Anonymous);
    let image = Image::multi_arch(&["linux/amd64"], 1000);
    push_with_skopeo(&image, &registry, Access::Anonymous, "base/node:9-alpine");
    let host = watching(&on_images(&[node(&registry)], ""));
    host.run(&["watch", "p.toml", "--once"]).exits(0);
    let mut digests: Vec<Value> = Vec::new();
    let mut moments = Vec::new();
    for number in 1..=UPDATES {
        digests.push(update(&registry, &image, number));
        let watcher = host.spawn(&["watch", "p.toml", "--once"], b"");
        let moment = Duration::from_millis(rand::random::<u64>() % LONGEST_MS);
        moments.push(moment);
        let start = Instant::now();
        poll("the moment", || (start.elapsed() >= moment).then_some(()));
        watcher.signal(Signal::SIGKILL);
        drop(watcher);
        // Looks where that one did not, runs what that one left queued, goes on where it broke off.
        host.run(&["watch", "p.toml", "--once"]).exits(0);
    }
    let all = runs(&host);
    let (again, first): (Vec<&Value>, Vec<&Value>) =
        all.iter().partition(|run| run["rerun-of"].is_string());
    let started: Vec<&Value> = first.iter().map(|run| new(run)).collect();
    assert_eq!(started, digests.iter().collect::<Vec<_>>(), "killed after {moments:?}");
    // What was broken off while it ran was gone on with, and ended well.
    let status: BTreeMap<&str, &str> =
        all.iter().map(|run| (text(run, "id"), text(run, "status"))).collect();
    for run in &again {
        assert_eq!(status[text(run, "rerun-of")], "interrupted", "{run}");
    }
    let built: BTreeSet<&str> = all
        .iter()
        .filter(|run| run["status"] == "succeeded")
        .filter_map(|run| new(run).as_str())
        .collect();
    assert_eq!(built.len(), UPDATES, "killed after {moments:?}");
}

fn new(run: &Value) -> &Value {
    &run["cause"]["images"][0]["new"]
}

fn text<'r>(run: &'r Value, key: &str) -> &'r str {
    run[key].as_str().unwrap()
}

/// Has the tag point at another manifest, of the same blobs: one request. Its digest.
fn update(registry: &DockerRegistry, image: &Image, number: usize) -> Value {
    let (_, manifest) = &image.manifests[0];
    let mut manifest: Value = serde_json::from_slice(manifest).unwrap();
    manifest["annotations"] = serde_json::json!({ "number": number.to_string() });
    let body = serde_json::to_vec(&manifest).unwrap();
    let mut connection = TcpStream::connect(registry.address()).unwrap();
    write!(
        connection,
        "PUT /v2/base/node/manifests/9-alpine HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n\
         Content-Type: {}\r\nContent-Length: {}\r\n\r\n",
        Image::manifest_media_type(),
        body.len()
    )
    .unwrap();
    connection.write_all(&body).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    Image::descriptor_of("", &body)["digest"].clone()
}
