//! A stage, step by step.

use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::plan::Plan;
use crate::step::Step;

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
}

/// A stage being done: an iterator of [`Step`]s.
///
/// Words are expanded when a step is asked for, with what the steps before it have set. The first
/// error ends it.
#[derive(Clone, Debug)]
pub struct StageRun {
    end: StageEnd,
    warnings: Vec<Diagnostic>,
}

impl StageRun {
    /// Starts stage `index` of the plan from its base.
    pub fn new(_plan: &Plan, _index: usize, base: Base) -> Self {
        let end = match base {
            Base::Scratch => StageEnd::default(),
            Base::Image(config) => StageEnd { config },
            Base::Stage(end) => end,
        };
        Self { end, warnings: Vec::new() }
    }

    /// The config as the steps so far have made it.
    pub const fn config(&self) -> &Config {
        &self.end.config
    }

    /// Lint warnings of the steps so far, in order.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// What the stage leaves behind: call it once the iterator is at its end.
    pub fn finish(self) -> StageEnd {
        self.end
    }
}

impl Iterator for StageRun {
    type Item = Result<Step, Diagnostic>;

    fn next(&mut self) -> Option<Self::Item> {
        None
    }
}
