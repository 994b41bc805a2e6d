//! Listing, showing, following, stopping and forgetting.

use serde_json::json;
use support::{Embedded, Image, Signal, Sweep, TestHost, str};

use super::{bytes, instance, listed, newest, pipeline, shown, start, statuses, wait_until, write};
use crate::{host, host_with, one_step};

const TWO: &str = r#"
[inputs]
who = { type = "string", default = "Ada" }
[[step]]
id = "first"
uses = "{ECHO}"
with = { text = "hello {{ inputs.who }}" }
[[step]]
id = "shaky"
uses = "{BAD}"
retry = { attempts = 2, backoff = "1ms" }
with = { act = "fail-at-first", until = 1, code = "transient.x", message = "not yet", retryable = true }
"#;

const FAILS: &str = r#"
[[step]]
id = "broken"
uses = "{BAD}"
with = { act = "fail", code = "quota.full", message = "no room left", hint = "make some" }
"#;

/// A step that never ends by itself, and one that cleans up behind it.
const ENDLESS: &str = r#"
[[step]]
id = "long"
uses = "{HOG}"
with = { act = "spin" }
[[step]]
id = "clean"
always = true
uses = "{ECHO}"
with = { was = "{{ steps.long.outcome }}" }
"#;

#[test]
fn runs_are_listed_as_people_know_it() {
    let host = pipeline("rebuild-on-base-update", TWO);
    host.run(&["runs"]).exits(0).stdout_is("").stderr_is("no runs yet\n");
    host.run(&["run", "p.toml"]).exits(0);
    write(&host, "f.toml", "many", FAILS);
    host.run(&["run", "f.toml"]).exits(1);
    host.run(&["runs"]).exits(0).stderr_is("").stdout_is(str![[r#"
RUN ID    PIPELINE                PLATFORM    STATUS     TRIGGER    STARTED               DURATION
--------  ----------------------  ----------  ---------  ---------  --------------------  ----------
[..]       many                    Linux       Failed     Manual     [TIME]  00:00:0[..]
[..]       rebuild-on-base-update  Linux       Succeeded  Manual     [TIME]  00:00:0[..]

"#]]);
}

#[test]
fn lists_are_filtered_and_written_for_programs() {
    let host = pipeline("good", TWO);
    write(&host, "f.toml", "bad", FAILS);
    host.run(&["run", "p.toml"]).exits(0);
    host.run(&["run", "f.toml"]).exits(1);
    host.run(&["run", "p.toml"]).exits(0);
    let pipelines = |more: &[&str]| -> Vec<String> {
        let all = listed(&host, more);
        all.iter().map(|run| run["pipeline"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(pipelines(&[]), ["good", "bad", "good"]);
    assert_eq!(pipelines(&["--pipeline", "bad"]), ["bad"]);
    assert_eq!(pipelines(&["--status", "failed"]), ["bad"]);
    assert_eq!(
        pipelines(&["--status", "failed", "--status", "succeeded", "--last", "2"]),
        ["good", "bad"]
    );
    assert_eq!(pipelines(&["--trigger", "image-update"]), [""; 0]);
    assert_eq!(pipelines(&["--since", "1h"]).len(), 3);
    assert_eq!(pipelines(&["--before", "1h"]), [""; 0]);
    assert_eq!(pipelines(&["--before", "2020-01-31"]), [""; 0]);
    let first = &listed(&host, &["--last", "1"])[0];
    assert_eq!(first["trigger"], "manual");
    assert_eq!(first["platform"].as_str().unwrap().split('/').next(), Some("linux"));
    let id = first["id"].as_str().unwrap();
    let tsv = host.run(&["runs", "--format", "tsv"]);
    let lines: Vec<Vec<&str>> =
        tsv.exits(0).stdout.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0][..2], [id, "good"]);
    assert_eq!(lines[1][3..5], ["failed", "manual"]);
    let more = host.run(&["runs", "--last", "1"]);
    more.exits(0).stderr_is("there are more: `--last 2` shows older ones\n");
    assert_eq!(more.stdout.lines().count(), 3);
}

#[test]
fn what_is_mistyped_is_answered_with_what_was_meant() {
    let host = pipeline("good", TWO);
    host.run(&["runs", "show", "da8"])
        .exits(2)
        .stderr_says(&["no run `da8`", "windlass run PIPELINE"]);
    host.run(&["run", "p.toml"]).exits(0);
    host.run(&["runs", "--pipeline", "goof"])
        .exits(2)
        .stderr_says(&["did you mean `--pipeline good`?"]);
    host.run(&["runs", "--status", "faild"]).exits(2).stderr_says(&["'failed'"]);
    host.run(&["runs", "shwo", "x"]).exits(2).stderr_says(&["'show'"]);
    host.run(&["runs", "--since", "yesterday"]).exits(2).stderr_says(&["expected a day such as"]);
    let id = newest(&host);
    // The last characters of what people see, swapped.
    let typed = format!("{}{}{}", &id[..2], if &id[2..3] == "0" { "1" } else { "0" }, "");
    host.run(&["runs", "show", &typed]).exits(2).stderr_says(&["did you mean `", &id[..3]]);
    let missing = ["runs", "logs", &id, "--step", "frist"];
    host.run(&missing).exits(2).stderr_says(&["did you mean `--step first`?"]);
    host.run(&["runs", "prune"]).exits(2).stderr_says(&["--keep"]);
}

#[test]
fn a_run_is_shown_with_all_that_is_known_of_it() {
    let host = pipeline("many", TWO);
    let ran = host.run(&["run", "p.toml", "--input", "who=Bo", "--format", "json"]);
    ran.exits(0);
    let id = ran.events("run-started")[0]["run"].as_str().unwrap().to_owned();
    let run = shown(&host, &id[..4]);
    assert_eq!(run["id"], id);
    assert_eq!((&run["status"], &run["trigger"]), (&json!("succeeded"), &json!("manual")));
    assert_eq!(run["inputs"], json!({ "who": "Bo" }));
    assert_eq!(run["file"], host.path("p.toml").to_str().unwrap());
    let first = instance(&run, "first");
    assert_eq!(first["inputs"], json!({ "text": "hello Bo" }));
    assert_eq!(first["outputs"], json!({ "text": "hello Bo" }));
    let shaky = instance(&run, "shaky");
    assert_eq!(shaky["attempts"][0]["fault"]["code"], "transient.x");
    assert_eq!(shaky["attempts"][1]["fault"], json!(null));
    let page = host.run(&["runs", "show", &id]);
    for line in [
        "  trigger   Manual",
        "  who       Bo",
        "step shaky: changed in ",
        "  attempt 1 failed: not yet",
    ] {
        assert!(page.exits(0).stdout.contains(line), "{line} is not in\n{}", page.stdout);
    }
    write(&host, "f.toml", "many", FAILS);
    host.run(&["run", "f.toml"]).exits(1);
    let page = host.run(&["runs", "show", &newest(&host)]);
    for line in [
        "many: failed, exit code 1\n",
        "  fault     no room left [quota.full]",
        "  help      make some",
    ] {
        assert!(page.exits(0).stdout.contains(line), "{line} is not in\n{}", page.stdout);
    }
}

#[test]
fn images_that_were_read_and_written_are_kept_by_digest() {
    let host = host();
    let registry = Embedded::start(&host, &host.path("registry"));
    let image = Image::multi_arch(&["linux/amd64"], 1000);
    image.write_layout(&host.path("source"), "v1");
    let target = format!("{}/app", registry.address());
    let step = format!(
        "schema = 1\n[pipeline]\nname = \"import\"\n[[step]]\nid = \"import\"\nuses = \"import-image\"\n\
         with = {{ source = \"oci-layout:source:v1\", targets = [\"{target}:v1\", \"{target}:latest\"] }}\n"
    );
    host.write("p.toml", step);
    host.run(&["run", "p.toml"]).exits(0);
    let run = shown(&host, &newest(&host));
    let images = instance(&run, "import")["images"].clone();
    let digest = image.digest();
    for (role, reference) in [
        ("read", "oci-layout:source:v1".to_owned()),
        ("written", format!("{target}:v1")),
        ("written", format!("{target}:latest")),
    ] {
        let row = json!({ "role": role, "reference": reference, "digest": digest });
        assert!(images.as_array().unwrap().contains(&row), "{row} is not in {images}");
    }
    for image in [&*target, &format!("{target}:latest"), &digest] {
        assert_eq!(listed(&host, &["--image", image]).len(), 1, "{image}");
    }
    assert_eq!(listed(&host, &["--image", &format!("{target}:v2")]).len(), 0);
}

#[test]
fn logs_are_what_the_run_said() {
    let host = pipeline("many", TWO);
    let ran = host.run(&["run", "p.toml"]);
    ran.exits(0);
    let id = newest(&host);
    let logs = host.run(&["runs", "logs", &id]);
    let said: String =
        ran.stderr.split_inclusive('\n').filter(|line| !line.starts_with("compiled ")).collect();
    assert_eq!(logs.exits(0).stdout, said);
    let verbose = host.run(&["runs", "logs", &id, "-v"]);
    assert!(verbose.exits(0).stdout.contains("shaky  attempt 2\n"), "{}", verbose.stdout);
    let one = host.run(&["runs", "logs", &id, "--step", "first"]);
    one.exits(0).stdout_is(str![[r#"
first  changed in [TOOK]: step first of [..]

"#]]);
    let json = host.run(&["runs", "logs", &id, "--format", "json"]);
    let names: Vec<_> = json.exits(0).ndjson().iter().map(|event| event["event"].clone()).collect();
    assert_eq!(names[1], "run-started");
    assert_eq!(names.last().unwrap(), "run-finished");
}

#[test]
fn the_log_of_a_run_is_followed_to_its_end() {
    let host = pipeline("long", ENDLESS);
    let running = start(&host, "long");
    let run = wait_until(&host, "running");
    assert_eq!(run["duration-ms"], json!(null));
    let id = run["id"].as_str().unwrap();
    let arguments = ["runs", "logs", id, "--follow", "-v"];
    let mut follower = host.spawn(&arguments, b"");
    follower.wait_for("log", |stdout, _| stdout.contains("long   started").then_some(()));
    running.signal(Signal::SIGINT);
    host.finish(running, &["run"]).exits(130);
    let followed = host.finish(follower, &arguments);
    followed.exits(0);
    assert!(followed.stdout.contains("clean  changed in "), "{}", followed.stdout);
    assert!(followed.stdout.contains("run cancelled in "), "{}", followed.stdout);
}

#[test]
fn a_run_is_cancelled_from_elsewhere_and_still_cleans_up() {
    let host = pipeline("long", ENDLESS);
    let running = start(&host, "long");
    let id = newest(&host);
    let short = &id[..3];
    host.run(&["runs", "cancel", short, "--wait"]).exits(0).stderr_says(&["is asked to end"]);
    assert_eq!(statuses(&host), ["cancelled"]);
    let ran = host.finish(running, &["run"]);
    ran.exits(130);
    assert_eq!(ran.finished("clean")["outputs"]["was"], "cancelled");
    host.run(&["runs", "cancel", &id]).exits(2).stderr_says(&["is over: it was cancelled"]);
}

#[test]
fn a_second_cancel_ends_a_run_at_once() {
    let endless = ENDLESS
        .replace("{ECHO}", "{HOG}")
        .replace(r#"with = { was = "{{ steps.long.outcome }}" }"#, r#"with = { act = "sleep" }"#);
    let host = pipeline("long", &endless);
    let mut running = start(&host, "long");
    let id = newest(&host);
    host.run(&["runs", "cancel", &id]).exits(0);
    running.wait_for("cleanup", |stdout, _| {
        stdout.contains(r#""event":"step-started","step":"clean""#).then_some(())
    });
    host.run(&["runs", "cancel", &id, "--wait"]).exits(0).stderr_says(&["told to end at once"]);
    let ran = host.finish(running, &["run"]);
    ran.exits(130);
    assert_eq!(ran.finished("clean")["outcome"], "cancelled");
}

#[test]
fn what_is_forgotten_is_gone_from_the_file() {
    let host = host_with("echo", r#"with = { text = "rumpelstiltskin" }"#);
    host.run(&["run", "p.toml"]).exits(0);
    host.run(&["run", "p.toml"]).exits(0);
    assert!(bytes(&host).contains("rumpelstiltskin"));
    host.run(&["runs", "prune", "--older-than", "1h"]).exits(0).stdout_is("removed 0 runs\n");
    host.run(&["runs", "prune", "--keep", "1"]).exits(0).stdout_is("removed 1 run\n");
    assert_eq!(listed(&host, &[]).len(), 1);
    let json = host.run(&["runs", "prune", "--keep", "0", "--format", "json"]);
    assert_eq!(json.exits(0).stdout, "{\n  \"removed\": 1\n}\n");
    assert!(!bytes(&host).contains("rumpelstiltskin"));
}

const VALUE: &str = "cargo-of-gold";

#[test]
fn a_secret_is_nowhere_in_the_store() {
    let server = support::HttpServer::start(|_| support::Answer::body(VALUE));
    let url = server.url("/");
    // It is sent, it comes back, and it is given as an input besides.
    let rest = format!(
        r#"with = {{ url = "{url}", secret = "token" }}
[step.grant]
http = [{{ url = "{url}", private = true }}]
secrets = ["token"]

[[step]]
id = "told"
uses = "{echo}"
with = {{ text = "{{{{ inputs.word }}}}", encoded = "bWU6Y2FyZ28tb2YtZ29sZA==" }}

[inputs]
word = {{ type = "string" }}

[secrets]
token = {{ from = "env", name = "TOKEN" }}"#,
        echo = TestHost::guest("echo")
    );
    let host = host().file("p.toml", one_step("fetch", &rest)).env("TOKEN", VALUE);
    host.run(&["run", "p.toml", "-v", "--input", &format!("word=<{VALUE}>")]).exits(0);
    assert_eq!(server.requests()[0].header("authorization"), Some("Bearer cargo-of-gold"));
    let id = newest(&host);
    let said = [
        bytes(&host),
        host.run(&["runs", "show", &id]).account(),
        host.run(&["runs", "show", &id, "--format", "json"]).account(),
        host.run(&["runs", "logs", &id, "-v"]).account(),
    ];
    let sweep = Sweep::of([("the secret".to_owned(), VALUE.to_owned())]);
    for text in said {
        assert_eq!(sweep.find_in(text.as_bytes()), [""; 0]);
    }
    let run = shown(&host, &id);
    assert_eq!(run["withheld-inputs"], json!(["word"]));
    assert_eq!(instance(&run, "told")["outputs-withheld"], true);
    let again = host.run(&["runs", "rerun", &id]);
    again.exits(2).stderr_says(&["the input `word` held a secret", "--input word=…"]);
    host.run(&["runs", "rerun", &id, "--input", "word=free"]).exits(0);
    assert_eq!(shown(&host, &newest(&host))["inputs"], json!({ "word": "free" }));
}

#[test]
fn templates_know_the_run() {
    let host = pipeline(
        "many",
        r#"
[[step]]
id = "step"
uses = "{ECHO}"
with = { id = "{{ run.id }}", at = "{{ run.date }}|{{ run.started }}|{{ run.stamp }}", on = "{{ run.os }}/{{ run.arch }}", why = "{{ run.trigger }}", of = "{{ run.pipeline }}" }
"#,
    );
    host.run(&["run", "p.toml"]).exits(0);
    let run = &listed(&host, &[])[0];
    let given = instance(&shown(&host, run["id"].as_str().unwrap()), "step")["inputs"].clone();
    assert_eq!(given["id"], run["id"]);
    assert_eq!(given["on"], run["platform"]);
    assert_eq!((&given["why"], &given["of"]), (&json!("manual"), &json!("many")));
    let [date, started, stamp] = given["at"].as_str().unwrap().split('|').collect::<Vec<_>>()[..]
    else {
        panic!("{given}")
    };
    assert!(started.starts_with(&format!("{date}T")) && started.len() == 20, "{started}");
    assert_eq!(stamp, started.replace(['-', ':'], "").replace('T', "-").replace('Z', "z"));
}
