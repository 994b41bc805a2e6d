//! Running again: anew, from a step on, or what has failed.

use serde_json::json;
use support::TestHost;

use super::{ends, instance, listed, newest, pipeline, shown, write};

/// `{ACT}` decides whether the third step fails.
const CHAIN: &str = r#"
[inputs]
who = { type = "string", default = "Ada" }
[[step]]
id = "a"
needs = []
uses = "{ECHO}"
with = { text = "hello {{ inputs.who }}" }
[[step]]
id = "b"
needs = ["a"]
uses = "{ECHO}"
with = { text = "{{ steps.a.outputs.text }}!" }
[[step]]
id = "c"
needs = ["b"]
uses = "{BAD}"
with = { act = "fail-at-first", until = {UNTIL}, code = "x", message = "not yet" }
[[step]]
id = "d"
needs = ["c"]
uses = "{ECHO}"
[[step]]
id = "apart"
needs = []
uses = "{ECHO}"
with = { text = "apart" }
[[step]]
id = "clean"
needs = ["d"]
always = true
uses = "{ECHO}"
"#;

fn chain(until: u32) -> String {
    CHAIN.replace("{UNTIL}", &until.to_string())
}

/// A run of the chain whose third step failed, and the file as it would succeed.
fn failed() -> TestHost {
    let host = pipeline("chain", &chain(9));
    host.run(&["run", "p.toml", "--keep-going", "--input", "who=Bo"]).exits(1);
    host
}

fn rerun(host: &TestHost, more: &[&str]) -> Vec<String> {
    let id = newest(host);
    let ran =
        host.run(&[&["runs", "rerun", &id, "--format", "json", "--jobs", "1"], more].concat());
    ran.exits(0);
    let mut all = ends(&ran);
    all.sort();
    let new = &listed(host, &["--last", "1"])[0];
    assert_eq!((&new["status"], &new["rerun-of"]), (&json!("succeeded"), &json!(id)));
    all
}

#[test]
fn what_failed_runs_again_and_the_rest_is_taken_from_the_record() {
    let host = failed();
    write(&host, "p.toml", "chain", &chain(0));
    let all = rerun(&host, &["--failed"]);
    let expected =
        ["a reused", "apart reused", "b reused", "c succeeded", "clean succeeded", "d succeeded"];
    assert_eq!(all, expected);
    let run = shown(&host, &newest(&host));
    assert_eq!(run["inputs"], json!({ "who": "Bo" }));
    let b = instance(&run, "b");
    assert_eq!(b["inputs"], json!({ "text": "hello Bo!" }));
    assert_eq!(b["outputs"], json!({ "text": "hello Bo!" }));
    assert_eq!(b["reused"], run["rerun-of"]);
    // What was taken once can be taken again.
    assert_eq!(
        rerun(&host, &["--from", "d"]),
        ["a reused", "apart reused", "b reused", "c reused", "clean succeeded", "d succeeded"]
    );
}

#[test]
fn a_changed_file_is_said_and_only_what_is_unchanged_is_taken() {
    let host = failed();
    let changed = chain(0).replace("outputs.text }}!", "outputs.text }}?");
    write(&host, "p.toml", "chain", &changed);
    let id = newest(&host);
    let ran = host.run(&["runs", "rerun", &id, "--failed"]);
    let short = &id[..3];
    ran.exits(0).stderr_says(&[
        &format!("the pipeline file is not the one that run {short} has run"),
        "a      reused from run ",
        "b      changed in ",
        "apart  reused from run ",
    ]);
}

#[test]
fn a_step_after_one_that_ran_again_runs_again_though_its_inputs_are_the_same() {
    let steps = r#"
[[step]]
id = "build"
uses = "{ECHO}"
with = { tag = "app:{{ run.id }}" }
[[step]]
id = "deploy"
uses = "{ECHO}"
with = { tag = "app:latest" }
[[step]]
id = "skipped"
uses = "{ECHO}"
when = "false"
[[step]]
id = "after"
uses = "{ECHO}"
[[step]]
id = "broken"
uses = "{BAD}"
with = { act = "fail-at-first", until = {UNTIL}, code = "x" }
"#;
    let host = pipeline("chain", &steps.replace("{UNTIL}", "9"));
    host.run(&["run", "p.toml"]).exits(1);
    write(&host, "p.toml", "chain", &steps.replace("{UNTIL}", "0"));
    assert_eq!(
        rerun(&host, &["--failed"]),
        [
            "after succeeded",
            "broken succeeded",
            "build succeeded",
            "deploy succeeded",
            "skipped skipped"
        ]
    );
}

#[test]
fn without_a_choice_everything_runs_anew() {
    let host = pipeline("chain", &chain(0));
    host.run(&["run", "p.toml", "--input", "who=Bo"]).exits(0);
    assert_eq!(
        rerun(&host, &[]),
        [
            "a succeeded",
            "apart succeeded",
            "b succeeded",
            "c succeeded",
            "clean succeeded",
            "d succeeded"
        ]
    );
    assert_eq!(
        rerun(&host, &["--from", "b"]),
        [
            "a reused",
            "apart reused",
            "b succeeded",
            "c succeeded",
            "clean succeeded",
            "d succeeded"
        ]
    );
    // Another input is another text for two steps.
    assert_eq!(
        rerun(&host, &["--from", "d", "--input", "who=Cy"]),
        [
            "a succeeded",
            "apart reused",
            "b succeeded",
            "c succeeded",
            "clean succeeded",
            "d succeeded"
        ]
    );
}

#[test]
fn what_cannot_be_done_again_says_why() {
    let host = pipeline("chain", &chain(0));
    host.run(&["run", "p.toml"]).exits(0);
    let id = newest(&host);
    let again = |more: &[&str]| host.run(&[&["runs", "rerun", &id], more].concat());
    again(&["--failed"]).exits(2).stderr_says(&["nothing in run ", "leave out `--failed`"]);
    again(&["--from", "aprt"])
        .exits(2)
        .stderr_says(&["there is no step `aprt`", "did you mean `--from apart`?"]);
    again(&["--from", "b", "--failed"]).exits(2).stderr_says(&["cannot be used with"]);
    std::fs::remove_file(host.path("p.toml")).unwrap();
    again(&[]).exits(2).stderr_says(&["the pipeline file of run ", "is gone", "p.toml"]);
    assert_eq!(listed(&host, &[]).len(), 1, "none of that was a run");
}

#[test]
fn a_matrix_is_taken_instance_by_instance() {
    let steps = r#"
[[step]]
id = "each"
uses = "{BAD}"
matrix = { until = [0, {UNTIL}] }
with = { act = "fail-at-first", until = "{{ matrix.until }}", code = "x" }
"#;
    let host = pipeline("chain", &steps.replace("{UNTIL}", "9"));
    host.run(&["run", "p.toml"]).exits(1);
    host.run(&["runs", "rerun", &newest(&host), "--failed"]).exits(1);
    let run = shown(&host, &newest(&host));
    let instances = run["steps"][0]["instances"].as_array().unwrap();
    let outcome = |name: &str| {
        let found = instances.iter().find(|found| found["instance"] == name).unwrap();
        (found["outcome"].clone(), found["reused"].is_string())
    };
    assert_eq!(outcome("each[until=0]"), (json!("succeeded"), true));
    assert_eq!(outcome("each[until=9]"), (json!("failed"), false));
}
