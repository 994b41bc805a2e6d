use std::{collections::BTreeSet, path::PathBuf};

use wit_parser::{Resolve, WorldItem};

use super::*;

fn wit() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../wit")
}

/// `package/interface@version` of everything that the world `imports` of the contract imports, the
/// shared types left out: they give nothing.
fn imported() -> BTreeSet<String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit()).unwrap();
    let world = resolve.packages[package].worlds["imports"];
    let ids = resolve.worlds[world].imports.values().filter_map(|item| match item {
        WorldItem::Interface { id, .. } => resolve.id_of(*id),
        WorldItem::Function(_) | WorldItem::Type { .. } => None,
    });
    ids.filter(|id| !id.starts_with("windlass:types/")).collect()
}

#[test]
fn every_import_of_the_contract_has_a_row_and_every_row_is_an_import() {
    let rows: BTreeSet<String> = CAPABILITIES.iter().map(|row| row.interface.to_owned()).collect();
    assert_eq!(rows, imported());
    assert_eq!(rows.len(), CAPABILITIES.len(), "a row is there twice");
}

#[test]
fn every_row_names_the_file_that_defines_it() {
    for row in CAPABILITIES {
        let text = fs_err::read_to_string(wit().join("deps").join(row.wit)).unwrap();
        let (package, rest) = row.interface.split_once('/').unwrap();
        let (interface, version) = rest.split_once('@').unwrap();
        assert!(text.contains(&format!("package {package}@{version};")), "{}", row.wit);
        assert!(text.contains(&format!("interface {interface} {{")), "{}", row.wit);
    }
}

#[test]
fn every_row_can_be_shown_in_one_line_of_a_table() {
    for row in CAPABILITIES {
        assert!(!row.doc.is_empty() && row.doc.len() <= 90, "{}", row.interface);
        assert!(!row.doc.contains(['\n', '|']), "{}", row.interface);
    }
}

#[test]
fn every_grant_of_a_row_is_a_key_or_a_group_of_keys() {
    for grant in CAPABILITIES.iter().filter_map(|row| row.grant) {
        let is_known = |key: &&str| **key == *grant || key.starts_with(&format!("{grant}."));
        assert!(GRANT_KEYS.iter().any(is_known), "{grant}");
    }
    for key in GRANT_KEYS {
        // An identity goes with `http`: it says who a request is from.
        let key = if key == "identity" { "http" } else { key };
        let has_row = |grant: &str| grant == key || key.starts_with(&format!("{grant}."));
        assert!(CAPABILITIES.iter().filter_map(|row| row.grant).any(has_row), "{key}");
    }
}
