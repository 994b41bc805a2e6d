//! Problems that more than one place reports.

use crate::diagnostic::Diagnostic;
use crate::expand::ExpandError;
use crate::word::Word;

/// A word that cannot be expanded, where in it that is.
pub(crate) fn unexpandable(word: &Word, error: ExpandError) -> Diagnostic {
    let span = word.part(error.span.start, error.span.end);
    Diagnostic { help: error.help, ..Diagnostic::error(span, error.message) }
}
