//! Which stages are built, from what, and in which order.

use std::sync::Arc;

use crate::Dockerfile;
use crate::diagnostic::Diagnostic;
use crate::platform::Platform;
use crate::source::Span;

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
    file: Arc<Dockerfile>,
    options: Options,
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

/// An image that a build reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The reference as written, expanded.
    pub image: String,
    /// The platform asked of it.
    pub platform: Platform,
    /// The stage that reads it.
    pub stage: usize,
    /// What for.
    pub usage: Usage,
    /// Whether the final image is built on it: what a running container has, as opposed to what is
    /// only needed while building.
    pub is_runtime: bool,
    /// Where it stands.
    pub span: Span,
}

/// What an image is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Usage {
    /// `FROM`
    Base,
    /// `COPY --from`
    Copy,
    /// `RUN --mount=from=`
    Mount,
}

/// Which references are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All that the build reads.
    All,
    /// Those that the final image is built on.
    Runtime,
}

impl Plan {
    /// Joins the stages of `file` for one build.
    ///
    /// # Errors
    /// Every problem found: a base that is blank or no reference, a platform that is none, a stage
    /// that does not exist, comes too late or needs itself.
    pub fn new(file: Arc<Dockerfile>, options: Options) -> Result<Self, Vec<Diagnostic>> {
        let (stages, order, warnings) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { file, options, stages, target: 0, order, warnings })
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

    /// The images that the build reads, in the order of the file; one for each place.
    pub fn references(&self, _scope: Scope) -> Vec<Reference> {
        Vec::new()
    }

    /// Takes in the `OnBuild` of the image that `stage` builds on, which may need further stages
    /// and images: read [`Plan::order`] and [`Plan::references`] again.
    ///
    /// # Errors
    /// Every problem of the triggers, at the stage's `FROM`.
    pub fn add_triggers(
        &mut self,
        _stage: usize,
        _on_build: &[String],
    ) -> Result<(), Vec<Diagnostic>> {
        Ok(())
    }

    /// Build arguments that no `ARG` asks for: probably misspelt.
    pub fn unused_args(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Lint warnings about `FROM` lines.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }
}
