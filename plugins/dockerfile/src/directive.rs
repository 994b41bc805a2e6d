//! Parser directives: `# syntax=`, `# escape=`, `# check=` at the top of a file.

use crate::lint::Check;
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
