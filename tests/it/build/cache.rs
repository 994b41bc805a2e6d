//! What was built before is not built again, here or elsewhere; and what is built is the same
//! everywhere.

use std::time::{Duration, SystemTime};

use serde_json::json;
use support::TempDir;

use super::Workshop;

const DOCKERFILE: &str =
    "FROM BASE\nCOPY src /src\nRUN cat /src/* > /all\nENV DONE=1\nRUN echo $DONE > /done\n";

fn write(shop: &Workshop, folder: &str) {
    shop.host.write(&format!("{folder}/Dockerfile"), DOCKERFILE.replace("BASE", &shop.base()));
    for name in ["b", "a", "c"] {
        shop.host.write(&format!("{folder}/src/{name}"), name);
    }
}

#[test]
fn a_step_is_done_again_only_if_something_it_depends_on_changed() {
    let shop = Workshop::new();
    write(&shop, "ctx");
    let steps = |with: &str| shop.build(&format!("context = \"ctx\"\n{with}"))["steps"].clone();
    let counted = |done: u32, cached: u32| json!({ "done": done, "cached": cached });
    assert_eq!(steps(""), counted(3, 0));
    assert_eq!(steps(""), counted(0, 3));
    shop.host.write("ctx/other", "not copied");
    assert_eq!(steps(""), counted(0, 3));
    shop.host.write("ctx/src/b", "changed");
    assert_eq!(steps(""), counted(3, 0));
    shop.host.write("ctx/src/b", "b");
    assert_eq!(steps(""), counted(0, 3), "what was known is still known");
    let text = shop.host.read("ctx/Dockerfile");
    shop.host.write("ctx/Dockerfile", text.replace("DONE=1", "DONE=2"));
    assert_eq!(steps(""), counted(1, 2), "only what sees the variable");
    assert_eq!(steps("no-cache = true"), counted(3, 0));
    assert_eq!(steps("source-date-epoch = 1700000000"), counted(3, 0), "other bytes");
}

#[test]
fn the_latest_time_is_said_by_the_step_an_argument_or_the_environment() {
    let mut shop = Workshop::new();
    write(&shop, "ctx");
    let digest = |shop: &Workshop, with: &str| {
        shop.build(&format!("context = \"ctx\"\n{with}"))["digest"].clone()
    };
    let [usual, said, other] =
        ["", "source-date-epoch = 1700000000", "source-date-epoch = 1600000000"]
            .map(|with| digest(&shop, with));
    assert!(usual != said && said != other && usual != other);
    let argument = "args = { SOURCE_DATE_EPOCH = \"1700000000\" }";
    assert_eq!(digest(&shop, argument), said);
    assert_eq!(digest(&shop, &format!("source-date-epoch = 1600000000\n{argument}")), other);
    shop.host = shop.host.env("SOURCE_DATE_EPOCH", "1700000000");
    assert_eq!(digest(&shop, ""), said);
    assert_eq!(digest(&shop, "source-date-epoch = 1600000000"), other);
    shop.host = shop.host.env("SOURCE_DATE_EPOCH", "yesterday");
    let refused = shop.host.run(&["run", "p.toml"]);
    refused.exits(2).stderr_says(&["SOURCE_DATE_EPOCH is `yesterday`", "seconds since 1970"]);
}

#[test]
fn the_same_inputs_give_the_same_digest_wherever_and_whenever() {
    let (one, two) = (Workshop::new(), Workshop::new());
    write(&one, "ctx");
    // Another order of writing, other times, another machine's umask.
    for name in ["c", "b", "a"] {
        two.host.write(&format!("ctx/src/{name}"), name);
        let file =
            std::fs::File::options().write(true).open(two.host.path(&format!("ctx/src/{name}")));
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000);
        file.unwrap().set_modified(old).unwrap();
    }
    // The name of the registry must not matter either, so the base comes from a layout.
    for shop in [&one, &two] {
        shop.build("context = \"base\"\ntags = [\"oci-layout:base-layout:1\"]");
        shop.host.write("ctx/Dockerfile", DOCKERFILE.replace("BASE", "oci-layout:base-layout:1"));
    }
    let digest = |shop: &Workshop| {
        let built =
            shop.build("context = \"ctx\"\nbases = [\"oci-layout:base-layout\"]\nno-cache = true");
        built["digest"].as_str().unwrap().to_owned()
    };
    assert_eq!(digest(&one), digest(&one));
    assert_eq!(digest(&one), digest(&two));
}

#[test]
fn another_machine_takes_what_was_built_from_a_registry() {
    let shop = Workshop::new();
    write(&shop, "ctx");
    let cache = format!("{}/cache", shop.registry());
    let first = shop.build(&format!("context = \"ctx\"\ncache-to = {cache:?}"));
    let elsewhere = TempDir::new().unwrap();
    let with = shop.pipeline(&format!("context = \"ctx\"\ncache-from = [{cache:?}]"));
    shop.host.write("p.toml", with);
    let build = |folder: &TempDir| {
        let below = format!("export WINDLASS_BUILD_DIR={}", folder.path().display());
        let ran = shop.host.run_below(&below, &["run", "p.toml", "--format", "json"]);
        ran.exits(0);
        ran.finished("build")["outputs"].clone()
    };
    let second = build(&elsewhere);
    assert_eq!(second["digest"], first["digest"]);
    assert_eq!(second["steps"], json!({ "done": 0, "cached": 3 }));
}

#[test]
fn what_builds_left_is_shown_and_removed() {
    let shop = Workshop::new();
    write(&shop, "ctx");
    shop.build("context = \"ctx\"");
    let cache = |arguments: &[&str]| {
        let ran = shop.host.run(&[&["cache", "--format", "json"], arguments].concat());
        ran.exits(0);
        serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap()
    };
    assert!(cache(&[])["bytes"].as_u64().unwrap() > 0);
    cache(&["--prune"]);
    assert_eq!(cache(&[])["bytes"], 0);
    assert_eq!(shop.build("context = \"ctx\"")["steps"], json!({ "done": 3, "cached": 0 }));
}
