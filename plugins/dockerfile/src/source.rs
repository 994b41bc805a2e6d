//! The text of a Dockerfile, and where things stand in it.

use std::ops::Range;

/// A range of bytes of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One beyond the last byte.
    pub end: usize,
}

/// A place as a person counts: both from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character of the line.
    pub column: usize,
}

/// A text that knows where its lines begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    text: String,
    lines: Vec<usize>,
}

impl Span {
    /// From the first byte to one beyond the last.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// From the start of this to the end of `other`.
    #[must_use]
    pub const fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end }
    }

    /// How many bytes it covers.
    pub const fn len(self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Whether it covers nothing.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// As a range of the standard library.
    pub const fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

impl Source {
    /// Takes the text over.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let after = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(after).collect();
        Self { text, lines }
    }

    /// All of it, byte order mark included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What stands at `span`; nothing if that is not a range of this text.
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or_default()
    }

    /// The line and column of a byte.
    pub fn position(&self, offset: usize) -> Position {
        let offset = offset.min(self.text.len());
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or_default();
        let before = self.text.get(start..offset).unwrap_or_default();
        let mark = usize::from(line == 1 && before.starts_with('\u{feff}'));
        Position { line, column: before.chars().count() - mark + 1 }
    }

    /// The text of a line, counted from 1, without its end.
    pub fn line(&self, line: usize) -> &str {
        let Some(start) = line.checked_sub(1).and_then(|index| self.lines.get(index)) else {
            return "";
        };
        let end = self.lines.get(line).copied().unwrap_or(self.text.len());
        let text = self.text.get(*start..end).unwrap_or_default();
        text.trim_end_matches(['\n', '\r']).trim_start_matches('\u{feff}')
    }

    /// The line that `span` begins in, and a line of carets below what it covers.
    ///
    /// Tabs are kept in both, so that the carets stand where they should at any width.
    pub fn snippet(&self, span: Span) -> String {
        let Position { line, column } = self.position(span.start);
        let text = self.line(line);
        let covered = self.slice(span).lines().next().unwrap_or_default().chars().count();
        let blank: String =
            text.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        let carets = "^".repeat(covered.max(1));
        format!("{gutter} |\n{number} | {text}\n{gutter} | {blank}{carets}")
    }
}

#[cfg(test)]
mod tests;
