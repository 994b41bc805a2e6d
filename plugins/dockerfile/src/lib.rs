//! Dockerfiles: parsed, expanded and put in order.
//!
//! ```text
//! text ──parse──▶ Dockerfile ──Plan::new──▶ Plan ──StageRun::new──▶ Step*
//!                 (as written,  (args, platforms,   (a base's config) (all words expanded)
//!                  all problems)  needed stages)
//! ```
//!
//! [`parse`] reports every problem with its place. [`Plan`] expands `FROM`, joins the stages and
//! leaves out those that are not needed; [`Plan::references`] are the images that a build reads.
//! [`StageRun`] goes through one stage once its base is known, for only then are its variables and
//! triggers, and keeps the image's [`Config`]. [`expand`] is BuildKit's way of reading words.
//! Warnings are BuildKit's lint [`Rule`]s.
//!
//! Pure: no files, no network, no clock, no environment. It runs within a component, on files that
//! strangers wrote: nothing panics, and what a file can make it allocate is limited.
//!
//! Why a parser of our own: of the crates there are, parse-dockerfile 0.1.9 is the nearest. Of 814
//! public Dockerfiles (docs/dockerfile.md) it judges 14 otherwise than BuildKit: it refuses 2 that
//! are right (a heredoc, two stages of one name) and accepts 12 that are wrong, since flags and
//! pairs are left to its caller. This one differs in 11, all of them mount options that BuildKit
//! refuses a moment later, and of all others reads every word alike. Parse-dockerfile also stops at
//! the first problem, has no places within words, and leaves out expansion, stages, triggers and
//! lints, which are five lines of every seven here.
//!
//! Neighbours: plugins that build images, or watch what they are built on. No crate of `host/`.

mod chmod;
mod config;
mod diagnostic;
mod directive;
mod duration;
pub mod expand;
mod file;
mod flag;
mod git;
mod heredoc;
mod history;
mod image_name;
pub mod instruction;
mod json;
mod line;
mod lint;
mod mount;
mod origin;
mod parse;
mod path;
mod plan;
mod platform;
mod port;
mod problem;
mod signal;
mod size;
mod source;
mod stage_run;
mod step;
mod suggest;
mod variables;
mod word;

pub use config::{Config, Healthcheck};
pub use diagnostic::{Diagnostic, Severity};
pub use directive::Directives;
pub use file::{Dockerfile, Stage};
pub use heredoc::{Heredoc, MAX_HEREDOCS};
pub use instruction::{Command, Instruction};
pub use lint::{Check, Rule};
pub use mount::{Mount, MountField, MountFlag, MountKind, Sharing};
pub use parse::{MAX_BYTES, MAX_INSTRUCTIONS, MAX_PROBLEMS, parse};
pub use plan::{Options, Plan, PlannedStage, Reference, Scope, StageBase, Usage};
pub use platform::Platform;
pub use source::{Position, Source, Span};
pub use stage_run::{Base, StageEnd, StageRun};
pub use step::{Action, AddStep, CopySource, CopyStep, Origin, RunMount, RunStep, Script, Step};
pub use variables::Variables;
pub use word::Word;
