//! Layers that want out, or to be what they are not.

use std::path::Path;

use super::*;
use crate::testing::{raw_reader, rights};
use crate::tree::Tree as _;

/// Unpacks `headers` beside a file that must not change; what happened, and what is in the layer.
fn outcome(headers: &[(&str, u8, &str, &str)]) -> (Result<Vec<String>, String>, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let victim = directory.path().join("victim");
    fs_err::write(&victim, "untouched").unwrap();
    let into = directory.path().join("layer");
    fs_err::create_dir(&into).unwrap();
    let empty = Snapshot::new(Vec::new(), rights());
    let headers: Vec<(String, u8, String, String)> = headers
        .iter()
        .map(|(name, flag, link, content)| {
            let link = link.replace("OUT", &directory.path().display().to_string());
            ((*name).to_owned(), *flag, link, (*content).to_owned())
        })
        .collect();
    let headers: Vec<(&str, u8, &str, &str)> =
        headers.iter().map(|(a, b, c, d)| (a.as_str(), *b, c.as_str(), d.as_str())).collect();
    let result = unpack(raw_reader(&headers), &into, &empty, rights());
    assert_eq!(fs_err::read_to_string(&victim).unwrap(), "untouched");
    let outside = fs_err::read_dir(directory.path()).unwrap().count();
    assert_eq!(outside, 2, "something was written beside the layer");
    let snapshot = empty.with(into);
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for child in snapshot.read_dir(&folder).unwrap() {
            let path = folder.join(child.name);
            found.push(path.display().to_string());
            if child.metadata.is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort();
    (result.map(|unpacked| unpacked.notes).map_err(|error| error.to_string()), found)
}

/// That it fails so.
fn refused(headers: &[(&str, u8, &str, &str)], expected: &str) {
    let (result, _) = outcome(headers);
    assert_eq!(result, Err(expected.to_owned()), "{headers:?}");
}

/// That it works, and leaves these files.
fn accepted(headers: &[(&str, u8, &str, &str)], expected: &[&str]) {
    let (result, found) = outcome(headers);
    assert_eq!(result, Ok(Vec::new()), "{headers:?}");
    assert_eq!(found, expected, "{headers:?}");
}

#[test]
fn links_that_lead_out_lead_to_the_root() {
    accepted(
        &[("l", b'2', "OUT", ""), ("m", b'2', "../..", ""), ("m/victim", b'0', "", "x")],
        &["l", "m", "victim"],
    );
    accepted(&[("l", b'2', "../../../..", ""), ("l/a/b", b'0', "", "x")], &["a", "a/b", "l"]);
    accepted(
        &[("d", b'5', "", ""), ("d/l", b'2', "/", ""), ("d/l/x", b'0', "", "")],
        &["d", "d/l", "x"],
    );
}

#[test]
fn a_file_never_goes_through_a_link_of_its_own_name() {
    accepted(&[("l", b'2', "OUT/victim", ""), ("l", b'0', "", "x")], &["l"]);
    accepted(
        &[("l", b'2', "OUT", ""), ("l", b'5', "", ""), ("l/victim", b'0', "", "x")],
        &["l", "l/victim"],
    );
}

#[test]
fn hard_links_reach_only_what_is_in_the_image() {
    refused(&[("a", b'1', "victim", "")], "`a` is another name of `victim`, which is not there");
    refused(
        &[("l", b'2', "OUT", ""), ("a", b'1', "l/victim", ""), ("a", b'0', "", "x")],
        "`a` is another name of `l/victim`, which is not there",
    );
    refused(
        &[("d", b'5', "", ""), ("a", b'1', "d", "")],
        "`a` is another name of `d`, which is not there",
    );
    refused(&[("a", b'1', "/", "")], "`a` is another name of ``, which is not there");
    // The link itself gets a second name, not what it points at.
    accepted(
        &[("l", b'2', "OUT/victim", ""), ("a", b'1', "l", ""), ("a", b'0', "", "x")],
        &["a", "l"],
    );
    accepted(&[("a", b'0', "", "x"), ("a", b'1', "a", "")], &["a"]);
}

#[test]
fn the_last_of_several_wins() {
    accepted(
        &[("a", b'0', "", "1"), ("a", b'0', "", "2"), ("a", b'5', "", ""), ("a/b", b'0', "", "")],
        &["a", "a/b"],
    );
    accepted(
        &[("a", b'5', "", ""), ("a/b", b'0', "", ""), ("a", b'0', "", ""), ("c", b'0', "", "")],
        &["a", "c"],
    );
    accepted(&[("a", b'5', "", ""), ("a/b", b'0', "", ""), ("a", b'5', "", "")], &["a", "a/b"]);
}

#[test]
fn paths_through_files_and_rings_are_refused() {
    refused(
        &[("a", b'0', "", ""), ("a/b", b'0', "", "")],
        "`a/b` goes through `a`, which is no directory",
    );
    refused(
        &[("a", b'2', "b", ""), ("b", b'2', "a", ""), ("a/c", b'0', "", "")],
        "`a/c` goes through too many symbolic links",
    );
}

#[test]
fn marks_of_overlayfs_cannot_be_brought_along() {
    let mut records = Vec::new();
    for name in ["trusted.overlay.redirect", "user.overlay.opaque", "user.windlass.stat"] {
        let record = format!("SCHILY.xattr.{name}=y\n");
        let length = record.len() + 3;
        records.push(format!("{length} {record}"));
    }
    let records = records.concat();
    let directory = tempfile::tempdir().unwrap();
    let headers = [("x", b'x', "", records.as_str()), ("d", b'5', "", "")];
    let empty = Snapshot::new(Vec::new(), rights());
    unpack(raw_reader(&headers), directory.path(), &empty, rights()).unwrap();
    let mut names = vec![0; 1000];
    let length = rustix::fs::llistxattr(directory.path().join("d"), names.as_mut_slice()).unwrap();
    let names = String::from_utf8_lossy(&names[..length]).into_owned();
    assert!(!names.contains("overlay") && !names.contains("user."), "{names}");
}

#[test]
fn a_tree_as_deep_as_paths_go_is_unpacked() {
    // 1,000 levels in two steps: a header has no room for more.
    let half = "d/".repeat(1000);
    let record = format!("path={half}f\n");
    let records = format!("{} {record}", record.len() + 5);
    let directory = tempfile::tempdir().unwrap();
    let headers = [("x", b'x', "", records.as_str()), ("f", b'0', "", "deep")];
    let empty = Snapshot::new(Vec::new(), rights());
    let unpacked = unpack(raw_reader(&headers), directory.path(), &empty, rights()).unwrap();
    assert_eq!((unpacked.files, unpacked.bytes), (1, 4));
    let snapshot = empty.with(directory.path().to_owned());
    assert_eq!(snapshot.metadata(Path::new(&format!("{half}f"))).unwrap().size, 4);
    crate::remove::remove(&directory.path().join("d")).unwrap();
}
