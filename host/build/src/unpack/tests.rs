use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::diff::diff;
use crate::overlay::{Owners, is_whiteout};
use crate::testing::{Node, changes, entry, file, node, reader, rights, tree};
use crate::tree::{Kind, Tree};

/// Layers in a directory, one over the other.
struct Stack {
    directory: tempfile::TempDir,
    snapshot: Snapshot,
}

impl Stack {
    fn new(rights: Rights) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory, snapshot: Snapshot::new(Vec::new(), rights) }
    }

    fn add(&mut self, layer: LayerReader) -> Result<Unpacked, UnpackError> {
        let path = self.directory.path().join(self.snapshot.layers().len().to_string());
        fs_err::create_dir(&path).unwrap();
        let unpacked = unpack(layer, &path, &self.snapshot, self.snapshot.rights())?;
        self.snapshot = self.snapshot.with(path);
        Ok(unpacked)
    }

    fn with(mut self, layer: &[Node]) -> Self {
        self.add(reader(layer)).unwrap();
        self
    }

    fn top(&self) -> &Path {
        self.snapshot.layers().last().unwrap()
    }

    /// All that is in the merged tree: path, kind, mode, owner, content or target.
    fn list(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            for child in self.snapshot.read_dir(&folder).unwrap() {
                let path = folder.join(&child.name);
                let metadata = self.snapshot.metadata(&path).unwrap();
                assert_eq!(metadata, child.metadata, "{}", path.display());
                let mut content = Vec::new();
                match metadata.kind {
                    Kind::Directory => folders.push(path.clone()),
                    Kind::File => {
                        let mut file = self.snapshot.open(&path).unwrap();
                        io::Read::read_to_end(&mut file, &mut content).unwrap();
                    }
                    Kind::Symlink => {
                        let target = self.snapshot.read_link(&path).unwrap();
                        content.extend_from_slice(target.as_os_str().as_encoded_bytes());
                    }
                    Kind::CharacterDevice { .. }
                    | Kind::BlockDevice { .. }
                    | Kind::Fifo
                    | Kind::Socket => {}
                }
                let xattrs = self.snapshot.xattrs(&path).unwrap();
                lines.push(line(
                    &path,
                    metadata.kind.noun(),
                    (metadata.mode, metadata.uid, metadata.gid),
                    metadata.mtime.seconds,
                    &format!("{xattrs:?}"),
                    &content,
                ));
            }
        }
        lines.sort();
        lines
    }
}

fn line(
    path: &Path,
    kind: &str,
    (mode, uid, gid): (u32, u32, u32),
    mtime: i64,
    xattrs: &str,
    content: &[u8],
) -> String {
    format!(
        "{path:?} {kind} {mode:o} {uid}:{gid} {mtime} {xattrs} {:?}",
        String::from_utf8_lossy(content)
    )
}

