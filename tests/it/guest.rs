//! What a component finds of the machine it runs on: nothing that the pipeline did not give it.

use serde_json::json;
use support::str;

use crate::{fails, host_with, outputs};

#[test]
fn there_is_no_environment_and_there_are_no_arguments() {
    let host = host_with("machine", r#"with = { act = "env" }"#).env("SECRET_OF_THE_RUNNER", "x");
    let found = outputs(&host);
    assert_eq!(found["env"], json!([]));
    assert_eq!(found["args"], json!([]));
}

#[test]
fn a_file_of_the_machine_is_not_there() {
    for path in ["/etc/passwd", "p.toml", "/proc/self/environ", "../../etc/passwd"] {
        let host = host_with("machine", &format!("with = {{ act = \"read\", at = \"{path}\" }}"));
        let text = outputs(&host)["text"].clone();
        assert!(text.as_str().unwrap().starts_with("error: "), "{path}: {text}");
    }
}

#[test]
fn nothing_can_be_written_and_no_folder_listed() {
    let host = host_with("machine", r#"with = { act = "write", at = "/tmp/windlass-was-here" }"#);
    let written = outputs(&host)["written"].clone();
    assert!(written.as_str().unwrap().starts_with("error: "), "{written}");
    assert!(!std::path::Path::new("/tmp/windlass-was-here").exists());
    let host = host_with("machine", r#"with = { act = "list", at = "/" }"#);
    let names = outputs(&host)["names"].clone();
    assert!(names.as_str().unwrap().starts_with("error: "), "{names}");
}

#[test]
fn granted_folders_are_there_for_the_standard_library_too() {
    let grant = "\n[step.grant]\nworkspace = { read = [\"in\"], write = [\"out\"] }";
    let read = format!("with = {{ act = \"read\", at = \"/workspace/in/a.txt\" }}{grant}");
    let host = host_with("machine", &read).file("in/a.txt", "hello").file("out/b.txt", "old");
    assert_eq!(outputs(&host)["text"], "hello");

    let write = format!("with = {{ act = \"write\", at = \"/workspace/out/b.txt\" }}{grant}");
    host.write("p.toml", crate::one_step("machine", &write));
    assert_eq!(outputs(&host)["written"], "yes");
    assert_eq!(host.read("out/b.txt"), "here");

    let write = format!("with = {{ act = \"write\", at = \"/workspace/in/a.txt\" }}{grant}");
    host.write("p.toml", crate::one_step("machine", &write));
    let written = outputs(&host)["written"].clone();
    assert!(written.as_str().unwrap().starts_with("error: "), "{written}");
    assert_eq!(host.read("in/a.txt"), "hello");
}

#[test]
fn a_link_leads_nobody_out_of_a_granted_folder() {
    let rest = "with = { act = \"read\", at = \"/workspace/in/link\" }\n\
                [step.grant]\nworkspace = { read = [\"in\"] }";
    let host = host_with("machine", rest).file("in/a.txt", "hello").file("outside.txt", "no");
    std::os::unix::fs::symlink("../outside.txt", host.path("in/link")).unwrap();
    let text = outputs(&host)["text"].clone();
    assert!(text.as_str().unwrap().starts_with("error: "), "{text}");
}

#[test]
fn there_are_no_sockets_and_no_names() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let host = host_with("machine", &format!("with = {{ act = \"sockets\", at = \"{at}\" }}"));
    let found = outputs(&host);
    for what in ["connect", "listen", "udp"] {
        assert!(found[what].as_str().unwrap().starts_with("error: "), "{what}: {found}");
    }
    let host = host_with("machine", r#"with = { act = "sockets", at = "localhost:80" }"#);
    let resolved = outputs(&host)["resolve"].clone();
    assert!(resolved.as_str().unwrap().starts_with("error: "), "{resolved}");
}

#[test]
fn there_are_clocks_and_random_numbers() {
    let host = host_with("machine", r#"with = { act = "clock" }"#);
    let (first, second) = (outputs(&host), outputs(&host));
    assert!(first["unix-seconds"].as_u64().unwrap() > 1_700_000_000, "{first}");
    assert_ne!(first["random"], second["random"]);
}

#[test]
fn what_a_guest_prints_is_log() {
    let host = host_with("machine", r#"with = { act = "print", at = "hello" }"#);
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    let mut said: Vec<String> = ran
        .events("log")
        .iter()
        .map(|event| event["message"].as_str().unwrap().to_owned())
        .collect();
    said.sort();
    assert_eq!(said, ["err: hello", "out: hello"]);
}

#[test]
fn inputs_cross_the_border_unchanged_and_the_context_is_told() {
    let rest = r#"timeout = "1m"
with = { text = "ünï\n", number = 1.5, list = [1, [true]], table = { a-b = "c" } }"#;
    let host = host_with("echo", rest);
    let ran = host.run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    let finished = ran.finished("step");
    let expected = json!({
        "text": "ünï\n", "number": 1.5, "list": [1, [true]], "table": { "a-b": "c" },
    });
    assert_eq!(finished["outputs"], expected);
    let summary = finished["summary"].as_str().unwrap();
    assert!(summary.starts_with("step step of run "), "{summary}");
    assert!(summary.ends_with(", attempt 1, dry run false, deadline set"), "{summary}");
}

#[test]
fn a_plugins_own_error_is_shown_with_its_hint() {
    let rest = r#"with = { act = "fail", code = "azure.quota", message = "no cores left", hint = "ask for more" }"#;
    fails(&host_with("bad", rest)).exits(1).stderr_is(str![[r#"
step  failed after [TOOK]: no cores left

error: step `step` failed
 --> p.toml:6:6
  |
6 | id = "step"
  |      ^^^^^^
  |
  = cause: no cores left
  = help: ask for more

"#]]);
}

#[test]
fn the_code_of_a_plugins_error_decides_how_the_program_ends() {
    let ends = [
        ("denied.custom", 3),
        ("unauthorized.custom", 4),
        ("azure.unauthorized", 4),
        ("transient.custom", 5),
        ("oci.mismatch", 6),
        ("timeout.custom", 124),
        ("not-found.custom", 1),
        ("conflict.custom", 1),
        ("whatever", 1),
        ("", 1),
    ];
    for (code, exit) in ends {
        let rest = format!("with = {{ act = \"fail\", code = \"{code}\", message = \"no\" }}");
        fails(&host_with("bad", &rest)).exits(exit);
    }
}

#[test]
fn a_trap_is_the_plugins_and_its_last_words_are_kept() {
    let rest = r#"with = { act = "trap", message = "the mast is gone" }"#;
    let failed = fails(&host_with("bad", rest));
    failed.exits(1).stderr_says(&["the plugin broke down", "the mast is gone"]);
    assert!(!failed.stderr.contains("bug in windlass"), "{}", failed.account());
}

#[test]
fn a_guest_that_ends_itself_is_told_so() {
    fails(&host_with("bad", r#"with = { act = "exit" }"#)).exits(1).stderr_is(str![[r#"
step  failed after [TOOK]: the plugin ended itself instead of answering

error: step `step` failed
 --> p.toml:6:6
  |
6 | id = "step"
  |      ^^^^^^
  |
  = cause: the plugin ended itself instead of answering
  = cause: it exited with 1

"#]]);
}

#[test]
fn outputs_that_are_no_json_are_refused() {
    fails(&host_with("bad", r#"with = { act = "garbage" }"#)).exits(1).stderr_is(str![[r#"
step  failed after [TOOK]: the plugin's outputs are no JSON

error: step `step` failed
 --> p.toml:6:6
  |
6 | id = "step"
  |      ^^^^^^
  |
  = cause: the plugin's outputs are no JSON
  = cause: expected ident at line 1 column 11

"#]]);
}

#[test]
fn outputs_that_do_not_conform_to_the_schema_are_refused() {
    fails(&host_with("bad", r#"with = { act = "wrong" }"#)).exits(1).stderr_is(str![[r#"
step  failed after [TOOK]: plugin `bad` returned outputs that it does not declare

error: step `step` failed
 --> p.toml:6:6
  |
6 | id = "step"
  |      ^^^^^^
  |
  = cause: plugin `bad` returned outputs that it does not declare
  = cause: /text: 1 is not of type "string"
  = cause: Additional properties are not allowed ('more' was unexpected)

"#]]);
}

#[test]
fn outputs_over_the_limit_are_refused() {
    fails(&host_with("bad", r#"with = { act = "huge" }"#)).exits(1).stderr_is(str![[r#"
step  failed after [TOOK]: the plugin's outputs have 2097163 bytes

error: step `step` failed
 --> p.toml:6:6
  |
6 | id = "step"
  |      ^^^^^^
  |
  = cause: the plugin's outputs have 2097163 bytes
  = cause: a step may return 1048576 bytes of JSON
  = help: write large results to a registry or the workspace, and return the reference

"#]]);
}

#[test]
fn a_description_that_traps_is_found_before_anything_runs() {
    let failed = fails(&host_with("describe-traps", ""));
    failed.exits(1).stderr_says(&["describe-traps.wasm` cannot say what it is", "no description"]);
}

#[test]
fn a_description_that_never_ends_is_given_up() {
    let failed = fails(&host_with("describe-loops", ""));
    failed.exits(1).stderr_says(&["describe-loops.wasm` cannot say what it is", "longer than 5 s"]);
}

#[test]
fn a_description_that_is_garbage_is_refused() {
    let failed = fails(&host_with("describe-garbage", ""));
    failed.exits(1).stderr_says(&["describe-garbage.wasm` cannot say what it is", "inputs schema"]);
}

#[test]
fn a_description_can_reach_nothing() {
    let uses = support::TestHost::guest("describe-reaches");
    let host = crate::host().file("Cargo.toml", "here");
    let seen = host.run(&["plugin", "inspect", &uses, "--format", "json"]);
    seen.exits(0);
    let described: serde_json::Value = serde_json::from_str(&seen.stdout).unwrap();
    let reasons: Vec<&str> = described["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|request| request["reason"].as_str().unwrap())
        .collect();
    assert_eq!(reasons.len(), 6);
    for reason in reasons {
        assert!(!reason.ends_with(": got"), "{reason}");
    }
}
