//! The golden files of `tests/ui`: a pipeline beside what is said of it.
//!
//! `x.toml` stands beside `x.err` (everything that is said, as on a terminal without colours), or
//! beside `x.plan.json`, or beside both if there are warnings. A line `#~ input name=value` gives an
//! input, and `#~ repeat 9 line %` stands for so many numbered lines.
//! `SNAPSHOTS=overwrite` writes what is said now.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use report::{Diagnostic, Source, Style, render_diagnostic};

use crate::fixture::Fixture;
use crate::{Given, InputText, parse, plan};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/ui")
}

/// Files with this extension, in order.
fn files(extension: &str) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

fn given(text: &str) -> Given {
    let mut given = Given::default();
    for line in text.lines().filter_map(|line| line.strip_prefix("#~ ")) {
        match line.split_once(' ') {
            Some(("input", pair)) => {
                let (name, text) = pair.split_once('=').unwrap();
                let input = InputText { text: text.to_owned(), origin: format!("--input {pair}") };
                given.inputs.insert(name.to_owned(), input);
            }
            Some(("repeat", _)) => {}
            _ => panic!("unknown directive `{line}`"),
        }
    }
    given
}

/// The pipeline itself: lines that are to be repeated are.
fn expand(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix("#~ repeat ") {
        None => format!("{line}\n"),
        Some(rest) => {
            let (count, line) = rest.split_once(' ').unwrap();
            let count: usize = count.parse().unwrap();
            (0..count).map(|index| line.replace('%', &index.to_string()) + "\n").collect()
        }
    };
    text.lines().map(line).collect()
}

fn render(problems: &[Diagnostic]) -> String {
    let texts: Vec<String> =
        problems.iter().map(|problem| render_diagnostic(problem, Style::Plain)).collect();
    texts.join("\n\n") + "\n"
}

/// Compares `said` with the file, or writes it; the error says what differs.
fn compare(path: &Path, said: Option<String>) -> Result<(), String> {
    let Some(said) = said else {
        return if path.exists() {
            Err(format!("{} is out of place", path.display()))
        } else {
            Ok(())
        };
    };
    let expected = snapbox::Data::read_from(path, Some(snapbox::data::DataFormat::Text)).raw();
    let assert = snapbox::Assert::new().action_env(snapbox::assert::DEFAULT_ACTION_ENV);
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    assert.try_eq(Some(&name), said.into(), expected).map_err(|error| error.to_string())
}

#[test]
fn every_golden_file_says_what_is_beside_it() {
    let mut differences = Vec::new();
    for path in files("toml") {
        let text = fs_err::read_to_string(&path).unwrap();
        let source = Source::new(format!("{}.toml", stem(&path)), expand(&text));
        let planned = parse(&source).and_then(|pipeline| plan(&pipeline, &given(&text), &Fixture));
        let (said, json) = match planned {
            Ok(plan) => {
                let json = serde_json::to_string_pretty(&plan).unwrap() + "\n";
                ((!plan.warnings.is_empty()).then(|| render(&plan.warnings)), Some(json))
            }
            Err(problems) => (Some(render(&problems)), None),
        };
        differences.extend(compare(&path.with_extension("err"), said).err());
        differences.extend(compare(&path.with_extension("plan.json"), json).err());
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The constructors of `problem/`, each with the parts of its message that never change.
fn constructors() -> Vec<(String, Vec<String>)> {
    let sources = [
        include_str!("problem/file.rs"),
        include_str!("problem/identity.rs"),
        include_str!("problem/input.rs"),
        include_str!("problem/on.rs"),
        include_str!("problem/step.rs"),
        include_str!("problem/table.rs"),
        include_str!("problem/template.rs"),
    ];
    let functions = sources.iter().flat_map(|source| source.split("pub(crate) fn ").skip(1));
    functions
        .map(|function| {
            let name = function.split('(').next().unwrap().to_owned();
            let call = ["Diagnostic::error(", "Diagnostic::warning("]
                .iter()
                .find_map(|call| function.split_once(call))
                .unwrap();
            let message = call.1.split('"').nth(1).unwrap();
            let parts = message.split('{').enumerate().map(|(index, part)| {
                if index == 0 { part } else { part.split_once('}').unwrap().1 }
            });
            (name, parts.map(str::to_owned).collect())
        })
        .collect()
}

#[test]
fn every_problem_has_a_golden_file_of_its_name() {
    let constructors = constructors();
    assert!(constructors.len() > 40, "the constructors are no longer found");
    let mut missing = Vec::new();
    for (name, parts) in constructors {
        let said = fs_err::read_to_string(folder().join(format!("{name}.err"))).unwrap_or_default();
        let is_said = said.lines().any(|line| {
            let message = line.strip_prefix("error: ").or_else(|| line.strip_prefix("warning: "));
            message.is_some_and(|message| has_parts(message, &parts))
        });
        if !is_said {
            missing.push(name);
        }
    }
    assert_eq!(missing, [""; 0], "no tests/ui/NAME.err says it");
}

/// Whether `parts` occur in `text` in this order.
fn has_parts(text: &str, parts: &[String]) -> bool {
    let mut rest = text;
    parts.iter().all(|part| {
        let found = rest.find(part.as_str());
        rest = found.and_then(|at| rest.get(at + part.len()..)).unwrap_or_default();
        found.is_some()
    })
}

#[test]
fn every_expectation_belongs_to_a_pipeline() {
    let pipelines: BTreeSet<String> = files("toml").iter().map(|path| stem(path)).collect();
    for path in files("err").into_iter().chain(files("json")) {
        let name = stem(&path);
        let name = name.strip_suffix(".plan").unwrap_or(&name);
        assert!(pipelines.contains(name), "{} has no pipeline", path.display());
    }
}
