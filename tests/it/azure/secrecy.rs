//! What every test of Azure ends with: no secret is anywhere but where it belongs.

use serde_json::Value;
use support::{Sweep, TestHost, poll};

use super::{Emulator, pipeline};
use crate::host;

/// How every token of the emulator begins: `{"typ":"JWT","alg":"RS256",…`.
const TOKEN: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiI";

/// What the names of variables end with that hold secrets.
const SECRET_VARIABLES: [&str; 4] = ["_SECRET", "_PASSWORD", "_TOKEN", "_PAT"];

/// What tests write by which a run gets a secret: it is there in any case.
const GIVEN: &str = "given";

/// Keys of what resources have that nobody sees.
const HIDDEN: [&str; 5] = ["password", "password1", "password2", "secureValue", "token"];

/// What the emulator keeps, and what a test gives.
const EXCEPT: [&str; 2] = ["emulator", GIVEN];

/// Looks for every secret that was used in the world: those that its variables give, tokens, and all
/// that the emulator has in vaults and beside its resources.
pub(super) fn sweep(host: &TestHost) {
    let found = found(host);
    assert!(found.is_empty(), "secrets were found:\n{}", found.join("\n"));
}

fn found(host: &TestHost) -> Vec<String> {
    host.sweep(&Sweep::of(secrets(host)), &EXCEPT)
}

/// Each with a name that says where it was used.
fn secrets(host: &TestHost) -> Vec<(String, String)> {
    let state: Value = serde_json::from_str(&host.read("emulator/state.json")).unwrap();
    let mut found = vec![("a token".to_owned(), TOKEN.to_owned())];
    let is_secret = |name: &str| SECRET_VARIABLES.iter().any(|end| name.ends_with(end));
    let is_used = |(name, value): &(String, String)| is_secret(name) && !value.is_empty();
    found.extend(host.variables().filter(is_used));
    for (name, vault) in state["vaults"].as_object().unwrap() {
        texts_at(vault, &["value"], &format!("a value of the vault {name}"), &mut found);
    }
    for (id, resource) in state["resources"].as_object().unwrap() {
        texts_at(&resource["hidden"], &HIDDEN, &format!("a secret of {id}"), &mut found);
    }
    found
}

/// All texts in `value` below one of `keys`.
fn texts_at(value: &Value, keys: &[&str], name: &str, found: &mut Vec<(String, String)>) {
    match value {
        // Who logs in is no secret, though a vault may keep it: outputs say it.
        Value::Object(fields) => {
            for (key, value) in fields.iter().filter(|(key, _)| !key.ends_with("-usr")) {
                if let (true, Some(text)) = (keys.contains(&key.as_str()), value.as_str()) {
                    found.push((name.to_owned(), text.to_owned()));
                }
                texts_at(value, keys, name, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts_at(item, keys, name, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The sweep would see it: a secret in each place where one could be.
#[test]
fn a_secret_that_is_planted_is_found_wherever_it_is() {
    let host = host().file("store.toml", pipeline(STORE));
    let emulator = Emulator::start(&host, &[]);
    // Without the search at the end, which would fail.
    let host = emulator.seen_by(host, "s3cr3t").witnessed(|_| {});
    let host = host.env("APP_SECRET", "s3cr3t").env("DB_PASSWORD", "pl/anted+in many \"forms\"");
    host.run(&["run", "store.toml"]).exits(0);
    assert_eq!(found(&host), [""; 0]);
    let state: Value = serde_json::from_str(&host.read("emulator/state.json")).unwrap();
    assert!(state["vaults"].to_string().contains("pl/anted"), "it is where it belongs");
    let names = secrets(&host);
    for name in ["a token", "APP_SECRET", "DB_PASSWORD", "a value of the vault mykeyvault"] {
        assert!(names.iter().any(|(known, _)| known == name), "{name} is not looked for");
    }
    for (place, text) in [
        (".home/state/runs.sqlite-wal", "..pl/anted+in many \"forms\".."),
        (".home/tmp/left", "cGwvYW50ZWQraW4gbWFueSAiZm9ybXMi"),
        ("core.1234", "\0pl%2Fanted%2Bin%20many%20%22forms%22\0"),
        ("said.json", r#"{"said":"pl/anted+in many \"forms\""}"#),
        (".home/state/dump", "706c2f616e7465642b696e206d616e792022666f726d7322"),
        (".home/tmp/token", "Bearer eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiIsImtpZCI6IjEi"),
    ] {
        host.write(place, text);
        let found = found(&host);
        assert!(found.len() == 1 && found[0].contains(place), "{place}: {found:?}");
        std::fs::remove_file(host.path(place)).unwrap();
    }
    // In what a process says.
    host.run(&["check", "s3cr3t.toml"]).exits(2);
    assert!(found(&host).join("\n").contains("has printed: APP_SECRET in plain"));
    // In its arguments, and in a variable that nobody gave to it.
    let serve = ["registry", "serve", "--root", "s3cr3t", "--listen", "127.0.0.1:0"];
    let mut running = host.spawn_below("export LEAKED=$APP_SECRET", &serve);
    running.wait_for("listening registry", |stdout, _| stdout.contains("://").then_some(()));
    poll("what is to be seen", || {
        let seen = found(&host).join("\n");
        ["arguments of a process", "the environment of a process"]
            .iter()
            .all(|place| seen.contains(place))
            .then_some(())
    });
}

const STORE: &str = r#"
[secrets.db]
from = "env"
name = "DB_PASSWORD"

[[step]]
id = "store"
uses = "store-secret"
with = { vault = "mykeyvault", name = "db", secret = "db", identity = "prod" }
"#;

/// Tokens begin as it is looked for.
#[test]
fn the_beginning_of_a_token_is_that_of_the_emulator() {
    let host = host();
    let emulator = Emulator::start(&host, &[]);
    let address = emulator.url().trim_start_matches("http://");
    let form = "grant_type=client_credentials&client_id=33333333-3333-3333-3333-333333333333\
                &client_secret=s3cr3t&scope=https://management.azure.com/.default";
    let path = "/22222222-2222-2222-2222-222222222222/oauth2/v2.0/token";
    let head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\n");
    let answer = super::post(address, &head, "application/x-www-form-urlencoded", form);
    assert!(answer.contains(&format!("\"access_token\":\"{TOKEN}")), "{answer}");
}
