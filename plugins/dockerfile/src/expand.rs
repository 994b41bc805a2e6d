//! Words with variables, quotes and escapes, read as BuildKit's Dockerfile shell lexer reads them.
//!
//! It looks like a shell and is not one. Outside quotes the escape character takes the next
//! character as it is; within `"` it does so only before `"`, `$` and itself; within `'` nothing is
//! special. `$name`, `${name}`, `${name:-word}`, `:+`, `:?` and the same without the colon (then only
//! an unset name counts, not an empty one), `${name#pattern}`, `##`, `%`, `%%`,
//! `${name/pattern/text}` and `//` nest. A name that is not set is nothing, and is remembered.
//!
//! Three accidents of BuildKit are left out: splitting a text with a nested `${a:-b}` into words
//! loses what stands before it, the text put in by `/` may refer to groups of a regular expression
//! as `$1`, and a suffix pattern may not end in an escape.

use std::collections::BTreeSet;

mod dollar;
mod pattern;

use crate::source::Span;
use crate::variables::Variables;

/// 64: more `${a:-${b:-...}}` than anybody reads, and far less than a stack holds.
const MAX_DEPTH: usize = 64;

/// 1 MiB: `ENV A=$A$A` forty times over would fill any memory.
pub const MAX_EXPANDED: usize = 1 << 20;

/// How words are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lexer {
    /// `\`, or what `# escape=` says.
    pub escape: char,
    /// Quotes that quote are kept in the result.
    pub keep_quotes: bool,
    /// Escapes that escape are kept in the result.
    pub keep_escapes: bool,
    /// Quotes are characters like others: so in documents (`<<EOF`).
    pub plain_quotes: bool,
    /// Names that are not set are left as they are written.
    pub keep_unset: bool,
}

/// A text, expanded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    /// As one text.
    pub text: String,
    /// Split at blanks outside quotes, those that came out of variables included.
    pub words: Vec<Piece>,
    /// Names that were set.
    pub matched: BTreeSet<String>,
    /// Names that were not, and where in the text they stand, in order.
    pub unmatched: Vec<Piece>,
}

/// A part of an expanded text and the bytes it was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it says.
    pub text: String,
    /// Where it stood in the text given.
    pub span: Span,
}

/// Why a text cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpandError {
    /// One lower-case clause.
    pub message: String,
    /// Which bytes of the text given.
    pub span: Span,
    /// What to type instead, if that is known.
    pub help: Option<String>,
}

impl Lexer {
    /// Reads words as instructions have them.
    pub const fn new(escape: char) -> Self {
        Self {
            escape,
            keep_quotes: false,
            keep_escapes: false,
            plain_quotes: false,
            keep_unset: false,
        }
    }

    /// Expands `text` with `variables`.
    ///
    /// # Errors
    /// A quote or brace that is not closed, a modifier that is none, `${name:?}` of what is not set,
    /// and a result beyond [`MAX_EXPANDED`].
    pub fn expand(&self, text: &str, variables: &Variables) -> Result<Expanded, ExpandError> {
        let mut state = State {
            lexer: *self,
            text,
            at: 0,
            keep_escapes: self.keep_escapes,
            depth: 0,
            made: 0,
            variables,
            matched: BTreeSet::new(),
            unmatched: Vec::new(),
        };
        let (text, words) = state.until(None, self.keep_escapes)?;
        Ok(Expanded { text, words, matched: state.matched, unmatched: state.unmatched })
    }
}

struct State<'a> {
    lexer: Lexer,
    text: &'a str,
    at: usize,
    keep_escapes: bool,
    depth: usize,
    made: usize,
    variables: &'a Variables,
    matched: BTreeSet<String>,
    unmatched: Vec<Piece>,
}

/// Splits what is added into words.
#[derive(Default)]
struct Splitter {
    words: Vec<Piece>,
    word: String,
    start: Option<usize>,
}

impl Splitter {
    /// Characters that end a word if they are blanks.
    fn add(&mut self, text: &str, span: Span) {
        for c in text.chars() {
            if !c.is_whitespace() {
                self.start.get_or_insert(span.start);
                self.word.push(c);
            } else if !self.word.is_empty() {
                self.end(span.start);
            }
        }
    }

    /// Characters of a word, blanks or not.
    fn add_raw(&mut self, text: &str, span: Span) {
        self.start.get_or_insert(span.start);
        self.word.push_str(text);
    }

    fn end(&mut self, at: usize) {
        let start = self.start.take().unwrap_or(at);
        if !self.word.is_empty() {
            let text = std::mem::take(&mut self.word);
            self.words.push(Piece { text, span: Span::new(start, at) });
        }
    }
}

