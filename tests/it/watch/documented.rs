//! docs/watch.md shows what happens.

use regex::Regex;
use support::{Access, DockerRegistry, repository_root};

use super::{push, runs};
use crate::host;

/// What differs from time to time, and from registry to registry.
const REDACTIONS: [(&str, &str); 4] = [
    (r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z", "[TIME]"),
    (r"sha256:[0-9a-f]{12}", "[DIGEST]"),
    (r"---+", "---"),
    (r"  +", "  "),
];

#[test]
fn the_session_in_the_document_is_what_a_shell_shows() {
    let text = std::fs::read_to_string(repository_root().join("docs/watch.md")).unwrap();
    let registry = DockerRegistry::start(Access::Anonymous);
    let text = text.replace("localhost:5000", &registry.address());
    let (_, pipeline) = text.split_once("```toml\n").unwrap();
    let host = host().file("rebuild.toml", pipeline.split_once("```").unwrap().0);
    let redact = |text: &str| {
        REDACTIONS.iter().fold(text.trim_end().to_owned(), |text, (pattern, name)| {
            Regex::new(pattern).unwrap().replace_all(&text, *name).into_owned()
        })
    };
    let sessions: Vec<&str> = text.split("```console\n").skip(1).collect();
    assert_eq!(sessions.len(), 2);
    for (number, session) in sessions.iter().enumerate() {
        push(&registry, number);
        let (session, _) = session.split_once("```").unwrap();
        for part in session.split("$ windlass ").skip(1) {
            let (command, expected) = part.split_once('\n').unwrap();
            let ran = host.run(&command.split(' ').collect::<Vec<_>>());
            let mut said = format!("{}{}", ran.stderr, ran.stdout);
            if let Some(run) = runs(&host).first() {
                let short = &run["id"].as_str().unwrap()[..3];
                said = said.replace(&format!("\n{short} "), "\nda8 ");
            }
            assert_eq!(redact(&said), redact(expected), "{command}");
        }
    }
}
