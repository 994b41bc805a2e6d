use std::io;

use super::*;
use crate::EntryKind;
use crate::testing::{file, node, reader, rights};
use crate::tree::resolve;
use crate::unpack::unpack;

fn kind_of<T>(result: io::Result<T>) -> io::ErrorKind {
    result.err().unwrap().kind()
}

#[test]
fn it_keeps_the_contract_of_trees() {
    let directory = tempfile::tempdir().unwrap();
    let mut snapshot = Snapshot::new(Vec::new(), rights());
    let layers = [
        vec![
            node("d", EntryKind::Directory),
            file("d/f", "1"),
            file("d/g", "2"),
            node("l", EntryKind::Symlink { target: "/d/../d".into() }),
            file("x", ""),
        ],
        vec![
            file("d/f", "changed"),
            node("d/g", EntryKind::Whiteout),
            node("x", EntryKind::Directory),
        ],
    ];
    for (number, layer) in layers.iter().enumerate() {
        let path = directory.path().join(number.to_string());
        fs_err::create_dir(&path).unwrap();
        unpack(reader(layer), &path, &snapshot, rights()).unwrap();
        snapshot = snapshot.with(path);
    }
    let at = |path: &str| snapshot.metadata(Path::new(path));
    assert_eq!(at("d/f").unwrap().size, 7);
    assert_eq!(at("x").unwrap().kind, Kind::Directory);
    assert_eq!(kind_of(at("d/g")), io::ErrorKind::NotFound);
    assert_eq!(kind_of(at("nowhere/f")), io::ErrorKind::NotFound);
    assert_eq!(kind_of(at("d/f/g")), io::ErrorKind::NotADirectory);
    // Not through links, and not outside.
    assert_eq!(kind_of(at("l/f")), io::ErrorKind::NotADirectory);
    for path in ["..", "d/../d", "/d", "d/../../../etc"] {
        assert_eq!(kind_of(at(path)), io::ErrorKind::InvalidInput, "{path}");
        assert!(snapshot.read_dir(Path::new(path)).is_err(), "{path}");
    }
    assert_eq!(resolve(&snapshot, Path::new("l/f")).unwrap(), Path::new("d/f"));
    assert_eq!(kind_of(snapshot.open(Path::new("d")).map(drop)), io::ErrorKind::InvalidInput);
    assert_eq!(kind_of(snapshot.read_link(Path::new("d"))), io::ErrorKind::InvalidInput);
    assert_eq!(kind_of(snapshot.read_dir(Path::new("d/f"))), io::ErrorKind::NotADirectory);
    let names: Vec<_> =
        snapshot.read_dir(Path::new("")).unwrap().into_iter().map(|c| c.name).collect();
    assert_eq!(names, ["d", "l", "x"]);
    let mut text = String::new();
    snapshot.open(Path::new("d/f")).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "changed");
}

#[test]
fn without_layers_it_is_an_empty_root() {
    let snapshot = Snapshot::new(Vec::new(), rights());
    assert_eq!(snapshot.metadata(Path::new("")).unwrap(), Metadata::new(Kind::Directory, 0o755, 0));
    assert_eq!(snapshot.read_dir(Path::new("")).unwrap(), []);
    assert_eq!(kind_of(snapshot.metadata(Path::new("a"))), io::ErrorKind::NotFound);
    assert_eq!(snapshot.lower(), Vec::<PathBuf>::new());
}
