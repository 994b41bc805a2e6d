//! What comes while a run is under way.

use serde_json::Value;
use support::{Access, DockerRegistry, Running, Signal, TestHost, poll};

use super::{node, on_images, push, runs, triggers};
use crate::host;

/// A pipeline whose run lasts until somebody ends it, watched.
fn watched(concurrency: &str) -> (TestHost, Running, DockerRegistry) {
    let registry = DockerRegistry::start(Access::Anonymous);
    push(&registry, 0);
    let hog = TestHost::guest("hog");
    let on = on_images(&[node(&registry)], "every = \"1s\"\njitter = \"0s\"");
    let host = host().file(
        "p.toml",
        format!(
            "schema = 1\n[pipeline]\nname = \"long\"\n\n[on]\nconcurrency = {concurrency:?}\n{on}\n\
             [[step]]\nid = \"long\"\nuses = {hog:?}\nwith = {{ act = \"sleep\" }}\n"
        ),
    );
    let watcher = host.spawn(&["watch", "p.toml"], b"");
    poll("a trigger that is armed", || (triggers(&host).first()?["armed"] == true).then_some(()));
    (host, watcher, registry)
}

/// Waits until the runs stand like this, oldest first.
#[track_caller]
fn wait_for(host: &TestHost, statuses: &[&str]) -> Vec<Value> {
    poll(&format!("runs that are {statuses:?}"), || {
        let all = runs(host);
        let is_so =
            all.iter().map(|run| run["status"].as_str().unwrap()).eq(statuses.iter().copied());
        is_so.then_some(all)
    })
}

fn end(host: &TestHost, watcher: Running) {
    watcher.signal(Signal::SIGTERM);
    watcher.signal(Signal::SIGTERM);
    host.finish(watcher, &["watch", "p.toml"]);
}

#[test]
fn it_waits_its_turn() {
    let (host, watcher, registry) = watched("queue");
    push(&registry, 1);
    let all = wait_for(&host, &["running"]);
    push(&registry, 2);
    wait_for(&host, &["running", "queued"]);
    host.run(&["runs", "cancel", all[0]["id"].as_str().unwrap()]).exits(0);
    wait_for(&host, &["cancelled", "running"]);
    end(&host, watcher);
}

#[test]
fn it_replaces_what_was_before() {
    let (host, watcher, registry) = watched("cancel-previous");
    push(&registry, 1);
    wait_for(&host, &["running"]);
    push(&registry, 2);
    wait_for(&host, &["cancelled", "running"]);
    end(&host, watcher);
}

#[test]
fn it_runs_beside_it() {
    let (host, watcher, registry) = watched("allow");
    push(&registry, 1);
    wait_for(&host, &["running"]);
    push(&registry, 2);
    wait_for(&host, &["running", "running"]);
    end(&host, watcher);
}

#[test]
fn a_run_that_was_broken_off_is_gone_on_with() {
    let (host, watcher, registry) = watched("queue");
    push(&registry, 1);
    wait_for(&host, &["running"]);
    for broken in 1..=3 {
        let mut statuses = vec!["interrupted"; broken];
        if broken == 1 {
            watcher.signal(Signal::SIGKILL);
        }
        if broken == 3 {
            // It breaks off each time: that is left alone.
            host.run(&["watch", "p.toml", "--once"]).exits(0);
            wait_for(&host, &statuses);
            break;
        }
        let next = host.spawn(&["watch", "p.toml", "--once"], b"");
        statuses.push("running");
        let all = wait_for(&host, &statuses);
        assert_eq!(all[broken]["rerun-of"], all[broken - 1]["id"]);
        assert_eq!(all[broken]["cause"], all[0]["cause"]);
        next.signal(Signal::SIGKILL);
    }
}
