//! Documents within a Dockerfile: `<<EOF`, `<<-EOF`, `<<"EOF"`.

use crate::diagnostic::Diagnostic;
use crate::expand::Lexer;
use crate::line::{Line, Reader};
use crate::source::Span;
use crate::variables::Variables;
use crate::word::Word;

/// 64: documents of one instruction.
pub const MAX_HEREDOCS: usize = 64;

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

    /// A word that opens a document: `3<<-EOF`, blanks after `<<` or not.
    pub(crate) fn open(word: &str, span: Span) -> Option<Self> {
        let digits = word.len() - word.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (descriptor, rest) = word.split_at_checked(digits)?;
        let rest = rest.strip_prefix("<<")?;
        let (rest, chomp) = rest.strip_prefix('-').map_or((rest, false), |rest| (rest, true));
        let rest = rest.trim_start();
        if rest.contains('<') {
            return None;
        }
        let lexer = Lexer { keep_unset: true, ..Lexer::new('\\') };
        let single = |lexer: Lexer| {
            let words = lexer.expand(rest, &Variables::default()).ok()?.words;
            let mut words = words.into_iter().map(|word| word.text);
            let first = words.next()?;
            words.next().is_none().then_some(first)
        };
        let name = single(lexer)?;
        let quoted = single(Lexer { keep_quotes: true, ..lexer })?;
        let quotes = |text: &str| text.matches(['\'', '"']).count();
        Some(Self {
            expand: quotes(&name) == quotes(&quoted),
            name: Word::new(name, span),
            descriptor: descriptor.parse().unwrap_or_default(),
            chomp,
            content: String::new(),
            span: Span::default(),
        })
    }

    /// The documents that a line opens. A line whose quotes do not close opens none: a shell's
    /// `echo it's` is its own affair.
    pub(crate) fn opened_by(line: &Line) -> Vec<Self> {
        if !line.text.contains("<<") {
            return Vec::new();
        }
        let lexer =
            Lexer { keep_quotes: true, keep_escapes: true, keep_unset: true, ..Lexer::new('\\') };
        let Ok(found) = lexer.expand(&line.text, &Variables::default()) else {
            return Vec::new();
        };
        let spans = |span: Span| line.span(span.start, span.end);
        found.words.iter().filter_map(|word| Self::open(&word.text, spans(word.span))).collect()
    }

    /// Reads the lines up to the delimiter; whether it was found.
    fn read(&mut self, reader: &mut Reader<'_>) -> bool {
        let start = reader.offset();
        while let Some((at, raw)) = reader.raw() {
            let mut text = raw.trim_end_matches(['\n', '\r']);
            if self.chomp {
                text = text.trim_start_matches('\t');
            }
            if text == self.name.text {
                self.span = reader.span(start, at);
                return true;
            }
            self.content.push_str(raw);
        }
        self.span = reader.span(start, reader.offset());
        false
    }
}

/// Reads the documents that `line` opens.
pub(crate) fn read_heredocs(
    line: &Line,
    reader: &mut Reader<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Heredoc> {
    let mut heredocs = Heredoc::opened_by(line);
    if let Some(extra) = heredocs.get(MAX_HEREDOCS) {
        let message = format!("instruction opens more than {MAX_HEREDOCS} heredocs");
        problems.push(Diagnostic::error(extra.name.span, message));
        heredocs.truncate(MAX_HEREDOCS);
    }
    for heredoc in &mut heredocs {
        if !heredoc.read(reader) {
            let name = &heredoc.name.text;
            let message = format!("heredoc `{name}` is not closed");
            let help = format!("end it with a line that is `{name}` and nothing else");
            problems.push(Diagnostic::error(heredoc.name.span, message).help(help));
            break;
        }
    }
    heredocs
}

#[cfg(test)]
mod tests;
