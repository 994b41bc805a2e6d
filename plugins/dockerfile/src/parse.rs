//! From text to a [`Dockerfile`].

use crate::diagnostic::Diagnostic;
use crate::file::{Dockerfile, Stage};
use crate::heredoc::read_heredocs;
use crate::instruction::{Command, Instruction};
use crate::line::{Line, Reader};
use crate::source::{Source, Span};

mod args;
mod command;
mod copy;
mod healthcheck;
mod pairs;
mod run;

use args::Args;

/// 1 MiB: a hundred times the largest Dockerfile of the public collections it was tried on.
pub const MAX_BYTES: usize = 1 << 20;

/// Ten thousand: a file beyond it is no Dockerfile.
pub const MAX_INSTRUCTIONS: usize = 10_000;

/// A hundred: nobody reads more at once.
pub const MAX_PROBLEMS: usize = 100;

/// Reads a Dockerfile.
///
/// # Errors
/// Every problem that can be seen without a build, in the order of the file; never empty. Nothing
/// is read of a file beyond [`MAX_BYTES`], and reading ends after [`MAX_INSTRUCTIONS`] and after
/// [`MAX_PROBLEMS`].
pub fn parse(text: &str) -> Result<Dockerfile, Vec<Diagnostic>> {
    if text.len() > MAX_BYTES {
        let message = format!("file is larger than {} MiB", MAX_BYTES >> 20);
        return Err(vec![Diagnostic::error(Span::default(), message)]);
    }
    let mut problems = Vec::new();
    let mut reader = Reader::new(text);
    let mut instructions = Vec::new();
    let mut count = 0;
    while let Some(line) = reader.line(&mut problems) {
        count += 1;
        if count > MAX_INSTRUCTIONS {
            let message = format!("file has more than {MAX_INSTRUCTIONS} instructions");
            problems.push(Diagnostic::error(line.whole(), message));
            break;
        }
        instructions.extend(read_instruction(&line, &mut reader, &mut problems));
        if problems.len() >= MAX_PROBLEMS {
            break;
        }
    }
    if count == 0 {
        let message = "file has no instructions";
        let end = Span::new(text.len(), text.len());
        problems.push(Diagnostic::error(end, message).help("begin with `FROM`"));
    }
    let source = Source::new(text);
    let directives = reader.directives.into_directives();
    let (global_args, stages) = into_stages(instructions, &mut problems);
    if problems.is_empty() && stages.is_empty() {
        let end = Span::new(text.len(), text.len());
        problems.push(Diagnostic::error(end, "file has no `FROM`").help("write `FROM scratch`"));
    }
    if problems.is_empty() {
        return Ok(Dockerfile { source, directives, global_args, stages });
    }
    problems.sort_by_key(|problem| problem.span.start);
    Err(problems)
}

/// Reads one trigger of a base image, as its config holds it: an instruction and its heredocs.
/// Whatever is wrong with it stands at `span`, the `FROM` of who builds on that image.
pub(crate) fn parse_trigger(text: &str, span: Span) -> Result<Instruction, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut reader = Reader::at(text, span);
    let line = reader.line(&mut problems);
    let found = line.and_then(|line| read_instruction(&line, &mut reader, &mut problems));
    let error = |message: &str| Diagnostic::error(span, message);
    if problems.is_empty() && reader.line(&mut problems).is_some() {
        problems.push(error("it is more than one instruction"));
    }
    match &found {
        Some(found) => {
            let refused = args::refused_trigger(&found.keyword.text);
            problems.extend(refused.map(|message| error(&message)));
        }
        None if problems.is_empty() => problems.push(error("it is empty")),
        None => {}
    }
    for problem in &mut problems {
        problem.message = format!("trigger `{}` of the base: {}", text.trim(), problem.message);
        problem.span = span;
    }
    match found {
        Some(found) if problems.is_empty() => Ok(found),
        _ => Err(problems),
    }
}

/// One instruction, and the documents that follow it.
fn read_instruction(
    line: &Line,
    reader: &mut Reader<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Instruction> {
    let args = Args::split(line, 0, reader.directives.escape());
    let heredocs =
        if args.may_have_heredocs() { read_heredocs(line, reader, problems) } else { Vec::new() };
    args.instruction(&heredocs, problems)
}

/// Puts instructions below the `FROM` they follow.
fn into_stages(
    instructions: Vec<Instruction>,
    problems: &mut Vec<Diagnostic>,
) -> (Vec<Instruction>, Vec<Stage>) {
    let mut global_args = Vec::new();
    let mut stages: Vec<Stage> = Vec::new();
    // One is enough if the `FROM` itself is wrong or missing.
    let mut is_misplaced = !problems.is_empty();
    for instruction in instructions {
        match (&instruction.command, stages.last_mut()) {
            (Command::From(_), _) => {
                stages.push(Stage { from: instruction, instructions: Vec::new() });
            }
            (_, Some(stage)) => stage.instructions.push(instruction),
            (Command::Arg(_), None) => global_args.push(instruction),
            (_, None) if is_misplaced => {}
            (command, None) => {
                is_misplaced = true;
                let message = format!("{} stands before the first FROM", command.name());
                problems.push(
                    Diagnostic::error(instruction.keyword.span, message)
                        .help("only ARG may stand there; begin with `FROM`"),
                );
            }
        }
    }
    (global_args, stages)
}

#[cfg(test)]
mod tests;
