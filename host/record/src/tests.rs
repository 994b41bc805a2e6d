//! The store as others use it, and what happens when it cannot be used.

mod recorder;
mod store;
mod trigger;

use std::{collections::BTreeMap, path::Path};

use run::{Timestamp, Trigger};
use serde_json::Value;

use crate::{Choices, NewRun, Store};

/// 2026-01-31T08:15:00Z.
const START: u64 = 1_769_847_300_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(START + seconds * 1000)
}

fn new_run(pipeline: &str) -> NewRun {
    NewRun {
        pipeline: pipeline.to_owned(),
        file: "/work/p.toml".into(),
        source: "sha256:00".to_owned(),
        inputs: BTreeMap::from([("who".to_owned(), "Ada".to_owned())]),
        withheld: vec!["password".to_owned()],
        trigger: Trigger::Manual,
        cause: Value::Null,
        platform: "linux/amd64".to_owned(),
        rerun_of: None,
        choices: Choices { only: Some("a".to_owned()), keep_going: true },
    }
}

/// All that stands in the files of the store.
fn bytes(directory: &Path) -> Vec<u8> {
    let files = ["runs.sqlite", "runs.sqlite-wal"].map(|name| directory.join(name));
    files.iter().filter_map(|path| fs_err::read(path).ok()).flatten().collect()
}

fn open(directory: &Path) -> Store {
    Store::open(directory).unwrap()
}
