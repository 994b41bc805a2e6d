//! Archives of strangers.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

use super::super::{Context, ContextError, archive};
use super::at;
use crate::layer::{LayerOptions, LayerWriter, Limits};
use crate::{Entry, EntryKind};

struct Archive {
    home: tempfile::TempDir,
    path: PathBuf,
}

fn entry(path: &str, kind: EntryKind, mode: u32) -> Entry {
    Entry { path: path.into(), kind, mode, uid: 77, gid: 77, mtime: 1_000, xattrs: BTreeMap::new() }
}

fn file(path: &str, size: u64) -> Entry {
    entry(path, EntryKind::File { size }, 0o640)
}

fn pack(entries: &[Entry]) -> Archive {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("context.tar.gz");
    let mut writer =
        LayerWriter::new(fs_err::File::create(&path).unwrap(), &LayerOptions::default());
    for entry in entries {
        if let EntryKind::File { size } = &entry.kind {
            let content = vec![b'x'; usize::try_from(*size).unwrap()];
            writer.add(entry, &mut content.as_slice()).unwrap();
        } else {
            writer.add_empty(entry).unwrap();
        }
    }
    writer.finish().unwrap();
    Archive { home, path }
}

impl Archive {
    fn context(&self) -> Result<Context, ContextError> {
        Context::archive(&self.path, self.home.path())
    }

    fn refused(&self) -> String {
        let error = self.context().unwrap_err();
        let ContextError::Refused { path, what, .. } = error else { panic!("{error:?}") };
        format!("{}: {what}", path.display())
    }

    /// What is left of an archive that was refused, or of a context that is gone.
    fn left(&self) -> usize {
        fs_err::read_dir(self.home.path()).unwrap().count() - 1
    }
}

#[test]
fn an_archive_is_unpacked_and_gone_with_its_context() {
    let link = |target: &str| EntryKind::Symlink { target: target.into() };
    let archive = pack(&[
        entry("dir", EntryKind::Directory, 0o500),
        file("dir/file", 5),
        entry("dir/hard", EntryKind::Hardlink { target: "dir/file".into() }, 0o640),
        entry("escape", link("/etc/passwd"), 0o777),
        file("implied/file", 1),
    ]);
    let context = archive.context().unwrap();
    let place = context.path().unwrap().to_owned();
    let lines =
        super::Copy { sources: &["."], to: "/", ..super::Copy::default() }.lines(context.tree());
    assert_eq!(
        lines,
        [
            "d500 dir",
            "f640 dir/file < dir/file",
            "h640 dir/hard -> dir/file",
            "l777 escape -> /etc/passwd",
            "d755 implied",
            "f640 implied/file < implied/file"
        ]
    );
    assert_eq!(context.newest_mtime().unwrap(), Some(1_000));
    for path in ["dir", "dir/file", "escape", "implied"] {
        assert_eq!(fs_err::symlink_metadata(place.join(path)).unwrap().mtime(), 1_000, "{path}");
    }
    assert_eq!(context.read_file(at("escape"), 100).unwrap(), None);
    assert_eq!(context.commit().unwrap(), None);
    let clone = context.clone();
    drop(context);
    assert!(place.exists());
    drop(clone);
    assert_eq!((place.exists(), archive.left()), (false, 0));
}

#[test]
fn devices_and_pipes_are_refused() {
    let device = EntryKind::CharacterDevice { major: 1, minor: 3 };
    assert_eq!(pack(&[entry("dev", device, 0o666)]).refused(), "dev: a device");
    let archive = pack(&[file("a", 1), entry("pipe", EntryKind::Fifo, 0o666)]);
    assert_eq!((archive.refused(), archive.left()), ("pipe: a named pipe".to_owned(), 0));
}

#[test]
fn nothing_is_written_outside() {
    let archive = pack(&[
        entry("out", EntryKind::Symlink { target: "..".into() }, 0o777),
        file("out/escaped", 1),
    ]);
    assert!(matches!(archive.context().unwrap_err(), ContextError::Write { .. }));
    let target = tempfile::tempdir().unwrap();
    let absolute = EntryKind::Symlink { target: target.path().into() };
    let archive = pack(&[entry("out", absolute, 0o777), file("out/escaped", 1)]);
    assert!(matches!(archive.context().unwrap_err(), ContextError::Write { .. }));
    assert_eq!(fs_err::read_dir(target.path()).unwrap().count(), 0);
    let archive = pack(&[
        entry("out", EntryKind::Symlink { target: "/etc".into() }, 0o777),
        entry("passwd", EntryKind::Hardlink { target: "out/passwd".into() }, 0o644),
    ]);
    assert!(archive.context().is_err());
}

#[test]
fn limits_end_an_archive() {
    let deep = format!("{}x", "d/".repeat(300));
    assert_eq!(
        pack(&[file(&deep, 0)]).refused(),
        format!("{deep}: which is deeper than 256 directories")
    );
    let archive = pack(&[file("a", 100_000), file("b", 1)]);
    for (limits, what) in [
        (Limits { bytes: 50_000, ..Limits::default() }, "the archive has more than 50000"),
        (Limits { entries: 1, ..Limits::default() }, "the archive has more than 1 entries"),
    ] {
        let error = archive::unpack(&archive.path, archive.home.path(), limits).unwrap_err();
        let ContextError::Archive { source, .. } = error else { panic!("{error:?}") };
        assert!(source.to_string().starts_with(what), "{source}");
    }
    assert_eq!(archive.left(), 0);
}

#[test]
fn what_is_no_archive_is_named() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("x.tar");
    fs_err::write(&path, "this is not an archive".repeat(100)).unwrap();
    let error = Context::archive(&path, home.path()).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot unpack `{}`", path.display()));
    let gone = home.path().join("gone.tar");
    let error = Context::archive(&gone, home.path()).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read `{}`", gone.display()));
}

#[test]
fn modes_are_those_of_the_archive() {
    let archive = pack(&[
        entry("run", EntryKind::File { size: 0 }, 0o4755),
        entry("secret", EntryKind::File { size: 0 }, 0o400),
    ]);
    let context = archive.context().unwrap();
    let mode = |path: &str| {
        let path = context.path().unwrap().join(path);
        fs_err::metadata(path).unwrap().permissions().mode() & 0o7777
    };
    assert_eq!((mode("run"), mode("secret")), (0o4755, 0o400));
}
