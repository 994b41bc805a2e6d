//! The lint rules that only the builder knows enough for.

use super::StageRun;
use crate::lint::Rule;
use crate::platform::Platform;
use crate::step::{Action, CopySource, Origin, Step};

impl StageRun {
    /// Warns if the base image of the stage is for another platform than the one that is wanted.
    pub fn check_base_platform(&mut self, image: &str, wanted: &Platform, found: &Platform) {
        if wanted.os == found.os && wanted.architecture == found.architecture {
            return;
        }
        let file = std::sync::Arc::clone(&self.file);
        let Some(stage) = file.stages.get(self.stage) else { return };
        self.warnings.enter(&stage.from);
        let message = format!("base image `{image}` is for {found}, the build is for {wanted}");
        let help = format!("choose an image for {wanted}, or say `--platform={found}`");
        self.warnings.warn(Rule::InvalidBaseImagePlatform, stage.from.span, message, help);
    }

    /// Warns of sources in the context that `.dockerignore` leaves out: `is_ignored` is asked about
    /// each path, made relative and clean; about the context itself as `.`.
    ///
    /// To be called with the step that the iterator gave last, and not at all if the ignore file has
    /// exceptions (`!`): then nothing can be said beforehand.
    pub fn check_ignored(&mut self, step: &Step, is_ignored: &mut dyn FnMut(&str) -> bool) {
        let (verb, sources) = if let Action::Copy(copy) = &step.action {
            if copy.origin != Origin::Context {
                return;
            }
            ("COPY", &copy.sources)
        } else if let Action::Add(add) = &step.action {
            ("ADD", &add.sources)
        } else {
            return;
        };
        for source in sources {
            let CopySource::Path(path) = source else { continue };
            let joined = crate::path::join("/", path);
            let clean = match joined.trim_start_matches('/') {
                "" => ".",
                clean => clean,
            };
            if is_ignored(clean) {
                let message = format!("{verb} of `{clean}`, which .dockerignore leaves out");
                let help = "remove it from .dockerignore, or do not copy it";
                self.warnings.warn_once(Rule::CopyIgnoredFile, step.span, clean, message, help);
            }
        }
    }
}
