//! Runs whose process, or whose store, is gone.

use serde_json::{Value, json};
use support::{Running, Signal, poll};

use super::{ends, instance, listed, newest, pipeline, shown, start, statuses, wait_until, write};
use crate::{host_with, one_step};

/// A step that counts how often it ran, one that waits for ever, and one more.
const COUNTS: &str = r#"
[[step]]
id = "counts"
uses = "{HANDS}"
with = { act = "count", at = "n" }
grant = { state = true }
[[step]]
id = "waits"
uses = "{HOG}"
with = { act = "{ACT}", amount = {AMOUNT} }
[[step]]
id = "last"
uses = "{ECHO}"
"#;

fn counts(waits: bool) -> String {
    let (act, amount) = if waits { ("spin", "1") } else { ("sleep", "100") };
    COUNTS.replace("{ACT}", act).replace("{AMOUNT}", amount)
}

fn kill(running: Running) {
    running.signal(Signal::SIGKILL);
    let (status, ..) = running.finish();
    assert!(!status.success());
}

#[test]
fn a_run_that_was_killed_is_interrupted_and_goes_on_where_it_broke_off() {
    let host = pipeline("counts", &counts(true));
    let running = start(&host, "waits");
    let id = wait_until(&host, "running")["id"].as_str().unwrap().to_owned();
    // That the step before has ended is on its way to the disk.
    poll("the end of the first step", || {
        instance(&shown(&host, &id), "counts")["outcome"].is_string().then_some(())
    });
    kill(running);
    let run = shown(&host, &id);
    assert_eq!(run["status"], "interrupted");
    assert_eq!(instance(&run, "counts")["outcome"], "succeeded");
    assert_eq!(instance(&run, "waits")["outcome"], json!(null));
    let page = host.run(&["runs", "show", &id]);
    assert!(page.exits(0).stdout.contains("step waits: interrupted"), "{}", page.stdout);
    host.run(&["runs", "logs", &id]).exits(0).stderr_says(&["was interrupted"]);

    write(&host, "p.toml", "counts", &counts(false));
    let ran = host.run(&["runs", "rerun", &id, "--failed", "--format", "json"]);
    ran.exits(0);
    assert_eq!(ends(&ran), ["counts reused", "waits succeeded", "last succeeded"]);
    assert_eq!(ran.finished("counts")["outputs"]["count"], 1);
    assert_eq!(statuses(&host), ["succeeded", "interrupted"]);
}

#[test]
fn a_run_is_killed_at_any_moment_and_the_next_command_knows() {
    let host = pipeline("counts", &counts(false));
    // The first makes the files and compiles the plugins.
    host.run(&["run", "p.toml"]).exits(0);
    let says = [
        "windlass-events",
        "run-started",
        r#""step-started","step":"counts""#,
        r#""step-finished","step":"counts""#,
        r#""step-started","step":"waits""#,
        r#""step-finished","step":"waits""#,
        r#""step-started","step":"last""#,
        r#""step-finished","step":"last""#,
        "run-finished",
    ];
    let locks = || std::fs::read_dir(host.path(".home/state/runs")).unwrap().count();
    let mut interrupted = 0;
    // Before it says anything: as soon as it has taken its lock.
    for said in std::iter::repeat_n(None, 5).chain(says.map(Some)) {
        let before = listed(&host, &[]).len();
        let mut running = host.spawn(&["run", "p.toml", "--format", "json"], b"");
        match said {
            Some(said) => {
                running.wait_for(said, |stdout, _| stdout.contains(said).then_some(()));
            }
            None => poll("its lock", || (locks() > 0).then_some(())),
        }
        running.signal(Signal::SIGKILL);
        let (_, stdout, _) = running.finish();
        let all = listed(&host, &[]);
        if said.is_none() && all.len() == before {
            assert!(!stdout.contains("run-started"), "what was said to have begun is there");
            continue;
        }
        assert_eq!(all.len(), before + 1, "{said:?}");
        let run = &all[0];
        if run["status"] == "succeeded" {
            // Its end is on the disk before it is said.
            continue;
        }
        assert!(!stdout.contains("run-finished"), "what was said to be over is over");
        assert_eq!(run["status"], "interrupted", "{said:?}");
        interrupted += 1;
        let id = run["id"].as_str().unwrap();
        let ran = host.run(&["runs", "rerun", id, "--failed", "--format", "json"]);
        ran.exits(0);
        assert_eq!(ends(&ran).len(), 3, "{said:?}");
        assert_eq!(newest(&host), ran.events("run-started")[0]["run"].as_str().unwrap());
    }
    assert!(interrupted >= 3, "{interrupted} were interrupted");
    let open = |run: &Value| run["status"] == "running" || run["status"] == "queued";
    assert!(!listed(&host, &[]).iter().any(open));
    assert_eq!(locks(), 0, "nothing stays behind");
}

#[test]
fn a_run_without_a_place_for_its_record_says_so_and_runs() {
    let host = host_with("noop", "").file("state", "a file");
    let place = host.path("state");
    let host = host.env("WINDLASS_STATE_DIR", &place);
    let ran = host.run(&["run", "p.toml"]);
    ran.exits(0);
    assert_eq!(ran.stderr.matches("this run is not recorded").count(), 1, "{}", ran.stderr);
    ran.stderr_says(&["WINDLASS_STATE_DIR", "run succeeded in "]);
    host.run(&["runs"]).exits(0).stderr_is("no runs yet\n");
}

#[test]
fn a_store_of_a_newer_version_or_of_garbage_stops_no_run() {
    for content in ["SQLite format 3\0", "no database at all, and much longer than a page"] {
        let host = host_with("noop", "");
        host.write(".home/state/runs.sqlite", content.repeat(500));
        let ran = host.run(&["run", "p.toml", "--format", "json"]);
        ran.exits(0).stderr_says(&["this run is not recorded", "move `"]);
        assert_eq!(ran.events("run-finished")[0]["outcome"], "succeeded");
        host.run(&["runs"]).exits(1).stderr_says(&["cannot be read or written", "move `"]);
        assert_eq!(host.read(".home/state/runs.sqlite"), content.repeat(500), "it is left alone");
    }
}

#[test]
fn a_disk_that_fills_up_is_said_once_and_the_run_goes_on() {
    let host = host_with("noop", "");
    host.run(&["run", "p.toml"]).exits(0);
    host.write("p.toml", one_step("hog", "with = { act = \"log\", amount = 2000 }"));
    // 2 MB of log do not fit into files of 1 MiB.
    let ran = host.run_below("trap '' XFSZ; ulimit -f 2048", &["run", "p.toml"]);
    ran.exits(0).stderr_says(&["run succeeded in "]);
    assert_eq!(ran.stderr.matches("this run is not recorded").count(), 1, "{}", ran.stderr);
    assert_eq!(statuses(&host), ["interrupted", "succeeded"]);
}
