//! What is written for people is true.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::json;
use support::{Access, DockerRegistry, Image, Skopeo, TestHost, push_with_skopeo, repository_root};

use crate::host;

fn read(path: &str) -> String {
    std::fs::read_to_string(repository_root().join(path)).unwrap()
}

/// The files of `folder` that end with `.extension`, relative to the clone.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(repository_root().join(folder)).unwrap();
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    found.sort();
    found
}

/// A world with a copy of all example pipelines.
fn host_with_examples() -> (TestHost, BTreeSet<String>) {
    let host = host();
    let mut names = BTreeSet::new();
    for path in files("pipelines", "toml") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        host.write(&name, std::fs::read(path).unwrap());
        names.insert(name);
    }
    (host, names)
}

#[test]
fn every_example_passes_check() {
    let (host, names) = host_with_examples();
    for name in &names {
        host.run(&["check", name]).exits(0);
        host.run(&["plan", name]).exits(0);
    }
    assert!(names.len() >= 3);
}

#[test]
fn every_example_of_azure_passes_check() {
    let found = files("pipelines/azure", "toml");
    assert!(!found.is_empty());
    for path in found {
        let host = host();
        host.write("p.toml", std::fs::read(&path).unwrap());
        host.run(&["check", "p.toml"]).exits(0);
        host.run(&["plan", "p.toml"]).exits(0);
    }
}

/// The example that builds an image.
const BUILT: &str = "build.toml";

/// The example that deploys to Azure: it needs more than registries.
const DEPLOYED: &str = "deploy.toml";

/// The example that builds an image again if its base has changed.
const WATCHED: &str = "watch.toml";

/// The example that makes secrets.
const SECRETS: &str = "secrets.toml";

#[test]
fn every_example_runs_with_registries_of_this_machine() {
    let image = Image::multi_arch(&["linux/amd64", "linux/arm64"], 1000);
    let source = DockerRegistry::start(Access::Anonymous);
    let target = DockerRegistry::start(Access::Anonymous);
    let (from, to) = (source.address(), target.address());
    for name in ["app:v1", "base/alpine:3.20", "base/node:22", "tags:3.20", "tags:2.0"] {
        push_with_skopeo(&image, &source, Access::Anonymous, name);
    }
    let app = format!("source={from}/app:v1");
    // Inputs for each, and what must be there afterwards.
    let digest = format!("digest={}", image.digest());
    let examples = BTreeMap::from([
        ("archive.toml", (vec![app.clone(), format!("target={to}/archive:v1")], "archive:v1")),
        (
            "import-signed.toml",
            (vec![app.clone(), digest, format!("target={to}/signed:v1")], "signed:v1"),
        ),
        (
            "mirror-tags.toml",
            (vec![format!("source={from}/tags"), format!("target={to}/tags")], "tags:3.20"),
        ),
        (
            BUILT,
            (
                vec![format!("base={from}/base/alpine:3.20"), format!("target={to}/hello")],
                "hello:v1",
            ),
        ),
        ("import.toml", (vec![app.clone(), format!("target={to}/import:v1")], "import:v1")),
        ("offline-bundle.toml", (vec![app, format!("target={to}/bundle:v1")], "bundle:v1")),
        (
            "private-registry.toml",
            (
                vec![format!("registry={from}"), format!("target={to}/mirror")],
                "mirror/base/node:22",
            ),
        ),
        (SECRETS, (Vec::new(), "")),
        (
            WATCHED,
            (
                vec![format!("base={from}/base/alpine:3.20"), format!("target={to}/watched")],
                "watched:latest",
            ),
        ),
    ]);
    let (host, mut names) = host_with_examples();
    assert!(names.remove(DEPLOYED));
    assert_eq!(names, examples.keys().map(|name| (*name).to_owned()).collect());
    for (name, (inputs, written)) in &examples {
        let mut arguments = vec!["run", name];
        for input in inputs {
            arguments.extend(["--input", input]);
        }
        host.run(&arguments).exits(0);
        if *name == BUILT {
            // What it makes is another image than what went in.
            assert_eq!(Skopeo::new().tags(&format!("docker://{to}/hello")).len(), 2);
            continue;
        }
        if *name == SECRETS {
            // The first run has made one; the second leaves it alone.
            arguments.extend(["--format", "json"]);
            let again = host.run(&arguments);
            again.exits(0);
            assert_eq!(again.finished("local")["outputs"]["changed"], false);
            assert_eq!(again.finished("pull")["outcome"], "skipped");
            continue;
        }
        if *name == WATCHED {
            // It has built; with nothing changed it does not.
            assert_eq!(Skopeo::new().tags(&format!("docker://{to}/watched")), ["latest"]);
            arguments.extend(["--format", "json"]);
            let again = host.run(&arguments);
            again.exits(0);
            assert_eq!(again.finished("watch")["outputs"]["requests"], json!({ "HEAD": 1 }));
            assert_eq!(again.finished("app")["outcome"], "skipped");
            continue;
        }
        let found = Skopeo::new().digest(&format!("docker://{to}/{written}"));
        assert_eq!(found, image.digest(), "{name}");
    }
}

