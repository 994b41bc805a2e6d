//! `cargo xtask ci`: everything that must hold before a change lands, cheapest first.
//!
//! All stages share one target folder and the dev profile: what clippy had to build (wasmtime, for
//! the build script that compiles plugins ahead of time), the tests use again. Generated files that
//! are not up to date are failing tests, so they have no stage of their own.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::plugins::Flavour;
use crate::repo::Repo;
use crate::shell::{self, For};
use crate::{deny, plugins, test};

struct Stage {
    name: &'static str,
    run: fn(&Repo) -> Result<()>,
}

const STAGES: &[Stage] = &[
    Stage { name: "format", run: format },
    Stage { name: "plugins", run: |repo| plugins::build(repo, Flavour::Release) },
    Stage { name: "deny", run: deny::check },
    Stage { name: "clippy", run: clippy },
    Stage { name: "docs", run: docs },
    Stage { name: "tests", run: |repo| test::all(repo, &[]) },
];

/// Runs the stages with these names, or all; says how long each took; stops at the first that
/// fails.
pub(crate) fn run(repo: &Repo, only: &[String]) -> Result<()> {
    if let Some(wrong) = only.iter().find(|name| STAGES.iter().all(|stage| stage.name != **name)) {
        let known = STAGES.iter().map(|stage| stage.name).collect::<Vec<_>>().join(", ");
        bail!("there is no stage `{wrong}`; the stages are: {known}");
    }
    let mut took: Vec<(&str, Duration)> = Vec::new();
    let mut result = Ok(());
    for stage in
        STAGES.iter().filter(|stage| only.is_empty() || only.iter().any(|o| o == stage.name))
    {
        eprintln!("── {} ──", stage.name);
        let start = Instant::now();
        result = (stage.run)(repo).with_context(|| {
            format!("stage {0} failed (this stage alone: cargo xtask ci {0})", stage.name)
        });
        took.push((stage.name, start.elapsed()));
        if result.is_err() {
            break;
        }
    }
    eprintln!("── seconds ──");
    for (name, time) in &took {
        eprintln!("{name:8} {:7.1}", time.as_secs_f64());
    }
    let total: Duration = took.iter().map(|(_, time)| *time).sum();
    eprintln!("{:8} {:7.1}", "all", total.as_secs_f64());
    result
}

fn format(repo: &Repo) -> Result<()> {
    let mut command = shell::cargo(repo, For::Host);
    shell::run(command.args(["fmt", "--all", "--check"]))
        .context("to put it right: cargo fmt --all")
}

fn clippy(repo: &Repo) -> Result<()> {
    let mut command = shell::cargo(repo, For::Host);
    command.args(["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    shell::run(&mut command)
}

fn docs(repo: &Repo) -> Result<()> {
    let mut command = shell::cargo(repo, For::Host);
    command.env("RUSTDOCFLAGS", "-D warnings");
    shell::run(command.args(["doc", "--locked", "--workspace", "--no-deps"]))
}
