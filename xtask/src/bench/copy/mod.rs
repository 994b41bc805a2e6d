//! `cargo xtask bench copy`: images from registry to registry, beside skopeo, crane and oras.
//!
//! Every client runs as a whole process against the same registries on loopback, once per round and
//! case, and the rounds are interleaved: what else the machine does hits all alike. What a client
//! asks the registries is counted in their own logs, so the client cannot flatter itself; and every
//! copy is looked at afterwards, byte for byte, so nobody is fast by doing nothing.

mod case;
mod client;
pub(super) mod content;
mod report;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use self::case::{Before, Case};
use self::client::{Client, Job, Programs};
use super::measure::{self, Cost};
use super::place::{Place, Program, Work};
use super::table;
use crate::binary::{self, Profile};
use crate::children::Children;
use crate::repo::Repo;
use crate::{shell, tools};

/// How often each client does each case, unless told otherwise; and for a first look.
pub(crate) const ROUNDS: usize = 9;
const QUICK: usize = 3;

/// What is measured.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often each client does each case
    #[arg(long, default_value_t = ROUNDS)]
    rounds: usize,
    /// A first look: three rounds, and write no document
    #[arg(long, conflicts_with = "rounds")]
    quick: bool,
    /// Only this case; may be repeated; writes no document
    #[arg(long, value_name = "NAME")]
    case: Vec<String>,
    /// Measure this program instead of a release build, and write no document
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
}

/// What one client came to in one case.
struct Row {
    case: &'static Case,
    client: Client,
    runs: Vec<Run>,
}

/// One copy.
struct Run {
    cost: Cost,
    source: Work,
    target: Work,
}

/// The registries. The source keeps its images from run to run; the targets do not.
struct Places {
    source: Place,
    docker: Place,
    own: Place,
}

/// Measures, prints the table, and writes it to docs/benchmarks.md if it is a whole one.
pub(crate) fn run(repo: &Repo, options: &Options) -> Result<()> {
    let cases = chosen(&options.case)?;
    let rounds = if options.quick { QUICK } else { options.rounds.max(1) };
    let windlass = match &options.binary {
        Some(path) => std::path::absolute(path)?,
        None => binary::build(repo, Profile::Release)?,
    };
    let kept = repo.root().join("target/bench/copy-source");
    let children = Children::new(repo.root().join("target/bench/copy"))?;
    let programs = Programs::find(windlass.clone(), &children.folder())?;
    let mut places = Places::start(&windlass, &kept, &children)?;
    content::fill(&places.source, &kept)?;
    let mut rows = rows(&cases, &programs);
    for round in 0..=rounds {
        for case in &cases {
            eprint!("\rround {round} of {rounds}: {:<20}", case.name);
            let mut of_case: Vec<&mut Row> =
                rows.iter_mut().filter(|row| std::ptr::eq(row.case, *case)).collect();
            let first = round % of_case.len().max(1);
            of_case.rotate_left(first);
            for (number, row) in of_case.into_iter().enumerate() {
                if number == 0 || case.before == Before::Nothing {
                    places.prepare(case, &programs, &children)?;
                }
                let run = places.measure(case, row.client, &programs, round)?;
                // The first round fills caches, ours and the kernel's.
                if round > 0 {
                    row.runs.push(run);
                }
            }
        }
    }
    eprintln!();
    let text = report::report(&rows, &programs, rounds)?;
    drop(children);
    println!("{text}");
    let is_whole = !options.quick && options.case.is_empty() && options.binary.is_none();
    if !is_whole {
        return Ok(());
    }
    table::insert(&repo.root().join("docs/benchmarks.md"), "bench copy", &text)
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
        let clients = std::iter::once(Client::Windlass).chain(case.peers.iter().copied());
        let found = clients.filter(|client| programs.has(*client));
        rows.extend(found.map(|client| Row { case, client, runs: Vec::new() }));
    }
    rows
}

impl Places {
    fn start(windlass: &Path, kept: &Path, children: &Children) -> Result<Self> {
        let docker = tools::find("docker-registry").context(
            "there is no docker-registry to copy from and to; Debian: apt-get install docker-registry",
        )?;
        let docker = Program::Docker(docker);
        let own = Program::Own(windlass.to_owned());
        let folder = children.folder();
        Ok(Self {
            source: Place::start(docker.clone(), kept, children)?,
            docker: Place::start(docker, &folder.join("docker"), children)?,
            own: Place::start(own, &folder.join("own"), children)?,
        })
    }

    fn target(&mut self, case: &Case) -> &mut Place {
        if case.into_own { &mut self.own } else { &mut self.docker }
    }

    fn job<'a>(&'a self, case: &'a Case, repository: String) -> Job<'a> {
        let target = if case.into_own { &self.own } else { &self.docker };
        Job { case, source: &self.source, target, repository }
    }

    /// Brings the target into the state in which `case` finds it.
    fn prepare(&mut self, case: &Case, programs: &Programs, children: &Children) -> Result<()> {
        self.target(case).empty(children)?;
        programs.forget()?;
        match case.before {
            Before::Nothing => Ok(()),
            // By skopeo, so that it knows from its own memory what is there.
            Before::Image | Before::Elsewhere => {
                let job = self.job(case, case.repository.to_owned());
                shell::run(&mut programs.call(Client::Skopeo, &job)?)?;
                // Whoever comes first must not wait for what this wrote.
                shell::run(&mut Command::new("sync"))
            }
        }
    }

    fn measure(
        &self,
        case: &Case,
        client: Client,
        programs: &Programs,
        round: usize,
    ) -> Result<Run> {
        let job = self.job(case, case.target_repository(client, round));
        let call = programs.call(client, &job)?;
        let (source, target) = (job.source.mark()?, job.target.mark()?);
        let cost = measure::once(&call, None, &[])?;
        let run =
            Run { cost, source: job.source.since(&source)?, target: job.target.since(&target)? };
        if client.is_copier() {
            check(&job).with_context(|| format!("{} in the case {}", client.name(), case.name))?;
        }
        Ok(run)
    }
}

/// Whether the target has what the source has.
fn check(job: &Job<'_>) -> Result<()> {
    for tag in job.case.expected() {
        let wanted = job.source.registry.manifest(job.case.repository, &tag)?;
        let found = job.target.registry.manifest(&job.repository, &tag)?;
        ensure!(wanted == found, "{}:{tag} differs in the target", job.repository);
    }
    Ok(())
}
