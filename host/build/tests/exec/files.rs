//! File work on what commands leave: layers of it and back, whoever the files belong to.

use std::path::{Path, PathBuf};

use build::exec::{Exit, Form, Mapping, Operation, Outcome};
use build::layer::{Layer, LayerOptions, LayerReader, LayerWriter, Limits};
use build::{Entry, EntryKind, Rights};
use report::Fault;

use crate::Test;
use crate::scene::Scene;

pub(crate) const TESTS: &[Test] = &[
    ("files_of_users_are_packed_and_unpacked", files_of_users_are_packed_and_unpacked),
    ("a_user_that_there_is_not_is_named", a_user_that_there_is_not_is_named),
];

fn rights(scene: &Scene) -> Rights {
    match scene.mapping() {
        Mapping::Root => Rights::root(),
        Mapping::Full { .. } => Rights::mapped(),
        Mapping::Single { .. } => Rights::single(),
    }
}

fn pack(scene: &Scene, upper: &Path, file: &Path) -> Layer {
    let operation = Operation::Pack {
        upper: upper.to_owned(),
        below: vec![scene.base()],
        file: file.to_owned(),
        options: LayerOptions { source_date_epoch: Some(0), ..LayerOptions::default() },
        rights: rights(scene),
    };
    let outcome = scene.executor.operate(&operation).unwrap();
    let Outcome::Packed(Some(layer)) = outcome else { panic!("{outcome:?}") };
    *layer
}

fn unpack(scene: &Scene, file: PathBuf, into: PathBuf) -> Result<Outcome, Fault> {
    let below = vec![scene.base()];
    let rights = rights(scene);
    scene.executor.operate(&Operation::Unpack { file, form: Form::Layer, into, below, rights })
}

fn entries(file: &Path) -> Vec<String> {
    let mut reader = LayerReader::new(std::fs::File::open(file).unwrap(), Limits::default());
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        let Entry { path, mode, uid, gid, .. } = entry;
        entries.push(format!("{} {mode:o} {uid}:{gid}", path.display()));
    }
    entries
}

fn files_of_users_are_packed_and_unpacked(scene: &Scene) {
    let give = match scene.mapping() {
        Mapping::Root | Mapping::Full { .. } => "chown 1000:50 /d /d/f && chmod 4711 /d/p",
        Mapping::Single { .. } => "chmod 4711 /d/p",
    };
    let run = scene.script(&format!(
        "mkdir /d && echo 1 > /d/f && chmod 600 /d/f && echo 2 > /d/p && {give} && chmod 700 /d"
    ));
    assert_eq!(scene.run(&run).unwrap().exit, Exit::Code(0));
    let (first, second) = (scene.path("first.tar.gz"), scene.path("second.tar.gz"));
    let layer = pack(scene, &run.upper, &first);
    let expected: &[&str] = match scene.mapping() {
        Mapping::Root | Mapping::Full { .. } => {
            &["d 700 1000:50", "d/f 600 1000:50", "d/p 4711 0:0"]
        }
        Mapping::Single { .. } => &["d 700 0:0", "d/f 600 0:0", "d/p 4711 0:0"],
    };
    assert_eq!(entries(&first), expected);
    let into = scene.directory("unpacked");
    let outcome = unpack(scene, first, into.clone()).unwrap();
    let Outcome::Unpacked(unpacked) = outcome else { panic!("{outcome:?}") };
    assert_eq!(unpacked.diff_id, layer.diff_id);
    // It has another place afterwards, whoever it belongs to.
    let moved = scene.path("moved");
    let order = Operation::Move { from: into, to: moved.clone() };
    assert_eq!(scene.executor.operate(&order).unwrap(), Outcome::Done);
    assert_eq!(pack(scene, &moved, &second), layer);
}

fn a_user_that_there_is_not_is_named(scene: &Scene) {
    let file = scene.path("layer.tar.gz");
    let sink = std::fs::File::create(&file).unwrap();
    let mut writer = LayerWriter::new(sink, &LayerOptions::default());
    let (path, kind) = (PathBuf::from("f"), EntryKind::Directory);
    let (uid, gid, xattrs) = (100_000, 7, std::collections::BTreeMap::new());
    writer.add_empty(&Entry { path, kind, mode: 0o755, uid, gid, mtime: 0, xattrs }).unwrap();
    writer.finish().unwrap();
    let unpacked = unpack(scene, file, scene.directory("unpacked"));
    match scene.mapping() {
        Mapping::Root | Mapping::Single { .. } => assert!(unpacked.is_ok(), "{unpacked:?}"),
        Mapping::Full { .. } => {
            let fault = unpacked.unwrap_err();
            assert_eq!(fault.code, "build.owner");
            assert_eq!(fault.causes, ["`f` belongs to 100000:7, whom this build does not have"]);
            assert!(fault.help.unwrap().contains("/etc/subuid"));
        }
    }
}
