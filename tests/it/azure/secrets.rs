//! Secrets that steps make, store and renew.

use serde_json::{Value, json};
use support::{Image, Output, TestHost};

use super::{Emulator, pipeline};
use crate::host;

const REGISTRY: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg1\
                        /providers/Microsoft.ContainerRegistry/registries/myregistry";

/// A step `store` into the vault.
fn store(inputs: &str) -> String {
    format!(
        "[[step]]\nid = \"store\"\nuses = \"store-secret\"\n[step.with]\nvault = \"mykeyvault\"\n\
         identity = \"prod\"\n{inputs}\n"
    )
}

/// A service principal that may pull, with more inputs of its own, and of the step behind them.
fn principal(own: &str, more: &str) -> String {
    store(&format!(
        "{more}service-principal = {{ scope = \"{REGISTRY}\", role = \"AcrPull\"{own} }}"
    ))
}

fn run(host: &TestHost, steps: &str) -> Output {
    host.write("p.toml", pipeline(steps));
    host.run(&["run", "p.toml", "--format", "json", "-v"])
}

/// The outputs of the step, which must succeed.
#[track_caller]
fn stored(host: &TestHost, steps: &str) -> Value {
    let ran = run(host, steps);
    ran.exits(0);
    ran.finished("store")["outputs"].clone()
}

/// The values of a secret, the oldest first.
fn values(host: &TestHost, name: &str) -> Vec<String> {
    let state: Value = serde_json::from_str(&host.read("emulator/state.json")).unwrap();
    let mut found = Vec::new();
    values_of(&state["vaults"]["mykeyvault"], name, false, &mut found);
    found
}

