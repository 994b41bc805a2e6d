//! A run: order, conditions, retries, what fails and what goes on, and what is said of it.

use support::{Output, TestHost, str};

use crate::host;

/// A pipeline of `steps`; `{ECHO}`, `{BAD}`, `{NOOP}` and `{HOG}` stand for guests.
fn pipeline(steps: &str) -> TestHost {
    let mut text = format!("schema = 1\n[pipeline]\nname = \"many\"\n{steps}");
    for name in ["echo", "bad", "noop", "hog"] {
        let place = format!("{{{}}}", name.to_uppercase());
        if text.contains(&place) {
            text = text.replace(&place, &TestHost::guest(name));
        }
    }
    host().file("p.toml", text)
}

fn run(host: &TestHost, more: &[&str]) -> Output {
    host.run(&[&["run", "p.toml", "--format", "json"], more].concat())
}

/// `step outcome` of all steps, in the order of their ends.
fn outcomes(ran: &Output) -> Vec<String> {
    let line = |event: &serde_json::Value| {
        format!("{} {}", event["step"].as_str().unwrap(), event["outcome"].as_str().unwrap())
    };
    ran.events("step-finished").iter().map(line).collect()
}

const CHAIN: &str = r#"
[inputs]
name = { type = "string", default = "Ada" }

[[step]]
id = "first"
uses = "{ECHO}"
with = { text = "hello {{ inputs.name }}", list = [1, 2] }

[[step]]
id = "second"
uses = "{ECHO}"
with = { text = "{{ steps.first.outputs.text }}!", list = "{{ steps.first.outputs.list }}" }
"#;

#[test]
fn outputs_go_into_later_steps_with_their_types() {
    let ran = run(&pipeline(CHAIN), &["--input", "name=Bo"]);
    ran.exits(0);
    let outputs = &ran.finished("second")["outputs"];
    assert_eq!(*outputs, serde_json::json!({ "text": "hello Bo!", "list": [1, 2] }));
}

