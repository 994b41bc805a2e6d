//! A Dockerfile as a whole.

use crate::directive::Directives;
use crate::instruction::Instruction;
use crate::source::Source;

/// A Dockerfile, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dockerfile {
    /// The text.
    pub source: Source,
    /// What its first lines say to the parser.
    pub directives: Directives,
    /// `ARG` before the first `FROM`.
    pub global_args: Vec<Instruction>,
    /// The stages, at least one.
    pub stages: Vec<Stage>,
}

/// `FROM` and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// `FROM`; its command is always [`Command::From`](crate::instruction::Command::From).
    pub from: Instruction,
    /// The instructions after it.
    pub instructions: Vec<Instruction>,
}
