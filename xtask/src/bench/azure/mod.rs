//! `cargo xtask bench azure`: what the commands of `az` cost, and the steps that do the same.
//!
//! Both speak to one emulated Azure, by the hosts' own names, each command as a whole process, one
//! after the other in each round. Requests are counted where they arrive. What the real az sent when
//! it was recorded stands beside what it sends here.

mod case;
mod cloud;
mod report;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use self::case::{CASES, Case};
use self::cloud::{Asked, Cloud};
use super::measure::{self, Cost};
use super::table;
use crate::binary::{self, Profile};
use crate::children::Children;
use crate::repo::Repo;
use crate::verify_az;

/// How often each command runs, unless told otherwise; and for a first look.
const ROUNDS: usize = 7;
const QUICK: usize = 2;

/// What is measured.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often each command runs
    #[arg(long, default_value_t = ROUNDS)]
    rounds: usize,
    /// A first look: two rounds, and write no document
    #[arg(long, conflicts_with = "rounds")]
    quick: bool,
    /// This az, instead of one that is fetched from PyPI into target/az
    #[arg(long, value_name = "PATH")]
    az: Option<PathBuf>,
    /// Measure this program instead of a release build, and write no document
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
}

/// A command, or the step that does the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Who {
    Az,
    Windlass,
}

/// One case, and what both came to.
struct Row {
    case: &'static Case,
    az: Vec<Measured>,
    windlass: Vec<Measured>,
}

/// One process, and what it asked.
struct Measured {
    cost: Cost,
    asked: Asked,
}

/// Measures, prints the tables, and writes them to docs/benchmarks.md if they are whole.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<()> {
    let rounds = if options.quick { QUICK } else { options.rounds.max(1) };
    let windlass = match &options.binary {
        Some(path) => std::path::absolute(path)?,
        None => binary::build(repo, Profile::Release)?,
    };
    let az = verify_az::program(repo, options.az.as_deref())?;
    let rows = measure(repo, &windlass, &az, rounds)?;
    let text = report::report(repo, &rows, &az, rounds)?;
    println!("{text}");
    if options.quick || options.binary.is_some() {
        return Ok(());
    }
    table::insert(&repo.root().join("docs/benchmarks.md"), "bench azure", &text)
}

fn measure(repo: &Repo, windlass: &Path, az: &Path, rounds: usize) -> Result<Vec<Row>> {
    let children = Children::new(repo.root().join("target/bench/azure"))?;
    let cloud = Cloud::start(windlass, az, &children)?;
    let mut rows: Vec<Row> =
        CASES.iter().map(|case| Row { case, az: Vec::new(), windlass: Vec::new() }).collect();
    for round in 0..=rounds {
        eprint!("\rround {round} of {rounds} ");
        for row in &mut rows {
            // Who is first takes turns.
            let mut both = [Who::Az, Who::Windlass];
            both.rotate_left(round % 2);
            for who in both {
                let measured = one(&cloud, row.case, who, round)
                    .with_context(|| format!("{}: {who:?}", row.case.what))?;
                // The first round fills caches, ours and the kernel's.
                match who {
                    _ if round == 0 => {}
                    Who::Az => row.az.push(measured),
                    Who::Windlass => row.windlass.push(measured),
                }
            }
        }
    }
    eprintln!();
    Ok(rows)
}

fn one(cloud: &Cloud, case: &Case, who: Who, round: usize) -> Result<Measured> {
    // Names that nobody has used: what is there already costs otherwise.
    let name = match who {
        Who::Az => format!("a{round}"),
        Who::Windlass => format!("w{round}"),
    };
    let command = match who {
        Who::Az => cloud.az(&case.commands.replace("{n}", &name)),
        Who::Windlass => {
            let text = format!("{}{}", case::HEAD, case.steps).replace("{n}", &name);
            cloud.windlass(&text)?
        }
    };
    let mark = cloud.mark()?;
    let cost = measure::once(&command, None, &[])?;
    Ok(Measured { cost, asked: cloud.since(mark)? })
}