#[test]
fn people_read_one_line_a_step_on_standard_error() {
    let steps = r#"
[[step]]
id = "quick"
uses = "{NOOP}"

[[step]]
id = "shaky"
uses = "{BAD}"
retry = { attempts = 2, backoff = "1ms" }
with = { act = "fail-at-first", until = 1, code = "transient.x", message = "not yet", retryable = true }
"#;
    let ran = pipeline(steps).run(&["run", "p.toml"]);
    ran.exits(0).stdout_is("").stderr_is(str![[r#"
run [RUN] of many: 2 steps
quick  unchanged in [TOOK]
shaky  warning: attempt 1 of 2 failed (transient): not yet; again in [TOOK]
shaky  changed in [TOOK]
run succeeded in [TOOK]

"#]]);
}

#[test]
fn quiet_says_nothing_of_what_went_well() {
    let ran = pipeline(CHAIN).run(&["run", "p.toml", "--quiet"]);
    ran.exits(0).stdout_is("").stderr_is("");
}

#[test]
fn the_event_stream_says_its_version_and_begins_and_ends() {
    let ran = run(&pipeline(CHAIN), &[]);
    ran.exits(0);
    let events = ran.ndjson();
    assert_eq!(events[0]["format"], "windlass-events");
    assert_eq!(events[0]["version"], 1);
    assert_eq!(events[1]["event"], "run-started");
    assert_eq!(events[1]["pipeline"], "many");
    assert_eq!(events[1]["steps"][1]["id"], "second");
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["outcome"]), (&"run-finished".into(), &"succeeded".into()));
    let elapsed: Vec<u64> =
        events[1..].iter().map(|event| event["elapsed-ms"].as_u64().unwrap()).collect();
    assert!(elapsed.is_sorted(), "{elapsed:?}");
}

#[test]
fn steps_run_in_file_order_unless_needs_says_otherwise() {
    let steps = r#"
[[step]]
id = "last"
uses = "{NOOP}"
needs = ["b"]
[[step]]
id = "a"
uses = "{NOOP}"
needs = []
[[step]]
id = "b"
uses = "{NOOP}"
"#;
    let ran = run(&pipeline(steps), &["--jobs", "1"]);
    assert_eq!(outcomes(&ran), ["a succeeded", "b succeeded", "last succeeded"]);
}

#[test]
fn a_step_whose_condition_is_false_is_skipped() {
    let steps = r#"
[[step]]
id = "first"
uses = "{ECHO}"
with = { changed = false }
[[step]]
id = "second"
uses = "{ECHO}"
when = "steps.first.outputs.changed"
[[step]]
id = "third"
uses = "{ECHO}"
needs = ["first"]
when = "not steps.first.outputs.changed"
"#;
    let ran = run(&pipeline(steps), &[]);
    ran.exits(0);
    assert_eq!(ran.finished("second")["outcome"], "skipped");
    assert!(ran.finished("second")["reason"].is_string());
    assert_eq!(ran.finished("third")["outcome"], "succeeded");
}

#[test]
fn a_failure_is_tried_again_only_if_it_is_of_a_kind_to_be() {
    let step = |on: &str| {
        format!(
            r#"
[[step]]
id = "shaky"
uses = "{{BAD}}"
retry = {{ attempts = 3, on = {on}, backoff = "1ms" }}
with = {{ act = "fail-at-first", until = 2, code = "conflict.x", message = "not yet" }}
"#
        )
    };
    let ran = run(&pipeline(&step(r#"["conflict"]"#)), &[]);
    ran.exits(0);
    assert_eq!(ran.finished("shaky")["outputs"]["text"], "attempt 3");
    assert_eq!(ran.events("attempt-failed").len(), 2);
    let ran = run(&pipeline(&step(r#"["transient"]"#)), &[]);
    ran.exits(1);
    assert_eq!(ran.events("attempt-failed").len(), 0);
}

#[test]
fn attempts_end() {
    let step = r#"
[[step]]
id = "shaky"
uses = "{BAD}"
retry = { attempts = 3, backoff = "1ms" }
with = { act = "fail", code = "transient.x", message = "not yet", retryable = true }
"#;
    let ran = run(&pipeline(step), &[]);
    ran.exits(5);
    assert_eq!(ran.finished("shaky")["attempts"], 3);
}

const FAILING: &str = r#"
[[step]]
id = "bad"
uses = "{BAD}"
needs = []
with = { act = "fail", code = "x", message = "no" }
[[step]]
id = "after"
uses = "{NOOP}"
[[step]]
id = "beside"
uses = "{HOG}"
needs = []
with = { act = "sleep", amount = 400 }
[[step]]
id = "later"
uses = "{NOOP}"
needs = ["beside"]
[[step]]
id = "clean"
uses = "{ECHO}"
needs = ["after", "later"]
always = true
with = { bad = "{{ steps.bad.outcome }}" }
"#;

#[test]
fn after_the_first_failure_only_steps_begin_that_always_run() {
    let ran = run(&pipeline(FAILING), &[]);
    ran.exits(1);
    assert_eq!(ran.finished("bad")["outcome"], "failed");
    assert_eq!(ran.finished("after")["outcome"], "skipped");
    assert_eq!(ran.finished("beside")["outcome"], "succeeded", "it was running");
    assert_eq!(ran.finished("later")["outcome"], "skipped");
    assert_eq!(ran.finished("clean")["outputs"]["bad"], "failed");
}

#[test]
fn keep_going_finishes_what_does_not_depend_on_the_failure() {
    let ran = run(&pipeline(FAILING), &["--keep-going"]);
    ran.exits(1);
    assert_eq!(ran.finished("later")["outcome"], "succeeded");
    assert_eq!(ran.finished("after")["outcome"], "skipped");
    assert_eq!(ran.finished("clean")["outcome"], "succeeded");
    let host = pipeline(FAILING);
    let file = host.read("p.toml").replace("name = \"many\"", "name = \"many\"\nfail-fast = false");
    host.write("p.toml", file);
    assert_eq!(run(&host, &[]).finished("later")["outcome"], "succeeded");
}

#[test]
fn a_tolerated_failure_is_no_failure_of_the_run() {
    let steps = FAILING.replace("id = \"bad\"", "id = \"bad\"\ncontinue-on-error = true");
    let ran = run(&pipeline(&steps), &[]);
    ran.exits(0);
    assert_eq!(ran.finished("bad")["outcome"], "failed");
    assert_eq!(ran.finished("bad")["tolerated"], true);
    assert_eq!(ran.finished("after")["outcome"], "succeeded");
}

#[test]
fn the_step_that_failed_is_shown_in_its_file() {
    pipeline(FAILING).run(&["run", "p.toml", "--quiet"]).exits(1).stderr_is(str![[r#"
bad     failed after [TOOK]: no

error: step `bad` failed
 --> p.toml:6:6
  |
6 | id = "bad"
  |      ^^^^^
  |
  = cause: no

"#]]);
}

#[test]
fn only_runs_one_step_and_takes_what_it_needs_as_done() {
    let steps = r#"
[[step]]
id = "a"
uses = "{ECHO}"
with = { x = 1 }
[[step]]
id = "b"
uses = "{NOOP}"
[[step]]
id = "c"
uses = "{ECHO}"
with = { x = "{{ steps.a.outputs.x }}" }
"#;
    let host = pipeline(steps);
    assert_eq!(outcomes(&run(&host, &["--only", "b"])), ["b succeeded"]);
    let ran = run(&host, &["--only", "c"]);
    assert_ne!(ran.code, Some(0));
    let fault = &ran.finished("c")["fault"];
    assert_eq!(fault["message"], "`c` uses outputs of `a`, which `--only` leaves out");
}

#[test]
fn only_a_step_that_is_not_there_is_a_mistake() {
    let host = pipeline(CHAIN);
    host.run(&["run", "p.toml", "--only", "secnod"]).exits(2).stderr_is(str![[r#"
error: there is no step `secnod`
 |
 = help: did you mean `--only second`?

"#]]);
}

#[test]
fn jobs_bound_how_many_steps_run_at_once() {
    let steps: String = (0..4)
        .map(|number| {
            format!(
                "[[step]]\nid = \"s{number}\"\nuses = \"{{HOG}}\"\nneeds = []\n\
                 with = {{ act = \"sleep\", amount = 20 }}\n"
            )
        })
        .collect();
    let host = pipeline(&steps);
    assert_eq!(most_at_once(&run(&host, &["--jobs", "1"])), 1);
    assert_eq!(most_at_once(&run(&host, &["--jobs", "2"])), 2);
    let grouped = host.read("p.toml").replace("needs = []", "needs = []\nconcurrency = \"one\"");
    host.write("p.toml", grouped);
    assert_eq!(most_at_once(&run(&host, &["--jobs", "4"])), 1, "a group has one step at a time");
}

/// How many steps were running at once, at most.
fn most_at_once(ran: &Output) -> usize {
    ran.exits(0);
    let (mut now, mut most) = (0, 0_usize);
    for event in ran.ndjson() {
        match event["event"].as_str() {
            Some("step-started") => now += 1,
            Some("step-finished") => now -= 1,
            _ => {}
        }
        most = most.max(now);
    }
    most
}

#[test]
fn the_pipelines_own_timeout_ends_the_run() {
    let step = "[[step]]\nid = \"s\"\nuses = \"{HOG}\"\nwith = { act = \"spin\" }\n";
    let host = pipeline(step);
    let timed =
        host.read("p.toml").replace("name = \"many\"", "name = \"many\"\ntimeout = \"500ms\"");
    host.write("p.toml", timed);
    run(&host, &[]).exits(124);
}

#[test]
fn inputs_are_converted_to_their_types_and_checked() {
    let head = r#"
[inputs]
count = { type = "integer" }
on = { type = "boolean", default = false }
kind = { type = "string", default = "a", choices = ["a", "b"] }
all = { type = "list", default = [] }

[[step]]
id = "s"
uses = "{ECHO}"
with = { count = "{{ inputs.count }}", on = "{{ inputs.on }}", all = "{{ inputs.all }}" }
"#;
    let host = pipeline(head);
    let ran = run(&host, &["-i", "count=3", "-i", "on=true", "-i", "all=x,y"]);
    ran.exits(0);
    let expected = serde_json::json!({ "count": 3, "on": true, "all": ["x", "y"] });
    assert_eq!(ran.finished("s")["outputs"], expected);
    host.run(&["run", "p.toml"]).exits(2).stderr_is(str![[r#"
error: the input `count` is required
 --> p.toml:6:1
  |
6 | count = { type = "integer" }
  | ^^^^^ declared here, without a `default`
  |
  = help: give it: `--input count=<integer>`


"#]]);
    host.run(&["run", "p.toml", "-i", "count=three"]).exits(2).stderr_is(str![[r#"
error: the input `count` is `three`, expected a whole number
 --> p.toml:6:1
  |
6 | count = { type = "integer" }
  | ^^^^^ declared here
  |
  = help: write it like `--input count=3`
  = note: given by `--input count=three`


"#]]);
    host.run(&["run", "p.toml", "-i", "count=1", "-i", "kind=c"]).exits(2).stderr_is(str![[r#"
error: the input `kind` cannot be `c`
 --> p.toml:8:1
  |
8 | kind = { type = "string", default = "a", choices = ["a", "b"] }
  | ^^^^ 2 values allowed
  |
  = help: write `a` or `b`
  = note: given by `--input kind=c`


"#]]);
    host.run(&["run", "p.toml", "-i", "count=1", "-i", "cuont=1"]).exits(2).stderr_is(str![[r#"
error: the pipeline has no input `cuont`
 |
 = help: did you mean `count`?
 = note: given by `--input cuont=1`


"#]]);
    host.run(&["run", "p.toml", "-i", "count"]).exits(2);
}
