//! Which names a template speaks of, and where in its text.
//!
//! The engine can list the undeclared variables of a template, but neither where they stand nor
//! what `steps["my-step"]` refers to. This scanner reads the words of a template, no more: it knows
//! strings, comments, dots and brackets, and leaves grammar to the engine, which has accepted the
//! text before.

use std::ops::Range;

/// A variable and what is taken from it: `steps["app"].outputs.digest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// The variable first, then each name taken from the one before.
    pub(crate) segments: Vec<(String, Range<usize>)>,
    /// Whether something follows whose name is computed: `steps[inputs.which]`.
    pub(crate) is_computed: bool,
}

/// What a template's text speaks of, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct References {
    pub(crate) paths: Vec<Path>,
    /// Names after `|`.
    pub(crate) filters: Vec<(String, Range<usize>)>,
    /// Names after `is`.
    pub(crate) tests: Vec<(String, Range<usize>)>,
    /// Whether there are `{% … %}` blocks, which may declare variables of their own.
    pub(crate) has_blocks: bool,
    /// Operators, lookups, calls and blocks: no expression is deeper than that.
    pub(crate) links: usize,
}

/// Words of the template language that are never variables.
const WORDS: [&str; 14] = [
    "elif", "and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False",
    "None",
];

/// What makes an expression deeper by one, besides words.
const LINKS: [char; 14] = ['.', '[', '(', '|', '+', '-', '*', '/', '%', '~', '<', '>', '=', '!'];

impl Path {
    /// The variable's name.
    pub(crate) fn root(&self) -> &str {
        self.name(0).unwrap_or_default()
    }

    /// The name at `index`; 0 is the variable.
    pub(crate) fn name(&self, index: usize) -> Option<&str> {
        self.segments.get(index).map(|(name, _)| name.as_str())
    }

    /// Where the name at `index` stands; the whole path if there are not so many.
    pub(crate) fn range(&self, index: usize) -> Range<usize> {
        self.segments.get(index).map_or_else(|| self.whole(), |(_, range)| range.clone())
    }

    /// Where the path stands.
    pub(crate) fn whole(&self) -> Range<usize> {
        let start = self.segments.first().map_or(0, |(_, range)| range.start);
        start..self.segments.last().map_or(start, |(_, range)| range.end)
    }
}

/// Reads an expression: `steps.a.outputs.b == "x"`.
pub(crate) fn scan_expression(text: &str) -> References {
    let mut found = References::default();
    Scanner { text, at: 0, found: &mut found }.code("");
    found
}

/// Reads a template: text with `{{ … }}` and `{% … %}`.
pub(crate) fn scan_template(text: &str) -> References {
    let mut found = References::default();
    let mut scanner = Scanner { text, at: 0, found: &mut found };
    while let Some(open) = scanner.rest().find('{') {
        scanner.at += open + 1;
        match scanner.peek() {
            Some('{') => {
                scanner.at += 1;
                scanner.code("}}");
            }
            Some('%') => {
                scanner.at += 1;
                scanner.block();
            }
            Some('#') => scanner.skip_past("#}"),
            _ => {}
        }
    }
    found
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    found: &'a mut References,
}

/// What came before a word, as far as it decides what the word is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Pipe,
    Is,
    Dot,
    Other,
}

