//! The order of entries in a layer.
//!
//! Parents come before children, and siblings in the order of their bytes, what is gone first:
//! "whiteout files SHOULD appear before sibling directory entries" (image-spec, "Whiteouts"). The
//! mark of an opaque directory follows the directory itself. It is a total order, so that the same
//! entries make the same layer.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::{Entry, EntryKind};

/// Which of the two comes first in a layer.
pub fn compare(a: &Entry, b: &Entry) -> Ordering {
    keys(a).cmp(keys(b)).then_with(|| is_opaque(a).cmp(&is_opaque(b)))
}

/// Sorts `things` by their entries, as [`compare`] says.
pub fn sort<T>(things: &mut [T], entry: impl Fn(&T) -> &Entry) {
    things.sort_by(|a, b| compare(entry(a), entry(b)));
}

/// `entries` in order, with the directories above them that they lack.
///
/// A missing directory is what `known` says of it (what the image has there already), else it
/// belongs to root, has mode 0755 and the time of the first entry below it. The root itself is
/// never added.
pub fn with_parents(
    mut entries: Vec<Entry>,
    mut known: impl FnMut(&Path) -> Option<Entry>,
) -> Vec<Entry> {
    sort(&mut entries, |entry| entry);
    let mut parents: BTreeMap<PathBuf, Option<Entry>> = entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::Directory)
        .map(|entry| (entry.path.clone(), None))
        .collect();
    for entry in &entries {
        let on_the_way = entry.path.ancestors().skip(1);
        for parent in on_the_way.take_while(|parent| !parent.as_os_str().is_empty()) {
            if parents.contains_key(parent) {
                // Those above it were seen with it.
                continue;
            }
            let made = known(parent).unwrap_or_else(|| Entry {
                path: parent.to_owned(),
                kind: EntryKind::Directory,
                mode: 0o755,
                uid: 0,
                gid: 0,
                mtime: entry.mtime,
                xattrs: BTreeMap::new(),
            });
            parents.insert(parent.to_owned(), Some(made));
        }
    }
    entries.extend(parents.into_values().flatten());
    sort(&mut entries, |entry| entry);
    entries
}

/// What is compared of each component: whether it is there, then its name.
fn keys(entry: &Entry) -> impl Iterator<Item = (bool, &[u8])> {
    let gone = entry.kind == EntryKind::Whiteout;
    let mut components = entry.path.components().peekable();
    std::iter::from_fn(move || {
        let component = components.next()?;
        let is_last = components.peek().is_none();
        Some((!(gone && is_last), component.as_os_str().as_bytes()))
    })
}

fn is_opaque(entry: &Entry) -> bool {
    entry.kind == EntryKind::Opaque
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, kind: EntryKind) -> Entry {
        let path = path.into();
        Entry { path, kind, mode: 0o755, uid: 0, gid: 0, mtime: 7, xattrs: BTreeMap::new() }
    }

    #[test]
    fn parents_then_what_is_gone_then_the_rest_by_bytes() {
        use EntryKind::{Directory, Fifo, Opaque, Whiteout};
        let expected = [
            ("", Directory),
            ("z", Whiteout),
            ("a", Directory),
            ("a", Opaque),
            ("a/b", Directory),
            ("a/b/c", Fifo),
            ("a-b", Fifo),
            ("z", Fifo),
        ]
        .map(|(path, kind)| entry(path, kind));
        let mut shuffled = expected.to_vec();
        shuffled.reverse();
        sort(&mut shuffled, |entry| entry);
        assert_eq!(shuffled, expected);
        assert!(expected.windows(2).all(|two| compare(&two[0], &two[1]).is_lt()));
    }

    #[test]
    fn missing_parents_are_added_as_they_are_known() {
        let known = |path: &Path| {
            (path == Path::new("a"))
                .then(|| Entry { mode: 0o1777, ..entry("a", EntryKind::Directory) })
        };
        let given = vec![entry("a/b/c", EntryKind::Fifo), entry("d/e", EntryKind::Whiteout)];
        let paths: Vec<(String, u32)> = with_parents(given, known)
            .into_iter()
            .map(|entry| (entry.path.display().to_string(), entry.mode))
            .collect();
        let expected =
            [("a", 0o1777), ("a/b", 0o755), ("a/b/c", 0o755), ("d", 0o755), ("d/e", 0o755)];
        assert_eq!(paths, expected.map(|(path, mode)| (path.to_owned(), mode)));
    }
}
