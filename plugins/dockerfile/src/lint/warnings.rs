//! Warnings being collected, those left out that the file does not want.

use super::{Check, Rule};
use crate::diagnostic::Diagnostic;
use crate::instruction::Instruction;
use crate::source::Span;

/// Collects warnings.
#[derive(Clone, Debug)]
pub(crate) struct Warnings {
    file: Check,
    instruction: Check,
    warnings: Vec<Diagnostic>,
    /// What the instruction was warned of already.
    said: Vec<(Rule, String)>,
}

impl Warnings {
    pub(crate) fn new(check: &Check) -> Self {
        let (file, instruction) = (check.clone(), check.clone());
        Self { file, instruction, warnings: Vec::new(), said: Vec::new() }
    }

    /// From here on warnings are about `instruction`, whose comments may have a say.
    pub(crate) fn enter(&mut self, instruction: &Instruction) {
        self.instruction = self.file.with_comments(&instruction.comments);
        self.said.clear();
    }

    pub(crate) fn warn(
        &mut self,
        rule: Rule,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if self.instruction.shows(rule) {
            let warning = Diagnostic::warning(span, message).help(help);
            self.warnings.push(Diagnostic { rule: Some(rule), ..warning });
        }
    }

    /// Once for each `what` of an instruction.
    pub(crate) fn warn_once(
        &mut self,
        rule: Rule,
        span: Span,
        what: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let key = (rule, what.to_owned());
        if !self.said.contains(&key) {
            self.said.push(key);
            self.warn(rule, span, message, help);
        }
    }

    pub(crate) fn as_slice(&self) -> &[Diagnostic] {
        &self.warnings
    }

    pub(crate) fn into_vec(self) -> Vec<Diagnostic> {
        self.warnings
    }
}
