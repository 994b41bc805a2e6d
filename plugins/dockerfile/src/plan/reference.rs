//! The images that a build reads.

use super::{Plan, StageBase, froms};
use crate::platform::Platform;
use crate::source::Span;
use crate::step::Origin;

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
    /// The images that the build reads, in the order of the file, one for each place that names
    /// one; those of stages that are left out are not among them.
    pub fn references(&self, scope: Scope) -> Vec<Reference> {
        let runtime = self.runtime_stage();
        let mut references = Vec::new();
        for stage in self.order().iter().filter_map(|index| self.stages().get(*index)) {
            if let StageBase::Image(image) = &stage.base {
                references.push(Reference {
                    image: image.clone(),
                    platform: stage.platform.clone(),
                    stage: stage.index,
                    usage: Usage::Base,
                    is_runtime: runtime == Some(stage.index),
                    span: stage.span,
                });
            }
            let instructions = self.instructions(stage.index);
            for (from, usage) in instructions.flat_map(|found| froms(&found.command)) {
                if let Ok(Origin::Image(image)) = self.names.resolve(from, stage.index) {
                    let platform = self.options().target_platform.clone();
                    let (stage, span) = (stage.index, from.span);
                    let is_runtime = false;
                    references.push(Reference { image, platform, stage, usage, is_runtime, span });
                }
            }
        }
        references.retain(|reference| scope == Scope::All || reference.is_runtime);
        references
    }

    /// The stage that the target comes down to, base by base.
    fn runtime_stage(&self) -> Option<usize> {
        let mut stage = self.stages().get(self.target())?;
        while let StageBase::Stage(parent) = stage.base {
            stage = self.stages().get(parent)?;
        }
        Some(stage.index)
    }
}
