//! Instructions as lines: continuations joined, comments and blank lines taken out.
//!
//! A joined line remembers which byte of the file each of its bytes is, so that whatever is said
//! about a word of it points into the file.

use crate::diagnostic::Diagnostic;
use crate::directive::DirectiveReader;
use crate::source::Span;
use crate::word::Word;

/// One instruction's text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// Continuations joined.
    pub(crate) text: String,
    /// Comments before it.
    pub(crate) comments: Vec<Word>,
    /// A blank line within it.
    pub(crate) empty_continuation: Option<Span>,
    /// Where pieces of `text` begin, in it and in the file; the first begins at 0.
    pieces: Vec<(usize, usize)>,
    /// Where all of it is said to stand, if it is not in the file.
    elsewhere: Option<Span>,
}

impl Line {
    /// Where a range of `text` stands in the file. What is joined from several lines covers all
    /// that lies between.
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        if let Some(elsewhere) = self.elsewhere {
            return elsewhere;
        }
        let first = self.locate(start);
        let last = end.checked_sub(1).filter(|last| *last >= start);
        Span::new(first, last.map_or(first, |last| self.locate(last) + 1))
    }

    /// All of it but the blanks around it.
    pub(crate) fn whole(&self) -> Span {
        let start = self.text.len() - self.text.trim_start().len();
        self.span(start, self.text.trim_end().len())
    }

    /// A part as a word.
    pub(crate) fn word(&self, start: usize, end: usize) -> Word {
        Word::new(self.text.get(start..end).unwrap_or_default(), self.span(start, end))
    }

    fn locate(&self, offset: usize) -> usize {
        let after = self.pieces.partition_point(|(joined, _)| *joined <= offset);
        let piece = after.checked_sub(1).and_then(|index| self.pieces.get(index));
        piece.map_or(offset, |(joined, file)| file + (offset - joined))
    }

    fn push(&mut self, text: &str, at: usize) {
        self.pieces.push((self.text.len(), at));
        self.text.push_str(text);
    }
}

/// Reads a file line by line.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
    pub(crate) directives: DirectiveReader,
    comments: Vec<Word>,
    elsewhere: Option<Span>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        // An editor's byte order mark is not part of the first word.
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let directives = DirectiveReader::default();
        Self { text, at, directives, comments: Vec::new(), elsewhere: None }
    }

    /// Reads a text that is not in the file: all of it is said to stand at `span`.
    pub(crate) fn at(text: &'a str, span: Span) -> Self {
        Self { elsewhere: Some(span), ..Self::new(text) }
    }

    /// A range of the text read, as it is to be reported.
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        self.elsewhere.unwrap_or(Span::new(start, end))
    }

    /// Where reading goes on.
    pub(crate) const fn offset(&self) -> usize {
        self.at
    }

    /// The next line of the file with its end, and where it begins.
    pub(crate) fn raw(&mut self) -> Option<(usize, &'a str)> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let length = rest.find('\n').map_or(rest.len(), |end| end + 1);
        let start = self.at;
        self.at += length;
        Some((start, rest.get(..length)?))
    }

    /// The next instruction.
    pub(crate) fn line(&mut self, problems: &mut Vec<Diagnostic>) -> Option<Line> {
        loop {
            let (start, raw) = self.raw()?;
            let text = raw.trim_end_matches(['\n', '\r']);
            let indent = text.len() - text.trim_start().len();
            let (start, text) = (start + indent, text.trim_start());
            let is_directive = self.directives.read(text, start, problems);
            if text.starts_with('#') {
                if !is_directive {
                    self.comment(text, start);
                }
                continue;
            }
            let (text, continues) = self.continuation(text);
            if !continues && text.is_empty() {
                continue;
            }
            let mut line = Line { elsewhere: self.elsewhere, ..Line::default() };
            line.push(text, start);
            if continues {
                self.join(&mut line);
            }
            line.comments = std::mem::take(&mut self.comments);
            return Some(line);
        }
    }

    fn join(&mut self, line: &mut Line) {
        while let Some((start, raw)) = self.raw() {
            let text = raw.trim_end_matches(['\n', '\r']);
            if text.trim_start().starts_with('#') {
                continue;
            }
            if text.trim_start().is_empty() {
                line.empty_continuation.get_or_insert(self.span(start, start + text.len()));
                continue;
            }
            let (text, continues) = self.continuation(text);
            line.push(text, start);
            if !continues {
                return;
            }
        }
    }

    /// An empty comment separates: what stands above it is not about the instruction below.
    fn comment(&mut self, text: &str, start: usize) {
        let inner = text.get(1..).unwrap_or_default();
        let said = inner.trim();
        if said.is_empty() {
            self.comments.clear();
        } else {
            let start = start + 1 + (inner.len() - inner.trim_start().len());
            self.comments.push(Word::new(said, self.span(start, start + said.len())));
        }
    }

    /// Takes off the escape character at the end, blanks after it or not; two of them are text.
    fn continuation<'t>(&self, text: &'t str) -> (&'t str, bool) {
        let escape = self.directives.escape();
        let Some(before) = text.trim_end_matches([' ', '\t']).strip_suffix(escape) else {
            return (text, false);
        };
        if before.ends_with(escape) { (text, false) } else { (before, true) }
    }
}

#[cfg(test)]
mod tests;
