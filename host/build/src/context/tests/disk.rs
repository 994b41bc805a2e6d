//! Directories of this machine, with all that may lie in them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use super::super::Context;
use super::{Copy, at};
use crate::tree::DirTree;

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn file(&self, path: &str) -> &Self {
        fs_err::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs_err::write(self.path(path), path).unwrap();
        let mode = std::fs::Permissions::from_mode(0o644);
        fs_err::set_permissions(self.path(path), mode).unwrap();
        self
    }

    fn tree(&self) -> DirTree {
        DirTree::open(self.0.path()).unwrap()
    }
}

#[test]
fn no_link_leads_outside() {
    let (home, outside) = (Home::new(), Home::new());
    outside.file("secret");
    home.file("etc/passwd");
    symlink(outside.path("secret"), home.path("file")).unwrap();
    symlink(outside.path(""), home.path("dir")).unwrap();
    symlink("../../../../../../etc/passwd", home.path("up")).unwrap();
    symlink("/etc/passwd", home.path("absolute")).unwrap();
    let tree = home.tree();
    let copy = Copy { to: "/x", ..Copy::default() };
    for source in ["file", "dir", "dir/secret", "dir/*"] {
        assert!(copy.of(&[source]).picks(&tree).is_err(), "{source}");
    }
    // They are what they are within the context, as in a container.
    assert_eq!(copy.of(&["up"]).lines(&tree), ["f644 x < etc/passwd"]);
    assert_eq!(copy.of(&["absolute"]).lines(&tree), ["f644 x < etc/passwd"]);
    let context = Context::directory(home.0.path()).unwrap();
    assert_eq!(context.read_file(at("dir/secret"), 100).unwrap(), None);
    assert_eq!(context.read_file(at("up"), 100).unwrap(), Some(b"etc/passwd".to_vec()));
}

#[test]
fn links_and_pipes_are_copied_as_they_are() {
    let home = Home::new();
    home.file("a").file("b/x");
    fs_err::hard_link(home.path("a"), home.path("b/a")).unwrap();
    symlink("/nowhere", home.path("gone")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o640);
    rustix::fs::mkfifoat(rustix::fs::CWD, home.path("pipe"), mode).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(home.path("socket")).unwrap();
    let lines =
        Copy { sources: &["."], to: "/", mode: "u=rw,go=", ..Copy::default() }.lines(&home.tree());
    assert_eq!(
        lines,
        [
            "f600 a < a",
            "d600 b",
            "h600 b/a -> a",
            "f600 b/x < b/x",
            "l777 gone -> /nowhere",
            "p600 pipe",
            "f600 socket"
        ]
    );
}

#[test]
fn names_need_not_be_text() {
    let home = Home::new();
    let name = OsStr::from_bytes(b"caf\xe9\n");
    fs_err::write(home.0.path().join(name), "x").unwrap();
    let copy = Copy { sources: &["caf*"], to: "/x/", ..Copy::default() };
    let picks = copy.picks(&home.tree()).unwrap();
    assert_eq!(picks.entries.last().unwrap().entry.path, at("x").join(name));
}

#[test]
fn deep_trees_are_walked() {
    let home = Home::new();
    let deep = "d/".repeat(600);
    home.file(&format!("{deep}file"));
    let tree = home.tree();
    let picks = Copy { sources: &["."], to: "/", ..Copy::default() }.picks(&tree).unwrap();
    assert_eq!(picks.entries.len(), 601);
    let ignored = Copy { sources: &["."], to: "/", ignore: "**/file", ..Copy::default() };
    assert_eq!(ignored.picks(&tree).unwrap().entries.len(), 600);
    let pattern = format!("{}*", "*/".repeat(600));
    let found = Copy { sources: &[&pattern], to: "/x", ..Copy::default() }.picks(&tree).unwrap();
    assert_eq!(found.entries.len(), 1);
}