#[test]
fn every_pipeline_in_the_documents_passes_check() {
    let guest = TestHost::guest("echo");
    let mut checked = 0;
    let documents = files(".", "md").into_iter().chain(files("docs", "md"));
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        for block in blocks(&text, "toml") {
            if !block.starts_with("schema = ") && !block.starts_with("#:schema") {
                continue;
            }
            let host = host().file("block.toml", block);
            // Stands in for the plugin that a reader has just built: it takes any inputs.
            std::fs::copy(guest.trim_start_matches("file:"), host.path("greet.wasm")).unwrap();
            let ran = host.run(&["check", "block.toml"]);
            assert_eq!(ran.code, Some(0), "{}\n{}", document.display(), ran.account());
            checked += 1;
        }
    }
    assert!(checked >= 3, "{checked} blocks were found");
}

/// The fenced blocks of one language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_exit_codes_of_the_readme_are_those_of_help() {
    let help = host().run(&["--help"]);
    let (_, table) = help.exits(0).stdout.split_once("Exit codes:\n").unwrap();
    let of_help: Vec<(String, String)> = table
        .lines()
        .filter_map(|line| line.trim().split_once(' '))
        .map(|(code, meaning)| (code.to_owned(), meaning.trim().to_owned()))
        .collect();
    let readme = read("README.md");
    let (_, table) = readme.split_once("| exit code | meaning |\n|---|---|\n").unwrap();
    let of_readme: Vec<(String, String)> = table
        .lines()
        .map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "))
        .map(|(code, meaning)| (code.to_owned(), meaning.to_owned()))
        .collect();
    assert_eq!(of_readme, of_help);
    assert!(of_help.len() >= 10);
}

#[test]
fn the_commands_of_the_readme_are_those_of_help() {
    let help = host().run(&["--help"]);
    let (_, commands) = help.exits(0).stdout.split_once("Commands:\n").unwrap();
    let names: BTreeSet<&str> = commands
        .lines()
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    let readme = read("README.md");
    for name in &names {
        assert!(readme.contains(&format!("| `windlass {name}")), "{name} is not in README.md");
    }
    assert!(names.len() >= 8, "{names:?}");
}

#[test]
fn every_interface_has_a_line_in_the_table_of_grants() {
    let readme = read("README.md");
    let mut interfaces = BTreeSet::new();
    for folder in std::fs::read_dir(repository_root().join("wit/deps")).unwrap() {
        let folder = folder.unwrap().path();
        let package = folder.file_name().unwrap().to_string_lossy().into_owned();
        if package == "types" {
            continue;
        }
        for file in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let names = text.lines().filter_map(|line| line.strip_prefix("interface "));
            interfaces.extend(
                names.map(|rest| format!("windlass:{package}/{}", rest.trim_end_matches(" {"))),
            );
        }
    }
    for interface in &interfaces {
        assert!(readme.contains(&format!("[`{interface}`]")), "{interface} is not in README.md");
    }
    assert!(interfaces.len() >= 7, "{interfaces:?}");
}

#[test]
fn links_of_the_documents_lead_to_files() {
    let documents = files(".", "md").into_iter().chain(files("docs", "md"));
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.starts_with('#') {
                continue;
            }
            let target = document.parent().unwrap().join(link.split('#').next().unwrap());
            assert!(target.exists(), "{} links to {link}", document.display());
        }
    }
}

#[test]
fn the_first_plugin_of_the_readme_is_a_guest_that_is_built() {
    let readme = read("README.md");
    let [plugin] = &blocks(&readme, "rust")[..] else { panic!("one block of Rust is expected") };
    assert_eq!(*plugin, read("tests/guests/greet/src/lib.rs"));
    let host = host().file("greet.toml", {
        let pipelines = blocks(&readme, "toml");
        pipelines.into_iter().find(|block| block.contains("greet.wasm")).unwrap()
    });
    let guest = TestHost::guest("greet");
    std::fs::copy(guest.trim_start_matches("file:"), host.path("greet.wasm")).unwrap();
    host.run(&["run", "greet.toml"]).exits(0).stderr_says(&["hello, world"]);
}
