//! Which room may see which: ARCHITECTURE.md as a test.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;
use support::repository_root;

/// The rooms of the host and what of ours each may depend on.
const EDGES: [(&str, &[&str]); 11] = [
    ("windlass-report", &[]),
    ("windlass-pipeline", &["windlass-report"]),
    ("windlass-run", &["windlass-report", "windlass-pipeline"]),
    ("windlass-record", &["windlass-report", "windlass-pipeline", "windlass-run"]),
    ("windlass-hook", &["windlass-report"]),
    ("windlass-oci", &["windlass-report"]),
    ("windlass-build", &["windlass-report", "windlass-oci"]),
    ("windlass-azure", &["windlass-report", "windlass-oci"]),
    (
        "windlass-capability",
        &["windlass-report", "windlass-oci", "windlass-build", "windlass-azure"],
    ),
    (
        "windlass-wasm",
        &[
            "windlass-report",
            "windlass-oci",
            "windlass-build",
            "windlass-azure",
            "windlass-capability",
        ],
    ),
    (
        "windlass",
        &[
            "windlass-report",
            "windlass-pipeline",
            "windlass-run",
            "windlass-record",
            "windlass-hook",
            "windlass-oci",
            "windlass-build",
            "windlass-azure",
            "windlass-capability",
            "windlass-wasm",
        ],
    ),
];

/// Crates that wait, read files or talk: not for the rooms that only think.
const DOING: [&str; 9] =
    ["tokio", "futures", "reqwest", "hyper", "axum", "fs-err", "rusqlite", "tempfile", "wasmtime"];

/// Each package of the workspace, with what it depends on when it runs.
fn packages() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(repository_root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |package: &Value| {
        let runs = |dependency: &&Value| dependency["kind"].is_null();
        let dependencies = package["dependencies"].as_array().unwrap().iter().filter(runs);
        let names = dependencies.map(|dependency| dependency["name"].as_str().unwrap().to_owned());
        (package["name"].as_str().unwrap().to_owned(), names.collect())
    };
    metadata["packages"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn rooms_see_only_what_lies_behind_them() {
    let packages = packages();
    for (room, may) in EDGES {
        let ours = packages[room].iter().filter(|name| name.starts_with("windlass"));
        let wrong: Vec<&String> = ours.filter(|name| !may.contains(&name.as_str())).collect();
        assert!(wrong.is_empty(), "{room} depends on {wrong:?}");
    }
    let known: BTreeSet<&str> = EDGES.map(|(room, _)| room).into();
    // Not rooms yet, and what plugins know of a language, of images and of Azure.
    let others = [
        "windlass-acr",
        "windlass-arm",
        "windlass-azure-emulator",
        "windlass-dockerfile",
        "windlass-images",
    ];
    let rooms: Vec<&String> = packages
        .keys()
        .filter(|name| name.starts_with("windlass") && !known.contains(name.as_str()))
        .filter(|name| !name.starts_with("windlass-plugin") && !name.starts_with("windlass-test"))
        .filter(|name| !others.contains(&name.as_str()))
        .collect();
    assert!(rooms.is_empty(), "no edges are written down for {rooms:?}");
}

#[test]
fn the_rooms_that_think_do_nothing() {
    let packages = packages();
    for room in ["windlass-report", "windlass-pipeline"] {
        let doing: Vec<&&str> =
            DOING.iter().filter(|name| packages[room].contains(**name)).collect();
        assert!(doing.is_empty(), "{room} depends on {doing:?}");
    }
}

#[test]
fn only_the_wasm_room_depends_on_wasmtime_and_only_three_on_the_network() {
    for (package, dependencies) in packages() {
        let has = |prefix: &str| dependencies.iter().any(|name| name.starts_with(prefix));
        assert!(!has("wasmtime") || package == "windlass-wasm", "{package} depends on wasmtime");
        let may =
            ["windlass-oci", "windlass-azure", "windlass-capability"].contains(&package.as_str());
        assert!(!has("reqwest") || may, "{package} depends on reqwest");
    }
}

#[test]
fn plugins_have_the_means_of_third_parties() {
    for (package, dependencies) in packages() {
        let path = repository_root().join("plugins").join(package.trim_start_matches("plugin-"));
        let is_plugin = path.join("Cargo.toml").is_file() || package.starts_with("guest-");
        let own = EDGES.map(|(room, _)| room);
        let of_host: Vec<&String> =
            dependencies.iter().filter(|name| own.contains(&name.as_str())).collect();
        assert!(!is_plugin || of_host.is_empty(), "{package} depends on {of_host:?}");
    }
}
