//! One step, several times.

use serde_json::{Value, json};
use support::{Output, TestHost};

use crate::host;

fn pipeline(steps: &str) -> TestHost {
    let text = format!("schema = 1\n[pipeline]\nname = \"matrix\"\n{steps}");
    host().file("p.toml", text.replace("{ECHO}", &TestHost::guest("echo")))
}

fn run(steps: &str) -> Output {
    let ran = pipeline(steps).run(&["run", "p.toml", "--format", "json"]);
    ran.exits(0);
    ran
}

/// The instances of the step `s`, in order.
fn instances(ran: &Output) -> Vec<String> {
    let mut all: Vec<String> = ran
        .events("step-finished")
        .iter()
        .map(|event| event["step"].as_str().unwrap().to_owned())
        .filter(|step| step.starts_with("s["))
        .collect();
    all.sort();
    all
}

#[test]
fn a_matrix_runs_once_for_each_combination() {
    let ran = run(r#"
[[step]]
id = "s"
uses = "{ECHO}"
matrix = { os = ["linux", "windows"], arch = ["amd64", "arm64"] }
with = { platform = "{{ matrix.os }}/{{ matrix.arch }}" }
"#);
    let expected = [
        "s[os=linux,arch=amd64]",
        "s[os=linux,arch=arm64]",
        "s[os=windows,arch=amd64]",
        "s[os=windows,arch=arm64]",
    ];
    let found = instances(&ran);
    assert_eq!(found.len(), 4, "{found:?}");
    for instance in expected {
        let spaced = instance.replace(',', ", ");
        assert!(found.contains(&instance.to_owned()) || found.contains(&spaced), "{found:?}");
    }
}

#[test]
fn combinations_can_be_left_out_and_added() {
    let ran = run(r#"
[[step]]
id = "s"
uses = "{ECHO}"
matrix = { os = ["linux", "windows"], arch = ["amd64", "arm64"], exclude = [{ os = "windows", arch = "arm64" }], include = [{ os = "freebsd", arch = "riscv64" }] }
with = { platform = "{{ matrix.os }}/{{ matrix.arch }}" }
"#);
    let mut platforms: Vec<Value> = ran
        .events("step-finished")
        .iter()
        .map(|event| event["outputs"]["platform"].clone())
        .collect();
    platforms.sort_by_key(ToString::to_string);
    assert_eq!(
        platforms,
        ["freebsd/riscv64", "linux/amd64", "linux/arm64", "windows/amd64"].map(Value::from)
    );
}

#[test]
fn a_matrix_is_made_of_the_outputs_of_another_step() {
    let ran = run(r#"
[[step]]
id = "list"
uses = "{ECHO}"
with = { items = ["x", "y", "z"] }
[[step]]
id = "s"
uses = "{ECHO}"
matrix = { item = "{{ steps.list.outputs.items }}" }
with = { item = "{{ matrix.item }}" }
"#);
    assert_eq!(instances(&ran).len(), 3);
}

#[test]
fn later_steps_see_the_outputs_of_all_combinations() {
    let ran = run(r#"
[[step]]
id = "s"
uses = "{ECHO}"
matrix = { n = [1, 2] }
with = { n = "{{ matrix.n }}" }
[[step]]
id = "after"
uses = "{ECHO}"
with = { all = "{{ steps.s.outputs }}" }
"#);
    assert_eq!(ran.finished("after")["outputs"]["all"], json!({ "n": [1, 2] }));
}

#[test]
fn an_empty_matrix_runs_nothing() {
    let ran = run(r#"
[[step]]
id = "list"
uses = "{ECHO}"
with = { items = [] }
[[step]]
id = "s"
uses = "{ECHO}"
matrix = { item = "{{ steps.list.outputs.items }}" }
"#);
    assert_eq!(ran.finished("s")["outcome"], "skipped");
}
