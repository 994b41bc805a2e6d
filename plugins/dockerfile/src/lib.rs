//! Dockerfiles: parsed, expanded and put in order.

mod chmod;
mod config;
mod diagnostic;
mod directive;
mod file;
mod heredoc;
pub mod instruction;
mod lint;
mod mount;
mod parse;
mod plan;
mod platform;
mod source;
mod stage_run;
mod step;
mod suggest;
mod word;

pub use chmod::{Chmod, Clause};
pub use config::{Config, Healthcheck};
pub use diagnostic::{Diagnostic, Severity};
pub use directive::Directives;
pub use file::{Dockerfile, Stage};
pub use heredoc::Heredoc;
pub use instruction::{Command, Instruction};
pub use lint::{Check, Rule};
pub use mount::{Mount, MountField, MountFlag, MountKind, Sharing};
pub use parse::parse;
pub use plan::{Options, Plan, PlannedStage, Reference, Scope, StageBase, Usage};
pub use platform::Platform;
pub use source::{Position, Source, Span};
pub use stage_run::{Base, StageEnd, StageRun};
pub use step::{Action, AddStep, CopySource, CopyStep, Origin, RunMount, RunStep, Script, Step};
pub use word::Word;
