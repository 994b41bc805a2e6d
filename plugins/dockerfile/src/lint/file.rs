//! The rules about a file as written.

use super::{Rule, Warnings};
use crate::diagnostic::Diagnostic;
use crate::file::{Dockerfile, Stage};
use crate::instruction::{Argument, Command, From, Instruction, Pair};
use crate::source::Span;
use crate::word::Word;

/// Stages that are there anyway.
const RESERVED: [&str; 2] = ["context", "scratch"];

/// A name with one of these words between `_` probably holds a secret ...
const SECRETS: [&str; 10] = [
    "apikey",
    "auth",
    "credential",
    "credentials",
    "key",
    "password",
    "pword",
    "passwd",
    "secret",
    "token",
];

/// ... unless it has one of these, too.
const HARMLESS: [&str; 3] = ["public", "file", "version"];

impl Dockerfile {
    /// Lint warnings that need no build, in the order of the file; all stages are looked at, needed
    /// or not.
    pub fn lint(&self) -> Vec<Diagnostic> {
        let mut warnings = Warnings::new(&self.directives.check);
        let majority = self.majority();
        for instruction in &self.global_args {
            warnings.enter(instruction);
            check_instruction(instruction, None, &mut warnings);
        }
        let mut names: Vec<String> = Vec::new();
        for stage in &self.stages {
            warnings.enter(&stage.from);
            check_instruction(&stage.from, majority, &mut warnings);
            if let Command::From(from) = &stage.from.command {
                check_from(from, &stage.from, &mut names, &mut warnings);
            }
            for instruction in &stage.instructions {
                warnings.enter(instruction);
                check_instruction(instruction, majority, &mut warnings);
                check_stage_instruction(instruction, &mut warnings);
            }
            check_repeated(stage, &mut warnings);
        }
        let mut warnings = warnings.into_vec();
        warnings.sort_by_key(|warning| warning.span.start);
        warnings
    }