/// The same of a tree that was never on disk.
fn list(tree: &[Node], rights: Rights) -> Vec<String> {
    let mut lines: Vec<String> = tree
        .iter()
        .map(|(entry, content)| {
            let (kind, content) = match &entry.kind {
                EntryKind::File { .. } => ("file", content.clone()),
                EntryKind::Directory => ("directory", Vec::new()),
                EntryKind::Symlink { target } => {
                    ("symbolic link", target.as_os_str().as_encoded_bytes().to_vec())
                }
                EntryKind::Hardlink { .. }
                | EntryKind::CharacterDevice { .. }
                | EntryKind::BlockDevice { .. }
                | EntryKind::Fifo
                | EntryKind::Whiteout
                | EntryKind::Opaque => ("named pipe", Vec::new()),
            };
            let is_kept = rights.owners == Owners::Keep || matches!(kind, "file" | "directory");
            let (uid, gid) = if is_kept { (entry.uid, entry.gid) } else { (0, 0) };
            let xattrs = format!("{:?}", entry.xattrs);
            line(&entry.path, kind, (entry.mode, uid, gid), entry.mtime, &xattrs, &content)
        })
        .collect();
    lines.sort();
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn layers_make_the_tree_that_they_were_made_of(trees in prop::collection::vec(tree(), 1..4), single in any::<bool>()) {
        let rights = if single { Rights::single() } else { rights() };
        let mut stack = Stack::new(rights);
        let mut old: Vec<Node> = Vec::new();
        for new in trees {
            stack = stack.with(&changes(&old, &new));
            prop_assert_eq!(stack.list(), list(&new, rights));
            old = new;
        }
    }

    #[test]
    fn opaque_directories_hide_the_same(old in tree(), new in tree()) {
        let mut layer = new.clone();
        for (entry, _) in &new {
            if entry.kind == EntryKind::Directory {
                let mut opaque = node("", EntryKind::Opaque);
                opaque.0.path.clone_from(&entry.path);
                layer.push(opaque);
            }
        }
        layer.push(node("", EntryKind::Opaque));
        let stack = Stack::new(rights()).with(&old).with(&layer);
        prop_assert_eq!(stack.list(), list(&new, rights()));
    }

    #[test]
    fn what_was_unpacked_makes_the_same_layer(tree in tree(), single in any::<bool>()) {
        let rights = if single { Rights::single() } else { rights() };
        let stack = Stack::new(rights).with(&tree);
        let empty = Snapshot::new(Vec::new(), rights);
        let found = diff(stack.top(), &empty, rights, &|_| false).unwrap();
        let entries: Vec<Entry> = found.into_iter().map(|change| change.entry).collect();
        let expected: Vec<Entry> = tree.into_iter().map(|(mut entry, _)| {
            let is_special = !matches!(entry.kind, EntryKind::File { .. } | EntryKind::Directory);
            if is_special && rights.owners == Owners::Record {
                (entry.uid, entry.gid) = (0, 0);
            }
            entry
        }).collect();
        prop_assert_eq!(entries, expected);
    }
}

#[test]
fn whiteouts_are_what_overlayfs_wants_and_only_where_needed() {
    let below = [node("d", EntryKind::Directory), file("d/old", "1"), file("top", "2")];
    let above = [
        node("d", EntryKind::Directory),
        node("d/old", EntryKind::Whiteout),
        node("d/never", EntryKind::Whiteout),
        node("top", EntryKind::Whiteout),
    ];
    let stack = Stack::new(rights()).with(&below).with(&above);
    let is_gone = |path: &str| {
        fs_err::symlink_metadata(stack.top().join(path)).is_ok_and(|facts| is_whiteout(&facts))
    };
    assert!(is_gone("d/old") && is_gone("top"));
    assert!(!stack.top().join("d/never").is_symlink() && !is_gone("d/never"));
    assert_eq!(stack.list().len(), 1);
}

#[test]
fn gone_and_come_again_is_another_directory() {
    let below = [node("d", EntryKind::Directory), file("d/old", "1")];
    for new in [node("d", EntryKind::Directory), file("d/new", "2")] {
        let layer = [node("d", EntryKind::Whiteout), new];
        let stack = Stack::new(rights()).with(&below).with(&layer);
        assert!(rights().overlay.is_opaque(&stack.top().join("d")).unwrap());
        assert!(stack.snapshot.metadata(Path::new("d/old")).is_err());
    }
}

#[test]
fn links_of_lower_layers_are_followed() {
    let below = [
        node("usr", EntryKind::Directory),
        (Entry { mode: 0o711, uid: 7, ..entry("usr/bin", EntryKind::Directory) }, Vec::new()),
        file("usr/bin/sh", "old"),
        node("bin", EntryKind::Symlink { target: "usr/bin".into() }),
        node("up", EntryKind::Symlink { target: "../../usr/./bin/..".into() }),
        node("abs", EntryKind::Symlink { target: "/usr".into() }),
    ];
    let above = [
        file("abs/c", "c"),
        file("bin/ls", "new"),
        file("bin/sh", "sh"),
        file("up/b", "b"),
        node("up/bin/sh", EntryKind::Whiteout),
    ];
    let stack = Stack::new(rights()).with(&below).with(&above[..4]).with(&above[4..]);
    let paths: Vec<String> =
        stack.list().iter().filter_map(|line| Some(line.split('"').nth(1)?.to_owned())).collect();
    assert_eq!(paths, ["abs", "bin", "up", "usr", "usr/b", "usr/bin", "usr/bin/ls", "usr/c"]);
    // What the layer does not mention stays as it was.
    let directory = stack.snapshot.metadata(Path::new("usr/bin")).unwrap();
    assert_eq!((directory.mode, directory.uid, directory.mtime.seconds), (0o711, 7, 1_700_000_000));
}

