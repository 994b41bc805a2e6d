//! `windlass runs --acr`: runs of a registry beside ours.

use serde_json::{Value, json};
use support::{Output, str};

use super::{Emulator, SECRET, World, pipeline};

/// Runs more than a page of Azure has.
const MANY: u64 = 250;

/// A world with a run of ours that has had Azure build, and the file whose identity asks.
fn world() -> World {
    let world = World::new(&[]);
    world.host.write("app/Dockerfile", "FROM scratch\nCOPY . /\n");
    world.host.write("who.toml", pipeline(""));
    world.build("context = \"app\"\ntags = [\"myregistry.azurecr.io/app:1\"]");
    world
}

fn list(world: &World, more: &[&str]) -> Output {
    let asked = ["runs", "--acr", "myregistry.azurecr.io", "--file", "who.toml"];
    world.host.run(&[&asked, more].concat())
}

/// The ids of the runs that Azure has, in the order of the list.
#[track_caller]
fn ids(world: &World, more: &[&str]) -> Vec<String> {
    let ran = list(world, &[&["--format", "json"], more].concat());
    ran.exits(0);
    let runs: Vec<Value> = serde_json::from_str(&ran.stdout).unwrap();
    let theirs = runs.iter().filter(|run| run["where"] != "here");
    theirs.map(|run| run["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn runs_of_a_registry_stand_beside_ours() {
    let world = world();
    let ran =
        world.step("acr-task", "action = \"run\"\nregistry = \"myregistry\"\nname = \"nothing\"");
    assert_ne!(ran.code, Some(0));
    list(&world, &[]).exits(0).stdout_is(str![[r#"
RUN ID    PIPELINE    PLATFORM    STATUS     TRIGGER    STARTED               DURATION    WHERE
--------  ----------  ----------  ---------  ---------  --------------------  ----------  ---------------------
[..]       azure       Linux       Failed     Manual     [TIME]  00:00:0[..]    here
ca1                   Linux       Succeeded  Manual     [TIME]  00:00:0[..]    myregistry.azurecr.io
[..]       azure       Linux       Succeeded  Manual     [TIME]  00:00:0[..]    here

"#]]);
    let ran = list(&world, &["--format", "tsv", "--status", "succeeded"]);
    let lines: Vec<Vec<&str>> =
        ran.exits(0).stdout.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.len(), 2, "{}", ran.account());
    let (theirs, ours) = (&lines[0], &lines[1]);
    assert_eq!(theirs[..5], ["ca1", "", "linux/amd64", "succeeded", "manual"]);
    assert_eq!((theirs[7], ours[1], ours[7]), ("myregistry.azurecr.io", "azure", "here"));

    let ran = list(&world, &["--format", "json", "--last", "2"]);
    let runs: Vec<Value> = serde_json::from_str(&ran.exits(0).stdout).unwrap();
    assert_eq!((runs.len(), &runs[0]["where"]), (2, &json!("here")));
    let run = &runs[1];
    assert_eq!((&run["id"], &run["azure-status"]), (&json!("ca1"), &json!("Succeeded")));
    assert_eq!(run["images"][0]["reference"], "myregistry.azurecr.io/app:1");
    assert!(run["duration-ms"].is_u64() && run["error"].is_null(), "{run}");
    ran.stderr_is("");

    // Filters are asked of both.
    for (filter, there) in [
        (["--status", "succeeded"], true),
        (["--status", "failed"], false),
        (["--status", "interrupted"], false),
        (["--trigger", "manual"], true),
        (["--trigger", "webhook"], false),
        (["--image", "myregistry.azurecr.io/app"], true),
        (["--image", "myregistry.azurecr.io/other"], false),
        (["--since", "1h"], true),
        (["--before", "2026-01-01"], false),
        (["--pipeline", "azure"], false),
    ] {
        assert_eq!(ids(&world, &filter), if there { vec!["ca1"] } else { vec![] }, "{filter:?}");
    }
    // Nothing is said of places where nobody asked for them.
    let alone = world.host.run(&["runs"]);
    assert!(!alone.exits(0).stdout.contains("WHERE"), "{}", alone.account());
}

#[test]
fn where_a_registry_does_not_answer_ours_are_shown_all_the_same() {
    let world = world();
    let ours = |ran: &Output| {
        assert!(ran.stdout.contains("azure       Linux"), "{}", ran.account());
        assert!(!ran.stdout.contains("ca1"), "{}", ran.account());
    };
    let who = ["runs", "--file", "who.toml", "--acr"];
    let ran = world.host.run(&[&who, ["nosuchregistry"].as_slice()].concat());
    ran.exits(1).stderr_says(&[
        "nosuchregistry",
        "there are myregistry.azurecr.io",
        "--subscription",
    ]);
    ours(&ran);
    let refused = json!({
        "kind": "refuse", "status": 403, "code": "AuthorizationFailed",
        "message": "no\u{1b}[2J right to Microsoft.ContainerRegistry/registries/runs/read",
    });
    world.fault(&json!({ "fault": refused, "on": "/runs" }));
    let ran = list(&world, &[]);
    ran.exits(4).stderr_says(&["AuthorizationFailed", "no [2J right", "`Reader`"]);
    ours(&ran);
    // One that fails keeps nothing from the other.
    let ran = list(&world, &["--acr", "nosuchregistry"]);
    assert!(ran.exits(1).stdout.contains("ca1"), "{}", ran.account());

    let world = world.env("APP_SECRET", "another-s3cr3t");
    let ran = list(&world, &[]);
    ran.exits(4).stderr_says(&["AADSTS7000215"]);
    ours(&ran);
    let ran = world.host.run(&["runs", "--acr", "myregistry"]);
    ran.exits(4).stderr_says(&["no way to log in", "az login"]);
    ours(&ran);
    let World { host, emulator, _builds } = world;
    drop(emulator);
    let ran = host.run(&["runs", "--acr", "myregistry", "--file", "who.toml"]);
    ran.exits(5).stderr_says(&["login.microsoftonline.com", "HTTPS_PROXY"]);
    ours(&ran);

    for (arguments, said) in [
        (["--file", "who.toml", "--identity", "other"].as_slice(), "no identity `other`"),
        (&["--file", "none.toml"], "none.toml"),
        (&["--subscription", "../x"], "letters, digits"),
        (&["--identity", "prod"], "--file"),
    ] {
        let ran = host.run(&[&["runs", "--acr", "myregistry"], arguments].concat());
        ran.exits(2).stderr_says(&[said]);
    }
    host.run(&["runs", "--file", "who.toml"]).exits(2).stderr_says(&["--acr"]);
}

#[test]
fn pages_are_followed_and_no_text_is_obeyed() {
    let World { host, emulator, _builds } = world();
    drop(emulator);
    // What a registry with a history has, and what one says that means no good.
    let mut state: Value = serde_json::from_str(&host.read("emulator/state.json")).unwrap();
    let resources = state["resources"].as_object_mut().unwrap();
    let (key, first) = resources.iter().find(|(key, _)| key.ends_with("/runs/ca1")).unwrap();
    let (key, first) = (key.clone(), first.clone());
    for number in 2..=MANY {
        // Ids count in base 36; digits alone are a part of that.
        let id = format!("ca{number}");
        let mut run = first.clone();
        run["body"]["name"] = json!(id);
        run["body"]["id"] = json!(key.replace("/ca1", &format!("/{id}")));
        let properties = &mut run["body"]["properties"];
        properties["runId"] = json!(id);
        properties["task"] = json!("evil\u{1b}[2J\ttask\u{202e}\n");
        properties["status"] = json!(if number == 2 { "Timeout" } else { "Succeeded" });
        properties["runErrorMessage"] = json!("\u{1b}]0;title\u{7}");
        properties["imageUpdateTrigger"] = json!({ "images": [] });
        resources.insert(key.replace("/ca1", &format!("/{id}")), run);
    }
    host.write("emulator/state.json", state.to_string());
    let emulator = Emulator::start(&host, &[]);
    let host = emulator.seen_by(host, SECRET);
    let world = World { host, emulator, _builds };

    let all = ids(&world, &["--trigger", "image-update", "--last", "1000"]);
    assert_eq!(all.len(), usize::try_from(MANY).unwrap() - 1);
    assert_eq!(ids(&world, &["--last", "1000"]).len(), all.len() + 1);
    // What stands on the last page is found, too.
    assert_eq!(ids(&world, &["--status", "failed"]), ["ca2"]);
    let ran = list(&world, &["--last", "150"]);
    ran.exits(0).stderr_says(&["there are more: `--last 300`"]);
    assert_eq!(ran.stdout.lines().count(), 152);
    for format in ["human", "tsv", "json"] {
        let ran = list(&world, &["--format", format]);
        let text = ran.exits(0).stdout.replace(['\n', '\t'], "");
        assert!(text.bytes().all(|b| b.is_ascii_graphic() || b == b' '), "{format}\n{text}");
        assert!(text.contains("evil?[2J?task?"), "{format}\n{text}");
    }
    let ran = list(&world, &["--format", "tsv"]);
    assert!(ran.stdout.lines().all(|line| line.split('\t').count() == 8), "{}", ran.account());
}
