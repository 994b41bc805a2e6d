//! What is wrong, where, and what to type instead.

use crate::lint::Rule;
use crate::source::{Source, Span};

/// One problem of a Dockerfile.
///
/// Wording: `message` is one lower-case clause without a final stop, names in backticks; `help` is
/// imperative and holds the text to type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The lint rule, if it is one of BuildKit's.
    pub rule: Option<Rule>,
    /// What was found and what was wanted.
    pub message: String,
    /// Where; empty at the end of the file if something is missing.
    pub span: Span,
    /// What to try.
    pub help: Option<String>,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is built.
    Error,
    /// It is built, but probably not as meant.
    Warning,
}

impl Diagnostic {
    /// An error at `span`.
    pub fn error(span: Span, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { severity: Severity::Error, rule: None, message, span, help: None }
    }

    /// A warning at `span`.
    pub fn warning(span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(span, message) }
    }

    /// Adds what to try.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the nearest real name, if one is near.
    #[must_use]
    pub fn did_you_mean(mut self, name: Option<&str>) -> Self {
        if let Some(name) = name {
            self.help = Some(format!("did you mean `{name}`?"));
        }
        self
    }

    /// The problem as text, with `path:line:column`, the line and carets below it.
    pub fn render(&self, path: &str, source: &Source) -> String {
        let at = source.position(self.span.start);
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let rule = self.rule.map(|rule| format!("[{rule}]")).unwrap_or_default();
        let head = format!("{severity}{rule}: {}", self.message);
        let place = format!(" --> {path}:{}:{}", at.line, at.column);
        let help = self.help.as_ref().map(|help| format!("\n  = help: {help}"));
        format!("{head}\n{place}\n{}{}", source.snippet(self.span), help.unwrap_or_default())
    }
}
