//! How a run ends when somebody asks it to.

use support::{Running, Signal, TestHost};

use crate::host;

/// A step that never ends by itself, and one that cleans up behind it.
fn host_with_cleanup(cleanup: &str) -> TestHost {
    let (hog, echo) = (TestHost::guest("hog"), TestHost::guest("echo"));
    let cleanup = cleanup.replace("{HOG}", &hog).replace("{ECHO}", &echo);
    host().file(
        "p.toml",
        format!(
            r#"
schema = 1
[pipeline]
name = "long"

[[step]]
id = "long"
uses = "{hog}"
with = {{ act = "spin" }}

[[step]]
id = "clean"
always = true
{cleanup}
"#
        ),
    )
}

const QUICK: &str = "uses = \"{ECHO}\"\nwith = { was = \"{{ steps.long.outcome }}\" }";
const ENDLESS: &str = "uses = \"{HOG}\"\nwith = { act = \"sleep\" }";

const RUN: [&str; 4] = ["run", "p.toml", "--format", "json"];

fn start(host: &TestHost) -> Running {
    let mut running = host.spawn(&RUN, b"");
    running.wait_for("step", |stdout, _| stdout.contains("\"step-started\"").then_some(()));
    running
}

#[test]
fn an_interrupt_stops_the_steps_and_still_cleans_up() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let host = host_with_cleanup(QUICK);
        let running = start(&host);
        running.signal(signal);
        let ran = host.finish(running, &RUN);
        ran.exits(code);
        assert_eq!(ran.finished("long")["outcome"], "cancelled");
        assert_eq!(ran.finished("clean")["outputs"]["was"], "cancelled");
        assert_eq!(ran.events("run-finished")[0]["outcome"], "cancelled");
    }
}

#[test]
fn a_second_interrupt_ends_at_once() {
    let host = host_with_cleanup(ENDLESS);
    let mut running = start(&host);
    running.signal(Signal::SIGINT);
    running.wait_for("cleanup", |stdout, _| {
        stdout.contains(r#""event":"step-started","step":"clean""#).then_some(())
    });
    running.signal(Signal::SIGINT);
    let ran = host.finish(running, &RUN);
    ran.exits(130);
    assert_eq!(ran.finished("clean")["outcome"], "cancelled");
}

#[test]
fn a_killed_run_leaves_nothing_that_blocks_the_next() {
    let rest = "with = { act = \"count\", at = \"n\" }\n[step.grant]\nstate = true";
    let host = crate::host_with("hands", rest);
    assert_eq!(crate::outputs(&host)["count"], 1);
    let counting = host.read("p.toml");
    let hog = TestHost::guest("hog");
    let spin = format!("[[step]]\nid = \"spin\"\nuses = \"{hog}\"\nwith = {{ act = \"spin\" }}\n");
    host.write("p.toml", format!("{counting}\n{spin}"));
    let mut running = host.spawn(&RUN, b"");
    running.wait_for("spinning step", |stdout, _| {
        stdout.contains(r#""event":"step-started","step":"spin""#).then_some(())
    });
    running.signal(Signal::SIGKILL);
    host.finish(running, &RUN).exits(128 + 9);
    host.write("p.toml", counting);
    assert_eq!(crate::outputs(&host)["count"], 3, "what was reported as done is there");
}

#[test]
fn a_run_that_crashes_leaves_no_dump_of_its_secrets() {
    let host = host_with_cleanup(QUICK).env("TOKEN", "cargo-of-gold");
    let mut running = host.spawn_below("ulimit -c unlimited || exit 9", &RUN);
    running.wait_for("step", |stdout, _| stdout.contains("\"step-started\"").then_some(()));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", running.id())).unwrap();
    let limit = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(limit.split_whitespace().nth(4), Some("1"), "{limit}");
    running.signal(Signal::SIGABRT);
    host.finish(running, &RUN).exits(128 + 6);
    let sweep = support::Sweep::of([("the token".to_owned(), "cargo-of-gold".to_owned())]);
    assert_eq!(sweep.find_below(&host.path(""), &[], None), [""; 0]);
}

#[test]
fn the_embedded_registry_ends_when_it_is_asked_to() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let host = host();
        let registry = support::Embedded::start(&host, &host.path("registry")).into_process();
        registry.signal(signal);
        let ended = host.finish(registry, &["registry", "serve"]);
        assert!(matches!(ended.code, Some(0 | 130 | 143)), "{}", ended.account());
    }
}
