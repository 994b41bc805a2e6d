//! Components that were built once keep working.
//!
//! `tests/contract/VERSION` holds the contract as it was when a version came out, and components
//! built against it. Neither is ever changed: a version that comes out gets a folder of its own.

use std::path::PathBuf;

use serde_json::json;
use support::{repository_root, still_fits};

use crate::host;

/// The folders of all versions that came out.
fn versions() -> Vec<PathBuf> {
    let folder = repository_root().join("tests/contract");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let versions: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    assert!(!versions.is_empty());
    versions
}

#[test]
fn the_contract_only_ever_grows() {
    for version in versions() {
        if let Err(why) = still_fits(&version.join("wit"), &repository_root().join("wit")) {
            panic!("a component of {} does not fit any more: {why}", version.display());
        }
    }
}

#[test]
fn components_built_before_still_run() {
    for version in versions() {
        let host = host().file(
            "p.toml",
            format!(
                r#"
schema = 1
[pipeline]
name = "corpus"

[[step]]
id = "noop"
uses = "file:{folder}/noop.wasm"

[[step]]
id = "echo"
uses = "file:{folder}/echo.wasm"
with = {{ value = {{ name = "Ada", list = [1, 2] }} }}
"#,
                folder = version.display()
            ),
        );
        let ran = host.run(&["run", "p.toml", "--format", "json"]);
        ran.exits(0);
        assert_eq!(ran.finished("noop")["status"], "unchanged");
        let value = &ran.finished("echo")["outputs"]["value"];
        assert_eq!(*value, json!({ "name": "Ada", "list": [1, 2] }), "{}", version.display());
    }
}
