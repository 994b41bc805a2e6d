//! Any bytes as a `.dockerignore`: what a walk is told and what is said of a path are the same, and
//! nothing is kept below what was dropped as a whole.
//!
//! `cargo +nightly fuzz run ignore`, in the folder above. The first line is a path, the rest rules.

#![no_main]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use build::ignore::{Ignore, Verdict};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (path, rules) = bytes.split_at(end);
    let Ok(ignore) = Ignore::parse(".dockerignore", rules) else { return };
    let plain = |name: &&[u8]| !matches!(*name, b"" | b"." | b"..") && !name.contains(&0);
    let names: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(plain).collect();
    let mut place = ignore.root();
    let mut is_gone = false;
    for (index, name) in names.iter().enumerate() {
        let joined = names[..=index].join(&b'/');
        let path = Path::new(OsStr::from_bytes(&joined));
        let judged = ignore.child(&place, OsStr::from_bytes(name), true);
        assert_eq!(judged.verdict, ignore.verdict(path, true), "{path:?}");
        if let Some(rule) = judged.rule {
            assert!(ignore.rule(rule).is_some());
        }
        let of_file = ignore.child(&place, OsStr::from_bytes(name), false).verdict;
        assert_ne!(of_file, Verdict::DropTree, "{path:?} is a file");
        assert_eq!(of_file == Verdict::Keep, judged.verdict == Verdict::Keep, "{path:?}");
        assert!(
            !is_gone || judged.verdict != Verdict::Keep,
            "{path:?} was dropped with its folder"
        );
        is_gone |= judged.verdict == Verdict::DropTree;
        place = judged.place.expect("a directory has a place");
    }
});
