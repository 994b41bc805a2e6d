//! `cargo xtask bench watch`: what it costs to keep runs and look them up, and to watch many images.
//!
//! Every command runs as a whole process, once per round, and the rounds are interleaved. What is
//! asked of registries is counted in their own logs.

mod few;
mod images;
mod looks;
mod report;
mod runs;

use std::path::PathBuf;

use anyhow::Result;

use super::table;
use crate::binary::{self, Profile};
use crate::repo::Repo;

/// How often each command runs, unless told otherwise; and for a first look.
const ROUNDS: usize = 11;
const QUICK: usize = 3;

/// What is measured.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often each command runs
    #[arg(long, default_value_t = ROUNDS)]
    rounds: usize,
    /// A first look: three rounds, and write no document
    #[arg(long, conflicts_with = "rounds")]
    quick: bool,
    /// Only this part; its table alone is written
    #[arg(long, value_name = "PART")]
    only: Option<Part>,
    /// Measure this program instead of a release build, and write no document
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
}

/// A part with a table of its own.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Runs that are looked up
    Runs,
    /// Images that are watched
    Looks,
}

impl Part {
    /// What its table stands between in the document.
    fn mark(self) -> &'static str {
        match self {
            Self::Runs => "bench watch runs",
            Self::Looks => "bench watch looks",
        }
    }
}

/// Measures, prints the tables, and writes them to docs/benchmarks.md if they are whole.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<()> {
    let rounds = if options.quick { QUICK } else { options.rounds.max(1) };
    let windlass = match &options.binary {
        Some(path) => std::path::absolute(path)?,
        None => binary::build(repo, Profile::Release)?,
    };
    for part in [Part::Runs, Part::Looks] {
        if options.only.is_some_and(|only| only != part) {
            continue;
        }
        let text = match part {
            Part::Runs => runs::measure(repo, &windlass, rounds)?,
            Part::Looks => looks::measure(repo, &windlass, rounds)?,
        };
        println!("{text}");
        if !options.quick && options.binary.is_none() {
            table::insert(&repo.root().join("docs/benchmarks.md"), part.mark(), &text)?;
        }
    }
    Ok(())
}
