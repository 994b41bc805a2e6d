use std::io::{ErrorKind, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::{DirTree, Kind, MemoryTree, Tree, resolve};

fn names(tree: &dyn Tree, path: &str) -> Vec<(String, Kind)> {
    tree.read_dir(Path::new(path))
        .unwrap()
        .into_iter()
        .map(|child| (child.name.into_string().unwrap(), child.metadata.kind))
        .collect()
}

fn kind_of(result: std::io::Result<PathBuf>) -> ErrorKind {
    result.unwrap_err().kind()
}

fn memory() -> MemoryTree {
    let mut tree = MemoryTree::new();
    tree.file("a/b/c", "sea")
        .symlink("a/up", "../../../a/b")
        .symlink("a/absolute", "/a/b/c")
        .symlink("loop", "loop")
        .symlink("gone", "nowhere");
    tree
}

fn on_disk() -> (tempfile::TempDir, DirTree) {
    let home = tempfile::tempdir().unwrap();
    let at = |path: &str| home.path().join(path);
    fs_err::create_dir_all(at("a/b")).unwrap();
    fs_err::write(at("a/b/c"), "sea").unwrap();
    symlink("../../../a/b", at("a/up")).unwrap();
    symlink("/a/b/c", at("a/absolute")).unwrap();
    symlink("loop", at("loop")).unwrap();
    symlink("nowhere", at("gone")).unwrap();
    let tree = DirTree::open(home.path()).unwrap();
    (home, tree)
}

#[test]
fn both_trees_read_the_same() {
    let (_home, disk) = on_disk();
    for tree in [&memory() as &dyn Tree, &disk] {
        assert_eq!(
            names(tree, ""),
            [
                ("a".to_owned(), Kind::Directory),
                ("gone".to_owned(), Kind::Symlink),
                ("loop".to_owned(), Kind::Symlink)
            ]
        );
        assert_eq!(names(tree, "a/b"), [("c".to_owned(), Kind::File)]);
        let mut text = String::new();
        tree.open(Path::new("a/b/c")).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "sea");
        assert_eq!(tree.metadata(Path::new("a/b/c")).unwrap().size, 3);
        assert_eq!(tree.read_link(Path::new("a/absolute")).unwrap(), Path::new("/a/b/c"));
        assert!(tree.metadata(Path::new("")).unwrap().is_dir());
        assert_eq!(tree.metadata(Path::new("a/x")).unwrap_err().kind(), ErrorKind::NotFound);
        let not_a_directory = tree.read_dir(Path::new("a/b/c")).unwrap_err();
        assert_eq!(not_a_directory.kind(), ErrorKind::NotADirectory);
        assert_eq!(tree.read_dir(Path::new("gone")).unwrap_err().kind(), ErrorKind::NotADirectory);
    }
}

#[test]
fn links_are_followed_within_the_tree() {
    let (_home, disk) = on_disk();
    for tree in [&memory() as &dyn Tree, &disk] {
        let at = |path: &str| resolve(tree, Path::new(path));
        assert_eq!(at("a/up/c").unwrap(), Path::new("a/b/c"));
        assert_eq!(at("a/absolute").unwrap(), Path::new("a/b/c"));
        assert_eq!(at("../../a/./b").unwrap(), Path::new("a/b"));
        assert_eq!(at("/").unwrap(), Path::new(""));
        assert_eq!(kind_of(at("gone")), ErrorKind::NotFound);
        assert_eq!(
            at("loop").unwrap_err().raw_os_error(),
            Some(rustix::io::Errno::LOOP.raw_os_error())
        );
        assert_eq!(kind_of(at("a/b/c/d")), ErrorKind::NotADirectory);
    }
}

#[test]
fn a_directory_is_not_left() {
    let (home, tree) = on_disk();
    let outside = tempfile::tempdir().unwrap();
    fs_err::write(outside.path().join("secret"), "x").unwrap();
    symlink(outside.path(), home.path().join("out")).unwrap();
    for path in ["out/secret", "../secret", "/etc/passwd", "a/../../x"] {
        assert!(tree.open(Path::new(path)).is_err(), "{path}");
        assert!(tree.metadata(Path::new(path)).is_err(), "{path}");
        assert!(tree.read_dir(Path::new(path)).is_err(), "{path}");
    }
    assert_eq!(tree.read_dir(Path::new("out")).unwrap_err().kind(), ErrorKind::NotADirectory);
}

#[test]
fn a_pipe_is_not_waited_for() {
    let (home, tree) = on_disk();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, home.path().join("pipe"), mode).unwrap();
    assert_eq!(tree.metadata(Path::new("pipe")).unwrap().kind, Kind::Fifo);
    assert!(tree.open(Path::new("pipe")).is_err());
}

#[test]
fn modes_are_kept_and_owners_are_not() {
    let (home, tree) = on_disk();
    fs_err::set_permissions(home.path().join("a/b/c"), PermissionsExt::from_mode(0o4751)).unwrap();
    let metadata = tree.metadata(Path::new("a/b/c")).unwrap();
    assert_eq!((metadata.mode, metadata.uid, metadata.gid), (0o4751, 0, 0));
}
