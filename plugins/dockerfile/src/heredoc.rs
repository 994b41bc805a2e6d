//! Documents within a Dockerfile: `<<EOF`, `<<-EOF`, `<<"EOF"`.

use crate::source::Span;
use crate::word::Word;

/// One document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    /// Its delimiter without quotes: the file's name for `COPY`.
    pub name: Word,
    /// The number before `<<`; 0 if there is none.
    pub descriptor: u32,
    /// Whether variables are expanded: the delimiter has no quotes.
    pub expand: bool,
    /// Whether leading tabs are taken off: `<<-`.
    pub chomp: bool,
    /// What it holds, as written.
    pub content: String,
    /// Where the content stands, delimiter not included.
    pub span: Span,
}

impl Heredoc {
    /// What it holds, without leading tabs if it was opened with `<<-`.
    pub fn chomped(&self) -> String {
        if !self.chomp {
            return self.content.clone();
        }
        self.content.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect()
    }
}
