//! A piece of an instruction, and where it stands.

use crate::source::Span;

/// Text of the file before anything is expanded, and where it stands.
///
/// `text` is what BuildKit sees: continuations are joined, and quotes of flags and of the exec form
/// are taken off. `span` covers all that it was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Word {
    /// What it says.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

impl Word {
    /// A word at `span`.
    pub fn new(text: impl Into<String>, span: Span) -> Self {
        Self { text: text.into(), span }
    }

    /// Where a part of the word stands: exact if the file has the word as it is, else all of it.
    pub fn part(&self, start: usize, end: usize) -> Span {
        if self.span.len() == self.text.len() && start <= end && end <= self.text.len() {
            Span::new(self.span.start + start, self.span.start + end)
        } else {
            self.span
        }
    }
}

impl std::ops::Deref for Word {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}
