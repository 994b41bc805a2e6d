//! docs/runs.md shows what happens.

use regex::Regex;
use support::{Image, repository_root};

use super::listed;
use crate::host;

/// What the document calls the runs, in their order.
const NAMES: [&str; 2] = ["da7", "da8"];

/// What differs from run to run.
const REDACTIONS: [(&str, &str); 4] = [
    (r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z", "[TIME]"),
    (r"[0-9]+(\.[0-9]+)? ms", "[TOOK]"),
    (r"[0-9]+(\.[0-9]+)? (KiB|B)\b", "[SIZE]"),
    (r"sha256:[0-9a-f]{64}", "[DIGEST]"),
];

fn block<'a>(text: &'a str, language: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn the_session_in_the_document_is_what_a_shell_shows() {
    let text = std::fs::read_to_string(repository_root().join("docs/runs.md")).unwrap();
    let host = host().file("mirror.toml", block(&text, "toml"));
    Image::multi_arch(&["linux/amd64"], 1000).write_layout(&host.path("app"), "v1");
    let redact = |text: &str| {
        REDACTIONS.iter().fold(text.to_owned(), |text, (pattern, name)| {
            Regex::new(pattern).unwrap().replace_all(&text, *name).into_owned()
        })
    };
    let mut commands = 0;
    for part in block(&text, "console").split("$ windlass ").skip(1) {
        let (command, expected) = part.split_once('\n').unwrap();
        // The document's names for ids, and back.
        let ids = |host: &_| -> Vec<String> {
            let runs = listed(host, &[]);
            runs.iter().rev().map(|run| run["id"].as_str().unwrap().to_owned()).collect()
        };
        let mut command = command.to_owned();
        for (id, name) in ids(&host).iter().zip(NAMES) {
            command = command.replace(name, id);
        }
        let ran = host.run(&command.split(' ').collect::<Vec<_>>());
        let mut said = format!("{}{}", ran.stderr, ran.stdout);
        for (id, name) in ids(&host).iter().zip(NAMES) {
            // As people see it, or whole.
            let word = Regex::new(&format!(r"\b{}({})?\b", &id[..3], &id[3..])).unwrap();
            said = word.replace_all(&said, name).into_owned();
        }
        assert_eq!(redact(said.trim_end()), redact(expected.trim_end()), "{command}");
        commands += 1;
    }
    assert_eq!(commands, 4);
}