impl Scanner<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn skip_past(&mut self, end: &str) {
        self.at =
            self.rest().find(end).map_or(self.text.len(), |found| self.at + found + end.len());
    }

    /// A block after its `{%`; a raw block is text up to its end.
    fn block(&mut self) {
        if let Some(after) = tag(self.rest(), "raw") {
            self.at += after;
            while !self.rest().is_empty() {
                self.skip_past("{%");
                if let Some(after) = tag(self.rest(), "endraw") {
                    self.at += after;
                    return;
                }
            }
        } else {
            self.found.has_blocks = true;
            self.found.links += 1;
            self.code("%}");
        }
    }

    /// Code up to `end`, outside of strings and brackets, as the engine reads it: a bracket too many
    /// of either kind means that it never ends.
    fn code(&mut self, end: &str) {
        let mut brackets = 0_isize;
        let mut before = Before::Other;
        while let Some(next) = self.peek() {
            if brackets == 0 && !end.is_empty() && self.rest().starts_with(end) {
                self.at += end.len();
                return;
            }
            let start = self.at;
            if is_word_start(next) {
                before = self.word(before);
                continue;
            }
            self.at += next.len_utf8();
            match next {
                '"' | '\'' => self.string(next),
                '0'..='9' => self.number(),
                '{' | '(' | '[' => brackets += 1,
                '}' | ')' | ']' => brackets -= 1,
                _ => {}
            }
            self.found.links += usize::from(LINKS.contains(&next));
            before = match next {
                '|' => Before::Pipe,
                // `..` is no operator of the language; a dot is always before a name.
                '.' => Before::Dot,
                _ if next.is_whitespace() => before,
                _ => Before::Other,
            };
            debug_assert!(self.at > start, "every turn reads something");
        }
    }

    /// The rest of a string after its opening quote; gives its content if nothing is escaped.
    fn string(&mut self, quote: char) {
        while let Some(next) = self.peek() {
            self.at += next.len_utf8();
            if next == '\\' {
                self.at += self.peek().map_or(0, char::len_utf8);
            } else if next == quote {
                return;
            }
        }
    }

    fn number(&mut self) {
        while self.peek().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.') {
            self.at += 1;
        }
    }

    fn name(&mut self) -> (String, Range<usize>) {
        let start = self.at;
        let rest = self.rest();
        self.at += rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        (self.text.get(start..self.at).unwrap_or_default().to_owned(), start..self.at)
    }

    fn word(&mut self, before: Before) -> Before {
        let (name, range) = self.name();
        match before {
            Before::Pipe => self.found.filters.push((name, range)),
            Before::Is if name == "not" => return Before::Is,
            Before::Is => self.found.tests.push((name, range)),
            Before::Dot => {}
            Before::Other if name == "is" => {
                self.found.links += 1;
                return Before::Is;
            }
            Before::Other if WORDS.contains(&name.as_str()) => self.found.links += 1,
            Before::Other => self.path((name, range)),
        }
        Before::Other
    }

    /// The rest of a path after its variable.
    fn path(&mut self, variable: (String, Range<usize>)) {
        let mut path = Path { segments: vec![variable], is_computed: false };
        loop {
            let resume = self.at;
            self.skip_space();
            match self.peek() {
                Some('.') => {
                    self.at += 1;
                    self.skip_space();
                    if !self.peek().is_some_and(is_word_start) {
                        break;
                    }
                    let segment = self.name();
                    path.segments.push(segment);
                    self.found.links += 1;
                }
                Some('[') => {
                    let Some(segment) = self.subscript() else {
                        path.is_computed = true;
                        self.at = resume;
                        break;
                    };
                    path.segments.push(segment);
                    self.found.links += 1;
                }
                // `name=` is an argument's name, or the target of `{% set %}`.
                Some('=') if !self.rest().starts_with("==") && path.segments.len() == 1 => return,
                _ => {
                    self.at = resume;
                    break;
                }
            }
        }
        self.found.paths.push(path);
    }

    /// `["name"]`, with the range of the name; nothing if it is any other subscript.
    fn subscript(&mut self) -> Option<(String, Range<usize>)> {
        self.at += 1;
        self.skip_space();
        let quote = self.peek().filter(|c| matches!(c, '"' | '\''))?;
        self.at += 1;
        let start = self.at;
        self.string(quote);
        let range = start..self.at.saturating_sub(1).max(start);
        self.skip_space();
        let name = self.text.get(range.clone()).filter(|name| !name.contains('\\'))?.to_owned();
        (self.peek() == Some(']')).then(|| {
            self.at += 1;
            (name, range)
        })
    }
}

/// The length of a block that is only `name`, after its `{%`.
fn tag(text: &str, name: &str) -> Option<usize> {
    let inner = text.strip_prefix(['-', '+']).unwrap_or(text).trim_start();
    let rest = inner.strip_prefix(name)?.trim_start();
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest).strip_prefix("%}")?;
    Some(text.len() - rest.len())
}

fn is_word_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

#[cfg(test)]
mod tests;
