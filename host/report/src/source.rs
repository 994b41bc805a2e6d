//! Text with a name, and places in it.

use std::sync::Arc;

/// A text that a person wrote, with the label under which errors show it.
///
/// Cheap to clone: the text is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    label: Arc<str>,
    text: Arc<str>,
}

impl Source {
    /// Names `text`; `label` is usually a path relative to the working directory.
    pub fn new(label: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { label: label.into(), text: text.into() }
    }

    /// The name shown in errors.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where `offset` (bytes) is, counted as editors count.
    ///
    /// An offset past the end is the end; one inside a character is that character's start.
    pub fn position(&self, offset: usize) -> Position {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = self.text.get(..end).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        }
    }

    /// `label:line:column` of the start of `span`.
    pub fn locate(&self, span: Span) -> String {
        let Position { line, column } = self.position(span.start);
        format!("{}:{line}:{column}", self.label)
    }
}

/// A range of bytes in a [`Source`]; `end` is exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The range `start..end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }
}

impl From<std::ops::Range<usize>> for Span {
    fn from(range: std::ops::Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

/// Line and column, both from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_and_never_leave_the_text() {
        let source = Source::new("p.toml", "a\nöü = 1\n");
        let at = |offset| {
            let Position { line, column } = source.position(offset);
            (line, column)
        };
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(2), (2, 1));
        assert_eq!(at(3), (2, 1)); // within `ö`
        assert_eq!(at(6), (2, 3));
        assert_eq!(at(9000), (3, 1));
        assert_eq!(source.locate(Span::new(6, 7)), "p.toml:2:3");
    }
}
