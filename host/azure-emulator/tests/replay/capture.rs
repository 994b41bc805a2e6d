//! The files.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
pub(crate) struct Capture {
    pub(crate) scenario: String,
    pub(crate) exchanges: Vec<Exchange>,
}

#[derive(Deserialize)]
pub(crate) struct Exchange {
    pub(crate) request: Sent,
    pub(crate) emulator_response: Received,
}

#[derive(Deserialize)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) headers: Map<String, Value>,
    pub(crate) body: Value,
}

#[derive(Deserialize)]
pub(crate) struct Received {
    pub(crate) status: u16,
    pub(crate) headers: Map<String, Value>,
    pub(crate) body: Value,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/azure/captures")
}

impl Capture {
    pub(crate) fn read(name: &str) -> Self {
        let file = folder().join(format!("{name}.json"));
        let capture: Self = serde_json::from_slice(&fs_err::read(file).unwrap()).unwrap();
        assert_eq!(capture.scenario, name);
        capture
    }
}

/// The captures in the order in which they were made, which the README keeps: later ones live on
/// what earlier ones did.
pub(crate) fn order() -> Vec<String> {
    let text = fs_err::read_to_string(folder().join("README.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    let names = rows.filter_map(|row| row.split(" | ").next());
    names.filter(|name| *name != "scenario").map(str::to_owned).collect()
}

/// All there are.
pub(crate) fn files() -> Vec<String> {
    let names = fs_err::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    let mut names: Vec<_> =
        names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect();
    names.sort();
    names
}
