//! From text to [`Pipeline`] to [`Plan`].
//!
//! A [`Pipeline`] is what a person wrote, every value with its place. A [`Plan`] is what will run:
//! names resolved, plugins pinned, templates compiled, grants computed, order fixed. Both steps
//! report every problem they find, in the order of the file, with the source line and what to type
//! instead.
//!
//! Neighbours: `report` below, for what is said to a person; `run` above, which executes plans; the
//! command line, which gives the [`Catalog`].
//!
//! Invariant: no IO and no async. This room cannot fail but by its input, and is the same in a test,
//! in an editor and in a run. A path is only a label here.

pub mod limits;

mod at;
mod catalog;
mod check;
pub mod cron;
mod engine;
pub mod grant;
mod input;
mod json_schema;
mod matrix;
mod name;
mod order;
mod parse;
pub mod plan;
mod plan_json;
mod planner;
mod problem;
mod reader;
mod reference;
mod resolve;
pub mod schema;
mod scope;
mod template;
pub mod unit;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod ui;

pub use at::{At, Entries};
pub use catalog::{CapabilityRequest, Catalog, CatalogError, PluginFacts};
pub use cron::{Cron, Zone};
pub use grant::{ExecRule, Grant, GrantTemplate, HttpRule, OciRule, SecretsRule, WorkspaceRule};
pub use json_schema::{json_schema, merge_plugins};
pub use matrix::Matrix;
pub use name::{NameError, StepId};
pub use parse::parse;
pub use plan::{
    Given, InputText, Plan, PluginRef, RegistrySpec, Resolved, Retry, RunFacts, Scope, SecretFrom,
    SecretRef, SecretSpec, Step, StepFacts, TextOrSecret,
};
pub use planner::plan;
pub use resolve::Preview;
pub use schema::Pipeline;
pub use template::{Condition, Template};
