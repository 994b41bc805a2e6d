//! Rules about the text of the project that a person would not keep.

use std::path::{Path, PathBuf};

use support::repository_root;

/// Lines of a file: beyond it nobody reads it as one thing.
const LONGEST_FILE: usize = 800;

/// Every source file of ours, relative to the clone.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders =
        ["host", "plugins", "tests", "xtask"].map(|top| repository_root().join(top)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(repository_root()).unwrap().to_owned(), text));
            }
        }
    }
    found.sort();
    assert!(found.len() > 100);
    found
}

fn report(problems: &[String]) {
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The code of a line, without what is commented. Good enough for words that no string of ours has.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// Where `word` stands in code, but in the files that may have it.
fn occurrences(word: &str, may: impl Fn(&Path) -> bool) -> Vec<String> {
    let is_word = |line: &str| {
        line.match_indices(word).any(|(start, _)| {
            let around = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            let before = line.get(..start).and_then(|text| text.chars().next_back());
            let after = line.get(start + word.len()..).and_then(|text| text.chars().next());
            !around(before) && !around(after)
        })
    };
    let mut found = Vec::new();
    for (path, text) in sources() {
        // These two have to say the words.
        let says = ["tests/it/tidy.rs", "tests/it/rooms.rs"];
        if may(&path) || says.iter().any(|rules| path.ends_with(rules)) {
            continue;
        }
        for (number, line) in text.lines().enumerate().filter(|(_, line)| is_word(code(line))) {
            found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
        }
    }
    found
}

#[test]
fn no_file_is_too_long() {
    let problems: Vec<String> = sources()
        .iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .map(|(path, lines)| format!("{}: {lines} lines, split it by noun", path.display()))
        .collect();
    report(&problems);
}

#[test]
fn only_the_wasm_room_knows_wasmtime() {
    for word in ["wasmtime", "wasmtime_wasi", "wasmtime_wasi_http"] {
        report(&occurrences(word, |path| path.starts_with("host/wasm")));
    }
}

#[test]
fn only_the_client_and_its_users_know_reqwest() {
    report(&occurrences("reqwest", |path| {
        [
            "host/oci/src/client",
            "host/oci/src/remote",
            "host/capability/src/http",
            "host/azure/src/wire.rs",
        ]
        .iter()
        .any(|place| path.to_string_lossy().starts_with(place))
            || is_test(path)
    }));
}

/// What runs only as a test.
fn is_test(path: &Path) -> bool {
    path.starts_with("tests")
        || path.ends_with("tests.rs")
        || path.to_string_lossy().contains("/tests/")
}

/// Programs, and what runs only where cargo builds or tests.
fn is_program(path: &Path) -> bool {
    let text = path.to_string_lossy();
    ["host/cli/", "xtask/"].iter().any(|top| text.starts_with(top))
        || is_test(path)
        || path.ends_with("build.rs")
        || text.contains("/benches/")
        || text.contains("/examples/")
}

#[test]
fn only_programs_print_and_exit() {
    for word in ["println!", "eprintln!", "print!", "eprint!", "process::exit"] {
        report(&occurrences_of_text(word, is_program));
    }
}

#[test]
fn only_programs_read_the_environment() {
    for word in ["std::env", "env::var", "env::current_dir", "env::args"] {
        report(&occurrences_of_text(word, is_program));
    }
}

#[test]
fn only_the_engine_has_unsafe_code() {
    let found = occurrences("unsafe", |path| path.starts_with("plugins/sdk/src/bindings"));
    let elsewhere: Vec<String> = found
        .iter()
        .filter(|line| !line.starts_with("host/wasm/src/engine.rs:"))
        .cloned()
        .collect();
    report(&elsewhere);
    assert!(found.len() <= 2, "{found:?}");
}

#[test]
fn tests_neither_sleep_nor_are_skipped() {
    report(&occurrences_of_text("thread::sleep", |path| {
        // The one pause of bounded polling, and guests whose sleep is the point.
        path.ends_with("tests/support/src/process.rs")
            || path.starts_with("tests/guests")
            || !is_test(path)
    }));
    report(&occurrences_of_text("#[ignore", |_| false));
    report(&occurrences_of_text("#[should_panic", |_| false));
}

#[test]
fn nothing_is_left_to_do() {
    for word in ["todo!", "unimplemented!", "FIXME", "XXX", "dbg!"] {
        report(&occurrences_of_text(word, |_| false));
    }
}

/// Where `text` stands in code, but in the files that may have it.
fn occurrences_of_text(text: &str, may: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (path, source) in sources() {
        if may(&path) || path.ends_with("tests/it/tidy.rs") {
            continue;
        }
        // Behind `mod tests {` at the end of a file stand tests, which may do as tests do.
        let code_lines = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (number, line) in code_lines.lines().enumerate() {
            // What the program was built for is no environment.
            if code(line).replace("std::env::consts", "").contains(text) {
                found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    found
}

#[test]
fn files_are_named_by_nouns() {
    let empty =
        ["utils.rs", "util.rs", "helpers.rs", "helper.rs", "common.rs", "misc.rs", "imp.rs"];
    let problems: Vec<String> = sources()
        .iter()
        .filter(|(path, _)| empty.iter().any(|name| path.ends_with(name)))
        .map(|(path, _)| path.display().to_string())
        .collect();
    report(&problems);
}

#[test]
fn every_file_of_a_room_says_what_it_is() {
    let problems: Vec<String> = sources()
        .iter()
        .filter(|(path, _)| path.starts_with("host") || path.starts_with("plugins"))
        .filter(|(path, _)| {
            !path.ends_with("tests.rs") && !path.to_string_lossy().contains("/tests/")
        })
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| format!("{} does not begin with `//!`", path.display()))
        .collect();
    report(&problems);
}