impl State<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn error(&self, start: usize, message: impl Into<String>) -> ExpandError {
        let span = Span::new(start, self.at.max(start));
        ExpandError { message: message.into(), span, help: None }
    }

    /// Counts what was made; every piece of a result goes through here at least once.
    fn made(&mut self, start: usize, bytes: usize) -> Result<(), ExpandError> {
        self.made += bytes;
        if self.made > MAX_EXPANDED {
            let limit = MAX_EXPANDED >> 10;
            return Err(self.error(start, format!("expands to more than {limit} KiB")));
        }
        Ok(())
    }

    /// Reads up to `stop`, which is consumed, or to the end.
    fn until(
        &mut self,
        stop: Option<char>,
        keep_escapes: bool,
    ) -> Result<(String, Vec<Piece>), ExpandError> {
        let before = std::mem::replace(&mut self.keep_escapes, keep_escapes);
        self.depth += 1;
        let result = if self.depth > MAX_DEPTH {
            Err(self.error(self.at, format!("nests more than {MAX_DEPTH} substitutions")))
        } else {
            self.read_until(stop)
        };
        self.depth -= 1;
        self.keep_escapes = before;
        result
    }

    fn read_until(&mut self, stop: Option<char>) -> Result<(String, Vec<Piece>), ExpandError> {
        let mut result = String::new();
        let mut words = Splitter::default();
        let opened = self.at;
        while let Some(c) = self.peek() {
            let start = self.at;
            if stop == Some(c) {
                self.next();
                words.end(start);
                return Ok((result, words.words));
            }
            let part = match c {
                '\'' if !self.lexer.plain_quotes => self.single_quoted()?,
                '"' if !self.lexer.plain_quotes => self.double_quoted()?,
                '$' => self.dollar()?,
                '<' => self.heredoc(),
                _ if c == self.lexer.escape => self.escaped(),
                _ => self.next().map(String::from).unwrap_or_default(),
            };
            let span = Span::new(start, self.at);
            self.made(start, part.len())?;
            result.push_str(&part);
            let is_raw = matches!(c, '\'' | '"') && !self.lexer.plain_quotes;
            if is_raw || c == '<' || (c == self.lexer.escape && !part.is_empty()) {
                words.add_raw(&part, span);
            } else {
                words.add(&part, span);
            }
        }
        if let Some(stop) = stop {
            return Err(self.error(opened, format!("ends before the `{stop}` that is expected")));
        }
        words.end(self.at);
        Ok((result, words.words))
    }

    /// An escape character and what it escapes; at the end of the text it is nothing.
    fn escaped(&mut self) -> String {
        let mut part = String::new();
        let escape = self.next();
        if self.keep_escapes {
            part.extend(escape);
        }
        part.extend(self.next());
        part
    }

    fn single_quoted(&mut self) -> Result<String, ExpandError> {
        let start = self.at;
        self.next();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some(length) = rest.find('\'') else {
            self.at = self.text.len();
            let error = self.error(start, "single quote is not closed");
            return Err(ExpandError {
                help: Some("close it with `'`, or escape it".to_owned()),
                ..error
            });
        };
        self.at += length + 1;
        let inner = rest.get(..length).unwrap_or_default();
        Ok(if self.lexer.keep_quotes { format!("'{inner}'") } else { inner.to_owned() })
    }

    fn double_quoted(&mut self) -> Result<String, ExpandError> {
        let start = self.at;
        let mut result = String::new();
        self.next();
        if self.lexer.keep_quotes {
            result.push('"');
        }
        loop {
            match self.peek() {
                None => {
                    let error = self.error(start, "double quote is not closed");
                    return Err(ExpandError {
                        help: Some("close it with `\"`, or escape it".to_owned()),
                        ..error
                    });
                }
                Some('"') => {
                    self.next();
                    if self.lexer.keep_quotes {
                        result.push('"');
                    }
                    return Ok(result);
                }
                Some('$') => {
                    let value = self.dollar()?;
                    self.made(start, value.len())?;
                    result.push_str(&value);
                }
                Some(c) if c == self.lexer.escape => {
                    self.next();
                    if self.keep_escapes {
                        result.push(c);
                    }
                    match self.peek() {
                        None => {}
                        Some(next) if next == '"' || next == '$' || next == c => {
                            self.next();
                            result.push(next);
                        }
                        Some(_) => result.push(c),
                    }
                }
                Some(c) => {
                    self.next();
                    result.push(c);
                }
            }
        }
    }

    /// `<<` and the blanks after it stay together, so that `<< EOF` is one word.
    fn heredoc(&mut self) -> String {
        let start = self.at;
        self.next();
        if self.peek() == Some('<') {
            self.next();
            while matches!(self.peek(), Some(' ' | '\t' | '\r')) {
                self.next();
            }
        }
        self.text.get(start..self.at).unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests;
