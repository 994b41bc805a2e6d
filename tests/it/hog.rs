//! Guests that take all there is get what they may have, and no more.

use support::str;

use crate::{fails, host_with};

#[test]
fn a_guest_that_spins_is_stopped_at_its_timeout() {
    let host = host_with("hog", "timeout = \"500ms\"\nwith = { act = \"spin\" }");
    fails(&host).exits(124).stderr_is(str![[r#"
step  timed-out after [TOOK]: the step did not end within its timeout of 500ms

error: step `step` timed out
 --> p.toml:6:6
  |
6 | id = "step"
  |      ^^^^^^
  |
  = cause: the step did not end within its timeout of 500ms
  = help: raise `timeout` of the step, or find out with `-v` what it waits for

"#]]);
}

#[test]
fn a_guest_that_sleeps_is_stopped_at_its_timeout() {
    let host = host_with("hog", "timeout = \"500ms\"\nwith = { act = \"sleep\" }");
    fails(&host).exits(124);
}

#[test]
fn a_guest_that_spins_does_not_hold_up_the_others() {
    let uses = support::TestHost::guest("hog");
    let echo = support::TestHost::guest("echo");
    let spinners: String = (0..4)
        .map(|number| {
            format!(
                "[[step]]\nid = \"spin-{number}\"\nuses = \"{uses}\"\nneeds = []\ntimeout = \"2s\"\n\
                 continue-on-error = true\nwith = {{ act = \"spin\" }}\n"
            )
        })
        .collect();
    let pipeline = format!(
        "schema = 1\n[pipeline]\nname = \"spin\"\n{spinners}\
         [[step]]\nid = \"other\"\nuses = \"{echo}\"\nneeds = []\n"
    );
    let host = crate::host().file("p.toml", pipeline);
    let ran = host.run(&["run", "p.toml", "--jobs", "8", "--format", "json"]);
    ran.exits(0);
    let order: Vec<String> = ran
        .events("step-finished")
        .iter()
        .map(|event| event["step"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(order[0], "other", "{order:?}");
    assert_eq!(ran.finished("spin-3")["outcome"], "timed-out");
}

#[test]
fn memory_ends_at_the_limit() {
    fails(&host_with("hog", r#"with = { act = "memory" }"#)).exits(1).stderr_is(str![[r#"
step  failed after [TOOK]: the plugin wants more memory than a step may have

error: step `step` failed
 --> p.toml:6:6
  |
6 | id = "step"
  |      ^^^^^^
  |
  = cause: the plugin wants more memory than a step may have
  = cause: the limit is 512 MiB
  = help: keep bytes of images in the host: hand on blobs and layers by their handles

"#]]);
}

#[test]
fn memory_below_the_limit_is_given() {
    let host = host_with("hog", r#"with = { act = "memory", amount = 200 }"#);
    assert_eq!(crate::outputs(&host)["amount"], 200);
}

#[test]
fn the_stack_ends_at_the_limit() {
    // Where the stack ends, the component's own one or the host's, depends on its compiler.
    let failed = fails(&host_with("hog", r#"with = { act = "stack", amount = 100000000 }"#));
    failed.exits(1).stderr_says(&["error: step `step` failed", "the plugin"]);
}

#[test]
fn a_long_log_is_cut_and_the_cut_is_said_once() {
    let host = host_with("hog", r#"with = { act = "log", amount = 6000 }"#);
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    let (said, warned) = count(&ran);
    assert!((3_900..4_200).contains(&said), "4 MiB are about 4,000 messages of 1 KiB: {said}");
    assert_eq!(warned, ["the step has said more than 4 MiB; the rest of its messages is cut"]);
}

#[test]
fn a_long_message_is_cut_and_the_cut_is_said_once() {
    let host = host_with("hog", r#"with = { act = "long-message", amount = 100000 }"#);
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    let (said, warned) = count(&ran);
    assert_eq!(said, 1);
    assert_eq!(warned, ["a message of the step was longer than 8 KiB and was cut"]);
    let longest = ran.events("log").iter().map(|event| event["message"].to_string().len()).max();
    assert!(longest.unwrap() <= 8 * 1024 + 10, "{longest:?}");
}

/// How many messages a run has, without warnings, and the warnings.
fn count(ran: &support::Output) -> (usize, Vec<String>) {
    let (warnings, rest): (Vec<_>, Vec<_>) =
        ran.events("log").into_iter().partition(|event| event["level"] == "warn");
    let text = |event: &serde_json::Value| event["message"].as_str().unwrap().to_owned();
    (rest.len(), warnings.iter().map(text).collect())
}

#[test]
fn groups_levels_and_progress_are_lines_where_there_is_no_terminal() {
    let host = host_with("hog", r#"with = { act = "progress", amount = 3 }"#);
    host.run(&["run", "p.toml"]).exits(0).stderr_is(str![[r#"
run [RUN] of one: 1 step
step  levels
step    info
step    warning: warn
step    error: error
step    with fields  item-count=3
step    all items: 3 in [TOOK]
step  changed in [TOOK]
run succeeded in [TOOK]

"#]]);
}

#[test]
fn groups_and_progress_are_events() {
    let host = host_with("hog", r#"with = { act = "progress", amount = 3 }"#);
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    let started = &ran.events("progress-started")[0];
    assert_eq!((&started["title"], &started["total"]), (&"items".into(), &3.into()));
    let advanced = ran.events("progress-advanced");
    let sum: u64 = advanced.iter().map(|event| event["amount"].as_u64().unwrap()).sum();
    assert_eq!(sum, 3);
    assert_eq!(ran.events("progress-titled")[0]["title"], "all items");
    assert_eq!(ran.events("progress-ended").len(), 1);
    assert_eq!(ran.events("group-started")[0]["title"], "levels");
    assert_eq!(ran.events("group-ended").len(), 1);
}
