//! The bases of stages: `FROM` expanded.

use std::sync::Arc;

use super::{Options, PlannedStage, StageBase, arguments};
use crate::diagnostic::Diagnostic;
use crate::expand::{Expanded, Lexer};
use crate::file::{Dockerfile, Stage};
use crate::image_name::is_reference;
use crate::instruction::{Command, From, Instruction};
use crate::lint::{Rule, Warnings};
use crate::origin::Names;
use crate::platform::Platform;
use crate::problem::unexpandable;
use crate::suggest::closest;
use crate::variables::Variables;
use crate::word::Word;

struct Context<'a> {
    file: &'a Dockerfile,
    options: &'a Options,
    names: &'a Names,
    globals: &'a Variables,
    /// What the globals would be without any build argument.
    defaults: Option<Variables>,
}

/// Every stage with its base, and lint warnings; what is wrong is in `problems`.
pub(super) fn stages(
    file: &Dockerfile,
    options: &Options,
    names: &Names,
    globals: &Variables,
    problems: &mut Vec<Diagnostic>,
) -> (Vec<PlannedStage>, Vec<Diagnostic>) {
    let defaults = arguments::defaults(file, options);
    let context = Context { file, options, names, globals, defaults };
    let mut warnings = Warnings::new(&file.directives.check);
    let mut planned: Vec<PlannedStage> = Vec::new();
    for (index, stage) in file.stages.iter().enumerate() {
        let Command::From(from) = &stage.from.command else { continue };
        warnings.enter(&stage.from);
        let base = context.base(index, from, &mut warnings, problems);
        let platform = context.platform(from, &mut warnings, problems);
        let parent = match &base {
            StageBase::Stage(parent) => planned.get(*parent),
            StageBase::Scratch | StageBase::Image(_) => None,
        };
        let platform = match (&base, parent) {
            (StageBase::Image(_), _) => platform,
            (_, parent) => parent.map(|parent| parent.platform.clone()),
        };
        planned.push(PlannedStage {
            index,
            name: names.get(index).map(str::to_owned),
            span: stage.from.span,
            platform: platform.unwrap_or_else(|| options.target_platform.clone()),
            needs: Vec::new(),
            triggers: match &base {
                StageBase::Stage(parent) => triggers(file.stages.get(*parent)),
                StageBase::Scratch | StageBase::Image(_) => Arc::new([]),
            },
            base,
        });
    }
    (planned, warnings.into_vec())
}

/// What a stage asks of those that build on it.
fn triggers(parent: Option<&Stage>) -> Arc<[Instruction]> {
    let instructions = parent.map(|parent| parent.instructions.iter());
    let triggers = instructions.into_iter().flatten().filter_map(|instruction| {
        let Command::Onbuild(onbuild) = &instruction.command else { return None };
        Some((*onbuild.trigger).clone())
    });
    triggers.collect()
}

