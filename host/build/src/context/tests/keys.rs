//! The key of what is copied, and the memory of digests.

use std::path::Path;

use super::super::{
    Context, Destination, DigestCache, Origin, Picks, Selection, Source, fingerprint, select,
};
use crate::tree::{DirTree, MemoryTree, Time, Tree};

/// Far enough from now that every file was made long before.
const LATER: Time = Time { seconds: 4_000_000_000, nanos: 0 };

fn with<T>(tree: &dyn Tree, then: impl FnOnce(&Picks, &[Source<'_>]) -> T) -> T {
    let origin = Origin { tree, ignore: None, name: "the context", has_devices: false };
    let sources = [Source { origin, written: "." }];
    let destination = Destination::read("/x/", "/", None).unwrap();
    let selection = Selection {
        destination: &destination,
        image: None,
        parents: false,
        exclude: None,
        owner: None,
        mode: None,
        now: 0,
    };
    then(&select(&sources, &selection).unwrap(), &sources)
}

fn key(tree: &dyn Tree, cache: &mut DigestCache) -> String {
    with(tree, |picks, sources| fingerprint(picks, sources, cache).unwrap().to_string())
}

fn fresh_key(tree: &dyn Tree) -> String {
    key(tree, &mut DigestCache::read(None, LATER))
}

fn touch(path: &Path, seconds: u64) {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    fs_err::OpenOptions::new().append(true).open(path).unwrap().file().set_modified(time).unwrap();
}

#[test]
fn a_key_is_of_names_modes_and_content_and_not_of_times() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (home, names, time) in [(&one, ["a", "b"], 1_000), (&two, ["b", "a"], 2_000)] {
        for name in names {
            fs_err::write(home.path().join(name), name).unwrap();
            touch(&home.path().join(name), time);
        }
    }
    let tree = |home: &tempfile::TempDir| DirTree::open(home.path()).unwrap();
    assert_eq!(fresh_key(&tree(&one)), fresh_key(&tree(&two)));
    let mut seen = vec![fresh_key(&tree(&one))];
    let mut changed = |change: &dyn Fn(&mut MemoryTree)| {
        let mut tree = MemoryTree::new();
        tree.file("a", "a").file("b", "b");
        change(&mut tree);
        let key = fresh_key(&tree);
        assert!(!seen.contains(&key));
        seen.push(key);
    };
    changed(&|tree| _ = tree.file("a", "A"));
    changed(&|tree| _ = tree.file("ab", ""));
    changed(&|tree| _ = tree.symlink("a", "b"));
    changed(&|tree| _ = tree.symlink("a", "c"));
    changed(&|tree| _ = tree.directory("c"));
    changed(&|tree| {
        let mut metadata = tree.metadata(Path::new("a")).unwrap();
        metadata.mode = 0o600;
        tree.insert(Path::new("a"), metadata, b"a");
    });
}

#[test]
fn unchanged_files_are_read_once() {
    let home = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        fs_err::write(home.path().join(name), name.repeat(1000)).unwrap();
    }
    let tree = DirTree::open(home.path()).unwrap();
    let mut cache = DigestCache::read(None, LATER);
    let first = key(&tree, &mut cache);
    assert_eq!((cache.hashed(), cache.len()), (3, 3));
    let bytes = cache.write().unwrap();
    let mut cache = DigestCache::read(Some(&bytes), LATER);
    assert_eq!(key(&tree, &mut cache), first);
    assert_eq!((cache.hashed(), cache.write()), (0, None));
    // The same size and the same time of modification: the change itself has a time too.
    let before = tree.metadata(Path::new("b")).unwrap();
    touch(&home.path().join("b"), 1);
    fs_err::write(home.path().join("b"), "X".repeat(1000)).unwrap();
    touch(&home.path().join("b"), u64::try_from(before.mtime.seconds).unwrap());
    let mut cache = DigestCache::read(Some(&bytes), LATER);
    assert_ne!(key(&tree, &mut cache), first);
    assert_eq!(cache.hashed(), 1);
}

#[test]
fn fresh_files_are_not_trusted() {
    let home = tempfile::tempdir().unwrap();
    fs_err::write(home.path().join("a"), "a").unwrap();
    let tree = DirTree::open(home.path()).unwrap();
    let changed = tree.metadata(Path::new("a")).unwrap().ctime;
    for (later, known) in [(0, 0), (1, 0), (2, 0), (3, 1)] {
        let now = Time { seconds: changed.seconds + later, nanos: changed.nanos };
        let mut cache = DigestCache::read(None, now);
        key(&tree, &mut cache);
        assert_eq!(cache.len(), known, "{later} s");
    }
}

#[test]
fn files_without_identity_are_read_every_time() {
    let mut tree = MemoryTree::new();
    tree.file("a", "a");
    let mut cache = DigestCache::read(None, LATER);
    key(&tree, &mut cache);
    key(&tree, &mut cache);
    assert_eq!((cache.hashed(), cache.is_empty()), (2, true));
}

#[test]
fn a_damaged_memory_is_empty() {
    let home = tempfile::tempdir().unwrap();
    fs_err::write(home.path().join("a"), "a").unwrap();
    let tree = DirTree::open(home.path()).unwrap();
    let mut cache = DigestCache::read(None, LATER);
    key(&tree, &mut cache);
    let bytes = cache.write().unwrap();
    assert_eq!(DigestCache::read(Some(&bytes), LATER).len(), 1);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        assert!(DigestCache::read(Some(&damaged), LATER).is_empty());
        assert!(DigestCache::read(Some(&bytes[..at]), LATER).is_empty());
    }
}

#[test]
fn many_files_are_read_by_two_threads_to_the_same_key() {
    let home = tempfile::tempdir().unwrap();
    let mut memory = MemoryTree::new();
    for number in 0..64 {
        let content = vec![number; 40_000];
        fs_err::write(home.path().join(number.to_string()), &content).unwrap();
        memory.file(number.to_string(), &content);
    }
    for name in fs_err::read_dir(home.path()).unwrap() {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::Permissions::from_mode(0o644);
        fs_err::set_permissions(name.unwrap().path(), mode).unwrap();
    }
    assert_eq!(fresh_key(&DirTree::open(home.path()).unwrap()), fresh_key(&memory));
}

#[test]
fn what_changes_meanwhile_is_noticed() {
    let home = tempfile::tempdir().unwrap();
    fs_err::write(home.path().join("a"), "a").unwrap();
    let context = Context::directory(home.path()).unwrap();
    with(context.tree(), |picks, sources| {
        fs_err::write(home.path().join("a"), "longer").unwrap();
        let error = fingerprint(picks, sources, &mut DigestCache::read(None, LATER)).unwrap_err();
        assert_eq!(error.to_string(), "`a` of the context changed while it was being read");
        fs_err::remove_file(home.path().join("a")).unwrap();
        let error = fingerprint(picks, sources, &mut DigestCache::read(None, LATER)).unwrap_err();
        assert_eq!(error.to_string(), "cannot read `a` of the context");
    });
}
