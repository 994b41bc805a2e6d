//! A stage, step by step.

use std::sync::Arc;

use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::expand::{Expanded, Lexer};
use crate::file::Dockerfile;
use crate::instruction::Instruction;
use crate::lint::{Rule, Warnings};
use crate::origin::Names;
use crate::plan::{HIDDEN_ARGUMENTS, Options, Plan};
use crate::problem::unexpandable;
use crate::step::Step;
use crate::suggest::closest;
use crate::variables::Variables;
use crate::word::Word;

mod copy;
mod host;
mod metadata;
mod run;
mod shell;

/// What a stage starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// `FROM scratch`
    Scratch,
    /// An image, with what its config says.
    Image(Config),
    /// An earlier stage, as it ended.
    Stage(StageEnd),
}

/// What a stage leaves behind, apart from its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageEnd {
    /// The config of its image.
    pub config: Config,
    /// Variables while building: those of the config and the arguments.
    env: Variables,
    /// Arguments declared, in order; those without a value too.
    args: Vec<(String, Option<String>)>,
    /// Whether the file, and not the base image, has set a `WORKDIR`.
    has_workdir: bool,
}

/// A stage being done: an iterator of [`Step`]s.
///
/// Words are expanded when a step is asked for, with what the steps before it have set. The first
/// error ends it.
#[derive(Clone, Debug)]
pub struct StageRun {
    file: Arc<Dockerfile>,
    options: Options,
    names: Names,
    globals: Variables,
    stage: usize,
    triggers: Arc<[Instruction]>,
    /// Which instruction is next, triggers first.
    next: usize,
    /// Whether the stage itself has a `CMD` so far.
    has_cmd: bool,
    /// Bytes that words have been expanded to so far.
    expanded: usize,
    state: StageEnd,
    warnings: Warnings,
}

/// 16 MiB: all words of a stage together; one word is limited by
/// [`MAX_EXPANDED`](crate::expand::MAX_EXPANDED).
const MAX_STAGE: usize = 16 << 20;

/// Where programs are looked up if the base does not say: as in BuildKit.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl StageRun {
    /// Starts stage `index` of the plan from its base.
    ///
    /// The `OnBuild` of a base image is not looked at here but in [`Plan::add_triggers`].
    pub fn new(plan: &Plan, index: usize, base: Base) -> Self {
        let planned = plan.stages().get(index);
        let mut state = match base {
            Base::Scratch => StageEnd::default(),
            Base::Stage(end) => end,
            Base::Image(config) => StageEnd { config, ..StageEnd::default() },
        };
        state.config.on_build.clear();
        let is_windows = planned.is_some_and(|stage| stage.platform.os == "windows");
        if state.config.variable("PATH").is_none() && !is_windows {
            state.config.env.push(("PATH".to_owned(), DEFAULT_PATH.to_owned()));
        }
        for (name, value) in &state.config.env {
            state.env.set(name, value);
        }
        if !state.config.working_dir.is_empty() {
            state.config.working_dir = crate::path::join("/", &state.config.working_dir);
        }
        Self {
            file: Arc::clone(&plan.file),
            options: plan.options.clone(),
            names: plan.names.clone(),
            globals: plan.globals.clone(),
            stage: index,
            triggers: planned.map(|stage| Arc::clone(&stage.triggers)).unwrap_or_default(),
            next: 0,
            has_cmd: false,
            expanded: 0,
            state,
            warnings: Warnings::new(&plan.file.directives.check),
        }
    }

    /// The config as the steps so far have made it.
    pub const fn config(&self) -> &Config {
        &self.state.config
    }

    /// Lint warnings of the steps so far, in order.
    pub fn warnings(&self) -> &[Diagnostic] {
        self.warnings.as_slice()
    }

    /// What the stage leaves behind: call it once the iterator is at its end.
    pub fn finish(self) -> StageEnd {
        self.state
    }

    /// The directory of the moment.
    fn working_dir(&self) -> &str {
        match self.state.config.working_dir.as_str() {
            "" => "/",
            path => path,
        }
    }

    /// A word with the variables of the moment.
    fn expand(&mut self, word: &Word) -> Result<String, Diagnostic> {
        self.expand_with(Lexer::new(self.file.directives.escape), word)
            .map(|expanded| expanded.text)
    }

    fn expand_all(&mut self, words: &[Word]) -> Result<Vec<String>, Diagnostic> {
        words.iter().map(|word| self.expand(word)).collect()
    }

    fn expand_maybe(&mut self, word: Option<&Word>) -> Result<Option<String>, Diagnostic> {
        let expanded = word.map(|word| self.expand(word)).transpose()?;
        Ok(expanded.filter(|text| !text.is_empty()))
    }

    fn expand_with(&mut self, lexer: Lexer, word: &Word) -> Result<Expanded, Diagnostic> {
        let expanded =
            lexer.expand(&word.text, &self.state.env).map_err(|error| unexpandable(word, error))?;
        self.expanded += expanded.text.len();
        if self.expanded > MAX_STAGE {
            let message = format!("stage expands to more than {} MiB", MAX_STAGE >> 20);
            return Err(Diagnostic::error(word.span, message));
        }
        self.warn_undefined(word, &expanded);
        Ok(expanded)
    }

    fn warn_undefined(&mut self, word: &Word, expanded: &Expanded) {
        for name in &expanded.unmatched {
            let is_declared = self.state.args.iter().any(|(known, _)| *known == name.text);
            if is_declared || HIDDEN_ARGUMENTS.contains(&name.text.as_str()) {
                continue;
            }
            let message = format!("variable `${}` is not defined", name.text);
            let help = match closest(&name.text, self.state.env.names()) {
                Some(near) => format!("did you mean `${near}`?"),
                None => format!("write `ARG {}` or `ENV` before it", name.text),
            };
            let span = word.part(name.span.start, name.span.end);
            self.warnings.warn_once(Rule::UndefinedVar, span, &name.text, message, help);
        }
    }
}

impl Iterator for StageRun {
    type Item = Result<Step, Diagnostic>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.next;
        self.next = self.next.saturating_add(1);
        let (file, triggers) = (Arc::clone(&self.file), Arc::clone(&self.triggers));
        let own = || {
            let stage = file.stages.get(self.stage)?;
            stage.instructions.get(index.checked_sub(triggers.len())?)
        };
        let instruction = triggers.get(index).or_else(own)?;
        self.warnings.enter(instruction);
        let step = self.step(instruction, index < triggers.len());
        if step.is_err() {
            self.next = usize::MAX;
        }
        Some(step)
    }
}

#[cfg(test)]
mod tests;
