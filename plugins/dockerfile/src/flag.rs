//! Flags of instructions: `--name=value`, quotes and escapes taken off.

use crate::diagnostic::Diagnostic;
use crate::line::Line;
use crate::source::Span;
use crate::suggest::closest;
use crate::word::Word;

/// One flag as written.
#[derive(Clone, Debug)]
pub(crate) struct Flag {
    /// Between `--` and `=`.
    pub(crate) name: Word,
    /// After `=`.
    pub(crate) value: Option<Word>,
    /// Where each byte of the value stands in the line, and where it ends.
    offsets: Vec<usize>,
}

impl Flag {
    /// A part of the value as a word of its own.
    pub(crate) fn part(&self, line: &Line, text: &str, start: usize, end: usize) -> Word {
        let at = |index: usize| self.offsets.get(index).copied();
        let span = match (at(start), end.checked_sub(1).filter(|e| *e >= start).and_then(at)) {
            (Some(first), Some(last)) => line.span(first, last + 1),
            (Some(first), None) => line.span(first, first),
            _ => self.span(),
        };
        Word::new(text, span)
    }

    pub(crate) fn span(&self) -> Span {
        self.value.as_ref().map_or(self.name.span, |value| self.name.span.to(value.span))
    }
}

/// The flags at the start of `line.text[start..]`, and where the arguments begin.
pub(crate) fn split(line: &Line, start: usize, escape: char) -> (Vec<Flag>, usize) {
    let mut flags = Vec::new();
    let mut at = start;
    loop {
        let rest = line.text.get(at..).unwrap_or_default();
        at += rest.len() - rest.trim_start().len();
        let rest = rest.trim_start();
        if !rest.starts_with("--") {
            return (flags, at);
        }
        let (text, offsets, length) = unquote(rest, at, escape);
        at += length;
        if text == "--" {
            return (flags, at);
        }
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text.as_str(), None),
        };
        let end = |count: usize| offsets.get(count).copied().unwrap_or(at);
        let (first, sign) = (end(0), end(name.len()));
        let values = offsets.get(name.len() + 1..).unwrap_or_default().to_vec();
        flags.push(Flag {
            name: Word::new(name.strip_prefix("--").unwrap_or(name), line.span(first, sign)),
            value: value.map(|value| Word::new(value, line.span(sign + 1, at))),
            offsets: values,
        });
    }
}

/// One word without its quotes: what it says, where each byte stands, how long it was.
fn unquote(rest: &str, at: usize, escape: char) -> (String, Vec<usize>, usize) {
    let mut text = String::new();
    let mut offsets = Vec::new();
    let mut quote = None;
    let mut chars = rest.char_indices();
    let mut length = rest.len();
    while let Some((index, c)) = chars.next() {
        let mut taken = Some((index, c));
        match quote {
            None if c.is_whitespace() => {
                length = index;
                break;
            }
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                continue;
            }
            Some(open) if c == open => {
                quote = None;
                continue;
            }
            _ if c == escape => taken = chars.next(),
            _ => {}
        }
        if let Some((index, c)) = taken {
            text.push(c);
            offsets.extend((0..c.len_utf8()).map(|byte| at + index + byte));
        }
    }
    (text, offsets, length)
}

/// The flags of one instruction, taken out one by one.
pub(crate) struct Flags<'a> {
    instruction: &'a str,
    flags: Vec<Flag>,
    known: Vec<&'static str>,
    problems: &'a mut Vec<Diagnostic>,
}

impl<'a> Flags<'a> {
    pub(crate) fn new(
        instruction: &'a str,
        flags: Vec<Flag>,
        problems: &'a mut Vec<Diagnostic>,
    ) -> Self {
        Self { instruction, flags, known: Vec::new(), problems }
    }

    /// Every `--name=value`.
    pub(crate) fn all(&mut self, name: &'static str) -> Vec<Flag> {
        self.known.push(name);
        let (found, rest) = std::mem::take(&mut self.flags)
            .into_iter()
            .partition::<Vec<_>, _>(|flag| flag.name.text == name);
        self.flags = rest;
        found
    }

    /// Every value of `--name=value`.
    pub(crate) fn values(&mut self, name: &'static str) -> Vec<Word> {
        let flags = self.all(name);
        flags.iter().filter_map(|flag| self.needs_value(flag)).collect()
    }

    /// The only `--name=value`.
    pub(crate) fn value(&mut self, name: &'static str) -> Option<Word> {
        let flag = self.single(name)?;
        self.needs_value(&flag)
    }

    /// `--name`, `--name=true`, `--name=false`.
    pub(crate) fn boolean(&mut self, name: &'static str) -> Option<bool> {
        let flag = self.single(name)?;
        let Some(value) = &flag.value else { return Some(true) };
        let found = match value.text.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        if found.is_none() {
            let message = format!("flag `--{name}` is `{}`, expected true or false", value.text);
            self.problems.push(
                Diagnostic::error(flag.span(), message).help(format!("write `--{name}` alone")),
            );
        }
        found
    }

    /// Reports what was not taken.
    pub(crate) fn finish(self) {
        for flag in &self.flags {
            let message = format!("{} has no flag `--{}`", self.instruction, flag.name.text);
            let near = closest(&flag.name.text, self.known.iter().copied());
            let near = near.map(|name| format!("--{name}"));
            let problem = Diagnostic::error(flag.name.span, message).did_you_mean(near.as_deref());
            let problem = match problem.help {
                None if !self.known.is_empty() => {
                    let known: Vec<String> =
                        self.known.iter().map(|name| format!("`--{name}`")).collect();
                    let known = known.join(", ");
                    problem.help(format!("the flags of {} are {known}", self.instruction))
                }
                _ => problem,
            };
            self.problems.push(problem);
        }
    }

    fn single(&mut self, name: &'static str) -> Option<Flag> {
        let mut flags = self.all(name).into_iter();
        let first = flags.next()?;
        for again in flags {
            let message = format!("flag `--{name}` is given twice");
            self.problems.push(Diagnostic::error(again.span(), message).help("remove one of them"));
        }
        Some(first)
    }

    pub(crate) fn needs_value(&mut self, flag: &Flag) -> Option<Word> {
        if flag.value.is_none() {
            let message = format!("flag `--{}` has no value", flag.name.text);
            let help = format!("write `--{}=VALUE`", flag.name.text);
            self.problems.push(Diagnostic::error(flag.name.span, message).help(help));
        }
        flag.value.clone()
    }
}

/// What Go reads as a boolean.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}
