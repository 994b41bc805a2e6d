//! `cargo xtask bench start`: what it costs to get going, beside make, just, mise and crun.
//!
//! Every contender runs as a whole process, once per round, and the rounds are interleaved: what
//! else the machine does hits all alike, so the ratios hold where the milliseconds do not.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::measure::{self, Cost};
use super::peers;
use super::table::{self, Summary, mebibytes, milliseconds};
use crate::binary::{self, Profile};
use crate::repo::Repo;
use crate::{files, plugins};

/// Steps of the short pipelines: one, and as many as a small real one has.
const FEW: &[usize] = &[1, 10];
/// Steps of the long pipeline.
const MANY: usize = 2000;
/// What windlass prints (as JSON lines) when it starts the first step.
const FIRST_STEP: &str = "\"step-started\"";

/// One row of the table.
struct Contender {
    name: String,
    steps: usize,
    command: Command,
    /// Emptied before each run.
    cold: Option<PathBuf>,
    /// What is started around it, uncounted.
    around: &'static [&'static str],
    line: Option<&'static str>,
    costs: Vec<Cost>,
}

/// Builds (or takes `binary`), measures `rounds` rounds, and writes the table to
/// docs/benchmarks.md; with a given binary, only prints it.
pub(crate) fn run(repo: &Repo, rounds: usize, binary: Option<&Path>) -> Result<()> {
    let windlass = match binary {
        Some(path) => std::path::absolute(path)?,
        None => binary::build(repo, Profile::Release)?,
    };
    let folder = repo.root().join("target/bench/start");
    std::fs::remove_dir_all(&folder).ok();
    let noop = plugins::guest(repo, "noop");
    let mut contenders = ours(&windlass, &noop, &folder)?;
    let (peers, absent) = peers::all(&folder)?;
    for peer in &peers {
        for &steps in FEW {
            let command = peer.call(steps)?;
            let mut contender = Contender::new(&peer.name, steps, command);
            contender.around = peer.around;
            contenders.push(contender);
        }
    }
    for round in 0..=rounds {
        eprint!("\rround {round} of {rounds} ");
        let first = round % contenders.len().max(1);
        contenders.rotate_left(first);
        for contender in &mut contenders {
            let cost = contender.measure()?;
            // The first round fills caches, ours and the kernel's.
            if round > 0 {
                contender.costs.push(cost);
            }
        }
        contenders.rotate_right(first);
    }
    eprintln!();
    let text = report(&contenders, &absent, rounds);
    println!("{text}");
    if binary.is_some() {
        return Ok(());
    }
    table::insert(&repo.root().join("docs/benchmarks.md"), "bench start", &text)
}

impl Contender {
    fn new(name: &str, steps: usize, command: Command) -> Self {
        let name = name.to_owned();
        Self { name, steps, command, cold: None, around: &[], line: None, costs: Vec::new() }
    }

    fn measure(&self) -> Result<Cost> {
        if let Some(cache) = &self.cold {
            std::fs::remove_dir_all(cache).ok();
        }
        measure::once(&self.command, self.line, self.around)
            .with_context(|| format!("{} with {} steps", self.name, self.steps))
    }
}

/// Our own rows: short pipelines with warm and cold cache, the long one, and the first step.
fn ours(windlass: &Path, noop: &Path, folder: &Path) -> Result<Vec<Contender>> {
    let mut all = Vec::new();
    let call = |steps: usize, cache: &str| -> Result<Command> {
        let file = folder.join(format!("noop-{steps}.toml"));
        files::write(&file, pipeline(noop, steps).as_bytes())?;
        let mut command = Command::new(windlass);
        command.current_dir(folder).arg("run").arg(&file);
        command.env("WINDLASS_CACHE_DIR", folder.join(cache));
        command.env("WINDLASS_STATE_DIR", folder.join("state"));
        command.env("WINDLASS_SECRETS_DIR", folder.join("secrets"));
        Ok(command)
    };
    for &steps in FEW {
        all.push(Contender::new("windlass run, warm cache", steps, call(steps, "warm")?));
        let mut cold = Contender::new("windlass run, cold cache", steps, call(steps, "cold")?);
        cold.cold = Some(folder.join("cold"));
        all.push(cold);
    }
    all.push(Contender::new("windlass run, warm cache", MANY, call(MANY, "warm")?));
    let mut first = call(1, "warm")?;
    first.args(["--format", "json"]);
    let mut first = Contender::new("windlass run --format json, warm cache", 1, first);
    first.line = Some(FIRST_STEP);
    all.push(first);
    Ok(all)
}

