use std::os::unix::fs::PermissionsExt as _;

use rustix::fs::{CWD, FileType, Mode, XattrFlags};

use super::*;
use crate::testing::{entry, file, node, reader, rights};
use crate::unpack::unpack;

/// A layer below with these, and an empty upper directory.
fn overlay(
    below: &[crate::testing::Node],
    rights: Rights,
) -> (tempfile::TempDir, Snapshot, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let (layer, upper) = (directory.path().join("below"), directory.path().join("upper"));
    fs_err::create_dir(&layer).unwrap();
    fs_err::create_dir(&upper).unwrap();
    let empty = Snapshot::new(Vec::new(), rights);
    unpack(reader(below), &layer, &empty, rights).unwrap();
    fs_err::set_permissions(&upper, std::fs::Permissions::from_mode(0o755)).unwrap();
    (directory, empty.with(layer), upper)
}

/// Paths and kinds.
fn summary(changes: &[Change]) -> Vec<String> {
    let line = |change: &Change| {
        let kind = format!("{:?}", change.entry.kind);
        format!("{} {}", change.entry.path.display(), kind.split(' ').next().unwrap())
    };
    changes.iter().map(line).collect()
}

#[test]
fn habits_of_overlayfs_are_not_changes() {
    let rights = rights();
    let (_directory, below, upper) =
        overlay(&[node("old", EntryKind::Directory), file("f", "")], rights);
    for name in ["old", "new"] {
        fs_err::create_dir(upper.join(name)).unwrap();
        // It says so of every new directory, needed or not.
        let mark = rights.overlay.opaque();
        rustix::fs::lsetxattr(upper.join(name), mark, b"y", XattrFlags::empty()).unwrap();
    }
    rustix::fs::mknodat(CWD, upper.join("f"), FileType::CharacterDevice, Mode::empty(), 0).unwrap();
    std::os::unix::net::UnixListener::bind(upper.join("socket")).unwrap();
    fs_err::write(upper.join("skipped"), "").unwrap();
    let changes = diff(&upper, &below, rights, &|path| path == Path::new("skipped")).unwrap();
    let expected = ["f Whiteout", "new Directory", "old Directory", "old Opaque"];
    assert_eq!(summary(&changes), expected);
    assert!(changes.iter().all(|change| change.entry.xattrs.is_empty()));
}

#[test]
fn the_root_is_told_only_if_it_changed() {
    let rights = rights();
    let (_directory, below, upper) = overlay(&[], rights);
    fs_err::set_permissions(&upper, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(diff(&upper, &below, rights, &|_| false).unwrap(), []);
    fs_err::set_permissions(&upper, std::fs::Permissions::from_mode(0o700)).unwrap();
    let changes = diff(&upper, &below, rights, &|_| false).unwrap();
    assert_eq!(summary(&changes), [" Directory"]);
}

#[test]
fn one_user_reads_what_nobody_may_and_remembers_whose_it_was() {
    let rights = Rights::single();
    let (_directory, below, upper) = overlay(&[], rights);
    let secret = upper.join("shadow");
    fs_err::write(&secret, "x").unwrap();
    fs_err::create_dir(upper.join("closed")).unwrap();
    fs_err::write(upper.join("closed/f"), "y").unwrap();
    for path in ["shadow", "closed"] {
        fs_err::set_permissions(upper.join(path), std::fs::Permissions::from_mode(0o0)).unwrap();
    }
    let modes = |changes: Vec<Change>| {
        changes.into_iter().map(|change| (change.entry.path, change.entry.mode)).collect::<Vec<_>>()
    };
    let first = diff(&upper, &below, rights, &|_| false).unwrap();
    let expected = [("closed", 0), ("closed/f", 0o644), ("shadow", 0)]
        .map(|(path, mode)| (PathBuf::from(path), mode));
    assert_eq!(modes(first), expected);
    // Again, now as a snapshot: nothing was lost, and it can be read.
    assert_eq!(modes(diff(&upper, &below, rights, &|_| false).unwrap()), expected);
    let snapshot = below.with(upper);
    assert_eq!(snapshot.metadata(Path::new("shadow")).unwrap().mode, 0);
    assert!(snapshot.open(Path::new("shadow")).is_ok());
    assert!(snapshot.open(Path::new("closed/f")).is_ok());
    // Whoever changes the mode later means it.
    let shown = std::fs::Permissions::from_mode(0o640);
    fs_err::set_permissions(snapshot.layers()[1].join("shadow"), shown).unwrap();
    assert_eq!(snapshot.metadata(Path::new("shadow")).unwrap().mode, 0o640);
}

#[test]
fn a_change_is_written_with_its_content() {
    let (_directory, below, upper) = overlay(&[], Rights::single());
    fs_err::write(upper.join("f"), "content").unwrap();
    let changes = diff(&upper, &below, Rights::single(), &|_| false).unwrap();
    let change = changes.last().unwrap();
    let blob = crate::testing::Blob::default();
    let mut writer = LayerWriter::new(blob.clone(), &crate::layer::LayerOptions::default());
    write(std::slice::from_ref(change), &mut writer).unwrap();
    writer.finish().unwrap();
    let limits = crate::layer::Limits::default();
    let read = crate::layer::LayerReader::new(io::Cursor::new(blob.bytes()), limits);
    let (found, _) = crate::testing::read_all(read);
    assert_eq!(found, [(change.entry.clone(), b"content".to_vec())]);
}

#[test]
fn what_went_away_is_an_error() {
    let entry = entry("f", EntryKind::File { size: 1 });
    let change = Change { entry, source: "/nowhere/f".into() };
    let mut writer = LayerWriter::new(io::sink(), &crate::layer::LayerOptions::default());
    let error = write(&[change], &mut writer).unwrap_err();
    assert_eq!(error.to_string(), "cannot read the content of `f`");
}
