//! Any bytes as two layers, one over the other, in a directory of their own: nothing is made outside
//! of it, and all of it can be removed.
//!
//! `cargo +nightly fuzz run unpack`, in the folder above. The first two bytes are the length of the
//! first layer.

#![no_main]

use std::io::Cursor;
use std::path::Path;

use build::Rights;
use build::layer::{LayerReader, Limits};
use build::snapshot::Snapshot;
use build::tree::Tree as _;
use build::unpack::unpack;
use libfuzzer_sys::fuzz_target;
use windlass_build_fuzz::mended;

/// Sparse files are long and cost nothing to say.
fn limits() -> Limits {
    Limits { bytes: 1 << 20, ..Limits::default() }
}

fn rights() -> Rights {
    match rustix::process::geteuid().is_root() {
        true => Rights::root(),
        false => Rights::single(),
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fuzz_target!(|bytes: &[u8]| {
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else { return };
    let (lower, upper) = rest.split_at(rest.len().min(u16::from_le_bytes(*length).into()));
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("outside"), "outside").unwrap();
    let mut snapshot = Snapshot::new(Vec::new(), rights());
    for (name, layer) in [("lower", lower), ("upper", upper)] {
        let into = place.path().join(name);
        std::fs::create_dir(&into).unwrap();
        let reader = LayerReader::new(Cursor::new(mended(layer)), limits());
        if unpack(reader, &into, &snapshot, rights()).is_err() {
            break;
        }
        snapshot = snapshot.with(into);
        let _ = snapshot.read_dir(Path::new("")).expect("the root can be read");
    }
    let names = names(place.path());
    assert!(names.iter().all(|name| ["lower", "outside", "upper"].contains(&name.as_str())));
    assert_eq!(std::fs::read(place.path().join("outside")).unwrap(), b"outside");
});
