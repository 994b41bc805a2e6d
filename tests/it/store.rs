//! The local store of secrets: `windlass secret`.

use std::os::unix::fs::PermissionsExt as _;

use support::{TestHost, str};

use crate::host;

fn set(host: &TestHost, name: &str, value: &str) {
    host.run_with_input(&["secret", "set", name, "--quiet"], value.as_bytes()).exits(0);
}

#[test]
fn secrets_are_set_listed_and_removed() {
    let host = host();
    host.run(&["secret", "list"]).exits(0).stdout_is("");
    set(&host, "b.token", "one");
    set(&host, "a_token", "two\n");
    host.run(&["secret", "list"]).exits(0).stdout_is("a_token\nb.token\n");
    let listed = host.run(&["secret", "list", "--format", "json"]);
    let names: Vec<String> = serde_json::from_str(&listed.exits(0).stdout).unwrap();
    assert_eq!(names, ["a_token", "b.token"]);
    host.run(&["secret", "rm", "b.token"]).exits(0);
    host.run(&["secret", "list"]).exits(0).stdout_is("a_token\n");
}

#[test]
fn what_is_on_disk_is_not_the_value_and_is_for_nobody_else() {
    let host = host();
    set(&host, "token", "cargo-of-gold");
    let folder = host.path(".home/secrets");
    let mut seen = 0;
    let mut folders = vec![folder.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", entry.path().display());
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let bytes = std::fs::read(entry.path()).unwrap();
            assert!(!String::from_utf8_lossy(&bytes).contains("cargo-of-gold"));
            seen += 1;
        }
    }
    assert!(seen >= 2, "the secret and the identity: {seen}");
    let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_name_that_is_near_is_proposed() {
    let host = host();
    set(&host, "token", "x");
    host.run(&["secret", "rm", "tokne"]).exits(1).stderr_is(str![[r#"
error: there is no secret `tokne`
 |
 = help: did you mean `token`?

"#]]);
}

#[test]
fn a_name_cannot_be_a_path() {
    for name in ["../out", "a/b", "", ".hidden", "a b"] {
        let refused = host().run_with_input(&["secret", "set", name], b"x");
        assert_ne!(refused.code, Some(0), "{name}: {}", refused.account());
    }
}

#[test]
fn an_empty_value_is_a_mistake() {
    host().run_with_input(&["secret", "set", "token"], b"\n").exits(2).stderr_is(str![[r#"
error: the value of `token` is empty
 |
 = help: printf %s "$VALUE" | windlass secret set token

"#]]);
}

#[test]
fn a_store_without_its_identity_says_so() {
    let host = host();
    set(&host, "token", "x");
    for name in identity_files(&host) {
        std::fs::remove_file(name).unwrap();
    }
    host.write("p.toml", using_store());
    let failed = host.run(&["run", "p.toml", "--quiet"]);
    failed.exits(4).stderr_says(&["identity", "backup"]);
}

#[test]
fn a_damaged_secret_is_unavailable() {
    let host = host();
    set(&host, "token", "x");
    host.write(".home/secrets/token.age", "age-encryption.org/v1\nnonsense");
    host.write("p.toml", using_store());
    host.run(&["run", "p.toml", "--quiet"]).exits(4).stderr_says(&["windlass secret set token"]);
}

/// Files below the store that are not secrets.
fn identity_files(host: &TestHost) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(host.path(".home/secrets")).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    let found: Vec<_> =
        files.filter(|path| path.extension().is_none_or(|extension| extension != "age")).collect();
    assert!(!found.is_empty());
    found
}

/// A step that wants the secret `token` of the store.
fn using_store() -> String {
    crate::one_step(
        "fetch",
        r#"with = { url = "http://127.0.0.1:9/", via = "none", secret = "token" }
[step.grant]
secrets = ["token"]

[secrets]
token = { from = "store" }"#,
    )
}
