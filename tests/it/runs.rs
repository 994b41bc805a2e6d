//! What is kept of runs, and what can be done with it: `windlass runs`.

mod again;
mod documented;
mod killed;
mod record;

use serde_json::Value;
use support::{Output, Running, TestHost, poll};

use crate::host;

/// A world with the pipeline `p.toml` of `steps`; `{ECHO}`, `{BAD}`, `{NOOP}`, `{HANDS}` and `{HOG}`
/// stand for guests.
fn pipeline(name: &str, steps: &str) -> TestHost {
    let host = host();
    write(&host, "p.toml", name, steps);
    host
}

fn write(host: &TestHost, file: &str, name: &str, steps: &str) {
    let mut text = format!("schema = 1\n[pipeline]\nname = \"{name}\"\n{steps}");
    for guest in ["echo", "bad", "noop", "hands", "hog"] {
        let place = format!("{{{}}}", guest.to_uppercase());
        if text.contains(&place) {
            text = text.replace(&place, &TestHost::guest(guest));
        }
    }
    host.write(file, text);
}

/// What `windlass runs` says as JSON, newest first.
#[track_caller]
fn listed(host: &TestHost, more: &[&str]) -> Vec<Value> {
    let ran = host.run(&[&["runs", "--format", "json"], more].concat());
    ran.exits(0);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// The status of each run, newest first.
#[track_caller]
fn statuses(host: &TestHost) -> Vec<String> {
    let word = |run: &Value| run["status"].as_str().unwrap().to_owned();
    listed(host, &[]).iter().map(word).collect()
}

/// The id of the newest run.
#[track_caller]
fn newest(host: &TestHost) -> String {
    listed(host, &["--last", "1"])[0]["id"].as_str().unwrap().to_owned()
}

/// What `windlass runs show` says as JSON.
#[track_caller]
fn shown(host: &TestHost, id: &str) -> Value {
    let ran = host.run(&["runs", "show", id, "--format", "json"]);
    ran.exits(0);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// The one instance of a step in what is [`shown`].
fn instance(run: &Value, step: &str) -> Value {
    let steps = run["steps"].as_array().unwrap();
    let found = steps.iter().find(|found| found["id"] == step);
    found.unwrap_or_else(|| panic!("{step} is not in {run}"))["instances"][0].clone()
}

/// Starts `p.toml` and waits until it says that `step` has begun.
fn start(host: &TestHost, step: &str) -> Running {
    let mut running = host.spawn(&["run", "p.toml", "--format", "json"], b"");
    let started = format!(r#""event":"step-started","step":"{step}""#);
    running.wait_for("step", |stdout, _| stdout.contains(&started).then_some(()));
    running
}

/// Waits until a run is `status`.
fn wait_until(host: &TestHost, status: &str) -> Value {
    poll(status, || listed(host, &["--status", status]).into_iter().next())
}

/// `step outcome` of every step that ended; `reused` in place of the outcome of what was not run.
fn ends(ran: &Output) -> Vec<String> {
    let line = |event: &Value| {
        let word =
            if event["reused"].is_null() { &event["outcome"] } else { &Value::from("reused") };
        format!("{} {}", event["step"].as_str().unwrap(), word.as_str().unwrap())
    };
    ran.events("step-finished").iter().map(line).collect()
}

/// The bytes of the store, as text: those of its file and of what is not in it yet.
fn bytes(host: &TestHost) -> String {
    let files = ["runs.sqlite", "runs.sqlite-wal"];
    let read = |name: &str| std::fs::read(host.path(&format!(".home/state/{name}"))).ok();
    let all: Vec<u8> = files.iter().filter_map(|name| read(name)).flatten().collect();
    assert!(!all.is_empty(), "there is a store");
    String::from_utf8_lossy(&all).into_owned()
}