#[test]
fn a_directory_takes_the_place_of_a_link_below() {
    let below = [
        node("usr", EntryKind::Directory),
        node("bin", EntryKind::Symlink { target: "usr".into() }),
    ];
    let above = [node("bin", EntryKind::Directory), file("bin/sh", "")];
    let stack = Stack::new(rights()).with(&below).with(&above);
    assert_eq!(stack.snapshot.metadata(Path::new("bin")).unwrap().kind, Kind::Directory);
    assert!(stack.snapshot.metadata(Path::new("usr/sh")).is_err());
}

#[test]
fn hard_links_are_one_file_also_with_one_below() {
    let below = [(Entry { mode: 0o600, ..file("old", "content").0 }, b"content".to_vec())];
    let above = [
        file("a", "1"),
        node("b", EntryKind::Hardlink { target: "a".into() }),
        node("c", EntryKind::Hardlink { target: "old".into() }),
    ];
    let stack = Stack::new(rights()).with(&below).with(&above);
    let inode = |path: &str| fs_err::metadata(stack.top().join(path)).unwrap().ino();
    assert_eq!(inode("a"), inode("b"));
    assert_eq!(inode("c"), inode("old"));
    assert_eq!(stack.snapshot.metadata(Path::new("c")).unwrap().mode, 0o600);
    let found = diff(stack.top(), &stack.snapshot, rights(), &|_| false);
    let kinds: Vec<EntryKind> =
        found.unwrap().into_iter().map(|change| change.entry.kind).collect();
    let expected = [
        EntryKind::File { size: 1 },
        EntryKind::Hardlink { target: "a".into() },
        EntryKind::File { size: 7 },
        EntryKind::Hardlink { target: "c".into() },
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn devices_are_made_by_root_and_noted_otherwise() {
    let layer = [
        node("null", EntryKind::CharacterDevice { major: 1, minor: 3 }),
        node("z", EntryKind::CharacterDevice { major: 0, minor: 0 }),
    ];
    let mut stack = Stack::new(Rights::single());
    let notes = stack.add(reader(&layer)).unwrap().notes;
    let expected = [
        "the device `null` was left out: only root may make one",
        "the device `z` was left out: 0:0 is no device, overlayfs takes it for a removed file",
    ];
    assert_eq!(notes, expected);
    if rights().owners == Owners::Keep {
        let stack = Stack::new(rights()).with(&layer[..1]);
        let facts = fs_err::metadata(stack.top().join("null")).unwrap();
        assert!(facts.file_type().is_char_device());
        let metadata = stack.snapshot.metadata(Path::new("null")).unwrap();
        assert_eq!(metadata.kind, Kind::CharacterDevice { major: 1, minor: 3 });
    }
}

#[test]
fn the_root_is_the_layers_or_the_one_below() {
    let root = |mode| (Entry { mode, uid: 5, ..entry("", EntryKind::Directory) }, Vec::new());
    let stack = Stack::new(rights()).with(&[root(0o750)]).with(&[file("a", "")]);
    let metadata = stack.snapshot.metadata(Path::new("")).unwrap();
    assert_eq!((metadata.mode, metadata.uid), (0o750, 5));
    let stack = stack.with(&[root(0o711)]);
    assert_eq!(stack.snapshot.metadata(Path::new("")).unwrap().mode, 0o711);
    assert_eq!(Stack::new(rights()).snapshot.metadata(Path::new("")).unwrap().mode, 0o755);
}
