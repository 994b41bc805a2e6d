//! A store with very many runs, and how long it takes to look one up.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::bench::measure::{self, Cost};
use crate::bench::table::{self, Summary, mebibytes, milliseconds};
use crate::binary;
use crate::repo::Repo;
use crate::shell::{self, For};
use crate::{files, plugins};

/// Runs in the store: at one every five minutes, a year.
const RUNS: usize = 100_000;
/// What looking at the newest may take, as a whole process.
const LIMIT: Duration = Duration::from_millis(50);

/// What is measured, and whether it is held against [`LIMIT`].
const CASES: [(&str, &[&str], bool); 7] = [
    ("windlass --version", &["--version"], false),
    ("windlass runs --last 20", &["runs", "--last", "20"], true),
    ("… --pipeline pipeline-7", &["runs", "--last", "20", "--pipeline", "pipeline-7"], false),
    ("… --status failed", &["runs", "--last", "20", "--status", "failed"], false),
    (
        "… --image localhost:5000/app-3",
        &["runs", "--last", "20", "--image", "localhost:5000/app-3"],
        false,
    ),
    ("… --since 30d", &["runs", "--last", "20", "--since", "30d"], false),
    (
        "windlass runs --last 100000 --format tsv",
        &["runs", "--last", "100000", "--format", "tsv"],
        false,
    ),
];

/// A run as there are many: three steps that say what they got.
const PIPELINE: &str = r#"schema = 1

[pipeline]
name = "template"

[[step]]
id = "base"
uses = "file:{ECHO}"
with = { source = "docker.io/library/node:22", target = "localhost:5000/base/node:22" }

[[step]]
id = "app"
uses = "file:{ECHO}"
with = { context = "app", tags = ["localhost:5000/app:{{ run.id }}"] }

[[step]]
id = "deploy"
uses = "file:{ECHO}"
with = { image = "{{ steps.app.outputs.tags[0] }}" }
"#;

/// Fills a store and measures; gives the tables.
pub(super) fn measure(repo: &Repo, windlass: &Path, rounds: usize) -> Result<String> {
    let folder = repo.root().join("target/bench/watch");
    std::fs::remove_dir_all(&folder).ok();
    let echo = plugins::guest(repo, "echo");
    let file = folder.join("template.toml");
    files::write(&file, PIPELINE.replace("{ECHO}", &echo.display().to_string()).as_bytes())?;
    let call = |arguments: &[&str]| {
        let mut command = binary::at_home(windlass, &folder);
        command.args(arguments).current_dir(&folder);
        command
    };
    shell::run(&mut call(&["run", "template.toml", "--quiet"]))?;
    let mut multiply = shell::cargo(repo, For::Host);
    multiply.args(["run", "--quiet", "--release", "--package", "windlass-record"]);
    multiply.args(["--example", "multiply", "--"]).arg(folder.join("state"));
    shell::run(multiply.arg(RUNS.to_string())).context("the store was not filled")?;
    let mut commands: Vec<(Command, Vec<Cost>)> =
        CASES.iter().map(|(_, arguments, _)| (call(arguments), Vec::new())).collect();
    for round in 0..=rounds {
        eprint!("\rround {round} of {rounds} ");
        for (command, costs) in &mut commands {
            let cost = measure::once(command, None, &[])?;
            // The first round fills the kernel's cache.
            if round > 0 {
                costs.push(cost);
            }
        }
    }
    eprintln!();
    let size = std::fs::metadata(folder.join("state/runs.sqlite"))?.len();
    let sums: Vec<Summary> = commands.iter().map(|(_, costs)| Summary::of(costs)).collect();
    Ok(format!("{} {}", table::machine(rounds), report(&sums, size)))
}

fn report(sums: &[Summary], size: u64) -> String {
    let row = |((name, ..), sum): (&(&str, &[&str], bool), &Summary)| {
        let times = [sum.wall, sum.least, sum.cpu].map(milliseconds);
        let cells = [&[(*name).to_owned()][..], &times, &[mebibytes(sum.memory_kib)]];
        cells.concat()
    };
    let rows: Vec<Vec<String>> = CASES.iter().zip(sums).map(row).collect();
    let mut text = format!("{RUNS} runs in a store of {} MiB.\n\n", mebibytes(size / 1024));
    let head = ["command", "wall ms", "least ms", "CPU ms", "peak MiB"];
    text += &table::markdown(&head, &rows);
    let held = |((name, _, is_held), sum): (&(&str, &[&str], bool), &Summary)| {
        is_held.then(|| {
            let wanted = format!("< {} ms", milliseconds(LIMIT));
            let is = if sum.wall < LIMIT { "yes" } else { "no" };
            vec![
                (*name).to_owned(),
                wanted,
                format!("{} ms", milliseconds(sum.wall)),
                is.to_owned(),
            ]
        })
    };
    let targets: Vec<Vec<String>> = CASES.iter().zip(sums).filter_map(held).collect();
    text += "\n";
    text += &table::markdown(&["target", "wanted", "measured", "held"], &targets);
    text
}
