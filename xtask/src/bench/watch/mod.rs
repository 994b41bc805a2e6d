//! `cargo xtask bench watch`: what it costs to keep runs and to look them up.
//!
//! Every command runs as a whole process, once per round, and the rounds are interleaved.

mod runs;

use std::path::PathBuf;

use anyhow::Result;

use super::table;
use crate::binary::{self, Profile};
use crate::repo::Repo;

/// How often each command runs, unless told otherwise; and for a first look.
const ROUNDS: usize = 21;
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
    /// Measure this program instead of a release build, and write no document
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
}

/// Measures, prints the tables, and writes them to docs/benchmarks.md if they are whole.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<()> {
    let rounds = if options.quick { QUICK } else { options.rounds.max(1) };
    let windlass = match &options.binary {
        Some(path) => std::path::absolute(path)?,
        None => binary::build(repo, Profile::Release)?,
    };
    let text = runs::measure(repo, &windlass, rounds)?;
    let text = format!("{}\n\n{text}", table::machine(rounds));
    println!("{text}");
    if options.quick || options.binary.is_some() {
        return Ok(());
    }
    table::insert(&repo.root().join("docs/benchmarks.md"), "bench watch", &text)
}
