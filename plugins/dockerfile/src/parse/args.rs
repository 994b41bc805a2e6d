//! What follows the keyword of an instruction, and the ways of taking it apart.

use super::command;
use crate::diagnostic::Diagnostic;
use crate::flag::{Flag, Flags, split};
use crate::heredoc::Heredoc;
use crate::instruction::{CommandLine, Instruction};
use crate::json::{self, Json};
use crate::line::Line;
use crate::source::Span;
use crate::suggest::closest;
use crate::word::Word;

/// Every keyword.
pub(super) const KEYWORDS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// An instruction, taken apart into its keyword, its flags and the rest.
pub(super) struct Args<'a> {
    pub(super) line: &'a Line,
    pub(super) escape: char,
    /// The keyword as written.
    pub(super) keyword: Word,
    /// The keyword in capitals.
    pub(super) name: String,
    pub(super) flags: Vec<Flag>,
    /// Where the rest stands in the line.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Where the instruction begins in the line.
    first: usize,
}

impl<'a> Args<'a> {
    /// Takes apart what stands in the line from `start` on.
    pub(super) fn split(line: &'a Line, start: usize, escape: char) -> Self {
        let text = line.text.get(start..).unwrap_or_default();
        let first = start + (text.len() - text.trim_start().len());
        let text = text.trim();
        let end = first + text.len();
        let length = text.find(is_blank).unwrap_or(text.len());
        let keyword = line.word(first, first + length);
        let (flags, start) = split(line, first + length, escape);
        let name = keyword.text.to_ascii_uppercase();
        let rest = line.text.get(start..end).unwrap_or_default();
        let start = end - rest.trim_start().len();
        Self { line, escape, keyword, name, flags, start, end, first }
    }

    /// The rest as it is.
    pub(super) fn rest(&self) -> &'a str {
        self.line.text.get(self.start..self.end).unwrap_or_default()
    }

    /// The rest as one word.
    pub(super) fn whole(&self) -> Word {
        self.line.word(self.start, self.end)
    }

    /// All of the instruction.
    pub(super) fn span(&self) -> Span {
        self.line.span(self.first, self.end)
    }

    /// Whether `<<EOF` is a document: in `RUN`, `COPY` and `ADD` that are no JSON, alone or below
    /// `ONBUILD`.
    pub(super) fn may_have_heredocs(&self) -> bool {
        match self.name.as_str() {
            "ONBUILD" => {
                let inner = Self::split(self.line, self.start, self.escape);
                inner.name != "ONBUILD" && inner.may_have_heredocs()
            }
            "ADD" | "COPY" | "RUN" => !matches!(self.json(), Json::Strings(_)),
            _ => false,
        }
    }

    /// The instruction.
    pub(super) fn instruction(
        self,
        heredocs: &[Heredoc],
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Instruction> {
        let known = KEYWORDS.into_iter().find(|known| *known == self.name);
        let Some(name) = known else {
            let message = format!("unknown instruction `{}`", self.keyword.text);
            let near = closest(&self.keyword.text, KEYWORDS);
            problems.push(Diagnostic::error(self.keyword.span, message).did_you_mean(near));
            return None;
        };
        let before = problems.len();
        let (span, line) = (self.span(), self.line);
        let keyword = self.keyword.clone();
        let text = line.text.get(self.first..self.end).unwrap_or_default().to_owned();
        let command = command::read(name, self, heredocs, problems)?;
        // What is wrong is not guessed at.
        (problems.len() == before).then(|| Instruction {
            keyword,
            command,
            span,
            text,
            comments: line.comments.clone(),
            heredocs: heredocs.to_vec(),
            empty_continuation: line.empty_continuation,
        })
    }

    /// The flags, to be taken out one by one.
    pub(super) fn take_flags<'f>(&'f mut self, problems: &'f mut Vec<Diagnostic>) -> Flags<'f> {
        let flags = std::mem::take(&mut self.flags);
        Flags::new(&self.name, flags, problems)
    }

    /// For instructions that have none.
    pub(super) fn no_flags(&mut self, problems: &mut Vec<Diagnostic>) {
        self.take_flags(problems).finish();
    }

    pub(super) fn json(&self) -> Json {
        json::read(self.line, self.start, self.end)
    }

    /// The exec form, or else the shell form.
    pub(super) fn command_line(&self, problems: &mut Vec<Diagnostic>) -> Option<CommandLine> {
        match self.json() {
            Json::Strings(words) => Some(CommandLine::Exec(words)),
            Json::None => Some(CommandLine::Shell(self.whole())),
            Json::Mixed(span) => {
                problems.push(mixed(span));
                None
            }
        }
    }

    /// A JSON array, or else words between blanks.
    pub(super) fn list(&self, problems: &mut Vec<Diagnostic>) -> Option<Vec<Word>> {
        match self.json() {
            Json::Strings(words) => Some(words),
            Json::None => Some(self.words()),
            Json::Mixed(span) => {
                problems.push(mixed(span));
                None
            }
        }
    }

    /// Words between blanks; quotes are characters like others.
    pub(super) fn words(&self) -> Vec<Word> {
        let mut words = Vec::new();
        let mut start = None;
        for (index, c) in self.rest().char_indices() {
            match (is_blank(c), start) {
                (true, Some(from)) => {
                    words.push(self.line.word(self.start + from, self.start + index));
                    start = None;
                }
                (false, None) => start = Some(index),
                (true, None) | (false, Some(_)) => {}
            }
        }
        words.extend(start.map(|from| self.line.word(self.start + from, self.end)));
        words
    }

    /// The rest, of which there has to be some.
    pub(super) fn needed(&self, what: &str, problems: &mut Vec<Diagnostic>) -> Option<Word> {
        if self.start == self.end {
            problems.push(self.missing(what));
            return None;
        }
        Some(self.whole())
    }

    /// A problem with an instruction that stops too early.
    pub(super) fn missing(&self, what: &str) -> Diagnostic {
        Diagnostic::error(self.span(), format!("{} has no {what}", self.name))
    }
}

/// What separates words; of the blanks of other scripts none does.
pub(super) const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\u{b}' | '\u{c}')
}

/// Why an instruction cannot be a trigger.
pub(super) fn refused_trigger(keyword: &str) -> Option<String> {
    let name = keyword.to_ascii_uppercase();
    ["ONBUILD", "FROM", "MAINTAINER"]
        .contains(&name.as_str())
        .then(|| format!("{name} cannot be a trigger of ONBUILD"))
}

fn mixed(span: Span) -> Diagnostic {
    Diagnostic::error(span, "JSON array holds something other than strings")
        .help("put it in double quotes")
}
