//! Pipeline files, good and bad, and the commands that only look at them.

use support::{TestHost, str};

use crate::host;

fn with(text: &str) -> TestHost {
    host().file("p.toml", text)
}

const HEAD: &str = "schema = 1\n[pipeline]\nname = \"p\"\n";

fn step(rest: &str) -> String {
    format!("{HEAD}\n[[step]]\nid = \"a\"\nuses = \"import-image\"\n{rest}\n")
}

const GOOD: &str = "with = { source = \"localhost:5000/a:1\", target = \"localhost:5001/a:1\" }";

#[test]
fn malformed_toml_is_shown_where_it_is() {
    with("schema = 1\n[pipeline\nname = \"p\"\n").run(&["run", "p.toml"]).exits(2).stderr_is(str![
        [r#"
error: this is not TOML: unclosed table, expected `]`
 --> p.toml:2:10
  |
2 | [pipeline
  |          ^


"#]
    ]);
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let host = host().file("p.toml", [0xff, 0xfe, 0]);
    host.run(&["run", "p.toml"]).exits(2).stderr_says(&["p.toml"]);
}

#[test]
fn a_file_over_the_limit_is_refused() {
    let host = host().file("p.toml", "");
    let file = std::fs::File::options().write(true).open(host.path("p.toml")).unwrap();
    file.set_len(64 << 20).unwrap();
    host.run(&["run", "p.toml"]).exits(2).stderr_says(&["p.toml", "MiB"]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    host().run(&["run", "nothing.toml"]).exits(2).stderr_is(str![[r#"
error: the pipeline file cannot be read
 |
 = cause: failed to open file `nothing.toml`: No such file or directory (os error 2)
 = help: name a pipeline file, such as `windlass run pipelines/import.toml`

"#]]);
}

#[test]
fn wrong_types_are_shown_where_they_are() {
    let text = format!("{HEAD}timeout = 90\n\n[[step]]\nid = 7\nuses = \"import-image\"\n");
    with(&text).run(&["check", "p.toml"]).exits(2).stderr_is(str![[r#"
error: `timeout` is `90`, expected a duration such as `"90s"`
 --> p.toml:4:11
  |
4 | timeout = 90
  |           ^^

error: `id` is `7`, expected a string
 --> p.toml:7:6
  |
7 | id = 7
  |      ^


"#]]);
}

#[test]
fn inputs_of_the_wrong_type_are_shown_where_they_are() {
    let rest = "with = { source = 7, sorce = \"x\", target = \"localhost:5001/a:1\" }";
    with(&step(rest)).run(&["check", "p.toml"]).exits(2).stderr_is(str![[r#"
error: plugin `import-image` refuses an input: `source` is `7`, expected null or a string
 --> p.toml:8:19
  |
8 | with = { source = 7, sorce = "x", target = "localhost:[PORT]/a:1" }
  |                   ^

error: unknown input `sorce` for plugin `import-image`
 --> p.toml:8:22
  |
8 | with = { source = 7, sorce = "x", target = "localhost:[PORT]/a:1" }
  |                      ^^^^^ not an input of `import-image`
  |
  = help: did you mean `source`?


"#]]);
}

#[test]
fn a_cycle_is_shown_step_by_step() {
    let text = format!(
        "{HEAD}\n[[step]]\nid = \"a\"\nuses = \"import-image\"\nneeds = [\"b\"]\n{GOOD}\n\
         [[step]]\nid = \"b\"\nuses = \"import-image\"\nneeds = [\"a\"]\n{GOOD}\n"
    );
    with(&text).run(&["check", "p.toml"]).exits(2).stderr_is(str![[r#"
error: steps wait for each other: `a` → `b` → `a`
  --> p.toml:8:10
   |
 8 | needs = ["b"]
   |          ^^^ `a` needs `b`
...
13 | needs = ["a"]
   |          --- `b` needs `a`
   |
   = help: remove one of these, so that one of the steps can be first


"#]]);
}

#[test]
fn references_to_nothing_are_shown_with_what_is_near() {
    let rest = r#"when = "steps.b.outputs.changed"
with = { source = "{{ inputs.regsitry }}/a:1", target = "localhost:5001/a:1" }"#;
    let text = step(rest).replace("[[step]]", "[inputs]\nregistry = { default = \"x\" }\n[[step]]");
    with(&text).run(&["check", "p.toml"]).exits(2).stderr_is(str![[r#"
error: there is no step `b`
  --> p.toml:10:15
   |
10 | when = "steps.b.outputs.changed"
   |               ^ undefined
   |
   = help: there is `a`

error: the pipeline has no input called `regsitry`
  --> p.toml:11:30
   |
11 | with = { source = "{{ inputs.regsitry }}/a:1", target = "localhost:[PORT]/a:1" }
   |                              ^^^^^^^^ undefined
   |
   = help: did you mean `registry`?


"#]]);
}

#[test]
fn all_problems_are_told_at_once() {
    let text = format!(
        "{HEAD}\n[[step]]\nid = \"A\"\nuses = \"import-image\"\nneds = []\n{GOOD}\n\
         [[step]]\nid = \"b\"\nuses = \"no-such-plugin\"\ntimeout = \"90\"\n"
    );
    let told = with(&text).run(&["check", "p.toml"]);
    told.exits(2);
    assert!(told.stderr.matches("error: ").count() >= 3, "{}", told.account());
}

#[test]
fn a_later_schema_is_told_so() {
    with("schema = 2\n[pipeline]\nname = \"p\"\n").run(&["check", "p.toml"]).exits(2).stderr_is(
        str![[r#"
error: `schema = 2` needs a newer windlass than 0.1.0
 --> p.toml:1:10
  |
1 | schema = 2
  |          ^ this version reads `schema = 1`
  |
  = help: update windlass, or write the file for the schema that it reads


"#]],
    );
}

#[test]
fn check_says_that_a_good_file_is_good() {
    with(&step(GOOD)).run(&["check", "p.toml"]).exits(0).stdout_is("").stderr_is(str![[r#"
p.toml: ok, 1 step

"#]]);
    with(&step(GOOD)).run(&["check", "p.toml", "--quiet"]).exits(0).stderr_is("");
}

#[test]
fn check_gives_problems_as_data() {
    let text = step("with = { sorce = \"x\", target = \"localhost:5001/a:1\" }");
    let told = with(&text).run(&["check", "p.toml", "--format", "json"]);
    let problems: serde_json::Value = serde_json::from_str(&told.exits(2).stdout).unwrap();
    assert_eq!(problems[0]["severity"], "error");
    assert_eq!(problems[0]["place"]["line"], 8, "{problems}");
    assert_eq!(problems[0]["place"]["file"], "p.toml");
    let good = with(&step(GOOD)).run(&["check", "p.toml", "--format", "json"]);
    assert_eq!(good.exits(0).stdout.trim(), "[]");
}

#[test]
fn plan_shows_the_steps_and_what_each_is_granted() {
    with(&step(GOOD)).run(&["plan", "p.toml"]).exits(0).stderr_is("").stdout_is(str![[r#"
p: 1 step

a  import-image 0.1.0 (sha256:[DIGEST])
  with source = "localhost:[PORT]/a:1"
  with target = "localhost:[PORT]/a:1"
  with sources = []
  with targets = []
  with all-tags = false
  with tags = []
  with exclude-tags = []
  with untagged = false
  with platforms = []
  with referrers = true
  with foreign-layers = "skip"
  with force = false
  with keep-going = false
  with mode = "client"
  may oci.pull localhost:[PORT]/a:1
  may oci.pull localhost:[PORT]/a:1
  may oci.push localhost:[PORT]/a:1

"#]]);
}

#[test]
fn plan_gives_data() {
    let planned = with(&step(GOOD)).run(&["plan", "p.toml", "--format", "json"]);
    let plan: serde_json::Value = serde_json::from_str(&planned.exits(0).stdout).unwrap();
    assert_eq!(plan["name"], "p");
    assert_eq!(plan["steps"][0]["id"], "a");
    let digest = plan["steps"][0]["plugin"]["digest"].as_str().unwrap();
    assert!(digest.starts_with("sha256:"), "{digest}");
}

#[test]
fn a_plan_runs_nothing_and_reads_no_secret() {
    let text = step(GOOD) + "[secrets]\ntoken = { from = \"env\", name = \"TOKEN\" }\n";
    let host = with(&text).env("TOKEN", "cargo-of-gold");
    for arguments in
        [["plan", "p.toml", "--format", "json"], ["check", "p.toml", "--format", "json"]]
    {
        let ran = host.run(&arguments);
        ran.exits(0);
        assert!(!ran.account().contains("cargo-of-gold"), "{}", ran.account());
    }
    assert!(!host.path(".home/state").exists());
}

#[test]
fn the_schema_is_the_one_that_is_committed() {
    let printed = host().run(&["schema"]);
    let committed = support::repository_root().join("pipelines/schema/pipeline.schema.json");
    let committed = std::fs::read_to_string(committed).unwrap();
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(parse(&printed.exits(0).stdout), parse(&committed));
}

#[test]
fn the_schema_of_a_pipeline_knows_the_inputs_of_its_plugins() {
    let host = with(&step(GOOD));
    let merged = host.run(&["schema", "p.toml"]);
    assert!(merged.exits(0).stdout.contains("expect-digest"), "{}", merged.account());
    assert!(!host.run(&["schema"]).stdout.contains("expect-digest"));
}

#[test]
fn completions_are_scripts() {
    for (shell, sign) in
        [("bash", "_windlass()"), ("zsh", "#compdef windlass"), ("fish", "complete -c windlass")]
    {
        let script = host().run(&["completions", shell]);
        assert!(script.exits(0).stdout.contains(sign), "{shell}");
    }
}

#[test]
fn a_wrong_command_line_is_a_mistake_of_usage() {
    for arguments in [&["rnu"][..], &["run"], &["run", "p.toml", "--jobs", "0"], &[]] {
        let refused = host().run(arguments);
        refused.exits(2);
        assert_eq!(refused.stdout, "");
    }
}

#[test]
fn help_and_version_are_data() {
    let version = format!("windlass {}\n", env!("CARGO_PKG_VERSION"));
    host().run(&["--version"]).exits(0).stdout_is(version).stderr_is("");
    let help = host().run(&["--help"]);
    assert!(help.exits(0).stdout.contains("Exit codes:"));
}

#[test]
fn colour_is_for_terminals_or_on_demand() {
    let bad = with("schema = 1\n");
    assert!(!bad.run(&["check", "p.toml"]).stderr.contains('\u{1b}'));
    assert!(bad.run(&["check", "p.toml", "--color", "always"]).stderr.contains('\u{1b}'));
}
