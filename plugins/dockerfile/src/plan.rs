//! Which stages are built, from what, and in which order.

use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::file::Dockerfile;
use crate::instruction::{Command, Instruction};
use crate::origin::{Lost, Names};
use crate::parse::parse_trigger;
use crate::platform::Platform;
use crate::source::Span;
use crate::step::Origin;
use crate::suggest::closest;
use crate::variables::Variables;
use crate::word::Word;

mod arguments;
mod base;
mod reference;

pub(crate) use arguments::{HIDDEN_ARGUMENTS, is_proxy};
pub use reference::{Reference, Scope, Usage};

/// What is asked of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `--build-arg`; the last of a name counts.
    pub args: Vec<(String, String)>,
    /// Where the build runs.
    pub build_platform: Platform,
    /// What the image runs on.
    pub target_platform: Platform,
    /// A stage by name or index; the last one if not said.
    pub target: Option<String>,
}

/// A Dockerfile under the [`Options`] of one build: base references are expanded, stages are joined
/// by what they need, and those that nobody needs are left out.
///
/// ```text
/// Plan::new(file, options)?          stages, references
///   for each stage of plan.order(), in order:
///     if its base is an image: pull it; plan.add_triggers(stage, &config.on_build)?
///     StageRun::new(&plan, stage, base)   an iterator of steps
///     run.finish()                        the config, and the base of stages that build on it
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) file: Arc<Dockerfile>,
    pub(crate) options: Options,
    pub(crate) names: Names,
    /// Arguments before the first `FROM`, predefined ones included.
    pub(crate) globals: Variables,
    stages: Vec<PlannedStage>,
    target: usize,
    order: Vec<usize>,
    warnings: Vec<Diagnostic>,
}

/// A stage, its base known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedStage {
    /// Its place in the file, from 0.
    pub index: usize,
    /// Its name in lower case.
    pub name: Option<String>,
    /// Where `FROM` stands.
    pub span: Span,
    /// What it builds on.
    pub base: StageBase,
    /// What its base has to run on.
    pub platform: Platform,
    /// The stages that have to be built before it, its base included; sorted.
    pub needs: Vec<usize>,
    /// `ONBUILD` of its base: done before its own instructions.
    pub triggers: Arc<[Instruction]>,
}

/// What a stage builds on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StageBase {
    /// Nothing.
    Scratch,
    /// An earlier stage, by index.
    Stage(usize),
    /// An image: the reference as written, expanded.
    Image(String),
}