/// A pipeline of `steps` steps, one after the other, that do nothing.
fn pipeline(noop: &Path, steps: usize) -> String {
    let head = "schema = 1\n\n[pipeline]\nname = \"noop\"\n".to_owned();
    let steps = (1..=steps)
        .map(|step| format!("\n[[step]]\nid = \"s{step}\"\nuses = \"file:{}\"\n", noop.display()));
    std::iter::once(head).chain(steps).collect()
}

fn report(contenders: &[Contender], absent: &[String], rounds: usize) -> String {
    let sums: Vec<(&Contender, Summary)> =
        contenders.iter().map(|contender| (contender, Summary::of(&contender.costs))).collect();
    let find = |name: &str, steps: usize| {
        let found = sums.iter().find(|(c, _)| c.name.starts_with(name) && c.steps == steps);
        found.map(|(_, sum)| sum)
    };
    let rows: Vec<Vec<String>> = sums
        .iter()
        .map(|(contender, sum)| {
            let make = find("make", contender.steps);
            let ratio = make.map(|make| sum.wall.as_secs_f64() / make.wall.as_secs_f64());
            vec![
                contender.name.clone(),
                contender.steps.to_string(),
                milliseconds(sum.wall),
                milliseconds(sum.least),
                ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}")),
                milliseconds(sum.cpu),
                mebibytes(sum.memory_kib),
            ]
        })
        .collect();
    let head = ["what", "steps", "wall ms", "least ms", "× make", "CPU ms", "peak MiB"];
    let mut text = format!("{}\n\n", table::machine(rounds));
    text += &table::markdown(&head, &rows);
    text += "\n";
    text += &table::markdown(&["target", "wanted", "measured", "held"], &targets(&sums, &find));
    for line in absent {
        text.extend(["\n", line, "\n"]);
    }
    text
}

/// What we set out to reach, and whether we did.
fn targets<'a>(
    sums: &'a [(&Contender, Summary)],
    find: &dyn Fn(&str, usize) -> Option<&'a Summary>,
) -> Vec<Vec<String>> {
    let row = |what: &str, wanted: String, measured: String, held: bool| {
        vec![what.to_owned(), wanted, measured, if held { "yes" } else { "no" }.to_owned()]
    };
    let ms = |time: Duration| format!("{} ms", milliseconds(time));
    let mut rows = Vec::new();
    let ten = find("windlass run, warm", 10);
    let many = find("windlass run, warm", MANY);
    if let (Some(ten), Some(make)) = (ten, find("make", 10)) {
        let what = "10 no-op steps, warm, against 10 recipes of make";
        rows.push(row(what, format!("≤ {}", ms(make.wall)), ms(ten.wall), ten.wall <= make.wall));
    }
    if let Some(first) = sums.iter().find_map(|(_, sum)| sum.line) {
        let limit = Duration::from_millis(8);
        rows.push(row(
            "first step reached, warm",
            format!("< {}", ms(limit)),
            ms(first),
            first < limit,
        ));
    }
    if let (Some(ten), Some(many)) = (ten, many) {
        let further = many.wall.saturating_sub(ten.wall).as_secs_f64() * 1e6 / (MANY - 10) as f64;
        let what = "each further step in one process";
        rows.push(row(what, "≤ 100 µs".to_owned(), format!("{further:.0} µs"), further <= 100.0));
    }
    if let Some(many) = many {
        let limit = Duration::from_secs(1);
        let what = "2,000 no-op steps in one pipeline";
        rows.push(row(what, "< 1000 ms".to_owned(), ms(many.wall), many.wall < limit));
    }
    let ours = sums.iter().filter(|(contender, _)| contender.name.starts_with("windlass"));
    if let Some(peak) = ours.map(|(_, sum)| sum.memory_kib).max() {
        let measured = format!("{} MiB", mebibytes(peak));
        rows.push(row(
            "peak memory, all of ours",
            "< 60 MiB".to_owned(),
            measured,
            peak < 60 * 1024,
        ));
    }
    rows
}
