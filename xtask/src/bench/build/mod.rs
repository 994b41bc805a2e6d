//! `cargo xtask bench build`: images built and pushed, beside buildah and BuildKit.
//!
//! Every builder runs as a whole process against the same registries on loopback, and the rounds are
//! interleaved: what else the machine does hits all alike. After each build the target is asked for
//! the image, so nobody is fast by doing nothing.

mod case;
mod client;
mod content;
mod docker;
mod report;

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use self::case::Case;
use self::client::{Client, Programs, State};
use super::measure::{self, Cost};
use super::place::{Place, Program};
use super::table;
use crate::binary::{self, Profile};
use crate::children::Children;
use crate::repo::Repo;
use crate::tools;

/// How often each builder builds each image, unless told otherwise; and for a first look.
const ROUNDS: usize = 9;
const QUICK: usize = 3;

/// What is measured.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often each builder builds each image
    #[arg(long, default_value_t = ROUNDS)]
    rounds: usize,
    /// A first look: three rounds, and write no document
    #[arg(long, conflicts_with = "rounds")]
    quick: bool,
    /// Only this case; may be repeated; writes no document
    #[arg(long, value_name = "NAME")]
    case: Vec<String>,
    /// Measure nobody else, and write no document
    #[arg(long)]
    alone: bool,
    /// Measure this program instead of a release build, and write no document
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
}

/// What one builder came to in one case.
struct Row {
    case: &'static Case,
    client: Client,
    state: State,
    costs: Vec<Cost>,
}

/// Measures, prints the tables, and writes them to docs/benchmarks.md if they are whole.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<()> {
    let cases = chosen(&options.case)?;
    let rounds = if options.quick { QUICK } else { options.rounds.max(1) };
    let windlass = match &options.binary {
        Some(path) => std::path::absolute(path)?,
        None => binary::build(repo, Profile::Release)?,
    };
    let kept = repo.root().join("target/bench/build-source");
    let children = Children::new(repo.root().join("target/bench/build"))?;
    let folder = children.folder();
    let registry = Program::Docker(tools::find("docker-registry").context(
        "there is no docker-registry to push to; Debian: apt-get install docker-registry",
    )?);
    let source = Place::start(registry.clone(), &kept.join("registry"), &children)?;
    let mut target = Place::start(registry, &folder.join("target"), &children)?;
    let base = content::push_base(&source, &folder.join("base"))?;
    for case in &cases {
        content::write_context(case, &base, &kept.join(case.name))?;
    }
    let programs = Programs::find(windlass, &folder, &kept, &base, &children, options.alone)?;
    let mut rows = rows(&cases, &programs);
    for round in 0..=rounds {
        for case in &cases {
            eprint!("\rround {round} of {rounds}: {:<20}", case.name);
            let mut of_case: Vec<&mut Row> =
                rows.iter_mut().filter(|row| std::ptr::eq(row.case, *case)).collect();
            // Each cold build is followed by the cached one of the same builder.
            let first = round % (of_case.len() / 2).max(1) * 2;
            of_case.rotate_left(first);
            for row in of_case {
                if row.state == State::Cold {
                    target.empty(&children)?;
                    programs.forget(row.client)?;
                }
                let call = programs.call(row.client, case, row.state, &target)?;
                let cost = measure::once(&call, None, Programs::around(row.client))?;
                check(case, &target)
                    .with_context(|| format!("{} in the case {}", row.client.label(), case.name))?;
                // The first round fills caches of the kernel.
                if round > 0 {
                    row.costs.push(cost);
                }
            }
        }
    }
    eprintln!();
    let text = report::report(&rows, &programs, rounds)?;
    drop(children);
    println!("{text}");
    let is_whole =
        !options.quick && !options.alone && options.case.is_empty() && options.binary.is_none();
    if !is_whole {
        return Ok(());
    }
    table::insert(&repo.root().join("docs/benchmarks.md"), "bench build", &text)
}

fn chosen(names: &[String]) -> Result<Vec<&'static Case>> {
    let known = || case::ALL.iter().map(|case| case.name).collect::<Vec<_>>().join(", ");
    for name in names {
        if !case::ALL.iter().any(|case| case.name == name) {
            bail!("there is no case `{name}`; the cases are {}", known());
        }
    }
    let is_chosen = |case: &&Case| names.is_empty() || names.iter().any(|name| name == case.name);
    Ok(case::ALL.iter().filter(is_chosen).collect())
}

fn rows(cases: &[&'static Case], programs: &Programs) -> Vec<Row> {
    let mut rows = Vec::new();
    for &case in cases {
        let found = Client::ALL.iter().filter(|client| programs.has(**client, case));
        for &client in found {
            for state in [State::Cold, State::Cached] {
                rows.push(Row { case, client, state, costs: Vec::new() });
            }
        }
    }
    rows
}

/// Whether the target has an image with the base's layer and those of `case`.
fn check(case: &Case, target: &Place) -> Result<()> {
    if !case.is_pushed {
        return Ok(());
    }
    let manifest = target.registry.manifest(&case.repository(), content::TAG)?;
    let manifest: Value = serde_json::from_slice(&manifest).context("no JSON")?;
    let layers = manifest.get("layers").and_then(Value::as_array).map(Vec::len);
    ensure!(layers == Some(case.layers() + 1), "the image has other layers than it should have");
    Ok(())
}