impl Plan {
    /// Joins the stages of `file` for one build.
    ///
    /// # Errors
    /// Every problem found: a base that is blank or no reference, a platform that is none, a stage
    /// that does not exist, comes too late or needs itself.
    pub fn new(file: Arc<Dockerfile>, options: Options) -> Result<Self, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let names = Names::new(&file.stages, file.directives.escape);
        let globals = arguments::globals(&file, &options, &mut problems);
        let (stages, warnings) = base::stages(&file, &options, &names, &globals, &mut problems);
        let target = target(&names, &options, file.stages.len(), &mut problems);
        let order = Vec::new();
        let mut plan = Self { file, options, names, globals, stages, target, order, warnings };
        let later = plan.find_needs(&mut problems);
        plan.order = plan.reachable();
        let is_built = |(stage, _): &(usize, Diagnostic)| plan.order.contains(stage);
        problems.extend(later.into_iter().filter(is_built).map(|(_, problem)| problem));
        if problems.is_empty() {
            return Ok(plan);
        }
        problems.sort_by_key(|problem| problem.span.start);
        Err(problems)
    }

    /// The file.
    pub fn file(&self) -> &Dockerfile {
        &self.file
    }

    /// What was asked for.
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// Every stage of the file, needed or not, by index.
    pub fn stages(&self) -> &[PlannedStage] {
        &self.stages
    }

    /// The stages to build, by index; what a stage needs comes before it.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// The stage whose image is the result.
    pub const fn target(&self) -> usize {
        self.target
    }

    /// Takes in the `OnBuild` of the image that `stage` builds on, which may need further stages
    /// and images: read [`Plan::order`] and [`Plan::references`] again. What was taken in for this
    /// stage before is replaced; of a stage that builds on a stage nothing is.
    ///
    /// # Errors
    /// Every problem of the triggers, at the stage's `FROM`.
    pub fn add_triggers(
        &mut self,
        stage: usize,
        on_build: &[String],
    ) -> Result<(), Vec<Diagnostic>> {
        let Some(planned) = self.stages.get_mut(stage) else { return Ok(()) };
        if !matches!(planned.base, StageBase::Image(_)) {
            return Ok(());
        }
        let (mut triggers, mut problems) = (Vec::new(), Vec::new());
        for text in on_build {
            match parse_trigger(text, planned.span) {
                Ok(trigger) => triggers.push(trigger),
                Err(found) => problems.extend(found),
            }
        }
        planned.triggers = triggers.into();
        let later = self.find_needs(&mut problems);
        self.order = self.reachable();
        let is_built = |(stage, _): &(usize, Diagnostic)| self.order.contains(stage);
        problems.extend(later.into_iter().filter(is_built).map(|(_, problem)| problem));
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// Lint warnings about `FROM` lines.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Triggers and instructions of a stage, in order.
    pub(crate) fn instructions(&self, stage: usize) -> impl Iterator<Item = &Instruction> {
        let triggers = self.stages.get(stage).map(|stage| stage.triggers.iter());
        let own = self.file.stages.get(stage).map(|stage| stage.instructions.iter());
        triggers.into_iter().flatten().chain(own.into_iter().flatten())
    }

    /// Finds what each stage needs; references to later stages are given back.
    fn find_needs(&mut self, problems: &mut Vec<Diagnostic>) -> Vec<(usize, Diagnostic)> {
        let mut later = Vec::new();
        for index in 0..self.stages.len() {
            let mut needs = Vec::new();
            if let Some(StageBase::Stage(base)) = self.stages.get(index).map(|stage| &stage.base) {
                needs.push(*base);
            }
            for (from, _) in self.instructions(index).flat_map(|found| froms(&found.command)) {
                match self.names.resolve(from, index) {
                    Ok(Origin::Stage(stage)) => needs.push(stage),
                    Ok(Origin::Empty | Origin::Context | Origin::Image(_)) => {}
                    Err(Lost::Wrong(problem)) => problems.push(problem),
                    Err(Lost::Later(problem)) => later.push((index, problem)),
                }
            }
            needs.sort_unstable();
            needs.dedup();
            if let Some(stage) = self.stages.get_mut(index) {
                stage.needs = needs;
            }
        }
        later
    }

    /// The target and what it needs; needs are always earlier, so the order of the file will do.
    fn reachable(&self) -> Vec<usize> {
        let mut wanted = vec![false; self.stages.len()];
        if let Some(wanted) = wanted.get_mut(self.target) {
            *wanted = true;
        }
        for stage in self.stages.iter().rev() {
            if wanted.get(stage.index) == Some(&true) {
                for need in &stage.needs {
                    if let Some(wanted) = wanted.get_mut(*need) {
                        *wanted = true;
                    }
                }
            }
        }
        wanted.iter().enumerate().filter(|(_, wanted)| **wanted).map(|(index, _)| index).collect()
    }
}

/// What an instruction takes files from, and what for.
fn froms(command: &Command) -> Vec<(&Word, Usage)> {
    if let Command::Copy(copy) = command {
        return copy.from.iter().map(|from| (from, Usage::Copy)).collect();
    }
    if let Command::Run(run) = command {
        let mounts = run.mounts.iter().filter_map(|mount| mount.from());
        return mounts
            .filter(|from| !from.text.is_empty())
            .map(|from| (from, Usage::Mount))
            .collect();
    }
    Vec::new()
}

/// The stage that is asked for, or the last one.
fn target(names: &Names, options: &Options, count: usize, problems: &mut Vec<Diagnostic>) -> usize {
    let last = count.saturating_sub(1);
    let Some(target) = &options.target else { return last };
    let by_index = || target.parse::<usize>().ok().filter(|index| *index < count);
    let found = names.before(usize::MAX, target).or_else(by_index);
    if found.is_none() {
        let message = format!("target stage `{target}` is not in the file");
        let near = closest(target, names.all());
        problems.push(Diagnostic::error(Span::default(), message).did_you_mean(near));
    }
    found.unwrap_or(last)
}

#[cfg(test)]
mod tests;