fn values_of(value: &Value, name: &str, inside: bool, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if let (true, "value", Some(text)) = (inside, key.as_str(), value.as_str()) {
                    found.push(text.to_owned());
                }
                values_of(value, name, inside || key == name, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|it| values_of(it, name, inside, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether `password` lets `user` pull `app:v1`, by another client than this machine's identity.
fn may_pull(host: TestHost, user: &str, password: &str) -> (TestHost, bool) {
    let host = host.env("PULL_PASSWORD", password);
    let text = pipeline(
        "[secrets.pull]\nfrom = \"env\"\nname = \"PULL_PASSWORD\"\n\n[[step]]\nid = \"pull\"\n\
         uses = \"import-image\"\nwith = { source = \"myregistry.azurecr.io/app:v1\", \
         target = \"oci-layout:pulled:v1\", force = true }\n",
    );
    let own = format!("username = \"{user}\"\npassword = {{ secret = \"pull\" }}");
    host.write("pull.toml", text.replacen("\nidentity = \"prod\"", &format!("\n{own}"), 1));
    let ran = host.run(&["run", "pull.toml"]);
    assert!([Some(0), Some(4)].contains(&ran.code), "{}", ran.account());
    let may = ran.code == Some(0);
    (host, may)
}

/// A world with `app:v1` in the registry.
fn with_image() -> (Emulator, TestHost) {
    let host = host();
    Image::multi_arch(&["linux/amd64"], 1000).write_layout(&host.path("image"), "v1");
    let emulator = Emulator::start(&host, &[]);
    let host = emulator.seen_by(host, "s3cr3t");
    let push = "[[step]]\nid = \"push\"\nuses = \"import-image\"\nwith = { source = \
                \"oci-layout:image:v1\", target = \"myregistry.azurecr.io/app:v1\" }\n";
    run(&host, push).exits(0);
    (emulator, host)
}

#[test]
fn a_password_is_renewed_without_a_gap() {
    let (_emulator, host) = with_image();
    let first = stored(&host, &principal(", valid = \"10d\"", ""));
    assert_eq!(first["changed"], true, "{first}");
    let user = first["app-id"].as_str().unwrap().to_owned();
    let again = stored(&host, &principal(", valid = \"10d\"", ""));
    assert_eq!((&again["changed"], &again["key-id"]), (&json!(false), &first["key-id"]));
    // It ends within twenty days: a new one is made, and both are good.
    let renewed = stored(&host, &principal(", valid = \"60d\", renew-before = \"20d\"", ""));
    assert_eq!(renewed["changed"], true, "{renewed}");
    assert_ne!(renewed["key-id"], first["key-id"]);
    assert_eq!(renewed["app-id"], first["app-id"]);
    let passwords = values(&host, "myregistry-pull-pwd");
    let [old, new] = passwords.as_slice() else { panic!("{} versions", passwords.len()) };
    let (host, may_old) = may_pull(host, &user, old);
    let (host, may_new) = may_pull(host, &user, new);
    assert!(may_old && may_new, "old: {may_old}, new: {may_new}");
    // By hand, and the earlier ones that are ours go.
    let rotated =
        stored(&host, &principal(", valid = \"60d\", keep-previous = false", "rotate = true\n"));
    assert_eq!(rotated["changed"], true, "{rotated}");
    let newest = values(&host, "myregistry-pull-pwd").pop().unwrap();
    let (host, may_newest) = may_pull(host, &user, &newest);
    let (host, may_old) = may_pull(host, &user, old);
    let (_host, may_new) = may_pull(host, &user, new);
    assert!(may_newest && !may_old && !may_new, "{may_newest} {may_old} {may_new}");
}

/// `AcrPull` has no effect on a registry whose permissions are for each repository.
#[test]
fn a_registry_with_permissions_for_repositories_gets_the_role_that_counts() {
    let (_emulator, host) = with_image();
    let uses = TestHost::guest("fetch");
    let url = format!("https://management.azure.com{REGISTRY}?api-version=2026-09-01-preview");
    let body = r#"{"properties":{"roleAssignmentMode":"AbacRepositoryPermissions"}}"#;
    let change = format!(
        "[[step]]\nid = \"store\"\nuses = \"{uses}\"\n[step.with]\nmethod = \"PATCH\"\n\
         url = \"{url}\"\nidentity = \"prod\"\nbody = '{body}'\n\
         headers = {{ content-type = \"application/json\" }}\n[step.grant]\n\
         http = [{{ url = \"https://management.azure.com\", methods = [\"PATCH\"], private = true }}]\n\
         identity = [\"prod\"]\n"
    );
    let changed = stored(&host, &change);
    assert_eq!(changed["status"], 200, "{changed}");
    let outputs = stored(&host, &principal("", ""));
    let user = outputs["app-id"].as_str().unwrap().to_owned();
    let password = values(&host, "myregistry-pull-pwd").pop().unwrap();
    let (host, may) = may_pull(host, &user, &password);
    assert!(may, "{outputs}");
    // Container Registry Repository Reader, by its id, which is the same everywhere.
    let state = host.read("emulator/state.json");
    assert!(state.contains("b93aa761-3e63-49ed-ac28-beffa264f7ac"), "{state}");
}

#[test]
fn what_azure_does_not_know_yet_is_waited_for() {
    let (emulator, host) = with_image();
    for kind in ["slow-application", "slow-principal"] {
        let fault = json!({ "kind": kind });
        emulator.plan(&json!({ "fault": fault, "on": "myregistry-pull", "times": 2 }));
    }
    let outputs = stored(&host, &principal("", ""));
    assert_eq!(emulator.planned(), 0, "both were met");
    assert_eq!(outputs["role-assignments"].as_array().unwrap().len(), 1, "{outputs}");
    let password = values(&host, "myregistry-pull-pwd").pop().unwrap();
    let user = outputs["app-id"].as_str().unwrap().to_owned();
    let (_host, may) = may_pull(host, &user, &password);
    assert!(may);
}

#[test]
fn a_name_that_a_deleted_secret_has_is_explained_or_recovered() {
    let (emulator, host) = with_image();
    let generate =
        |more: &str| store(&format!("name = \"db\"\ngenerate = {{ length = 40 }}\n{more}"));
    let deleted = json!({ "fault": { "kind": "soft-deleted" }, "on": "db" });
    emulator.plan(&deleted);
    let ran = run(&host, &generate(""));
    assert_ne!(ran.code, Some(0));
    let fault = ran.finished("store")["fault"].clone();
    for way in ["deleted = \"recover\"", "purge"] {
        assert!(fault["help"].as_str().unwrap().contains(way), "{way}: {fault}");
    }
    // The fault has left a deleted secret behind, as Azure would.
    let outputs = stored(&host, &generate("deleted = \"recover\"\n"));
    assert_eq!(outputs["changed"], true, "{outputs}");
    assert_eq!(values(&host, "db").last().unwrap().len(), 40);
}

/// A secret that one step makes is used by the next: read when it is first needed.
#[test]
fn what_a_step_has_stored_a_later_one_uses_in_the_same_run() {
    let (_emulator, host) = with_image();
    // From the local store, into the vault.
    let steps = format!(
        "[secrets.made]\nfrom = \"store\"\n\n[[step]]\nid = \"make\"\nuses = \"store-secret\"\n\
         with = {{ to = \"local\", name = \"made\", generate = {{ length = 40 }} }}\n\n{}",
        store("name = \"copied\"\nsecret = \"made\"")
    );
    assert_eq!(stored(&host, &steps)["changed"], true);
    let first = values(&host, "copied");
    assert_eq!((first.len(), first[0].len()), (1, 40));
    // From the vault, where the run has changed it after it was read: each reader gets what is there.
    let steps = format!(
        "[secrets.old]\nfrom = \"azure-key-vault\"\nvault = \"mykeyvault\"\nname = \"copied\"\n\n{}\n{}\n{}",
        store("name = \"before\"\nsecret = \"old\"").replace("\"store\"\n", "\"before\"\n"),
        store("name = \"copied\"\ngenerate = { length = 20 }\nrotate = true")
            .replace("\"store\"\n", "\"rotate\"\n"),
        store("name = \"after\"\nsecret = \"old\"")
    );
    run(&host, &steps).exits(0);
    assert_eq!(values(&host, "before"), first);
    assert_eq!(values(&host, "after"), values(&host, "copied").split_off(1));
}

#[test]
fn a_secret_is_piped_into_a_run_and_kept_nowhere() {
    let (_emulator, host) = with_image();
    let steps = format!(
        "[secrets.piped]\nfrom = \"stdin\"\n\n{}",
        store("name = \"piped\"\nsecret = \"piped\"")
    );
    host.write("p.toml", pipeline(&steps));
    let command = ["run", "p.toml", "--format", "json", "-v"];
    host.run_with_input(&command, b"from-the-0utside\n").exits(0);
    assert_eq!(values(&host, "piped"), ["from-the-0utside"]);
    let plan = host.run(&["plan", "p.toml", "--format", "json"]);
    assert!(plan.exits(0).stdout.contains("\"from\": \"stdin\""), "{}", plan.stdout);
    let runs: Value =
        serde_json::from_str(&host.run(&["runs", "--format", "json"]).stdout).unwrap();
    let id = runs[0]["id"].as_str().unwrap();
    let again = host.run_with_input(&["runs", "rerun", id], b"another-0ne\n");
    again.exits(2).stderr_says(&["`piped` was from standard input", "windlass run FILE"]);
    host.run(&command).exits(2).stderr_says(&["which is empty", "printf %s"]);
    let large = vec![b'x'; 64 * 1024 + 1];
    host.run_with_input(&command, &large).exits(2).stderr_says(&["has more than 64 KiB"]);
    // `script` gives it a terminal.
    let typed = "script -qec \"$0 run p.toml\" typescript < /dev/null";
    let ran = host.run_beside(&["/bin/sh", "-c", typed]);
    ran.exits(2);
    for said in ["which is a terminal", "printf %s"] {
        assert!(ran.stdout.contains(said), "{}", ran.account());
    }
    assert_eq!(values(&host, "piped"), ["from-the-0utside"]);
}

#[test]
fn an_empty_value_is_never_stored() {
    let (_emulator, host) = with_image();
    let host = host.env("DB_PASSWORD", "");
    let steps = "[secrets.db]\nfrom = \"env\"\nname = \"DB_PASSWORD\"\n\n";
    let steps = format!("{steps}{}", store("name = \"db\"\nsecret = \"db\""));
    let ran = run(&host, &steps);
    ran.exits(4);
    let fault = ran.finished("store")["fault"].clone();
    assert!(fault["message"].as_str().unwrap().contains("is set and empty"), "{fault}");
    assert_eq!(values(&host, "db"), [""; 0]);
}
