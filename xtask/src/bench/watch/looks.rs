//! Ten thousand images on three registries, looked at; and fifty of them, beside skopeo.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::few::{self, Peer, Programs};
use super::images::{Images, MOVED, REGISTRIES};
use super::report;
use crate::bench::measure::{self, Cost};
use crate::bench::place::{Place, Program, Work};
use crate::children::Children;
use crate::repo::Repo;
use crate::{binary, files, plugins, shell, tools};

/// What is looked at, and by whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Case {
    /// All images; nothing is known of them yet.
    First,
    /// All images, and none has moved.
    Unchanged,
    /// All images, and some have moved: the pipeline runs once for each registry.
    Moved,
    /// The few, by us; none has moved.
    Few,
    /// The few, by somebody else.
    Peer(Peer),
}

/// One row of the table.
pub(super) struct Row {
    /// What serves the images.
    pub(super) registry: &'static str,
    pub(super) case: Case,
    pub(super) looks: Vec<Look>,
}

/// One process.
pub(super) struct Look {
    pub(super) cost: Cost,
    /// What all registries did meanwhile.
    pub(super) work: Work,
}

/// Three registries of one kind, and who looks at what is in them.
struct Bench<'a> {
    windlass: &'a Path,
    folder: PathBuf,
    images: Images,
    few: Vec<String>,
    programs: &'a Programs,
}

/// Fills the registries and measures; gives the tables.
pub(super) fn measure(repo: &Repo, windlass: &Path, rounds: usize) -> Result<String> {
    let children = Children::new(repo.root().join("target/bench/looks"))?;
    let programs = Programs::find(&children.folder())?;
    let mut kinds = vec![(OWN, Program::Own(windlass.to_owned()))];
    kinds.extend(tools::find(DOCKER).map(|path| (DOCKER, Program::Docker(path))));
    let mut all = Vec::new();
    for (registry, program) in kinds {
        let name = registry.replace(' ', "-");
        let kept = repo.root().join("target/bench/watch-source").join(&name);
        let places = (0..REGISTRIES)
            .map(|index| Place::start(program.clone(), &kept.join(index.to_string()), &children))
            .collect::<Result<Vec<_>>>()?;
        let images = Images(places);
        images.fill(&kept)?;
        // As they were before a benchmark that was broken off, or is over.
        images.move_some(0)?;
        let few = images.some(few::COUNT)?;
        let folder = children.folder().join(name);
        let bench = Bench { windlass, folder, images, few, programs: &programs };
        bench.write_pipelines(&plugins::guest(repo, "noop"))?;
        let own = [Case::First, Case::Unchanged, Case::Moved, Case::Few];
        let cases = own.into_iter().chain(programs.peers().into_iter().map(Case::Peer));
        let rows = cases.map(|case| Row { registry, case, looks: Vec::new() });
        all.push((bench, rows.collect::<Vec<_>>()));
    }
    for round in 0..=rounds {
        eprint!("\rround {round} of {rounds} ");
        for (bench, rows) in &mut all {
            bench.forget(MANY)?;
            for row in rows {
                let look =
                    bench.look(row.case, round).with_context(|| format!("{:?}", row.case))?;
                // The first round fills caches, ours and the kernel's, and arms the few.
                if round > 0 {
                    row.looks.push(look);
                }
            }
        }
    }
    eprintln!();
    let rows: Vec<Row> = all.into_iter().flat_map(|(_, rows)| rows).collect();
    report::report(&rows, &programs, rounds)
}

/// What serves the images.
const OWN: &str = "windlass registry serve";
const DOCKER: &str = "docker-registry";

/// The two pipelines, and their homes.
const MANY: &str = "many";
const FEW: &str = "few";

impl Bench<'_> {
    fn write_pipelines(&self, noop: &Path) -> Result<()> {
        let many: Vec<Vec<String>> =
            (0..REGISTRIES).map(|index| self.images.of(index)).collect::<Result<_>>()?;
        for (name, triggers) in [(MANY, many), (FEW, vec![self.few.clone()])] {
            let mut text = format!("schema = 1\n\n[pipeline]\nname = \"{name}\"\n");
            for images in triggers {
                let images = serde_json::to_string(&images)?;
                write!(text, "\n[[on.image-update]]\nevery = \"5m\"\nimages = {images}\n")?;
            }
            write!(text, "\n[[step]]\nid = \"noop\"\nuses = \"file:{}\"\n", noop.display())?;
            files::write(&self.folder.join(name).join("p.toml"), text.as_bytes())?;
        }
        Ok(())
    }

    /// Lets go of what was seen.
    fn forget(&self, name: &str) -> Result<()> {
        let state = self.folder.join(name).join("state");
        if state.exists() {
            std::fs::remove_dir_all(&state).with_context(|| format!("{}", state.display()))?;
        }
        Ok(())
    }

    fn windlass(&self, name: &str, arguments: &[&str]) -> Command {
        let folder = self.folder.join(name);
        let mut command = binary::at_home(self.windlass, &folder);
        command.current_dir(folder).args(arguments);
        command
    }

    fn look(&self, case: Case, round: usize) -> Result<Look> {
        let watch = |name| self.windlass(name, &["watch", "p.toml", "--once", "--quiet"]);
        if case == Case::Moved {
            self.images.move_some(round + 1)?;
        }
        let call = match case {
            Case::First | Case::Unchanged | Case::Moved => watch(MANY),
            Case::Few => watch(FEW),
            Case::Peer(peer) => self.programs.call(peer, &self.few)?,
        };
        let marks = self.images.0.iter().map(Place::mark).collect::<Result<Vec<_>>>()?;
        let cost = measure::once(&call, None, &[])?;
        let mut work = Work::default();
        for (place, mark) in self.images.0.iter().zip(&marks) {
            work.add(&place.since(mark)?);
        }
        match case {
            Case::First | Case::Unchanged => self.check(MANY, &[])?,
            Case::Moved => self.check(MANY, &self.images.moved(round + 1)?)?,
            Case::Few => self.check(FEW, &[])?,
            Case::Peer(_) => {}
        }
        Ok(Look { cost, work })
    }

    /// Whether runs have been started for `moved`, and for nothing else: nobody is fast by looking
    /// away.
    fn check(&self, name: &str, moved: &[(String, String)]) -> Result<()> {
        let list = shell::capture(&mut self.windlass(name, &["runs", "--format", "json"]))?;
        let runs: Value = serde_json::from_str(&list).context("the runs are not JSON")?;
        let runs = runs.as_array().context("the runs are no list")?;
        let text = |image: &Value, key: &str| image.get(key)?.as_str().map(str::to_owned);
        let mut told: Vec<(String, String)> = runs
            .iter()
            .filter_map(|run| run.pointer("/cause/images")?.as_array())
            .flatten()
            .filter_map(|image| Some((text(image, "image")?, text(image, "new")?)))
            .collect();
        told.sort();
        let mut wanted = moved.to_vec();
        wanted.sort();
        ensure!(told == wanted, "runs were started for {told:?}, and not for {wanted:?}");
        let has_run = runs.iter().all(|run| run.get("status").is_some_and(|it| it == "succeeded"));
        ensure!(has_run, "a run that was started has not succeeded");
        ensure!(moved.is_empty() || moved.len() == MOVED, "others have moved");
        Ok(())
    }
}
