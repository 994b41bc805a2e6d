//! Parser directives: `# syntax=`, `# escape=`, `# check=` at the top of a file.

use crate::diagnostic::Diagnostic;
use crate::lint::Check;
use crate::source::Span;
use crate::word::Word;

/// What the first lines of a file say to the parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directives {
    /// `# syntax=`: read, and never fetched.
    pub syntax: Option<Word>,
    /// `# escape=`: `\` or a backquote.
    pub escape: char,
    /// `# check=`
    pub check: Check,
}

impl Default for Directives {
    fn default() -> Self {
        Self { syntax: None, escape: '\\', check: Check::default() }
    }
}

/// Reads directives until a line is none.
#[derive(Debug, Default)]
pub(crate) struct DirectiveReader {
    said: Directives,
    seen: Vec<&'static str>,
    is_done: bool,
    has_started: bool,
}

impl DirectiveReader {
    pub(crate) const fn escape(&self) -> char {
        self.said.escape
    }

    pub(crate) fn into_directives(self) -> Directives {
        self.said
    }

    /// Looks at a line without leading blanks; whether it is a directive.
    pub(crate) fn read(
        &mut self,
        line: &str,
        start: usize,
        problems: &mut Vec<Diagnostic>,
    ) -> bool {
        // A first line `#!` is the kernel's.
        let is_shebang = !self.has_started && line.starts_with("#!");
        self.has_started = true;
        if self.is_done || is_shebang {
            return false;
        }
        let Some((name, value)) = split(line, start) else {
            self.is_done = true;
            return false;
        };
        let span = Span::new(start, start + line.trim_end().len());
        if self.seen.contains(&name) {
            let message = format!("only one `{name}` parser directive can be used");
            problems.push(Diagnostic::error(span, message).help("remove this line"));
            return true;
        }
        self.seen.push(name);
        match name {
            "syntax" => self.said.syntax = Some(value),
            "escape" => match value.text.as_str() {
                "\\" => self.said.escape = '\\',
                "`" => self.said.escape = '`',
                _ => {
                    let message = format!("escape character is `{}`, not ` or \\", value.text);
                    problems
                        .push(Diagnostic::error(value.span, message).help("write `# escape=\\``"));
                }
            },
            _ => match Check::parse(&value.text) {
                Ok(check) => self.said.check = check,
                Err(message) => problems.push(
                    Diagnostic::error(value.span, message)
                        .help("write `# check=skip=RuleName,RuleName;error=true`"),
                ),
            },
        }
        true
    }
}

/// `# name = value`, if the name is one of ours; in any case.
fn split(line: &str, start: usize) -> Option<(&'static str, Word)> {
    let (name, value) = line.strip_prefix('#')?.split_once('=')?;
    let name = name.trim_start().trim_ascii_end().to_ascii_lowercase();
    let name = ["syntax", "escape", "check"].into_iter().find(|known| *known == name)?;
    let said = value.trim_ascii();
    if said.is_empty() {
        return None;
    }
    let at = start + line.len() - value.trim_ascii_start().len();
    Some((name, Word::new(said, Span::new(at, at + said.len()))))
}
