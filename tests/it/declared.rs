//! Every file of this folder is part of the binary.

use std::collections::BTreeSet;

use support::repository_root;

#[test]
fn every_file_is_declared_in_main() {
    let folder = repository_root().join("tests/it");
    let files: BTreeSet<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "main")
        .collect();
    let declared: BTreeSet<String> = std::fs::read_to_string(folder.join("main.rs"))
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';').map(str::to_owned))
        .collect();
    assert_eq!(files, declared);
}