    /// The case that most keywords have; arguments before the first `FROM` are not counted.
    fn majority(&self) -> Option<Case> {
        let keywords = self.stages.iter().flat_map(|stage| {
            std::iter::once(&stage.from).chain(&stage.instructions).map(|found| &found.keyword)
        });
        let (mut lower, mut upper) = (0, 0);
        for keyword in keywords {
            match case(&keyword.text) {
                Some(Case::Lower) => lower += 1,
                Some(Case::Upper) => upper += 1,
                None => {}
            }
        }
        Some(if lower > upper { Case::Lower } else { Case::Upper })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Lower,
    Upper,
}

fn case(word: &str) -> Option<Case> {
    if word == word.to_lowercase() {
        Some(Case::Lower)
    } else if word == word.to_uppercase() {
        Some(Case::Upper)
    } else {
        None
    }
}

/// What holds for every instruction.
fn check_instruction(instruction: &Instruction, majority: Option<Case>, warnings: &mut Warnings) {
    let keyword = &instruction.keyword;
    if let Some(wanted) = majority
        && case(&keyword.text) != Some(wanted)
    {
        let wanted = match wanted {
            Case::Lower => keyword.text.to_lowercase(),
            Case::Upper => keyword.text.to_uppercase(),
        };
        let message = format!("`{}` is not in the case of most instructions", keyword.text);
        let help = format!("write `{wanted}`");
        warnings.warn(Rule::ConsistentInstructionCasing, keyword.span, message, help);
    }
    if let Some(span) = instruction.empty_continuation {
        let message = "blank line within an instruction";
        warnings.warn(Rule::NoEmptyContinuation, span, message, "remove it, or write `#`");
    }
    if let Command::Arg(arguments) = &instruction.command {
        let names: Vec<&str> = arguments.iter().map(|found| found.name.text.as_str()).collect();
        check_description("ARG", &names, instruction, warnings);
    }
    if let Command::Maintainer(name) = &instruction.command {
        let help = format!("write `LABEL org.opencontainers.image.authors=\"{}\"`", name.text);
        let message = "MAINTAINER is deprecated";
        warnings.warn(Rule::MaintainerDeprecated, instruction.span, message, help);
    }
}

fn check_from(
    from: &From,
    instruction: &Instruction,
    names: &mut Vec<String>,
    warnings: &mut Warnings,
) {
    let Some(name) = &from.name else { return };
    let lower = name.text.to_lowercase();
    if name.text != lower {
        let message = format!("stage name `{}` is not in lower case", name.text);
        warnings.warn(Rule::StageNameCasing, name.span, message, format!("write `{lower}`"));
    }
    if RESERVED.contains(&lower.as_str()) {
        let message = format!("stage name `{lower}` is reserved");
        warnings.warn(Rule::ReservedStageName, name.span, message, "choose another name");
    }
    if names.contains(&lower) {
        let message = format!("stage name `{lower}` is used twice");
        warnings.warn(Rule::DuplicateStageName, name.span, message, "choose another name");
    }
    if let (Some(keyword), Some(wanted)) = (&from.as_keyword, case(&instruction.keyword.text)) {
        let wanted_text = match wanted {
            Case::Lower => keyword.text.to_lowercase(),
            Case::Upper => keyword.text.to_uppercase(),
        };
        if keyword.text != wanted_text {
            let message =
                format!("`{}` has not the case of `{}`", keyword.text, instruction.keyword.text);
            let help = format!("write `{wanted_text}`");
            warnings.warn(Rule::FromAsCasing, keyword.span, message, help);
        }
    }
    check_description("FROM", &[&lower], instruction, warnings);
    names.push(lower);
}

/// A comment right above should begin with what it is about.
fn check_description(
    keyword: &str,
    names: &[&str],
    instruction: &Instruction,
    warnings: &mut Warnings,
) {
    let Some(comment) = instruction.comments.last() else { return };
    let first = comment.text.split(' ').next().unwrap_or_default();
    if names.contains(&first) {
        return;
    }
    let name = match names {
        [name] => name,
        _ => "NAME",
    };
    let message = format!("comment above {keyword} does not begin with its name");
    let help = format!("write `# {name} DESCRIPTION`, or an empty `#` below it");
    warnings.warn(Rule::InvalidDefinitionDescription, comment.span, message, help);
}

/// What holds within a stage.
fn check_stage_instruction(instruction: &Instruction, warnings: &mut Warnings) {
    if let Command::Env(pairs) = &instruction.command {
        check_legacy("ENV", pairs, warnings);
        for Pair { key, .. } in pairs {
            check_secret("ENV", key, warnings);
        }
    }
    if let Command::Label(pairs) = &instruction.command {
        check_legacy("LABEL", pairs, warnings);
    }
    for Argument { name, .. } in instruction.command.arguments() {
        check_secret("ARG", name, warnings);
    }
}

fn check_legacy(keyword: &str, pairs: &[Pair], warnings: &mut Warnings) {
    for Pair { key, value, .. } in pairs.iter().filter(|pair| pair.legacy) {
        let message = format!("{keyword} separates name and value by a blank");
        let is_plain = !value.text.contains(char::is_whitespace);
        let value = if is_plain { value.text.clone() } else { format!("\"{}\"", value.text) };
        let help = format!("write `{keyword} {}={value}`", key.text);
        warnings.warn(Rule::LegacyKeyValueFormat, key.span, message, help);
    }
}

fn check_secret(keyword: &str, name: &Word, warnings: &mut Warnings) {
    let lower = name.text.to_lowercase();
    let has = |words: &[&str]| lower.split('_').any(|part| words.contains(&part));
    if has(&SECRETS) && !has(&HARMLESS) {
        let message = format!("{keyword} `{}` looks like a secret, and is kept", name.text);
        let help = "use `RUN --mount=type=secret`";
        warnings.warn(Rule::SecretsUsedInArgOrEnv, name.span, message, help);
    }
}

/// Of some instructions only the last one counts.
fn check_repeated(stage: &Stage, warnings: &mut Warnings) {
    let mut last: Vec<(&str, Span)> = Vec::new();
    for instruction in &stage.instructions {
        let name = instruction.command.name();
        if !["CMD", "ENTRYPOINT", "HEALTHCHECK"].contains(&name) {
            continue;
        }
        warnings.enter(instruction);
        let before = last.iter().position(|(known, _)| *known == name);
        if let Some((_, span)) = before.map(|index| last.swap_remove(index)) {
            let message = format!("{name} is given again below, which is the one that counts");
            warnings.warn(Rule::MultipleInstructionsDisallowed, span, message, "remove this one");
        }
        last.push((name, instruction.span));
    }
}