impl Context<'_> {
    fn expand(&self, word: &Word, problems: &mut Vec<Diagnostic>) -> Option<Expanded> {
        let lexer = Lexer::new(self.file.directives.escape);
        match lexer.expand(&word.text, self.globals) {
            Ok(expanded) => Some(expanded),
            Err(error) => {
                problems.push(unexpandable(word, error));
                None
            }
        }
    }

    fn base(
        &self,
        index: usize,
        from: &From,
        warnings: &mut Warnings,
        problems: &mut Vec<Diagnostic>,
    ) -> StageBase {
        let word = &from.base;
        let Some(expanded) = self.expand(word, problems) else { return StageBase::Scratch };
        self.warn_undefined(word, &expanded, warnings);
        self.warn_defaults(word, warnings);
        let text = expanded.text;
        if let Some(stage) = self.names.before(index, &text) {
            return StageBase::Stage(stage);
        }
        match text.as_str() {
            "scratch" => return StageBase::Scratch,
            "" => {
                let message = format!("base `{}` is empty", word.text);
                let first = expanded.unmatched.first();
                let help = first.map(|name| {
                    let name = &name.text;
                    format!("set the build argument `{name}`, or give `ARG {name}=` a default")
                });
                let problem = Diagnostic::error(word.span, message);
                problems.push(match help {
                    Some(help) => problem.help(help),
                    None => problem,
                });
            }
            _ if is_reference(&text) => return StageBase::Image(text),
            _ => {
                let message = format!("base `{text}` is neither an image nor an earlier stage");
                let near = closest(&text, self.names.all());
                problems.push(Diagnostic::error(word.span, message).did_you_mean(near));
            }
        }
        StageBase::Scratch
    }

    fn platform(
        &self,
        from: &From,
        warnings: &mut Warnings,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Platform> {
        let word = from.platform.as_ref()?;
        let expanded = self.expand(word, problems)?;
        self.warn_undefined(word, &expanded, warnings);
        let target = self.globals.get("TARGETPLATFORM");
        let is_target = expanded.matched.iter().eq(["TARGETPLATFORM"])
            && expanded.unmatched.is_empty()
            && target == Some(expanded.text.as_str());
        if is_target {
            let message = format!("platform `{}` is what FROM has anyway", word.text);
            warnings.warn(Rule::RedundantTargetPlatform, word.span, message, "leave it out");
        }
        let found = Platform::parse(&expanded.text, &self.options.build_platform);
        let Some(platform) = found else {
            let message = match expanded.text.as_str() {
                "" => format!("platform `{}` is empty", word.text),
                text => format!("`{text}` is no platform"),
            };
            let unmatched = expanded.unmatched.first();
            let near = unmatched.and_then(|name| closest(&name.text, self.globals.names()));
            let near = near.map(|name| format!("${name}"));
            let problem = Diagnostic::error(word.span, message);
            problems.push(match near {
                Some(near) => problem.did_you_mean(Some(&near)),
                None => problem.help("write `--platform=linux/amd64`"),
            });
            return None;
        };
        let is_constant = expanded.matched.is_empty() && expanded.unmatched.is_empty();
        let name = from.name.as_ref().map(|name| name.text.to_lowercase()).unwrap_or_default();
        let is_named = name.contains(&platform.os) || name.contains(&platform.architecture);
        if is_constant && !is_named {
            let message = format!("platform of FROM is the constant `{}`", expanded.text);
            let help = "use `$BUILDPLATFORM`, or leave it to the build";
            warnings.warn(Rule::FromPlatformFlagConstDisallowed, word.span, message, help);
        }
        Some(platform)
    }

    fn warn_undefined(&self, word: &Word, expanded: &Expanded, warnings: &mut Warnings) {
        if expanded.unmatched.is_empty() {
            return;
        }
        let declared: Vec<&str> =
            arguments::declared(self.file).map(|argument| argument.name.text.as_str()).collect();
        for name in &expanded.unmatched {
            if declared.contains(&name.text.as_str()) {
                continue;
            }
            let message = format!("`{}` of FROM is not declared", name.text);
            let known = declared.iter().copied().chain(self.globals.names());
            let help = match closest(&name.text, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("write `ARG {}` before the first FROM", name.text),
            };
            let span = word.part(name.span.start, name.span.end);
            warnings.warn(Rule::UndefinedArgInFrom, span, message, help);
        }
    }

    fn warn_defaults(&self, word: &Word, warnings: &mut Warnings) {
        let Some(defaults) = &self.defaults else { return };
        let lexer = Lexer::new(self.file.directives.escape);
        let Ok(expanded) = lexer.expand(&word.text, defaults) else { return };
        if !is_reference(&expanded.text) {
            let message = format!("base `{}` is no image without build arguments", word.text);
            let help = "give the arguments of FROM defaults that make a reference";
            warnings.warn(Rule::InvalidDefaultArgInFrom, word.span, message, help);
        }
    }
}
